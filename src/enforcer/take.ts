// A call up to its reservation: the first of its ways that fits, at once or after a wait, or, while the ledger is away, what this process may
// admit by itself.
import { assert } from '../core/assert.ts'
import type { BudgetKey } from '../core/budget.ts'
import type { Shortfall } from '../core/refusal.ts'
import type { Balance } from '../core/reservation.ts'
import type { Subject } from '../core/subject.ts'
import type { Verdict } from '../core/verdict.ts'
import { stormAfter } from '../core/waste.ts'
import { QUEUE_WAIT_MAX_MS } from '../limits.ts'
import { type Admission, admit } from './admit.ts'
import type { Allowed } from './allowance.ts'
import { type Held, releaseReservation } from './close.ts'
import type { Enforcer } from './enforcer.ts'
import { linesOf, type Plan } from './plan.ts'
import type { Place } from './queue.ts'
import type { StormCall } from './storm.ts'
import type { Passage, Way, Ways } from './ways.ts'

export type Taken =
  /** `balances`: of the reservation's lines, none where the ledger did not say. */
  | { readonly kind: 'held'; readonly held: Held; readonly way: Way; readonly balances: readonly Balance[] }
  /** No limit binds what is done instead. */
  | { readonly kind: 'free'; readonly passage: Passage }
  /** `plan`: what the caller asked for. `misfits`: of it, what the ledger said of the budgets without room; none where it was not asked. */
  | { readonly kind: 'refused'; readonly plan: Plan; readonly verdict: Verdict; readonly misfits: readonly Shortfall[] }

/** Who asks, and how long there is for it. */
export interface Asking {
  readonly subject: Subject
  /** Of the request, which is held meanwhile. */
  readonly bytes: number
  /** Monotonic ms at which the proxy began to wait. */
  readonly startMs: number
  /** Once the call waits in the queue: how to leave it. */
  readonly queued: { leave: () => void }
  /** Another stream, perhaps of another process, is to close what is reserved. */
  readonly handsOver: boolean
}

type Found = Extract<Ways, { kind: 'ways' }>

/** Null where the client left while the call waited for its first attempt. Where a policy says so, a retry storm is answered from memory. */
export async function take(enforcer: Enforcer, found: Found, asking: Asking): Promise<Taken | null> {
  const [asked] = found.ways
  const after = asked === undefined ? null : stormAfter(asked.plan.binding.policies)
  if (asked === undefined || after === null || found.free !== null) return takeInTurn(enforcer, found, asking)
  const { storms, time } = enforcer
  const lines = found.ways.map(({ plan }) => linesOf(plan, time.now()))
  const call: StormCall = { caller: callerOf(asking.subject), alternatives: lines, after }
  const repeated = storms.repeated(call)
  if (repeated !== null) return { kind: 'refused', plan: asked.plan, verdict: repeated, misfits: [] }
  const taken = await takeInTurn(enforcer, found, asking)
  if (taken !== null) storms.asked(call, taken.kind === 'refused' && taken.misfits.length > 0 ? taken : null)
  return taken
}

async function takeInTurn(enforcer: Enforcer, found: Found, asking: Asking): Promise<Taken | null> {
  const [asked] = found.ways
  const queueMs = asked?.plan.binding.concessions.queueMs ?? 0
  if (asked === undefined || queueMs === 0) return attempt(enforcer, found, asking)
  const { queue } = enforcer
  const stand = (budget: BudgetKey, last: Taken | null): Place<Taken> | null =>
    queue.join({
      budget,
      caller: callerOf(asking.subject),
      bytes: asking.bytes,
      untilMs: asking.startMs + Math.min(queueMs, QUEUE_WAIT_MAX_MS),
      last,
      attempt: () => attempt(enforcer, found, asking),
      waits: mayFitSoon,
    })
  // Behind those who wait already, or nobody would ever wait in vain but them.
  const before = queue.waitedFor(asked.plan.binding.limits.map(({ key }) => key))
  const ahead = before === null ? null : stand(before, null)
  if (ahead !== null) return waited(ahead, asking)
  const first = await attempt(enforcer, found, asking)
  const [misfit] = first.kind === 'refused' && mayFitSoon(first) ? first.misfits : []
  const place = misfit === undefined ? null : stand(misfit.line.key, first)
  return place === null ? first : waited(place, asking)
}

async function waited({ outcome, leave }: Place<Taken>, asking: Asking): Promise<Taken | null> {
  asking.queued.leave = leave
  const taken = await outcome
  if (taken?.kind !== 'held') return taken
  const { way } = taken
  return { ...taken, way: { ...way, conceded: ['queued', ...way.conceded] } }
}

/** Refusals that others end: calls in flight give back what they do not use. */
const mayFitSoon = (taken: Taken): boolean =>
  taken.kind === 'refused' && (taken.verdict.reason === 'in-flight' || taken.verdict.reason === 'concurrency')

/** Callers that cannot be told apart wait in one line. */
const callerOf = ({ accessKey, credential, serviceAccount }: Subject): string =>
  accessKey === null ? (credential ?? serviceAccount ?? '') : `${accessKey.namespace}/${accessKey.name}`

async function attempt(enforcer: Enforcer, { ways, free, fitting }: Found, { handsOver }: Pick<Asking, 'handsOver'>): Promise<Taken> {
  if (ways.length === 0 && free !== null) return { kind: 'free', passage: free }
  const admission = await admit(
    enforcer,
    ways.map(({ plan }) => plan),
    handsOver,
  )
  // What the caller asked for is what a refusal speaks of, and what may pass while the ledger is away.
  const way = ways[admission.kind === 'reserved' ? admission.taken : 0]
  assert(way !== undefined, 'a call is answered in one of its ways')
  const { plan } = way
  if (admission.kind === 'reserved') {
    const { reservation, balances } = admission
    return { kind: 'held', held: { reservation, plan, allowed: null }, way, balances }
  }
  if (admission.kind === 'refused' && free !== null) return { kind: 'free', passage: free }
  if (admission.kind === 'refused')
    return {
      kind: 'refused',
      plan,
      verdict: naming(admission.verdict, fitting(admission.misfits)),
      misfits: admission.misfits,
    }
  const held = heldWithout(enforcer, plan, admission, ways.length)
  return held === null ? { kind: 'refused', plan, verdict: admission.verdict, misfits: [] } : { kind: 'held', held, way, balances: [] }
}

const naming = (verdict: Verdict, model: string | null): Verdict =>
  model === null ? verdict : { ...verdict, message: `${verdict.message} The model "${model}" would fit.` }

type Unknown = Extract<Admission, { kind: 'unknown' }>

/** The ledger is away: null where the call may not pass without it. What was asked of it is released until that is answered. */
function heldWithout(enforcer: Enforcer, plan: Plan, unknown: Unknown, ways: number): Held | null {
  const { reservation } = unknown
  const allowed = allow(enforcer, plan, unknown)
  if (allowed !== null && ways === 1) return { reservation, plan, allowed }
  releaseReservation(enforcer, { reservation, plan, allowed: null }, 'unknown')
  if (allowed === null) return null
  // It may have been written, in any of its ways: what passes now has an id of its own, so that no charge meets other lines.
  return { reservation: { id: enforcer.mintId(enforcer.time.now()), lines: reservation.lines }, plan, allowed }
}

/** Where every policy that binds allows it, the call may go on what this process may admit by itself. */
function allow({ telemetry, allowance }: Enforcer, { binding }: Plan, { reservation, fault }: Unknown): Allowed | null {
  telemetry.ledgerError(fault)
  const isAway = fault === 'unavailable' || fault === 'clock-skew'
  if (!isAway || binding.rules.onLedgerUnavailable === 'Deny') return null
  return allowance.take(binding.limits, reservation.lines)
}
