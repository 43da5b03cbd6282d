// The plans of one call against the ledger: the first that fits is reserved, or all are refused with a verdict, or it is not known. One round trip; two more at most when the store's time leapt, or a window has just ended.
import { assert, assertNever } from '../core/assert.ts'
import { type Shortfall, verdictOnShortfall } from '../core/refusal.ts'
import type { Balance, Line, ReservationId, ReserveOutcome } from '../core/reservation.ts'
import { type Verdict, verdict } from '../core/verdict.ts'
import { DEADLINE_MS, LINES_MAX, NOT_AFTER_MS } from '../limits.ts'
import type { Random } from '../ports.ts'
import type { Enforcer } from './enforcer.ts'
import type { Headroom } from './headroom.ts'
import { linesOf, type Plan } from './plan.ts'

export interface Reservation {
  readonly id: ReservationId
  readonly lines: readonly Line[]
}

export type Admission =
  /** `taken`: which of the plans, from 0. `balances`: of its lines, none where the ledger did not say them again. */
  | { readonly kind: 'reserved'; readonly taken: number; readonly reservation: Reservation; readonly balances: readonly Balance[] }
  /** `misfits`: what the ledger said of the budgets without room, none where it was not asked. */
  | { readonly kind: 'refused'; readonly verdict: Verdict; readonly misfits: readonly Shortfall[] }
  /** It may have been written: refuse the call, and release until that is acknowledged. */
  | { readonly kind: 'unknown'; readonly reservation: Reservation; readonly verdict: Verdict; readonly fault: ReserveOutcome['kind'] }

const TOO_MANY: Verdict = verdict('too-many-limits', `More than ${LINES_MAX} limits bind this call.`)

/** The store's time was not what we took it for, and nothing was written. */
const STALE_TIME_RETRIES = 2

type Admitter = Pick<Enforcer, 'ledger' | 'time' | 'holder' | 'mintId' | 'random' | 'headroom'>

/**
 * `plans`: in order of preference. A refusal speaks of the first of them: it is what the caller asked for. `handsOver`: another stream,
 * perhaps of another process, is to close it.
 */
export async function admit(
  { ledger, time, holder, mintId, random, headroom }: Admitter,
  plans: readonly Plan[],
  handsOver = false,
): Promise<Admission> {
  const [asked] = plans
  assert(asked !== undefined, 'a call has a plan')
  if (asked.binding.limits.length > LINES_MAX) {
    return { kind: 'refused', verdict: TOO_MANY, misfits: [] }
  }
  for (let attempt = 0; ; attempt++) {
    const nowMs = time.now()
    const id = mintId(nowMs)
    const alternatives = plans.map(plan => linesOf(plan, nowMs))
    const outcome = await ledger.reserve({
      id,
      holder,
      alternatives,
      deadlineMs: nowMs + DEADLINE_MS,
      notAfterMs: nowMs + NOT_AFTER_MS,
      priceBook: asked.book.hash,
      ...(handsOver ? { handsOver } : {}),
    })
    time.saw(outcome)
    if ((outcome.kind === 'window-stale' || outcome.kind === 'too-late') && attempt < STALE_TIME_RETRIES) continue
    if (asked.binding.concessions.clampTo !== null) learn(headroom, outcome, alternatives)
    return admissionOf(outcome, asked, id, alternatives, random)
  }
}

/** What the ledger said of budgets, for the calls to come. */
function learn(headroom: Headroom, outcome: ReserveOutcome, alternatives: readonly (readonly Line[])[]): void {
  if (outcome.kind !== 'reserved' && outcome.kind !== 'refused') return
  const lines = alternatives[outcome.kind === 'reserved' ? outcome.alternative : 0] ?? []
  const told = outcome.kind === 'reserved' ? outcome.balances.map((balance, index) => ({ index, balance })) : outcome.lines
  for (const { index, balance } of told) {
    const line = lines[index]
    if (line !== undefined) headroom.saw(line, balance)
  }
}

function admissionOf(
  outcome: ReserveOutcome,
  asked: Plan,
  id: ReservationId,
  alternatives: readonly (readonly Line[])[],
  random: Random,
): Admission {
  const reservation: Reservation = { id, lines: alternatives[0] ?? [] }
  switch (outcome.kind) {
    case 'reserved':
    case 'exists': {
      if (outcome.kind === 'exists' && !outcome.open) return unavailable(reservation, outcome.kind)
      const taken = outcome.alternative
      const lines = alternatives[taken]
      assert(lines !== undefined, 'what was taken was asked for')
      return { kind: 'reserved', taken, reservation: { id, lines }, balances: outcome.kind === 'reserved' ? outcome.balances : [] }
    }
    case 'refused': {
      const misfits = shortfalls(outcome.lines, asked, reservation)
      return { kind: 'refused', verdict: verdictOnShortfall(misfits, outcome.storeMs, random.fraction()), misfits }
    }
    case 'too-many-limits':
      return { kind: 'refused', verdict: TOO_MANY, misfits: [] }
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

function shortfalls(lines: Extract<ReserveOutcome, { kind: 'refused' }>['lines'], plan: Plan, reservation: Reservation): Shortfall[] {
  return lines.map(({ index, balance, fitsMs }) => {
    const bound = plan.binding.limits[index]
    const line = reservation.lines[index]
    assert(bound !== undefined && line !== undefined, 'a refusal speaks of the lines that it was asked for')
    return { bound, line, balance, fitsMs }
  })
}
