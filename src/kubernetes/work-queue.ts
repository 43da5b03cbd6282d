// Work to be done on names: each name once however often it is added, never twice at a time, again after a failure. Knows no work.
import type { Clock, ControllerTelemetry, Random, Timer } from '../ports.ts'
import { Backoff } from './backoff.ts'

export type WorkOutcome =
  | { readonly kind: 'done' }
  /** It failed, or met another who wrote: it is done again, later each time. `isError` tells which. */
  | { readonly kind: 'again'; readonly isError: boolean; readonly retryAfterMs: number | null }

export interface WorkQueueOptions {
  readonly clock: Clock
  readonly timer: Timer
  readonly random: Random
  readonly telemetry: ControllerTelemetry
  /** How many names are worked on at a time. */
  readonly workers: number
  work(name: string): Promise<WorkOutcome>
}

const RETRY_MS = 200
/** Names worked on before the event loop gets its turn: most of them need no answer of anybody. */
const SLICE = 25

export class WorkQueue {
  readonly #options: WorkQueueOptions
  /** Names that wait, with when they were added; the longest waiting first. */
  readonly #waiting = new Map<string, number>()
  readonly #active = new Set<string>()
  /** Added while they were worked on. */
  readonly #again = new Set<string>()
  readonly #later = new Map<string, () => void>()
  readonly #failing = new Map<string, Backoff>()
  #whenIdle: (() => void)[] = []
  #taken = 0

  constructor(options: WorkQueueOptions) {
    this.#options = options
  }

  add(name: string): void {
    this.#callOff(name)
    if (this.#waiting.has(name) || this.#again.has(name)) return
    this.#options.telemetry.queueAdded()
    if (this.#active.has(name)) this.#again.add(name)
    else this.#waiting.set(name, this.#options.clock.monotonicMs())
    this.#pump()
  }

  /** Adds it `ms` from now, unless it is added before; of several times the earliest counts no more than the first. */
  addAfter(name: string, ms: number): void {
    if (this.#later.has(name)) return
    const callOff = this.#options.timer.after(ms, () => this.add(name))
    this.#later.set(name, callOff)
  }

  /** Forgets all that waits; what is being worked on goes on. */
  clear(): void {
    this.#waiting.clear()
    this.#again.clear()
    this.#failing.clear()
    for (const name of [...this.#later.keys()]) this.#callOff(name)
    this.#options.telemetry.queueDepth(0)
  }

  /** Resolves when nothing is being worked on. */
  idle(): Promise<void> {
    return this.#active.size === 0 ? Promise.resolve() : new Promise(resolve => this.#whenIdle.push(resolve))
  }

  #pump(): void {
    const { telemetry, clock, timer, workers } = this.#options
    for (const [name, addedMs] of this.#waiting) {
      if (this.#active.size >= workers || this.#taken > SLICE) break
      this.#taken += 1
      if (this.#taken > SLICE)
        timer.after(0, () => {
          this.#taken = 0
          this.#pump()
        })
      this.#waiting.delete(name)
      this.#active.add(name)
      const begunMs = clock.monotonicMs()
      telemetry.queueWaited((begunMs - addedMs) / 1_000)
      void this.#options
        .work(name)
        .catch((fault: unknown): WorkOutcome => {
          telemetry.fault('a status could not be computed', { object: name, fault: String(fault) })
          return { kind: 'again', isError: true, retryAfterMs: null }
        })
        .then(outcome => this.#worked(name, outcome, (clock.monotonicMs() - begunMs) / 1_000))
    }
    telemetry.queueDepth(this.#waiting.size)
  }

  #worked(name: string, outcome: WorkOutcome, seconds: number): void {
    const { telemetry, random } = this.#options
    this.#active.delete(name)
    telemetry.reconciled(outcome.kind === 'done' ? 'success' : outcome.isError ? 'error' : 'requeue', seconds)
    if (outcome.kind === 'done') this.#failing.delete(name)
    else {
      const backoff = this.#failing.get(name) ?? new Backoff(RETRY_MS, random)
      this.#failing.set(name, backoff)
      telemetry.queueRetried()
      this.addAfter(name, backoff.nextMs(outcome.retryAfterMs))
    }
    if (this.#again.delete(name)) {
      this.#callOff(name)
      this.#waiting.set(name, this.#options.clock.monotonicMs())
    }
    this.#pump()
    if (this.#active.size > 0) return
    for (const resolve of this.#whenIdle) resolve()
    this.#whenIdle = []
  }

  #callOff(name: string): void {
    this.#later.get(name)?.()
    this.#later.delete(name)
  }
}
