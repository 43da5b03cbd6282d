// One gRPC stream of ext_proc as one exchange: the proxy's messages become calls on it, its answers become replies, in order: exactly one
// to each message, but for bodies in full duplex. Knows no money and no format; never does I/O of its own.
import { status } from '@grpc/grpc-js'
import { assert } from '../core/assert.ts'
import { type BodyAnswer, type Exchange, type HeaderChange, NO_CHANGE, type Refusal } from '../enforcer/exchange.ts'
import { HELD_MESSAGES_MAX } from '../limits.ts'
import { AnswerSide } from './answer-side.ts'
import { requestInfo, routeSettings } from './attributes.ts'
import { type Call, type Doorway, type OpenStream, overloadRefusal, refusesMore, tooLargeRefusal, wiringRefusal } from './doorway.ts'
import { KeptBody, streamed } from './duplex.ts'
import type { ProcessingRequest, WireBody, WireHeaders } from './protos.ts'
import { amendedReply, bothChanges, changedReply, type Metadata, type Part, refusalReply } from './reply.ts'
import { Talk } from './talk.ts'
import { modesOf } from './wiring.ts'

/**
 * `fresh` nothing came yet · `body` the body comes · `verdict` it is being judged, and later messages wait · `answer` admitted, the
 * answer comes · `echo` nothing is seen any more, but the proxy must have back what it sends · `refused` the client was answered.
 */
type Phase = 'fresh' | 'body' | 'verdict' | 'answer' | 'echo' | 'refused'

const NO_BYTES = new Uint8Array(0)
const UNMETERED: Metadata = { verdict: 'unmetered' }

export class ExchangeStream implements OpenStream {
  readonly #call: Call
  readonly #door: Doorway
  readonly #talk: Talk
  readonly #answer: AnswerSide
  #phase: Phase = 'fresh'
  #exchange: Exchange | null = null
  /** Not null where the body comes in full duplex: what came of it, and what the headers' reply is to change, which waits for it. */
  #duplex: { readonly body: KeptBody; change: HeaderChange } | null = null
  #held: ProcessingRequest[] = []

  constructor(call: Call, door: Doorway) {
    this.#call = call
    this.#door = door
    this.#talk = new Talk(call, door, () => this.#finished())
    this.#answer = new AnswerSide(this.#talk, door)
    door.streams.add(this)
    call.on('data', message => this.#receive(message))
  }

  drain(): void {
    try {
      const end = this.#answer.exchange?.drain() === 'end'
      // Leaving before the verdict would let the call through.
      if (end && this.#phase !== 'body' && this.#phase !== 'verdict') this.#seenEnough()
    } catch (fault) {
      this.#fail(fault)
    }
  }

  abandon(): void {
    this.#talk.break(status.UNAVAILABLE, 'the server is going away')
  }

  #receive(message: ProcessingRequest) {
    if (this.#talk.over || this.#call.cancelled) return
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
    if (message.observabilityMode === true) this.#talk.observed = true
    if (this.#phase === 'refused') return this.#talk.leave()
    switch (message.request) {
      case 'responseBody':
        return this.#answer.body(message.responseBody ?? {})
      case 'requestHeaders':
        return this.#requestHeaders(message, message.requestHeaders ?? {})
      case 'requestBody':
        return this.#requestBody(message.requestBody ?? {})
      case 'responseHeaders':
        if (!this.#answer.headers(message, message.responseHeaders ?? {})) this.#seenEnough()
        else if (this.#phase === 'fresh') this.#phase = 'answer'
        return
      case 'requestTrailers':
        if (this.#phase !== 'body') return this.#talk.goOn('requestTrailers')
        // A body that never came is an empty one.
        return this.#judge(this.#duplex?.body.whole() ?? NO_BYTES, 'requestTrailers', NO_CHANGE)
      case 'responseTrailers':
        return this.#answer.trailers()
      default:
        throw new Error('the proxy sent a message of a kind that this version does not know')
    }
  }

  #requestHeaders(message: ProcessingRequest, head: WireHeaders) {
    if (this.#phase !== 'fresh') return this.#refuseWiring('The proxy sent request headers twice on one stream.')
    // A settling filter that is shown the request too: the filter before has judged it.
    if (this.#talk.observed && this.#answer.resume(message)) {
      this.#phase = 'answer'
      return
    }
    const modes = modesOf(message.protocolConfig)
    if (typeof modes === 'string') return this.#refuseWiring(modes)
    if (refusesMore(this.#door)) return this.#refuseUnasked(overloadRefusal)
    this.#exchange = this.#door.factory.open()
    this.#answer.begin(this.#exchange)
    this.#answer.mode = modes.response
    const info = requestInfo(message, head, routeSettings(this.#call.metadata))
    if (modes.request === 'duplex') this.#duplex = { body: new KeptBody(), change: NO_CHANGE }
    const answer = this.#exchange.requestHeaders(modes.response === 'unseen' ? { ...info, answersElsewhere: true } : info)
    if (answer.kind === 'refuse') return this.#refuse(answer.refusal)
    if (answer.kind === 'read-body') {
      if (info.endOfStream) return this.#judge(NO_BYTES, 'requestHeaders', answer.change)
      this.#phase = 'body'
      // In full duplex the body comes all the same, and nothing goes on before the verdict.
      if (this.#duplex !== null) this.#duplex.change = answer.change
      else this.#talk.goOn('requestHeaders', answer.change)
      return
    }
    this.#talk.reply(changedReply('requestHeaders', answer.change, UNMETERED))
    this.#phase = 'answer'
    if (answer.kind === 'pass' || modes.response === 'unseen') this.#seenEnough()
  }

  #requestBody({ body = NO_BYTES, endOfStream = false }: Omit<WireBody, 'body'> & { readonly body?: Uint8Array }) {
    if (this.#phase === 'fresh') return this.#refuseWiring('The ext_proc filter has request_header_mode SKIP: it must be SEND.')
    if (this.#phase !== 'body') {
      if (this.#duplex !== null) return this.#stream(body, endOfStream)
      if (this.#talk.observed) return
      return this.#refuseWiring('The proxy sent a request body in more than one piece.')
    }
    if (this.#door.verdicts.full()) return this.#refuseUnasked(overloadRefusal) // many bodies came since its headers
    if (this.#duplex === null) return this.#judge(body, 'requestBody', NO_CHANGE)
    if (!this.#duplex.body.push(body)) return this.#refuseUnasked(tooLargeRefusal)
    if (endOfStream) this.#judge(this.#duplex.body.whole(), 'requestBody', NO_CHANGE)
  }

  /** Asks for the verdict, which answers the message `part`; `change` is what that reply changes besides. */
  #judge(body: Uint8Array, part: Part, change: HeaderChange) {
    assert(this.#exchange !== null, 'a body follows headers')
    this.#phase = 'verdict'
    this.#door.verdicts.during(this.#exchange.requestBody(body)).then(
      answer => this.#judged(answer, body, part, change),
      fault => this.#fail(fault),
    )
  }

  #judged(answer: BodyAnswer, body: Uint8Array, part: Part, change: HeaderChange) {
    if (this.#talk.over) return
    if (this.#call.cancelled) return this.#talk.finish()
    try {
      this.#writeVerdict(answer, body, part, change)
      const held = this.#held
      this.#held = []
      for (const message of held) this.#receive(message)
      if (this.#call.isPaused()) this.#call.resume()
    } catch (fault) {
      this.#fail(fault)
    }
  }

  #writeVerdict(answer: BodyAnswer, body: Uint8Array, part: Part, change: HeaderChange) {
    switch (answer.kind) {
      case 'gone':
        throw new Error('an exchange took its client for gone, but the stream is open')
      case 'refuse':
        return this.#refuse(answer.refusal)
      case 'pass':
        this.#letGo(part, body, answer.body, bothChanges(change, answer.change), UNMETERED)
        if (!answer.tell || this.#answer.mode === 'unseen') return this.#seenEnough()
        this.#phase = 'answer'
        return
      case 'admit':
        this.#letGo(part, body, answer.body, bothChanges(change, answer.change), { ...answer.metadata, verdict: 'admitted' })
        this.#phase = 'answer'
        this.#exchange?.verdictWritten()
        if (this.#answer.mode === 'unseen') this.#seenEnough()
    }
  }

  /** The request goes on; in full duplex all of it is sent by us. */
  #letGo(part: Part, body: Uint8Array, amended: Uint8Array | null, change: HeaderChange, metadata: Metadata) {
    if (this.#duplex === null || part === 'requestHeaders') return this.#talk.reply(amendedReply(part, amended, change, metadata))
    const all = bothChanges(this.#duplex.change, change)
    // The length that the client gave is not that of another body.
    const changed = amended === null ? all : { ...all, remove: [...all.remove, 'content-length'] }
    this.#talk.reply(changedReply('requestHeaders', changed, metadata))
    this.#stream(amended ?? body, part === 'requestBody')
    if (part === 'requestTrailers') this.#talk.goOn(part)
  }

  #stream(body: Uint8Array, endOfStream: boolean) {
    for (const reply of streamed('requestBody', body, endOfStream)) this.#talk.reply(reply)
  }

  /** Nothing more needs to be seen: the stream is left, unless that would lose what the proxy waits to have back. */
  #seenEnough() {
    const { mode } = this.#answer
    if (mode !== 'duplex' && (this.#duplex === null || mode === 'unseen')) return this.#talk.leave()
    this.#phase = 'echo'
    this.#answer.ignore()
  }

  #refuseWiring(sentence: string) {
    this.#door.complaints.warn(sentence)
    this.#refuseUnasked(wiringRefusal(sentence))
  }

  /** A refusal of the door's own, of which no exchange knows. */
  #refuseUnasked(refusal: Refusal) {
    this.#door.factory.refused(refusal.reason)
    this.#refuse(refusal)
  }

  /** The stream is left to the proxy, which ends it when the client has its answer. */
  #refuse(refusal: Refusal) {
    this.#talk.reply(refusalReply(refusal))
    this.#phase = 'refused'
    if (this.#talk.observed) this.#talk.leave()
  }

  /** A bug of ours: before the verdict the call fails, after it the client keeps its answer. */
  #fail(fault: unknown) {
    this.#door.complaints.error('an exchange failed', fault)
    if (this.#phase === 'answer') return this.#seenEnough()
    this.#talk.break(status.INTERNAL, 'internal error')
  }

  #finished() {
    this.#held = []
    try {
      this.#answer.exchange?.closed(this.#door.lag.wasLate())
    } catch (fault) {
      this.#door.complaints.error('an exchange could not be closed', fault)
    }
    const { streams } = this.#door
    streams.delete(this)
    if (streams.size === 0) this.#door.emptied()
  }
}
