// One check of ext_authz as the asking half of an exchange: a call is judged whole, and its answer is settled by others. It cannot change a
// body. Knows no money and no format; never does I/O of its own.
import { type ServerUnaryCall, type ServiceDefinition, type sendUnaryData, status } from '@grpc/grpc-js'
import { assert } from '../core/assert.ts'
import type { BodyAnswer, Exchange, HeaderChange, Refusal, RequestInfo } from '../enforcer/exchange.ts'
import { claimsIn, headerList, routeIn, settingsFrom } from './attributes.ts'
import { type Doorway, type OpenStream, overloadRefusal, refusesMore, wiringRefusal } from './doorway.ts'
import { AUTHORIZATION, loadProtos, type WireHeaderMap, type WireHeaderOption, type WireMetadata, type WireStruct } from './protos.ts'
import { bothChanges, type Metadata, metadataFields, plainHeaders } from './reply.ts'

export interface HttpRequest {
  readonly method?: string
  readonly path?: string
  readonly host?: string
  /** Of the body as its header says, -1 where there is none. */
  readonly size?: number
  readonly headers?: Readonly<Record<string, string>>
  /** With `encode_raw_headers`, in place of `headers`. */
  readonly headerMap?: WireHeaderMap
  readonly body?: string
  /** With `pack_as_bytes`, in place of `body`. */
  readonly rawBody?: Buffer
}

export interface CheckRequest {
  readonly attributes?: {
    readonly source?: {
      readonly address?: { readonly socketAddress?: { readonly address?: string; readonly portValue?: number } }
      readonly principal?: string
    }
    readonly request?: { readonly http?: HttpRequest }
    readonly contextExtensions?: Readonly<Record<string, string>>
    readonly metadataContext?: WireMetadata
    readonly routeMetadataContext?: WireMetadata
  }
}

export interface CheckResponse {
  readonly status: { readonly code: number }
  readonly okResponse?: { readonly headers: readonly WireHeaderOption[]; readonly headersToRemove: readonly string[] }
  readonly deniedResponse?: {
    readonly status: { readonly code: number }
    readonly headers: readonly WireHeaderOption[]
    readonly body: string
  }
  readonly dynamicMetadata: WireStruct
}

export type CheckCall = ServerUnaryCall<CheckRequest, CheckResponse>

export const authorizationService = (): ServiceDefinition => loadProtos()[AUTHORIZATION] as unknown as ServiceDefinition

const UNMETERED: Metadata = { verdict: 'unmetered' }
const NO_BODY =
  'The ext_authz filter sends no body: with_request_body must be set, with pack_as_bytes, so that calls can be judged by what they ask.'

export class Check implements OpenStream {
  readonly #door: Doorway
  readonly #answer: sendUnaryData<CheckResponse>
  #exchange: Exchange | null = null
  #over = false

  constructor(call: CheckCall, answer: sendUnaryData<CheckResponse>, door: Doorway) {
    this.#door = door
    this.#answer = answer
    door.streams.add(this)
    call.on('cancelled', () => this.#finish())
    try {
      this.#begin(call.request)
    } catch (fault) {
      this.#fail(fault)
    }
  }

  /** Its verdict is about to be written. */
  drain(): void {}

  abandon(): void {
    this.#break(status.UNAVAILABLE, 'the server is going away')
  }

  #begin(request: CheckRequest) {
    const { factory, verdicts, complaints } = this.#door
    if (refusesMore(this.#door)) return this.#refuseUnasked(overloadRefusal)
    this.#exchange = factory.open()
    const http = request.attributes?.request?.http ?? {}
    const info = requestOf(request, http)
    const answer = this.#exchange.requestHeaders(info)
    if (answer.kind === 'refuse') return this.#refuse(answer.refusal)
    if (answer.kind !== 'read-body') return this.#allow(answer.change, UNMETERED)
    const body = bodyOf(http)
    if (body.length === 0 && http.size !== 0 && info.headers.get(PARTIAL) === null) {
      complaints.warn(NO_BODY)
      return this.#refuseUnasked(wiringRefusal(NO_BODY))
    }
    verdicts.during(this.#exchange.requestBody(body)).then(
      verdict => this.#judged(verdict, answer.change),
      fault => this.#fail(fault),
    )
  }

  #judged(answer: BodyAnswer, change: HeaderChange) {
    if (this.#over) return
    try {
      if (answer.kind === 'gone') throw new Error('an exchange took its client for gone, but the call is open')
      if (answer.kind === 'refuse') return this.#refuse(answer.refusal)
      assert(answer.body === null && answer.change.reroute !== true, 'what cannot be changed is not')
      const metadata = answer.kind === 'pass' ? UNMETERED : { ...answer.metadata, verdict: 'admitted' }
      this.#allow(bothChanges(change, answer.change), metadata)
    } catch (fault) {
      this.#fail(fault)
    }
  }

  #allow({ set, remove }: HeaderChange, metadata: Metadata) {
    const okResponse = { headers: plainHeaders(set), headersToRemove: remove }
    this.#answer(null, { status: { code: status.OK }, okResponse, dynamicMetadata: metadataFields(metadata) })
    this.#exchange?.verdictWritten()
    this.#finish()
  }

  #refuseUnasked(refusal: Refusal) {
    this.#door.factory.refused(refusal.reason)
    this.#refuse(refusal)
  }

  #refuse({ status: code, headers, body, reason }: Refusal) {
    assert(code >= 400 && code <= 599, 'a refusal has a status of 4xx or 5xx')
    this.#answer(null, {
      status: { code: status.PERMISSION_DENIED },
      deniedResponse: { status: { code }, headers: plainHeaders(headers), body },
      dynamicMetadata: metadataFields({ verdict: 'refused', reason }),
    })
    this.#finish()
  }

  /** A bug of ours: the call fails. */
  #fail(fault: unknown) {
    this.#door.complaints.error('a check failed', fault)
    this.#break(status.INTERNAL, 'internal error')
  }

  #break(code: number, details: string) {
    if (this.#over) return
    this.#answer({ code, details })
    this.#finish()
  }

  #finish() {
    if (this.#over) return
    this.#over = true
    try {
      this.#exchange?.closed(false)
    } catch (fault) {
      this.#door.complaints.error('an exchange could not be closed', fault)
    }
    const { streams } = this.#door
    streams.delete(this)
    if (streams.size === 0) this.#door.emptied()
  }
}

/** Envoy's own word, which takes the place of a client's: whether the body that it sends was cut. */
const PARTIAL = 'x-envoy-auth-partial-body'

function requestOf({ attributes = {} }: CheckRequest, http: HttpRequest): RequestInfo {
  const { headerMap, headers: plain = {}, method = '', path = '', host = '', size = -1 } = http
  const headers = headerList({ headers: headerMap ?? { headers: Object.entries(plain).map(([key, value]) => ({ key, value })) } })
  const { source, contextExtensions = {} } = attributes
  const setting = (name: string): string | null => contextExtensions[name]?.trim() || null
  const { address, portValue } = source?.address?.socketAddress ?? {}
  const principal = source?.principal ?? ''
  // A body that came as text is whole only if it is as long as was said.
  const lossy = http.rawBody === undefined && size > 0 && Buffer.byteLength(http.body ?? '') !== size
  const bodyIsPart = headers.get(PARTIAL) === 'true' || (lossy && headers.get(PARTIAL) !== null)
  return {
    headers,
    method,
    path,
    authority: host,
    endOfStream: size === 0 || (size < 0 && bodyOf(http).length === 0),
    virtualHost: null,
    routeName: setting('x-purser-route-name') ?? routeIn(attributes.routeMetadataContext),
    sourceAddress: address === undefined ? null : `${address}:${portValue ?? 0}`,
    peerUriSan: /^[a-z][a-z0-9+.-]*:\/\//i.test(principal) ? principal : null,
    jwtMetadata: claimsIn(attributes.metadataContext),
    purser: settingsFrom(setting),
    bodyIsFixed: true,
    answersElsewhere: true,
    ...(bodyIsPart ? { bodyIsPart } : {}),
  }
}

const bodyOf = ({ rawBody, body = '' }: HttpRequest): Buffer => rawBody ?? Buffer.from(body)
