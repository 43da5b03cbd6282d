// Recorded exchanges of Gemini, Vertex and Ollama: model and bound of each request, its input bound, and every stream cut at every byte.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Call, textBytes } from '../../src/core/call.ts'
import { deliveredEstimate, type Estimate, estimateCall } from '../../src/core/estimate.ts'
import type { BindingRules } from '../../src/core/policy.ts'
import { billsOnAfterAbort, providerOfHost, providerOfPath } from '../../src/core/provider.ts'
import { inputTotal, outputTotal, type UsageReading } from '../../src/core/usage.ts'
import type { Meter, RequestHead } from '../../src/wire/format.ts'
import { findEndpoint } from '../../src/wire/formats.ts'

const FILE = join(import.meta.dirname, '../../../shared/recordings/exchanges.jsonl')
const APIS = ['generateContent', 'streamGenerateContent', 'ollama-chat', 'ollama-generate']

interface Message {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}
interface Row {
  readonly id: string
  readonly api: string
  readonly provider: string
  readonly streaming: boolean
  readonly elidedChars: number
  readonly request: Message & { readonly method: string; readonly host: string; readonly path: string }
  readonly response: Message & { readonly status: number }
}

const RULES: BindingRules = {
  inputEstimate: 'Bytes',
  defaultMaxOutputTokens: 8_192n,
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

const all: readonly Row[] = existsSync(FILE)
  ? readFileSync(FILE, 'utf8')
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as Row)
  : []
const rows = all.filter(row => APIS.includes(row.api))

it('has the recorded exchanges', () => {
  expect(existsSync(FILE), `the recorded exchanges are missing: they belong at ${FILE}`).toBe(true)
  expect(rows.length).toBeGreaterThan(30)
})

describe('counting tokens', () => {
  it.each(all.filter(row => row.api === 'count-tokens').map(row => [row.id, row] as const))('is free: %s', (_, row) => {
    expect(findEndpoint(headOf(row))).toMatchObject({ kind: 'free', endpoint: 'count_tokens' })
  })
})

describe.each(rows.map(row => [row.id, row] as const))('%s', (_, row) => {
  it('names its model and its bound', () => {
    const call = callOf(row)
    const body = JSON.parse(row.request.body)
    const named = /\/models\/([^/:]+):/.exec(row.request.path)?.[1] ?? body.model
    const bound = body.generationConfig?.maxOutputTokens ?? body.options?.num_predict ?? null
    expect(call.models).toEqual([named])
    expect(call.outputBound).toBe(bound === null ? null : BigInt(bound))
    expect(call.streaming).toBe(row.streaming)
  })

  it('is bounded at or above what its input was billed', () => {
    const call = callOf(row)
    if (row.elidedChars > 0 || call.opaqueInputs.length > 0 || call.serverTools.length > 0) return
    const reading = metered(row, call, row.response.body.length)
    if (reading.kind !== 'exact') return
    expect(estimateOf(row, call).inputTokens).toBeGreaterThanOrEqual(inputTotal(reading.usage.tokens))
  })

  if (row.streaming) it('cut at every byte, is charged, never less than before, and never above its reservation', () => expectCuts(row))
})

function expectCuts(row: Row): void {
  const call = callOf(row)
  const meter = meterOf(row, call)
  const estimate = call.serverTools.length > 0 ? null : estimateOf(row, call)
  const billsOn = billsOnAfterAbort(providerOfHost(row.request.host) ?? providerOfPath(row.request.path.split('?')[0] ?? ''))
  let before = { text: 0, events: 0, tokens: 0n }
  const body = Buffer.from(row.response.body)
  const lastLine = row.response.body.trimEnd().lastIndexOf('\n')
  for (let at = 0; at < body.length; at++) {
    const reading = meter.reading()
    if (reading.kind === 'exact') {
      expect(row.api.startsWith('ollama') && at > lastLine, `exact at byte ${at}`).toBe(true)
      break
    }
    const usage = reading.kind === 'partial' ? reading.usage : null
    const tokens = usage === null ? 0n : inputTotal(usage.tokens) + outputTotal(usage.tokens)
    const { delivered } = reading
    const now = { text: textBytes(delivered.text), events: delivered.deltaEvents, tokens }
    expect(now.text >= before.text && now.events >= before.events && now.tokens >= before.tokens, `at byte ${at}`).toBe(true)
    before = now
    if (estimate !== null) {
      const charge = deliveredEstimate({ call, prices: [], estimate, delivered, usageSoFar: usage, billsOn })
      expect(charge.inputTokens > 0n && charge.inputTokens <= estimate.inputTokens, `input at byte ${at}`).toBe(true)
      expect(charge.outputTokens > 0n && charge.outputTokens <= estimate.outputTokens, `output at byte ${at}`).toBe(true)
    }
    meter.push(body.subarray(at, at + 1))
  }
  meter.end()
  expect(meter.reading().kind).toBe('exact')
}

function headOf({ request }: Row): RequestHead {
  const [path = '', query = ''] = request.path.split('?')
  return { method: request.method, path, query, header: name => request.headers[name] ?? null }
}

function callOf(row: Row): Call {
  const endpoint = findEndpoint(headOf(row))
  if (endpoint.kind !== 'metered') throw new Error(`${row.request.path} is ${endpoint.kind}`)
  const reader = endpoint.format.openReader(headOf(row), endpoint.endpoint)
  reader.push(Buffer.from(row.request.body))
  const result = reader.end()
  if (result.kind !== 'call') throw new Error(result.why)
  return result.call
}

function meterOf(row: Row, call: Call): Meter {
  const endpoint = findEndpoint(headOf(row))
  if (endpoint.kind !== 'metered') throw new Error(`${row.request.path} is ${endpoint.kind}`)
  return endpoint.format.openMeter(call, { status: row.response.status, header: name => row.response.headers[name] ?? null }, false)
}

function metered(row: Row, call: Call, size: number): UsageReading {
  const meter = meterOf(row, call)
  const body = Buffer.from(row.response.body)
  for (let at = 0; at < body.length; at += size) meter.push(body.subarray(at, at + size))
  meter.end()
  return meter.reading()
}

function estimateOf(row: Row, call: Call): Estimate {
  const outcome = estimateCall({ call, prices: [], provider: providerOfHost(row.request.host), rules: RULES, mayInject: true })
  if (outcome.kind !== 'bounded') throw new Error(`${row.id} is ${outcome.kind}`)
  return outcome.estimate
}
