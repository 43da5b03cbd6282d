// The store of a simulation: one model ledger on one server, with a clock of its own. It may stall, be down, and come back. Whatever it
// does is told to the oracle in the same step.
import type { ModelLedger } from '../../src/core/ledger.ts'
import type { Machine } from './machine.ts'
import { type Move, moveText, type Outcome, onlyReads, perform } from './move.ts'
import type { Book } from './oracle/book.ts'

export class Store {
  /** How far its clock is from true time, ms. */
  clockOffMs = 0
  isDown = false
  readonly book: Book
  readonly #ledger: ModelLedger
  readonly #machine: Machine
  #seq = 0
  #markMs = 0
  #stalledUntilMs = Number.NEGATIVE_INFINITY

  constructor(machine: Machine, ledger: ModelLedger, book: Book) {
    this.#machine = machine
    this.#ledger = ledger
    this.book = book
  }

  get clockMs(): number {
    return Math.floor(this.#machine.nowMs + this.clockOffMs)
  }

  /** How long store time stands still, because its clock ran ahead before. */
  get frozenMs(): number {
    return Math.max(0, this.#markMs - this.clockMs)
  }

  stall(ms: number): void {
    this.#stalledUntilMs = Math.max(this.#stalledUntilMs, this.#machine.nowMs + ms)
  }

  /** A request arrives: it is worked off when the store comes to it, and answered to `reply`, or lost where the store is down. */
  serve(asked: Move, callerWallMs: number, reply: (outcome: Outcome) => void): void {
    if (this.isDown) return
    if (this.#machine.nowMs < this.#stalledUntilMs) {
      this.#machine.at(this.#stalledUntilMs, () => this.serve(asked, callerWallMs, reply))
      return
    }
    const outcome = this.apply(asked, callerWallMs)
    if (outcome !== null) reply(outcome)
  }

  /** One move in one step; null where the law itself broke, which ends the run. */
  apply(asked: Move, callerWallMs: number): Outcome | null {
    try {
      const outcome = perform(this.#ledger, asked, { storeClockMs: this.clockMs, callerWallMs: Math.floor(callerWallMs) })
      if (onlyReads(asked)) return outcome
      const { value: entries } = this.#ledger.entries({ afterSeq: this.#seq, count: 1_000 }, this.clockMs)
      this.#seq = entries.at(-1)?.seq ?? this.#seq
      this.#machine.note(`${moveText(asked)} -> ${outcome.kind}`)
      if ('storeMs' in outcome) this.#markMs = outcome.storeMs
      this.book.take(asked, outcome, entries)
      return outcome
    } catch (fault) {
      this.#machine.fail(`the store broke at ${moveText(asked)}: ${fault instanceof Error ? fault.message : String(fault)}`)
      return null
    }
  }

  /** Everything that the ledger holds now, for the last account. */
  get ledger(): ModelLedger {
    return this.#ledger
  }
}
