// How long a call would wait for its verdict, from how many wait now and how quickly verdicts are given. It measures; whoever asks decides.
import { VERDICT_FIRST_MS, VERDICT_WAIT_MAX_MS, VERDICTS_SMOOTHED, VERDICTS_TAKEN_ALWAYS } from '../limits.ts'
import type { Clock } from '../ports.ts'

export class VerdictQueue {
  readonly #clock: Clock
  #waiting = 0
  #eachMs = VERDICT_FIRST_MS
  #lastMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Whether one more would wait for so long that Envoy might not wait for it. The event loop may be quick all the while. */
  full(): boolean {
    return this.#waiting >= VERDICTS_TAKEN_ALWAYS && this.#waiting * this.#eachMs > VERDICT_WAIT_MAX_MS
  }

  /** A call waits for its verdict until `work` is done. */
  during<Work>(work: Promise<Work>): Promise<Work> {
    if (this.#waiting === 0) this.#lastMs = this.#clock.monotonicMs()
    this.#waiting += 1
    return work.finally(() => this.#leave())
  }

  #leave(): void {
    const now = this.#clock.monotonicMs()
    // Few that wait say how long one takes, not how many are given in a second: they go through side by side.
    if (this.#waiting >= VERDICTS_TAKEN_ALWAYS / 2) this.#eachMs += (now - this.#lastMs - this.#eachMs) / VERDICTS_SMOOTHED
    this.#lastMs = now
    this.#waiting -= 1
  }
}
