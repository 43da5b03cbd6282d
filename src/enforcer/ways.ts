// The ways in which a call may be answered, in order of preference: as it was asked, and what policies concede where that does not fit. One
// reserve takes the first that fits; nothing has moved yet.
import type { Call } from '../core/call.ts'
import { boundWithin, rungs } from '../core/headroom.ts'
import type { Shortfall } from '../core/refusal.ts'
import { ALTERNATIVES_MAX, LINES_MAX } from '../limits.ts'
import { cheapestThatFits } from './fitting.ts'
import type { Headroom } from './headroom.ts'
import { bindCall, linesOf, type Plan, type PlanInput, type Planned, planCall } from './plan.ts'

/** What is done to a call besides letting it through: values of `x-purser-action`. */
export type Concession = 'clamped' | 'substituted'

/** How a call is to leave. */
export interface Passage {
  readonly call: Call
  readonly provider: string | null
  /** The model that the body is to name; null: the one that it names. */
  readonly rename: string | null
  readonly conceded: readonly Concession[]
}

export interface Way extends Passage {
  readonly plan: Plan
}

export type Ways =
  /** `ways`: at most as many as a reserve takes. `free`: no limit binds this one, so it is taken where none of `ways` fits. One of them is there. */
  | {
      readonly kind: 'ways'
      readonly ways: readonly Way[]
      readonly free: Passage | null
      /** The cheapest model that would have fitted, once none of `ways` did; null where none is known. */
      readonly fitting: (misfits: readonly Shortfall[]) => string | null
    }
  | Exclude<Planned, { kind: 'plan' }>

export interface WaysInput extends PlanInput {
  readonly headroom: Headroom
  /** Whether the body takes another bound on its output. */
  readonly takesBound: (bound: bigint) => boolean
  /** The same call of another model; null where the body cannot be made to ask for it. */
  readonly as: (model: string) => Call | null
}

export function waysOf(input: WaysInput): Ways {
  const binding = bindCall(input)
  const { concessions } = binding
  const asked = planCall(input, binding)
  if (asked.kind === 'unmetered') return asked
  const found = new Found()
  const isForbidden = asked.kind === 'refused' && binding.forbidden?.what === 'model'
  if (asked.kind === 'plan') {
    found.plan({ plan: asked.plan, rename: null, conceded: [] })
    const others = concessions.onShortfall === 'Substitute' ? concessions.substitutes.length : 0
    // One bound at least is tried, and else what substitutes leave.
    for (const way of clamped(input, asked.plan, Math.max(1, found.left - others))) found.plan(way)
  }
  if (isForbidden ? concessions.onForbiddenModel === 'Substitute' : asked.kind === 'plan' && concessions.onShortfall === 'Substitute') {
    for (const model of concessions.substitutes) substitute(input, model, found)
  }
  if (found.isNone && asked.kind === 'refused') return asked
  const { ways, free } = found
  const [first] = ways
  return { kind: 'ways', ways, free, fitting: misfits => (first === undefined ? null : cheapestThatFits(input, first.plan, misfits)) }
}

/** What was found so far: full when a reserve takes no more, or when it cannot be refused. */
class Found {
  readonly ways: Way[] = []
  free: Passage | null = null

  get left(): number {
    return this.free === null ? ALTERNATIVES_MAX - this.ways.length : 0
  }

  get isNone(): boolean {
    return this.ways.length === 0 && this.free === null
  }

  plan({ plan, rename, conceded }: Pick<Way, 'plan' | 'rename' | 'conceded'>): void {
    const fits = this.ways.length === 0 || plan.binding.limits.length <= LINES_MAX
    if (this.left > 0 && fits) this.ways.push({ plan, call: plan.call, provider: plan.provider, rename, conceded })
  }
}

/** The same call under lower bounds. */
function clamped(input: WaysInput, plan: Plan, count: number): readonly Pick<Way, 'plan' | 'rename' | 'conceded'>[] {
  const { clampTo } = plan.binding.concessions
  const { call, mayInject, headroom, takesBound, nowMs } = input
  if (clampTo === null || !mayInject || !call.generates || call.batch === true) return []
  const asked = plan.estimate.outputTokens / call.choices
  const floor = call.leastBound !== undefined && call.leastBound > clampTo ? call.leastBound : clampTo
  if (floor >= asked || !takesBound(floor)) return []
  const least = planCall({ ...input, boundAt: floor }, plan.binding)
  if (least.kind !== 'plan') return []
  const leastLines = linesOf(least.plan, nowMs)
  const slopes = linesOf(plan, nowMs).flatMap((line, at) =>
    line.hard ? [{ asked: line.amount, least: leastLines[at]?.amount ?? line.amount, left: headroom.left(line) }] : [],
  )
  return rungs(floor, asked, boundWithin(slopes, floor, asked), count).flatMap(bound => {
    const lower = bound === floor ? least : planCall({ ...input, boundAt: bound }, plan.binding)
    return lower.kind === 'plan' ? [{ plan: lower.plan, rename: null, conceded: ['clamped' as const] }] : []
  })
}

/** Another model in the place of the one that was asked for: permitted, priced, and bound by what binds it. */
function substitute(input: WaysInput, model: string, found: Found): void {
  const { provider, mayInject } = input
  const call = input.call.models[0] === model || !mayInject || found.left === 0 ? null : input.as(model)
  if (call === null) return
  const other: WaysInput = { ...input, call }
  const planned = planCall(other)
  if (planned.kind === 'unmetered') found.free = { call, provider, rename: model, conceded: ['substituted'] }
  if (planned.kind !== 'plan') return
  const lower = withinMaximum(other, planned.plan)
  if (lower !== null) found.plan({ plan: lower, rename: model, conceded: ['substituted'] })
}

/** A bound beyond what the model takes is refused by its provider, so it comes down with the model; null where it cannot. */
function withinMaximum(input: WaysInput, plan: Plan): Plan | null {
  const most = plan.prices[0]?.maxOutputTokens ?? null
  const { outputBound } = input.call
  if (most === null || outputBound === null || outputBound <= most) return plan
  if (!input.takesBound(most) || (input.call.leastBound ?? 0n) > most) return null
  const planned = planCall({ ...input, boundAt: most }, plan.binding)
  return planned.kind === 'plan' ? planned.plan : null
}
