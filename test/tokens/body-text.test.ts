// What of a body the tokenizer sees: payloads are left out and sized, escapes undone as JSON has them, and what is too long is bounded by bytes.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { textBytes } from '../../src/core/call.ts'
import { TOKENIZED_BYTES_MAX } from '../../src/limits.ts'
import { bodyText } from '../../src/tokens/body-text.ts'
import { countBody } from '../../src/tokens/count.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('payloads', () => {
  const payload = Buffer.alloc(3_000, 0xfb).toString('base64')

  it.each([payload, payload.replaceAll('/', '\\/'), payload.replaceAll('+', '-').replaceAll('/', '_')])(
    'are left out and sized (%#)',
    written => {
      const { text, payloads, rest } = bodyText(bytes(`{"a":"data:image/png;base64,${written}","b":"x"}`))
      expect(text).toBe('{"a":"data:image/png;,","b":"x"}'.replace(';,', ';base64,'))
      expect(payloads).toBe(4_000)
      expect(textBytes(rest)).toBe(0)
    },
  )

  it('are not words, ids or short pictures', () => {
    const text = `{"a":"${'x'.repeat(1_024)} ${'y'.repeat(300)}"}`
    expect(bodyText(bytes(text))).toMatchObject({ text, payloads: 0 })
  })
})

describe('escapes', () => {
  it('that a writer chose are undone, others stay, and an escaped backslash begins none', () => {
    const written = '{"a":"caf\\u00e9 \\u6f22 \\ud83d\\ude00 \\/ \\n \\" \\\\u0041"}'
    expect(bodyText(bytes(written)).text).toBe('{"a":"café 漢 😀 / \\n \\" \\\\u0041"}')
  })

  it('leave at least the text that JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), text => {
        const ascii = JSON.stringify(text).replace(/[^\x20-\x7e]/g, unit =>
          [...Array(unit.length).keys()].map(at => `\\u${unit.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
        )
        expect(bodyText(bytes(ascii)).text).toBe(JSON.stringify(text))
      }),
    )
  })
})

describe('a long body', () => {
  it('is cut between characters, and the rest is sized by class', () => {
    const text = `{"a":"${'漢'.repeat(TOKENIZED_BYTES_MAX / 3)} abc 12, ${'A'.repeat(40)}"}`
    const body = bytes(text)
    const { text: seen, rest, payloads } = bodyText(body)
    expect(seen).not.toContain('\ufffd')
    expect(bytes(seen).length + textBytes(rest) + payloads).toBe(body.length)
    expect(rest).toMatchObject({ letters: 43, digits: 2, spaces: 3, marks: 3, dense: 40 })
    expect(rest.high % 3).toBe(0)
  })

  it('loses no byte, whatever it is', () => {
    const part = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 30 }),
      fc.tuple(fc.constantFrom('a', '/', '漢 ', '!', '💥'), fc.nat(100_000)).map(([unit, count]) => unit.repeat(count)),
    )
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), parts => {
        const body = bytes(parts.join('').replaceAll('\\', ''))
        const { text, payloads, rest } = bodyText(body)
        expect(bytes(text).length + payloads + textBytes(rest)).toBe(body.length)
        expect(bytes(text).length).toBeLessThanOrEqual(TOKENIZED_BYTES_MAX)
      }),
      { numRuns: 50 },
    )
  })
})

describe('the count', () => {
  it.each([
    ['one letter', 'a'],
    ['blanks', ' '],
    ['marks', '!'],
    ['digits', '1'],
    ['symbols', '💥'],
    ['special tokens', '<|endoftext|>'],
    ['escapes', '\\u0061'],
    ['broken base64', `${'QUJDREVG/+'.repeat(90)} `],
  ])('of 1 MiB of %s comes in time that does not grow with its square', (_, unit) => {
    const body = bytes(`{"a":"${unit.repeat(Math.ceil(1_048_576 / unit.length))}"}`)
    const count = countBody(body)
    expect(count.tokens + count.payloads + textBytes(count.rest)).toBeGreaterThan(1_000)
  })

  it('is that of the text', () => {
    expect(countBody(bytes('hello world'))).toMatchObject({ tokens: 2, payloads: 0 })
    expect(countBody(bytes('')).tokens).toBe(0)
  })
})
