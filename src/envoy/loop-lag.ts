// How late the event loop runs, from a timer that should fire every 20 ms. It measures; whoever asks decides.
import { LOOP_LAG_MAX_MS, LOOP_LATE_FOR_MS, LOOP_LATE_MS, LOOP_SAMPLE_MS } from '../limits.ts'
import type { Clock } from '../ports.ts'

export class LoopLag {
  readonly #clock: Clock
  readonly #timer: NodeJS.Timeout
  #lastMs: number
  #gapMs = 0
  #lateAtMs = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
    this.#lastMs = clock.monotonicMs()
    this.#timer = setInterval(() => this.sample(), LOOP_SAMPLE_MS).unref()
  }

  /** Called by the timer, once a turn of the loop. */
  sample(): void {
    const now = this.#clock.monotonicMs()
    this.#gapMs = now - this.#lastMs
    this.#lastMs = now
    if (this.#gapMs - LOOP_SAMPLE_MS > LOOP_LATE_MS) this.#lateAtMs = now
  }

  /** How long a message may have waited for its turn, in ms: the last turn of the loop, or this one where it is already longer. */
  ms(): number {
    return Math.max(0, Math.max(this.#gapMs, this.#clock.monotonicMs() - this.#lastMs) - LOOP_SAMPLE_MS)
  }

  /** Whether a verdict that is begun now could come too late for Envoy. */
  overloaded(): boolean {
    return this.ms() > LOOP_LAG_MAX_MS
  }

  /** Whether messages may have been lost unread just now: a stream that is cut while its turn is late takes them along. */
  wasLate(): boolean {
    return this.ms() > LOOP_LATE_MS || this.#clock.monotonicMs() - this.#lateAtMs < LOOP_LATE_FOR_MS
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
