// Meters under what no fixture holds: events too long to be kept, answers that are noise, and requests that are hostile. Nothing throws, nothing is lost.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { textBytes } from '../../src/core/call.ts'
import type { Format, Meter, RequestHead } from '../../src/wire/format.ts'
import { FORMATS } from '../../src/wire/formats.ts'

const ENCODER = new TextEncoder()
const STREAM = { status: 200, header: (name: string) => (name === 'content-type' ? 'text/event-stream' : null) }
const REQUESTS: Readonly<Record<string, { path: string; body: string }>> = {
  'openai-responses': { path: '/v1/responses', body: '{"model":"gpt-4o","stream":true,"input":"x"}' },
  'anthropic-messages': { path: '/v1/messages', body: '{"model":"claude-opus-5-5","max_tokens":9,"stream":true,"messages":[]}' },
  gemini: { path: '/v1beta/models/gemini-2.5-flash:streamGenerateContent', body: '{"contents":[]}' },
  ollama: { path: '/api/chat', body: '{"model":"llama3","messages":[]}' },
}

function formatOf(name: string): Format {
  const format = FORMATS.find(one => one.name === name)
  if (format === undefined) throw new Error(`the format ${name} is not listed`)
  return format
}

const headOf = (name: string): RequestHead => ({ method: 'POST', path: REQUESTS[name]?.path ?? '', query: '', header: () => null })

function openMeter(name: string): Meter {
  const reader = formatOf(name).openReader(headOf(name), 'x')
  reader.push(ENCODER.encode(REQUESTS[name]?.body))
  const result = reader.end()
  if (result.kind !== 'call') throw new Error(result.why)
  return formatOf(name).openMeter(result.call, STREAM, false)
}

function feed(meter: Meter, bytes: Uint8Array, size: number): Meter {
  for (let at = 0; at < bytes.length; at += size) meter.push(bytes.subarray(at, at + size))
  return meter
}

describe('an event too long to be kept', () => {
  const picture = 'A'.repeat(3_000_000)
  const usage = '"usage":{"input_tokens":7,"output_tokens":5,"total_tokens":12}'

  it.each([100_000, 999_999, 4_000_000])('of Responses still gives its report, %i bytes at a time', size => {
    const response = `{"model":"gpt-4o","output":[{"type":"image_generation_call","result":"${picture}"}],${usage}}`
    const stream = ENCODER.encode(`event: response.completed\ndata: {"type":"response.completed","response":${response}}\n\n`)
    const reading = feed(openMeter('openai-responses'), stream, size).reading()
    expect(reading).toMatchObject({ kind: 'exact', usage: { model: 'gpt-4o', tokens: { input: 7n, output: 5n } } })
  })

  it('that is not JSON is counted by its size, and the events after it are read', () => {
    const stream = ENCODER.encode(`data: noise${picture}\n\ndata: {"type":"response.completed","response":{${usage}}}\n\n`)
    const meter = feed(openMeter('openai-responses'), stream.subarray(0, 3_000_020), 50_000)
    const before = meter.reading()
    expect(before.kind === 'partial' && textBytes(before.delivered.text)).toBeGreaterThan(2_900_000)
    expect(feed(meter, stream.subarray(3_000_020), 7).reading().kind).toBe('exact')
  })

  it('of Messages is counted by its size, and the events after it are read', () => {
    const delta = `data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"${picture}"}}\n\n`
    const end = 'data: {"type":"message_delta","usage":{"input_tokens":3,"output_tokens":9}}\n\ndata: {"type":"message_stop"}\n\n'
    const meter = feed(openMeter('anthropic-messages'), ENCODER.encode(delta), 65_536)
    const before = meter.reading()
    expect(before.kind === 'partial' && textBytes(before.delivered.text)).toBeGreaterThan(2_900_000)
    expect(feed(meter, ENCODER.encode(end), 65_536).reading()).toMatchObject({
      kind: 'exact',
      usage: { tokens: { input: 3n, output: 9n } },
    })
  })
})

describe('a picture of Gemini that is too long to be kept', () => {
  it('is no text, and the report in its event is read', () => {
    const picture = `{"inlineData":{"mimeType":"image/png","data":"${'A'.repeat(3_000_000)}"}}`
    const usage = '"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":1290,"totalTokenCount":1297}'
    const event = `data: {"candidates":[{"content":{"parts":[${picture}]},"finishReason":"STOP"}],${usage}}\r\n\r\n`
    const meter = feed(openMeter('gemini'), ENCODER.encode(event), 65_536)
    const before = meter.reading()
    expect(before.kind === 'partial' && textBytes(before.delivered.text)).toBeLessThan(100)
    meter.end()
    expect(meter.reading()).toMatchObject({ kind: 'exact', usage: { tokens: { input: 7n, output: 1290n } } })
  })
})

describe.each(Object.keys(REQUESTS))('%s under noise', name => {
  const words = [
    'data: ',
    '\n\n',
    '\n',
    'event: error\n',
    '{',
    '}',
    '[',
    ']',
    '"usage":',
    '"type":"message_stop"',
    '"output_tokens":',
    '"usageMetadata":{"totalTokenCount":',
    '"finishReason":"STOP"',
    '{"done":true,"eval_count":1}\n',
    '-1',
    '9e999',
  ]
  const noise = fc
    .array(fc.oneof(fc.constantFrom(...words), fc.string({ unit: 'binary' }), fc.json()), { maxLength: 30 })
    .map(parts => parts.join(''))

  it('meters without a throw, the same however it is cut', () => {
    fc.assert(
      fc.property(noise, fc.integer({ min: 1, max: 9 }), (text, size) => {
        const bytes = ENCODER.encode(text)
        const [whole, cut] = [feed(openMeter(name), bytes, bytes.length + 1), feed(openMeter(name), bytes, size)]
        whole.end()
        cut.end()
        expect(cut.reading()).toEqual(whole.reading())
      }),
    )
  })

  it('reads without a throw: a call that is bounded below, or a sentence', () => {
    const field = fc.constantFrom(
      'model',
      'max_tokens',
      'max_output_tokens',
      'messages',
      'input',
      'tools',
      'system',
      'content',
      'source',
      'prompt',
      'contents',
      'parts',
      'generationConfig',
      'generation_config',
      'options',
      'images',
    )
    const body = fc.dictionary(field, fc.jsonValue({ maxDepth: 6 })).map(value => JSON.stringify(value))
    fc.assert(
      fc.property(fc.oneof(body, noise), text => {
        const reader = formatOf(name).openReader(headOf(name), 'x')
        reader.push(ENCODER.encode(text))
        const result = reader.end()
        if (result.kind === 'unreadable') expect(result.why).toMatch(/^The .{5,200}\.$/s)
        else expect(result.call.outputBound ?? 0n).toBeGreaterThanOrEqual(0n)
      }),
    )
  })
})
