// What images that are asked for can cost: never below the providers' own tables, and dearer only with more that is asked for.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { imageTokens } from '../../src/wire/openai-images-bound.ts'

const tokens = (model: string, size: string | null, quality: string | null, partials = 0n): bigint =>
  imageTokens({ size, quality, partials }, [model])

describe('imageTokens', () => {
  it.each([
    ['gpt-image-1', '1024x1024', 'low', 272n],
    ['gpt-image-1', '1024x1536', 'low', 408n],
    ['gpt-image-1', '1536x1024', 'medium', 1_568n],
    ['gpt-image-1.5', '1024x1024', 'high', 4_160n],
    ['gpt-image-1-mini', '1536x1024', 'high', 6_208n],
    ['openai/gpt-image-1', '1024x1536', 'high', 6_240n],
    ['gpt-image-2', '1024x1024', 'high', 7_024n],
    ['gpt-image-2-2026-04-21', '1536x1024', 'high', 5_488n],
    ['gpt-image-2', '1792x1024', 'high', 5_063n],
    ['gpt-image-2', '3584x2048', 'high', 12_329n],
  ])('of %s at %s in %s is at least the %i of the table, and not twice as much', (model, size, quality, listed) => {
    expect(tokens(model, size, quality)).toBeGreaterThanOrEqual(listed)
    expect(tokens(model, size, quality)).toBeLessThanOrEqual(2n * listed + 500n)
  })

  it('is the dearest that the model makes where the request leaves it open, or says what is not known', () => {
    for (const open of [null, 'auto', 'huge', '0x0', '-1x5', '1e9x9']) {
      expect(tokens('gpt-image-1', open, null)).toBe(tokens('gpt-image-1', '1024x1536', 'high'))
      expect(tokens('gpt-image-2', open, 'auto')).toBe(tokens('gpt-image-2', '2880x2880', 'high'))
      expect(tokens('a deployment', open, 'hd')).toBeGreaterThanOrEqual(tokens('gpt-image-2', open, 'high'))
    }
  })

  it('adds what is shown on the way, and takes the dearest of several models', () => {
    expect(tokens('gpt-image-1', '1024x1024', 'low', 3n) - tokens('gpt-image-1', '1024x1024', 'low')).toBe(300n)
    const asked = { size: '1024x1024', quality: 'high', partials: 0n }
    expect(imageTokens(asked, ['gpt-image-1', 'gpt-image-2'])).toBe(imageTokens(asked, ['gpt-image-2']))
  })

  it('is never less for a better quality', () => {
    const side = fc.integer({ min: 256, max: 3_840 })
    fc.assert(
      fc.property(fc.constantFrom('gpt-image-1', 'gpt-image-2', 'x'), side, side, (model, width, height) => {
        const size = `${width}x${height}`
        expect(tokens(model, size, 'low')).toBeLessThanOrEqual(tokens(model, size, 'medium'))
        expect(tokens(model, size, 'medium')).toBeLessThanOrEqual(tokens(model, size, 'high'))
      }),
      { numRuns: 500, verbose: 1 },
    )
  })
})
