// What all streams of a door share, and the two refusals that are the door's own. Holds no state of any single stream.
import type { ServerDuplexStream } from '@grpc/grpc-js'
import { verdict } from '../core/verdict.ts'
import type { ExchangeFactory, Refusal } from '../enforcer/exchange.ts'
import { refusalOf } from '../enforcer/refuse.ts'
import { OPEN_EXCHANGES_MAX } from '../limits.ts'
import type { LoopLag } from './loop-lag.ts'
import type { ProcessingRequest, Reply } from './protos.ts'
import type { Part } from './reply.ts'
import type { VerdictQueue } from './verdict-queue.ts'
import type { Complaints } from './wiring.ts'

export type Call = ServerDuplexStream<ProcessingRequest, Reply>

export interface Doorway {
  readonly factory: ExchangeFactory
  readonly lag: LoopLag
  readonly verdicts: VerdictQueue
  readonly complaints: Complaints
  /** "Go on", encoded for every part. */
  readonly goOn: Readonly<Record<Part, Buffer>>
  /** The exchanges that are open. */
  readonly streams: Set<OpenStream>
  /** Streams of access logs: nobody waits for one. */
  readonly logs: Set<{ end(): void }>
  /** Called when the last stream has left. */
  emptied(): void
}

export interface OpenStream {
  /** The drain time is over: settles what can be, and leaves where that harms no client. What has no verdict yet stays. */
  drain(): void
  /** The server stops: ends the stream badly, so that nothing goes on unseen. */
  abandon(): void
}

/** Whether a call that begins now is refused; those that have begun are finished in any case. The stream that asks is among the open ones. */
export const refusesMore = ({ factory, lag, streams, verdicts }: Pick<Doorway, 'factory' | 'lag' | 'streams' | 'verdicts'>): boolean =>
  lag.overloaded() || verdicts.full() || streams.size > OPEN_EXCHANGES_MAX || !factory.admitting()

// The caller's dialect is the exchange's knowledge, and there is none yet.
export const overloadRefusal: Refusal = refusalOf(
  verdict('overload', 'The budget service is too busy to judge this call in time; try again in a second.'),
  'openai',
)

export const tooLargeRefusal: Refusal = refusalOf(verdict('too-large', 'The body is longer than any that is judged here.'), 'openai')

/** `sentence` is for whoever operates the proxy. */
export const wiringRefusal = (sentence: string): Refusal => refusalOf(verdict('wiring', sentence), 'openai')
