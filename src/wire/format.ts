// The contract of a wire format: how requests are read and amended, and how answers are metered. Pure; bytes in, values out.
import type { Call } from '../core/call.ts'
import type { UsageReading } from '../core/usage.ts'

/** The head of a request. `path` is without the query; header names are lower-case. */
export interface RequestHead {
  readonly method: string
  readonly path: string
  readonly query: string
  header(name: string): string | null
}

export interface ResponseHead {
  readonly status: number
  header(name: string): string | null
}

/** What a path means. `metered` endpoints have a reader, `free` ones cost nothing; anything else is `unknown`. */
export type Endpoint =
  | { readonly kind: 'metered'; readonly format: Format; readonly endpoint: string }
  | { readonly kind: 'free'; readonly endpoint: string; readonly format: Format | null }
  | { readonly kind: 'unknown'; readonly endpoint: string; readonly format: Format | null }

export interface Format {
  /** For instance `openai-chat`; also the folder of its fixtures. */
  readonly name: string
  /** The shape of errors that clients of this format expect. */
  readonly dialect: Dialect
  /** The endpoint's name if this format reads `head`, else null. */
  match(head: RequestHead): Endpoint | null
  openReader(head: RequestHead, endpoint: string): CallReader
  /** `hideUsage`: usage was asked for on the client's behalf, so the chunk that only carries it is taken out again. */
  openMeter(call: Call, response: ResponseHead, hideUsage: boolean): Meter
}

export type Dialect = 'openai' | 'anthropic' | 'gemini' | 'bedrock'

/** Takes a (decoded) body piece by piece, so that no piece holds the event loop. Keeps sizes, names and offsets, never text. */
export interface CallReader {
  push(piece: Uint8Array): void
  end(): ReadResult
}

export type ReadResult =
  | {
      readonly kind: 'call'
      readonly call: Call
      amend(amendment: Amendment): readonly Splice[]
      /** The same call of another model, for `Amendment.model`; null, or absent: its request cannot be made one of that model. */
      as?(model: string): Call | null
    }
  /** A sentence for the client that says what is wrong and where, without the body's content. */
  | { readonly kind: 'unreadable'; readonly why: string }

export interface Amendment {
  /** Set the bound on one choice's output; null leaves it. */
  readonly outputBound: bigint | null
  /** Set it as the bound on the uses of tools that the provider runs, where none or a larger one is declared; absent or null leaves them. */
  readonly toolUses?: bigint | null
  /** Ask for this model instead; one that `as` has a call of. Absent or null leaves it. */
  readonly model?: string | null
  /** Ask for usage in the stream; false leaves it. */
  readonly includeUsage: boolean
  /** Decides the field's name; null where not known. */
  readonly provider: string | null
}

/** At byte `at` of the body, `remove` bytes make way for `insert`. Splices of one amendment do not overlap and are in order. */
export interface Splice {
  readonly at: number
  readonly remove: number
  readonly insert: string
}

/** Takes the (decoded) answer piece by piece. Works on whatever it gets: cut anywhere, cut short, not of its format at all. */
export interface Meter {
  /** What the client gets for these bytes: null for the same bytes, else other bytes (perhaps none yet). */
  push(piece: Uint8Array): Uint8Array | null
  /** The answer is whole: what was still held back, null for nothing. */
  end(): Uint8Array | null
  /** What is known now; `exact` only after the format's own end mark or `end`. */
  reading(): UsageReading
}

/** A verdict's body in the dialect of the caller. */
export interface ErrorBody {
  readonly contentType: string
  readonly body: string
}
