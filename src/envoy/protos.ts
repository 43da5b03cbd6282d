// The vendored protos as this program loads them, and the messages of ext_proc as it sees them. Only the fields that are used are named;
// it decides nothing.
import { join } from 'node:path'
import type { ServiceDefinition } from '@grpc/grpc-js'
import { loadSync, type PackageDefinition } from '@grpc/proto-loader'

const PROTOS = join(import.meta.dirname, '../../protos')

export const SERVICE_NAME = 'envoy.service.ext_proc.v3.ExternalProcessor'
export const AUTHORIZATION = 'envoy.service.auth.v3.Authorization'
export const ACCESS_LOG = 'envoy.service.accesslog.v3.AccessLogService'
/** A message that Envoy 1.40 puts into typed metadata. */
export const TOKEN_USAGE = 'envoy.data.ai.v3.TokenUsage'

/** A header: `rawValue` from Envoy 1.27 on, `value` from others. Absent fields are empty. */
export interface WireHeader {
  readonly key?: string
  readonly value?: string
  readonly rawValue?: Buffer
}

export interface WireHeaderMap {
  readonly headers?: readonly WireHeader[]
}

export interface WireHeaders {
  readonly headers?: WireHeaderMap
  readonly endOfStream?: boolean
}

export interface WireBody {
  readonly body?: Buffer
  readonly endOfStream?: boolean
}

/** google.protobuf.Value: `kind` names the field that is set; none of them for a value of a kind unknown here. */
export interface WireValue {
  readonly kind?: string
  readonly numberValue?: number
  readonly stringValue?: string
  readonly boolValue?: boolean
  readonly structValue?: WireStruct
  readonly listValue?: { readonly values?: readonly WireValue[] }
}

export interface WireStruct {
  readonly fields?: Readonly<Record<string, WireValue>>
}

/** google.protobuf.Any, whose field protobufjs spells as the file does. */
export interface WireAny {
  readonly type_url?: string
  readonly value?: Buffer
}

/** Dynamic metadata, by the namespace of whoever wrote it. */
export interface WireMetadata {
  readonly filterMetadata?: Readonly<Record<string, WireStruct>>
  readonly typedFilterMetadata?: Readonly<Record<string, WireAny>>
}

/** Names of BodySendMode; a number for one that is newer than the vendored protos. Absent is `NONE`. */
export type BodyMode = string | number

export interface ProcessingRequest {
  /** Which of the six is set; absent for a kind that is newer than the vendored protos. */
  readonly request?: 'requestHeaders' | 'responseHeaders' | 'requestBody' | 'responseBody' | 'requestTrailers' | 'responseTrailers'
  readonly requestHeaders?: WireHeaders
  readonly responseHeaders?: WireHeaders
  readonly requestBody?: WireBody
  readonly responseBody?: WireBody
  readonly metadataContext?: WireMetadata
  readonly attributes?: Readonly<Record<string, WireStruct>>
  readonly observabilityMode?: boolean
  readonly protocolConfig?: { readonly requestBodyMode?: BodyMode; readonly responseBodyMode?: BodyMode }
}

export interface WireHeaderOption {
  readonly header: WireHeader
  readonly appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD'
}

export interface HeaderMutation {
  readonly setHeaders?: readonly WireHeaderOption[]
  readonly removeHeaders?: readonly string[]
}

export interface CommonResponse {
  readonly clearRouteCache?: true
  readonly headerMutation?: HeaderMutation
  readonly bodyMutation?:
    | { readonly body: Uint8Array }
    | { readonly clearBody: true }
    | { readonly streamedResponse: { readonly body: Uint8Array; readonly endOfStream: boolean } }
}

/** Exactly one of the first seven is set. */
export interface ProcessingResponse {
  readonly requestHeaders?: { readonly response: CommonResponse }
  readonly responseHeaders?: { readonly response: CommonResponse }
  readonly requestBody?: { readonly response: CommonResponse }
  readonly responseBody?: { readonly response: CommonResponse }
  readonly requestTrailers?: { readonly headerMutation?: HeaderMutation }
  readonly responseTrailers?: { readonly headerMutation?: HeaderMutation }
  readonly immediateResponse?: {
    readonly status: { readonly code: number }
    readonly headers: HeaderMutation
    readonly body: Uint8Array
    readonly details: string
  }
  readonly dynamicMetadata?: WireStruct
}

/** A reply, or one that was encoded before. */
export type Reply = ProcessingResponse | Buffer

/** All vendored protos with what they import, as text; read from disk at the first call only. */
export function loadProtos(): PackageDefinition {
  loaded ??= loadSync(
    [
      'envoy/service/ext_proc/v3/external_processor.proto',
      'envoy/service/auth/v3/external_auth.proto',
      'envoy/service/accesslog/v3/als.proto',
      'envoy/data/ai/v3/token_usage.proto',
    ],
    { includeDirs: [PROTOS], enums: String, longs: Number, oneofs: true },
  )
  return loaded
}
let loaded: PackageDefinition | null = null

/** The service, with replies that may have been encoded before. */
export function processorService(): ServiceDefinition {
  const { Process } = definition()
  const responseSerialize = (reply: object): Buffer => (Buffer.isBuffer(reply) ? reply : Process.responseSerialize(reply))
  return { Process: { ...Process, responseSerialize } }
}

/** A reply that never varies, encoded once. */
export function encodeReply(reply: ProcessingResponse): Buffer {
  return definition().Process.responseSerialize(reply)
}

type Definition = { readonly Process: ServiceDefinition[string] }

function definition(): Definition {
  return loadProtos()[SERVICE_NAME] as unknown as Definition
}
