// What Envoy tells of a request or an answer (headers, attributes, metadata) as plain values. Reads only; it trusts nothing to be there.
import { isUtf8 } from 'node:buffer'
import type { Metadata } from '@grpc/grpc-js'
import type { HeaderList, RequestInfo, ResponseInfo } from '../enforcer/exchange.ts'
import { JSON_DEPTH_MAX } from '../limits.ts'
import type { ProcessingRequest, WireHeader, WireHeaders, WireMetadata, WireStruct, WireValue } from './protos.ts'
import { NAMESPACE } from './reply.ts'

const ATTRIBUTES = 'envoy.filters.http.ext_proc'
const CLAIMS = 'envoy.filters.http.jwt_authn'
/** Where Envoy files what an authorization service gives as metadata. */
const AUTHZ_NAMESPACE = 'envoy.filters.http.ext_authz'
const NO_HEADERS: readonly WireHeader[] = []

/** What the operator configured on the route, as gRPC initial metadata; a client cannot set these. */
export type RouteSettings = RequestInfo['purser']

/** The last value counts: Envoy appends a route's values to those of the filter. */
export function routeSettings(metadata: Metadata): RouteSettings {
  const last = (name: string): string | null => {
    const value = metadata.get(name).at(-1)
    return typeof value === 'string' && value.trim() !== '' ? value.trim() : null
  }
  return settingsFrom(last)
}

/** `setting`: what is configured under a name, null for nothing. */
export const settingsFrom = (setting: (name: string) => string | null): RouteSettings => ({
  namespace: setting('x-purser-namespace'),
  provider: setting('x-purser-provider'),
  gateway: setting('x-purser-gateway'),
  ...(setting('x-purser-retries') === 'unsent' ? { retriesUnsent: true } : {}),
})

/** What a filter of ours before this one left in the metadata: from ext_proc under our own name, from ext_authz under its. */
export function handoverIn(metadata: WireMetadata | undefined): string | null {
  const found = metadata?.filterMetadata
  return text(found?.[NAMESPACE]?.fields?.['handover']) ?? text(found?.[AUTHZ_NAMESPACE]?.fields?.['handover'])
}

/** The request as `request_headers` shows it. Pseudo-headers that are missing are empty. */
export function requestInfo(message: ProcessingRequest, head: WireHeaders, purser: RouteSettings): RequestInfo {
  const headers = headerList(head)
  const fields = message.attributes?.[ATTRIBUTES]?.fields
  return {
    headers,
    method: headers.get(':method') ?? '',
    path: headers.get(':path') ?? '',
    authority: headers.get(':authority') ?? '',
    endOfStream: head.endOfStream === true,
    routeName: text(fields?.['xds.route_name']),
    virtualHost: text(fields?.['xds.virtual_host_name']),
    sourceAddress: text(fields?.['source.address']),
    peerUriSan: text(fields?.['connection.uri_san_peer_certificate']),
    jwtMetadata: claimsIn(message.metadataContext),
    purser,
  }
}

/** The answer as `response_headers` shows it; a status that is none is 0. */
export function responseInfo(message: ProcessingRequest, head: WireHeaders): ResponseInfo {
  const headers = headerList(head)
  const fields = message.attributes?.[ATTRIBUTES]?.fields
  const status = headers.get(':status') ?? ''
  return {
    status: /^[1-9][0-9]{2}$/.test(status) ? Number(status) : 0,
    headers,
    endOfStream: head.endOfStream === true,
    codeDetails: text(fields?.['response.code_details']),
    flags: count(fields?.['response.flags']),
    attempts: count(fields?.['upstream.request_attempt_count']),
  }
}

/** The route that Envoy Gateway made of an HTTPRoute, by the metadata it gives it; in the form of its routes' names. */
export function routeIn(metadata: WireMetadata | undefined): string | null {
  const made = metadata?.filterMetadata?.['envoy-gateway']?.fields?.['resources']?.listValue?.values?.[0]?.structValue?.fields
  const [kind, namespace, name] = ['kind', 'namespace', 'name'].map(field => text(made?.[field]))
  return kind === 'HTTPRoute' && namespace && name ? `httproute/${namespace}/${name}` : null
}

/** Envoy's headers, in their order; names are lower-case by its protocol. Values are decoded when asked for. */
export function headerList(head: Pick<WireHeaders, 'headers'>): HeaderList {
  return new EnvoyHeaders(head.headers?.headers ?? NO_HEADERS)
}

/** Verified claims as plain JSON; null where there are none. */
export function claimsIn(metadata: WireMetadata | undefined): unknown {
  const claims = metadata?.filterMetadata?.[CLAIMS]
  return claims === undefined ? null : plainStruct(claims, 0)
}

class EnvoyHeaders implements HeaderList {
  readonly #headers: readonly WireHeader[]

  constructor(headers: readonly WireHeader[]) {
    this.#headers = headers
  }

  get(name: string): string | null {
    for (const header of this.#headers) if (header.key === name) return decoded(header)
    return null
  }

  getAll(name: string): readonly string[] {
    const values: string[] = []
    for (const header of this.#headers) if (header.key === name) values.push(decoded(header))
    return values
  }

  *entries(): IterableIterator<readonly [string, string]> {
    for (const header of this.#headers) yield [header.key ?? '', decoded(header)]
  }
}

/** UTF-8 where it is that, else Latin-1, as HTTP once had it. */
function decoded({ rawValue, value }: WireHeader): string {
  if (rawValue === undefined || rawValue.length === 0) return value ?? ''
  return isUtf8(rawValue) ? rawValue.toString('utf8') : rawValue.toString('latin1')
}

const text = (value: WireValue | undefined): string | null =>
  value?.stringValue === undefined || value.stringValue === '' ? null : value.stringValue

/** A whole number of 0 or more; Envoy sends some as text. */
function count(value: WireValue | undefined): number | null {
  const number = value?.numberValue ?? (/^[0-9]{1,15}$/.test(value?.stringValue ?? '') ? Number(value?.stringValue) : undefined)
  return number !== undefined && Number.isSafeInteger(number) && number >= 0 ? number : null
}

function plainStruct(struct: WireStruct, depth: number): unknown {
  // Without a prototype: a claim may be called `__proto__`.
  const plain: Record<string, unknown> = Object.create(null)
  for (const [name, value] of Object.entries(struct.fields ?? {})) plain[name] = plainValue(value, depth + 1)
  return plain
}

/** What is nested deeper than any real claim is null. */
function plainValue(value: WireValue, depth: number): unknown {
  if (depth > JSON_DEPTH_MAX) return null
  if (value.structValue !== undefined) return plainStruct(value.structValue, depth)
  if (value.listValue !== undefined) return (value.listValue.values ?? []).map(member => plainValue(member, depth + 1))
  return value.stringValue ?? value.numberValue ?? value.boolValue ?? null
}
