// The JSON scanner against JSON.parse: the same documents accepted, the same values seen, however they are cut; and what only it refuses.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { textBytes } from '../../src/core/call.ts'
import { JSON_DEPTH_MAX } from '../../src/limits.ts'
import { JsonScanner } from '../../src/wire/json.ts'
import type { JsonEnd } from '../../src/wire/json-end.ts'
import { members, type Place, type Scalar } from '../../src/wire/json-place.ts'
import { TextTally } from '../../src/wire/text-tally.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

function scan(root: Place, pieces: readonly Uint8Array[]): JsonEnd {
  const scanner = new JsonScanner(root)
  for (const piece of pieces) scanner.push(piece)
  return scanner.end()
}

const scanText = (text: string, root: Place = {}): JsonEnd => scan(root, [utf8(text)])

/** Cuts at the given fractions. */
function cut(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [0, ...cuts.map(fraction => Math.floor(fraction * bytes.length)), bytes.length].sort((a, b) => a - b)
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end))
}

const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 })

/** JSON.parse over bytes that must be UTF-8; undefined where it is refused. */
function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch {
    return undefined
  }
}

/** What the scanner adds to JSON's own grammar; documents that it refuses for these reasons alone are no disagreement. */
const OWN_REASONS = /twice|deeper|more than|in its case/

describe('the scanner and JSON.parse', () => {
  it('accept the same documents, however they are cut', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), fc.constantFrom(0, 2), cuts, (json, indent, at) => {
        const text = JSON.stringify(JSON.parse(json), null, indent)
        expect(scan({}, cut(utf8(text), at))).toEqual({ kind: 'whole', bytes: utf8(text).length })
      }),
      { numRuns: 500, verbose: 1 },
    )
  })

  it('agree about bytes that were damaged', () => {
    const damage = fc.array(
      fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }), how: fc.constantFrom('set', 'drop', 'add') }),
      {
        minLength: 1,
        maxLength: 3,
      },
    )
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), damage, cuts, (json, damages, at) => {
        const bytes = [...utf8(json)]
        for (const { at: where, byte, how } of damages) {
          const index = bytes.length === 0 ? 0 : where % bytes.length
          if (how === 'set') bytes[index] = byte
          else if (how === 'drop') bytes.splice(index, 1)
          else bytes.splice(index, 0, byte)
        }
        const body = Uint8Array.from(bytes)
        const end = scan({}, cut(body, at))
        if (end.kind === 'broken' && OWN_REASONS.test(end.why)) return
        expect(end.kind === 'whole', JSON.stringify(end)).toBe(parse(body) !== undefined)
      }),
      { numRuns: 3_000, verbose: 1 },
    )
  })

  it('agree about every text of up to three bytes that could be JSON', () => {
    const bytes = [...'{}[]":,\\u019-+.eEtrfalsn \n'].map(char => char.charCodeAt(0)).concat(0x00, 0x7f, 0x80, 0xc3, 0xa9, 0xed, 0xff)
    const check = (body: number[]): void => {
      const end = scan(
        {},
        body.map(byte => Uint8Array.of(byte)),
      )
      expect(end.kind === 'whole', String(body)).toBe(parse(Uint8Array.from(body)) !== undefined)
    }
    for (const a of bytes) for (const b of bytes) for (const c of bytes) check([a, b, c])
    for (const a of bytes) for (const b of bytes) for (const c of bytes) check([0x22, a, b, c, 0x22])
  })

  it.each([
    '0',
    '-0',
    '01',
    '-',
    '1.',
    '.5',
    '1.5e',
    '1e+',
    '1e-07',
    '1E5',
    '+1',
    '1.5.5',
    '--1',
    '1e5.5',
    '0x10',
    'NaN',
    '-Infinity',
    '1_0',
  ])('agree about the number %s', text => expect(scanText(text).kind === 'whole').toBe(parse(utf8(text)) !== undefined))

  it('see the same strings, cut anywhere', () => {
    const string = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'grapheme' }),
      fc.array(fc.constantFrom('\ud83d', '\ude00', 'é', '\n', '"', '\\', 'a')).map(parts => parts.join('')),
    )
    fc.assert(
      fc.property(string, fc.boolean(), cuts, (text, escaped, at) => {
        const json = escaped
          ? `"${[...Array(text.length).keys()].map(i => `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')}"`
          : JSON.stringify(text)
        const found: Scalar[] = []
        const bytes = utf8(json)
        expect(scan({ keep: 65_536, scalar: scalar => found.push(scalar) }, cut(bytes, at)).kind).toBe('whole')
        expect(found).toEqual([
          { kind: 'string', text: text.toWellFormed(), bytes: utf8(text.toWellFormed()).length, start: 0, end: bytes.length },
        ])
      }),
      { numRuns: 1_000, verbose: 1 },
    )
  })

  it('never say what stood in a document', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 4 }), text => {
        const end = scanText(`{"secret":"${text}`)
        if (end.kind === 'broken') expect(end.why).toMatch(/^[a-z][A-Za-z0-9 ,\-\\]*$/)
      }),
    )
  })
})

describe('faults', () => {
  it.each([
    ['', 0, 'the body is empty'],
    ['{"a":1', 6, 'the JSON ends too early'],
    ['{"a":1}x', 7, 'something follows the end of the JSON'],
    ['{"a" 1}', 5, 'a colon was expected'],
    ['{a:1}', 1, 'a key in quotes was expected'],
    ['[1 2]', 3, 'a comma or a closing bracket was expected'],
    ['{"a":1]', 6, 'a comma or a closing brace was expected'],
    ['[1,]', 3, 'a value was expected'],
    ['{"a":1,}', 7, 'a key in quotes was expected'],
    ['["\\x"]', 3, 'an escape that JSON does not have'],
    ['["\\u12g4"]', 6, 'an escape \\u without four hex digits'],
    ['["a\tb"]', 3, 'a control character inside a string'],
    ['[01]', 2, 'a number is not written as JSON has it'],
    ['[nul]', 4, 'a value was expected'],
  ])('%s', (text, at, why) => expect(scanText(text)).toEqual({ kind: 'broken', at, why }))

  it('of a string that is not UTF-8', () => {
    for (const bytes of [[0x80], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x82], [0xf0, 0x80, 0x80, 0x80]]) {
      expect(scan({}, [Uint8Array.of(0x22, ...bytes, 0x22)])).toMatchObject({ kind: 'broken', why: 'not valid UTF-8' })
    }
  })

  it('of nesting deeper than the limit, and not at it', () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
    expect(scanText(nested(JSON_DEPTH_MAX)).kind).toBe('whole')
    expect(scanText(nested(JSON_DEPTH_MAX + 1))).toMatchObject({ kind: 'broken', at: JSON_DEPTH_MAX })
    expect(scanText('[{"a":'.repeat(100_000))).toMatchObject({ kind: 'broken' })
  })

  it('of keys that stand twice: known ones anywhere, any in the outermost object, escapes and case seen through', () => {
    const root: Place = { members: members({ a: { members: members({ b: {} }) } }) }
    for (const text of ['{"a":1,"a":2}', '{"x":1,"x":2}', '{"a":{"b":1,"b":2}}', '{"a":1,"\\u0061":2}', '{"a":1,"A":2}']) {
      expect(scanText(text, root), text).toMatchObject({ kind: 'broken' })
    }
    for (const text of ['{"a":{"x":1,"x":2}}', '{"x":{"y":1,"y":1}}', '{"a":{"b":1},"b":{"a":1}}']) {
      expect(scanText(text, root), text).toMatchObject({ kind: 'whole' })
    }
  })

  it('of an outermost object with more members than any API has', () => {
    const text = `{${Array.from({ length: 1_100 }, (_, i) => `"k${i}":0`).join(',')}}`
    expect(scanText(text)).toMatchObject({ kind: 'broken', why: expect.stringContaining('more than') })
    expect(scanText(`{"a":${text}}`).kind).toBe('whole')
  })

  it('stay the first one, whatever comes after', () => {
    const scanner = new JsonScanner({})
    scanner.push(utf8('[}'))
    const { fault } = scanner
    scanner.push(utf8(']]]]{{{'))
    expect(scanner.end()).toBe(fault)
    scanner.reset()
    scanner.push(utf8('[1]'))
    expect(scanner.end()).toEqual({ kind: 'whole', bytes: 3 })
  })
})

describe('events', () => {
  it('tell kinds and offsets in the whole body', () => {
    const events: unknown[] = []
    const leaf: Place = {
      enter: (kind, start) => events.push([kind, start]),
      scalar: ({ kind, text, start, end }) => events.push([kind, text, start, end]),
      leave: span => events.push(span),
    }
    const root: Place = { members: members({ a: leaf, list: { ...leaf, items: leaf } }) }
    const body = utf8(' {"a": -1.5e3 ,"skip":[{"a":1}],"list":[true,"é"]} ')
    expect(
      scan(
        root,
        [...body].map(byte => Uint8Array.of(byte)),
      ).kind,
    ).toBe('whole')
    expect(events).toEqual([
      ['number', 7],
      ['number', '-1.5e3', 7, 13],
      ['array', 39],
      ['true', 40],
      ['true', '', 40, 44],
      ['string', 45],
      ['string', 'é', 45, 49],
      { start: 39, end: 50, count: 2 },
    ])
  })

  it('keep no more than was asked for', () => {
    const found: Scalar[] = []
    const place: Place = { keep: 5, scalar: scalar => found.push(scalar) }
    scanText(`["${'x'.repeat(100)}", 123456789, "abc"]`, { items: place })
    expect(found.map(({ text, bytes }) => [text, bytes])).toEqual([
      ['xxxxx', 100],
      ['12345', 9],
      ['abc', 3],
    ])
  })
})

describe('counted text', () => {
  const countText = (text: string, mode: 'text' | 'json' = 'text'): TextTally => {
    const tally = new TextTally()
    expect(scanText(text, { measure: { tally, mode } }).kind).toBe('whole')
    return tally
  }

  it('is by class, escapes as what they stand for', () => {
    expect(countText('["ab 12,\\n\\u4e2d\\ud83d\\ude00é\\/"]').size()).toEqual({
      letters: 2,
      digits: 2,
      spaces: 2,
      marks: 2,
      high: 9,
      dense: 0,
    })
  })

  it('has keys and punctuation only in the mode for JSON', () => {
    expect(countText('{"key":"ab"}').size()).toMatchObject({ letters: 2, marks: 0 })
    expect(countText('{"key" : "ab", "n":[1,true]}', 'json').size()).toMatchObject({
      letters: 3 + 2 + 1 + 4,
      digits: 1,
      marks: 14,
      spaces: 0,
    })
  })

  it('is dense in runs of more than 24 letters, digits and joiners, across pieces and escapes', () => {
    expect(countText(`["${'a1'.repeat(12)} x"]`).dense).toBe(0)
    expect(countText(`["${'a1'.repeat(12)}b x"]`).dense).toBe(25)
    expect(countText(`["ab+/${'-'.repeat(30)}\\/\\u0041"]`).dense).toBe(36)
    expect(countText(`["${'x'.repeat(20)}","${'x'.repeat(20)}"]`).dense).toBe(0)
  })

  it('is never less than the decoded bytes, and the same however it is cut', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), cuts, (text, at) => {
        const body = utf8(JSON.stringify([text, 'x'.repeat(30)]))
        const whole = countText(JSON.stringify([text, 'x'.repeat(30)]))
        const tally = new TextTally()
        scan({ measure: { tally, mode: 'text' } }, cut(body, at))
        expect(tally.size()).toEqual(whole.size())
        expect(textBytes(tally.size())).toBeGreaterThanOrEqual(utf8(text).length + 30)
      }),
      { numRuns: 500, verbose: 1 },
    )
  })

  it('counts 20 MB in one string', () => {
    const body = utf8(`{"messages":[{"content":"${'The quick brown fox, at 12:30. '.repeat(650_000)}"}]}`)
    const tally = new TextTally()
    const scanner = new JsonScanner({ measure: { tally, mode: 'text' } })
    for (let at = 0; at < body.length; at += 262_144) scanner.push(body.subarray(at, at + 262_144))
    expect(scanner.end().kind).toBe('whole')
    expect(textBytes(tally.size())).toBe(650_000 * 31)
  })
})
