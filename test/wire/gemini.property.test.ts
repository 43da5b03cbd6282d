// Laws of Gemini's reports and of bounds put into nested settings, over random ones: no token is lost, none is counted twice, no other byte changes.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Call } from '../../src/core/call.ts'
import { cachedTotal, inputTotal, outputTotal, type TokenCounts, type UsageReading } from '../../src/core/usage.ts'
import type { ReadResult, RequestHead } from '../../src/wire/format.ts'
import { findEndpoint } from '../../src/wire/formats.ts'
import { splice } from '../../src/wire/splice.ts'

const ENCODER = new TextEncoder()
const HI = '{"contents":[{"parts":[{"text":"Hi"}]}]}'

const head = (path: string): RequestHead => ({ method: 'POST', path, query: '', header: () => null })

function read(path: string, body: string): ReadResult {
  const endpoint = findEndpoint(head(path))
  if (endpoint.kind !== 'metered') throw new Error(`${path} is ${endpoint.kind}`)
  const reader = endpoint.format.openReader(head(path), endpoint.endpoint)
  reader.push(ENCODER.encode(body))
  return reader.end()
}

function callOf(path: string, body: string): Call {
  const result = read(path, body)
  if (result.kind !== 'call') throw new Error(result.why)
  return result.call
}

/** The reading after each of the pieces, and the one at the end. */
function meter(verb: string, type: string, pieces: readonly string[]): UsageReading[] {
  const path = `/v1beta/models/gemini-2.0-flash:${verb}`
  const endpoint = findEndpoint(head(path))
  if (endpoint.kind !== 'metered') throw new Error(`${path} is ${endpoint.kind}`)
  const open = endpoint.format.openMeter(callOf(path, HI), { status: 200, header: () => type }, false)
  const readings = pieces.map(piece => {
    open.push(ENCODER.encode(piece))
    return open.reading()
  })
  open.end()
  return [...readings, open.reading()]
}

const count = fc.integer({ min: 0, max: 2_000_000 })
const details = fc.array(fc.record({ modality: fc.constantFrom('TEXT', 'AUDIO', 'IMAGE', 'VIDEO', 2, 4), tokenCount: count }), {
  maxLength: 4,
})
const report = fc.record(
  {
    promptTokenCount: count,
    cachedContentTokenCount: count,
    toolUsePromptTokenCount: count,
    candidatesTokenCount: count,
    thoughtsTokenCount: count,
    totalTokenCount: count,
    promptTokensDetails: details,
    cacheTokensDetails: details,
    candidatesTokensDetails: details,
  },
  { requiredKeys: ['promptTokenCount'] },
)
type Report = typeof report extends fc.Arbitrary<infer R> ? R : never
const chunk = (usageMetadata: Report): string =>
  JSON.stringify({ candidates: [{ content: { parts: [{ text: 'x' }] }, finishReason: 'STOP' }], usageMetadata })

function tokensOf(reading: UsageReading | undefined): TokenCounts {
  if (reading?.kind !== 'exact') throw new Error(`a reading is ${reading?.kind}`)
  return reading.usage.tokens
}

describe('a report', () => {
  it('is read the same alone, as the last of a list, and as the last of a stream', () => {
    fc.assert(
      fc.property(fc.array(report, { maxLength: 3 }), report, (before, last) => {
        fc.pre(last.promptTokenCount > 0)
        const alone = tokensOf(meter('generateContent', 'application/json', [chunk(last)]).at(-1))
        const chunks = [...before, last].map(chunk)
        const list = meter('streamGenerateContent', 'application/json', [`[${chunks.join('\n,\n')}]`])
        const stream = meter('streamGenerateContent', 'text/event-stream', [`data: ${chunks.join('\n\ndata: ')}\n\n`])
        expect(tokensOf(list.at(-1))).toEqual(alone)
        expect(tokensOf(stream.at(-1))).toEqual(alone)
      }),
    )
  })

  it('loses no token and counts none twice; cached ones are as many as it says', () => {
    fc.assert(
      fc.property(report, one => {
        fc.pre(one.promptTokenCount > 0)
        const tokens = tokensOf(meter('generateContent', 'application/json', [chunk(one)]).at(-1))
        for (const value of Object.values(tokens)) expect(value >= 0n).toBe(true)
        const input = BigInt(one.promptTokenCount + (one.toolUsePromptTokenCount ?? 0))
        const cached = BigInt(one.cachedContentTokenCount ?? 0)
        const output = BigInt((one.candidatesTokenCount ?? 0) + (one.thoughtsTokenCount ?? 0))
        // Cached tokens above the prompt that includes them: the larger reading is their sum.
        const inputs = cached > input ? input + cached : input
        const total = BigInt(one.totalTokenCount ?? 0)
        expect(cachedTotal(tokens)).toBe(cached)
        expect(inputTotal(tokens)).toBe(inputs)
        expect(outputTotal(tokens)).toBe(total - inputs > output ? total - inputs : output)
      }),
    )
  })

  it('that is not the last makes what is known so far no smaller', () => {
    const plain = report.map(one => ({ ...one, cachedContentTokenCount: 0, totalTokenCount: 0 }))
    fc.assert(
      fc.property(fc.array(plain, { minLength: 2, maxLength: 5 }), reports => {
        const pieces = reports.map(one => `data: ${JSON.stringify({ usageMetadata: one })}\n\n`)
        let before = 0n
        for (const reading of meter('streamGenerateContent', 'text/event-stream', pieces).slice(0, -1)) {
          expect(reading.kind).toBe('partial')
          const usage = reading.kind === 'partial' ? reading.usage : null
          const now = usage === null ? 0n : inputTotal(usage.tokens) + outputTotal(usage.tokens)
          expect(now >= before).toBe(true)
          before = now
        }
      }),
    )
  })
})

describe.each([
  { path: '/v1beta/models/m:generateContent', settings: 'generationConfig', spelling: 'generation_config', field: 'maxOutputTokens' },
  { path: '/api/chat', settings: 'options', spelling: 'options', field: 'num_predict' },
])('a bound of $path', ({ path, settings, spelling, field }) => {
  const other = fc.dictionary(fc.constantFrom('temperature', 'seed', 'a "b"', '{'), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 })
  const bound = fc.constantFrom(undefined, null, 0, 5)
  const held = fc.oneof(
    fc.constantFrom(undefined, null),
    fc.tuple(other, bound).map(([rest, value]): object => (value === undefined ? rest : { ...rest, [field]: value })),
  )
  const space = fc.constantFrom(undefined, 1, '\t')

  it('is put in or replaced, and nothing else changes', () => {
    fc.assert(
      fc.property(held, fc.constantFrom(settings, spelling), space, fc.boolean(), (value, name, indent, first) => {
        const rest = { model: 'm', ...(path === '/api/chat' ? {} : { contents: [] }) }
        const body = value === undefined ? rest : first ? { [name]: value, ...rest } : { ...rest, [name]: value }
        const text = JSON.stringify(body, null, indent)
        const result = read(path, text)
        if (result.kind !== 'call') throw new Error(result.why)
        const amended = splice(ENCODER.encode(text), result.amend({ outputBound: 77n, includeUsage: true, provider: null }))
        const written = new TextDecoder().decode(amended)
        const holder = value === undefined ? settings : name
        // Through JSON, which knows no -0.
        expect(JSON.parse(written)).toEqual(JSON.parse(JSON.stringify({ ...body, [holder]: { ...value, [field]: 77 } })))
        expect(callOf(path, written).outputBound).toBe(77n)
      }),
    )
  })
})
