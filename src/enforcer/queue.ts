// Calls that wait for room: in line for one budget, callers by turns, each for a short while. Holds no reservation, and never more calls than
// its bounds say; it tries again when something was given back to the budget, and now and then besides, for other replicas give back too.
import type { BudgetKey } from '../core/budget.ts'
import { QUEUE_BYTES_MAX, QUEUE_MAX, QUEUE_OF_BUDGET_MAX, QUEUE_POLL_MAX_MS, QUEUE_POLL_MS } from '../limits.ts'
import type { Clock, Timer } from '../ports.ts'

export interface Waiting<T> {
  readonly budget: BudgetKey
  /** Who waits: callers have their turns one after the other, however many calls each has in line. */
  readonly caller: string
  /** What it holds in memory. */
  readonly bytes: number
  /** Monotonic ms; afterwards nothing is tried any more. */
  readonly untilMs: number
  /** What the last attempt gave; null where there was none yet: then there is one at the end at least. */
  readonly last: T | null
  attempt(): Promise<T>
  /** Whether the call goes on waiting after that. */
  waits(outcome: T): boolean
}

export interface Place<T> {
  /** What the last attempt gave; null where the client left before there was one. */
  readonly outcome: Promise<T | null>
  /** The client left. An attempt that is on its way is answered all the same: it may have reserved something. */
  leave(): void
}

export interface Queue<T> {
  /** Null where there is no place left: whoever comes then does not wait. */
  join(waiting: Waiting<T>): Place<T> | null
  /** The first of these budgets that somebody waits for: who comes later stands behind them. */
  waitedFor(budgets: readonly BudgetKey[]): BudgetKey | null
  /** Something may have been given back to these budgets. */
  freed(budgets: Iterable<BudgetKey>): void
  /** Calls that wait. */
  size(): number
}

export function createQueue<T>({ timer, clock }: { readonly timer: Timer; readonly clock: Clock }): Queue<T> {
  const lines = new Map<BudgetKey, BudgetLine<T>>()
  let [size, bytes] = [0, 0]
  return {
    join: waiting => {
      const line = lines.get(waiting.budget) ?? new BudgetLine<T>(timer, () => lines.delete(waiting.budget))
      if (size >= QUEUE_MAX || line.size >= QUEUE_OF_BUDGET_MAX || bytes + waiting.bytes > QUEUE_BYTES_MAX) return null
      lines.set(waiting.budget, line)
      size++
      bytes += waiting.bytes
      const place = line.join(waiting, Math.max(0, waiting.untilMs - clock.monotonicMs()))
      const left = (): void => {
        size--
        bytes -= waiting.bytes
      }
      place.outcome.then(left, left)
      return place
    },
    waitedFor: budgets => (lines.size === 0 ? null : (budgets.find(budget => lines.has(budget)) ?? null)),
    freed: budgets => {
      if (lines.size > 0) for (const budget of budgets) lines.get(budget)?.tryNow()
    },
    size: () => size,
  }
}

interface Stander<T> {
  readonly waiting: Waiting<T>
  readonly settle: PromiseWithResolvers<T | null>
  last: T | null
  /** Its time is over, or its client left. */
  isOver: boolean
}

/** Those who wait for one budget: a line for each caller, and whose turn it is. */
class BudgetLine<T> {
  readonly #timer: Timer
  readonly #emptied: () => void
  /** In the order of their turns. */
  readonly #callers = new Map<string, Stander<T>[]>()
  #size = 0
  #trying: Stander<T> | null = null
  #again = false
  #pollMs = QUEUE_POLL_MS
  #callOff: (() => void) | null = null

  constructor(timer: Timer, emptied: () => void) {
    this.#timer = timer
    this.#emptied = emptied
  }

  get size(): number {
    return this.#size
  }

  join(waiting: Waiting<T>, ms: number): Place<T> {
    const stander: Stander<T> = { waiting, settle: Promise.withResolvers<T | null>(), last: waiting.last, isOver: false }
    const own = this.#callers.get(waiting.caller)
    if (own === undefined) this.#callers.set(waiting.caller, [stander])
    else own.push(stander)
    this.#size++
    const callOff = this.#timer.after(ms, () => void this.#giveUp(stander, true))
    stander.settle.promise.then(callOff, callOff)
    this.#poll()
    return { outcome: stander.settle.promise, leave: () => void this.#giveUp(stander, false) }
  }

  tryNow(): void {
    this.#pollMs = QUEUE_POLL_MS
    void this.#try()
  }

  /** Whoever is first tries, then the next, until one must go on waiting. One attempt at a time. */
  async #try(): Promise<void> {
    this.#again = true
    if (this.#trying !== null) return
    while (this.#again) {
      this.#again = false
      for (let first = this.#first(); first !== null; first = this.#first()) {
        this.#trying = first
        const goesOn = await this.#attempt(first)
        this.#trying = null
        if (goesOn) break
      }
    }
    this.#poll()
  }

  /** Whether the call goes on waiting. */
  async #attempt(stander: Stander<T>): Promise<boolean> {
    try {
      const outcome = await stander.waiting.attempt()
      stander.last = outcome
      if (stander.waiting.waits(outcome) && !stander.isOver) return true
      this.#remove(stander, true)
      stander.settle.resolve(outcome)
    } catch (fault) {
      this.#remove(stander, true)
      stander.settle.reject(fault)
    }
    return false
  }

  /** `hears`: somebody is still there, who is to hear of an attempt at least. */
  async #giveUp(stander: Stander<T>, hears: boolean): Promise<void> {
    if (stander.isOver) return
    stander.isOver = true
    if (this.#trying === stander) return
    this.#remove(stander, false)
    if (stander.last === null && hears) await this.#attempt(stander)
    else stander.settle.resolve(stander.last)
  }

  #first(): Stander<T> | null {
    for (const standers of this.#callers.values()) return standers[0] ?? null
    return null
  }

  /** `served`: then the turn of its caller is over. */
  #remove(stander: Stander<T>, served: boolean): void {
    const { caller } = stander.waiting
    const own = this.#callers.get(caller)
    const at = own?.indexOf(stander) ?? -1
    if (own === undefined || at < 0) return
    own.splice(at, 1)
    this.#size--
    if (served || own.length === 0) this.#callers.delete(caller)
    if (served && own.length > 0) this.#callers.set(caller, own)
    if (this.#size > 0) return
    this.#callOff?.()
    this.#emptied()
  }

  /** Slower each time that nothing came of it. */
  #poll(): void {
    if (this.#callOff !== null || this.#size === 0) return
    this.#callOff = this.#timer.after(this.#pollMs, () => {
      this.#callOff = null
      this.#pollMs = Math.min(QUEUE_POLL_MAX_MS, this.#pollMs * 2)
      void this.#try()
    })
  }
}
