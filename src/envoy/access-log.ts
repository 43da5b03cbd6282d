// One stream of a proxy's access log: each entry that tells of a reservation is passed on as plain values. Judges nothing, keeps nothing.
import type { ServerReadableStream, ServiceDefinition, sendUnaryData } from '@grpc/grpc-js'
import { NO_TOKENS, type Usage } from '../core/usage.ts'
import type { Testimony } from '../enforcer/exchange.ts'
import { UPSTREAM_CONNECTION_FAILURE } from '../enforcer/request.ts'
import { handoverIn } from './attributes.ts'
import type { Doorway } from './doorway.ts'
import { ACCESS_LOG, loadProtos, TOKEN_USAGE, type WireAny, type WireMetadata } from './protos.ts'

export interface LogEntry {
  readonly commonProperties?: {
    readonly timeToFirstUpstreamTxByte?: object
    readonly responseFlags?: { readonly upstreamConnectionFailure?: boolean }
    readonly metadata?: WireMetadata
    readonly upstreamRequestAttemptCount?: number
    readonly intermediateLogEntry?: boolean
    /** A number for one that is not vendored: of a connection, an attempt, or a part of an exchange. */
    readonly accessLogType?: string | number
  }
  readonly response?: { readonly responseCode?: { readonly value?: number }; readonly responseCodeDetails?: string }
}

export interface LogMessage {
  readonly httpLogs?: { readonly logEntry?: readonly LogEntry[] }
}

export type LogCall = ServerReadableStream<LogMessage, object>

export const accessLogService = (): ServiceDefinition => loadProtos()[ACCESS_LOG] as unknown as ServiceDefinition

export class LogStream {
  readonly #answer: sendUnaryData<object>
  readonly #door: Doorway
  #over = false

  constructor(call: LogCall, answer: sendUnaryData<object>, door: Doorway) {
    this.#answer = answer
    this.#door = door
    door.logs.add(this)
    call.on('data', message => this.#take(message))
    call.on('end', () => this.end())
    for (const event of ['cancelled', 'error'] as const) call.on(event, () => this.#forget())
  }

  /** Ends the stream well: the proxy opens another, elsewhere if need be. */
  end(): void {
    if (this.#forget()) this.#answer(null, {})
  }

  #take(message: LogMessage) {
    for (const entry of message.httpLogs?.logEntry ?? []) this.#hear(entry)
  }

  /** One that cannot be read takes none of the others with it. */
  #hear(entry: LogEntry) {
    try {
      const testimony = testimonyOf(entry)
      if (testimony !== null) this.#door.factory.witness(testimony)
    } catch (fault) {
      this.#door.complaints.error('an entry of an access log could not be read', fault)
    }
  }

  #forget(): boolean {
    const was = !this.#over
    this.#over = true
    this.#door.logs.delete(this)
    return was
  }
}

/** Null where an entry is not the last of an exchange, or not of one of ours. */
export function testimonyOf({ commonProperties = {}, response = {} }: LogEntry): Testimony | null {
  const { metadata, accessLogType = 'NotSet', intermediateLogEntry, timeToFirstUpstreamTxByte, responseFlags } = commonProperties
  const handover = handoverIn(metadata)
  const isLast = intermediateLogEntry !== true && (accessLogType === 'NotSet' || accessLogType === 'DownstreamEnd')
  if (handover === null || !isLast) return null
  const codeDetails = response.responseCodeDetails || null
  const sent = timeToFirstUpstreamTxByte !== undefined || codeDetails === 'via_upstream'
  const counted = commonProperties.upstreamRequestAttemptCount ?? 0
  return {
    handover,
    status: response.responseCode?.value ?? 0,
    codeDetails,
    flags: responseFlags?.upstreamConnectionFailure === true ? UPSTREAM_CONNECTION_FAILURE : 0,
    // A proxy that counts no attempts has made one all the same, if anything was sent.
    attempts: counted === 0 && sent ? 1 : counted,
    sent,
    usage: usageOf(metadata?.typedFilterMetadata?.['envoy.ai.token_usage']),
  }
}

interface WireUsage {
  readonly model?: string
  readonly inputTokens?: Count
  readonly outputTokens?: Count
  readonly inputTokenDetails?: { readonly cachedTokens?: Count; readonly cacheCreationTokens?: Count }
  readonly outputTokenDetails?: { readonly reasoningTokens?: Count }
  readonly providerTotalTokens?: Count
  readonly extractionStatus?: string | number
}
type Count = { readonly value?: number }

/** What Envoy 1.40 read of the answer by itself; null where that is not all of it, or does not add up. */
function usageOf(typed: WireAny | undefined): Usage | null {
  if (typed?.value === undefined || !(typed.type_url ?? '').endsWith(`/${TOKEN_USAGE}`)) return null
  const type = loadProtos()[TOKEN_USAGE] as unknown as { deserialize(bytes: Buffer): WireUsage }
  const told = type.deserialize(typed.value)
  if (told.extractionStatus !== 'COMPLETE' || told.inputTokens === undefined || told.outputTokens === undefined) return null
  const [input, output] = [count(told.inputTokens), count(told.outputTokens)]
  const [cacheRead, cacheWrite5m] = [count(told.inputTokenDetails?.cachedTokens), count(told.inputTokenDetails?.cacheCreationTokens)]
  const reasoning = count(told.outputTokenDetails?.reasoningTokens)
  const isWhole = cacheRead + cacheWrite5m <= input && reasoning <= output && count(told.providerTotalTokens) <= input + output
  if (!isWhole) return null
  const tokens = { ...NO_TOKENS, input: input - cacheRead - cacheWrite5m, cacheRead, cacheWrite5m, output: output - reasoning, reasoning }
  return { tokens, calls: new Map(), model: told.model || null, serviceTier: null, statedCost: null, contradictions: [] }
}

const count = (wrapped: Count | undefined): bigint => BigInt(Math.trunc(wrapped?.value ?? 0))
