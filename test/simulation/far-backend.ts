// A backend without Redis: one store that never loses what it wrote, behind a port of messages.
import { createModelLedger } from '../../src/core/ledger.ts'
import { LEDGER_RULES } from '../../src/limits.ts'
import type { Ledger } from '../../src/ports.ts'
import type { Backend } from './backend.ts'
import { openFarLedger } from './far-ledger.ts'
import type { Link } from './link.ts'
import type { Machine } from './machine.ts'
import { Book } from './oracle/book.ts'
import type { Process } from './process.ts'
import { Store } from './store.ts'
import type { StoreTrouble } from './trouble.ts'

const STREAM_MAX = 1_000_000

export class FarBackend implements Backend {
  readonly hasLost = false
  readonly takeovers = 0
  readonly reports: Backend['reports'] = []
  readonly lost: Backend['lost'] = new Map()
  readonly #store: Store
  readonly #links: readonly Link[]

  constructor(machine: Machine, links: readonly Link[], clockOffMs: number) {
    this.#links = links
    this.#store = new Store(machine, createModelLedger(LEDGER_RULES, STREAM_MAX), new Book(what => machine.fail(what)))
    this.#store.clockOffMs = clockOffMs
  }

  async openLedger(process: Process, link: Link): Promise<Ledger> {
    return openFarLedger(process, link, this.#store)
  }

  get book(): Book {
    return this.#store.book
  }

  get frozenMs(): number {
    return this.#store.frozenMs
  }

  seen(): ReadonlyMap<string, number> {
    return this.book.seen
  }

  begin(trouble: StoreTrouble, over: (end: () => void) => void): void {
    const store = this.#store
    switch (trouble.kind) {
      case 'store stalls':
        store.stall(trouble.forMs)
        break
      case 'store clock':
        store.clockOffMs += trouble.byMs
        over(() => (store.clockOffMs -= trouble.byMs))
        break
      default:
        // It restarts, with all that it had.
        store.isDown = true
        for (const link of this.#links) link.closeAll()
        over(() => (store.isDown = false))
    }
  }
}
