// What a door and an exchange say to each other: plain values, free of any proxy's protocol. The state machine is `lifecycle.ts`.

import type { Usage } from '../core/usage.ts'
import type { Reason } from '../core/verdict.ts'

export interface HeaderList {
  /** The first value of a header (lower-case name), null where it is absent. */
  get(name: string): string | null
  getAll(name: string): readonly string[]
  entries(): Iterable<readonly [string, string]>
}

export interface RequestInfo {
  readonly headers: HeaderList
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly authority: string
  /** Whether the request has no body. */
  readonly endOfStream: boolean
  readonly routeName: string | null
  /** The name of the virtual host, where the proxy is told to say it. */
  readonly virtualHost: string | null
  readonly sourceAddress: string | null
  /** The URI SAN of the client's verified certificate. */
  readonly peerUriSan: string | null
  /** The verified claims as filed by jwt_authn, as plain JSON; null where there are none. */
  readonly jwtMetadata: unknown
  /** What the operator configured on the route: `x-purser-namespace`, `-provider`, `-gateway`, `-retries`; the provider also by annotation. */
  readonly purser: {
    readonly namespace: string | null
    readonly provider: string | null
    readonly gateway: string | null
    /** The route makes again only attempts that cannot have reached the provider. Absent: it may make any again. */
    readonly retriesUnsent?: boolean
  }
  /** True where this door cannot change the body. */
  readonly bodyIsFixed?: boolean
  /** True where only a part of the body came, or not as it was. */
  readonly bodyIsPart?: boolean
  /** True where the answer does not come this way: whoever sees it settles what is reserved here. */
  readonly answersElsewhere?: boolean
}

export interface HeaderChange {
  readonly set: readonly (readonly [string, string])[]
  readonly remove: readonly string[]
  /** Whether the proxy is to choose its route anew, by the headers as they are then. */
  readonly reroute?: boolean
}

export const NO_CHANGE: HeaderChange = { set: [], remove: [] }

export interface Refusal {
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  readonly body: string
  readonly reason: Reason
}

/** `read-body`: send the body. `pass`: let it through and leave the stream. `watch`: let it through, and send its answer. */
export type HeadAnswer =
  | { readonly kind: 'read-body'; readonly change: HeaderChange }
  | { readonly kind: 'pass'; readonly change: HeaderChange }
  | { readonly kind: 'watch'; readonly change: HeaderChange }
  | { readonly kind: 'refuse'; readonly refusal: Refusal }

/** `gone`: the client left meanwhile, so nothing is to be said. */
export type BodyAnswer =
  | {
      readonly kind: 'admit'
      /** The amended body, null for the body as it came. */
      readonly body: Uint8Array | null
      readonly change: HeaderChange
      /** For later filters and the access log. */
      readonly metadata: Readonly<Record<string, string | number | boolean>>
    }
  | {
      readonly kind: 'pass'
      readonly body: Uint8Array | null
      readonly change: HeaderChange
      /** Whether the head of the answer is to come here all the same: something is told with it. */
      readonly tell: boolean
    }
  | { readonly kind: 'refuse'; readonly refusal: Refusal }
  | { readonly kind: 'gone' }

/** Let it through as it came, and leave the stream. */
export const PASS: BodyAnswer = { kind: 'pass', body: null, change: NO_CHANGE, tell: false }

export interface ResponseInfo {
  readonly status: number
  readonly headers: HeaderList
  readonly endOfStream: boolean
  /** `via_upstream`, or why the proxy answered by itself; null where not told. */
  readonly codeDetails: string | null
  /** Envoy's response flags as a bit set; null where not told. */
  readonly flags: number | null
  /** Attempts at the upstream, 0 where none was made; null where not told. */
  readonly attempts: number | null
}

/** `meter`: send the body. `done`: nothing more is needed, leave the stream. */
export type ResponseAnswer =
  | { readonly kind: 'meter'; readonly change: HeaderChange }
  | { readonly kind: 'done'; readonly change: HeaderChange }

/** The answer's half of an exchange. Calls come one after the other, in the order of the messages. */
export interface AnswerExchange {
  responseHeaders(info: ResponseInfo): ResponseAnswer
  /** What the client gets instead of these bytes; null for the bytes as they came. */
  responseBody(piece: Uint8Array, endOfStream: boolean): Uint8Array | null
  responseTrailers(): void
  /** The stream is over, however it ended; called once. `unread`: parts of the answer may have come that were not handed over. */
  closed(unread: boolean): void
  /** The drain time is over: settle what is known now. `end`: the stream can be left without harm. */
  drain(): 'end' | 'keep'
}

/** One request and its answer. */
export interface Exchange extends AnswerExchange {
  requestHeaders(info: RequestInfo): HeadAnswer
  /** The whole body in one piece (the door has it buffered by the proxy). */
  requestBody(body: Uint8Array): Promise<BodyAnswer>
  /** The reply to the body was written: from now on the upstream may have been contacted. */
  verdictWritten(): void
}

/** What a proxy's access log says of one exchange that is over. */
export interface Testimony extends Pick<ResponseInfo, 'status' | 'codeDetails' | 'flags' | 'attempts'> {
  /** What {@link BodyAnswer} gave as metadata `handover`. */
  readonly handover: string
  /** Whether any byte went to the upstream in the last attempt. */
  readonly sent: boolean
  /** What the proxy itself read of the answer's usage; null where it did not. */
  readonly usage: Usage | null
}

export interface ExchangeFactory {
  open(): Exchange
  /** The answer's half of an exchange whose request was admitted elsewhere; null where `handover` is none of ours. */
  resume(handover: string): AnswerExchange | null
  /** May come late, twice, and for exchanges of other replicas. */
  witness(testimony: Testimony): void
  /** The door refused a call by itself. */
  refused(reason: Reason): void
  /** False while new exchanges are to be refused (draining, or not ready yet). */
  admitting(): boolean
}
