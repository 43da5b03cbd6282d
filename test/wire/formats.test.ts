// Every listed format over its own fixtures: whole, split at every byte, cut short at every byte. A format without fixtures fails.
import { describe, expect, it } from 'vitest'
import { type Call, textBytes } from '../../src/core/call.ts'
import { inputTotal, NO_TOKENS, outputTotal, type TokenCounts, type UsageReading } from '../../src/core/usage.ts'
import type { Format, Meter, ReadResult } from '../../src/wire/format.ts'
import { FORMATS } from '../../src/wire/formats.ts'
import { splice } from '../../src/wire/splice.ts'
import { bytesOf, type Fixture, fixturesOf, meteredEndpoint, requestHead, responseHead, splits, textOf } from './fixture.ts'

const SEED = 20_260_801
const AMENDMENT = { outputBound: 77n, includeUsage: true } as const
const PROVIDERS = ['openai', 'azure', 'groq', 'anthropic', null]
/** End marks of the formats' streams: from here on a reading may be exact though the stream is not over. */
const END_MARK =
  /\[DONE\]|message_stop|response\.(?:completed|incomplete|failed)|"done":true|message-end|stream-end|image_\w+\.completed|\w\.done"/

describe.each(FORMATS.map(format => [format.name, format] as const))('%s', (name, format) => {
  const fixtures = fixturesOf(name)

  it('has fixtures, also of an answer', () => {
    expect(fixtures.length, `test/wire/fixtures/${name}/*.json`).toBeGreaterThan(0)
    expect(fixtures.some(([, fixture]) => fixture.response !== undefined)).toBe(true)
  })

  describe.each(fixtures)('%s', (_, fixture) => {
    it('is this format', () => expect(meteredEndpoint(requestHead(fixture)).format.name).toBe(name))

    it('reads the request', () => {
      const result = read(fixture, [bytesOf(fixture.request.body)])
      expectCall(result, fixture)
      expectAmended(result, fixture)
    })

    it('reads the request the same, however it is split', () => {
      const whole = comparable(read(fixture, [bytesOf(fixture.request.body)]))
      for (const pieces of splits(bytesOf(fixture.request.body), SEED)) expect(comparable(read(fixture, pieces))).toEqual(whole)
    })

    it('finds a request that is cut short unreadable', () => {
      if (fixture.expect.unreadable !== undefined) return
      const body = bytesOf(textOf(fixture.request.body).trimEnd())
      for (let at = 0; at < body.length; at++) expect(read(fixture, [body.subarray(0, at)]).kind, `${at}`).toBe('unreadable')
    })

    if (fixture.response === undefined) return
    const answer = bytesOf(fixture.response.body)

    it('meters the answer', () => expectReading(meter(format, fixture, [answer], false).reading, fixture))

    it('meters the answer the same, however it is split', () => {
      const whole = meter(format, fixture, [answer], false)
      const hidden = meter(format, fixture, [answer], true)
      for (const pieces of splits(answer, SEED)) {
        expect(meter(format, fixture, pieces, false)).toEqual(whole)
        expect(meter(format, fixture, pieces, true)).toEqual(hidden)
      }
    })

    it('changes no byte, but hides the usage that was asked for on the behalf of the client', () => {
      const { response, expect: expected } = fixture
      expect(meter(format, fixture, [answer], false).client).toBe(textOf(response?.body ?? ''))
      expect(meter(format, fixture, [answer], true).client).toBe(textOf(expected.hidden ?? response?.body ?? ''))
    })

    it('cut short anywhere: its ground never shrinks, and it is not exact before its end', () => expectCuts(format, fixture, answer))
  })
})

function read(fixture: Fixture, pieces: readonly Uint8Array[]): ReadResult {
  const head = requestHead(fixture)
  const { format, endpoint } = meteredEndpoint(head)
  const reader = format.openReader(head, endpoint)
  for (const piece of pieces) reader.push(piece)
  return reader.end()
}

/** A result as plain values: the call, and what every amendment would do. */
function comparable(result: ReadResult): unknown {
  if (result.kind === 'unreadable') return result
  return { call: result.call, amended: PROVIDERS.map(provider => result.amend({ ...AMENDMENT, provider })) }
}

function expectCall(result: ReadResult, { expect: expected, request }: Fixture): void {
  if (expected.unreadable !== undefined) {
    expect(result).toMatchObject({ kind: 'unreadable', why: expect.stringContaining(expected.unreadable) })
    return
  }
  expect(result.kind, result.kind === 'unreadable' ? result.why : '').toBe('call')
  if (result.kind !== 'call') return
  expect(result.call.models.length).toBeGreaterThan(0)
  for (const [field, value] of Object.entries(expected.call ?? {})) {
    const found = result.call[field as keyof Call] ?? null
    expect(typeof found === 'bigint' ? found.toString() : found, field).toEqual(value)
  }
  expect(textBytes(result.call.text)).toBeLessThanOrEqual(2 * bytesOf(request.body).length)
}

function expectAmended(result: ReadResult, { expect: expected, request }: Fixture): void {
  if (result.kind !== 'call') return
  const body = bytesOf(request.body)
  for (const [provider, amended] of Object.entries(expected.amended ?? {})) {
    const changed = splice(body, result.amend({ ...AMENDMENT, provider }))
    expect(new TextDecoder().decode(changed), provider).toBe(amended)
    expect(() => JSON.parse(amended)).not.toThrow()
  }
  for (const provider of PROVIDERS) expect(result.amend({ outputBound: null, includeUsage: false, provider })).toEqual([])
}

function openMeter(format: Format, fixture: Fixture, hide: boolean): Meter {
  const result = read(fixture, [bytesOf(fixture.request.body)])
  if (result.kind !== 'call') throw new Error(`an answer needs a call: ${result.why}`)
  return format.openMeter(result.call, responseHead(fixture), hide)
}

function meter(format: Format, fixture: Fixture, pieces: readonly Uint8Array[], hide: boolean): { reading: UsageReading; client: string } {
  const open = openMeter(format, fixture, hide)
  const client: Uint8Array[] = []
  for (const piece of pieces) client.push(open.push(piece) ?? piece)
  client.push(open.end() ?? new Uint8Array())
  return { reading: open.reading(), client: Buffer.concat(client).toString() }
}

function expectReading(reading: UsageReading, { expect: { reading: expected } }: Fixture): void {
  if (expected === undefined) return
  expect(reading.kind).toBe(expected.kind)
  const usage = reading.kind === 'absent' ? null : reading.usage
  if (expected.tokens !== undefined) expect(usage?.tokens).toEqual(counted(expected.tokens))
  if (expected.elsewhere !== undefined) {
    expect(usage?.elsewhere ?? []).toEqual(expected.elsewhere.map(({ model, tokens }) => ({ model, tokens: counted(tokens) })))
  }
  if (expected.model !== undefined) expect(usage?.model ?? null).toBe(expected.model)
  if (expected.serviceTier !== undefined) expect(usage?.serviceTier).toBe(expected.serviceTier)
  if (expected.regional !== undefined) expect(usage?.regional ?? null).toBe(expected.regional)
  if (expected.statedCost !== undefined) expect(usage?.statedCost?.toString() ?? null).toBe(expected.statedCost)
  if (usage !== null) {
    expect(usage.contradictions).toHaveLength(expected.contradictions ?? 0)
    const calls = [...usage.calls].map(([kind, count]) => [kind, count.toString()])
    expect(Object.fromEntries(calls)).toEqual(expected.calls ?? {})
  }
  if (reading.kind === 'exact') return
  if (expected.deltaEvents !== undefined) expect(reading.delivered.deltaEvents).toBe(expected.deltaEvents)
  if (expected.hiddenReasoning !== undefined) expect(reading.delivered.hiddenReasoning).toBe(expected.hiddenReasoning)
}

const counted = (tokens: Readonly<Record<string, string>>): TokenCounts => ({
  ...NO_TOKENS,
  ...Object.fromEntries(Object.entries(tokens).map(([kind, count]) => [kind, BigInt(count)])),
})

function expectCuts(format: Format, fixture: Fixture, answer: Uint8Array): void {
  const open = openMeter(format, fixture, false)
  const text = new TextDecoder().decode(answer)
  const type = fixture.response?.headers['content-type'] ?? ''
  // The end of an event stream is a frame, which is no text.
  const end = type.includes('eventstream') ? answer.length : text.trimEnd().length
  const json = type.includes('json') || type.includes('eventstream')
  let before = { bytes: 0, events: 0, tokens: 0n }
  for (let at = 0; at < answer.length; at++) {
    const reading = open.reading()
    if (reading.kind === 'exact') {
      expect(json ? at >= end : END_MARK.test(new TextDecoder().decode(answer.subarray(0, at))), `exact at byte ${at}`).toBe(true)
    }
    const now = groundOf(reading, before)
    expect(now.bytes, `at byte ${at}`).toBeGreaterThanOrEqual(before.bytes)
    expect(now.events, `at byte ${at}`).toBeGreaterThanOrEqual(before.events)
    expect(now.tokens >= before.tokens, `at byte ${at}: ${now.tokens} tokens after ${before.tokens}`).toBe(true)
    before = now
    open.push(answer.subarray(at, at + 1))
  }
}

/** What a charge is made from; an exact report needs no text. */
function groundOf(reading: UsageReading, before: { bytes: number; events: number }): { bytes: number; events: number; tokens: bigint } {
  const usage = reading.kind === 'absent' ? null : reading.usage
  const tokens = usage === null ? 0n : inputTotal(usage.tokens) + outputTotal(usage.tokens)
  if (reading.kind === 'exact') return { ...before, tokens }
  return { bytes: textBytes(reading.delivered.text), events: reading.delivered.deltaEvents, tokens }
}
