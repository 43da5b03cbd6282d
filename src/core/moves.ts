// The law of the ledger's moves over a shelf: reserve, settle and release, one synchronous step each. Keeps no state, reads no clock.
import { assert, assertNever } from './assert.ts'
import { figures, fits, fitsMs, NO_CHANGE } from './balance.ts'
import { compareVersions } from './budget.ts'
import { changes, closeBySettlement, countedAmounts } from './closing.ts'
import type { LedgerRules } from './ledger-rules.ts'
import { checkReserve, checkSettle, isHexId, mintedMs } from './move-bounds.ts'
import { chargeUnseen, newRecord } from './reassert.ts'
import {
  type Line,
  type ReleaseMove,
  type ReleaseOutcome,
  type ReserveMove,
  type ReserveOutcome,
  type SettleMove,
  type SettleOutcome,
  sameLines,
} from './reservation.ts'
import type { EntryLine, Shelf, StoredRecord } from './shelf.ts'
import {
  appendEntry,
  type MoveTime,
  moveLines,
  openStep,
  type Presented,
  presentLine,
  putPresented,
  raiseMark,
  type Step,
  writeRecord,
} from './step.ts'

/** Takes the first alternative that fits wholly; otherwise nothing is written. A record of the same id answers before anything else. */
export function reserve(shelf: Shelf, rules: LedgerRules, move: ReserveMove, time: MoveTime): ReserveOutcome {
  const fault = checkReserve(move, rules)
  if (fault !== null) return fault
  const step = openStep(shelf, rules, time)
  if ('kind' in step) return step
  const storeMs = step.nowMs
  const known = shelf.record(move.id)
  if (known !== null) return repeated(known, move, storeMs)
  if (storeMs > move.notAfterMs) return { kind: 'too-late', storeMs }
  if (move.alternatives.some(lines => lines.some(line => isStale(line, storeMs)))) return { kind: 'window-stale', storeMs }

  let refused: Extract<ReserveOutcome, { kind: 'refused' }>['lines'] | null = null
  for (const [alternative, lines] of move.alternatives.entries()) {
    const presented = lines.map(line => presentLine(step, line))
    const misfits = lines.flatMap((line, index) => {
      const balance = presented[index]?.balance
      assert(balance !== undefined, 'one balance a line')
      return fits(balance, line) ? [] : [{ index, balance: figures(balance), fitsMs: fitsMs(balance, line) }]
    })
    if (misfits.length === 0) return admit(step, move, alternative, lines, presented)
    refused ??= misfits
  }
  assert(refused !== null, 'a refusal names its lines')
  noteLimits(step, move)
  return { kind: 'refused', lines: refused, storeMs }
}

/** Replaces a reservation by what it cost, by the table of `closing.ts`; one that is not known here is charged from the move's lines. */
export function settle(shelf: Shelf, rules: LedgerRules, move: SettleMove, time: MoveTime): SettleOutcome {
  const fault = checkSettle(move, rules)
  if (fault !== null) return fault
  const step = openStep(shelf, rules, time)
  if ('kind' in step) return step
  const storeMs = step.nowMs
  const record = shelf.record(move.id)
  if (record === null) {
    if (storeMs - mintedMs(move.id) > rules.retainUnprovenMs) return { kind: 'forgotten', storeMs }
    const kind = move.arrears === true ? 'arrears' : 'reasserted'
    chargeUnseen(step, move, kind)
    return { kind, storeMs }
  }
  const unseen = record.state === 'tombstone'
  if (!unseen && !sameLines(record.lines, move.lines)) return { kind: 'out-of-bounds', why: 'the lines are not those of the reservation' }
  const amounts = countedAmounts(move.lines, move.amounts)
  const closing = closeBySettlement(record, amounts, move.proven)
  if (closing.kind === 'stands') return { kind: closing.outcome, storeMs }
  if (unseen) {
    chargeUnseen(step, move, 'settled-late')
    return { kind: 'settled-late', storeMs }
  }
  const { state, charged, outcome } = closing
  const raised = record.raised || outcome === 'raised'
  const after = {
    ...record,
    state,
    charged,
    raised,
    response: record.response === '' ? (move.response ?? '') : record.response,
    arrears: record.arrears || move.arrears === true,
    closedMs: storeMs,
  }
  const moved = changes(record.lines, record, after)
  writeRecord(step, closing.what, move.how, after, moveLines(step, after, moved, charged))
  return outcome === 'settled-over' ? { kind: outcome, overrun: moved.map(change => change.overrun), storeMs } : { kind: outcome, storeMs }
}

/** Gives all of a reservation back: proof that nothing was sent. An id not seen leaves a tombstone, so that its reserve is not admitted. */
export function release(shelf: Shelf, rules: LedgerRules, move: ReleaseMove, time: MoveTime): ReleaseOutcome {
  assert(isHexId(move.id) && isHexId(move.holder), 'ids and holders are 32 hex digits')
  const step = openStep(shelf, rules, time)
  if ('kind' in step) return step
  const storeMs = step.nowMs
  const record = shelf.record(move.id)
  switch (record?.state) {
    case undefined: {
      const tombstone = { ...newRecord(move, storeMs), state: 'tombstone', closedMs: storeMs } as const
      writeRecord(step, 'tombstoned', move.how, tombstone, [])
      return { kind: 'tombstoned', storeMs }
    }
    case 'open':
      giveBack(step, record, 'released', move.how)
      return { kind: 'released', storeMs }
    case 'expired':
    case 'settled-unproven':
      giveBack(step, record, 'settled-late', move.how)
      return { kind: 'settled-late', storeMs }
    case 'released':
      return { kind: 'already-released', storeMs }
    case 'tombstone':
      return { kind: 'tombstoned', storeMs }
    case 'settled-proven':
      return { kind: 'already-settled', storeMs }
    default:
      return assertNever(record as never)
  }
}

function admit(
  step: Step,
  move: ReserveMove,
  alternative: number,
  lines: readonly Line[],
  presented: readonly Presented[],
): ReserveOutcome {
  const { nowMs, rules } = step
  for (const balance of presented) putPresented(step, balance)
  const record: StoredRecord = {
    ...newRecord(move, nowMs),
    deadlineMs: Math.min(move.deadlineMs, nowMs + rules.deadlineMs),
    alternative,
    lines,
    charged: lines.map(() => 0n), // nothing observed yet
    priceBook: move.priceBook,
  }
  const amounts = lines.map(line => line.amount)
  const entryLines = moveLines(step, record, changes(lines, null, record), amounts)
  writeRecord(step, 'reserved', '', record, entryLines)
  step.shelf.putBeat(move.holder, nowMs)
  return { kind: 'reserved', alternative, balances: entryLines.map(line => line.balance), storeMs: nowMs }
}

/**
 * A refusal creates nothing, but what it presented is not lost: a newer limit of a balance that is there is taken up, and a current one
 * is seen to be in use still, at most every few seconds. Otherwise an exhausted budget would come to believe an older limit.
 */
function noteLimits(step: Step, move: ReserveMove): void {
  const { shelf, rules, nowMs } = step
  const noted = new Map<string, EntryLine>()
  for (const line of move.alternatives.flat()) {
    const presented = presentLine(step, line)
    const stored = shelf.balance(presented.id)
    if (stored === null) continue
    const { balance } = presented
    const isNew = compareVersions(balance.version, stored.version) !== 0 || balance.limit !== stored.limit
    if (!isNew && balance.presentedMs - stored.presentedMs < rules.presentEveryMs) continue
    putPresented(step, presented)
    raiseMark(step)
    const { key, window, hard } = line
    if (isNew) noted.set(presented.id, { key, window, amount: 0n, hard, moved: NO_CHANGE, balance: figures(balance) })
  }
  if (noted.size > 0) appendEntry(step, 'presented', { id: move.id, admittedMs: nowMs }, '', [...noted.values()])
}

function giveBack(step: Step, record: StoredRecord, what: 'released' | 'settled-late', how: string): void {
  const charged = record.lines.map(() => 0n)
  const state = what === 'released' ? 'released' : 'settled-proven'
  const after: StoredRecord = { ...record, state, charged, closedMs: step.nowMs }
  const told = what === 'released' ? record.lines.map(line => line.amount) : charged
  writeRecord(step, what, how, after, moveLines(step, after, changes(record.lines, record, after), told))
}

function repeated(record: StoredRecord, move: ReserveMove, storeMs: number): ReserveOutcome {
  if (record.state === 'tombstone') return { kind: 'tombstoned', storeMs }
  const lines = move.alternatives[record.alternative] ?? []
  const same = sameLines(lines, record.lines) && lines.every((line, index) => line.amount === record.lines[index]?.amount)
  if (!same) return { kind: 'exists-different', storeMs }
  return { kind: 'exists', alternative: record.alternative, open: record.state === 'open', storeMs }
}

const isStale = ({ window }: Line, nowMs: number): boolean =>
  window.kind === 'calendar' && (nowMs < window.startMs || nowMs >= window.endMs)
