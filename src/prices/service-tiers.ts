// What a service tier costs against the default: a small table of our own, because no price list has it. Never cheaper than is published.
import { type Factor, ONCE } from './exact.ts'

const HALF: Factor = { over: 1n, under: 2n }
/** The dearest published premium of a priority tier: stands for those that are not published. */
const DEAREST_PRIORITY: Factor = { over: 5n, under: 2n }
/** The dearest published premium of any tier (Anthropic's fast mode on its first model). */
const DEAREST: Factor = { over: 6n, under: 1n }

/** OpenAI's priority, by family of models; the first that matches. */
const OPENAI_PRIORITY: readonly (readonly [RegExp, Factor])[] = [
  [/^gpt-4\.1/, { over: 7n, under: 4n }],
  [/^gpt-5[.-]5/, DEAREST_PRIORITY],
  [/^gpt-5/, { over: 2n, under: 1n }],
]

/**
 * The factors of every service tier that a provider's model has, by lower-case name; `default` always among them. Other names
 * (`standard`, `on_demand`, `flex` where its discount is not published) cost as the default.
 * `fast` is what OpenAI calls `priority` now, and Anthropic its own fast mode. Sources: the providers' pricing pages.
 */
export function serviceTierFactors(provider: string, model: string): ReadonlyMap<string, Factor> {
  const name = model.slice(model.lastIndexOf('/') + 1).toLowerCase()
  if (name.includes('claude') && provider !== 'aws' && CLAUDE_SELLERS.includes(provider)) return CLAUDE
  const priority = OPENAI_PRIORITY.find(([family]) => family.test(name))?.[1] ?? DEAREST_PRIORITY
  switch (provider) {
    case 'openai':
    case 'azure':
      return new Map([DEFAULT, ['flex', HALF], ['batch', HALF], ['priority', priority], ['fast', priority], ['ultrafast', DEAREST]])
    case 'google':
    case 'aws':
      return new Map([DEFAULT, ['priority', DEAREST_PRIORITY]])
    default:
      return ONLY_DEFAULT
  }
}

const DEFAULT: readonly [string, Factor] = ['default', ONCE]
const ONLY_DEFAULT: ReadonlyMap<string, Factor> = new Map([DEFAULT])
const CLAUDE_SELLERS: readonly string[] = ['anthropic', 'azure', 'google']
const CLAUDE: ReadonlyMap<string, Factor> = new Map([DEFAULT, ['batch', HALF], ['fast', DEAREST]])
