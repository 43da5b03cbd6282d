// Pictures in a stream are longer than any other event: their report is found wherever it stands, and their bytes are not text.
import { describe, expect, it } from 'vitest'
import { textBytes } from '../../src/core/call.ts'
import { NO_TOKENS, type UsageReading } from '../../src/core/usage.ts'
import { SSE_EVENT_BYTES_MAX } from '../../src/limits.ts'
import { openAiImages } from '../../src/wire/openai-images.ts'
import { mulberry } from './fixture.ts'

const usage = { total_tokens: 30, input_tokens: 10, output_tokens: 20, input_tokens_details: { text_tokens: 10, image_tokens: 0 } }
const picture = 'iVBORw0KGgo='.repeat(Math.ceil((SSE_EVENT_BYTES_MAX * 1.4) / 12))
const event = (value: object): string => `event: x\ndata: ${JSON.stringify(value)}\n\n`
const type = 'image_generation.completed'
const partial = event({ type: 'image_generation.partial_image', b64_json: picture })

function read(stream: Uint8Array, largest: number, whole = true): UsageReading {
  const head = { method: 'POST', path: '/v1/images/generations', query: '', header: () => null }
  const reader = openAiImages.openReader(head, 'images/generations')
  reader.push(Buffer.from('{"model":"gpt-image-1","prompt":"x","stream":true}'))
  const result = reader.end()
  if (result.kind !== 'call') throw new Error(result.why)
  const meter = openAiImages.openMeter(result.call, { status: 200, header: () => 'text/event-stream' }, false)
  const random = mulberry(7)
  for (let at = 0; at < stream.length; ) {
    const size = 1 + Math.floor(random() * largest)
    meter.push(stream.subarray(at, at + size))
    at += size
  }
  if (whole) meter.end()
  return meter.reading()
}

describe('a picture longer than any event that is held', () => {
  it.each([
    ['before its report', event({ type, b64_json: picture, usage })],
    ['behind its report', event({ usage, type, b64_json: picture })],
    ['after others', partial + event({ type, b64_json: picture, usage })],
  ])('is metered %s, in pieces of any size', (_, stream) => {
    for (const largest of [50_000, 3_000_000]) {
      const reading = read(Buffer.from(stream), largest, false)
      expect(reading).toMatchObject({ kind: 'exact', usage: { tokens: { ...NO_TOKENS, input: 10n, outputImage: 20n } } })
    }
  })

  it('counts no text where it is cut, or is nothing that can be read', () => {
    for (const stream of [partial.slice(0, -20), `data: {"b64_json":}${picture}\n\n`]) {
      const reading = read(Buffer.from(stream), 50_000)
      expect(reading.kind).not.toBe('exact')
      if (reading.kind !== 'exact') {
        expect(textBytes(reading.delivered.text)).toBe(0)
        expect(reading.delivered.hiddenReasoning).toBe(true)
      }
    }
  })
})
