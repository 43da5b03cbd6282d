// The other ways in which a proxy may be wired: a filter that only reserves, one that only settles, and bodies in full duplex.
import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type BodyAnswer, PASS } from '../../src/enforcer/exchange.ts'
import type { ProcessingRequest } from '../../src/envoy/protos.ts'
import { BODY_BYTES_MAX, DUPLEX_PIECE_BYTES_MAX } from '../../src/limits.ts'
import {
  answer,
  body,
  type DecodedReply,
  type Envoy,
  HANDOVER,
  House,
  head,
  later,
  MODES,
  NO_CHANGE,
  POST,
  piece,
  REFUSAL,
  turns,
} from './peer.ts'

let house: House
let envoy: Envoy
const ADMIT: BodyAnswer = { kind: 'admit', body: null, change: NO_CHANGE, metadata: { id: 'r1', handover: HANDOVER } }

beforeAll(async () => {
  house = await House.open()
  envoy = house.connect()
  // Until the loop is free of what starting took: a busy one refuses.
  for (let free = false; !free; ) {
    const stream = envoy.open()
    free = (await stream.ask(head()))?.response === 'requestHeaders'
    stream.cancel()
  }
})

beforeEach(() => {
  house.script = {}
  house.exchanges.length = 0
  house.refusals.length = 0
  house.log.warnings.length = 0
  house.log.errors.length = 0
})

afterAll(() => {
  envoy.close()
  house.door.stop()
})

const handed = (namespace: string, text: string): ProcessingRequest => ({
  metadataContext: { filterMetadata: { [namespace]: { fields: { handover: { kind: 'stringValue', stringValue: text } } } } },
})

describe('a filter that only reserves', () => {
  const protocolConfig = { requestBodyMode: 'BUFFERED' }

  it('is left as soon as its verdict is written, and hands over', async () => {
    house.script = { body: async () => ADMIT }
    const stream = envoy.open()
    await stream.ask(head(POST, { protocolConfig }))
    const verdict = await stream.ask(body('{}'))
    const fields = verdict?.dynamicMetadata?.fields?.['purser']?.structValue?.fields
    expect(fields).toMatchObject({ handover: { stringValue: HANDOVER }, verdict: { stringValue: 'admitted' } })
    expect(await stream.ended).toBe(status.OK)
    expect(house.exchange.requests[0]?.answersElsewhere).toBe(true)
    expect(house.exchange.calls).toEqual(['requestHeaders', 'requestBody {}', 'verdictWritten', 'closed'])
  })

  it('leaves what is not metered at its headers, also where its answer would be looked at', async () => {
    for (const kind of ['pass', 'watch'] as const) {
      house.script = { head: { kind, change: NO_CHANGE } }
      const stream = envoy.open()
      expect((await stream.ask(head(POST, { protocolConfig }, true)))?.response).toBe('requestHeaders')
      expect(await stream.ended).toBe(status.OK)
    }
  })

  it('refuses as ever', async () => {
    house.script = { body: async () => ({ kind: 'refuse', refusal: REFUSAL }) }
    const stream = envoy.open()
    await stream.ask(head(POST, { protocolConfig }))
    expect((await stream.ask(body('{}')))?.response).toBe('immediateResponse')
    stream.cancel()
    await house.exchange.seen('closed')
    expect(house.exchange.calls).not.toContain('verdictWritten')
  })
})

describe('a filter that settles', () => {
  it.each(['purser', 'envoy.filters.http.ext_authz'])('takes up what was handed over in %s, and leaves at the end', async namespace => {
    const observabilityMode = true
    const stream = envoy.open()
    stream.send({ ...answer('200', handed(namespace, HANDOVER)), observabilityMode })
    stream.send({ ...piece('abc'), observabilityMode })
    stream.send({ ...piece('', true), observabilityMode })
    expect(await stream.ended).toBe(status.OK)
    expect(stream.replies).toEqual([])
    expect(house.exchange.calls).toEqual(['responseHeaders', 'responseBody abc', 'responseBody  end', 'closed'])
  })

  it('leaves at trailers', async () => {
    const observabilityMode = true
    const stream = envoy.open()
    stream.send({ ...answer('200', handed('purser', HANDOVER)), observabilityMode })
    stream.send({ responseTrailers: {}, observabilityMode } as never)
    expect(await stream.ended).toBe(status.OK)
    expect(house.exchange.calls).toEqual(['responseHeaders', 'responseTrailers', 'closed'])
  })

  it('takes it up at the request too, where it is shown that', async () => {
    const observabilityMode = true
    const { protocolConfig: _none, ...first } = head(POST, handed('purser', HANDOVER))
    const stream = envoy.open()
    for (const message of [first, body('{}'), answer('200'), piece('x', true)]) stream.send({ ...message, observabilityMode })
    expect(await stream.ended).toBe(status.OK)
    expect(house.exchange.calls).toEqual(['responseHeaders', 'responseBody x end', 'closed'])
  })

  it('replies where it does not observe', async () => {
    const stream = envoy.open()
    expect((await stream.ask(answer('200', { ...handed('purser', HANDOVER), protocolConfig: MODES })))?.response).toBe('responseHeaders')
    expect((await stream.ask(piece('x', true)))?.response).toBe('responseBody')
    stream.cancel()
    await house.exchange.seen('closed')
  })

  it.each([{}, handed('purser', 'theirs'), handed('other', HANDOVER), handed('purser', '')])('leaves what is not ours: %j', async more => {
    const stream = envoy.open()
    stream.send({ ...answer('200', more), observabilityMode: true })
    expect(await stream.ended).toBe(status.OK)
    expect(house.exchanges).toEqual([])
  })

  it('judges a request whatever its metadata says: only an observing filter resumes', async () => {
    house.script = { body: async () => ADMIT }
    const stream = envoy.open()
    await stream.ask(head(POST, handed('purser', HANDOVER)))
    await stream.ask(body('{}'))
    expect(house.exchange.calls).toEqual(['requestHeaders', 'requestBody {}', 'verdictWritten'])
    stream.cancel()
  })
})

describe('full duplex', () => {
  const protocolConfig = { requestBodyMode: 'FULL_DUPLEX_STREAMED', responseBodyMode: 'FULL_DUPLEX_STREAMED' }
  const first = head(POST, { protocolConfig })
  const sent = (replies: readonly DecodedReply[], part: 'requestBody' | 'responseBody') =>
    replies.flatMap(reply => {
      const mutation = reply[part]?.response.bodyMutation
      return mutation !== undefined && 'streamedResponse' in mutation ? [mutation.streamedResponse] : []
    })

  it('lets nothing go on before the verdict, then all of it', async () => {
    const verdict = later<BodyAnswer>()
    house.script = { body: () => verdict.promise }
    const stream = envoy.open()
    stream.send(first)
    stream.send(body('{"a":', false))
    stream.send(body('1}', true))
    while (house.exchanges.length === 0) await turns(1)
    await house.exchange.seen('requestBody {"a":1}')
    expect(stream.replies).toEqual([])
    verdict.resolve(ADMIT)
    await stream.until(2)
    expect(stream.replies.map(reply => reply.response)).toEqual(['requestHeaders', 'requestBody'])
    expect(stream.replies[0]?.requestHeaders?.response.headerMutation).toBeUndefined()
    expect(sent(stream.replies, 'requestBody')).toEqual([{ body: Buffer.from('{"a":1}'), endOfStream: true }])
    stream.send(answer('200'))
    stream.send(piece('one'))
    stream.send(piece('', true))
    await stream.until(5)
    expect(sent(stream.replies, 'responseBody')).toEqual(
      [{ body: Buffer.from('one') }, { endOfStream: true }].map(each => expect.objectContaining(each)),
    )
    stream.cancel()
    await house.exchange.seen('closed')
    expect(house.exchange.calls.slice(2)).toEqual(['verdictWritten', 'responseHeaders', 'responseBody one', 'responseBody  end', 'closed'])
  })

  it('sends another body without the length of the first, in pieces that the proxy takes', async () => {
    const long = Buffer.alloc(2 * DUPLEX_PIECE_BYTES_MAX + 1, 'x')
    house.script = { body: async () => ({ ...ADMIT, body: long }) }
    const stream = envoy.open()
    stream.send(first)
    stream.send(body('{}', true))
    await stream.until(4)
    expect(stream.replies[0]?.requestHeaders?.response.headerMutation?.removeHeaders).toEqual(['content-length'])
    const pieces = sent(stream.replies, 'requestBody')
    expect(pieces.map(({ body: bytes, endOfStream }) => [bytes.length, endOfStream === true])).toEqual([
      [DUPLEX_PIECE_BYTES_MAX, false],
      [DUPLEX_PIECE_BYTES_MAX, false],
      [1, true],
    ])
    stream.cancel()
  })

  it('answers trailers last, and ends no body before them', async () => {
    house.script = { body: async () => ADMIT }
    const stream = envoy.open()
    stream.send(first)
    stream.send(body('{}', false))
    stream.send({ requestTrailers: {} } as never)
    await stream.until(3)
    expect(stream.replies.map(reply => reply.response)).toEqual(['requestHeaders', 'requestBody', 'requestTrailers'])
    expect(sent(stream.replies, 'requestBody').map(each => each.endOfStream === true)).toEqual([false])
    stream.cancel()
  })

  it('refuses before anything went on', async () => {
    house.script = { body: async () => ({ kind: 'refuse', refusal: REFUSAL }) }
    const stream = envoy.open()
    stream.send(first)
    expect((await stream.ask(body('{}', true)))?.response).toBe('immediateResponse')
    stream.cancel()
  })

  it('refuses a body that never ends', async () => {
    const stream = envoy.open()
    stream.send(first)
    stream.send({ requestBody: { body: Buffer.alloc(BODY_BYTES_MAX) } })
    expect((await stream.ask(body('x', false)))?.immediateResponse?.details).toBe('purser_too-large')
    expect(house.refusals).toEqual(['too-large'])
    stream.cancel()
  })

  it.each(['head', 'body'] as const)('gives back all that is not metered (decided at the %s), and stays', async where => {
    house.script = where === 'head' ? { head: { kind: 'pass', change: NO_CHANGE } } : { body: async () => PASS }
    const stream = envoy.open()
    for (const message of [first, body('ab', false), body('c', true)]) stream.send(message)
    await stream.until(where === 'head' ? 3 : 2)
    stream.send(answer('200'))
    stream.send(piece('xy'))
    stream.send(piece('z', true))
    await stream.until(where === 'head' ? 6 : 5)
    expect(Buffer.concat(sent(stream.replies, 'requestBody').map(each => each.body)).toString()).toBe('abc')
    expect(Buffer.concat(sent(stream.replies, 'responseBody').map(each => each.body)).toString()).toBe('xyz')
    stream.cancel()
    await house.exchange.seen('closed')
    expect(house.exchange.calls.filter(call => call.startsWith('response'))).toEqual([])
  })

  it('gives back an answer that is not read, and one that broke our meter', async () => {
    const boom = () => {
      throw new Error('boom')
    }
    for (const script of [{ response: { kind: 'done', change: NO_CHANGE } as const }, { piece: boom }]) {
      house.script = { body: async () => ADMIT, ...script }
      const stream = envoy.open()
      for (const message of [first, body('{}', true), answer('500')]) stream.send(message)
      await stream.until(3)
      stream.send(piece('lost'))
      stream.send(piece('kept', true))
      await stream.until('piece' in script ? 4 : 5)
      expect(sent(stream.replies, 'responseBody').at(-1)).toMatchObject({ body: Buffer.from('kept'), endOfStream: true })
      stream.cancel()
    }
  })

  it('meters an answer in full duplex behind a request that was buffered', async () => {
    house.script = { body: async () => ADMIT, piece: () => Buffer.from('other') }
    const stream = envoy.open()
    await stream.ask(head(POST, { protocolConfig: { ...protocolConfig, requestBodyMode: 'BUFFERED' } }))
    expect((await stream.ask(body('{}')))?.response).toBe('requestBody')
    await stream.ask(answer('200'))
    await stream.ask(piece('x', true))
    expect(sent(stream.replies, 'responseBody')).toEqual([{ body: Buffer.from('other'), endOfStream: true }])
    stream.cancel()
  })

  it('gives back the answer of another filter', async () => {
    const stream = envoy.open()
    await stream.ask(answer('401', { protocolConfig }))
    await stream.ask(piece('no', true))
    expect(sent(stream.replies, 'responseBody')).toEqual([{ body: Buffer.from('no'), endOfStream: true }])
    expect(house.exchanges).toEqual([])
    stream.cancel()
  })
})
