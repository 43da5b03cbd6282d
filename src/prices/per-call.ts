// What calls cost where the price list does not say: the dearest published figure, so that a search is never free by omission.
import type { PicoUsd } from '../core/money.ts'
import { picoPerCall } from './exact.ts'

type Usd = Readonly<Record<string, number>>

/** USD a thousand calls, the dearest of all below. A session of OpenAI's code interpreter; a search of Cohere's rerank 4 pro. */
const EVERYWHERE: Usd = { web_search: 35, web_fetch: 0, file_search: 2.5, code_interpreter: 30, search_units: 2.5 }

/**
 * By provider and, where they differ, by model; later ones stand over earlier ones. Sources: the providers' pricing pages. Google bills
 * a grounded answer before Gemini 3, and each query from then on; OpenAI and xAI sell their newer searches for less, which the list knows.
 */
const PUBLISHED: readonly (readonly [string, RegExp, Usd])[] = [
  ['anthropic', /^/, { web_search: 10 }],
  ['google', /^claude/, { web_search: 10 }],
  ['google', /^gemini/, { web_search: 35, maps: 25 }],
  ['google', /^gemini-(?:[3-9]|\d\d)/, { web_search: 14 }],
  ['openai', /^/, { web_search: 25 }],
  ['azure', /^/, { web_search: 25 }],
  ['x-ai', /^/, { web_search: 25 }],
]

/** The listed prices of calls, completed. */
export function completeCalls(provider: string, model: string, known: ReadonlyMap<string, PicoUsd>): ReadonlyMap<string, PicoUsd> {
  const calls = new Map(known)
  const published = PUBLISHED.filter(([id, models]) => id === provider && models.test(model.toLowerCase())).map(([, , usd]) => usd)
  for (const [kind, usd] of Object.entries(Object.assign({}, EVERYWHERE, ...published) as Usd)) {
    if (!calls.has(kind)) calls.set(kind, picoPerCall(usd))
  }
  return calls
}
