// What a store has not seen, or lost, put back on the word of its holder: reservations by force, charges from their own lines.
import { changes, countedAmounts } from './closing.ts'
import type { LedgerRules } from './ledger-rules.ts'
import { checkReassert, mintedMs } from './move-bounds.ts'
import type { Line, ReassertMove, ReassertOutcome, SettleMove } from './reservation.ts'
import type { Shelf, StoredRecord } from './shelf.ts'
import { balanceThere, type MoveTime, moveLines, openStep, presentLine, putPresented, type Step, writeRecord } from './step.ts'

/** Opens a reservation whether it fits or not, dated by its id: the call has left already. One that the store knows stays as it is. */
export function reassert(shelf: Shelf, rules: LedgerRules, move: ReassertMove, time: MoveTime): ReassertOutcome {
  const fault = checkReassert(move, rules)
  if (fault !== null) return fault
  const step = openStep(shelf, rules, time)
  if ('kind' in step) return step
  const storeMs = step.nowMs
  if (shelf.record(move.id) !== null) return { kind: 'exists', storeMs }
  if (storeMs - mintedMs(move.id) > rules.retainUnprovenMs) return { kind: 'forgotten', storeMs }
  presentKnown(step, move.lines)
  const record: StoredRecord = {
    ...newRecord(move, storeMs),
    admittedMs: Math.min(mintedMs(move.id), storeMs),
    deadlineMs: Math.min(move.deadlineMs, storeMs + rules.deadlineMs),
    lines: move.lines,
    charged: move.lines.map(() => 0n),
    priceBook: move.priceBook,
  }
  const amounts = move.lines.map(line => line.amount)
  writeRecord(step, 'reasserted', '', record, moveLines(step, record, changes(move.lines, null, record), amounts))
  shelf.putBeat(move.holder, storeMs)
  return { kind: 'reasserted', storeMs }
}

/** Charges a settlement whose reserve is not on record, from its own lines, dated by its id. */
export function chargeUnseen(step: Step, move: SettleMove, what: 'reasserted' | 'arrears' | 'settled-late'): void {
  const { nowMs } = step
  presentKnown(step, move.lines)
  const charged = countedAmounts(move.lines, move.amounts)
  const record: StoredRecord = {
    ...newRecord(move, nowMs),
    admittedMs: Math.min(mintedMs(move.id), nowMs),
    state: move.proven ? 'settled-proven' : 'settled-unproven',
    lines: move.lines,
    charged,
    response: move.response ?? '',
    arrears: move.arrears === true,
    closedMs: nowMs,
  }
  writeRecord(step, what, move.how, record, moveLines(step, record, changes(move.lines, null, record), charged))
}

/** A record that is open and empty, as every one begins. */
export const newRecord = ({ id, holder }: Pick<StoredRecord, 'id' | 'holder'>, nowMs: number): StoredRecord => ({
  id,
  holder,
  state: 'open',
  admittedMs: nowMs,
  deadlineMs: nowMs,
  alternative: 0,
  lines: [],
  charged: [],
  raised: false,
  priceBook: '',
  adjustId: '',
  response: '',
  arrears: false,
  closedMs: null,
})

/** Takes up the limits that lines bring, where their balances are there; others begin with what moves them. */
function presentKnown(step: Step, lines: readonly Line[]): void {
  for (const line of lines) {
    const presented = presentLine(step, line)
    if (balanceThere(step, presented.id)) putPresented(step, presented)
  }
}
