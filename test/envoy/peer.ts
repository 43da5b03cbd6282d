// The other side of the door for tests: a gRPC client that speaks as Envoy does, and an exchange that plays a script and keeps a record.
import { setImmediate as turn } from 'node:timers/promises'
import {
  type ChannelCredentials,
  type Client,
  type ClientDuplexStream,
  credentials,
  type Metadata,
  makeGenericClientConstructor,
  type ServiceDefinition,
} from '@grpc/grpc-js'
import type {
  BodyAnswer,
  Exchange,
  HeadAnswer,
  HeaderChange,
  Refusal,
  RequestInfo,
  ResponseAnswer,
  ResponseInfo,
  Testimony,
} from '../../src/enforcer/exchange.ts'
import { loadProtos, type ProcessingRequest, type ProcessingResponse, SERVICE_NAME, type WireHeader } from '../../src/envoy/protos.ts'
import { type Door, openDoor } from '../../src/envoy/server.ts'
import type { DoorLog } from '../../src/envoy/wiring.ts'
import type { Clock } from '../../src/ports.ts'

export const CLOCK: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() }
export const NO_CHANGE: HeaderChange = { set: [], remove: [] }
export const REFUSAL: Refusal = {
  status: 402,
  headers: [
    ['content-type', 'application/json'],
    ['x-should-retry', 'false'],
  ],
  body: '{"no":"money"}',
  reason: 'exhausted',
}

/** The only text that a {@link House} takes for a handover of its own. */
export const HANDOVER = 'ours'

export interface Script {
  readonly head?: HeadAnswer
  /** Called with the body; may wait. */
  readonly body?: (body: Uint8Array) => Promise<BodyAnswer>
  readonly response?: ResponseAnswer
  readonly piece?: (piece: Uint8Array) => Uint8Array | null
  readonly drain?: 'end' | 'keep'
}

/** Every call on it, in order; `closed` counts as the last one that may come. */
export class ScriptedExchange implements Exchange {
  readonly calls: string[] = []
  readonly requests: RequestInfo[] = []
  readonly responses: ResponseInfo[] = []
  /** What the door did against the rules. */
  readonly offences: string[] = []
  readonly #script: Script
  #waiting: { readonly call: string; readonly resolve: () => void }[] = []

  constructor(script: Script) {
    this.#script = script
  }

  /** Resolves when this call has been made. */
  seen(call: string): Promise<void> {
    if (this.calls.includes(call)) return Promise.resolve()
    return new Promise(resolve => this.#waiting.push({ call, resolve }))
  }

  requestHeaders(info: RequestInfo): HeadAnswer {
    this.requests.push(info)
    this.#note('requestHeaders')
    return this.#script.head ?? { kind: 'read-body', change: NO_CHANGE }
  }

  requestBody(body: Uint8Array): Promise<BodyAnswer> {
    this.#note(`requestBody ${Buffer.from(body)}`)
    return this.#script.body?.(body) ?? Promise.resolve({ kind: 'admit', body: null, change: NO_CHANGE, metadata: {} })
  }

  verdictWritten(): void {
    this.#note('verdictWritten')
  }

  responseHeaders(info: ResponseInfo): ResponseAnswer {
    this.responses.push(info)
    this.#note('responseHeaders')
    return this.#script.response ?? { kind: 'meter', change: NO_CHANGE }
  }

  responseBody(piece: Uint8Array, endOfStream: boolean): Uint8Array | null {
    this.#note(`responseBody ${Buffer.from(piece)}${endOfStream ? ' end' : ''}`)
    return this.#script.piece?.(piece) ?? null
  }

  responseTrailers(): void {
    this.#note('responseTrailers')
  }

  closed(): void {
    this.#note('closed')
  }

  drain(): 'end' | 'keep' {
    this.#note('drain')
    return this.#script.drain ?? 'end'
  }

  #note(call: string): void {
    if (this.calls.includes('closed')) this.offences.push(`${call} after closed`)
    if (call === 'verdictWritten' && this.calls.includes(call)) this.offences.push('verdictWritten twice')
    this.calls.push(call)
    const met = this.#waiting.filter(waiting => waiting.call === call)
    this.#waiting = this.#waiting.filter(waiting => waiting.call !== call)
    for (const { resolve } of met) resolve()
  }
}

export class KeptLog implements DoorLog {
  readonly warnings: string[] = []
  readonly errors: string[] = []

  warn(message: string): void {
    this.warnings.push(message)
  }

  error(message: string, fault: unknown): void {
    this.errors.push(`${message}: ${fault instanceof Error ? fault.message : String(fault)}`)
  }
}

/** A door whose next exchanges play `script`. */
export class House {
  readonly log: KeptLog = new KeptLog()
  readonly exchanges: ScriptedExchange[] = []
  readonly testimonies: Testimony[] = []
  readonly refusals: string[] = []
  script: Script = {}
  admitting = true
  #door: Door | null = null

  static async open(tls: Parameters<typeof openDoor>[1]['tls'] = null, listen = '127.0.0.1:0'): Promise<House> {
    const house = new House()
    const factory = {
      open: () => {
        const exchange = new ScriptedExchange(house.script)
        house.exchanges.push(exchange)
        return exchange
      },
      resume: (handover: string) => {
        if (handover !== HANDOVER) return null
        const exchange = new ScriptedExchange(house.script)
        house.exchanges.push(exchange)
        return exchange
      },
      witness: (testimony: Testimony) => void house.testimonies.push(testimony),
      refused: (reason: string) => void house.refusals.push(reason),
      admitting: () => house.admitting,
    }
    house.#door = await openDoor(factory, { listen, tls, clock: CLOCK, log: house.log })
    house.#door.serve()
    return house
  }

  get door(): Door {
    if (this.#door === null) throw new Error('no door was opened')
    return this.#door
  }

  /** The exchange that was opened last. */
  get exchange(): ScriptedExchange {
    const last = this.exchanges.at(-1)
    if (last === undefined) throw new Error('no exchange was opened')
    return last
  }

  connect(channel: ChannelCredentials = credentials.createInsecure()): Envoy {
    return new Envoy(this.door.port, channel)
  }
}

export interface DecodedReply extends ProcessingResponse {
  readonly response: string
}

/** A client that opens streams as Envoy does. */
export class Envoy {
  readonly client: Client

  /** `at`: a port of this machine, or `unix:/path`. */
  constructor(at: number | string, channel: ChannelCredentials) {
    const Processor = makeGenericClientConstructor(loadProtos()[SERVICE_NAME] as unknown as ServiceDefinition, SERVICE_NAME)
    this.client = new Processor(typeof at === 'number' ? `127.0.0.1:${at}` : at, channel, { 'grpc.max_receive_message_length': -1 })
  }

  open(metadata?: Metadata): Stream {
    return new Stream((this.client as unknown as { Process(metadata?: Metadata): Duplex }).Process(metadata))
  }

  close(): void {
    this.client.close()
  }
}

type Duplex = ClientDuplexStream<ProcessingRequest, DecodedReply>

export class Stream {
  readonly replies: DecodedReply[] = []
  /** The gRPC status, once the stream is over. */
  readonly ended: Promise<number>
  readonly #call: Duplex
  #status: number | null = null
  #changed: (() => void)[] = []

  constructor(call: Duplex) {
    this.#call = call
    call.on('data', reply => {
      this.replies.push(reply)
      this.#wake()
    })
    call.on('error', () => {})
    this.ended = new Promise(resolve => {
      call.on('status', ({ code }) => {
        this.#status = code
        resolve(code)
        this.#wake()
      })
    })
  }

  send(message: ProcessingRequest): void {
    if (this.#status === null) this.#call.write(message)
  }

  /** Sends, and resolves when the message has left this side. */
  sent(message: ProcessingRequest): Promise<void> {
    return new Promise(resolve => this.#call.write(message, () => resolve()))
  }

  /** Sends, and waits for one more reply or the end of the stream; null at the end. */
  async ask(message: ProcessingRequest): Promise<DecodedReply | null> {
    const before = this.replies.length
    this.send(message)
    await this.until(before + 1)
    return this.replies[before] ?? null
  }

  /** Waits for `count` replies, or for the end. */
  async until(count: number): Promise<void> {
    while (this.replies.length < count && this.#status === null) await new Promise<void>(resolve => this.#changed.push(resolve))
  }

  halfClose(): void {
    this.#call.end()
  }

  cancel(): void {
    this.#call.cancel()
  }

  #wake(): void {
    const waiting = this.#changed
    this.#changed = []
    for (const resolve of waiting) resolve()
  }
}

export const MODES: NonNullable<ProcessingRequest['protocolConfig']> = { requestBodyMode: 'BUFFERED', responseBodyMode: 'STREAMED' }
export const POST: readonly (readonly [string, string])[] = [
  [':method', 'POST'],
  [':path', '/v1/chat/completions?x=1'],
  [':authority', 'gateway.local'],
]

export const wire = (headers: readonly (readonly [string, string])[]): readonly WireHeader[] =>
  headers.map(([key, value]) => ({ key, rawValue: Buffer.from(value) }))

export function head(
  headers: readonly (readonly [string, string])[] = POST,
  more: ProcessingRequest = {},
  endOfStream = false,
): ProcessingRequest {
  return { requestHeaders: { headers: { headers: wire(headers) }, endOfStream }, protocolConfig: MODES, ...more }
}

export const body = (text: string, endOfStream = true): ProcessingRequest => ({ requestBody: { body: Buffer.from(text), endOfStream } })

export const answer = (status: string, more: ProcessingRequest = {}, endOfStream = false): ProcessingRequest => ({
  responseHeaders: { headers: { headers: wire([[':status', status]]) }, endOfStream },
  ...more,
})

export const piece = (text: string, endOfStream = false): ProcessingRequest => ({ responseBody: { body: Buffer.from(text), endOfStream } })

/** Lets the event loop turn `count` times. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn()
}

/** A promise and its ends, for a verdict that waits for the test. */
export function later<T>(): {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (fault: unknown) => void
} {
  return Promise.withResolvers<T>()
}
