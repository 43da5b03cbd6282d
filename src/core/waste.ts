// Waste: calls that are of no use to anybody, and the rules by which policies keep them from costing money or time. Never counts any.
import type { Policy, PolicyName } from './policy.ts'
import { policyName } from './rules.ts'
import { type Verdict, verdict } from './verdict.ts'

/** As one policy says it; null: not said. */
export interface WasteRules {
  /** Refusals in a row after which they are repeated from memory. */
  readonly stormAfter: number | null
  /** How often the same request may come within a span. */
  readonly repeated: { readonly max: number; readonly withinMs: number } | null
}

/** One policy's rule for requests that come again. */
export interface RepeatRule {
  readonly policy: PolicyName
  readonly max: number
  readonly withinMs: number
  readonly audit: boolean
  /** The policy's own sentence. */
  readonly message: string | null
}

export const NO_WASTE_RULES: WasteRules = { stormAfter: null, repeated: null }

/** Whole seconds; a longer wait is not promised. */
const RETRY_AFTER_MAX_S = 60

/** The smallest number of refusals that any of them says; policies that only audit refuse nothing that could be repeated. */
export function stormAfter(policies: readonly Policy[]): number | null {
  let least: number | null = null
  for (const { audit, waste } of policies) {
    if (!audit && waste.stormAfter !== null && (least === null || waste.stormAfter < least)) least = waste.stormAfter
  }
  return least
}

/** The rules of all of them, each of which holds by itself. */
export const repeatRules = (policies: readonly Policy[]): readonly RepeatRule[] =>
  policies.flatMap(({ waste, audit, response, ...policy }) =>
    waste.repeated === null ? [] : [{ ...waste.repeated, policy: policyName(policy), audit, message: response.message }],
  )

/** `waitMs`: until the request may come once more. */
export function repeatedRequestVerdict({ policy, max, withinMs, message }: RepeatRule, waitMs: number): Verdict {
  const own = message === null ? '' : `${message} `
  const text = `${own}The same request came ${max} ${max === 1 ? 'time' : 'times'} within ${withinMs / 1_000} s, and may not come more often.`
  const seconds = Math.max(1, Math.ceil(waitMs / 1_000))
  const isSoon = seconds <= RETRY_AFTER_MAX_S
  return { ...verdict('repeated-request', text, policy), retryAfter: isSoon ? seconds : null, dontRetry: !isSoon }
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
