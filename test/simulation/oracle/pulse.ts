// The oracle's view of who lives: beats as the store heard them, and its own silences. A holder is swept for a silence of its own only.
import type { Entry } from '../../../src/core/shelf.ts'
import { HOLDER_STALE_MS, RESUME_GAP_MS } from '../../../src/limits.ts'
import { type Move, type Outcome, onlyReads } from '../move.ts'

export class Pulse {
  /** Reservations that were swept because their holder was silent: who, and when by store time. */
  readonly swept: { readonly id: string; readonly holder: string; readonly storeMs: number }[] = []
  readonly #beats = new Map<string, number>()
  readonly #holders = new Map<string, string>()
  readonly #fail: (what: string) => void
  #markMs = 0
  #heardMs = 0
  #resumedMs = 0

  constructor(fail: (what: string) => void) {
    this.#fail = fail
  }

  /** Whether the holder was heard of lately, by the store's own last word. */
  knows(holder: string): boolean {
    return this.#markMs - (this.#beats.get(holder) ?? Number.NEGATIVE_INFINITY) <= HOLDER_STALE_MS
  }

  take(asked: Move, outcome: Outcome, entries: readonly Entry[]): void {
    if (!('storeMs' in outcome) || onlyReads(asked)) return
    const { storeMs } = outcome
    const isMutation = entries.length > 0 || WITHOUT_ENTRY.includes(outcome.kind)
    if (isMutation) {
      if (storeMs < this.#markMs) this.#fail(`store time ran back from ${this.#markMs} to ${storeMs}`)
      if (storeMs - this.#heardMs > RESUME_GAP_MS) this.#resumedMs = storeMs
      this.#markMs = storeMs
    }
    // A refusal may have noted that a limit is in use, which is a mutation too.
    if (isMutation || outcome.kind === 'refused') this.#heardMs = storeMs
    if (asked.kind === 'beat' && outcome.kind === 'beating') this.#beats.set(asked.move, storeMs)
    if ((asked.kind === 'reserve' && outcome.kind === 'reserved') || (asked.kind === 'reassert' && outcome.kind === 'reasserted')) {
      this.#beats.set(asked.move.holder, storeMs)
      this.#holders.set(asked.move.id, asked.move.holder)
    }
    for (const entry of entries) if (entry.what === 'expired') this.#expired(entry)
  }

  #expired({ id, how, storeMs }: Entry): void {
    if (how !== 'holder') return
    const holder = this.#holders.get(id) ?? ''
    const heardMs = Math.max(this.#beats.get(holder) ?? 0, this.#resumedMs)
    if (storeMs - heardMs <= HOLDER_STALE_MS) this.#fail(`${id} was swept although its holder was heard ${storeMs - heardMs} ms ago`)
    this.swept.push({ id, holder, storeMs })
  }
}

/** Outcomes that raise the mark without an entry. */
const WITHOUT_ENTRY: readonly string[] = ['beating', 'observed', 'swept', 'acknowledged']
