// Regions and kinds of media: what an answer costs more where it is made in a region of choice, and sound, pictures and film at their own rates.
import { calcPrice } from '@pydantic/genai-prices'
import { describe, expect, it } from 'vitest'
import { costOf, type Price } from '../../src/core/price.ts'
import { NO_TOKENS, type TokenCounts, type Usage } from '../../src/core/usage.ts'
import { buildPriceBook } from '../../src/prices/book.ts'

const NOW = Date.parse('2026-10-01T12:00:00Z')
const book = buildPriceBook([])
const found = (provider: string, model: string): Price => {
  const price = book.find(provider, model, NOW)
  if (price === null) throw new Error(`no price for ${provider} ${model}`)
  return price
}
const usage = (tokens: Partial<TokenCounts>, more: Partial<Usage> = {}): Usage => ({
  tokens: { ...NO_TOKENS, ...tokens },
  calls: new Map(),
  model: null,
  serviceTier: null,
  statedCost: null,
  contradictions: [],
  ...more,
})
const MILLION = 1_000_000n

describe('a region of choice', () => {
  it.each([
    ['anthropic', 'claude-sonnet-4-6', true],
    ['anthropic', 'claude-opus-5', true],
    ['google', 'claude-sonnet-4-5@20250929', true],
    ['google', 'claude-haiku-4-5', true],
    ['google', 'claude-opus-4-1@20250805', false],
    ['google', 'claude-3-5-sonnet-v2@20241022', false],
    ['google', 'gemini-2.5-pro', false],
    ['openai', 'gpt-5.4', true],
    ['openai', 'gpt-5.5-pro', true],
    ['openai', 'gpt-image-2', true],
    ['openai', 'gpt-5.2', false],
    ['openai', 'gpt-5-mini', false],
    ['openai', 'gpt-4.1', false],
    ['openai', 'o3', false],
    ['openai', 'text-embedding-3-small', false],
    ['x-ai', 'grok-4.5', true],
    ['aws', 'us.anthropic.claude-sonnet-4-5-20250929-v1:0', false],
    ['mistral', 'mistral-large-latest', false],
  ])('%s %s: a tenth more, or nothing', (provider, model, dearer) => {
    const price = found(provider, model)
    const counts = { input: MILLION, cacheRead: MILLION, cacheWrite5m: MILLION, cacheWrite1h: MILLION, output: MILLION }
    for (const serviceTier of [null, 'batch', 'fast', 'priority']) {
      const anywhere = costOf(usage(counts, { serviceTier }), price)
      const here = costOf(usage(counts, { serviceTier, regional: true }), price)
      expect(here * 10n, `${serviceTier}`).toBe(anywhere * (dearer ? 11n : 10n))
      expect(costOf(usage(counts, { serviceTier, regional: false }), price)).toBe(anywhere)
    }
  })

  it('is in the price of the regional profiles of Bedrock', () => {
    const cost = (model: string) => costOf(usage({ input: MILLION }), found('aws', model))
    expect(cost('eu.anthropic.claude-sonnet-4-5-20250929-v1:0')).toBe(3_300_000_000n)
    expect(cost('anthropic.claude-sonnet-4-5-20250929-v1:0')).toBe(3_300_000_000n)
    expect(cost('global.anthropic.claude-sonnet-4-5-20250929-v1:0')).toBe(3_000_000_000n)
  })

  it('adds nothing to the fee of a call, and nothing to a price that an operator declares', () => {
    const searched = { calls: new Map([['web_search', 1n]]) }
    const price = found('anthropic', 'claude-sonnet-4-6')
    expect(costOf(usage({}, { ...searched, regional: true }), price)).toBe(10_000_000n)
    const declared = { name: 'mine', priority: 0, aliases: [], models: [entry] }
    const own = buildPriceBook([declared]).find('anthropic', 'claude-sonnet-4-6', NOW)
    expect(own === null ? null : costOf(usage({ input: MILLION }, { regional: true }), own)).toBe(7_000_000_000n)
  })

  it('is bounded by the dearest of a provider too', () => {
    const dearest = book.dearest('anthropic', NOW)
    if (dearest === null) throw new Error('Anthropic has prices')
    for (const price of book.pricesOf('anthropic', NOW) ?? []) {
      const one = usage({ input: MILLION, output: MILLION }, { regional: true })
      expect(costOf(one, dearest)).toBeGreaterThanOrEqual(costOf(one, price))
    }
  })
})

const rates = Object.fromEntries(Object.keys(NO_TOKENS).map(kind => [kind, kind === 'input' || kind === 'output' ? 7_000_000n : null]))
const entry = {
  names: ['claude-sonnet-4-6'],
  provider: 'anthropic',
  effectiveFromMs: null,
  rates: rates as { [Kind in keyof TokenCounts]: bigint | null },
  tiers: [],
  maxOutputTokens: null,
  contextWindow: null,
}

describe('kinds of media', () => {
  it.each([
    ['google', 'gemini-2.5-flash'],
    ['google', 'gemini-2.0-flash'],
    ['google', 'gemini-3.1-flash-lite'],
    ['google', 'gemini-embedding-2'],
    ['google', 'gemini-2.5-flash-image'],
    ['google', 'gemini-omni-flash-preview'],
    ['openai', 'gpt-audio'],
    ['openai', 'gpt-4o-transcribe'],
  ])('%s %s: cost what the price list computes', (provider, model) => {
    const tokens = {
      input: 1_000n,
      cacheRead: 300n,
      cacheReadAudio: 200n,
      inputAudio: 5_000n,
      inputImage: 700n,
      inputVideo: 900n,
      output: 400n,
      outputAudio: 60n,
      outputImage: 70n,
      outputVideo: 80n,
    }
    const theirs = calcPrice(
      {
        input_tokens: 8_100,
        cache_read_tokens: 500,
        cache_audio_read_tokens: 200,
        input_audio_tokens: 5_200,
        input_image_tokens: 700,
        input_video_tokens: 900,
        output_tokens: 610,
        output_audio_tokens: 60,
        output_image_tokens: 70,
        output_video_tokens: 80,
      },
      model,
      { providerId: provider, timestamp: new Date(NOW) },
    )
    const price = found(provider, model)
    const ours = Number(costOf(usage(tokens), price)) / 1e9
    // The list has no price for what an embedding or a transcription writes, which ours takes as input.
    const unlisted =
      theirs?.model_price['output_mtok'] === undefined ? 610e-12 * Number(price.serviceTiers.get('default')?.[0]?.rates.input) : 0
    expect(ours).toBeCloseTo((theirs?.total_price ?? Number.NaN) + unlisted, 9)
  })
})
