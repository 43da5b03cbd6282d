// A call up to its reservation: the first of its ways that fits, or, while the ledger is away, what this process may admit by itself.
import { assert } from '../core/assert.ts'
import type { Balance } from '../core/reservation.ts'
import type { Verdict } from '../core/verdict.ts'
import { type Admission, admit } from './admit.ts'
import type { Allowed } from './allowance.ts'
import { type Held, releaseReservation } from './close.ts'
import type { Enforcer } from './enforcer.ts'
import type { Plan } from './plan.ts'
import type { Passage, Way, Ways } from './ways.ts'

export type Taken =
  /** `balances`: of the reservation's lines, none where the ledger did not say. */
  | { readonly kind: 'held'; readonly held: Held; readonly way: Way; readonly balances: readonly Balance[] }
  /** No limit binds what is done instead. */
  | { readonly kind: 'free'; readonly passage: Passage }
  /** `plan`: what the caller asked for. */
  | { readonly kind: 'refused'; readonly plan: Plan; readonly verdict: Verdict }

export async function take(enforcer: Enforcer, { ways, free, fitting }: Extract<Ways, { kind: 'ways' }>): Promise<Taken> {
  if (ways.length === 0 && free !== null) return { kind: 'free', passage: free }
  const admission = await admit(
    enforcer,
    ways.map(({ plan }) => plan),
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
  if (admission.kind === 'refused') return { kind: 'refused', plan, verdict: naming(admission.verdict, fitting(admission.misfits)) }
  const held = heldWithout(enforcer, plan, admission, ways.length)
  return held === null ? { kind: 'refused', plan, verdict: admission.verdict } : { kind: 'held', held, way, balances: [] }
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
