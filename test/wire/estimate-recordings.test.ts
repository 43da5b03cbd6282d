// The estimates over recorded exchanges: never below what the provider billed, and not far above. Prints how tight they are, once.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Call } from '../../src/core/call.ts'
import { deliveredEstimate, estimateCall } from '../../src/core/estimate.ts'
import type { BindingRules } from '../../src/core/policy.ts'
import type { PriceBook } from '../../src/core/price.ts'
import { providerOfHost } from '../../src/core/provider.ts'
import type { TokenCount } from '../../src/core/token-bound.ts'
import { inputTotal, outputTotal, type UsageReading } from '../../src/core/usage.ts'
import { buildPriceBook } from '../../src/prices/book.ts'
import { countBody } from '../../src/tokens/count.ts'
import type { Meter, ReadResult, RequestHead } from '../../src/wire/format.ts'
import { findEndpoint } from '../../src/wire/formats.ts'

const NOW = Date.parse('2026-10-01T12:00:00Z')
const FILE = join(import.meta.dirname, '../../../shared/recordings/exchanges.jsonl')
const APIS = ['chat', 'completions', 'embeddings', 'responses', 'messages']
/** Their streams are not cut here: one kind is no text, the other says its usage in other words. */
const UNCUT_APIS = ['converse', 'converse-stream', 'invoke', 'invoke-stream', 'cohere-chat', 'cohere-generate', 'rerank']

interface Message {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly bodyEncoding: string
}
interface Row {
  readonly id: string
  readonly api: string
  readonly streaming: boolean
  readonly elidedChars: number
  readonly notes: readonly string[]
  readonly request: Message & { readonly method: string; readonly host: string; readonly path: string }
  readonly response: Message & { readonly status: number }
}

interface Compared {
  readonly id: string
  readonly bound: number
  readonly billed: number
  readonly bytes: number
}

const RULES: BindingRules = {
  inputEstimate: 'Bytes',
  defaultMaxOutputTokens: 1n,
  requireOutputBound: false,
  maxPerRequest: null,
  onUnknownModel: 'Deny',
  onOpaqueInput: 'Deny',
  onServerTools: 'Deny',
  onUnknownEndpoint: 'Deny',
  onUnreadable: 'Deny',
  onExpiry: 'Estimate',
  onLedgerUnavailable: 'Deny',
}

const rows = existsSync(FILE)
  ? readFileSync(FILE, 'utf8')
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as Row)
  : []

describe('the input bound over recorded exchanges', () => {
  it('is never below what was billed', () => {
    expect(existsSync(FILE), `the recorded exchanges are missing: they belong at ${FILE}`).toBe(true)
    const compared = rows.flatMap(row => compare(row, RULES) ?? [])
    expect(compared.length).toBeGreaterThan(350)
    const below = compared.filter(({ bound, billed }) => bound < billed)
    console.log(summary(compared, below.length))
    expect(below).toEqual([])
  })

  it('is never below it at the prices of the book either, which name the models that they are of', () => {
    const book = buildPriceBook([])
    for (const mode of ['Bytes', 'Tokenizer'] as const) {
      const compared = rows.flatMap(row => compare(row, { ...RULES, inputEstimate: mode }, book) ?? [])
      expect(compared.length).toBeGreaterThan(350)
      expect(compared.filter(({ bound, billed }) => bound < billed)).toEqual([])
    }
  })

  it('is not above it by more than twice in the middle, for prompts that are not small', () => {
    const large = rows.flatMap(row => compare(row, RULES) ?? []).filter(({ billed }) => billed > 1_000)
    expect(large.length).toBeGreaterThan(3)
    expect(quantile(large.map(ratio), 0.5)).toBeLessThan(2)
  })

  it('is never below it in strict mode either', () => {
    const strict = rows.flatMap(row => compare(row, { ...RULES, inputEstimate: 'Strict' }) ?? [])
    expect(strict.filter(({ bound, billed }) => bound < billed)).toEqual([])
  })

  it('is never below it where a tokenizer counts, never above the bound by bytes, and close for prompts that are not small', () => {
    const rules: BindingRules = { ...RULES, inputEstimate: 'Tokenizer' }
    const counted = rows.flatMap(row => compare(row, rules) ?? [])
    const byBytes = new Map(rows.flatMap(row => compare(row, RULES) ?? []).map(({ id, bound }) => [id, bound]))
    const below = counted.filter(({ bound, billed }) => bound < billed)
    console.log(`with a tokenizer: ${summary(counted, below.length)}`)
    expect(below).toEqual([])
    expect(counted.filter(({ id, bound }) => bound > (byBytes.get(id) ?? 0))).toEqual([])
    expect(quantile(counted.filter(({ billed }) => billed >= 1_000).map(ratio), 0.5)).toBeLessThan(1.3)
  })
})

describe('the input bound over recorded images', () => {
  it('is never below what was billed, and reads the dimensions from what is left of shortened payloads', () => {
    // A payload is shortened behind its head: its dimensions are still there, and only they count.
    const images = rows.flatMap(row => compareImages(row) ?? [])
    expect(images.length).toBeGreaterThan(3)
    console.log(`images: ${images.map(({ bound, billed, known }) => `${bound}/${billed}${known ? '' : ' (no dimensions)'}`).join(', ')}`)
    expect(images.filter(({ bound, billed }) => bound < billed)).toEqual([])
    expect(images.some(({ known }) => known)).toBe(true)
  })
})

describe('the delivered estimate over recorded streams', () => {
  it('charges a stream that is cut before its report at or above what was billed for it', () => {
    const cut = rows.flatMap(row => cutBeforeReport(row) ?? [])
    expect(cut.length).toBeGreaterThan(70)
    const long = cut.filter(({ billed }) => billed >= 70)
    console.log(
      `delivered estimate / billed output: all: n ${cut.length}; from 70 tokens: n ${long.length}, median ${quantile(long.map(ratio), 0.5).toFixed(2)}`,
    )
    expect(cut.filter(({ bound, billed }) => bound < billed)).toEqual([])
    expect(quantile(long.map(ratio), 0.5)).toBeLessThan(1.6)
  })
})

/** Null where the row says nothing about the bound: no report, an input that the body does not show, a body that was shortened. */
function compare(row: Row, rules: BindingRules, book: PriceBook | null = null): Compared | null {
  if (![...APIS, ...UNCUT_APIS].includes(row.api) || row.elidedChars > 0 || row.notes.some(note => note.includes('usage does not match')))
    return null
  const { request, response } = row
  const result = readCall(row)
  if (result === null || result.kind !== 'call' || result.call.opaqueInputs.length > 0 || result.call.serverTools.length > 0) return null
  const billed = billedInput(row, result.call)
  if (billed === null || response.status !== 200) return null
  const { call } = result
  const provider = providerOfHost(request.host)
  const prices = book === null ? [] : call.models.flatMap(model => book.find(provider, model, NOW) ?? book.dearest(provider, NOW) ?? [])
  const outcome = estimateCall({ call, prices, provider, rules, mayInject: true, counted: countOf(row, rules) })
  expect(outcome.kind, row.id).toBe('bounded')
  const bound = outcome.kind === 'bounded' ? Number(outcome.estimate.inputTokens) : 0
  return { id: row.id, bound, billed, bytes: request.body.length }
}

/** As the enforcer asks for it: of bodies of JSON. */
function countOf({ request }: Row, { inputEstimate }: BindingRules): TokenCount | null {
  const body = bytesOf(request)
  return inputEstimate === 'Tokenizer' && body.toString('latin1').trimStart().startsWith('{') ? countBody(body) : null
}

/** Null for rows without images, and for those with other media. */
function compareImages(row: Row): { id: string; bound: number; billed: number; known: boolean } | null {
  const result = readCall(row)
  if (result?.kind !== 'call' || result.call.media.length === 0 || row.response.status !== 200) return null
  const { call } = result
  if (call.media.some(({ kind }) => kind !== 'image') || call.serverTools.length > 0) return null
  const billed = billedInput(row, call)
  if (billed === null) return null
  const outcome = estimateCall({ call, prices: [], provider: providerOfHost(row.request.host), rules: RULES, mayInject: true })
  if (outcome.kind !== 'bounded') return null
  return {
    id: row.id,
    bound: Number(outcome.estimate.inputTokens),
    billed,
    known: call.media.every(({ width }) => width !== null),
  }
}

function billedInput(row: Row, call: Call): number | null {
  const meter = meterOf(row, call)
  meter?.push(bytesOf(row.response))
  meter?.end()
  const reading = meter?.reading()
  return reading?.kind === 'exact' ? Number(inputTotal(reading.usage.tokens)) : null
}

/** The whole answer came through but not its report: what is charged for the output, and what was billed. Null where none was billed. */
function cutBeforeReport(row: Row): Compared | null {
  const result = APIS.includes(row.api) && row.streaming ? readCall(row) : null
  if (result === null || result.kind !== 'call' || result.call.serverTools.length > 0) return null
  const { call } = result
  const meter = meterOf(row, call)
  let before: UsageReading | undefined
  for (const line of bytesOf(row.response)
    .toString('latin1')
    .split(/(?<=\n)/)) {
    const reading = meter?.reading()
    // The report that closes an answer may come before its end mark.
    if (!/"usage":\{|message_delta/.test(line) || /message_start/.test(line)) before = reading
    else break
    meter?.push(Buffer.from(line, 'latin1'))
  }
  const whole = meterOf(row, call)
  whole?.push(bytesOf(row.response))
  whole?.end()
  const reading = whole?.reading()
  if (reading?.kind !== 'exact' || before?.kind !== 'partial') return null
  const estimate = { inputTokens: 10n ** 6n, outputTokens: 10n ** 6n, cost: null, injectOutputBound: null, clampToolUses: null }
  const input = { call, prices: [], estimate, delivered: before.delivered, usageSoFar: before.usage, billsOn: false }
  const bound = Number(deliveredEstimate(input).outputTokens)
  return { id: row.id, bound, billed: Number(outputTotal(reading.usage.tokens)), bytes: row.response.body.length }
}

function readCall(row: Row): ReadResult | null {
  const endpoint = findEndpoint(headOf(row))
  if (endpoint.kind !== 'metered' || row.request.body === '') return null
  const reader = endpoint.format.openReader(headOf(row), endpoint.endpoint)
  reader.push(bytesOf(row.request))
  return reader.end()
}

function meterOf(row: Row, call: Call): Meter | null {
  const endpoint = findEndpoint(headOf(row))
  if (endpoint.kind !== 'metered') return null
  return endpoint.format.openMeter(call, { status: row.response.status, header: name => row.response.headers[name] ?? null }, false)
}

function headOf({ request }: Row): RequestHead {
  const [path = '', query = ''] = request.path.split('?')
  return { method: request.method, path, query, header: name => request.headers[name] ?? null }
}

const bytesOf = ({ body, bodyEncoding }: Message): Buffer => Buffer.from(body, bodyEncoding === 'base64' ? 'base64' : 'utf8')

const ratio = ({ bound, billed }: Compared): number => bound / Math.max(billed, 1)

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN
}

function summary(compared: readonly Compared[], below: number): string {
  const of = (rows: readonly Compared[]): string =>
    `n ${rows.length}, median ${quantile(rows.map(ratio), 0.5).toFixed(2)}, p95 ${quantile(rows.map(ratio), 0.95).toFixed(2)}`
  const sized = (least: number): readonly Compared[] => compared.filter(({ billed }) => billed >= least)
  return `input bound / billed: ${below} below; all: ${of(compared)}; from 300 tokens: ${of(sized(300))}; from 1,000: ${of(sized(1_000))}`
}
