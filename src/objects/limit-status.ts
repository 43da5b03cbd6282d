// Limits as a status shows them: a snapshot of figures, what they amount to, and the one that is used most. Reads no ledger.
import { formatAmount, type Unit } from '../core/budget.ts'
import type { LimitReading } from '../core/limit-reading.ts'
import { formatDecimal } from '../core/money.ts'
import type { DeclaredLimit } from '../core/policy.ts'
import { instantText, type LimitStatus, type Summary } from './status.ts'

/** A limit that is in force, with what the ledger says of it. */
export interface ReadLimit {
  readonly declared: DeclaredLimit
  readonly warnAtPercent: readonly number[]
  readonly reading: LimitReading
}

export const limitStatusOf = ({ declared: { limit }, warnAtPercent, reading }: ReadLimit): LimitStatus => {
  const { spent, reserved, overrun, partitions, window } = reading
  const crossed = crossedOf(limit.window.kind === 'inFlight' ? 0 : reading.usedPercent, warnAtPercent)
  const amount = (value: bigint): string => formatAmount(value, limit.unit)
  return {
    name: limit.name,
    unit: limit.unit,
    // One partition that is used up is no limit that is.
    state: crossed === 0 ? 'OK' : crossed < 100 || partitions !== null ? 'Warning' : 'Exhausted',
    amount: amount(limit.amount),
    spent: amount(spent),
    reserved: amount(reserved),
    ...(partitions === null
      ? { remaining: amount(limit.amount - spent - reserved) }
      : { partitions: partitions.count, exhaustedPartitions: partitions.exhausted }),
    ...(partitions?.areShared === true ? { sharesPartition: true } : {}),
    ...(overrun === 0n ? {} : { overrun: amount(overrun) }),
    ...(crossed === 0 ? {} : { crossedPercent: crossed }),
    ...(window.kind === 'calendar' ? { windowStart: instantText(window.startMs), resetTime: instantText(window.endMs) } : {}),
  }
}

/** The highest of the thresholds, and of 100, that `usedPercent` has reached; 0 for none. */
const crossedOf = (usedPercent: number, warnAtPercent: readonly number[]): number =>
  Math.max(0, ...[...warnAtPercent, 100].filter(percent => percent <= usedPercent))

/** Of the limit that is used most; of equal ones the first. Limits on open calls are left out where there are others. */
export function summaryOf(limits: readonly ReadLimit[]): Summary | null {
  const [most] = [...limits].sort((a, b) => rankOf(b) - rankOf(a))
  if (most === undefined) return null
  const { declared, reading } = most
  const { limit } = declared
  const of = (value: bigint): string => `${shown(value, limit.unit)}/${shown(limit.amount, limit.unit)} ${limit.unit}`
  const { window, partitions } = reading
  return {
    limit: limit.name,
    spent:
      partitions !== null
        ? `${partitions.exhausted} of ${partitions.count} partitions used up`
        : of(window.kind === 'inFlight' ? reading.reserved : reading.spent),
    ...(window.kind === 'calendar' ? { resetTime: instantText(window.endMs) } : {}),
  }
}

const rankOf = ({ declared: { limit }, reading }: ReadLimit): number => (limit.window.kind === 'inFlight' ? -1 : reading.usedPercent)

/** Dollars to four places, rounded down: a table has no room for nine. */
const shown = (amount: bigint, unit: Unit): string => (unit === 'USD' ? formatDecimal(amount / 100_000n, 4) : formatAmount(amount, unit))
