// One gRPC stream of ext_proc as one exchange: Envoy's messages become calls on it, its answers become exactly one reply each, in order.
// Knows no money and no format; never does I/O of its own.
import { status } from '@grpc/grpc-js'
import { assert } from '../core/assert.ts'
import { type BodyAnswer, type Exchange, type HeaderChange, NO_CHANGE, type Refusal } from '../enforcer/exchange.ts'
import { HELD_MESSAGES_MAX } from '../limits.ts'
import { requestInfo, responseInfo, routeSettings } from './attributes.ts'
import { type Call, type Doorway, type OpenStream, overloadRefusal, refusesMore, wiringRefusal } from './doorway.ts'
import type { ProcessingRequest, Reply, WireBody, WireHeaders } from './protos.ts'
import { amendedReply, bothChanges, changedReply, type Metadata, type Part, refusalReply, replacedPiece, unchanged } from './reply.ts'
import { unusableModes } from './wiring.ts'

/**
 * `fresh` nothing came yet · `body` the body comes · `verdict` it is being judged, and later messages wait · `response` admitted, the
 * answer comes · `metering` its body passes · `refused` the client was answered · `over` nothing is said any more.
 */
type Phase = 'fresh' | 'body' | 'verdict' | 'response' | 'metering' | 'refused' | 'over'

const NO_BYTES = new Uint8Array(0)
const UNMETERED: Metadata = { verdict: 'unmetered' }

export class ExchangeStream implements OpenStream {
  readonly #call: Call
  readonly #door: Doorway
  #phase: Phase = 'fresh'
  #exchange: Exchange | null = null
  #observed = false
  #held: ProcessingRequest[] = []

  constructor(call: Call, door: Doorway) {
    this.#call = call
    this.#door = door
    door.streams.add(this)
    call.on('data', message => this.#receive(message))
    // Any of these may be missing, in any order; none of them tells why.
    const over = () => this.#finish()
    call.on('cancelled', over)
    call.on('close', over)
    call.on('error', over)
    call.on('end', () => this.#leave())
  }

  drain(): void {
    try {
      const end = this.#exchange?.drain() === 'end'
      // Leaving before the verdict would let the call through.
      if (end && this.#phase !== 'body' && this.#phase !== 'verdict') this.#leave()
    } catch (fault) {
      this.#fail(fault)
    }
  }

  abandon(): void {
    this.#break(status.UNAVAILABLE, 'the server is going away')
  }

  #receive(message: ProcessingRequest) {
    if (this.#phase === 'over' || this.#call.cancelled) return
    if (this.#phase === 'verdict') {
      this.#held.push(message)
      if (this.#held.length >= HELD_MESSAGES_MAX) this.#call.pause()
      return
    }
    try {
      this.#take(message)
    } catch (fault) {
      this.#fail(fault)
    }
  }

  #take(message: ProcessingRequest) {
    if (message.observabilityMode === true) this.#observed = true
    if (this.#phase === 'refused') return this.#leave()
    switch (message.request) {
      case 'responseBody':
        return this.#responseBody(message.responseBody ?? {})
      case 'requestHeaders':
        return this.#requestHeaders(message, message.requestHeaders ?? {})
      case 'requestBody':
        return this.#requestBody(message.requestBody ?? {})
      case 'responseHeaders':
        return this.#responseHeaders(message, message.responseHeaders ?? {})
      case 'requestTrailers':
        // A body that never came is an empty one.
        return this.#phase === 'body' ? this.#judge(NO_BYTES, 'requestTrailers', NO_CHANGE) : this.#goOn('requestTrailers')
      case 'responseTrailers':
        this.#exchange?.responseTrailers()
        return this.#goOn('responseTrailers')
      default:
        throw new Error('the proxy sent a message of a kind that this version does not know')
    }
  }

  #requestHeaders(message: ProcessingRequest, head: WireHeaders) {
    if (this.#phase !== 'fresh') return this.#refuseWiring('The proxy sent request headers twice on one stream.')
    const wrong = unusableModes(message.protocolConfig)
    if (wrong !== null) return this.#refuseWiring(wrong)
    if (refusesMore(this.#door)) return this.#refuse(overloadRefusal)
    this.#exchange = this.#door.factory.open()
    const info = requestInfo(message, head, routeSettings(this.#call.metadata))
    const answer = this.#exchange.requestHeaders(info)
    if (answer.kind === 'refuse') return this.#refuse(answer.refusal)
    if (answer.kind === 'pass') {
      this.#reply(changedReply('requestHeaders', answer.change, UNMETERED))
      return this.#leave()
    }
    if (answer.kind === 'watch') {
      this.#phase = 'response'
      return this.#reply(changedReply('requestHeaders', answer.change, UNMETERED))
    }
    if (info.endOfStream) return this.#judge(NO_BYTES, 'requestHeaders', answer.change)
    this.#phase = 'body'
    return this.#goOn('requestHeaders', answer.change)
  }

  #requestBody(body: WireBody) {
    if (this.#phase === 'fresh') return this.#refuseWiring('The ext_proc filter has request_header_mode SKIP: it must be SEND.')
    if (this.#phase !== 'body') return this.#refuseWiring('The proxy sent a request body in more than one piece.')
    if (this.#door.verdicts.full()) return this.#refuse(overloadRefusal) // many bodies came since its headers
    return this.#judge(body.body ?? NO_BYTES, 'requestBody', NO_CHANGE)
  }

  /** Asks for the verdict, which answers the message `part`; `change` is what that reply changes besides. */
  #judge(body: Uint8Array, part: Part, change: HeaderChange) {
    assert(this.#exchange !== null, 'a body follows headers')
    this.#phase = 'verdict'
    this.#door.verdicts.during(this.#exchange.requestBody(body)).then(
      answer => this.#judged(answer, part, change),
      fault => this.#fail(fault),
    )
  }

  #judged(answer: BodyAnswer, part: Part, change: HeaderChange) {
    if (this.#phase === 'over') return
    if (this.#call.cancelled) return this.#finish()
    try {
      this.#writeVerdict(answer, part, change)
      const held = this.#held
      this.#held = []
      for (const message of held) this.#receive(message)
      if (this.#call.isPaused()) this.#call.resume()
    } catch (fault) {
      this.#fail(fault)
    }
  }

  #writeVerdict(answer: BodyAnswer, part: Part, change: HeaderChange) {
    switch (answer.kind) {
      case 'gone':
        throw new Error('an exchange took its client for gone, but the stream is open')
      case 'refuse':
        return this.#refuse(answer.refusal)
      case 'pass':
        this.#reply(amendedReply(part, answer.body, bothChanges(change, answer.change), UNMETERED))
        if (!answer.tell) return this.#leave()
        this.#phase = 'response'
        return
      case 'admit': {
        const both = bothChanges(change, answer.change)
        const metadata = { ...answer.metadata, verdict: 'admitted' }
        this.#reply(amendedReply(part, answer.body, both, metadata))
        this.#phase = 'response'
        this.#exchange?.verdictWritten()
      }
    }
  }

  #responseHeaders(message: ProcessingRequest, head: WireHeaders) {
    if (this.#exchange === null) {
      // Another filter answered before us (a 401, say): nothing is open, so nothing is to be seen.
      this.#goOn('responseHeaders')
      return this.#leave()
    }
    if (this.#phase === 'metering') return this.#oddAnswer('responseHeaders', 'The proxy sent response headers twice on one stream.')
    const answer = this.#exchange.responseHeaders(responseInfo(message, head))
    this.#goOn('responseHeaders', answer.change)
    if (answer.kind === 'done') return this.#leave()
    this.#phase = 'metering'
  }

  #responseBody(body: WireBody) {
    if (this.#phase !== 'metering' || this.#exchange === null)
      return this.#oddAnswer('responseBody', 'The ext_proc filter has response_header_mode SKIP: it must be SEND.')
    const piece = this.#exchange.responseBody(body.body ?? NO_BYTES, body.endOfStream === true)
    if (piece === null) this.#goOn('responseBody')
    else this.#reply(replacedPiece(piece))
  }

  /** An answer is never harmed for the wiring's sake: what was paid for reaches the client. */
  #oddAnswer(part: Part, sentence: string) {
    this.#door.complaints.warn(sentence)
    this.#goOn(part)
  }

  #refuseWiring(sentence: string) {
    this.#door.complaints.warn(sentence)
    this.#refuse(wiringRefusal(sentence))
  }

  /** The stream is left to Envoy, which ends it when the client has its answer. */
  #refuse(refusal: Refusal) {
    this.#reply(refusalReply(refusal))
    this.#phase = 'refused'
    if (this.#observed) this.#leave()
  }

  #goOn(part: Part, change: HeaderChange = NO_CHANGE) {
    this.#reply(unchanged(change) ? this.#door.goOn[part] : changedReply(part, change, null))
  }

  #reply(reply: Reply) {
    if (!this.#observed) this.#call.write(reply)
  }

  /** Ends the stream well: Envoy goes on without us. */
  #leave() {
    const over = this.#phase === 'over'
    this.#finish()
    if (!over) this.#call.end()
  }

  /** A bug of ours: before the verdict the call fails, after it the client keeps its answer. */
  #fail(fault: unknown) {
    this.#door.complaints.error('an exchange failed', fault)
    if (this.#phase === 'response' || this.#phase === 'metering') return this.#leave()
    this.#break(status.INTERNAL, 'internal error')
  }

  /** Ends the stream badly: Envoy fails the call, or cuts the answer. */
  #break(code: number, details: string) {
    if (this.#phase === 'over') return
    this.#finish()
    this.#call.emit('error', Object.assign(new Error(details), { code, details }))
  }

  #finish() {
    if (this.#phase === 'over') return
    this.#phase = 'over'
    this.#held = []
    try {
      this.#exchange?.closed(this.#door.lag.wasLate())
    } catch (fault) {
      this.#door.complaints.error('an exchange could not be closed', fault)
    }
    const { streams } = this.#door
    streams.delete(this)
    if (streams.size === 0) this.#door.emptied()
  }
}
