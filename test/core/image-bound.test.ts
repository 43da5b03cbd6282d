// The bound on an image's tokens: the providers' published figures, never above the bound of an image whose dimensions are not known.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ImagePart, imageBound } from '../../src/core/image-bound.ts'

const UNKNOWN: ImagePart = { bytes: null, detail: null, width: null, height: null }
const of = (width: number, height: number, over: Partial<ImagePart> = {}): ImagePart => ({ ...UNKNOWN, width, height, ...over })
const MODELS = ['gpt-4o', 'gpt-4o-mini', 'gpt-4.1-nano', 'gpt-5-mini', 'gpt-5.6', 'o4-mini', 'claude-3-haiku', 'claude-opus-5-5']
const OTHERS = ['gemini-2.5-flash', 'gemini-3.8-pro', 'pixtral-12b', 'llama-4-scout', 'nova-pro', 'x']

describe('published figures', () => {
  it.each([
    // OpenAI's guide: tiles of gpt-4o and gpt-4o-mini, squares of the mini and nano models.
    ['gpt-4o', 1_024, 1_024, 765],
    ['gpt-4o', 2_048, 4_096, 1_105],
    ['gpt-4o-mini', 2_048, 4_096, 2_833 + 6 * 5_667],
    ['gpt-4.1-mini', 1_024, 1_024, 1_659],
    ['gpt-4.1-nano', 1_800, 2_400, 3_572],
    // Anthropic's guide, and measured counts of what is made to fit.
    ['claude-3-5-sonnet', 1_000, 1_000, 1_296],
    ['claude-3-5-sonnet', 100, 1_500, 216],
    ['claude-opus-4-6', 4_000, 3_000, 1_561],
    ['claude-opus-4-7', 2_576, 1_449, 4_784],
    // Google's guide: small images, and the one of 960 by 540 that is cut into 6.
    ['gemini-2.5-flash', 384, 384, 258],
    ['gemini-2.0-flash', 960, 540, 1_548],
    ['gemini-3-flash', 960, 540, 1_120],
    // Mistral: squares of 16 pixels and their row ends.
    ['pixtral-12b', 1_024, 1_024, 4_160],
  ])('%s, %d by %d: at least %d', (model, width, height, tokens) => {
    expect(imageBound(of(width, height), null, model)).toBeGreaterThanOrEqual(BigInt(tokens))
  })

  it.each([
    ['gpt-4o', 300, 200, 2],
    ['claude-opus-5-5', 200, 200, 2],
    ['gpt-4.1-mini', 640, 480, 2],
  ] as const)('%s of %d by %d is far below the bound of an unknown one', (model, width, height, times) => {
    expect(imageBound(of(width, height), null, model) * BigInt(times)).toBeLessThan(imageBound(UNKNOWN, null, model))
  })
})

const anyDetail = fc.constantFrom(null, 'low', 'high', 'original', 'auto')
const anySide = fc.integer({ min: 1, max: 2 ** 31 })

it('is above 0, the same for an image on its side, and never above the bound of an unknown one', () => {
  fc.assert(
    fc.property(fc.constantFrom(...MODELS), anySide, anySide, anyDetail, (model, width, height, detail) => {
      const bound = imageBound(of(width, height, { detail }), null, model)
      expect(bound).toBeGreaterThan(0n)
      expect(imageBound(of(height, width, { detail }), null, model)).toBe(bound)
      expect(bound).toBeLessThanOrEqual(imageBound({ ...UNKNOWN, detail }, null, model))
    }),
    { numRuns: 1_000 },
  )
})

it('has a bound for every family, whatever the dimensions', () => {
  fc.assert(
    fc.property(fc.constantFrom(...OTHERS), anySide, anySide, fc.option(fc.nat(10_000_000)), (model, width, height, bytes) => {
      expect(imageBound(of(width, height, { bytes }), null, model)).toBeGreaterThanOrEqual(258n)
      expect(imageBound(of(width, height, { bytes }), null, model)).toBeLessThanOrEqual(17_000n)
    }),
  )
  expect(imageBound(of(1, 1), 'openai', 'deployment-7')).toBeLessThan(300n)
})
