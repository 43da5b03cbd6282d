// The simulated machine: one queue of events in virtual time. After each event every promise comes to rest before the next one begins,
// so that a seed decides everything. It reads no clock and has no chance of its own.

interface Event {
  readonly atMs: number
  /** Of events at one time the one that was asked for first comes first. */
  readonly order: number
  run: (() => void) | null
}

const TRACE_KEPT = 20_000
const EVENTS_MAX = 2_000_000 // a hundred times what a run has

export class Machine {
  /** True time, ms since the epoch; every other clock is made of it. */
  nowMs: number
  /** Null while nothing is wrong. */
  violation: string | null = null
  events = 0
  readonly #heap: Event[] = []
  #trace: { readonly atMs: number; readonly what: string }[] = []
  #order = 0
  #hash = 0x811c9dc5
  #stopped = false

  constructor(startMs: number) {
    this.nowMs = startMs
  }

  /** Runs `run` once at `atMs`, or next where that is past; the answer calls it off. */
  at(atMs: number, run: () => void): () => void {
    const event: Event = { atMs: Math.max(atMs, this.nowMs), order: this.#order++, run }
    this.#push(event)
    return () => {
      event.run = null
    }
  }

  after(ms: number, run: () => void): () => void {
    return this.at(this.nowMs + ms, run)
  }

  /** Notes what happened; two runs are the same when all of their notes are. */
  note(what: string): void {
    for (let i = 0; i < what.length; i++) this.#hash = Math.imul(this.#hash ^ what.charCodeAt(i), 0x01000193)
    this.#hash = Math.imul(this.#hash ^ (this.nowMs | 0), 0x01000193)
    this.#trace.push({ atMs: this.nowMs, what })
    if (this.#trace.length > 2 * TRACE_KEPT) this.#trace = this.#trace.slice(-TRACE_KEPT)
  }

  /** A promise of the program is broken: the run ends after this event. Only the first one counts. */
  fail(what: string): void {
    if (this.violation !== null) return
    this.note(`VIOLATION ${what}`)
    this.violation = what
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0')
  }

  /** The last notes, with their times. */
  get trace(): readonly string[] {
    return this.#trace.map(({ atMs, what }) => `${new Date(atMs).toISOString().slice(11, 23)} ${what}`)
  }

  stop(): void {
    this.#stopped = true
  }

  /** Runs event after event until there are none, somebody stops it, or something is wrong. */
  run(): Promise<void> {
    return new Promise((resolve, reject) => {
      const step = () => {
        const event = this.#stopped || this.violation !== null ? undefined : this.#pop()
        if (event === undefined) return resolve()
        this.nowMs = event.atMs
        this.events += 1
        if (this.events > EVENTS_MAX) this.fail('the run does not end')
        try {
          event.run?.()
        } catch (fault) {
          return reject(fault)
        }
        // Ticks come when no promise has anything left to do: not before.
        queueMicrotask(() => process.nextTick(step))
      }
      queueMicrotask(() => process.nextTick(step))
    })
  }

  #push(event: Event): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent]
      if (above === undefined || isBefore(above, event)) break
      heap[at] = above
      at = parent
    }
    heap[at] = event
  }

  #pop(): Event | undefined {
    for (;;) {
      const top = this.#popAny()
      if (top === undefined || top.run !== null) return top
    }
  }

  #popAny(): Event | undefined {
    const heap = this.#heap
    const top = heap[0]
    const last = heap.pop()
    if (top === undefined || last === undefined || top === last) return top
    let at = 0
    for (;;) {
      const left = heap[2 * at + 1]
      const right = heap[2 * at + 2]
      if (left === undefined) break
      const isRight = right !== undefined && isBefore(right, left)
      const child = isRight ? right : left
      if (isBefore(last, child)) break
      heap[at] = child
      at = 2 * at + (isRight ? 2 : 1)
    }
    heap[at] = last
    return top
  }
}

const isBefore = (a: Event, b: Event): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
