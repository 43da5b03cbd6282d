// What no fixture of Bedrock holds: recorded streams cut anywhere, chunks of any length, counts that contradict each other, hostile bytes.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { textBytes } from '../../src/core/call.ts'
import { providerOfPath } from '../../src/core/provider.ts'
import { inputTotal, outputTotal, type UsageReading } from '../../src/core/usage.ts'
import { SSE_EVENT_BYTES_MAX } from '../../src/limits.ts'
import { buildPriceBook } from '../../src/prices/book.ts'
import type { Meter, RequestHead } from '../../src/wire/format.ts'
import { findEndpoint } from '../../src/wire/formats.ts'
import { type Frame, writeFrames } from './event-frames.ts'
import { fixturesOf } from './fixture.ts'

const FILE = join(import.meta.dirname, '../../../shared/recordings/exchanges.jsonl')
const STREAM_APIS = ['converse-stream', 'invoke-stream', 'cohere-chat']

interface Recorded {
  readonly id: string
  readonly api: string
  readonly streaming: boolean
  readonly request: { readonly path: string; readonly body: string }
  readonly response: { readonly headers: Readonly<Record<string, string>>; readonly body: string; readonly bodyEncoding: 'base64' | 'utf8' }
}

const head = (path: string): RequestHead => ({ method: 'POST', path, query: '', header: () => null })
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

function openMeter(path: string, body: string, headers: Readonly<Record<string, string>>): Meter {
  const endpoint = findEndpoint(head(path))
  if (endpoint.kind !== 'metered') throw new Error(`${path} is ${endpoint.kind}`)
  const reader = endpoint.format.openReader(head(path), endpoint.endpoint)
  reader.push(utf8(body))
  const result = reader.end()
  if (result.kind !== 'call') throw new Error(result.why)
  return endpoint.format.openMeter(result.call, { status: 200, header: name => headers[name] ?? null }, false)
}

const invoke = (frames: readonly Frame[], body = '{"prompt":"x"}'): UsageReading => {
  const meter = openMeter('/model/m/invoke-with-response-stream', body, { 'content-type': 'application/vnd.amazon.eventstream' })
  meter.push(writeFrames(frames))
  meter.end()
  return meter.reading()
}
const chunk = (payload: unknown): Frame => ({ name: 'chunk', payload, chunk: true })
const metrics = (input: number, output: number) => ({ inputTokenCount: input, outputTokenCount: output })

describe('recorded streams, cut anywhere', () => {
  const rows = existsSync(FILE)
    ? readFileSync(FILE, 'utf8')
        .split('\n')
        .filter(line => line !== '')
        .map(line => JSON.parse(line) as Recorded)
        .filter(row => STREAM_APIS.includes(row.api) && row.streaming)
    : []

  it('are there', () => expect(rows.length, `the recorded exchanges are missing: they belong at ${FILE}`).toBeGreaterThan(40))

  it.each(rows.map(row => [row.id, row] as const))('%s', (_, { request, response }) => {
    const meter = openMeter(request.path, request.body, response.headers)
    const body = Buffer.from(response.body, response.bodyEncoding)
    let before = { bytes: 0, events: 0 }
    let exactAt: number | null = null
    for (let at = 0; at < body.length; at++) {
      meter.push(body.subarray(at, at + 1))
      // A reading changes only where a frame or a line ends, or a piece of text: looking at every fifth byte finds the same faults.
      if (at % 5 !== 0 && at < body.length - 200) continue
      const reading = meter.reading()
      if (reading.kind === 'exact') {
        exactAt ??= at
        continue
      }
      expect(exactAt, `no longer exact at byte ${at}`).toBeNull()
      expect(reading.kind).toBe('partial')
      const now = { bytes: textBytes(reading.delivered.text), events: reading.delivered.deltaEvents }
      expect(now.bytes >= before.bytes && now.events >= before.events, `at byte ${at}`).toBe(true)
      before = now
    }
    meter.end()
    expect(meter.reading().kind).toBe('exact')
    // A few are one frame only.
    expect(before.events > 0 || body.length < 1_000).toBe(true)
    // Only the last frame, or what follows it, may be missing from what is exact.
    if (exactAt !== null) expect(body.length - exactAt).toBeLessThan(1_000)
  })
})

describe('a stream of InvokeModel', () => {
  it("goes by Bedrock's own numbers where the model's differ, and names the contradiction", () => {
    const reading = invoke([
      chunk({ type: 'message_start', message: { usage: { input_tokens: 392, output_tokens: 8 } } }),
      chunk({ type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 133 } }),
      chunk({ type: 'message_stop', 'amazon-bedrock-invocationMetrics': metrics(392, 97) }),
    ])
    expect(reading).toMatchObject({ kind: 'exact', usage: { tokens: { input: 392n, output: 97n } } })
    expect(reading.kind === 'exact' && reading.usage.contradictions).toHaveLength(1)
  })

  it('reads a chunk of any length that is held at all', () => {
    const text = 'x'.repeat(500_000)
    const reading = invoke([chunk({ outputText: text, 'amazon-bedrock-invocationMetrics': metrics(1, 2) })])
    expect(reading).toMatchObject({ kind: 'exact', usage: { tokens: { input: 1n, output: 2n } } })
  })

  it('counts a chunk that is not held by its size, as output', () => {
    const reading = invoke([chunk({ outputText: 'x'.repeat(SSE_EVENT_BYTES_MAX) })])
    expect(reading.kind).toBe('absent')
    expect(reading.kind === 'absent' && textBytes(reading.delivered.text)).toBeGreaterThan(SSE_EVENT_BYTES_MAX)
    expect(reading.kind === 'absent' && reading.delivered.deltaEvents).toBe(1)
  })

  it('never counts padding', () => {
    const padded: Frame = { name: 'chunk', payload: { bytes: btoa('{"completion":"hi"}'), p: 'p'.repeat(10_000) } }
    const reading = invoke([padded])
    expect(reading.kind === 'absent' && textBytes(reading.delivered.text)).toBe(2)
  })

  it('is not final at an exception, nor at a report that came before it', () => {
    const start = chunk({ type: 'message_start', message: { usage: { input_tokens: 3, output_tokens: 1 } } })
    const done = chunk({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 5 } })
    expect(invoke([start, done, { name: 'throttlingException', payload: {}, exception: true }]).kind).toBe('partial')
    expect(invoke([start, done]).kind).toBe('exact')
    expect(invoke([start]).kind).toBe('partial')
  })

  it('reads nothing after its end', () => {
    const again = [
      chunk({ 'amazon-bedrock-invocationMetrics': metrics(1, 2) }),
      chunk({ 'amazon-bedrock-invocationMetrics': metrics(9, 9) }),
    ]
    expect(invoke(again)).toMatchObject({ kind: 'exact', usage: { tokens: { input: 1n, output: 2n } } })
  })
})

describe('hostile bytes', () => {
  const bodies = ['bedrock-converse', 'bedrock-invoke', 'cohere-chat', 'cohere-generate', 'cohere-embed', 'rerank'].flatMap(format =>
    fixturesOf(format).map(([, fixture]) => fixture),
  )
  const mutation = fc.record({ at: fc.nat(), remove: fc.nat({ max: 12 }), insert: fc.uint8Array({ maxLength: 12 }) })
  const mutate = (body: Uint8Array, changes: readonly { at: number; remove: number; insert: Uint8Array }[]): Uint8Array =>
    changes.reduce((bytes, { at, remove, insert }) => {
      const from = at % (bytes.length + 1)
      return Buffer.concat([bytes.subarray(0, from), insert, bytes.subarray(from + remove)])
    }, body)

  it('never throw, and never make a count that is negative', () => {
    fc.assert(
      fc.property(fc.constantFrom(...bodies), fc.array(mutation, { maxLength: 4 }), fc.boolean(), (fixture, changes, answer) => {
        const path = fixture.request.path
        const endpoint = findEndpoint(head(path))
        if (endpoint.kind !== 'metered') throw new Error(path)
        const asText = (body: unknown): string => (typeof body === 'string' ? body : JSON.stringify(body))
        const reader = endpoint.format.openReader(head(path), endpoint.endpoint)
        reader.push(answer ? utf8(asText(fixture.request.body)) : mutate(utf8(asText(fixture.request.body)), changes))
        const result = reader.end()
        if (result.kind !== 'call') return
        expect(result.call.choices >= 1n && (result.call.outputBound ?? 0n) >= 0n && result.call.models.length > 0).toBe(true)
        const { response } = fixture
        if (response === undefined || !answer) return
        const { body } = response
        const frames = typeof body === 'object' && 'frames' in body ? (body['frames'] as readonly Frame[]) : null
        const lines = Array.isArray(body) ? body.join('\n') : asText(body)
        const meter = endpoint.format.openMeter(result.call, { status: 200, header: name => response.headers[name] ?? null }, false)
        meter.push(mutate(frames === null ? utf8(lines) : writeFrames(frames), changes))
        meter.end()
        const reading = meter.reading()
        if (reading.kind === 'absent' || reading.usage === null) return
        const { tokens, calls } = reading.usage
        for (const count of [...Object.values(tokens), ...calls.values()]) expect(count >= 0n).toBe(true)
        expect(inputTotal(tokens) + outputTotal(tokens) < 10n ** 41n).toBe(true)
      }),
      { numRuns: 5_000, verbose: 1 },
    )
  })
})

describe('the model of a path', () => {
  it.each([
    ['us.anthropic.claude-sonnet-4-5-20250929-v1%3A0', 'us.anthropic.claude-sonnet-4-5-20250929-v1:0'],
    ['us.anthropic.claude-sonnet-4-5-20250929-v1:0', 'us.anthropic.claude-sonnet-4-5-20250929-v1:0'],
    ['arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Feu.amazon.nova-pro-v1%3A0', 'eu.amazon.nova-pro-v1:0'],
    ['arn:aws:bedrock:us-west-2::foundation-model/anthropic.claude-3-5-sonnet-20241022-v2:0', 'anthropic.claude-3-5-sonnet-20241022-v2:0'],
    ['global.anthropic.claude-opus-4-5-20251101-v1%3A0', 'global.anthropic.claude-opus-4-5-20251101-v1:0'],
  ])('%s has a price of its own', (written, name) => {
    const path = `/model/${written}/converse`
    expect(providerOfPath(path)).toBe('aws')
    const endpoint = findEndpoint(head(path))
    if (endpoint.kind !== 'metered') throw new Error(path)
    const reader = endpoint.format.openReader(head(path), endpoint.endpoint)
    reader.push(utf8('{"messages":[]}'))
    const result = reader.end()
    const [model = ''] = result.kind === 'call' ? result.call.models : []
    expect(model.endsWith(name)).toBe(true)
    const book = buildPriceBook([])
    const now = Date.UTC(2026, 10, 1)
    const price = book.find('aws', model, now)
    expect(price).not.toBeNull()
    expect(price?.serviceTiers).toEqual(book.find('aws', name, now)?.serviceTiers)
  })

  it('that has no price gets none, and its calls can be counted all the same', () => {
    const book = buildPriceBook([])
    for (const model of ['arn:aws:bedrock:us-east-1:1:application-inference-profile/abc', 'does-not-exist']) {
      expect(book.find('aws', model, Date.UTC(2026, 10, 1))).toBeNull()
    }
  })

  it('is not asked for where counting is free', () => {
    const path = '/model/anthropic.claude-sonnet-4-20250514-v1%3A0/count-tokens'
    expect(findEndpoint(head(path))).toMatchObject({ kind: 'free', endpoint: 'count_tokens' })
    expect(findEndpoint(head('/model/m/invoke-with-bidirectional-stream')).kind).toBe('unknown')
    expect(findEndpoint({ ...head('/model/m/converse'), method: 'GET' }).kind).toBe('unknown')
  })
})
