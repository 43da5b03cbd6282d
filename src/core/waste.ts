// Waste: calls that are of no use to anybody, and the rules by which policies keep them from costing money or time. Never counts any.
import type { Policy } from './policy.ts'
import type { Verdict } from './verdict.ts'

/** As one policy says it; null: not said. */
export interface WasteRules {
  /** Refusals in a row after which they are repeated from memory. */
  readonly stormAfter: number | null
}

export const NO_WASTE_RULES: WasteRules = { stormAfter: null }

const RETRY_AFTER_MAX_S = 60

/** The smallest number of refusals that any of them says; policies that only audit refuse nothing that could be repeated. */
export function stormAfter(policies: readonly Policy[]): number | null {
  let least: number | null = null
  for (const { audit, waste } of policies) {
    if (!audit && waste.stormAfter !== null && (least === null || waste.stormAfter < least)) least = waste.stormAfter
  }
  return least
}

/** A refusal told once more. `step`: how often it was confirmed since the storm began; the wait doubles with each, up to a minute. */
export function repeatedVerdict(verdict: Verdict, step: number, random: number): Verdict {
  const grown = Math.ceil(2 ** Math.min(step, 6) * (1 + random / 2))
  return {
    ...verdict,
    reason: 'retry-storm',
    message: `${verdict.message} The same was refused several times in a row: wait before you ask again.`,
    retryAfter: Math.min(RETRY_AFTER_MAX_S, Math.max(verdict.retryAfter ?? 0, grown)),
  }
}
