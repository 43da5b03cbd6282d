// One move of the ledger at one store time: how it presents limits, moves balances and tells the stream. Decides nothing about admission.
import { assert } from './assert.ts'
import {
  applyChange,
  atTime,
  balanceId,
  type Change,
  figures,
  firstBalance,
  isPast,
  NO_CHANGE,
  present,
  type StoredBalance,
} from './balance.ts'
import type { LedgerRules } from './ledger-rules.ts'
import type { LedgerFault, Line } from './reservation.ts'
import type { Entry, EntryKind, EntryLine, Shelf, StoredRecord } from './shelf.ts'
import { bucketIndex, firstLiveBucket } from './sliding.ts'

/** Both clocks of a move, ms since the epoch: the store's, and the caller's wall clock that is checked against it. */
export interface MoveTime {
  readonly storeClockMs: number
  readonly callerWallMs: number
}

export interface Step {
  readonly shelf: Shelf
  readonly rules: LedgerRules
  /** Store time: never before the last mutation. */
  readonly nowMs: number
}

/** Store time: the store's clock, but never behind the last mutation. */
export const storeTime = (shelf: Shelf, storeClockMs: number): number => Math.max(storeClockMs, shelf.meta().markMs)

/** The step of a move at `time`, or the refusal of a caller whose clock is too far away. */
export function openStep(shelf: Shelf, rules: LedgerRules, time: MoveTime): Step | Extract<LedgerFault, { kind: 'clock-skew' }> {
  const nowMs = storeTime(shelf, time.storeClockMs)
  if (Math.abs(time.callerWallMs - nowMs) > rules.clockSkewMs) return { kind: 'clock-skew', storeMs: nowMs }
  return { shelf, rules, nowMs }
}

/** Raises the mark for a mutation; after a silence of the whole store every holder gets its time anew. */
export function raiseMark({ shelf, rules, nowMs }: Step): void {
  const meta = shelf.meta()
  assert(nowMs >= meta.markMs, 'store time does not run backwards')
  if (nowMs === meta.markMs) return
  const resumedMs = nowMs - meta.markMs > rules.resumeGapMs ? nowMs : meta.resumedMs
  shelf.putMeta({ ...meta, markMs: nowMs, resumedMs })
}

/** Appends one entry to the stream, with the next `seq`. */
export function appendEntry(
  step: Step,
  what: EntryKind,
  { id, admittedMs }: Pick<Entry, 'id' | 'admittedMs'>,
  how: string,
  lines: readonly EntryLine[],
): void {
  raiseMark(step)
  const meta = step.shelf.meta()
  const seq = meta.seq + 1
  step.shelf.putMeta({ ...meta, seq })
  step.shelf.append({ seq, storeMs: step.nowMs, what, id, how, admittedMs, lines })
}

/** Writes a record in its new state, with the entry that tells of it. */
export function writeRecord(step: Step, what: EntryKind, how: string, record: StoredRecord, lines: readonly EntryLine[]): void {
  step.shelf.putRecord(record)
  appendEntry(step, what, record, how, lines)
}

/** A line's balance now, with the line's limit presented to it. Written by nobody yet. */
export interface Presented {
  readonly id: string
  readonly balance: StoredBalance
  readonly contested: boolean
}

export function presentLine({ shelf, rules, nowMs }: Step, line: Line): Presented {
  const id = balanceId(line.key, line.window)
  const stored = shelf.balance(id)
  if (stored === null) return { id, balance: firstBalance(line, nowMs), contested: false }
  return { id, ...present(atTime(stored, nowMs), line, nowMs, rules) }
}

export const balanceThere = ({ shelf }: Step, id: string): boolean => shelf.balance(id) !== null

export function putPresented({ shelf }: Step, { id, balance, contested }: Presented): void {
  shelf.putBalance(id, balance)
  if (contested) shelf.putMeta({ ...shelf.meta(), contested: shelf.meta().contested + 1 })
}

/**
 * Moves the balances of a record's lines, and answers what the entry says of them. A line whose balance was collected, and could not
 * count any more, is left out: the stream alone tells of it.
 */
export function moveLines(step: Step, record: StoredRecord, moved: readonly Change[], amounts: readonly bigint[]): EntryLine[] {
  const { shelf, rules, nowMs } = step
  return record.lines.flatMap((line, index) => {
    const change = moved[index]
    assert(change !== undefined, 'one change a line')
    const id = balanceId(line.key, line.window)
    const stored = shelf.balance(id)
    if (stored === null && !wouldCount(line, change, record.admittedMs, nowMs, rules)) return []
    const before = stored === null ? firstBalance(line, nowMs) : atTime(stored, nowMs)
    const after = applyChange(before, change, record.admittedMs, nowMs)
    shelf.putBalance(id, after)
    const { key, window, hard } = line
    return [{ key, window, amount: amounts[index] ?? 0n, hard, moved: after === before ? NO_CHANGE : change, balance: figures(after) }]
  })
}

/** Whether a change would move a balance that is not there, made for it: not in a past window, and not by nothing. */
function wouldCount({ window }: Line, change: Change, admittedMs: number, nowMs: number, rules: LedgerRules): boolean {
  if (change.reserved === 0n && change.spent === 0n && change.overrun === 0n) return false
  if (window.kind === 'sliding') return bucketIndex(window.lengthMs, admittedMs) >= firstLiveBucket(window.lengthMs, nowMs)
  return !isPast(window, nowMs, rules)
}
