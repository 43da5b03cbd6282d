// Spellings of a model's name: the forms that clients and gateways write it in, tried in order. Only known additions are taken off.
import { MODEL_NAME_CHARS_MAX } from '../limits.ts'

/** Names of providers as gateways and people write them, and the price list's own id of each. */
const PROVIDER_ALIASES: ReadonlyMap<string, string> = new Map([
  ['azure-openai', 'azure'],
  ['azure_openai', 'azure'],
  ['azure_ai', 'azure'],
  ['azure-ai', 'azure'],
  ['bedrock', 'aws'],
  ['aws-bedrock', 'aws'],
  ['bedrock-mantle', 'aws'],
  ['aws-bedrock-mantle', 'aws'],
  ['amazon', 'aws'],
  ['amazon-bedrock', 'aws'],
  ['vertex', 'google'],
  ['vertex_ai', 'google'],
  ['vertex-ai', 'google'],
  ['gemini', 'google'],
  ['google-gemini', 'google'],
  ['xai', 'x-ai'],
  ['mistralai', 'mistral'],
  ['moonshot', 'moonshotai'],
  ['voyage', 'voyageai'],
  ['together-ai', 'together'],
  ['together_ai', 'together'],
  ['fireworks-ai', 'fireworks'],
  ['fireworks_ai', 'fireworks'],
  ['z-ai', 'zai'],
  ['z.ai', 'zai'],
  ['zhipu', 'zhipuai'],
])

/** Makers of models that only others sell: they stand before a model's name as providers do. */
const MAKERS = ['meta', 'meta-llama', 'qwen', 'nvidia', 'microsoft', 'ai21', 'writer', 'deepseek-ai', 'minimaxai', 'zai-org']
const REGIONS = ['us', 'eu', 'apac', 'global', 'jp', 'au', 'ca', 'in', 'us-gov', 'regional']

/**
 * What routers let clients append to choose how or who, not which; `free` too, because a name that is not listed as free is not.
 * OpenRouter's, then Hugging Face's.
 */
const ROUTING =
  /:(?:free|nitro|floor|online|exacto|extended|thinking|beta|fastest|cheapest|preferred|cerebras|fireworks-ai|groq|hyperbolic|nebius|novita|nscale|ovhcloud|publicai|sambanova|together)$/
/** A date without dashes, which lists write with them. */
const COMPACT_DATE = /-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)/g
const PATHS = /^(?:models\/|(?:projects\/[^/]+\/locations\/[^/]+\/)?publishers\/[^/]+\/models\/|arn:aws[^/]*\/)/
const PREFIXES_MAX = 3

export const providerId = (name: string): string => {
  const plain = name.trim().toLowerCase()
  return PROVIDER_ALIASES.get(plain) ?? plain
}

/** The name as lists compare it: lower case, no spaces around; null for one that cannot be a model's name. */
export function plainName(name: string): string | null {
  if (name.length > MODEL_NAME_CHARS_MAX) return null
  const plain = name.trim().toLowerCase()
  return /^[\p{L}\p{N}\p{P}\p{S} ]+$/u.test(plain) ? plain : null
}

/** The forms to look a name up by, the written one first. `vendors` are the ids of the price list's providers. */
export function spellings(name: string, vendors: ReadonlySet<string>): readonly string[] {
  const plain = plainName(name)
  if (plain === null) return []
  const forms = new Set<string>()
  let bare: string | null = plain
  for (let taken = 0; bare !== null && taken <= PREFIXES_MAX; taken++) {
    const unrouted = bare.replace(ROUTING, '')
    for (const form of [bare, unrouted]) forms.add(form).add(form.replace(COMPACT_DATE, '-$1-$2-$3'))
    bare = withoutPrefix(bare, vendors)
  }
  return [...forms]
}

/** Whether what stands before and after the part of a name that a list knows leaves it the same model: dates, versions, regions. */
export function isSameModel(before: string, after: string, vendors: ReadonlySet<string>): boolean {
  const front = before.split(/[/.:]|-$/).filter(part => part !== '')
  return front.every(part => REGIONS.includes(part) || isVendor(part, vendors)) && isVersion(after)
}

function withoutPrefix(name: string, vendors: ReadonlySet<string>): string | null {
  const path = PATHS.exec(name)
  if (path !== null) return name.slice(path[0].length) || null
  const slash = name.indexOf('/')
  return slash > 0 && slash < name.length - 1 && isVendor(name.slice(0, slash), vendors) ? name.slice(slash + 1) : null
}

const isVendor = (name: string, vendors: ReadonlySet<string>): boolean => vendors.has(providerId(name)) || MAKERS.includes(name)

const WORDS = ['latest', 'preview', 'exp', 'experimental', 'beta', 'stable', 'default', 'maas']
const STANDALONE = /^(?:v\d{1,2}|20\d{6}|\d{4}|00\d|\d{1,3}k)$/

/** Only dates (2024-08-06, 20240806, 0806, 08-2024, 08-06), revisions (001, v2:0), context sizes (24k) and words like `latest`. */
function isVersion(text: string): boolean {
  const parts = text.split(/([-@:._])/).filter(part => part !== '')
  for (let at = 0; at < parts.length; at++) {
    const part = parts[at] ?? ''
    if (/^[-@:._]$/.test(part) || WORDS.includes(part) || STANDALONE.test(part)) continue
    if (!/^\d{1,2}$/.test(part)) return false
    const behind = parts[at - 1]
    if (behind === ':' || (behind === '.' && /^v\d/.test(parts[at - 2] ?? ''))) continue
    const partner = part.length === 2 && behind !== '.' ? parts[at + 2] : undefined
    const follows = partner !== undefined && /^(?:\d{2}|20\d{2})$/.test(partner)
    const followed = part.length === 2 && behind === '-' && /^(?:\d{2}|20\d{2})$/.test(parts[at - 2] ?? '')
    if (!follows && !followed) return false
  }
  return true
}
