// The answer's messages of one ext_proc stream: shown to the exchange that waits for them, and replied to. An answer is never harmed: what
// was paid for reaches the client.
import { type AnswerExchange, NO_CHANGE } from '../enforcer/exchange.ts'
import { handoverIn, responseInfo } from './attributes.ts'
import type { Doorway } from './doorway.ts'
import { streamed } from './duplex.ts'
import type { ProcessingRequest, WireBody, WireHeaders } from './protos.ts'
import { type Part, replacedPiece } from './reply.ts'
import type { Talk } from './talk.ts'
import { answerMode, type Modes } from './wiring.ts'

const NO_BYTES = new Uint8Array(0)

export class AnswerSide {
  mode: Modes['response'] = 'metered'
  readonly #talk: Talk
  readonly #door: Doorway
  #exchange: AnswerExchange | null = null
  #phase: 'waiting' | 'metering' | 'over' = 'waiting'

  constructor(talk: Talk, door: Doorway) {
    this.#talk = talk
    this.#door = door
  }

  /** Null while nothing is known of an exchange. */
  get exchange(): AnswerExchange | null {
    return this.#exchange
  }

  begin(exchange: AnswerExchange): void {
    this.#exchange = exchange
  }

  /** Takes up the exchange that a filter before this one began; false where the metadata tells of none. */
  resume(message: ProcessingRequest): boolean {
    const handover = handoverIn(message.metadataContext)
    this.#exchange = handover === null ? null : this.#door.factory.resume(handover)
    this.mode = answerMode(message.protocolConfig)
    return this.#exchange !== null
  }

  /** False where nothing more needs to be seen. */
  headers(message: ProcessingRequest, head: WireHeaders): boolean {
    if (this.#phase === 'metering') {
      this.#odd('responseHeaders', 'The proxy sent response headers twice on one stream.')
      return true
    }
    // Without an exchange another filter answered before us (a 401, say): nothing is open.
    const taken = this.#phase === 'waiting' && (this.#exchange !== null || this.resume(message))
    const answer = taken ? this.#exchange?.responseHeaders(responseInfo(message, head)) : undefined
    this.#talk.goOn('responseHeaders', answer?.change ?? NO_CHANGE)
    this.#phase = answer?.kind === 'meter' ? 'metering' : 'over'
    return this.#phase === 'metering'
  }

  body({ body = NO_BYTES, endOfStream = false }: Partial<Omit<WireBody, 'body'>> & { readonly body?: Uint8Array }): void {
    const metered = this.#phase === 'metering' ? this.#exchange : null
    const piece = metered?.responseBody(body, endOfStream) ?? null
    if (this.mode === 'duplex') for (const reply of streamed('responseBody', piece ?? body, endOfStream)) this.#talk.reply(reply)
    else if (piece !== null) this.#talk.reply(replacedPiece(piece))
    else if (this.#phase === 'waiting') this.#odd('responseBody', 'The ext_proc filter has response_header_mode SKIP: it must be SEND.')
    else this.#talk.goOn('responseBody')
    if (endOfStream) this.#leaveIfObserved()
  }

  trailers(): void {
    this.#exchange?.responseTrailers()
    this.#talk.goOn('responseTrailers')
    this.#leaveIfObserved()
  }

  /** Nothing is seen any more; what comes all the same goes on as it is. */
  ignore(): void {
    this.#phase = 'over'
  }

  /** The proxy would keep an observing stream for seconds, and count each as a call. */
  #leaveIfObserved() {
    if (this.#talk.observed) this.#talk.leave()
  }

  #odd(part: Part, sentence: string) {
    this.#door.complaints.warn(sentence)
    this.#talk.goOn(part)
  }
}
