// One plan against the ledger: reserved, refused with a verdict, or not known. One round trip; two more at most when the store's time leapt, or a window has just ended.
import { assert, assertNever } from '../core/assert.ts'
import { type Shortfall, verdictOnShortfall } from '../core/refusal.ts'
import type { Balance, Line, ReservationId, ReserveOutcome } from '../core/reservation.ts'
import { type Verdict, verdict } from '../core/verdict.ts'
import { DEADLINE_MS, LINES_MAX, NOT_AFTER_MS } from '../limits.ts'
import type { Random } from '../ports.ts'
import type { Enforcer } from './enforcer.ts'
import { linesOf, type Plan } from './plan.ts'

export interface Reservation {
  readonly id: ReservationId
  readonly lines: readonly Line[]
}

export type Admission =
  | { readonly kind: 'reserved'; readonly reservation: Reservation; readonly balances: readonly Balance[] }
  | { readonly kind: 'refused'; readonly verdict: Verdict }
  /** It may have been written: refuse the call, and release until that is acknowledged. */
  | { readonly kind: 'unknown'; readonly reservation: Reservation; readonly verdict: Verdict; readonly fault: ReserveOutcome['kind'] }

/** The store's time was not what we took it for, and nothing was written. */
const STALE_TIME_RETRIES = 2

type Admitter = Pick<Enforcer, 'ledger' | 'time' | 'holder' | 'mintId' | 'random'>

/** `handsOver`: another stream, perhaps of another process, is to close it. */
export async function admit({ ledger, time, holder, mintId, random }: Admitter, plan: Plan, handsOver = false): Promise<Admission> {
  if (plan.binding.limits.length > LINES_MAX) {
    return { kind: 'refused', verdict: verdict('too-many-limits', `More than ${LINES_MAX} limits bind this call.`) }
  }
  for (let attempt = 0; ; attempt++) {
    const nowMs = time.now()
    const reservation = { id: mintId(nowMs), lines: linesOf(plan, nowMs) }
    const outcome = await ledger.reserve({
      id: reservation.id,
      holder,
      alternatives: [reservation.lines],
      deadlineMs: nowMs + DEADLINE_MS,
      notAfterMs: nowMs + NOT_AFTER_MS,
      priceBook: plan.book.hash,
      ...(handsOver ? { handsOver } : {}),
    })
    time.saw(outcome)
    if ((outcome.kind === 'window-stale' || outcome.kind === 'too-late') && attempt < STALE_TIME_RETRIES) continue
    return admissionOf(outcome, plan, reservation, random)
  }
}

function admissionOf(outcome: ReserveOutcome, plan: Plan, reservation: Reservation, random: Random): Admission {
  switch (outcome.kind) {
    case 'reserved':
      return { kind: 'reserved', reservation, balances: outcome.balances }
    case 'exists':
      return outcome.open ? { kind: 'reserved', reservation, balances: [] } : unavailable(reservation, outcome.kind)
    case 'refused':
      return {
        kind: 'refused',
        verdict: verdictOnShortfall(shortfalls(outcome.lines, plan, reservation), outcome.storeMs, random.fraction()),
      }
    case 'too-many-limits':
      return { kind: 'refused', verdict: verdict('too-many-limits', `More than ${LINES_MAX} limits bind this call.`) }
    case 'exists-different':
    case 'tombstoned':
    case 'window-stale':
    case 'too-late':
    case 'out-of-bounds':
    case 'clock-skew':
    case 'unavailable':
      return unavailable(reservation, outcome.kind)
    default:
      return assertNever(outcome)
  }
}

const unavailable = (reservation: Reservation, fault: ReserveOutcome['kind']): Admission => ({
  kind: 'unknown',
  reservation,
  fault,
  verdict: verdict('ledger-unavailable', 'Budgets cannot be checked at the moment, and calls that cannot be checked are refused here.'),
})

function shortfalls(lines: readonly { index: number; balance: Balance }[], plan: Plan, reservation: Reservation): Shortfall[] {
  return lines.map(({ index, balance }) => {
    const bound = plan.binding.limits[index]
    const line = reservation.lines[index]
    assert(bound !== undefined && line !== undefined, 'a refusal speaks of the lines that it was asked for')
    return { bound, line, balance }
  })
}
