// The door's checks over the wire: one exchange a check, answered as Envoy's ext_authz takes it, closed once.
import { Client, credentials, status } from '@grpc/grpc-js'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type BodyAnswer, PASS } from '../../src/enforcer/exchange.ts'
import { authorizationService, type CheckRequest, type HttpRequest } from '../../src/envoy/ext-authz.ts'
import type { WireMetadata } from '../../src/envoy/protos.ts'
import { HANDOVER, House, later, NO_CHANGE, POST, REFUSAL, wire } from './peer.ts'

let house: House
let client: Client
const ADMIT: BodyAnswer = { kind: 'admit', body: null, change: NO_CHANGE, metadata: { id: 'r1', handover: HANDOVER } }
const { Check } = authorizationService() as unknown as {
  Check: {
    path: string
    requestSerialize(message: CheckRequest): Buffer
    responseDeserialize(bytes: Buffer): Answer
  }
}

interface Answer {
  readonly status?: { readonly code?: number }
  readonly okResponse?: { readonly headers?: readonly { readonly header: object }[]; readonly headersToRemove?: readonly string[] }
  readonly deniedResponse?: { readonly status: object; readonly headers?: readonly { readonly header: object }[]; readonly body?: string }
  readonly dynamicMetadata?: { readonly fields?: Readonly<Record<string, object>> }
}

beforeAll(async () => {
  house = await House.open()
  client = new Client(`127.0.0.1:${house.door.port}`, credentials.createInsecure(), { 'grpc.max_send_message_length': -1 })
  // Until the loop is free of what starting took: a busy one refuses.
  for (let free = false; !free; ) free = (await check(http('{}'))).answer?.okResponse !== undefined
})

beforeEach(() => {
  house.script = { body: async () => ADMIT }
  house.admitting = true
  house.exchanges.length = 0
  house.refusals.length = 0
  house.log.warnings.length = 0
  house.log.errors.length = 0
})

afterAll(() => {
  client.close()
  house.door.stop()
})

const PARTIAL = 'x-envoy-auth-partial-body'

function http(body: string, more: Partial<HttpRequest> = {}, headers: readonly (readonly [string, string])[] = []): HttpRequest {
  const all = [...POST, ['content-length', String(Buffer.byteLength(body))], [PARTIAL, 'false'], ...headers] as const
  return {
    method: 'POST',
    path: '/v1/chat/completions?x=1',
    host: 'gateway.local',
    size: Buffer.byteLength(body),
    rawBody: Buffer.from(body),
    headerMap: { headers: wire(all) },
    ...more,
  }
}

function check(
  request: HttpRequest,
  attributes: Partial<NonNullable<CheckRequest['attributes']>> = {},
): Promise<{ answer: Answer | null; code: number }> {
  return new Promise(resolve => {
    const message = { attributes: { request: { http: request }, ...attributes } }
    client.makeUnaryRequest(Check.path, Check.requestSerialize, Check.responseDeserialize, message, (fault, answer) =>
      resolve({ answer: answer ?? null, code: fault?.code ?? status.OK }),
    )
  })
}

const namesOf = (headers: readonly { readonly header: object }[] = []) => headers.map(({ header }) => header)

describe('a check', () => {
  it('admits with what is to be changed, and hands over', async () => {
    house.script = {
      head: { kind: 'read-body', change: { set: [['accept-encoding', 'identity']], remove: ['authorization'] } },
      body: async () => ADMIT,
    }
    const { answer } = await check(http('{"model":"m"}'))
    expect(answer?.status?.code ?? 0).toBe(0)
    // Envoy reads the text of a header here, not its bytes.
    expect(namesOf(answer?.okResponse?.headers)).toEqual([{ key: 'accept-encoding', value: 'identity' }])
    expect(answer?.okResponse?.headersToRemove).toEqual(['authorization'])
    expect(answer?.dynamicMetadata?.fields).toMatchObject({
      id: { stringValue: 'r1' },
      handover: { stringValue: HANDOVER },
      verdict: { stringValue: 'admitted' },
    })
    expect(house.exchange.calls).toEqual(['requestHeaders', 'requestBody {"model":"m"}', 'verdictWritten', 'closed'])
    expect(house.exchange.requests[0]).toMatchObject({ bodyIsFixed: true, answersElsewhere: true })
  })

  it('refuses with status, headers and body, whatever they are', async () => {
    for (const refusal of [
      REFUSAL,
      { ...REFUSAL, status: 403, headers: [['x-purser-budget', 'default/dollar/all']] as const },
      { ...REFUSAL, status: 503 },
    ]) {
      house.script = { body: async () => ({ kind: 'refuse', refusal }) }
      const { answer, code } = await check(http('{}'))
      expect(code).toBe(status.OK)
      expect(answer?.status?.code).toBe(status.PERMISSION_DENIED)
      expect(answer?.deniedResponse?.body).toBe(refusal.body)
      expect(namesOf(answer?.deniedResponse?.headers)).toEqual(refusal.headers.map(([key, value]) => ({ key, value })))
      expect(answer?.dynamicMetadata?.fields).toMatchObject({ verdict: { stringValue: 'refused' }, reason: { stringValue: 'exhausted' } })
      expect(house.exchange.calls).toEqual(['requestHeaders', 'requestBody {}', 'closed'])
    }
  })

  it('lets through what is not metered, at its headers or at its body', async () => {
    for (const script of [
      { head: { kind: 'pass', change: NO_CHANGE } as const },
      { head: { kind: 'watch', change: NO_CHANGE } as const },
      { body: async () => PASS },
    ]) {
      house.script = script
      const { answer } = await check(http('{}'))
      expect(answer?.okResponse).toBeDefined()
      expect(answer?.dynamicMetadata?.fields).toMatchObject({ verdict: { stringValue: 'unmetered' } })
    }
  })

  it('is refused by a door that does not admit, and counted', async () => {
    house.admitting = false
    expect((await check(http('{}'))).answer?.deniedResponse?.status).toEqual({ code: 'ServiceUnavailable' })
    expect([house.exchanges, house.refusals]).toEqual([[], ['overload']])
  })

  it('without any body is refused as wired wrongly: what is asked cannot be seen', async () => {
    const { answer } = await check({ method: 'POST', path: '/v1/chat/completions', size: 12, headerMap: { headers: wire(POST) } })
    expect(answer?.deniedResponse?.body).toContain('with_request_body')
    expect(house.refusals).toEqual(['wiring'])
    expect(house.log.warnings).toHaveLength(1)
    expect(house.exchange.calls).toEqual(['requestHeaders', 'closed'])
  })

  it('of a request that has no body is judged as such', async () => {
    await check({ method: 'POST', path: '/x', size: 0, headerMap: { headers: wire(POST) } })
    expect(house.exchange.calls.slice(0, 2)).toEqual(['requestHeaders', 'requestBody '])
    expect(house.exchange.requests[0]?.endOfStream).toBe(true)
  })

  it.each([
    ['a part of it', http('{"a":', {}, [[PARTIAL, 'true']]).headerMap, { rawBody: Buffer.from('{"a":') }],
    ['text that is not as long as was said', undefined, { rawBody: undefined, body: '\ufffd', size: 1 }],
  ])('says of a body that it is %s', async (_what, headerMap, more) => {
    const plain = http('{"a":', more as Partial<HttpRequest>)
    const parts = headerMap === undefined ? plain : { ...plain, headerMap: { headers: wire([...POST, [PARTIAL, 'true']]) } }
    await check(Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined)))
    expect(house.exchange.requests[0]?.bodyIsPart).toBe(true)
  })

  it('takes a body that came as text where that is whole', async () => {
    const { rawBody: _none, ...plain } = http('{"ä":1}', { body: '{"ä":1}' })
    await check(plain)
    expect(house.exchange.calls).toContain('requestBody {"ä":1}')
    expect(house.exchange.requests[0]?.bodyIsPart).toBeUndefined()
  })

  it('takes headers as text, too', async () => {
    const { headerMap: _none, ...plain } = http('{}', { headers: { 'x-team': 'red', [PARTIAL]: 'false' } })
    await check(plain)
    expect(house.exchange.requests[0]?.headers.get('x-team')).toBe('red')
  })

  it('knows the caller, the claims, and what is configured on the route', async () => {
    const claims: WireMetadata = {
      filterMetadata: { 'envoy.filters.http.jwt_authn': { fields: { sub: { kind: 'stringValue', stringValue: 'ada' } } } },
    }
    const resource = {
      kind: { kind: 'stringValue', stringValue: 'HTTPRoute' },
      namespace: { kind: 'stringValue', stringValue: 'red' },
      name: { kind: 'stringValue', stringValue: 'chat' },
    }
    const made: WireMetadata = {
      filterMetadata: {
        'envoy-gateway': {
          fields: { resources: { kind: 'listValue', listValue: { values: [{ kind: 'structValue', structValue: { fields: resource } }] } } },
        },
      },
    }
    await check(http('{}'), {
      source: { address: { socketAddress: { address: '10.0.0.7', portValue: 4242 } }, principal: 'spiffe://lab/ns/x/sa/red' },
      contextExtensions: {
        'x-purser-namespace': 'red',
        'x-purser-provider': 'openai',
        'x-purser-gateway': ' ',
        'x-purser-retries': 'unsent',
      },
      metadataContext: claims,
      routeMetadataContext: made,
    })
    expect(house.exchange.requests[0]).toMatchObject({
      method: 'POST',
      path: '/v1/chat/completions?x=1',
      authority: 'gateway.local',
      sourceAddress: '10.0.0.7:4242',
      peerUriSan: 'spiffe://lab/ns/x/sa/red',
      jwtMetadata: { sub: 'ada' },
      routeName: 'httproute/red/chat',
      purser: { namespace: 'red', provider: 'openai', gateway: null, retriesUnsent: true },
    })
  })

  it.each([
    ['in the verdict', { body: () => Promise.reject(new Error('boom')) }],
    ['in what it says', { body: async () => ({ kind: 'gone' }) as const }],
    ['by another body', { body: async () => ({ ...ADMIT, body: Buffer.from('x') }) as const }],
  ])('fails where a bug of ours is (%s), and never lets through', async (_where, script) => {
    house.script = script
    expect(await check(http('{}'))).toEqual({ answer: null, code: status.INTERNAL })
    expect(house.exchange.calls).not.toContain('verdictWritten')
    expect(house.exchange.calls.at(-1)).toBe('closed')
    expect(house.log.errors).toHaveLength(1)
  })

  it('that its caller gives up is closed before its verdict', async () => {
    const verdict = later<BodyAnswer>()
    house.script = { body: () => verdict.promise }
    const call = client.makeUnaryRequest(
      Check.path,
      Check.requestSerialize,
      Check.responseDeserialize,
      { attributes: { request: { http: http('{}') } } },
      () => {},
    )
    while (house.exchanges.length === 0) await new Promise(resolve => setImmediate(resolve))
    call.cancel()
    await house.exchange.seen('closed')
    verdict.resolve(ADMIT)
    await verdict.promise
    expect(house.exchange.calls).toEqual(['requestHeaders', 'requestBody {}', 'closed'])
    expect(house.exchange.offences).toEqual([])
  })
})
