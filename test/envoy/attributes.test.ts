// What Envoy tells, as plain values: what is missing, doubled, binary or hostile must neither throw nor be taken for something else.
import { Metadata } from '@grpc/grpc-js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { headerList, requestInfo, responseInfo, routeSettings } from '../../src/envoy/attributes.ts'
import type { ProcessingRequest, WireHeader, WireValue } from '../../src/envoy/protos.ts'

const NOTHING = { namespace: null, provider: null, gateway: null }
const raw = (key: string, value: string | Buffer): WireHeader => ({ key, rawValue: Buffer.from(value as string) })
const list = (...headers: WireHeader[]) => headerList({ headers: { headers } })
const attributes = (fields: Record<string, WireValue>): ProcessingRequest => ({ attributes: { 'envoy.filters.http.ext_proc': { fields } } })

describe('headers', () => {
  it('reads raw values, and the older text values', () => {
    const headers = list(raw('a', 'one'), { key: 'b', value: 'two' }, { key: 'c' }, {})
    expect(['a', 'b', 'c', '', 'd'].map(name => headers.get(name))).toEqual(['one', 'two', '', null, null])
    expect([...headers.entries()]).toEqual([
      ['a', 'one'],
      ['b', 'two'],
      ['c', ''],
      ['', ''],
    ])
  })

  it('keeps doubled headers apart and in order', () => {
    const headers = list(raw('x', '1'), raw('y', '2'), raw('x', '3'))
    expect(headers.get('x')).toBe('1')
    expect(headers.getAll('x')).toEqual(['1', '3'])
    expect(headers.getAll('z')).toEqual([])
  })

  it('is not fooled by names of the language', () => {
    const headers = list(raw('__proto__', 'a'), raw('constructor', 'b'))
    expect(headers.get('__proto__')).toBe('a')
    expect(headers.get('toString')).toBeNull()
  })

  it('reads UTF-8 as that, and any other bytes without loss', () => {
    expect(list(raw('x', 'équipe 团队')).get('x')).toBe('équipe 团队')
    expect(list(raw('x', Buffer.from([0xff, 0x00, 0x80]))).get('x')).toBe('\u00ff\u0000\u0080')
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.uint8Array({ maxLength: 64 }), (a, b) => {
        fc.pre(Buffer.compare(a, b) !== 0 && [...a, ...b].every(byte => byte < 0x80 || byte >= 0xf8))
        return list(raw('x', Buffer.from(a))).get('x') !== list(raw('x', Buffer.from(b))).get('x')
      }),
    )
  })

  it('has none where the proxy sent none', () => {
    expect([...headerList({}).entries()]).toEqual([])
    expect([...headerList({ headers: {} }).entries()]).toEqual([])
  })
})

describe('a request', () => {
  it('is empty where nothing is told', () => {
    const { headers, ...rest } = requestInfo({}, {}, NOTHING)
    expect([...headers.entries()]).toEqual([])
    expect(rest).toEqual({
      method: '',
      path: '',
      authority: '',
      endOfStream: false,
      routeName: null,
      virtualHost: null,
      sourceAddress: null,
      peerUriSan: null,
      jwtMetadata: null,
      purser: NOTHING,
    })
  })

  it('takes attributes of this filter only, and only texts', () => {
    const fields = {
      'xds.route_name': { stringValue: 'httproute/ns/name' },
      'xds.virtual_host_name': { stringValue: 'ns/gateway/http/*' },
      'source.address': { numberValue: 7 },
      'connection.uri_san_peer_certificate': { stringValue: '' },
    }
    const info = requestInfo({ attributes: { other: { fields: { 'xds.route_name': { stringValue: 'no' } } } } }, {}, NOTHING)
    expect(info.routeName).toBeNull()
    const told = requestInfo(attributes(fields), {}, NOTHING)
    expect([told.routeName, told.virtualHost, told.sourceAddress, told.peerUriSan]).toEqual([
      'httproute/ns/name',
      'ns/gateway/http/*',
      null,
      null,
    ])
  })

  it('turns verified claims into plain JSON', () => {
    const fields: Record<string, WireValue> = {
      payload: {
        structValue: {
          fields: {
            sub: { stringValue: 'u' },
            n: { numberValue: 1.5 },
            admin: { boolValue: false },
            none: { kind: 'nullValue' },
            roles: { listValue: { values: [{ stringValue: 'a' }, { listValue: {} }] } },
            org: { structValue: {} },
          },
        },
      },
    }
    const message = { metadataContext: { filterMetadata: { 'envoy.filters.http.jwt_authn': { fields } } } }
    expect(JSON.parse(JSON.stringify(requestInfo(message, {}, NOTHING).jwtMetadata))).toEqual({
      payload: { sub: 'u', n: 1.5, admin: false, none: null, roles: ['a', []], org: {} },
    })
    expect(requestInfo({ metadataContext: { filterMetadata: { other: { fields } } } }, {}, NOTHING).jwtMetadata).toBeNull()
  })

  it('keeps hostile claims from reaching prototypes or the end of the stack', () => {
    const fields: Record<string, WireValue> = Object.create(null)
    Object.defineProperty(fields, '__proto__', { value: { structValue: { fields: { polluted: { boolValue: true } } } }, enumerable: true })
    const message = { metadataContext: { filterMetadata: { 'envoy.filters.http.jwt_authn': { fields } } } }
    const claims = requestInfo(message, {}, NOTHING).jwtMetadata as Record<string, unknown>
    expect(Object.keys(claims)).toEqual(['__proto__'])
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    let deep: WireValue = { stringValue: 'end' }
    for (let i = 0; i < 50_000; i++) deep = { listValue: { values: [deep] } }
    const nested = { metadataContext: { filterMetadata: { 'envoy.filters.http.jwt_authn': { fields: { deep } } } } }
    expect(JSON.stringify(requestInfo(nested, {}, NOTHING).jwtMetadata)).not.toContain('end')
  })
})

describe('an answer', () => {
  it.each([
    ['200', 200],
    ['599', 599],
    ['', 0],
    ['2000', 0],
    ['-20', 0],
    ['abc', 0],
    ['1e2', 0],
    ['٢٠٠', 0],
  ])('has of the status %j the number %i', (text, status) => {
    expect(responseInfo({}, { headers: { headers: [raw(':status', text)] } }).status).toBe(status)
  })

  it.each<[WireValue, number | null]>([
    [{ numberValue: 0 }, 0],
    [{ numberValue: 64 }, 64],
    [{ stringValue: '3' }, 3],
    [{ stringValue: '' }, null],
    [{ stringValue: '3x' }, null],
    [{ stringValue: '99999999999999999999' }, null],
    [{ numberValue: -1 }, null],
    [{ numberValue: 1.5 }, null],
    [{ numberValue: Number.NaN }, null],
    [{ numberValue: 1e300 }, null],
    [{ boolValue: true }, null],
    [{}, null],
  ])('reads the attempt count %j as %j', (value, attempts) => {
    expect(responseInfo(attributes({ 'upstream.request_attempt_count': value }), {}).attempts).toBe(attempts)
  })

  it('tells why the proxy answered itself', () => {
    const fields = { 'response.code_details': { stringValue: 'via_upstream' }, 'response.flags': { numberValue: 32 } }
    const info = responseInfo(attributes(fields), { endOfStream: true })
    expect([info.codeDetails, info.flags, info.attempts, info.endOfStream]).toEqual(['via_upstream', 32, null, true])
  })
})

describe('the settings of a route', () => {
  it('takes the last value, trimmed, and nothing for an empty one', () => {
    const metadata = new Metadata()
    metadata.add('x-purser-namespace', 'first')
    metadata.add('x-purser-namespace', ' team-red ')
    metadata.add('x-purser-provider', '  ')
    expect(routeSettings(metadata)).toEqual({ namespace: 'team-red', provider: null, gateway: null })
  })
})
