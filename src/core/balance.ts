// Balances as a store keeps them: figures, the version of the limit, buckets. Decides how a limit and a charge move them; stores nothing.
import { assert } from './assert.ts'
import { type BudgetKey, compareVersions, type LimitVersion } from './budget.ts'
import type { LedgerRules } from './ledger-rules.ts'
import type { Balance, Line } from './reservation.ts'
import { addToBucket, type Bucket, bucketDeathMs, bucketIndex, dropDead, firstLiveBucket, freedMs } from './sliding.ts'
import { type Window, windowText } from './window.ts'

/** One budget in one window. `available` is not kept: it is always `limit - spent - reserved`. */
export interface StoredBalance {
  readonly key: BudgetKey
  readonly window: Window
  readonly limit: bigint
  readonly version: LimitVersion
  /** Store time at which this version, or one that it replaced, was last presented. */
  readonly presentedMs: number
  readonly reserved: bigint
  readonly spent: bigint
  readonly suspense: bigint
  readonly overrun: bigint
  /** Of sliding windows only, ascending; their sum is what `reserved`, `spent` and `suspense` say. */
  readonly buckets: readonly Bucket[]
}

/** What a move does to one balance. */
export interface Change {
  readonly reserved: bigint
  readonly spent: bigint
  readonly suspense: bigint
  readonly overrun: bigint
}

export const NO_CHANGE: Change = { reserved: 0n, spent: 0n, suspense: 0n, overrun: 0n }

/** The identity of a balance as text; texts sort as (key, window) does, because keys hold no space. */
export const balanceId = (key: BudgetKey, window: Window): string => `${key} ${windowText(window)}`

export function figures(stored: StoredBalance): Balance {
  const { limit, reserved, spent, suspense, overrun } = stored
  return { limit, available: limit - spent - reserved, reserved, spent, suspense, overrun }
}

/** The balance of a budget that nothing was charged to yet, as its first line presents it. */
export function firstBalance(line: Line, nowMs: number): StoredBalance {
  const { key, window, limit, version } = line
  return { key, window, limit, version, presentedMs: nowMs, reserved: 0n, spent: 0n, suspense: 0n, overrun: 0n, buckets: [] }
}

/** The balance at `nowMs`: what slid out of a sliding window is gone. Other windows do not move with time. */
export function atTime(stored: StoredBalance, nowMs: number): StoredBalance {
  if (stored.window.kind !== 'sliding') return stored
  const { live, dead } = dropDead(stored.window.lengthMs, stored.buckets, nowMs)
  if (live === stored.buckets) return stored
  return {
    ...stored,
    reserved: stored.reserved - dead.reserved,
    spent: stored.spent - dead.spent,
    suspense: stored.suspense - dead.suspense,
    buckets: live,
  }
}

/**
 * Presents a line's limit: newer replaces; of equal versions the lower limit holds (`contested`); older is ignored unless no newer one
 * came for `versionForgetMs`, for a restored API server counts again from an earlier generation.
 */
export function present(
  stored: StoredBalance,
  line: Line,
  nowMs: number,
  rules: LedgerRules,
): { readonly balance: StoredBalance; readonly contested: boolean } {
  const order = compareVersions(line.version, stored.version)
  if (order === 0) {
    const lowered = line.limit < stored.limit ? { ...stored, limit: line.limit } : stored
    return { balance: { ...lowered, presentedMs: nowMs }, contested: line.limit !== stored.limit }
  }
  if (order < 0 && nowMs - stored.presentedMs < rules.versionForgetMs) return { balance: stored, contested: false }
  return { balance: { ...stored, limit: line.limit, version: line.version, presentedMs: nowMs }, contested: false }
}

/** Whether a line may be reserved: a line of 0 moves nothing, so it fits whatever is left. Soft lines always fit. */
export const fits = (stored: StoredBalance, line: Line): boolean =>
  !line.hard || line.amount === 0n || stored.limit - stored.spent - stored.reserved >= line.amount

/** Store time at which a line that does not fit will, if nothing but time passes; null where time does not bring that about by itself. */
export function fitsMs(stored: StoredBalance, { amount }: Line): number | null {
  const { window, limit, spent, reserved, buckets } = stored
  return window.kind === 'sliding' ? freedMs(window.lengthMs, buckets, amount - (limit - spent - reserved)) : null
}

/** Moves a balance (already at `nowMs`) by the change of a reservation admitted at `admittedMs`; what slid out moves nothing any more. */
export function applyChange(stored: StoredBalance, change: Change, admittedMs: number, nowMs: number): StoredBalance {
  const { window } = stored
  let buckets = stored.buckets
  if (window.kind === 'sliding') {
    const index = bucketIndex(window.lengthMs, admittedMs)
    if (index < firstLiveBucket(window.lengthMs, nowMs)) return stored
    buckets = addToBucket(buckets, index, change)
  }
  const moved = {
    ...stored,
    reserved: stored.reserved + change.reserved,
    spent: stored.spent + change.spent,
    suspense: stored.suspense + change.suspense,
    overrun: stored.overrun + change.overrun,
    buckets,
  }
  assert(moved.reserved >= 0n && moved.suspense >= 0n && moved.suspense <= moved.spent, `the balance of ${stored.key} holds together`)
  assert(change.overrun >= 0n, 'overrun never decreases')
  return moved
}

/** The first store time at which the sweep may collect the balance if nothing touches it until then; null: not by time alone. */
export function collectableFromMs(stored: StoredBalance, rules: LedgerRules): number | null {
  switch (stored.window.kind) {
    case 'calendar':
      return stored.reserved === 0n ? stored.window.endMs + rules.collectAfterMs : null
    case 'sliding': {
      const last = stored.buckets.at(-1)
      return last === undefined ? 0 : bucketDeathMs(stored.window.lengthMs, last.index)
    }
    case 'inFlight':
      return stored.reserved === 0n ? 0 : null
    case 'lifetime':
      return null
  }
}

/** Whether the figures of a window are final, so that a line without a balance belongs to one that was collected. */
export const isPast = (window: Window, nowMs: number, rules: LedgerRules): boolean =>
  window.kind === 'calendar' && nowMs >= window.endMs + rules.collectAfterMs
