// The ways in which a call may be answered, in order of preference: as it was asked, and what policies concede where that does not fit. One
// reserve takes the first that fits; nothing has moved yet.
import { boundWithin, rungs } from '../core/headroom.ts'
import { ALTERNATIVES_MAX } from '../limits.ts'
import type { Headroom } from './headroom.ts'
import { linesOf, type Plan, type PlanInput, type Planned, planCall } from './plan.ts'

/** What is done to a call besides letting it through: values of `x-purser-action`. */
export type Concession = 'clamped'

export interface Way {
  readonly plan: Plan
  readonly conceded: readonly Concession[]
}

export type Ways =
  /** At least one, at most as many as a reserve takes. */
  { readonly kind: 'ways'; readonly ways: readonly Way[] } | Exclude<Planned, { kind: 'plan' }>

export interface WaysInput extends PlanInput {
  readonly headroom: Headroom
  /** Whether the body takes another bound on its output. */
  readonly takesBound: (bound: bigint) => boolean
}

export function waysOf(input: WaysInput): Ways {
  const asked = planCall(input)
  if (asked.kind !== 'plan') return asked
  const { plan } = asked
  return { kind: 'ways', ways: [{ plan, conceded: [] }, ...clamped(input, plan, ALTERNATIVES_MAX - 1)] }
}

/** The same call under lower bounds. */
function clamped(input: WaysInput, plan: Plan, count: number): readonly Way[] {
  const { clampTo } = plan.binding.concessions
  const { call, mayInject, headroom, takesBound, nowMs } = input
  if (clampTo === null || !mayInject || !call.generates || call.batch === true) return []
  const asked = plan.estimate.outputTokens / call.choices
  const floor = call.leastBound !== undefined && call.leastBound > clampTo ? call.leastBound : clampTo
  if (floor >= asked || !takesBound(floor)) return []
  const least = planCall({ ...input, boundAt: floor })
  if (least.kind !== 'plan') return []
  const leastLines = linesOf(least.plan, nowMs)
  const slopes = linesOf(plan, nowMs).flatMap((line, at) =>
    line.hard ? [{ asked: line.amount, least: leastLines[at]?.amount ?? line.amount, left: headroom.left(line) }] : [],
  )
  return rungs(floor, asked, boundWithin(slopes, floor, asked), count).flatMap(bound => {
    const lower = bound === floor ? least : planCall({ ...input, boundAt: bound })
    return lower.kind === 'plan' ? [{ plan: lower.plan, conceded: ['clamped' as const] }] : []
  })
}
