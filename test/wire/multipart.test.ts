// Forms: whatever is in the parts comes out of them, however the body is cut; what two servers could read as two forms is refused.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PARTS_MAX } from '../../src/limits.ts'
import { boundaryOf, MultipartScanner, type PartSink } from '../../src/wire/multipart.ts'
import type { PartHead } from '../../src/wire/part-head.ts'

const BOUNDARY = 'b-1'
interface Part extends PartHead {
  readonly content: string
}

/** Pieces of content that come near to a boundary, among others. */
const content = fc
  .array(fc.constantFrom('\r', '\n', '\r\n', '-', '--', '\r\n--', '\r\n--b', '\n--b-', 'b-1', '\r\n--B-1', 'x', 'ÿ\u0000', '"'), {
    maxLength: 12,
  })
  .map(parts => parts.join(''))
  .filter(text => !`\n${text}`.includes(`\n--${BOUNDARY}`))
const parts = fc.array(fc.record({ name: fc.constantFrom('model', 'file', 'a b', 'x[]', 'é'), isFile: fc.boolean(), content }), {
  maxLength: 5,
})

const written = (each: readonly Part[]): string =>
  `${each.map(({ name, isFile, content: text }) => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${isFile ? '; filename="f;\\"1"' : ''}\r\n\r\n${text}\r\n`).join('')}--${BOUNDARY}--\r\n`

describe('MultipartScanner', () => {
  it('gives back the parts that were written, however the body is cut', () => {
    fc.assert(
      fc.property(
        parts.filter(each => each.length > 0),
        fc.array(fc.nat({ max: 40 }), { minLength: 1, maxLength: 20 }),
        (each, sizes) => {
          const body = Buffer.from(written(each))
          expect(scan([body])).toEqual({ found: each, end: { kind: 'whole' } })
          expect(scan(cut(body, sizes))).toEqual({ found: each, end: { kind: 'whole' } })
        },
      ),
      { numRuns: 2_000, verbose: 1 },
    )
  })

  it('never throws, and says the same of any body, however it is cut', () => {
    fc.assert(
      fc.property(
        parts,
        fc.array(fc.record({ at: fc.nat(), byte: fc.constantFrom(0x0a, 0x0d, 0x2d, 0x22, 0x3b, 0x00, 0xff, 0x62) }), { maxLength: 4 }),
        fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 20 }),
        (each, changes, sizes) => {
          const body = Buffer.from(written(each))
          for (const { at, byte } of changes) body[at % body.length] = byte
          const whole = scan([body])
          expect(scan(cut(body, sizes))).toEqual(whole)
          if (whole.end.kind === 'broken') expect(whole.end.why).not.toMatch(/ÿ|f;/)
        },
      ),
      { numRuns: 3_000, verbose: 1 },
    )
  })

  it('finds a form that is cut short broken, at every byte', () => {
    const body = Buffer.from(written([{ name: 'model', isFile: false, content: 'x\r\n--' }]).trimEnd())
    for (let at = 0; at < body.length; at++) expect(scan([body.subarray(0, at)]).end.kind, `${at}`).toBe('broken')
    expect(scan([body]).end.kind).toBe('whole')
  })

  it('takes no more parts than its bound, and hears nothing after what is wrong', () => {
    const many = Array.from({ length: PARTS_MAX + 2 }, () => ({ name: 'a', isFile: false, content: 'x' }))
    const { found, end } = scan([Buffer.from(written(many))])
    expect(end).toMatchObject({ kind: 'broken', why: expect.stringContaining(`${PARTS_MAX} parts`) })
    expect(found).toHaveLength(PARTS_MAX)
  })

  it('stops where the consumer says that a part is wrong', () => {
    const scanner = new MultipartScanner(BOUNDARY, () => 'not this one')
    scanner.push(Buffer.from(written([{ name: 'a', isFile: false, content: 'x' }])))
    expect(scanner.end()).toEqual({ kind: 'broken', why: 'not this one' })
  })
})

describe('boundaryOf', () => {
  it.each([
    ['multipart/form-data; boundary=abc', 'abc'],
    ['Multipart/Form-Data;charset=utf-8; Boundary="a b"', 'a b'],
    ['multipart/form-data', null],
    ['multipart/form-data; boundary=', null],
    ['multipart/form-data; boundary="a "', null],
    ['multipart/form-data; boundary=a; boundary=b', null],
    [`multipart/form-data; boundary=${'a'.repeat(71)}`, null],
    ['multipart/form-data; boundary="a\r\nb"', null],
    ['multipart/mixed; boundary=abc', null],
    ['application/json; boundary=abc', null],
    [null, null],
  ])('of %j is %j', (type, boundary) => expect(boundaryOf(type)).toBe(boundary))
})

function scan(pieces: readonly Uint8Array[]): { found: Part[]; end: ReturnType<MultipartScanner['end']> } {
  const found: Part[] = []
  const open = (head: PartHead): PartSink => {
    const bytes: Uint8Array[] = []
    return {
      bytes: piece => bytes.push(piece.slice()),
      end: () => {
        found.push({ ...head, content: Buffer.concat(bytes).toString() })
        return null
      },
    }
  }
  const scanner = new MultipartScanner(BOUNDARY, open)
  for (const piece of pieces) scanner.push(piece)
  return { found, end: scanner.end() }
}

function cut(body: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (let at = 0, turn = 0; at < body.length; turn++) {
    const size = 1 + (sizes[turn % sizes.length] ?? 0)
    pieces.push(body.subarray(at, at + size))
    at += size
  }
  return pieces
}
