// Answers of an exchange as ext_proc replies. Pure; it decides nothing, and every header value it writes is one that Envoy accepts.
import { assert } from '../core/assert.ts'
import type { HeaderChange, Refusal } from '../enforcer/exchange.ts'
import {
  type CommonResponse,
  encodeReply,
  type HeaderMutation,
  type ProcessingResponse,
  type WireHeaderOption,
  type WireStruct,
  type WireValue,
} from './protos.ts'

/** The part of a message that is being answered. */
export type Part = 'requestHeaders' | 'requestBody' | 'requestTrailers' | 'responseHeaders' | 'responseBody' | 'responseTrailers'

/** Under this name later filters and the access log find what Purser said; Envoy must list it among the receiving namespaces. */
export const NAMESPACE = 'purser'

export type Metadata = Readonly<Record<string, string | number | boolean>>

/** "Go on as you are", once for every part: most replies are this, so it is encoded only once. */
export function continueReplies(): Readonly<Record<Part, Buffer>> {
  return {
    requestHeaders: encodeReply({ requestHeaders: { response: {} } }),
    requestBody: encodeReply({ requestBody: { response: {} } }),
    requestTrailers: encodeReply({ requestTrailers: {} }),
    responseHeaders: encodeReply({ responseHeaders: { response: {} } }),
    responseBody: encodeReply({ responseBody: { response: {} } }),
    responseTrailers: encodeReply({ responseTrailers: {} }),
  }
}

/** Goes on with changed headers; `metadata` null sends none. Trailers take no header changes of the request, so `change` is dropped there. */
export function changedReply(part: Part, change: HeaderChange, metadata: Metadata | null): ProcessingResponse {
  const common = commonOf(change)
  return withMetadata(
    part === 'requestTrailers' || part === 'responseTrailers' ? { [part]: {} } : { [part]: { response: common } },
    metadata,
  )
}

/** Goes on with another body, where it is not null: `content-length` follows it, or Envoy would refuse the whole request. */
export function amendedReply(part: Part, body: Uint8Array | null, change: HeaderChange, metadata: Metadata | null): ProcessingResponse {
  if (body === null) return changedReply(part, change, metadata)
  assert(part === 'requestBody', 'only a body that came is amended')
  const set = [...change.set.filter(([name]) => name !== 'content-length'), ['content-length', String(body.length)] as const]
  const remove = change.remove.filter(name => name !== 'content-length')
  return withMetadata({ requestBody: { response: { ...commonOf({ ...change, set, remove }), bodyMutation: { body } } } }, metadata)
}

/** Other bytes in place of a piece of the answer. The answer is streamed, so there is no length to keep. */
export function replacedPiece(piece: Uint8Array): ProcessingResponse {
  return { responseBody: { response: { bodyMutation: piece.length === 0 ? { clearBody: true } : { body: piece } } } }
}

/** Envoy answers the client itself. A status that is none would reach the client as 200. */
export function refusalReply(refusal: Refusal): ProcessingResponse {
  const { status, headers, body, reason } = refusal
  assert(Number.isInteger(status) && status >= 400 && status <= 599, 'a refusal has a status of 4xx or 5xx')
  const dynamicMetadata = metadataStruct({ verdict: 'refused', reason })
  return {
    immediateResponse: {
      status: { code: status },
      headers: mutation({ set: headers, remove: [] }),
      body: Buffer.from(body),
      details: `purser_${reason}`.replace(/[^A-Za-z0-9_.-]/g, '_'),
    },
    dynamicMetadata,
  }
}

export const unchanged = (change: HeaderChange): boolean => change.set.length === 0 && change.remove.length === 0

/** Two changes as one: what is set or removed later wins. */
export function bothChanges(first: HeaderChange, second: HeaderChange): HeaderChange {
  if (unchanged(first)) return second
  if (unchanged(second)) return first
  const later = new Set([...second.set.map(([name]) => name), ...second.remove])
  return {
    set: [...first.set.filter(([name]) => !later.has(name)), ...second.set],
    remove: [...first.remove.filter(name => !later.has(name)), ...second.remove],
    ...(first.reroute === true || second.reroute === true ? { reroute: true } : {}),
  }
}

/** Envoy chooses a route again only where headers change with it. */
function commonOf(change: HeaderChange): CommonResponse {
  if (unchanged(change)) return {}
  return { headerMutation: mutation(change), ...(change.reroute === true ? { clearRouteCache: true } : {}) }
}

function withMetadata(reply: ProcessingResponse, metadata: Metadata | null): ProcessingResponse {
  return metadata === null ? reply : { ...reply, dynamicMetadata: metadataStruct(metadata) }
}

const metadataStruct = (metadata: Metadata): WireStruct => ({ fields: { [NAMESPACE]: { structValue: metadataFields(metadata) } } })

/** Metadata where the namespace is the filter's own. */
export function metadataFields(metadata: Metadata): WireStruct {
  const fields: Record<string, WireValue> = {}
  for (const [name, value] of Object.entries(metadata)) fields[name] = wireValue(value)
  return { fields }
}

/** Headers as ext_authz takes them: Envoy does not look at their bytes there, only at their text. */
export const plainHeaders = (headers: HeaderChange['set']): WireHeaderOption[] =>
  headers.map(([key, value]) => ({ header: { key, value: headerBytes(value).toString() }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' }))

function wireValue(value: string | number | boolean): WireValue {
  if (typeof value === 'string') return { stringValue: value }
  return typeof value === 'number' ? { numberValue: value } : { boolValue: value }
}

function mutation({ set, remove }: HeaderChange): HeaderMutation {
  return {
    setHeaders: set.map(([key, value]) => ({ header: { key, rawValue: headerBytes(value) }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' })),
    removeHeaders: remove,
  }
}

/** Envoy throws a whole reply away for one control character in a value. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out
const headerBytes = (value: string): Buffer => Buffer.from(value.replace(/[\u0000-\u001f\u007f]/g, ' '))
