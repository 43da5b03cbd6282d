// Cutting text for the tokenizer: nothing is lost, no run is long, no pair is cut, and the pieces count at least as much as the whole.
import fc from 'fast-check'
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base'
import { describe, expect, it } from 'vitest'
import { cutRuns } from '../../src/tokens/runs.ts'

const AS_TEXT = { disallowedSpecial: new Set<string>() }
const UNITS = ['a', 'Z', ' ', '\n', '7', '!', '=', 'é', '漢', '💥', '\ud800', '\udc00', 'ab', '<|endoftext|>']
const runOf = fc.tuple(fc.constantFrom(...UNITS), fc.nat(700)).map(([unit, count]) => unit.repeat(count))
const anyText = fc
  .array(fc.oneof(runOf, fc.string({ unit: 'grapheme', maxLength: 60 }), fc.lorem({ maxCount: 8 })), { maxLength: 5 })
  .map(parts => parts.join(''))
const classOf = (code: number): string => {
  const char = String.fromCharCode(code)
  return code >= 0x80 || /[A-Za-z]/.test(char) ? 'letter' : /\s/.test(char) ? 'space' : /\d/.test(char) ? 'digit' : 'other'
}
function longestRun(text: string): number {
  let longest = 0
  let run = 0
  for (let at = 0; at < text.length; at++) {
    run = at > 0 && classOf(text.charCodeAt(at)) === classOf(text.charCodeAt(at - 1)) ? run + 1 : 1
    longest = Math.max(longest, run)
  }
  return longest
}

describe('the pieces of any text', () => {
  it('are the text, and none has a run of more than 257 units or begins inside a pair', () => {
    fc.assert(
      fc.property(anyText, text => {
        const pieces = cutRuns(text)
        expect(pieces.join('')).toBe(text)
        for (const [index, piece] of pieces.entries()) {
          expect(longestRun(piece)).toBeLessThanOrEqual(257)
          expect(piece).not.toBe('')
          const before = pieces[index - 1]?.at(-1) ?? ''
          expect(/[\ud800-\udbff]/.test(before) && /^[\udc00-\udfff]/.test(piece)).toBe(false)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('count as much as the text, or a little more', () => {
    const short = fc.string({ unit: 'grapheme', maxLength: 200 })
    const long = fc
      .tuple(fc.constantFrom('a', '0', ' ', '-', '漢'), fc.integer({ min: 250, max: 900 }))
      .map(([unit, count]) => unit.repeat(count))
    fc.assert(
      fc.property(fc.array(fc.oneof(short, long), { maxLength: 4 }), parts => {
        const text = parts.join(' ')
        const cut = cutRuns(text).reduce((sum, piece) => sum + countTokens(piece, AS_TEXT), 0)
        expect(cut).toBeGreaterThanOrEqual(countTokens(text, AS_TEXT))
      }),
      { numRuns: 200 },
    )
  })
})

it('leaves usual text as it is', () => {
  const text = 'function f(x) {\n  return x + 1 // ordinary\n}\n'.repeat(1_000)
  expect(cutRuns(text)).toEqual([text])
  expect(cutRuns('')).toEqual([])
})
