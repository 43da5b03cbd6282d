// Every recorded exchange of the APIs that are read: the token numbers are those that the provider's own report gives, however the answer is cut.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { inputTotal, outputTotal, type UsageReading } from '../../src/core/usage.ts'
import { unreadCall } from '../../src/wire/call-draft.ts'
import type { RequestHead } from '../../src/wire/format.ts'
import { findEndpoint } from '../../src/wire/formats.ts'
import { bedrockNumbers, cohereNumbers, streamEnd, titanOutput } from './recorded-units.ts'

const FILE = join(import.meta.dirname, '../../../shared/recordings/exchanges.jsonl')
/** Formats that are not listed yet are not asked for. */
const APIS = new Map([
  ['chat', '/v1/chat/completions'],
  ['completions', '/v1/completions'],
  ['embeddings', '/v1/embeddings'],
  ['responses', '/v1/responses'],
  ['messages', '/v1/messages'],
  ['images', '/v1/images/generations'],
  ['responses-compact', '/v1/responses/compact'],
  ['responses-retrieve', '/v1/responses'],
  ['anthropic-complete', '/v1/complete'],
  ['generateContent', '/v1beta/models/m:generateContent'],
  ['streamGenerateContent', '/v1beta/models/m:streamGenerateContent'],
  ['ollama-chat', '/api/chat'],
  ['ollama-generate', '/api/generate'],
  ['converse', '/model/m/converse'],
  ['converse-stream', '/model/m/converse-stream'],
  ['invoke', '/model/m/invoke'],
  ['invoke-stream', '/model/m/invoke-with-response-stream'],
  ['cohere-chat', '/v2/chat'],
  ['cohere-generate', '/v1/generate'],
  ['rerank', '/v1/rerank'],
])

interface Message {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly bodyEncoding: string
}
interface Row {
  readonly id: string
  readonly provider: string
  readonly api: string
  readonly streaming: boolean
  readonly request: Message & { readonly method: string; readonly path: string }
  readonly response: Message & { readonly status: number }
  readonly recordedUsage: unknown
}
interface Expected {
  readonly input: number
  readonly output: number
  readonly cached: number
  readonly cacheWrite: number
}
type Counts = Readonly<Record<string, unknown>>

const isListed = (path: string): boolean => findEndpoint(headOf('POST', path, {})).kind === 'metered'
const rows = loadRows()

describe('recorded exchanges', () => {
  it('are there, and of every API that is read', () => {
    expect(existsSync(FILE), `the recorded exchanges are missing: they belong at ${FILE}`).toBe(true)
    const apis = [...APIS].filter(([, path]) => isListed(path)).map(([api]) => api)
    expect(apis.length).toBeGreaterThanOrEqual(3)
    for (const api of apis) expect(rows.filter(row => row.api === api).length, api).toBeGreaterThan(0)
    expect(rows.filter(row => expectedOf(row) !== null).length).toBeGreaterThan(300)
  })

  it.each(rows.map(row => [row.id, row] as const))('%s', (_, row) => {
    const body = bodyOf(row.response)
    const whole = meter(row, body, body.length)
    expectNumbers(whole, row)
    if (!row.streaming) return
    for (const size of [1, 7, 1_000]) expect(meter(row, body, size), `${size} bytes at a time`).toEqual(whole)
  })
})

function loadRows(): Row[] {
  if (!existsSync(FILE)) return []
  const lines = readFileSync(FILE, 'utf8').split('\n')
  const all = lines.filter(line => line !== '').map(line => JSON.parse(line) as Row)
  return all.filter(row => {
    const path = APIS.get(row.api)
    return path !== undefined && isListed(path)
  })
}

function headOf(method: string, target: string, headers: Readonly<Record<string, string>>): RequestHead {
  const [path = '', query = ''] = target.split('?')
  return { method, path, query, header: name => headers[name] ?? null }
}

function bodyOf({ body, bodyEncoding, headers }: Message): Uint8Array {
  const bytes = Buffer.from(body, bodyEncoding === 'base64' ? 'base64' : 'utf8')
  const encoding = headers['content-encoding']
  // Recorders often keep the header of a body that they have decompressed.
  if (encoding === undefined || bodyEncoding !== 'base64') return bytes
  const inflate = { gzip: gunzipSync, br: brotliDecompressSync, deflate: inflateSync, zstd: zstdDecompressSync }[encoding]
  if (inflate === undefined) throw new Error(`a recorded answer has the content-encoding ${encoding}`)
  return inflate(bytes)
}

function meter(row: Row, body: Uint8Array, size: number): UsageReading {
  const { request, response } = row
  const head = headOf(request.method, request.path, request.headers)
  const endpoint = findEndpoint(head)
  if (endpoint.kind === 'unknown' || endpoint.format === null) throw new Error(`${request.path} is ${endpoint.kind}`)
  const reader = endpoint.format.openReader(head, endpoint.endpoint)
  reader.push(bodyOf(request))
  const result = reader.end()
  // Of a few requests the recorder lost the body.
  const call = result.kind === 'call' ? result.call : unreadCall(endpoint.format.name, endpoint.endpoint, row.streaming)
  if (request.body !== '') expect(result.kind, result.kind === 'unreadable' ? result.why : '').toBe('call')
  const open = endpoint.format.openMeter(call, { status: response.status, header: name => response.headers[name] ?? null }, false)
  for (let at = 0; at < body.length; at += size) open.push(body.subarray(at, at + size))
  open.end()
  return open.reading()
}

function expectNumbers(reading: UsageReading, row: Row): void {
  const expected = expectedOf(row)
  if (expected === null) {
    expect(reading.kind).not.toBe('exact')
    return
  }
  expect(reading.kind).toBe('exact')
  if (reading.kind !== 'exact') return
  const { tokens } = reading.usage
  const found = {
    input: Number(inputTotal(tokens)),
    output: Number(outputTotal(tokens)),
    cached: Number(tokens.cacheRead),
    cacheWrite: Number(tokens.cacheWrite5m + tokens.cacheWrite1h),
  }
  expect(found).toEqual(expected)
  for (const count of Object.values(tokens)) expect(count >= 0n).toBe(true)
}

/** The four numbers of the provider's own report; null where it gave none. */
function expectedOf({ api, provider, recordedUsage, response }: Row): Expected | null {
  const reports = (Array.isArray(recordedUsage) ? recordedUsage : [{ usage: recordedUsage }]) as { usage: unknown }[]
  const counts = reports.map(({ usage }) => usage).filter(isCounts)
  const ended = api === 'cohere-chat' ? streamEnd(response) : null
  if (ended !== null) counts.push(ended)
  if (counts.length === 0) return null
  if (provider === 'aws-bedrock') return bedrockRow(counts, response)
  if (provider === 'cohere' || api === 'rerank') return cohereNumbers(counts.at(-1) ?? {})
  if (api === 'messages') return anthropicNumbers(Object.assign({}, ...counts) as Counts)
  const last = counts.at(-1) ?? {}
  if (/generateContent$/i.test(api)) return geminiNumbers(last)
  if (api.startsWith('ollama'))
    return { input: count(last['prompt_eval_count']), output: count(last['eval_count']), cached: 0, cacheWrite: 0 }
  return api.startsWith('responses') ? responsesNumbers(last) : openAiNumbers(last)
}

const isCounts = (value: unknown): value is Counts => typeof value === 'object' && value !== null && Object.keys(value).length > 0
const count = (value: unknown): number => (typeof value === 'number' ? value : 0)
const part = (value: unknown, name: string): number => (isCounts(value) ? count(value[name]) : 0)

function bedrockRow(counts: readonly Counts[], response: Message): Expected {
  const numbers = bedrockNumbers(counts, response)
  return { ...numbers, output: numbers.output || (titanOutput(response) ?? 0) }
}

/** OpenAI-shaped: the output is what completion says, or what the total leaves. */
function openAiNumbers(usage: Counts): Expected {
  const input = count(usage['prompt_tokens'] ?? usage['total_tokens'])
  return {
    input,
    output: Math.max(count(usage['completion_tokens']), count(usage['total_tokens']) - input),
    cached: part(usage['prompt_tokens_details'], 'cached_tokens'),
    cacheWrite: part(usage['prompt_tokens_details'], 'cache_write_tokens'),
  }
}

function responsesNumbers(usage: Counts): Expected {
  return {
    input: count(usage['input_tokens']),
    output: Math.max(count(usage['output_tokens']), count(usage['total_tokens']) - count(usage['input_tokens'])),
    cached: part(usage['input_tokens_details'], 'cached_tokens'),
    cacheWrite: part(usage['input_tokens_details'], 'cache_write_tokens'),
  }
}

/** Anthropic: input comes without cache reads and writes; with iterations, all of them count, not the top level alone. */
function anthropicNumbers(usage: Counts): Expected {
  const iterations = Array.isArray(usage['iterations']) ? usage['iterations'].filter(isCounts) : []
  const sum = (name: string): number =>
    Math.max(
      count(usage[name]),
      iterations.reduce((total, iteration) => total + count(iteration[name]), 0),
    )
  const cached = sum('cache_read_input_tokens')
  const cacheWrite = sum('cache_creation_input_tokens')
  return { input: sum('input_tokens') + cached + cacheWrite, output: sum('output_tokens'), cached, cacheWrite }
}

/** Gemini: cached tokens are inside the prompt; what tools put into it, and thoughts, come on top. */
function geminiNumbers(usage: Counts): Expected {
  return {
    input: count(usage['promptTokenCount']) + count(usage['toolUsePromptTokenCount']),
    output: count(usage['candidatesTokenCount']) + count(usage['thoughtsTokenCount']),
    cached: count(usage['cachedContentTokenCount']),
    cacheWrite: 0,
  }
}
