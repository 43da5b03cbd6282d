// Warnings: when a budget has reached a percentage of its amount, and the mark in the ledger that lets only one replica say so. Pure.
import { type BudgetKey, parseBudgetKey } from './budget.ts'
import type { BoundLimit } from './policy.ts'
import type { Balance, Line } from './reservation.ts'
import type { Window } from './window.ts'

/** A budget that reached a percentage of its amount, for the first time in its window. */
export interface BudgetWarning {
  /** Of the mark: no two warnings share one. */
  readonly id: string
  readonly bound: BoundLimit
  readonly window: Window
  readonly percent: number
  readonly balance: Balance
}

/** The highest of the limit's percentages that is reached by what is spent, or reserved where only that counts; null for none. */
export function reachedPercent({ limit }: Pick<BoundLimit, 'limit'>, window: Window, balance: Balance): number | null {
  const used = window.kind === 'inFlight' ? balance.reserved : balance.spent
  if (balance.limit === 0n) return null
  return limit.warnAtPercent.findLast(percent => used * 100n >= balance.limit * BigInt(percent)) ?? null
}

const MARK = 'Warning:'
const IN_FLIGHT_AGAIN_MS = 300_000

/**
 * A line that fits once: whoever reserves it says that the budget reached `percent`. It lives as long as the budget's window; in sliding
 * windows it may be said again a span later, and of calls in flight five minutes later.
 */
export function warningMark(key: BudgetKey, window: Window, percent: number): Line {
  const fields = key.split('|')
  const [scope = '', namespace = '', policy = '', limit = '', , spec = '', ...partition] = fields
  const mark = [`${MARK}${scope}`, namespace, policy, limit, 'Requests', spec, `${percent}`, ...partition].join('|') as BudgetKey
  return {
    key: mark,
    unit: 'Requests',
    window: window.kind === 'inFlight' ? { kind: 'sliding', lengthMs: IN_FLIGHT_AGAIN_MS } : window,
    amount: 1n,
    limit: 1n,
    version: { createdMs: 0, generation: 0, grantMs: 0 },
    hard: true,
    floor: 1n,
  }
}

/** Whether a key of the ledger is a mark, and no budget. */
export const isWarningMark = (key: BudgetKey): boolean => key.startsWith(MARK) && parseBudgetKey(key) !== null
