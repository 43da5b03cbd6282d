// What open reservations tell of themselves: that their holder lives, and how far they have come. Moves no balance, writes no entry.
import { assert } from './assert.ts'
import { countedAmounts } from './closing.ts'
import type { LedgerRules } from './ledger-rules.ts'
import { checkObserve, isHexId } from './move-bounds.ts'
import type { BeatOutcome, Holder, ObserveMove, ObserveOutcome } from './reservation.ts'
import type { Shelf } from './shelf.ts'
import { type MoveTime, openStep, raiseMark } from './step.ts'

/** Notes that a holder lives. It counts as a mutation for the mark. */
export function beat(shelf: Shelf, rules: LedgerRules, holder: Holder, time: MoveTime): BeatOutcome {
  assert(isHexId(holder), 'a holder is 32 hex digits')
  const step = openStep(shelf, rules, time)
  if ('kind' in step) return step
  raiseMark(step)
  shelf.putBeat(holder, step.nowMs)
  return { kind: 'beating', storeMs: step.nowMs }
}

/** Notes what open reservations of the holder would be charged by now; what was noted before and is larger stays. */
export function observe(shelf: Shelf, rules: LedgerRules, move: ObserveMove, time: MoveTime): ObserveOutcome {
  const fault = checkObserve(move, rules)
  if (fault !== null) return fault
  const step = openStep(shelf, rules, time)
  if ('kind' in step) return step
  raiseMark(step)
  let observed = 0
  for (const { id, amounts } of move.progress) {
    const record = shelf.record(id)
    if (record?.state !== 'open' || record.holder !== move.holder || record.lines.length !== amounts.length) continue
    const counted = countedAmounts(record.lines, amounts)
    const charged = record.charged.map((before, index) => larger(before, counted[index] ?? 0n))
    shelf.putRecord({ ...record, charged })
    observed += 1
  }
  return { kind: 'observed', observed, storeMs: step.nowMs }
}

const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b)
