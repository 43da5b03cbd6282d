// The reservations that a proof still needs: open ones, and closed ones for as long as the ledger remembers them. Judges nothing.
import type { LedgerRules } from './ledger-rules.ts'
import { type Held, rememberedMs } from './verify-reservation.ts'

/** Bounded as the ledger's own records are, however long the stream is. */
export class HeldReservations {
  readonly #rules: LedgerRules
  readonly #held = new Map<string, Held>()
  readonly #open = new Set<string>()
  /** Closed ones by how long they are kept, each in the order of their closing. */
  readonly #closed = new Map<number, Map<string, number>>()

  constructor(rules: LedgerRules) {
    this.#rules = rules
  }

  get(id: string): Held | null {
    return this.#held.get(id) ?? null
  }

  get size(): number {
    return this.#held.size
  }

  /** Ids of those that are open, or may be. */
  open(): ReadonlySet<string> {
    return this.#open
  }

  put(id: string, held: Held, storeMs: number): void {
    this.#held.set(id, held)
    if (held.states.includes('open')) this.#open.add(id)
    else this.#open.delete(id)
    for (const closed of this.#closed.values()) closed.delete(id)
    const keptMs = rememberedMs(held, this.#rules)
    if (keptMs === null) return
    const kept = this.#closed.get(keptMs) ?? new Map<string, number>()
    this.#closed.set(keptMs, kept.set(id, storeMs + keptMs))
  }

  /** Drops what the ledger may have dropped by now. */
  forget(nowMs: number): void {
    for (const closed of this.#closed.values()) {
      for (const [id, untilMs] of closed) {
        if (untilMs >= nowMs) break
        closed.delete(id)
        this.#held.delete(id)
        this.#open.delete(id)
      }
    }
  }
}
