// The ways in which a call may be answered, in order of preference: as it was asked, by each of the routes that it may take, and what policies
// concede where that does not fit. One reserve takes the first that fits; nothing has moved yet.
import { assert } from '../core/assert.ts'
import type { Call } from '../core/call.ts'
import type { SteerTarget } from '../core/concessions.ts'
import { boundWithin, rungs } from '../core/headroom.ts'
import type { Binding } from '../core/policy.ts'
import type { Shortfall } from '../core/refusal.ts'
import { ALTERNATIVES_MAX, LINES_MAX } from '../limits.ts'
import { cheapestThatFits } from './fitting.ts'
import type { Headroom } from './headroom.ts'
import { bindCall, linesOf, type Plan, type PlanInput, type Planned, planCall } from './plan.ts'

/** What is done to a call besides letting it through: values of `x-purser-action`. */
export type Concession = 'queued' | 'steered' | 'clamped' | 'substituted'

/** How a call is to leave. */
export interface Passage {
  readonly call: Call
  readonly provider: string | null
  /** The model that the body is to name; null: the one that it names. */
  readonly rename: string | null
  /** What the steering header is to say; null: the call goes where it came in. */
  readonly steer: string | null
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

/** What a request can be made to ask for instead. */
export interface Powers {
  readonly mayInject: boolean
  /** Whether the body takes another bound on its output. */
  readonly takesBound: (bound: bigint) => boolean
  /** The same call of another model; null where the body cannot be made to ask for it. */
  readonly as: (model: string) => Call | null
}

export interface WaysInput extends PlanInput, Powers {
  readonly headroom: Headroom
  /** The same where the call goes to another provider. */
  readonly powersAt: (provider: string) => Powers
  /** False where the proxy cannot choose its route anew. */
  readonly maySteer: boolean
}

/** A route that the call may take: its own, or one that it is sent to. */
interface Route {
  readonly input: WaysInput
  readonly target: SteerTarget | null
  /** What binds the call there as it was asked, where that is known already. */
  readonly binding?: Binding
}

export function waysOf(input: WaysInput): Ways {
  const binding = bindCall(input)
  const { substitutes, onForbiddenModel, steering } = binding.concessions
  const own: Route = { input, target: null, binding }
  const isForbidden = binding.forbidden?.what === 'model' && onForbiddenModel === 'Substitute'
  // A forbidden model is replaced, by the first that can be had; null: as it was asked.
  const models = isForbidden ? substitutes : [null]
  const found = new Found()
  const steered = (input.maySteer ? steering : []).map((target): Route => ({ target, input: sentTo(input, target) }))
  for (const model of models) if (found.isNone) tryRoutes(steered, model, found)
  for (const model of models) if (found.isNone) tryRoutes([own], model, found)
  const { ways, free } = found
  const [first] = ways
  if (first === undefined && free === null) {
    const alone = planCall(input, binding)
    assert(alone.kind !== 'plan', 'what can be planned is a way')
    return alone
  }
  if (ways.length === 0 && free !== null && free.conceded.length === 0) return { kind: 'unmetered' }
  return { kind: 'ways', ways, free, fitting: misfits => (first === undefined ? null : cheapestThatFits(input, first.plan, misfits)) }
}

const sentTo = (input: WaysInput, { route, provider }: SteerTarget): WaysInput => ({
  ...input,
  ...input.powersAt(provider),
  bound: input.bound.at(route),
  provider,
})

/** What was found so far: full when a reserve takes no more, or when there is a way that no reserve can refuse. */
class Found {
  readonly ways: Way[] = []
  free: Passage | null = null

  get left(): number {
    return this.free === null ? ALTERNATIVES_MAX - this.ways.length : 0
  }

  get isNone(): boolean {
    return this.ways.length === 0 && this.free === null
  }

  add(way: Way): void {
    const fits = this.ways.length === 0 || way.plan.binding.limits.length <= LINES_MAX
    if (this.left > 0 && fits) this.ways.push(way)
  }
}

/** The same model by each of the routes; then, by the last of them, lower bounds of it, and other models. */
function tryRoutes(routes: readonly Route[], model: string | null, found: Found): void {
  let last: { readonly route: Route; readonly way: Way } | null = null
  for (const route of routes) {
    if (found.left === 0) return
    const way = wayOf(route, model, found)
    if (way !== null) last = { route, way }
  }
  if (last === null) return
  const { route, way } = last
  const { onShortfall, substitutes } = way.plan.binding.concessions
  const others = model !== null || onShortfall === 'Substitute' ? substitutes.filter(other => other !== model) : []
  // One bound at least is tried, and else what substitutes leave.
  if (found.left > 0) for (const lower of clamped(route.input, way, Math.max(1, found.left - others.length))) found.add(lower)
  for (const other of others) if (found.left > 0) wayOf(route, other, found)
}

/** The call by a route, with this model in the place of the one it asks for (null: as it asks); null where it cannot be had there, or is free. */
function wayOf({ input, target, binding }: Route, model: string | null, found: Found): Way | null {
  const asked = input.call.models[0] ?? ''
  if (model === asked || (model !== null && !input.mayInject)) return null
  const call = model === null ? input.call : input.as(model)
  const name = nameAt(target, call?.models ?? [])
  if (call === null || name === null) return null
  const rename = name === asked ? null : name
  // The name there is another: the body must take it.
  if (rename !== null && (!input.mayInject || input.as(rename) === null)) return null
  const conceded: Concession[] = [...(target === null ? [] : ['steered' as const]), ...(model === null ? [] : ['substituted' as const])]
  const passage = { call, provider: input.provider, rename, steer: target?.value ?? null, conceded }
  const there = { ...input, call, nameThere: rename }
  const planned = planCall(there, model === null ? binding : undefined)
  if (planned.kind === 'unmetered') found.free = passage
  if (planned.kind !== 'plan') return null
  const plan = model === null ? planned.plan : withinMaximum(there, planned.plan)
  if (plan === null) return null
  const way = { ...passage, plan }
  found.add(way)
  return way
}

/** What a model is called behind a route; null where it, or one of those that may answer in its place, cannot be had there. */
function nameAt(target: SteerTarget | null, models: readonly string[]): string | null {
  const [first = '', ...others] = models
  if (target === null || target.models.length === 0) return first
  const known = (name: string): string | undefined => target.models.find(model => model.name === name)?.as
  return others.every(name => known(name) === name) ? (known(first) ?? null) : null
}

/** The same way under lower bounds. */
function clamped(input: WaysInput, way: Way, count: number): readonly Way[] {
  const { call, plan, rename, conceded } = way
  const { clampTo } = plan.binding.concessions
  const { mayInject, headroom, takesBound, nowMs } = input
  if (clampTo === null || !mayInject || !call.generates || call.batch === true) return []
  const asked = plan.estimate.outputTokens / call.choices
  const floor = call.leastBound !== undefined && call.leastBound > clampTo ? call.leastBound : clampTo
  if (floor >= asked || !takesBound(floor)) return []
  const under = (boundAt: bigint): Planned => planCall({ ...input, call, nameThere: rename, boundAt }, plan.binding)
  const least = under(floor)
  if (least.kind !== 'plan') return []
  const leastLines = linesOf(least.plan, nowMs)
  const slopes = linesOf(plan, nowMs).flatMap((line, at) =>
    line.hard ? [{ asked: line.amount, least: leastLines[at]?.amount ?? line.amount, left: headroom.left(line) }] : [],
  )
  return rungs(floor, asked, boundWithin(slopes, floor, asked), count).flatMap(bound => {
    const lower = bound === floor ? least : under(bound)
    return lower.kind === 'plan' ? [{ ...way, plan: lower.plan, conceded: [...conceded, 'clamped' as const] }] : []
  })
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
