// An operator's correction of a closed reservation: takes from suspense, or adds to spent; never gives back what was proven.
import { changes } from './closing.ts'
import type { LedgerRules } from './ledger-rules.ts'
import { checkAdjust } from './move-bounds.ts'
import type { AdjustMove, AdjustOutcome } from './reservation.ts'
import type { Shelf, StoredRecord } from './shelf.ts'
import { type MoveTime, moveLines, openStep, writeRecord } from './step.ts'

/** Charges the USD lines of a reservation what the operator says that it did cost; the entry keeps the reason. */
export function adjust(shelf: Shelf, rules: LedgerRules, move: AdjustMove, time: MoveTime): AdjustOutcome {
  const fault = checkAdjust(move, rules)
  if (fault !== null) return fault
  const step = openStep(shelf, rules, time)
  if ('kind' in step) return step
  const storeMs = step.nowMs
  const record = shelf.record(move.id)
  if (record === null || record.state === 'tombstone') return { kind: 'forgotten', storeMs }
  if (record.adjustId === move.adjustId) return { kind: 'already-adjusted', storeMs }
  if (record.state === 'open') return { kind: 'still-open', storeMs }
  const money = record.lines.map(line => line.unit === 'USD' && line.window.kind !== 'inFlight')
  if (!money.includes(true)) return { kind: 'no-money', storeMs }
  const charged = record.charged.map((before, index) => (money[index] ? move.actual : before))
  const inSuspense = record.state === 'expired' || record.state === 'settled-unproven'
  if (!inSuspense && charged.some((amount, index) => amount < (record.charged[index] ?? 0n))) return { kind: 'not-in-suspense', storeMs }
  const after: StoredRecord = { ...record, state: 'settled-proven', charged, adjustId: move.adjustId, closedMs: storeMs }
  writeRecord(
    step,
    'adjusted',
    `${move.adjustId} ${move.reason}`,
    after,
    moveLines(step, after, changes(record.lines, record, after), charged),
  )
  return { kind: 'adjusted', storeMs }
}
