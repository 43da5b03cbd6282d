// Providers: what is known of each without asking it: its hosts, and whether it bills on when a client leaves. Holds no prices.

/** Providers are named by the ids of the price book, for instance `openai`, `x-ai`, `aws`. */
interface Provider {
  /** Hosts, each also with any name in front of it (`eu.api.openai.com`). */
  readonly hosts: readonly string[]
  /** Whether a stream that the client leaves is generated and billed to its end. */
  readonly billsOn: boolean
}

/** Source of `billsOn`: the list of providers where cancelling a stream stops the billing, as OpenRouter documents it; all others bill on. */
const PROVIDERS: ReadonlyMap<string, Provider> = new Map([
  ['anthropic', { hosts: ['api.anthropic.com'], billsOn: false }],
  ['arcee', { hosts: ['api.arcee.ai'], billsOn: true }],
  ['avian', { hosts: ['api.avian.io'], billsOn: true }],
  ['aws', { hosts: ['amazonaws.com', 'api.aws'], billsOn: true }],
  [
    'azure',
    {
      hosts: ['openai.azure.com', 'cognitiveservices.azure.com', 'services.ai.azure.com', 'models.inference.ai.azure.com'],
      billsOn: false,
    },
  ],
  ['baseten', { hosts: ['inference.baseten.co'], billsOn: true }],
  ['cerebras', { hosts: ['api.cerebras.ai'], billsOn: true }],
  ['cloudflare', { hosts: ['api.cloudflare.com'], billsOn: false }],
  ['cohere', { hosts: ['api.cohere.com', 'api.cohere.ai'], billsOn: false }],
  ['deepseek', { hosts: ['api.deepseek.com'], billsOn: false }],
  ['doubleword', { hosts: ['api.doubleword.ai'], billsOn: true }],
  ['fireworks', { hosts: ['api.fireworks.ai'], billsOn: false }],
  ['github-copilot', { hosts: ['api.githubcopilot.com'], billsOn: true }],
  ['google', { hosts: ['googleapis.com'], billsOn: true }],
  ['groq', { hosts: ['api.groq.com'], billsOn: true }],
  ['minimax', { hosts: ['api.minimax.io', 'api.minimaxi.com', 'api.minimax.chat'], billsOn: true }],
  ['mistral', { hosts: ['api.mistral.ai', 'codestral.mistral.ai'], billsOn: true }],
  ['moonshotai', { hosts: ['api.moonshot.ai', 'api.moonshot.cn'], billsOn: true }],
  ['novita', { hosts: ['api.novita.ai'], billsOn: true }],
  ['ovhcloud', { hosts: ['oai.endpoints.kepler.ai.cloud.ovh.net'], billsOn: true }],
  ['openai', { hosts: ['api.openai.com'], billsOn: false }],
  // Stops where the provider behind it stops, which the request does not tell.
  ['openrouter', { hosts: ['openrouter.ai'], billsOn: true }],
  ['perplexity', { hosts: ['api.perplexity.ai'], billsOn: true }],
  ['together', { hosts: ['api.together.xyz', 'api.together.ai'], billsOn: false }],
  ['voyageai', { hosts: ['api.voyageai.com'], billsOn: true }],
  ['x-ai', { hosts: ['api.x.ai'], billsOn: false }],
  ['zai', { hosts: ['api.z.ai'], billsOn: true }],
  ['zhipuai', { hosts: ['open.bigmodel.cn'], billsOn: true }],
])

const BY_HOST: ReadonlyMap<string, string> = new Map(
  [...PROVIDERS].flatMap(([id, { hosts }]) => hosts.map((host): [string, string] => [host, id])),
)

/** The provider that serves a host (`:authority`, with or without a port), null where the host is nobody's that we know. */
export function providerOfHost(authority: string): string | null {
  let name = authority
    .toLowerCase()
    .replace(/:\d{1,5}$/, '')
    .replace(/\.$/, '')
  for (;;) {
    const id = BY_HOST.get(name)
    if (id !== undefined) return id
    const dot = name.indexOf('.')
    if (dot < 0) return null
    name = name.slice(dot + 1)
  }
}

/** Hosts that answer in a region of the caller's choice, where that has a price of its own (OpenAI's guide to data residency, xAI's pricing page). */
const REGIONAL_HOST = /^(?:[a-z]{2}\.api\.openai\.com|us[a-z0-9-]*\.api\.x\.ai)\.?(?::\d{1,5})?$/

export const isRegionalHost = (authority: string): boolean => REGIONAL_HOST.test(authority.toLowerCase())

/** Those behind Hugging Face's router that have prices of their own. */
const BEHIND_HUGGING_FACE: ReadonlySet<string> = new Set(
  'cerebras fireworks-ai groq hyperbolic nebius novita nscale ovhcloud publicai sambanova together'.split(' '),
)

/** Who answers a call to Hugging Face's router, by its path (`/nebius/v1/…`) or its model (`…:nebius`); null where it is left to the router, and elsewhere. */
export function providerAtHuggingFace(authority: string, path: string, model: string): string | null {
  if (!/^router\.huggingface\.co(?::\d{1,5})?$/i.test(authority)) return null
  const named = [/^\/+([a-z-]+)\//.exec(path)?.[1], /:([a-z-]+)$/.exec(model)?.[1]]
  const seller = named.find(name => name !== undefined && BEHIND_HUGGING_FACE.has(name))
  return seller === undefined ? null : `huggingface_${seller}`
}

/** Paths that only one provider has. Anthropic's is also spoken by others, which a known host tells first. */
const BY_PATH: readonly (readonly [RegExp, string])[] = [
  [/\/openai\/deployments\/[^/]+\//, 'azure'],
  [/\/model\/(?:arn:[^/]+\/)?[^/]+\/(?:converse|converse-stream|invoke|invoke-with-response-stream|count-tokens)$/, 'aws'],
  [/\/(?:models|publishers\/[^/]+\/models)\/[^/]+:[A-Za-z]+$/, 'google'],
  [/\/v1\/messages(?:\/count_tokens|\/batches)?$/, 'anthropic'],
]

/** The provider that a path (without its query) belongs to, null where several may have it. */
export function providerOfPath(path: string): string | null {
  for (const [pattern, id] of BY_PATH) if (pattern.test(path)) return id
  return null
}

/** Whether the provider bills the whole answer when a stream is left half-way; an unknown one is taken to. */
export const billsOnAfterAbort = (provider: string | null): boolean =>
  provider === null ? true : (PROVIDERS.get(provider)?.billsOn ?? true)

/**
 * Whether a request's body may be changed on its way. Bedrock signs bodies; of an unknown provider we do not know what it
 * makes of a field that its client did not send.
 */
export const bodyMayBeAmended = (provider: string | null): boolean => provider !== null && provider !== 'aws'
