// The door over the wire: one stream an exchange, one reply a message, closed once, whatever comes in whatever order.
import { Metadata, status } from '@grpc/grpc-js'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type BodyAnswer, PASS } from '../../src/enforcer/exchange.ts'
import { answer, body, type Envoy, House, head, later, MODES, NO_CHANGE, POST, piece, REFUSAL, turns } from './peer.ts'

let house: House
let envoy: Envoy
const ADMIT: BodyAnswer = { kind: 'admit', body: null, change: NO_CHANGE, metadata: { id: 'r1' } }
const metadataOf = (
  reply: { dynamicMetadata?: { fields?: Record<string, { structValue?: { fields?: Record<string, object> } }> } } | null,
) => reply?.dynamicMetadata?.fields?.['purser']?.structValue?.fields

beforeAll(async () => {
  house = await House.open()
  envoy = house.connect()
})

beforeEach(() => {
  house.script = {}
  house.admitting = true
  house.exchanges.length = 0
  house.refusals.length = 0
  house.log.warnings.length = 0
  house.log.errors.length = 0
})

afterAll(() => {
  envoy.close()
  house.door.stop()
})

describe('a metered call', () => {
  it('goes through the exchange in order, one reply a message', async () => {
    house.script = { body: async () => ADMIT, piece: bytes => (bytes.length === 5 ? new Uint8Array(0) : null) }
    const metadata = new Metadata()
    metadata.set('x-purser-namespace', 'red')
    const stream = envoy.open(metadata)
    expect((await stream.ask(head()))?.response).toBe('requestHeaders')
    const verdict = await stream.ask(body('{"model":"m"}'))
    expect(verdict?.response).toBe('requestBody')
    expect(metadataOf(verdict)).toMatchObject({ id: { stringValue: 'r1' }, verdict: { stringValue: 'admitted' } })
    expect((await stream.ask(answer('200')))?.response).toBe('responseHeaders')
    expect((await stream.ask(piece('abc')))?.responseBody?.response).toEqual({})
    expect((await stream.ask(piece('usage')))?.responseBody?.response.bodyMutation).toMatchObject({ clearBody: true })
    await stream.ask(piece('', true))
    stream.cancel()
    await house.exchange.seen('closed')
    expect(house.exchange.calls).toEqual([
      'requestHeaders',
      'requestBody {"model":"m"}',
      'verdictWritten',
      'responseHeaders',
      'responseBody abc',
      'responseBody usage',
      'responseBody  end',
      'closed',
    ])
    const [info] = house.exchange.requests
    expect([info?.method, info?.path, info?.authority, info?.purser.namespace]).toEqual([
      'POST',
      '/v1/chat/completions?x=1',
      'gateway.local',
      'red',
    ])
    expect(stream.replies).toHaveLength(6)
  })

  it('has its body replaced with the length that fits', async () => {
    house.script = { body: async () => ({ ...ADMIT, body: Buffer.from('longer') }) }
    const stream = envoy.open()
    await stream.ask(head())
    const reply = await stream.ask(body('x'))
    expect(reply?.requestBody?.response.bodyMutation).toMatchObject({ body: Buffer.from('longer') })
    expect(reply?.requestBody?.response.headerMutation?.setHeaders).toEqual([
      { header: { key: 'content-length', rawValue: Buffer.from('6') }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' },
    ])
    stream.cancel()
  })

  it('takes a body whose trailers follow as whole', async () => {
    const stream = envoy.open()
    await stream.ask(head())
    await stream.ask(body('whole', false))
    expect((await stream.ask({ request: 'requestTrailers', requestTrailers: {} } as never))?.response).toBe('requestTrailers')
    expect(house.exchange.calls).toEqual(['requestHeaders', 'requestBody whole', 'verdictWritten'])
    stream.cancel()
  })

  it('without a body gets its verdict with the headers', async () => {
    house.script = {
      head: {
        kind: 'read-body',
        change: {
          set: [
            ['a', '1'],
            ['b', '1'],
          ],
          remove: ['c'],
        },
      },
      body: async () => ({ ...ADMIT, change: { set: [['b', '2']], remove: [] } }),
    }
    const stream = envoy.open()
    const reply = await stream.ask(head(POST, {}, true))
    expect(reply?.response).toBe('requestHeaders')
    const mutation = reply?.requestHeaders?.response.headerMutation
    expect(mutation?.setHeaders?.map(({ header }) => `${header.key}=${header.rawValue}`)).toEqual(['a=1', 'b=2'])
    expect(mutation?.removeHeaders).toEqual(['c'])
    expect(metadataOf(reply)).toMatchObject({ verdict: { stringValue: 'admitted' } })
    expect(house.exchange.calls).toEqual(['requestHeaders', 'requestBody ', 'verdictWritten'])
    stream.cancel()
  })

  it('without a body but with trailers gets its verdict with those', async () => {
    house.script = { body: async () => ({ kind: 'refuse', refusal: REFUSAL }) }
    const stream = envoy.open()
    await stream.ask(head())
    expect((await stream.ask({ requestTrailers: {} } as never))?.response).toBe('immediateResponse')
    expect(house.exchange.calls).toEqual(['requestHeaders', 'requestBody '])
    stream.cancel()
  })

  it('is left after response headers where nothing more is to be seen', async () => {
    house.script = { response: { kind: 'done', change: { set: [['x-purser-action', 'kept']], remove: [] } } }
    const stream = envoy.open()
    await stream.ask(head())
    await stream.ask(body('{}'))
    const attributes = {
      'envoy.filters.http.ext_proc': {
        fields: { 'response.flags': { numberValue: 64 }, 'upstream.request_attempt_count': { numberValue: 1 } },
      },
    }
    const reply = await stream.ask(answer('503', { attributes }))
    expect(reply?.responseHeaders?.response.headerMutation?.setHeaders).toHaveLength(1)
    expect(await stream.ended).toBe(status.OK)
    expect(house.exchange.responses).toMatchObject([{ status: 503, flags: 64, attempts: 1 }])
    expect(house.exchange.calls.at(-1)).toBe('closed')
  })

  it('reports an answer that came before the body, such as a 413 of the proxy', async () => {
    house.script = { response: { kind: 'done', change: NO_CHANGE } }
    const stream = envoy.open()
    await stream.ask(head())
    await stream.ask(answer('413'))
    expect(await stream.ended).toBe(status.OK)
    expect(house.exchange.calls).toEqual(['requestHeaders', 'responseHeaders', 'closed'])
  })

  it('sees trailers of the answer', async () => {
    const stream = envoy.open()
    await stream.ask(head())
    await stream.ask(body('{}'))
    await stream.ask(answer('200'))
    expect((await stream.ask({ responseTrailers: {} } as never))?.response).toBe('responseTrailers')
    expect(house.exchange.calls.at(-1)).toBe('responseTrailers')
    stream.cancel()
  })

  it('may be 20 MB long, and be replaced by as much', async () => {
    const long = Buffer.alloc(20_000_000, 'a')
    house.script = { body: async bytes => ({ ...ADMIT, body: Buffer.concat([bytes, Buffer.from('!')]) }) }
    const stream = envoy.open()
    await stream.ask(head())
    const reply = await stream.ask({ requestBody: { body: long, endOfStream: true } })
    const mutation = reply?.requestBody?.response.bodyMutation
    expect(mutation !== undefined && 'body' in mutation ? mutation.body.length : 0).toBe(20_000_001)
    stream.cancel()
  })
})

describe('calls that are not metered', () => {
  it('pass at the headers, marked, and the stream ends well', async () => {
    house.script = { head: { kind: 'pass', change: { set: [], remove: ['x-api-key'] } } }
    const stream = envoy.open()
    const reply = await stream.ask(head())
    expect(reply?.requestHeaders?.response.headerMutation?.removeHeaders).toEqual(['x-api-key'])
    expect(metadataOf(reply)).toMatchObject({ verdict: { stringValue: 'unmetered' } })
    expect(await stream.ended).toBe(status.OK)
    expect(house.exchange.calls).toEqual(['requestHeaders', 'closed'])
  })

  it('pass at the headers and stay to be seen, where their answer can prove an earlier charge', async () => {
    house.script = { head: { kind: 'watch', change: { set: [['accept-encoding', 'identity']], remove: [] } } }
    const stream = envoy.open()
    const reply = await stream.ask(head())
    expect(metadataOf(reply)).toMatchObject({ verdict: { stringValue: 'unmetered' } })
    await stream.ask(answer('200'))
    await stream.ask(piece('{}', true))
    stream.cancel()
    await house.exchange.seen('closed')
    expect(house.exchange.calls).toEqual(['requestHeaders', 'responseHeaders', 'responseBody {} end', 'closed'])
  })

  it('pass at the body in the same way', async () => {
    house.script = { body: async () => PASS }
    const stream = envoy.open()
    await stream.ask(head())
    expect(metadataOf(await stream.ask(body('{}')))).toMatchObject({ verdict: { stringValue: 'unmetered' } })
    expect(await stream.ended).toBe(status.OK)
    expect(house.exchange.calls).toEqual(['requestHeaders', 'requestBody {}', 'closed'])
  })
})

describe('refusals', () => {
  it.each([
    ['at the headers', { head: { kind: 'refuse', refusal: REFUSAL } } as const, []],
    ['at the body', { body: async () => ({ kind: 'refuse', refusal: REFUSAL }) as const }, ['requestBody {}']],
  ])('%s are answers of the proxy', async (_where, script, calls) => {
    house.script = script
    const stream = envoy.open()
    let reply = await stream.ask(head())
    if (calls.length > 0) reply = await stream.ask(body('{}'))
    expect(reply?.response).toBe('immediateResponse')
    expect(reply?.immediateResponse).toMatchObject({ body: Buffer.from(REFUSAL.body), details: 'purser_exhausted' })
    expect(metadataOf(reply)).toMatchObject({ verdict: { stringValue: 'refused' }, reason: { stringValue: 'exhausted' } })
    stream.cancel()
    await house.exchange.seen('closed')
    expect(house.exchange.calls).toEqual(['requestHeaders', ...calls, 'closed'])
  })

  it('end the talk: a message that comes all the same gets no reply', async () => {
    house.script = { head: { kind: 'refuse', refusal: REFUSAL } }
    const stream = envoy.open()
    await stream.ask(head())
    expect(await stream.ask(body('{}'))).toBeNull()
    expect(await stream.ended).toBe(status.OK)
    expect(stream.replies).toHaveLength(1)
  })

  it('come at once, with 503 and no exchange, while none is admitted', async () => {
    house.admitting = false
    const stream = envoy.open()
    const reply = await stream.ask(head())
    expect(reply?.immediateResponse?.status).toEqual({ code: 'ServiceUnavailable' })
    const headers = reply?.immediateResponse?.headers.setHeaders?.map(({ header }) => `${header.key}: ${header.rawValue}`)
    expect(headers).toEqual(expect.arrayContaining(['x-purser-reason: overload', 'retry-after: 1', 'content-type: application/json']))
    expect(house.exchanges).toEqual([])
    stream.cancel()
  })

  it('spare the exchanges that had begun', async () => {
    const stream = envoy.open()
    await stream.ask(head())
    house.admitting = false
    expect((await stream.ask(body('{}')))?.response).toBe('requestBody')
    expect((await stream.ask(answer('200')))?.response).toBe('responseHeaders')
    stream.cancel()
  })
})

describe('wirings that cannot work', () => {
  it.each([
    [{ ...MODES, requestBodyMode: 'STREAMED' }, 'request_body_mode STREAMED'],
    [{ ...MODES, requestBodyMode: 'BUFFERED_PARTIAL' }, 'request_body_mode BUFFERED_PARTIAL'],
    [{ ...MODES, responseBodyMode: 'BUFFERED' }, 'response_body_mode BUFFERED'],
    [{ ...MODES, responseBodyMode: 'BUFFERED_PARTIAL' }, 'response_body_mode BUFFERED_PARTIAL'],
    [{ responseBodyMode: 'STREAMED' }, 'request_body_mode NONE'],
    [{ ...MODES, responseBodyMode: 77 }, 'response_body_mode 77'],
    [{}, 'request_body_mode NONE'],
  ])('%j are refused with 500, saying why', async (protocolConfig, why) => {
    const stream = envoy.open()
    const reply = await stream.ask(head(POST, { protocolConfig }))
    expect(reply?.immediateResponse?.status).toEqual({ code: 'InternalServerError' })
    expect(reply?.immediateResponse?.body.toString()).toContain(why)
    expect(reply?.immediateResponse?.details).toBe('purser_wiring')
    expect(house.exchanges).toEqual([])
    expect(house.refusals).toEqual(['wiring'])
    stream.cancel()
  })

  it('are logged once, not for every request', async () => {
    const protocolConfig = { requestBodyMode: 'GRPC', responseBodyMode: 'STREAMED' }
    for (let i = 0; i < 3; i++) {
      const stream = envoy.open()
      await stream.ask(head(POST, { protocolConfig }))
      stream.cancel()
    }
    expect(house.log.warnings).toHaveLength(1)
    expect(house.log.warnings[0]).toContain('request_body_mode GRPC')
  })

  it('a body without headers is refused: the headers have left already', async () => {
    const stream = envoy.open()
    const reply = await stream.ask({ ...body('{}'), protocolConfig: MODES })
    expect(reply?.immediateResponse?.body.toString()).toContain('request_header_mode SKIP')
    stream.cancel()
  })

  it('a body in pieces is refused at the second', async () => {
    const stream = envoy.open()
    await stream.ask(head())
    await stream.ask(body('{', false))
    expect((await stream.ask(body('}')))?.immediateResponse?.details).toBe('purser_wiring')
    stream.cancel()
    await house.exchange.seen('closed')
  })

  it('an answer without headers passes, unmetered but whole', async () => {
    const stream = envoy.open()
    await stream.ask(head())
    await stream.ask(body('{}'))
    expect((await stream.ask(piece('x')))?.responseBody?.response).toEqual({})
    expect(house.exchange.calls).toEqual(['requestHeaders', 'requestBody {}', 'verdictWritten'])
    expect(house.log.warnings.at(-1)).toContain('response_header_mode SKIP')
    stream.cancel()
  })

  it('a proxy that does not tell its modes is served', async () => {
    const stream = envoy.open()
    const { protocolConfig: _none, ...message } = head()
    expect((await stream.ask(message))?.response).toBe('requestHeaders')
    stream.cancel()
  })
})

describe('an answer as the first message', () => {
  it('passes without an exchange, and the stream is left', async () => {
    const stream = envoy.open()
    expect((await stream.ask(answer('401', { protocolConfig: MODES })))?.response).toBe('responseHeaders')
    expect(await stream.ended).toBe(status.OK)
    expect(house.exchanges).toEqual([])
  })
})

describe('a verdict that takes its time', () => {
  it('holds back later messages of its stream, and no other stream', async () => {
    const verdict = later<BodyAnswer>()
    house.script = { body: () => verdict.promise }
    const slow = envoy.open()
    await slow.ask(head())
    slow.send(body('slow'))
    slow.send(answer('408'))
    slow.send(piece('late', true))
    await house.exchange.seen('requestBody slow')
    const held = house.exchange
    house.script = {}
    const quick = envoy.open()
    await quick.ask(head())
    expect((await quick.ask(body('quick')))?.response).toBe('requestBody')
    expect(slow.replies).toHaveLength(1)
    expect(held.calls).toEqual(['requestHeaders', 'requestBody slow'])
    verdict.resolve(ADMIT)
    await slow.until(4)
    expect(slow.replies.map(reply => reply.response)).toEqual(['requestHeaders', 'requestBody', 'responseHeaders', 'responseBody'])
    expect(held.calls.slice(2)).toEqual(['verdictWritten', 'responseHeaders', 'responseBody late end'])
    slow.cancel()
    quick.cancel()
  })

  it('holds back more than it keeps, and loses none of it', async () => {
    const verdict = later<BodyAnswer>()
    house.script = { body: () => verdict.promise }
    const stream = envoy.open()
    await stream.ask(head())
    stream.send(body('{}'))
    await house.exchange.seen('requestBody {}')
    stream.send(answer('200'))
    for (let i = 0; i < 60; i++) await stream.sent(piece(String(i)))
    // The door reads one message of a stream a turn.
    await turns(500)
    verdict.resolve(ADMIT)
    await stream.until(63)
    expect(house.exchange.calls.filter(call => call.startsWith('responseBody'))).toEqual(
      Array.from({ length: 60 }, (_, i) => `responseBody ${i}`),
    )
    stream.cancel()
  })

  it.each(['cancel', 'halfClose'] as const)('is not written to a client that left by %s', async how => {
    const verdict = later<BodyAnswer>()
    house.script = { body: () => verdict.promise }
    const stream = envoy.open()
    await stream.ask(head())
    stream.send(body('{}'))
    await house.exchange.seen('requestBody {}')
    stream[how]()
    await house.exchange.seen('closed')
    verdict.resolve(ADMIT)
    await stream.ended
    await verdict.promise
    expect(stream.replies).toHaveLength(1)
    expect(house.exchange.calls).toEqual(['requestHeaders', 'requestBody {}', 'closed'])
    expect(house.log.errors).toEqual([])
  })
})

describe('a bug of ours', () => {
  it.each([
    ['in the verdict', { body: () => Promise.reject(new Error('boom')) }],
    [
      'before the verdict',
      {
        body: () => {
          throw new Error('boom')
        },
      },
    ],
    ['in what it says', { body: async () => ({ kind: 'gone' }) as const }],
    ['in a refusal', { body: async () => ({ kind: 'refuse', refusal: { ...REFUSAL, status: 200 } }) as const }],
  ])('%s fails the call, never lets it through', async (_where, script) => {
    house.script = script
    const stream = envoy.open()
    await stream.ask(head())
    expect(await stream.ask(body('{}'))).toBeNull()
    expect(await stream.ended).toBe(status.INTERNAL)
    expect(house.exchange.calls.at(-1)).toBe('closed')
    expect(house.exchange.calls).not.toContain('verdictWritten')
    expect(house.log.errors).toHaveLength(1)
  })

  it('in the meter leaves the client its answer', async () => {
    house.script = {
      piece: () => {
        throw new Error('boom')
      },
    }
    const stream = envoy.open()
    await stream.ask(head())
    await stream.ask(body('{}'))
    await stream.ask(answer('200'))
    expect(await stream.ask(piece('x'))).toBeNull()
    expect(await stream.ended).toBe(status.OK)
    expect(house.exchange.calls.at(-1)).toBe('closed')
    expect(house.log.errors).toEqual(['an exchange failed: boom'])
  })

  it('puts no content into the log', async () => {
    house.script = { body: () => Promise.reject(new Error('boom')) }
    const stream = envoy.open()
    await stream.ask(head([...POST, ['authorization', 'Bearer sesame']]))
    await stream.ask(body('secret prompt'))
    expect(JSON.stringify(house.log)).not.toMatch(/sesame|secret/)
  })
})

describe('a message of a kind that is newer', () => {
  it('fails the call before the verdict, and leaves it after', async () => {
    const stream = envoy.open()
    await stream.ask(head())
    expect(await stream.ask({})).toBeNull()
    expect(await stream.ended).toBe(status.INTERNAL)
    const admitted = envoy.open()
    await admitted.ask(head())
    await admitted.ask(body('{}'))
    expect(await admitted.ask({})).toBeNull()
    expect(await admitted.ended).toBe(status.OK)
  })
})

describe('an observing filter', () => {
  it('gets no reply to anything', async () => {
    const observabilityMode = true
    const { protocolConfig: _none, ...first } = head(POST, { observabilityMode })
    const stream = envoy.open()
    for (const message of [first, body('{}'), answer('200'), piece('x', true)]) stream.send({ ...message, observabilityMode })
    while (house.exchanges.length === 0) await envoy.open().ask(answer('401'))
    await house.exchange.seen('responseBody x end')
    stream.halfClose()
    expect(await stream.ended).toBe(status.OK)
    expect(stream.replies).toEqual([])
    expect(house.exchange.calls).toEqual([
      'requestHeaders',
      'requestBody {}',
      'verdictWritten',
      'responseHeaders',
      'responseBody x end',
      'closed',
    ])
  })
})
