// How long to wait before the next attempt: longer with each one that failed, spread so that replicas do not come back together.
import { RETRY_AFTER_MAX_MS, WATCH_RETRY_MAX_MS } from '../limits.ts'
import type { Random } from '../ports.ts'

export class Backoff {
  #failures = 0
  readonly #leastMs: number
  readonly #random: Random

  constructor(leastMs: number, random: Random) {
    this.#leastMs = leastMs
    this.#random = random
  }

  /** The last attempt was a good one. */
  reset(): void {
    this.#failures = 0
  }

  /** Ms to wait now; never less than the server asked for, up to a bound that no server can lift. */
  nextMs(retryAfterMs: number | null = null): number {
    const most = Math.min(WATCH_RETRY_MAX_MS, this.#leastMs * 2 ** this.#failures)
    this.#failures = Math.min(this.#failures + 1, 30)
    const own = most * (0.5 + this.#random.fraction() / 2)
    const asked = Math.min(retryAfterMs ?? 0, RETRY_AFTER_MAX_MS)
    return Math.max(own, asked * (1 + this.#random.fraction() / 4))
  }
}
