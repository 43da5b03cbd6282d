// Every recorded answer under every content-encoding, in pieces of random sizes: the reading is that of the plain answer.
import { brotliCompressSync, deflateSync, gunzipSync, gzipSync, constants as zlib, zstdCompressSync } from 'node:zlib'
import { expect, it } from 'vitest'
import type { Ending } from '../../src/enforcer/charge.ts'
import { mulberry } from '../wire/fixture.ts'
import { type Asked, askedOf, type Exchange, finished, meterOf, readExchanges, seedOf } from './recorded.ts'

const ENCODINGS: readonly (readonly [string, (body: Buffer) => Buffer])[] = [
  ['gzip', body => gzipSync(body)],
  // At a low quality: how well it is compressed is nothing that a reading depends on.
  ['br', body => brotliCompressSync(body, { params: { [zlib.BROTLI_PARAM_QUALITY]: 4 } })],
  ['zstd', body => zstdCompressSync(body)],
  ['deflate', body => deflateSync(body)],
]

it('a compressed answer is read as the plain one, in whatever pieces it comes', async () => {
  const random = mulberry(seedOf('ENCODINGS_SEED'))
  let compared = 0
  for (const exchange of readExchanges()) {
    const asked = askedOf(exchange)
    const { status } = exchange.response
    if (asked === null || status < 200 || status > 299) continue
    const body = plainBody(exchange)
    const plain = await readingOf(exchange, asked, [body], null)
    expect(plain.kind, exchange.id).toBe('answered')
    const read = ENCODINGS.map(([encoding, compress]) => readingOf(exchange, asked, pieces(compress(body), random), encoding))
    for (const [index, reading] of (await Promise.all(read)).entries()) {
      expect(reading, `${exchange.id}, ${ENCODINGS[index]?.[0]}`).toEqual(plain)
    }
    compared++
  }
  expect(compared).toBeGreaterThan(700)
}, 120_000)

function plainBody({ response }: Exchange): Buffer {
  const encoding = response.headers.get('content-encoding')
  return encoding === 'gzip' ? gunzipSync(response.body) : response.body
}

async function readingOf(exchange: Exchange, asked: Asked, body: readonly Buffer[], encoding: string | null): Promise<Ending> {
  const meter = meterOf(exchange, asked, encoding)
  for (const piece of body) meter.push(piece, false)
  return finished(meter, true)
}

/** Of one byte up to a whole answer, small ones as likely as large ones; of long answers not too many. */
function pieces(body: Buffer, random: () => number): Buffer[] {
  const found: Buffer[] = []
  const largest = Math.max(1, Math.floor(body.length ** random()), Math.floor(body.length / 200))
  for (let at = 0; at < body.length; ) {
    const size = 1 + Math.floor(random() * largest)
    found.push(body.subarray(at, at + size))
    at += size
  }
  return found
}
