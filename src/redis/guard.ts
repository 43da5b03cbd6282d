// The guarded tier: what was reserved counts once so many replicas have it. It sends nothing itself.
import { GUARD_AGAIN_MS, GUARD_WAIT_MS } from '../limits.ts'
import type { Clock } from '../ports.ts'

export class Guard {
  readonly #replicas: number
  readonly #clock: Clock
  #shortUntil = Number.NEGATIVE_INFINITY

  /** @param replicas how many must have it. */
  constructor(replicas: number, clock: Clock) {
    this.#replicas = replicas
    this.#clock = clock
  }

  /** Sent on the socket of the reserve, right behind it: it speaks of what that socket wrote. */
  get wait(): { readonly name: string; readonly args: readonly string[] } {
    return { name: 'WAIT', args: [`${this.#replicas}`, `${GUARD_WAIT_MS}`] }
  }

  /** Why nothing is reserved at the moment: replicas were missing a moment ago, and each wait for them would hold up what is behind it. */
  closed(): string | null {
    return this.#clock.monotonicMs() < this.#shortUntil ? `fewer than ${this.#replicas} replicas of Redis followed a moment ago` : null
  }

  /** Takes the answer to {@link wait}; a sentence where it fell short. */
  short(count: unknown): string | null {
    if (Number(count) >= this.#replicas) return null
    this.#shortUntil = this.#clock.monotonicMs() + GUARD_AGAIN_MS
    return `${count} of ${this.#replicas} replicas of Redis had the reservation within ${GUARD_WAIT_MS} ms`
  }
}
