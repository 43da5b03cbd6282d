// What reading, estimating and metering cost on one core, and the longest that any input holds the event loop. Run: npx node bench/wire.ts
import { estimateCall } from '../src/core/estimate.ts'
import { mergeRules } from '../src/core/rules.ts'
import { SCAN_SLICE_BYTES } from '../src/limits.ts'
import { buildPriceBook } from '../src/prices/book.ts'
import type { Format, RequestHead } from '../src/wire/format.ts'
import { FORMATS, findEndpoint } from '../src/wire/formats.ts'

const book = buildPriceBook([])
const NOW = Date.now()
const RULES = mergeRules([])
const MIB = 1_048_576
const CHAT = '/v1/chat/completions'
const ENCODER = new TextEncoder()

const headOf = (path: string): RequestHead => ({ method: 'POST', path, query: '', header: () => null })

/** Reads a body in the slices of the enforcer and estimates it; answers the longest slice in ms. */
function readAndEstimate(path: string, body: Uint8Array): number {
  let longest = 0
  const endpoint = findEndpoint(headOf(path))
  if (endpoint.kind !== 'metered') throw new Error(`${path} is not metered`)
  const reader = endpoint.format.openReader(headOf(path), endpoint.endpoint)
  for (let at = 0; at < body.length; at += SCAN_SLICE_BYTES) {
    const start = performance.now()
    reader.push(body.subarray(at, at + SCAN_SLICE_BYTES))
    longest = Math.max(longest, performance.now() - start)
  }
  const start = performance.now()
  const result = reader.end()
  if (result.kind === 'call') {
    const { call } = result
    const prices = call.models.flatMap(model => book.find('openai', model, NOW) ?? [])
    estimateCall({ call, prices, provider: 'openai', rules: RULES, mayInject: true })
  }
  return Math.max(longest, performance.now() - start)
}

/** The lower quartile of batches, in microseconds a run, after a warm-up: what it costs, not what else the machine does. */
function microseconds(runs: number, work: () => void): number {
  for (let i = 0; i < runs * 3; i++) work()
  const batches: number[] = []
  for (let batch = 0; batch < 15; batch++) {
    const start = performance.now()
    for (let i = 0; i < runs; i++) work()
    batches.push(((performance.now() - start) * 1_000) / runs)
  }
  return batches.sort((a, b) => a - b)[3] ?? Number.NaN
}

function report(what: string, value: number, unit: string, goal: number): void {
  console.log(`${what.padEnd(58)} ${value.toFixed(2).padStart(9)} ${unit}   goal ${goal}${value <= goal ? '' : '   MISSED'}`)
}

const WORDS = 'The quick brown fox jumps over the lazy dog, and 42 other animals (mostly cats) look on. Naïve façade. '
const prose = (bytes: number): string => WORDS.repeat(Math.ceil(bytes / WORDS.length)).slice(0, bytes)

function chatBody(bytes: number): Uint8Array {
  const half = prose(Math.max(0, (bytes - 260) / 2))
  const messages = [
    { role: 'system', content: half },
    { role: 'user', content: half },
  ]
  return ENCODER.encode(
    JSON.stringify({ model: 'gpt-4o', messages, temperature: 0.7, max_tokens: 500, stream: true, stream_options: { include_usage: true } }),
  )
}

const chunkOf = (text: string): Uint8Array =>
  ENCODER.encode(
    `data: {"id":"chatcmpl-abc123","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-2024-08-06","service_tier":"default","system_fingerprint":"fp_1234567890","choices":[{"index":0,"delta":{"content":"${text}"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"aB3dE6gH9"}\n\n`,
  )
const messageDelta = ENCODER.encode(
  'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" brown"}}\n\n',
)
const responsesDelta = ENCODER.encode(
  'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":17,"item_id":"msg_0123456789","output_index":0,"content_index":0,"delta":" brown","logprobs":[],"obfuscation":"aB3dE6gH9"}\n\n',
)

function chunkMicroseconds(path: string, request: unknown, chunk: Uint8Array): number {
  const endpoint = findEndpoint(headOf(path))
  if (endpoint.kind !== 'metered') throw new Error(`${path} is not metered`)
  const reader = endpoint.format.openReader(headOf(path), endpoint.endpoint)
  reader.push(ENCODER.encode(JSON.stringify(request)))
  const result = reader.end()
  if (result.kind !== 'call') throw new Error(result.why)
  const response = { status: 200, header: (name: string) => (name === 'content-type' ? 'text/event-stream' : null) }
  const meter = endpoint.format.openMeter(result.call, response, false)
  return microseconds(4_000, () => meter.push(chunk))
}

/** A prompt, or whatever else stands where a body is expected, of about 1 MiB. */
function hostileBodies(): Record<string, string> {
  const within = (content: string): string => `{"model":"gpt-4o","messages":[{"role":"user","content":${content}}]}`
  const fill = (piece: string): string => piece.repeat(Math.floor(MIB / piece.length))
  const keys = (count: number): string => Array.from({ length: count }, (_, i) => `"k${i}":1`).join(',')
  return {
    'one letter': within(`"${fill('a')}"`),
    'one blank': within(`"${fill(' ')}"`),
    'one mark': within(`"${fill('!')}"`),
    'one character of four bytes': within(`"${fill('💥')}"`),
    escapes: within(`"${fill('\\n')}"`),
    'unicode escapes': within(`"${fill('\\u00e9')}"`),
    'surrogate escapes': within(`"${fill('\\ud83d\\ude00')}"`),
    'lone surrogate escapes': within(`"${fill('\\ud83d')}"`),
    'letters and marks in turn': within(`"${fill('a!')}"`),
    'empty messages': `{"model":"gpt-4o","messages":[${fill('{},').slice(0, -1)}]}`,
    'empty parts': within(`[${fill('{},').slice(0, -1)}]`),
    images: within(
      `[${fill('{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,/9j//////////////////////"}},').slice(0, -1)}]`,
    ),
    'one image': within(`[{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,/9j/${fill('////')}"}}]`),
    numbers: within(`[${fill('123456,').slice(0, -1)}]`),
    'one long number': within(fill('1')),
    'deep nesting, refused': within(fill('[')),
    'nesting as deep as is read': within(`[${Array.from({ length: 4_000 }, () => `${'['.repeat(120)}${']'.repeat(120)}`).join()}]`),
    '100,000 keys in the prompt': within(`[{${keys(100_000)}}]`),
    '100,000 keys at the top, refused': `{${keys(100_000)}}`,
    '1,000 long keys that differ at their end': `{${Array.from({ length: 1_000 }, (_, i) => `"${String(i).padStart(250, 'k')}":1`).join(',')}}`,
    'one long key': `{"${fill('k')}":1}`,
    'blanks between': within(`${fill(' ')}1`),
    tools: `{"model":"gpt-4o","tools":[${fill('{"type":"x"},').slice(0, -1)}]}`,
    models: `{"models":[${fill('"a",').slice(0, -1)}]}`,
  }
}

function hostileAnswers(): Record<string, string> {
  const fill = (piece: string): string => piece.repeat(Math.floor(MIB / piece.length))
  return {
    'line feeds': fill('\n'),
    'carriage returns': fill('\r'),
    'empty data lines': fill('data:\n'),
    'data lines of one event': fill('data: 1\n'),
    'empty events': fill('data: {}\n\n'),
    comments: fill(':\n\n'),
    'one line': fill('x'),
    'one event': `data: {"choices":[{"delta":{"content":"${fill('a')}"}}]}\n\n`,
    'unknown fields': fill('abc: def\n'),
    errors: fill('data: {"error":1}\n\n'),
  }
}

function longestHold(format: Format, path: string, body: Uint8Array): number {
  const head = headOf(path)
  const reader = format.openReader(head, path.slice(4))
  reader.push(ENCODER.encode('{"model":"gpt-4o","max_tokens":5,"stream":true,"messages":[],"input":"x"}'))
  const result = reader.end()
  if (result.kind !== 'call') throw new Error(result.why)
  const response = { status: 200, header: (name: string) => (name === 'content-type' ? 'text/event-stream' : null) }
  const meter = format.openMeter(result.call, response, true)
  let longest = 0
  for (let at = 0; at < body.length; at += SCAN_SLICE_BYTES) {
    const start = performance.now()
    meter.push(body.subarray(at, at + SCAN_SLICE_BYTES))
    longest = Math.max(longest, performance.now() - start)
  }
  const start = performance.now()
  meter.end()
  return Math.max(longest, performance.now() - start)
}

function worst(cases: Record<string, string>, hold: (body: Uint8Array) => number): readonly [string, number] {
  const holds = Object.entries(cases).map(([name, text]): [string, number] => {
    const body = ENCODER.encode(text)
    // The first run pays for compiling; a live process has long done that.
    hold(body)
    return [name, Math.min(hold(body), hold(body))]
  })
  if (process.argv.includes('--all')) for (const [name, ms] of holds) console.log(`    ${name.padEnd(40)} ${ms.toFixed(2)} ms`)
  return holds.reduce((most, one) => (one[1] > most[1] ? one : most))
}

console.log(`Node ${process.version}, ${FORMATS.length} formats; slices of ${SCAN_SLICE_BYTES / 1_024} KiB\n`)
const small = chatBody(2_048)
const large = chatBody(MIB)
report(
  `read and estimate a chat of ${small.length} bytes`,
  microseconds(500, () => readAndEstimate(CHAT, small)),
  'us',
  30,
)
report(`read and estimate a chat of ${large.length} bytes`, microseconds(5, () => readAndEstimate(CHAT, large)) / 1_000, 'ms', 2)
const chat = { model: 'gpt-4o', messages: [], stream: true }
report('meter a chunk of a chat', chunkMicroseconds(CHAT, chat, chunkOf(' brown')), 'us', 3)
report('meter a delta of a message', chunkMicroseconds('/v1/messages', { ...chat, max_tokens: 5 }, messageDelta), 'us', 3)
report(
  'meter a delta of a response',
  chunkMicroseconds('/v1/responses', { model: 'gpt-4o', input: 'x', stream: true }, responsesDelta),
  'us',
  3,
)
const [request, requestMs] = worst(hostileBodies(), body => readAndEstimate(CHAT, body))
report(`longest hold, hostile chats of 1 MiB: ${request}`, requestMs, 'ms', 20)
for (const path of [CHAT, '/v1/messages', '/v1/responses']) {
  const endpoint = findEndpoint(headOf(path))
  if (endpoint.kind !== 'metered') continue
  const [answer, answerMs] = worst(hostileAnswers(), body => longestHold(endpoint.format, path, body))
  report(`longest hold, hostile answers to ${path.slice(4)}: ${answer}`, answerMs, 'ms', 20)
}
