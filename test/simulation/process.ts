// One simulated process: its clocks, its timers, its chance. It may be paused, which makes everything late, or killed, which drops it all.
import { LOOP_LATE_FOR_MS } from '../../src/limits.ts'
import type { Clock, Timer } from '../../src/ports.ts'
import type { Chance } from './chance.ts'
import type { Machine } from './machine.ts'

export class Process {
  readonly name: string
  readonly random: Chance
  readonly clock: Clock
  readonly timer: Timer
  isAlive = true
  /** How far the wall clock is from true time, ms. */
  wallOffMs: number
  readonly #machine: Machine
  readonly #rate: number
  readonly #startMs: number
  #pausedUntilMs = Number.NEGATIVE_INFINITY
  #held: (() => void)[] = []

  /** `drift`: how much faster its clock runs than true time, for instance 0.0001. */
  constructor(
    machine: Machine,
    name: string,
    random: Chance,
    { wallOffMs, drift }: { readonly wallOffMs: number; readonly drift: number },
  ) {
    this.#machine = machine
    this.name = name
    this.random = random
    this.wallOffMs = wallOffMs
    this.#rate = 1 + drift
    this.#startMs = machine.nowMs
    this.clock = {
      wallMs: () => machine.nowMs + this.wallOffMs,
      monotonicMs: () => (machine.nowMs - this.#startMs) * this.#rate,
    }
    this.timer = {
      after: (ms, run) => {
        let isOff = false
        const callOff = machine.after(ms / this.#rate, () => this.run(() => isOff || run()))
        return () => {
          isOff = true
          callOff()
        }
      },
    }
  }

  get isPaused(): boolean {
    return this.#machine.nowMs < this.#pausedUntilMs
  }

  /** Whether it is late, or was a moment ago: then what came meanwhile may have been lost unread. */
  get wasLate(): boolean {
    return this.#machine.nowMs < this.#pausedUntilMs + LOOP_LATE_FOR_MS || this.#held.length > 0
  }

  /** Something reaches the process: at once, after its pause, or never. */
  run(event: () => void): void {
    if (!this.isAlive) return
    if (this.isPaused || this.#held.length > 0) this.#held.push(event)
    else event()
  }

  /** It does nothing for `ms`; what reaches it meanwhile is worked off afterwards, one by one. */
  pause(ms: number): void {
    if (!this.isAlive) return
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.#machine.nowMs + ms)
    this.#machine.at(this.#pausedUntilMs, () => this.#resume())
  }

  kill(): void {
    this.isAlive = false
    this.#held = []
  }

  #resume(): void {
    if (this.isPaused || !this.isAlive) return
    this.#held.shift()?.()
    if (this.#held.length > 0) this.#machine.after(0, () => this.#resume())
  }
}
