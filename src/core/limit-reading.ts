// What a ledger's balances say of one limit at one moment: how much of it is used, of a partitioned one by how many of its partitions.
// Knows no ledger, and never names a partition.
import type { Limit } from './policy.ts'
import type { Balance } from './reservation.ts'
import { OTHER_VALUE } from './subject.ts'
import type { Window } from './window.ts'

export interface LimitReading {
  readonly window: Window
  /** The limit's amount when it was read: of another one, nothing here tells how much is used. */
  readonly amount: bigint
  /** Of a partitioned limit: of all its partitions together. */
  readonly spent: bigint
  readonly reserved: bigint
  readonly overrun: bigint
  /** How much of the amount is spent, rounded down; of a partitioned limit, by the partition that spent most. 100 for an amount of 0. */
  readonly usedPercent: number
  /** Null for a limit without partitions. */
  readonly partitions: PartitionsReading | null
}

export interface PartitionsReading {
  readonly count: number
  /** Those that have spent all of their amount. */
  readonly exhausted: number
  /** There were more values than the limit has partitions for: the rest share one. */
  readonly areShared: boolean
}

/** No count of percents is larger: what is beyond is used up many times over. */
const PERCENT_MAX = 1_000_000n

/** The reading of a limit without partitions; `balance` is null before its first call. */
export function readingOf(limit: Limit, window: Window, balance: Balance | null): LimitReading {
  const { spent, reserved, overrun } = balance ?? NOTHING
  const { amount } = limit
  return { window, amount, spent, reserved, overrun, usedPercent: percentOf(spent, amount), partitions: null }
}

/** The reading of a partitioned limit; `balances` are those of its partitions that were used in this window. */
export function partitionedReadingOf(
  limit: Limit,
  window: Window,
  balances: readonly { readonly partition: readonly string[]; readonly balance: Balance }[],
): LimitReading {
  let [spent, reserved, overrun, usedPercent, exhausted] = [0n, 0n, 0n, 0, 0]
  for (const { balance } of balances) {
    spent += balance.spent
    reserved += balance.reserved
    overrun += balance.overrun
    usedPercent = Math.max(usedPercent, percentOf(balance.spent, limit.amount))
    exhausted += balance.spent >= limit.amount ? 1 : 0
  }
  const areShared = balances.some(({ partition }) => partition.every(value => value === OTHER_VALUE))
  return {
    window,
    amount: limit.amount,
    spent,
    reserved,
    overrun,
    usedPercent,
    partitions: { count: balances.length, exhausted, areShared },
  }
}

/** Whether two readings show the same. */
export const sameReading = (a: LimitReading, b: LimitReading): boolean => textOf(a) === textOf(b)

const textOf = (reading: LimitReading): string => JSON.stringify(reading, (_, value) => (typeof value === 'bigint' ? `${value}` : value))

function percentOf(spent: bigint, amount: bigint): number {
  if (amount <= 0n) return 100
  const percent = (spent * 100n) / amount
  return Number(percent > PERCENT_MAX ? PERCENT_MAX : percent)
}

const NOTHING = { spent: 0n, reserved: 0n, overrun: 0n }
