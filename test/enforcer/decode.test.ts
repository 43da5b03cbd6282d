import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { type Decoded, isIdentity, openDecoder } from '../../src/enforcer/decode.ts'
import { INFLATED_BYTES_MAX } from '../../src/limits.ts'

const TEXT = Buffer.from(`{"text":"${'lorem ipsum '.repeat(5_000)}"}`)
const CODECS = [
  ['gzip', gzipSync(TEXT)],
  ['deflate', deflateSync(TEXT)],
  ['br', brotliCompressSync(TEXT)],
  ['zstd', zstdCompressSync(TEXT)],
] as const

async function decode(encoding: string, bytes: Uint8Array, step: number): Promise<{ how: Decoded; out: Buffer }> {
  const pieces: Uint8Array[] = []
  const decoder = openDecoder(encoding, piece => pieces.push(piece))
  if (decoder === null) throw new Error('expected a decoder')
  for (let at = 0; at < bytes.length; at += step) decoder.push(bytes.subarray(at, at + step))
  return { how: await decoder.end(), out: Buffer.concat(pieces) }
}

describe.each(CODECS)('%s', (encoding, packed) => {
  it.each([1, 7, 1_000, 1_000_000])('in pieces of %i bytes', async step => {
    const { how, out } = await decode(encoding, packed, step)
    expect(how).toBe('whole')
    expect(out.equals(TEXT)).toBe(true)
  })

  it('cut short gives a beginning of the text, never other text', async () => {
    const { out } = await decode(encoding, packed.subarray(0, Math.floor(packed.length / 2)), 1_000)
    expect(TEXT.subarray(0, out.length).equals(out)).toBe(true)
  })

  it('garbage is corrupt', async () => {
    const { how, out } = await decode(encoding, Buffer.from('not compressed at all, not by anyone'), 5)
    expect(how).toBe('corrupt')
    expect(out.length).toBe(0)
  })
})

describe('bounds', () => {
  it('a bomb stops at the bound', async () => {
    let size = 0
    const decoder = openDecoder('gzip', piece => {
      size += piece.length
    })
    decoder?.push(gzipSync(Buffer.alloc(INFLATED_BYTES_MAX + 10_000_000)))
    expect(await decoder?.end()).toBe('too-large')
    expect(size).toBeLessThanOrEqual(INFLATED_BYTES_MAX)
  })

  it('knows what needs no decoder, and what it cannot decode', () => {
    for (const none of [null, '', ' ', 'identity', 'Identity']) expect(isIdentity(none)).toBe(true)
    for (const some of ['gzip', 'compress', 'gzip, br']) expect(isIdentity(some)).toBe(false)
    expect(openDecoder('compress', () => {})).toBeNull()
    expect(openDecoder('gzip, br', () => {})).toBeNull()
  })
})
