// The parser of AWS event streams against streams written with another checksum, cut anywhere; and what it makes of frames that are broken or huge.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SSE_EVENT_BYTES_MAX } from '../../src/limits.ts'
import { decodeBase64 } from '../../src/wire/bedrock-base64.ts'
import { type EventFrame, EventStreamParser } from '../../src/wire/event-stream.ts'
import { crc32 } from '../../src/wire/event-stream-crc.ts'
import { encodeFrame, type Frame, header, sized, writeFrames, writeHeaders } from './event-frames.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

/** What a stream is, piece by piece: frames that were read, and the bytes of those that were not. */
function parse(pieces: readonly Uint8Array[], end = true): { read: string[]; unread: number; ended: number; raw: string } {
  const read: string[] = []
  let unread = 0
  let ended = 0
  let raw = ''
  const parser = new EventStreamParser((frame: EventFrame) => {
    raw += text(frame.raw)
    if (frame.kind === 'unread') {
      unread += frame.raw.length
      if (frame.last) ended++
    } else read.push(`${frame.kind} ${frame.name} ${text(frame.payload)}`)
  })
  for (const piece of pieces) parser.push(piece)
  if (end) parser.end()
  return { read, unread, ended, raw }
}

function cut(bytes: Uint8Array, pattern: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = pattern[i % pattern.length] ?? 1
    pieces.push(bytes.subarray(at, at + size))
    at += size
  }
  return pieces
}

const frame: fc.Arbitrary<Frame> = fc.record(
  {
    name: fc.constantFrom('chunk', 'metadata', 'contentBlockDelta', ''),
    payload: fc.string({ maxLength: 40 }),
    exception: fc.boolean(),
    broken: fc.constantFrom('checksum' as const),
  },
  { requiredKeys: ['name', 'payload'] },
)
const sizes = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 6 })

describe('the parser', () => {
  it('reads each whole frame, cut anywhere, and tells every byte once', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 8 }), sizes, (frames, pattern) => {
        const stream = writeFrames(frames)
        const { read, raw } = parse(cut(stream, pattern))
        const whole = frames.filter(({ broken }) => broken === undefined)
        expect(read).toEqual(
          whole.map(({ name, payload, exception }) => `${exception ? 'exception' : 'event'} ${name} ${text(utf8(String(payload)))}`),
        )
        expect(raw).toBe(text(stream))
      }),
      { numRuns: 1_000, verbose: 1 },
    )
  })

  it('takes a stream that is cut short for what came of it', () => {
    fc.assert(
      fc.property(fc.array(frame, { minLength: 1, maxLength: 4 }), fc.nat(), sizes, (frames, at, pattern) => {
        const stream = writeFrames(frames)
        const cutAt = at % (stream.length + 1)
        const { read, raw } = parse(cut(stream.subarray(0, cutAt), pattern))
        const whole = parse([stream])
        expect(whole.read.slice(0, read.length)).toEqual(read)
        expect(raw).toBe(text(stream.subarray(0, cutAt)))
      }),
      { numRuns: 1_000, verbose: 1 },
    )
  })

  it('survives any bytes, and reads the same of them however they are cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(frame, { maxLength: 2 }), sizes, (noise, frames, pattern) => {
        const stream = Buffer.concat([writeFrames(frames), noise])
        expect(parse(cut(stream, pattern))).toEqual(parse([stream]))
      }),
      { numRuns: 1_000, verbose: 1 },
    )
  })

  it('gives up where a prelude cannot be: nothing tells where the next frame begins', () => {
    const frames: Frame[] = [
      { name: 'a', payload: '1' },
      { name: 'b', payload: '2', broken: 'prelude' },
      { name: 'c', payload: '3' },
    ]
    const { read, ended } = parse([writeFrames(frames)])
    expect(read).toEqual(['event a 1'])
    expect(ended).toBe(0)
  })

  it.each([
    ['shorter than its own framing', 15, 0],
    ['with more headers than length', 16, 1],
    ['with headers over 128 KiB', 500_000, 131_073],
  ])('does not believe a frame %s', (_, total, headers) => {
    const prelude = Buffer.alloc(12)
    prelude.writeUInt32BE(total, 0)
    prelude.writeUInt32BE(headers, 4)
    prelude.writeUInt32BE(crc32(prelude, 0, 8), 8)
    const stream = Buffer.concat([prelude, writeFrames([{ name: 'a', payload: '1' }])])
    expect(parse([stream])).toMatchObject({ read: [], unread: stream.length })
  })

  it('passes a frame over the limit on unread, holds none of it, and reads the next one', () => {
    const long = encodeFrame(writeHeaders({ ':event-type': 'chunk' }), new Uint8Array(SSE_EVENT_BYTES_MAX))
    const stream = Buffer.concat([long, writeFrames([{ name: 'a', payload: '1' }])])
    for (const size of [1_000, SSE_EVENT_BYTES_MAX, stream.length]) {
      expect(parse(cut(stream, [size]))).toMatchObject({ read: ['event a 1'], unread: long.length, ended: 1 })
    }
  })

  it('reads around headers of every type', () => {
    const typed = Buffer.concat([
      header('t', 0, []),
      header('f', 1, []),
      header('byte', 2, [Buffer.alloc(1)]),
      header('short', 3, [Buffer.alloc(2)]),
      header('int', 4, [Buffer.alloc(4)]),
      header('long', 5, [Buffer.alloc(8)]),
      header('bytes', 6, [sized(utf8(':event-type'))]),
      header('timestamp', 8, [Buffer.alloc(8)]),
      header('uuid', 9, [Buffer.alloc(16)]),
      writeHeaders({ ':event-type': 'a' }),
    ])
    expect(parse([encodeFrame(typed, utf8('1'))]).read).toEqual(['event a 1'])
    expect(parse([encodeFrame(Buffer.concat([typed, header('x', 10, [])]), utf8('1'))])).toMatchObject({ read: [], ended: 1 })
    expect(parse([encodeFrame(Buffer.concat([typed, Buffer.from([9, 1])]), utf8('1'))])).toMatchObject({ read: [], ended: 1 })
  })

  it('takes an error for an exception', () => {
    const headers = writeHeaders({ ':message-type': 'error', ':error-code': 'internal', ':error-message': 'no' })
    expect(parse([encodeFrame(headers, utf8(''))]).read).toEqual(['exception internal '])
  })
})

describe('base64', () => {
  it('decodes what Node encodes, in either alphabet, and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom('base64' as const, 'base64url' as const), (bytes, alphabet) => {
        expect(decodeBase64(utf8(Buffer.from(bytes).toString(alphabet)))).toEqual(bytes)
      }),
      { numRuns: 500, verbose: 1 },
    )
    for (const wrong of ['a', 'ab c', 'ab=c', 'abcde', 'ab\\u003d', '====']) expect(decodeBase64(utf8(wrong)), wrong).toBeNull()
  })
})
