// The access log over the wire: which entries are passed on, and what they say. Whatever comes, no entry breaks the stream.
import { Client, type ClientWritableStream, credentials, status } from '@grpc/grpc-js'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { NO_TOKENS } from '../../src/core/usage.ts'
import { accessLogService, type LogEntry, type LogMessage } from '../../src/envoy/access-log.ts'
import { loadProtos, TOKEN_USAGE } from '../../src/envoy/protos.ts'
import { HANDOVER, House } from './peer.ts'

let house: House
let client: Client
const { StreamAccessLogs: Log } = accessLogService() as unknown as {
  StreamAccessLogs: { path: string; requestSerialize(message: LogMessage): Buffer; responseDeserialize(bytes: Buffer): object }
}
const Usage = loadProtos()[TOKEN_USAGE] as unknown as { serialize(message: object): Buffer }

beforeAll(async () => {
  house = await House.open()
  client = new Client(`127.0.0.1:${house.door.port}`, credentials.createInsecure())
})

beforeEach(() => {
  house.testimonies.length = 0
  house.log.errors.length = 0
})

afterAll(() => {
  client.close()
  house.door.stop()
})

type Common = NonNullable<LogEntry['commonProperties']>

function entry(
  common: Common = {},
  response: LogEntry['response'] = {},
  usage: object | null = null,
  typeUrl = `type.googleapis.com/${TOKEN_USAGE}`,
): LogEntry {
  const typed =
    usage === null ? {} : { typedFilterMetadata: { 'envoy.ai.token_usage': { type_url: typeUrl, value: Usage.serialize(usage) } } }
  const own = { purser: { fields: { handover: { kind: 'stringValue', stringValue: HANDOVER } } } }
  return {
    commonProperties: {
      upstreamRequestAttemptCount: 1,
      timeToFirstUpstreamTxByte: {},
      metadata: { filterMetadata: own, ...typed },
      ...common,
    },
    response: { responseCode: { value: 200 }, responseCodeDetails: 'via_upstream', ...response },
  }
}

/** Sends entries in one message each, and resolves with the stream's status. */
const send = (...entries: readonly LogEntry[]): Promise<number> => sendBatches(...entries.map(one => [one]))

function sendBatches(...batches: readonly (readonly LogEntry[])[]): Promise<number> {
  return new Promise(resolve => {
    const call = open(code => resolve(code))
    for (const logEntry of batches) call.write({ httpLogs: { logEntry } })
    call.end()
  })
}

function open(ended: (code: number) => void): ClientWritableStream<LogMessage> {
  return client.makeClientStreamRequest(Log.path, Log.requestSerialize, Log.responseDeserialize, fault => ended(fault?.code ?? status.OK))
}

describe('an entry', () => {
  it('tells of a reservation, its journey and its answer', async () => {
    expect(await send(entry())).toBe(status.OK)
    expect(house.testimonies).toEqual([
      { handover: HANDOVER, status: 200, codeDetails: 'via_upstream', flags: 0, attempts: 1, sent: true, usage: null },
    ])
  })

  it('tells that nothing was sent, or that a connection failed', async () => {
    await send(
      entry(
        { timeToFirstUpstreamTxByte: undefined } as never,
        { responseCode: undefined, responseCodeDetails: 'downstream_remote_disconnect' } as never,
      ),
      entry(
        { responseFlags: { upstreamConnectionFailure: true } },
        { responseCode: { value: 503 }, responseCodeDetails: 'upstream_reset' },
      ),
      entry({ upstreamRequestAttemptCount: undefined, timeToFirstUpstreamTxByte: undefined } as never, { responseCodeDetails: 'rbac' }),
    )
    expect(house.testimonies.map(({ status: code, flags, attempts, sent }) => [code, flags, attempts, sent])).toEqual([
      [0, 0, 1, false],
      [503, 32, 1, true],
      [200, 0, 0, false],
    ])
  })

  it('of a proxy that counts no attempts has one all the same, if an upstream answered or anything was sent', async () => {
    await send(
      entry({ upstreamRequestAttemptCount: 0, timeToFirstUpstreamTxByte: undefined } as never),
      entry({ upstreamRequestAttemptCount: 0 }, { responseCodeDetails: 'response_timeout' }),
    )
    expect(house.testimonies.map(({ attempts, sent }) => [attempts, sent])).toEqual([
      [1, true],
      [1, true],
    ])
  })

  it.each([
    ['begins an exchange', { accessLogType: 4 }],
    ['is one of several', { intermediateLogEntry: true }],
    ['is of an attempt', { accessLogType: 9 }],
    ['is of a call without us', { metadata: {} }],
    ['has nothing', { metadata: undefined }],
  ])('is left alone where it %s', async (_what, common) => {
    expect(await send(entry(common as Common))).toBe(status.OK)
    expect(house.testimonies).toEqual([])
  })

  it('is taken at the end of an exchange, from either namespace', async () => {
    const authz = { 'envoy.filters.http.ext_authz': { fields: { handover: { kind: 'stringValue', stringValue: HANDOVER } } } }
    await send(entry({ accessLogType: 'DownstreamEnd' }), entry({ metadata: { filterMetadata: authz } }))
    expect(house.testimonies).toHaveLength(2)
  })

  it('without anything breaks nothing', async () => {
    expect(await send({}, { commonProperties: {} }, entry())).toBe(status.OK)
    expect(house.testimonies).toHaveLength(1)
    expect(house.log.errors).toEqual([])
  })
})

describe('usage that Envoy read', () => {
  const full = { model: 'gpt-4o-2024-08-06', inputTokens: { value: 100 }, outputTokens: { value: 50 }, extractionStatus: 'COMPLETE' }

  it('comes in parts that do not overlap', async () => {
    const details = {
      inputTokenDetails: { cachedTokens: { value: 30 }, cacheCreationTokens: { value: 20 } },
      outputTokenDetails: { reasoningTokens: { value: 10 } },
    }
    await send(entry({}, {}, { ...full, ...details, providerTotalTokens: { value: 150 } }))
    expect(house.testimonies[0]?.usage).toEqual({
      tokens: { ...NO_TOKENS, input: 50n, cacheRead: 30n, cacheWrite5m: 20n, output: 40n, reasoning: 10n },
      calls: new Map(),
      model: 'gpt-4o-2024-08-06',
      serviceTier: null,
      statedCost: null,
      contradictions: [],
    })
  })

  it.each([
    ['is partial', { ...full, extractionStatus: 'PARTIAL' }],
    ['failed', { extractionStatus: 'FAILED' }],
    ['lacks the input', { ...full, inputTokens: undefined }],
    ['lacks the output', { ...full, outputTokens: undefined }],
    ['has a part above its whole', { ...full, inputTokenDetails: { cachedTokens: { value: 101 } } }],
    ['is less than its provider says', { ...full, providerTotalTokens: { value: 151 } }],
  ])('counts for nothing where it %s', async (_what, usage) => {
    await send(entry({}, {}, Object.fromEntries(Object.entries(usage).filter(([, value]) => value !== undefined))))
    expect(house.testimonies.map(({ usage: read }) => read)).toEqual([null])
  })

  it('of another type is none', async () => {
    await send(entry({}, {}, full, 'type.googleapis.com/envoy.data.ai.v3.RequestInfo'))
    expect(house.testimonies[0]?.usage).toBeNull()
  })

  it('that cannot be read is told once, and ends no stream', async () => {
    const broken = entry({}, {}, full)
    Reflect.set(broken.commonProperties?.metadata?.typedFilterMetadata?.['envoy.ai.token_usage'] ?? {}, 'value', Buffer.from([0x0a, 0xff]))
    expect(await send(broken, entry())).toBe(status.OK)
    expect(house.testimonies).toHaveLength(1)
    expect(house.log.errors).toHaveLength(1)
    // Nor are those forgotten that came with it.
    expect(await sendBatches([entry(), broken, entry()])).toBe(status.OK)
    expect(house.testimonies).toHaveLength(3)
  })
})

describe('a stream', () => {
  it('is ended well when the door stops, and holds up no drain', async () => {
    const other = await House.open()
    const own = new Client(`127.0.0.1:${other.door.port}`, credentials.createInsecure())
    const ended = new Promise<number>(resolve => {
      own
        .makeClientStreamRequest(Log.path, Log.requestSerialize, Log.responseDeserialize, fault => resolve(fault?.code ?? status.OK))
        .write({ httpLogs: { logEntry: [entry()] } })
    })
    while (other.testimonies.length === 0) await new Promise(resolve => setImmediate(resolve))
    await other.door.drain()
    other.door.stop()
    expect(await ended).toBe(status.OK)
    own.close()
  })
})
