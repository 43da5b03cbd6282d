// How often the same request came: remembered by fingerprint alone, in this process, the least recently asked forgotten first.

import type { Verdict } from '../core/verdict.ts'
import { type RepeatRule, repeatedRequestVerdict } from '../core/waste.ts'
import { REPEATS_MAX, REPEATS_TIMES_MAX } from '../limits.ts'
import type { Clock } from '../ports.ts'

export interface Repeats {
  /** `refusal`: by a rule that is enforced; then the request does not count. `audited`: what rules that only audit would have refused. */
  came(fingerprint: string, rules: readonly RepeatRule[]): { readonly refusal: Verdict | null; readonly audited: Verdict | null }
}

export function createRepeats({ clock }: { readonly clock: Clock }): Repeats {
  /** Monotonic ms at which each came, oldest first. */
  const times = new Map<string, number[]>()
  let held = 0

  const forget = (key: string): void => {
    held -= times.get(key)?.length ?? 0
    times.delete(key)
  }
  const within = (key: string, { withinMs }: RepeatRule, nowMs: number): number[] =>
    (times.get(key) ?? []).filter(atMs => nowMs - atMs < withinMs)
  const count = (key: string, rule: RepeatRule, nowMs: number): void => {
    const came = [...within(key, rule, nowMs), nowMs]
    forget(key)
    times.set(key, came)
    held += came.length
    for (const oldest of times.keys()) {
      if (times.size <= REPEATS_MAX && held <= REPEATS_TIMES_MAX) break
      forget(oldest)
    }
  }

  return {
    came: (fingerprint, rules) => {
      const nowMs = clock.monotonicMs()
      const weighed = rules.map(rule => {
        const key = `${fingerprint} ${rule.policy.scope} ${rule.policy.namespace} ${rule.policy.name}`
        const came = within(key, rule, nowMs)
        const oldest = came[came.length - rule.max]
        return { rule, key, waitMs: oldest === undefined ? null : oldest + rule.withinMs - nowMs }
      })
      const over = (audit: boolean): Verdict | null => {
        const [longest] = weighed
          .flatMap(({ rule, waitMs }) => (waitMs === null || rule.audit !== audit ? [] : [{ rule, waitMs }]))
          .sort((a, b) => b.waitMs - a.waitMs)
        return longest === undefined ? null : repeatedRequestVerdict(longest.rule, longest.waitMs)
      }
      const refusal = over(false)
      if (refusal === null) for (const { rule, key, waitMs } of weighed) if (waitMs === null) count(key, rule, nowMs)
      return { refusal, audited: over(true) }
    },
  }
}
