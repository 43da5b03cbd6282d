// A difference that a proof found, in words: which entry, which budget, what it should be and what it is. Finds nothing by itself.
import { Temporal } from 'temporal-polyfill'
import { type BudgetKey, formatAmount, parseBudgetKey, unitOf } from './budget.ts'
import type { Window } from './window.ts'

/** Where a ledger is not what its entries say: `seq` is the entry, or the last one before what the store shows. */
export interface Difference {
  readonly seq: number
  readonly words: string
}

/** `id`: of the reservation; empty for none. */
export const entryWords = ({ seq, what, id }: { readonly seq: number; readonly what: string; readonly id: string }): string =>
  `entry ${seq} (${what}${id === '' ? '' : ` of ${id}`})`

/** A budget in one window, as an operator knows it. */
export function budgetWords(key: BudgetKey, window: Window): string {
  const parsed = parseBudgetKey(key)
  if (parsed === null) return `the budget ${key}`
  const { scope, namespace, policy, limit, partition } = parsed
  const of = partition.length === 0 ? '' : ` of ${partition.map(value => JSON.stringify(value)).join(', ')}`
  return `${scope} ${namespace === '' ? '' : `${namespace}/`}${policy}, limit ${limit}${of}${windowWords(window)}`
}

/** An amount in the unit of the budget's key. */
export function amountWords(amount: bigint, key: BudgetKey): string {
  const unit = unitOf(key)
  return unit === null ? `${amount}` : `${formatAmount(amount, unit)} ${unit}`
}

/** RFC 3339 in UTC, with milliseconds where there are any; a number that is no time as it is. */
export const instantText = (ms: number): string =>
  Number.isInteger(ms) && Math.abs(ms) <= 8.64e15 ? Temporal.Instant.fromEpochMilliseconds(ms).toString() : `${ms} ms`

function windowWords(window: Window): string {
  switch (window.kind) {
    case 'calendar':
      return ` from ${instantText(window.startMs)} to ${instantText(window.endMs)}`
    case 'sliding':
      return ` in the last ${window.lengthMs / 1_000} s`
    case 'lifetime':
      return ''
    case 'inFlight':
      return ' in flight'
  }
}
