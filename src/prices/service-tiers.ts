// What a service tier costs against the default: a small table of our own, because no price list has it. Never cheaper than is published.
import { type Factor, ONCE } from './exact.ts'

const HALF: Factor = { over: 1n, under: 2n }
const TWICE: Factor = { over: 2n, under: 1n }
/** The dearest published premium of a priority tier: stands for those that are not published. */
const DEAREST_PRIORITY: Factor = { over: 5n, under: 2n }
/** The dearest published premium of any tier (Anthropic's fast mode on its first models). */
const DEAREST: Factor = { over: 6n, under: 1n }

type ByFamily = readonly (readonly [RegExp, Factor])[]

/**
 * OpenAI's priority, by family of models; the first that matches. Source: openai.com/api-priority-processing, each price over the
 * standard one. From GPT-5.6 on, what is called `fast` now costs twice the standard (its pricing page).
 */
const OPENAI_PRIORITY: ByFamily = [
  [/^gpt-4o-mini$/, { over: 5n, under: 3n }],
  [/^gpt-4o-2024-05-13/, { over: 7n, under: 4n }],
  [/^gpt-4o$/, { over: 17n, under: 10n }],
  [/^gpt-4\.1-nano/, TWICE],
  [/^(?:gpt-4\.1|o3$)/, { over: 7n, under: 4n }],
  [/^o4-mini/, { over: 20n, under: 11n }],
  [/^gpt-5-mini/, { over: 9n, under: 5n }],
  [/^gpt-5[.-]5/, DEAREST_PRIORITY],
  [/^gpt-[56]/, TWICE],
]

/** Google's priority: 75 to 100 % more than the standard (its guide to optimization), and what the price list's comments say exactly. */
const GEMINI_PRIORITY: ByFamily = [
  [/^gemini-3\.[78]-flash/, { over: 9n, under: 5n }],
  [/^gemini/, TWICE],
]

/** Anthropic's fast mode. Source: the entries of its fast models at OpenRouter, and its guide for Opus 4.6. */
const CLAUDE_FAST: ByFamily = [[/opus-(?:4[.-]8|5$|5[.-]0)|4[.-]8-opus/, TWICE]]

/**
 * The factors of every service tier that a provider's model has, by lower-case name; `default` always among them. Other names
 * (`standard`, `on_demand`, `flex` where its discount is not published) cost as the default.
 * `fast` is what OpenAI calls `priority` now, and Anthropic its own fast mode. Bedrock publishes no numbers for its tiers.
 */
export function serviceTierFactors(provider: string, model: string): ReadonlyMap<string, Factor> {
  const name = model.slice(model.lastIndexOf('/') + 1).toLowerCase()
  if (name.includes('claude') && CLAUDE_SELLERS.includes(provider)) {
    return new Map([DEFAULT, ['batch', HALF], ['fast', of(CLAUDE_FAST, name) ?? DEAREST]])
  }
  switch (provider) {
    case 'openai':
    case 'azure': {
      const priority = (provider === 'openai' ? of(OPENAI_PRIORITY, name) : null) ?? DEAREST_PRIORITY
      return new Map([DEFAULT, ['flex', HALF], ['batch', HALF], ['priority', priority], ['fast', priority], ['ultrafast', DEAREST]])
    }
    case 'google': {
      const priority = of(GEMINI_PRIORITY, name)
      return priority === null ? ONLY_DEFAULT : new Map([DEFAULT, ['flex', HALF], ['batch', HALF], ['priority', priority]])
    }
    case 'aws':
      return new Map([DEFAULT, ['priority', DEAREST_PRIORITY], ['optimized', DEAREST_PRIORITY]])
    default:
      return ONLY_DEFAULT
  }
}

const of = (families: ByFamily, name: string): Factor | null => families.find(([family]) => family.test(name))?.[1] ?? null

const DEFAULT: readonly [string, Factor] = ['default', ONCE]
const ONLY_DEFAULT: ReadonlyMap<string, Factor> = new Map([DEFAULT])
const CLAUDE_SELLERS: readonly string[] = ['anthropic', 'azure', 'google']
