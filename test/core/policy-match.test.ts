// Globs against regular expressions, in time that no name can stretch.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileGlobs } from '../../src/core/glob.ts'

describe('globs', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'B', '*', '.', '/'), maxLength: 10 })
  it('mean what a regular expression with [^]* for * means', () => {
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 3 }), letters, (globs, text) => {
        const asExpression = (flags: string) =>
          globs.some(glob => new RegExp(`^${glob.replaceAll('.', '\\.').split('*').join('[^]*')}$`, flags).test(text))
        expect(compileGlobs(globs, 'exact')(text)).toBe(asExpression(''))
        expect(compileGlobs(globs, 'ignore-case')(text)).toBe(asExpression('i'))
      }),
      { numRuns: 5_000 },
    )
  })

  it.each([
    ['gpt-*', 'gpt-4o', true],
    ['gpt-*', 'gpt-', true],
    ['gpt-*', 'xgpt-4o', false],
    ['*', '', true],
    ['*/x*y', 'a/b/x1y', true],
    ['a*a', 'a', false],
    ['ab*ba', 'aba', false],
    ['a?c', 'abc', false],
    ['[ab]', 'a', false],
    ['', '', true],
    ['ü*', 'ÜBER', false],
  ])('%s on %s: %s', (glob, text, expected) => {
    expect(compileGlobs([glob], 'exact')(text)).toBe(expected)
  })

  it('stay quick on names made to be slow', () => {
    const globs = compileGlobs([`${'*a'.repeat(100)}*b`, `${'a*'.repeat(128)}c`], 'exact')
    const name = 'a'.repeat(256)
    const start = performance.now()
    for (let count = 0; count < 1_000; count += 1) expect(globs(name)).toBe(false)
    expect((performance.now() - start) / 1_000, 'ms a name').toBeLessThan(1)
  })
})
