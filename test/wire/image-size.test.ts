// Dimensions from the head of a base64 payload: as the formats' specifications place them, and never from bytes that do not say them.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { MediaPart } from '../../src/core/call.ts'
import { findEndpoint } from '../../src/wire/formats.ts'
import { imageSize } from '../../src/wire/image-size.ts'

const ONE = { width: 1, height: 1 }

describe('whole small images', () => {
  it.each([
    ['PNG', 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='],
    ['GIF', 'R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7'],
    ['WebP, lossy', 'UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA'],
    ['WebP, lossless', 'UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=='],
    ['WebP, extended', 'UklGRkoAAABXRUJQVlA4WAoAAAAQAAAAAAAAAAAAQUxQSAwAAAARBxAR/Q9ERP8DAABWUDggGAAAABQBAJ0BKgEAAQAAAP4AAA3AAP7mtQAAAA=='],
  ])('%s', (_, base64) => {
    expect(imageSize(base64)).toEqual(ONE)
    expect(imageSize(`data:image/x;base64,${base64}`, 20)).toEqual(ONE)
    expect(imageSize(base64.replaceAll('+', '-').replaceAll('/', '_'))).toEqual(ONE)
  })
})

const bytes = (...parts: (string | number[] | Buffer)[]): Buffer =>
  Buffer.concat(parts.map(part => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))))
const big16 = (n: number) => [n >> 8, n & 255]
const little16 = (n: number) => [n & 255, n >> 8]
const big32 = (n: number) => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255]

const png = (w: number, h: number) => bytes([0x89], 'PNG\r\n\x1a\n', big32(13), 'IHDR', big32(w), big32(h), [8, 6, 0, 0, 0])
const gif = (w: number, h: number) => bytes('GIF89a', little16(w), little16(h), [0, 0, 0])
const vp8 = (w: number, h: number) =>
  bytes('RIFF', [1, 2, 3, 4], 'WEBPVP8 ', [0, 0, 0, 0], [0x30, 1, 0, 0x9d, 1, 0x2a], little16(w), little16(h))
const vp8l = (w: number, h: number) => {
  const bits = (w - 1) | ((h - 1) << 14)
  return bytes(
    'RIFF',
    [1, 2, 3, 4],
    'WEBPVP8L',
    [0, 0, 0, 0],
    [0x2f, bits & 255, (bits >>> 8) & 255, (bits >>> 16) & 255, (bits >>> 24) & 255],
  )
}
const vp8x = (w: number, h: number) => {
  const less = (n: number) => [(n - 1) & 255, ((n - 1) >> 8) & 255, ((n - 1) >> 16) & 255]
  return bytes('RIFF', [1, 2, 3, 4], 'WEBPVP8X', [10, 0, 0, 0], [0x10, 0, 0, 0], less(w), less(h))
}
const segment = (marker: number, content: Buffer) => bytes([0xff, marker], big16(content.length + 2), content)
const jpeg = (w: number, h: number, before: readonly Buffer[], frame = 0xc0) =>
  bytes([0xff, 0xd8], Buffer.concat(before), segment(frame, bytes([8], big16(h), big16(w), [3, 1, 0x22, 0])), [0xff, 0xda])

const side = (most: number) => fc.integer({ min: 1, max: most })
const anyBytes = (maxLength: number) => fc.uint8Array({ maxLength }).map(list => Buffer.from(list))
const anyJpeg = fc
  .tuple(
    side(65_535),
    side(65_535),
    fc.array(fc.tuple(fc.constantFrom(0xe0, 0xe1, 0xe2, 0xfe, 0xdb, 0xc4), anyBytes(60)), { maxLength: 4 }),
    fc.constantFrom(0xc0, 0xc1, 0xc2, 0xcf),
    fc.nat(3),
  )
  .map(([w, h, parts, frame, fill]) => {
    const before = parts.map(([marker, content]) => Buffer.concat([Buffer.alloc(fill, 0xff), segment(marker, content)]))
    return { payload: jpeg(w, h, before, frame), size: { width: w, height: h } }
  })
const sized = (make: (w: number, h: number) => Buffer, most: number) =>
  fc.tuple(side(most), side(most)).map(([w, h]) => ({ payload: make(w, h), size: { width: w, height: h } }))
const anyImage = fc.oneof(
  anyJpeg,
  sized(png, 2 ** 31 - 1),
  sized(gif, 65_535),
  sized(vp8, 16_383),
  sized(vp8l, 16_384),
  sized(vp8x, 2 ** 24),
)

describe('any head', () => {
  it('says what the format places there, whatever follows', () => {
    fc.assert(
      fc.property(anyImage, anyBytes(30), ({ payload, size }, rest) => {
        expect(imageSize(Buffer.concat([payload, rest]).toString('base64'))).toEqual(size)
      }),
      { numRuns: 500 },
    )
  })

  it('cut anywhere, says the same or nothing', () => {
    fc.assert(
      fc.property(anyImage, fc.nat(400), ({ payload, size }, at) => {
        expect([null, size]).toContainEqual(imageSize(payload.toString('base64').slice(0, at)))
      }),
      { numRuns: 500 },
    )
  })

  it('with a character that a lenient decoder skips before its end, says nothing', () => {
    fc.assert(
      fc.property(anyImage, fc.nat(1_000), fc.constantFrom('\n', ' ', '!', '=', 'é', '\u0000', '\ud800'), ({ payload }, at, odd) => {
        const text = payload.subarray(0, 24).toString('base64')
        const cut = at % 12
        expect(imageSize(text.slice(0, cut) + odd + text.slice(cut) + payload.subarray(24).toString('base64'))).toBeNull()
      }),
      { numRuns: 300 },
    )
  })

  it('of anything else, is nothing or a size above 0, and never fails', () => {
    const hostile = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.uint8Array({ maxLength: 200 }).map(list => Buffer.from(list).toString('base64')),
      fc.tuple(anyImage, fc.nat(100), fc.nat(255)).map(([{ payload }, at, value]) => {
        payload[at % payload.length] = value
        return payload.toString('base64')
      }),
    )
    fc.assert(
      fc.property(hostile, text => {
        const size = imageSize(text)
        if (size !== null) expect(Math.min(size.width, size.height)).toBeGreaterThan(0)
      }),
      { numRuns: 1_000 },
    )
  })

  it.each([
    ['a JPEG of fill bytes', Buffer.alloc(48_000, 0xff)],
    ['a JPEG of empty segments', Buffer.concat([bytes([0xff, 0xd8]), Buffer.alloc(48_000, bytes([0xff, 0xe1, 0, 2]))])],
    ['a JPEG whose segment has no length', bytes([0xff, 0xd8, 0xff, 0xe1, 0, 0], Buffer.alloc(100))],
    ['a JPEG whose scan comes first', bytes([0xff, 0xd8, 0xff, 0xda], jpeg(1, 1, []))],
    ['a PNG without its header', bytes([0x89], 'PNG\r\n\x1a\n', Buffer.alloc(40))],
    ['a PNG of no width', png(0, 7)],
    ['a GIF of no height', gif(7, 0)],
    ['a bitmap', bytes('BM', Buffer.alloc(60))],
  ])('%s has no size', (_, payload) => {
    expect(imageSize(payload.toString('base64'))).toBeNull()
  })
})

describe('in requests', () => {
  const url = (payload: Buffer) => `data:image/png;base64,${payload.toString('base64')}`
  const read = (path: string, body: unknown, piece: number): readonly MediaPart[] => {
    const head = { method: 'POST', path, query: '', header: () => null }
    const endpoint = findEndpoint(head)
    if (endpoint.kind !== 'metered') throw new Error(`${path} is not metered`)
    const reader = endpoint.format.openReader(head, endpoint.endpoint)
    const text = Buffer.from(JSON.stringify(body).replaceAll('/', '\\/'))
    for (let at = 0; at < text.length; at += piece) reader.push(text.subarray(at, at + piece))
    const result = reader.end()
    if (result.kind !== 'call') throw new Error(result.why)
    return result.call.media
  }
  const image = bytes(png(640, 480), Buffer.alloc(90_000))
  const requests: [string, string, unknown][] = [
    [
      'a chat',
      '/v1/chat/completions',
      { model: 'm', messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: url(image), detail: 'high' } }] }] },
    ],
    [
      'a chat with the URL as a text',
      '/v1/chat/completions',
      { model: 'm', messages: [{ role: 'user', content: [{ type: 'image_url', image_url: url(image) }] }] },
    ],
    ['a response', '/v1/responses', { model: 'm', input: [{ role: 'user', content: [{ type: 'input_image', image_url: url(image) }] }] }],
    [
      'a message',
      '/v1/messages',
      {
        model: 'm',
        max_tokens: 1,
        messages: [
          {
            role: 'user',
            content: [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: image.toString('base64') } }],
          },
        ],
      },
    ],
  ]

  it.each(requests)('of %s, cut anywhere', (_, path, body) => {
    for (const piece of [1_000_000, 1_000, 7]) {
      expect(read(path, body, piece)).toEqual([expect.objectContaining({ kind: 'image', width: 640, height: 480 })])
    }
  })

  it('is not carried over from one image to the next', () => {
    const content = [url(image), 'https://example.com/a.png', 'data:image/png;base64,AAAA'].map(one => ({
      type: 'image_url',
      image_url: { url: one },
    }))
    const sizes = read('/v1/chat/completions', { model: 'm', messages: [{ role: 'user', content }] }, 1_000).map(({ width }) => width)
    expect(sizes).toEqual([640, null, null])
  })
})
