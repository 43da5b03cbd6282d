// What this process may admit by itself while the ledger is away: up to `allowUpTo` a limit, until the ledger has what was charged.
import type { BudgetKey } from '../core/budget.ts'
import { limitKeyOf } from '../core/budget.ts'
import type { BoundLimit } from '../core/policy.ts'
import type { Line } from '../core/reservation.ts'

/** One call that was admitted so. */
export interface Allowed {
  /** It ended, charged these amounts, one a line. */
  charged(amounts: readonly bigint[]): void
  /** The ledger has the charge: it weighs on this process no more. */
  posted(): void
}

export interface Allowance {
  /** Null where a limit has no room left, or no `allowUpTo` at all: then nothing is taken from any. `lines` answer `limits` one to one. */
  take(limits: readonly BoundLimit[], lines: readonly Line[]): Allowed | null
}

/** Partitions of a limit share its allowance: what a process that dies meanwhile can lose is one sum a limit. */
export function createAllowance(): Allowance {
  const outstanding = new Map<BudgetKey, bigint>()
  const move = (key: BudgetKey, by: bigint): void => {
    const left = (outstanding.get(key) ?? 0n) + by
    if (left === 0n) outstanding.delete(key)
    else outstanding.set(key, left)
  }
  return {
    take: (limits, lines) => {
      const wanted = new Map<BudgetKey, bigint>()
      for (const [index, line] of lines.entries()) {
        // A share counts in the budget that it is one of.
        if (limits[index]?.share != null) continue
        const key = limitKeyOf(line.key)
        const sum = (wanted.get(key) ?? outstanding.get(key) ?? 0n) + line.amount
        if (line.hard && sum > (limits[index]?.limit.allowUpTo ?? 0n)) return null
        wanted.set(key, sum)
      }
      let amounts = lines.map(line => line.amount)
      const weigh = (sign: 1n | -1n): void => {
        for (const [index, line] of lines.entries())
          if (limits[index]?.share == null) move(limitKeyOf(line.key), sign * (amounts[index] ?? 0n))
      }
      weigh(1n)
      return {
        charged: actual => {
          weigh(-1n)
          amounts = [...actual]
          weigh(1n)
        },
        posted: () => weigh(-1n),
      }
    },
  }
}
