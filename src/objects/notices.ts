// What is worth an Event when a status becomes another: thresholds that were crossed, and charges beyond what was reserved. Tells nobody.
import { formatAmount, type Unit } from '../core/budget.ts'
import type { ReadLimit } from './limit-status.ts'
import type { LimitStatus, ObjectStatus } from './status.ts'

/** One Event. The same `id` of the same object is told once. */
export interface Notice {
  readonly id: string
  readonly reason: 'BudgetExhausted' | 'BudgetThresholdCrossed' | 'BudgetOverrun' | 'MissingPrice' | 'Bypassed'
  readonly note: string
}

/**
 * Of limits, what `next` has and `before` had not. `before` is the status that was written last, so that another process that goes on from
 * there tells nothing twice; `nowMs` dates what has no window of its own.
 */
export function limitNotices(before: ObjectStatus, next: ObjectStatus, limits: readonly ReadLimit[], nowMs: number): readonly Notice[] {
  return (next.limits ?? []).flatMap(limit => {
    const read = limits.find(({ declared }) => declared.limit.name === limit.name)
    if (read === undefined) return []
    const earlier = (before.limits ?? []).find(one => one.name === limit.name && isSameBudget(one, limit))
    return [...crossings(earlier, limit, read, nowMs), ...overruns(earlier, limit, read, nowMs)]
  })
}

/** The same amount in the same window: there what was crossed stays crossed, unless time or a correction takes it back. */
const isSameBudget = (a: LimitStatus, b: LimitStatus): boolean =>
  a.unit === b.unit && a.amount === b.amount && a.windowStart === b.windowStart

function crossings(before: LimitStatus | undefined, next: LimitStatus, read: ReadLimit, nowMs: number): readonly Notice[] {
  const from = before?.crossedPercent ?? 0
  const to = next.crossedPercent ?? 0
  // Of several thresholds that were crossed at once, only the highest is news.
  const warned = Math.max(0, ...read.warnAtPercent.filter(percent => percent < 100 && percent <= to))
  const notices: Notice[] = []
  const id = `${next.name} ${next.unit} ${next.amount} ${windowOf(read, nowMs)}`
  const resets = next.resetTime === undefined ? '' : `; it resets at ${next.resetTime}`
  if (warned > from)
    notices.push({
      id: `crossed ${warned} ${id}`,
      reason: 'BudgetThresholdCrossed',
      note: `limit ${next.name}: ${whose(read)} spent ${warned} % of ${next.amount} ${next.unit}${resets}`,
    })
  if (to >= 100 && from < 100)
    notices.push({
      id: `exhausted ${id}`,
      reason: 'BudgetExhausted',
      note: `limit ${next.name}: ${whose(read)} spent all of ${next.amount} ${next.unit}${resets}`,
    })
  return notices
}

const whose = ({ reading: { partitions } }: ReadLimit): string => (partitions === null ? 'calls have' : 'at least one partition has')

function overruns(before: LimitStatus | undefined, next: LimitStatus, read: ReadLimit, nowMs: number): readonly Notice[] {
  if (next.overrun === undefined || before?.overrun !== undefined) return []
  const { overrun } = read.reading
  const note = `limit ${next.name}: providers billed ${formatAmount(overrun, next.unit as Unit)} ${next.unit} beyond what was reserved for their calls`
  return [{ id: `overrun ${next.name} ${next.unit} ${windowOf(read, nowMs)}`, reason: 'BudgetOverrun', note }]
}

/** One text a window; a sliding one is told of once in its length. */
function windowOf({ reading: { window } }: ReadLimit, nowMs: number): string {
  if (window.kind === 'calendar') return String(window.startMs)
  return window.kind === 'sliding' ? `~${Math.floor(nowMs / window.lengthMs)}` : window.kind
}
