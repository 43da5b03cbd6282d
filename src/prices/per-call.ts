// What calls cost where the price list does not say: the dearest published figure, so that a search is never free by omission.
import type { PicoUsd } from '../core/money.ts'
import { picoPerCall } from './exact.ts'

/** USD a thousand calls. */
const EVERYWHERE: Readonly<Record<string, number>> = {
  web_search: 35,
  web_fetch: 0,
  file_search: 2.5,
  code_interpreter: 30,
  search_units: 2.5,
}
const BY_PROVIDER: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  anthropic: { web_search: 10 },
  openai: { web_search: 25 },
  azure: { web_search: 25 },
  'x-ai': { web_search: 25 },
}

/** The listed prices of calls, completed. */
export function completeCalls(provider: string, known: ReadonlyMap<string, PicoUsd>): ReadonlyMap<string, PicoUsd> {
  const calls = new Map(known)
  for (const [kind, usd] of Object.entries({ ...EVERYWHERE, ...BY_PROVIDER[provider] })) {
    if (!calls.has(kind)) calls.set(kind, picoPerCall(usd))
  }
  return calls
}
