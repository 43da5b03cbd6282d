// What budgets had left when the ledger last spoke of them: a guess to aim by, so that a bound is lowered no further than it must be. The
// ledger alone decides what fits; nothing here is ever asked of it.
import type { Balance, Line } from '../core/reservation.ts'
import { windowText } from '../core/window.ts'
import { HEADROOM_SEEN_MAX } from '../limits.ts'

export interface Headroom {
  saw(line: Line, balance: Balance): void
  /** Null where the ledger did not speak of this budget and window yet, or not for a long time. */
  left(line: Line): bigint | null
}

export function createHeadroom(): Headroom {
  const seen = new Map<string, bigint>()
  const nameOf = ({ key, window }: Line): string => `${key} ${windowText(window)}`
  return {
    saw: (line, balance) => {
      const name = nameOf(line)
      seen.delete(name)
      seen.set(name, balance.available)
      const [oldest] = seen.keys()
      if (seen.size > HEADROOM_SEEN_MAX && oldest !== undefined) seen.delete(oldest)
    },
    left: line => seen.get(nameOf(line)) ?? null,
  }
}
