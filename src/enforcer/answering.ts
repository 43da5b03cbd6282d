// The answer's half of an exchange: from the moment at which the call may be on its way to the one ending of its reservation. Knows
// nothing of the request but what its answer is read by, and neither lines nor ledger: whoever holds the reservation is told the ending.
import { assert } from '../core/assert.ts'
import { type Ending, isExact } from './charge.ts'
import { type AnswerExchange, NO_CHANGE, type ResponseAnswer, type ResponseInfo } from './exchange.ts'
import type { AnswerMeter } from './meter.ts'
import { earlierAttempts, endingAtHead } from './request.ts'

/** Who holds the reservation. Exactly one of the first two is called, once. */
export interface Holds {
  close(ending: Ending): void
  /** Nothing was sent. */
  release(how: string): void
  /** So many attempts before the last may have reached the provider; `requests`: 1 where the last counts for none. */
  retried(attempts: number, requests: bigint): void
  metering(meter: AnswerMeter): void
}

export interface Asked {
  /** What the answer is read by; null where it cannot be read. */
  readonly openMeter: (info: ResponseInfo) => AnswerMeter | null
  /** The route makes again only attempts that cannot have reached the provider. */
  readonly retriesUnsent: boolean
}

type State =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'metering'; readonly meter: AnswerMeter }
  /** The reservation is closed. */
  | { readonly kind: 'left' }

export class Answering implements AnswerExchange {
  readonly #holds: Holds
  readonly #asked: Asked
  #state: State = { kind: 'waiting' }

  constructor(holds: Holds, asked: Asked) {
    this.#holds = holds
    this.#asked = asked
  }

  responseHeaders(info: ResponseInfo): ResponseAnswer {
    if (this.#state.kind !== 'waiting') return DONE
    const { openMeter, retriesUnsent } = this.#asked
    const ending = endingAtHead(info)
    const earlier = earlierAttempts(info, retriesUnsent)
    if (earlier > 0) this.#holds.retried(earlier, ending === 'never-sent' ? 1n : 0n)
    if (ending === 'never-sent') {
      this.#state = { kind: 'left' }
      this.#holds.release(ending)
      return DONE
    }
    if (ending !== null) return this.#done(ending)
    const meter = openMeter(info)
    if (meter === null) return this.#done({ kind: 'unread' })
    this.#state = { kind: 'metering', meter }
    this.#holds.metering(meter)
    if (!info.endOfStream) return { kind: 'meter', change: NO_CHANGE }
    this.#finish(true)
    return DONE
  }

  responseBody(piece: Uint8Array, endOfStream: boolean): Uint8Array | null {
    if (this.#state.kind !== 'metering') return null
    const instead = this.#state.meter.push(piece, endOfStream)
    if (endOfStream) this.#finish(true)
    return instead
  }

  responseTrailers(): void {
    if (this.#state.kind === 'metering') this.#finish(true)
  }

  closed(unread: boolean): void {
    if (this.#state.kind === 'metering') this.#finish(false, unread)
    // The provider may have been asked.
    else if (this.#state.kind === 'waiting') this.#done({ kind: 'lost' })
  }

  drain(): 'end' {
    // The answer goes on without us, and so does its bill: only the whole estimate is sure to cover it.
    if (this.#state.kind !== 'left') this.#done({ kind: 'lost' })
    return 'end'
  }

  /**
   * `whole`: the answer ended by itself; `unread`: more may have come than was read. Settles when all that was handed over is read,
   * which for a compressed answer is a moment later.
   */
  #finish(whole: boolean, unread = false): void {
    const state = this.#state
    assert(state.kind === 'metering', 'only a metered answer is finished')
    this.#state = { kind: 'left' }
    state.meter.finish(whole, ending => this.#holds.close(unread && !isExact(ending) ? { kind: 'lost' } : ending))
  }

  #done(ending: Ending): ResponseAnswer {
    this.#state = { kind: 'left' }
    this.#holds.close(ending)
    return DONE
  }
}

const DONE: ResponseAnswer = { kind: 'done', change: NO_CHANGE }
