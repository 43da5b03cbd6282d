// A Ledger port whose store is far away: every move is a message on a connection, sent again once after a timeout, and not known after two
// or when the connection breaks. The same manners as the Redis adapter's, without its commands.
import type { LedgerFault } from '../../src/core/reservation.ts'
import { LEDGER_TIMEOUT_MS } from '../../src/limits.ts'
import type { Ledger } from '../../src/ports.ts'
import type { Link, Wire } from './link.ts'
import type { Move, MoveKind, Outcome, OutcomeOf } from './move.ts'
import type { Process } from './process.ts'
import type { Store } from './store.ts'

const REFUSED_MS = 2

export function openFarLedger(process: Process, link: Link, store: Store): Ledger {
  const far = new FarStore(process, link, store)
  return {
    reserve: move => far.ask<'reserve'>({ kind: 'reserve', move }),
    settle: move => far.ask<'settle'>({ kind: 'settle', move }),
    release: move => far.ask<'release'>({ kind: 'release', move }),
    beat: move => far.ask<'beat'>({ kind: 'beat', move }),
    observe: move => far.ask<'observe'>({ kind: 'observe', move }),
    adjust: move => far.ask<'adjust'>({ kind: 'adjust', move }),
    sweep: () => far.ask<'sweep'>({ kind: 'sweep' }),
    read: lines => far.ask<'read'>({ kind: 'read', lines }),
    list: query => far.ask<'list'>({ kind: 'list', query }),
    reservations: query => far.ask<'reservations'>({ kind: 'reservations', query }),
    entries: query => far.ask<'entries'>({ kind: 'entries', query }),
    find: id => far.ask<'find'>({ kind: 'find', id }),
    findByResponse: response => far.ask<'findByResponse'>({ kind: 'findByResponse', response }),
    acknowledge: seq => far.ask<'acknowledge'>({ kind: 'acknowledge', seq }),
    close: async () => far.close(),
  }
}

type Answer = (outcome: Outcome | LedgerFault) => void

class FarStore {
  readonly #process: Process
  readonly #link: Link
  readonly #store: Store
  #wire: Wire | null = null
  #waiting = new Set<Answer>()

  constructor(process: Process, link: Link, store: Store) {
    this.#process = process
    this.#link = link
    this.#store = store
  }

  ask<Kind extends MoveKind>(asked: Extract<Move, { kind: Kind }>): Promise<OutcomeOf<Kind> | LedgerFault> {
    return new Promise(resolve => {
      let callOff = (): void => {}
      let latest = -1
      const answer: Answer = outcome => {
        if (!this.#waiting.delete(answer)) return
        callOff()
        resolve(outcome as OutcomeOf<Kind> | LedgerFault) // a model answers each kind of move with its own kind of outcome
      }
      const send = (triesLeft: number): void => {
        // Only the answer to what was sent last counts: what came before may have been refused, and this not.
        latest = triesLeft
        this.#send(asked, outcome => latest === triesLeft && answer(outcome))
        callOff = this.#process.timer.after(LEDGER_TIMEOUT_MS, () => {
          if (triesLeft > 0) send(triesLeft - 1)
          else this.#giveUp('silent')
        })
      }
      this.#waiting.add(answer)
      if (this.#link.isRefused || this.#store.isDown) {
        callOff = this.#process.timer.after(REFUSED_MS, () => answer({ kind: 'unavailable', why: 'refused' }))
      } else send(1)
    })
  }

  close(): void {
    this.#giveUp('closed')
  }

  #send(asked: Move, answer: Answer): void {
    if (this.#wire === null) {
      const wire = this.#link.connect(this.#store, () => this.#process.run(() => wire === this.#wire && this.#giveUp('broken')))
      this.#wire = wire
    }
    const wallMs = this.#process.clock.wallMs()
    this.#wire.send(reply => {
      this.#store.serve(asked, wallMs, outcome => reply(() => this.#process.run(() => answer(outcome))))
    })
  }

  /** What waits on this connection is not known to have run; the next move makes a new one. */
  #giveUp(why: string): void {
    this.#wire?.close()
    this.#wire = null
    for (const answer of [...this.#waiting]) answer({ kind: 'unavailable', why })
  }
}
