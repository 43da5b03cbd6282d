// The parser of server-sent events against a naive reading of the standard, cut anywhere; and the sieve, which takes out single events only.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SSE_EVENT_BYTES_MAX } from '../../src/limits.ts'
import { type SseBlock, SseParser, SseSieve } from '../../src/wire/sse.ts'
import { isDone } from '../../src/wire/sse-lines.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (bytes: Uint8Array): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)

interface Seen {
  readonly name: string
  readonly data: string
  readonly start: number
  readonly end: number
}

function parse(pieces: readonly Uint8Array[]): { events: Seen[]; raw: string } {
  const events: Seen[] = []
  let raw = ''
  const parser = new SseParser(block => {
    expect(block.start).toBe(utf8(raw).length)
    raw += text(block.raw)
    expect(block.end).toBe(utf8(raw).length)
    if (block.kind === 'event') events.push({ name: block.name, data: text(block.data), start: block.start, end: block.end })
  })
  for (const piece of pieces) parser.push(piece)
  parser.end()
  return { events, raw }
}

/** The standard's algorithm, line by line over the whole text; a last event without its blank line is read as well. */
function naive(stream: string): { name: string; data: string }[] {
  const events: { name: string; data: string }[] = []
  let name = ''
  let data: string[] = []
  for (const line of `${stream.replace(/^\ufeff/, '')}\n\n`.split(/\r\n|\n|\r/)) {
    if (line === '') {
      if (data.length > 0) events.push({ name, data: data.join('\n') })
      name = ''
      data = []
      continue
    }
    const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? []
    if (field === 'data') data.push(value)
    if (field === 'event') name = value
  }
  return events
}

const line = fc.oneof(
  fc.constantFrom(
    'data: [DONE]',
    'data:{"a":1}',
    'data:  two',
    'data',
    'data:',
    'event: x',
    'event',
    ': comment',
    ':',
    'id: 1',
    'datax: 1',
    '\tdata: after a tab',
    'é',
    '',
  ),
  fc.string({ unit: 'grapheme', maxLength: 6 }).filter(part => !/[\r\n]/.test(part)),
)
const stream = fc
  .tuple(fc.constantFrom('', '\ufeff'), fc.array(fc.tuple(line, fc.constantFrom('\n', '\r\n', '\r')), { maxLength: 20 }))
  .map(([mark, lines]) => mark + lines.flat().join(''))
const sizes = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 })

function cut(bytes: Uint8Array, pattern: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = pattern[i % pattern.length] ?? 1
    pieces.push(bytes.subarray(at, at + size))
    at += size
  }
  return pieces
}

describe('the parser', () => {
  it('reads what the standard reads, cut anywhere, and tells every byte once', () => {
    fc.assert(
      fc.property(stream, sizes, (whole, pattern) => {
        const { events, raw } = parse(cut(utf8(whole), pattern))
        expect(raw).toBe(whole)
        expect(events.map(({ name, data }) => ({ name, data }))).toEqual(naive(whole))
      }),
      { numRuns: 2_000, verbose: 1 },
    )
  })

  it('gives the bytes of each event', () => {
    const whole = ': hi\r\n\r\nevent: a\r\ndata: 1\r\ndata: 2\r\n\r\ndata: [DONE]'
    expect(parse([utf8(whole)]).events).toEqual([
      { name: 'a', data: '1\n2', start: 8, end: 38 },
      { name: '', data: '[DONE]', start: 38, end: 50 },
    ])
    expect(isDone(utf8('[DONE]'))).toBe(true)
    expect(isDone(utf8('[DONE'))).toBe(false)
  })

  it('passes an event over the limit on unread, and reads the next one', () => {
    const long = `data: ${'x'.repeat(SSE_EVENT_BYTES_MAX)}\n\n`
    for (const size of [1_000, SSE_EVENT_BYTES_MAX * 2]) {
      const blocks: { kind: string; bytes: number }[] = []
      const parser = new SseParser(block => blocks.push({ kind: block.kind, bytes: block.raw.length }))
      for (const piece of cut(utf8(`data: a\n\n${long}data: b\n\n`), [size])) parser.push(piece)
      parser.end()
      expect(blocks.filter(({ kind }) => kind === 'event').map(({ bytes }) => bytes)).toEqual([9, 9])
      const unread = blocks.filter(({ kind }) => kind === 'unread').reduce((sum, { bytes }) => sum + bytes, 0)
      expect(unread).toBe(long.length)
    }
  })
})

const dropX = (block: SseBlock): 'pass' | 'drop' => (block.kind === 'event' && block.name === 'x' ? 'drop' : 'pass')

describe('the sieve', () => {
  it('changes nothing while it hides nothing', () => {
    fc.assert(
      fc.property(stream, sizes, (whole, pattern) => {
        const sieve = new SseSieve(dropX, false)
        for (const piece of cut(utf8(whole), pattern)) expect(sieve.push(piece)).toBeNull()
        expect(sieve.end()).toBeNull()
      }),
    )
  })

  it('takes out the dropped events alone, and holds back no more than the unfinished one', () => {
    fc.assert(
      fc.property(stream, sizes, (whole, pattern) => {
        const kept: Uint8Array[] = []
        const reference = new SseParser(block => {
          if (dropX(block) === 'pass') kept.push(block.raw.slice())
        })
        reference.push(utf8(whole))
        reference.end()
        const expected = text(Buffer.concat(kept))
        const sieve = new SseSieve(dropX, true)
        let client = Buffer.alloc(0)
        let fed = Buffer.alloc(0)
        for (const piece of cut(utf8(whole), pattern)) {
          client = Buffer.concat([client, sieve.push(piece) ?? piece])
          fed = Buffer.concat([fed, piece])
          expect(expected.startsWith(text(client)) || utf8(expected).length >= client.length).toBe(true)
          expect(client.length).toBeGreaterThanOrEqual(finishedBytes(fed))
        }
        client = Buffer.concat([client, sieve.end() ?? new Uint8Array()])
        expect(text(client)).toBe(expected)
      }),
      { numRuns: 1_000, verbose: 1 },
    )
  })

  it('gives the same piece back where nothing was dropped or held', () => {
    const sieve = new SseSieve(dropX, true)
    expect(sieve.push(utf8('data: 1\n\n'))).toBeNull()
    expect(text(sieve.push(utf8('data: 2')) ?? new Uint8Array(9))).toBe('')
    expect(text(sieve.push(utf8('\n\ndata: 3\n\n')) ?? new Uint8Array())).toBe('data: 2\n\ndata: 3\n\n')
    expect(sieve.end()).toBeNull()
  })
})

/** Bytes of events that were passed and surely finished: those before the last blank line, if another byte follows it. */
function finishedBytes(fed: Uint8Array): number {
  let passed = 0
  let open = 0
  const parser = new SseParser(block => {
    if (dropX(block) === 'pass') passed += block.raw.length
    open = block.end
  })
  parser.push(fed)
  expect(parser.held).toBe(fed.length - open)
  return passed
}
