// The sweep: closes what nobody will close, collects what is final, forgets what is old; a bounded number a call.
import { assert } from './assert.ts'
import { atTime, figures, NO_CHANGE } from './balance.ts'
import { changes, expiryCharge } from './closing.ts'
import type { LedgerRules } from './ledger-rules.ts'
import type { SweepOutcome } from './reservation.ts'
import type { Shelf, StoredRecord } from './shelf.ts'
import { appendEntry, type MoveTime, moveLines, openStep, raiseMark, type Step, writeRecord } from './step.ts'

/**
 * Expires reservations past their deadline or of silent holders, collects final balances (`collected` counts these), and drops records
 * whose retention ended; together at most `rules.sweepBatch` a call. It counts as a mutation for the mark, whatever it finds.
 */
export function sweep(shelf: Shelf, rules: LedgerRules, time: MoveTime): SweepOutcome {
  const step = openStep(shelf, rules, time)
  if ('kind' in step) return step
  raiseMark(step)
  const { nowMs } = step
  let left = rules.sweepBatch

  // Nobody is stale while the store itself has been back for less than that.
  const silentSince = nowMs - rules.holderStaleMs
  const beatBeforeMs = shelf.meta().resumedMs < silentSince ? silentSince : Number.NEGATIVE_INFINITY
  const overdue = shelf.overdue(nowMs, beatBeforeMs, left)
  for (const record of overdue) expire(step, record, record.deadlineMs < nowMs ? 'deadline' : 'holder')
  left -= overdue.length

  const final = left > 0 ? shelf.collectable(nowMs, left) : []
  for (const id of final) collect(step, id)
  left -= final.length

  const outlived = left > 0 ? shelf.outlived(nowMs, left) : []
  for (const id of outlived) shelf.dropRecord(id)
  left -= outlived.length
  shelf.dropHolders(nowMs - rules.retainUnprovenMs)
  const { contested } = shelf.meta()
  return {
    kind: 'swept',
    expired: overdue.length,
    collected: final.length,
    more: left === 0,
    contested,
    unexported: unexported(shelf),
    storeMs: nowMs,
  }
}

/** Entries that were cut before the exporter had them. */
function unexported(shelf: Shelf): number {
  const { exportedSeq, seq } = shelf.meta()
  if (exportedSeq === null) return 0
  const firstSeq = shelf.entries(0, 1)[0]?.seq ?? seq + 1
  return Math.max(0, firstSeq - 1 - exportedSeq)
}

/** Expires everything open at once: after a restart nobody is left to close what an earlier run held. Answers how many. */
export function expireAll(shelf: Shelf, rules: LedgerRules, storeMs: number, how: string): number {
  const step = { shelf, rules, nowMs: storeMs }
  let expired = 0
  for (;;) {
    const open = shelf.overdue(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, rules.sweepBatch)
    for (const record of open) expire(step, record, how)
    expired += open.length
    if (open.length < rules.sweepBatch) return expired
  }
}

/** Closes one, charged into suspense; `how` says why. */
export function expire(step: Step, record: StoredRecord, how: string): void {
  assert(record.state === 'open', 'only what is open expires')
  const charged = expiryCharge(record)
  const after: StoredRecord = { ...record, state: 'expired', charged, closedMs: step.nowMs }
  writeRecord(step, 'expired', how, after, moveLines(step, after, changes(record.lines, record, after), charged))
}

/** Takes one balance off, whose figures are final. */
export function collect(step: Step, id: string): void {
  const stored = step.shelf.balance(id)
  assert(stored !== null, 'what is collectable is there')
  const { key, window } = stored
  const balance = figures(atTime(stored, step.nowMs))
  assert(balance.reserved === 0n, 'nothing reserved is collected')
  step.shelf.dropBalance(id)
  appendEntry(step, 'collected', { id: '', admittedMs: step.nowMs }, '', [
    { key, window, amount: 0n, hard: false, moved: NO_CHANGE, balance },
  ])
}
