// The bundled book against the package it is made of: the same prices, exact, and the same models, but never by a near miss.
import { calcPrice, type Provider, waitForUpdate } from '@pydantic/genai-prices'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { costOf, type Price, ratesFor, serviceTierOf, TOKEN_KINDS } from '../../src/core/price.ts'
import { NO_TOKENS, type TokenCounts } from '../../src/core/usage.ts'
import { buildPriceBook } from '../../src/prices/book.ts'

const book = buildPriceBook([])
const NOW = Date.parse('2026-10-01T12:00:00Z')
const providers = (await waitForUpdate()) as Provider[]
const everyName = providers.flatMap(provider => provider.models.map(model => ({ provider: provider.id, model: model.id })))

const cost = (price: Price, tokens: Partial<TokenCounts>): bigint =>
  costOf(
    { tokens: { ...NO_TOKENS, ...tokens }, calls: new Map(), model: null, serviceTier: null, statedCost: null, contradictions: [] },
    price,
  )
const found = (provider: string | null, model: string, nowMs = NOW): Price => {
  const price = book.find(provider, model, nowMs)
  if (price === null) throw new Error(`no price for ${provider} ${model}`)
  return price
}
const base = (price: Price, tier = 'default') => ratesFor(serviceTierOf(price, tier), 0n)

/** What the package bills, in USD as a double; null where it has no price or will not price this usage. */
function theirs(provider: string, model: string, nowMs: number, usage: Record<string, number>) {
  try {
    return calcPrice(usage, model, { providerId: provider, timestamp: new Date(nowMs) })
  } catch {
    return null
  }
}

describe('the bundled book', () => {
  it('costs what the package computes, for every model, at several sizes and times', () => {
    let compared = 0
    for (const { provider, model } of everyName) {
      for (const [input, cached, output, nowMs] of [
        [1_000, 0, 100, NOW],
        [200_000, 199_999, 8_000, NOW],
        [200_001, 50_000, 8_000, NOW],
        [300_000, 0, 1, Date.parse('2025-01-01T03:00:00Z')],
        [300_000, 0, 1, Date.parse('2027-06-01T02:30:00Z')],
      ] as const) {
        const price = book.find(provider, model, nowMs)
        const their = theirs(provider, model, nowMs, { input_tokens: input, cache_read_tokens: cached, output_tokens: output })
        if (price === null || their === null || price.model !== their.model.id) continue
        const tokens = { input: BigInt(input - cached), cacheRead: BigInt(cached), output: BigInt(output) }
        const ours = Number(cost(price, tokens)) / 1e9
        const hasOutput = their.model_price['output_mtok'] !== undefined
        const expected = hasOutput ? their.total_price : their.total_price + output * Number(base(price).output) * 1e-12
        const perToken = (input + output) * 1e-12 // a rate is rounded up to a pico-USD
        expect(ours, `${provider} ${model} ${input}`).toBeGreaterThanOrEqual(expected - 1e-12 - expected * 1e-12)
        expect(ours, `${provider} ${model} ${input}`).toBeLessThanOrEqual(expected + 1e-9 + perToken)
        compared++
      }
    }
    expect(compared).toBeGreaterThan(6_000)
  })

  it('costs what the package computes for random usages of random models, cache writes included', () => {
    const tokens = fc.nat(2_000_000)
    fc.assert(
      fc.property(fc.constantFrom(...everyName), tokens, tokens, tokens, tokens, ({ provider, model }, input, read, write, output) => {
        const price = book.find(provider, model, NOW)
        const usage = { input_tokens: input + read + write, cache_read_tokens: read, cache_write_tokens: write, output_tokens: output }
        const their = theirs(provider, model, NOW, usage)
        if (price === null || their === null || price.model !== their.model.id) return
        const listed = their.model_price
        const ours = cost(price, { input: BigInt(input), cacheRead: BigInt(read), cacheWrite5m: BigInt(write), output: BigInt(output) })
        const isWhole = listed['cache_write_mtok'] !== undefined && listed['output_mtok'] !== undefined
        expect(Number(ours) / 1e9).toBeGreaterThanOrEqual(their.total_price * (1 - 1e-12))
        if (isWhole)
          expect(Number(ours) / 1e9).toBeLessThanOrEqual(their.total_price * (1 + 1e-12) + 1e-9 + (input + read + write + output) * 1e-12)
      }),
      { numRuns: 2_000 },
    )
  })

  it('holds exact, non-negative integers only, with a base tier first and tiers in order', () => {
    let prices = 0
    for (const { provider, model } of everyName) {
      const price = book.find(provider, model, NOW)
      if (price === null) continue
      prices++
      for (const tiers of price.serviceTiers.values()) {
        expect(tiers[0]?.aboveInputTokens).toBe(0n)
        for (const [at, tier] of tiers.entries()) {
          if (at > 0) expect(tier.aboveInputTokens).toBeGreaterThan(tiers[at - 1]!.aboveInputTokens)
          for (const kind of TOKEN_KINDS)
            expect(typeof tier.rates[kind] === 'bigint' && tier.rates[kind] >= 0n, `${provider} ${model} ${kind}`).toBe(true)
        }
      }
    }
    expect(prices).toBeGreaterThan(1_400)
  })

  it('gives the same hash for the same content, and is frozen', () => {
    expect(book.hash).toMatch(/^[0-9a-f]{64}$/)
    expect(buildPriceBook([]).hash).toBe(book.hash)
    expect(Object.isFrozen(book)).toBe(true)
  })
})

describe('rates', () => {
  it.each([
    ['openai', 'gpt-4o', 2_500_000n, 1_250_000n, 10_000_000n],
    ['openai', 'gpt-4o-mini-2024-07-18', 150_000n, 75_000n, 600_000n],
    ['anthropic', 'claude-sonnet-4-5-20250929', 3_000_000n, 300_000n, 15_000_000n],
    ['google', 'models/gemini-2.5-flash', 300_000n, 30_000n, 2_500_000n],
  ])('%s %s', (provider, model, input, cacheRead, output) => {
    expect(base(found(provider, model))).toMatchObject({ input, cacheRead, output, reasoning: output })
  })

  it('fill gaps: cache read as input, writes at 1.25 and 2 times the input, media as their side', () => {
    const rates = base(found('openai', 'gpt-5-pro'))
    expect(rates).toMatchObject({ input: 15_000_000n, cacheRead: 15_000_000n, cacheWrite5m: 18_750_000n, cacheWrite1h: 30_000_000n })
    expect(rates).toMatchObject({ inputAudio: 15_000_000n, inputImage: 15_000_000n, outputAudio: rates.output, outputImage: rates.output })
  })

  it('round up to pico-USD once, after the multiplier', () => {
    const price = found('openrouter', 'google/gemini-2.5-flash-lite')
    expect(base(price).cacheWrite5m).toBe(83_334n) // 0.08333333333333334 USD a million
    const nano = found('openai', 'gpt-5-nano') // cache read 0.005 USD a million = 5,000 pico-USD
    expect(base(nano, 'flex').cacheRead).toBe(2_500n)
  })

  it('follow the dates of the list', () => {
    expect(base(found('openai', 'o3', Date.parse('2025-06-09T23:59:59.999Z'))).input).toBe(10_000_000n)
    expect(base(found('openai', 'o3', Date.parse('2025-06-10T00:00:00Z'))).input).toBe(2_000_000n)
  })

  it('follow the hours of the list', () => {
    const at = (time: string) => base(found('deepseek', 'deepseek-v4-flash', Date.parse(`2026-10-01T${time}Z`))).input
    expect(at('00:59:59')).toBe(at('04:00:00'))
    expect(at('01:00:00')).toBe(440_000n)
    expect(at('03:59:59')).toBe(440_000n)
    expect(at('04:00:00')).toBeLessThan(440_000n)
  })

  it('have a cliff where the list has one', () => {
    const price = found('google', 'gemini-2.5-pro')
    const low = cost(price, { input: 200_000n, output: 1_000n })
    const high = cost(price, { input: 200_001n, output: 1_000n })
    expect(high).toBeGreaterThan(2n * low - low / 10n)
  })

  it.each([
    ['openai', 'gpt-4.1', 'priority', 3_500_000n],
    ['openai', 'gpt-5', 'fast', 2_500_000n],
    ['openai', 'gpt-5.5', 'priority', 12_500_000n],
    ['openai', 'gpt-4o', 'flex', 1_250_000n],
    ['azure', 'gpt-4o', 'batch', 1_250_000n],
    ['anthropic', 'claude-sonnet-4-5', 'batch', 1_500_000n],
    ['anthropic', 'claude-opus-4-6', 'fast', 30_000_000n],
    ['anthropic', 'claude-sonnet-4-5', 'standard', 3_000_000n],
    ['groq', 'llama-3.3-70b-versatile', 'flex', 590_000n],
  ])('%s %s %s', (provider, model, tier, input) => {
    expect(base(found(provider, model), tier).input).toBe(input)
  })

  it('never make a service tier cheaper that the table does not know', () => {
    for (const { provider, model } of everyName) {
      const price = book.find(provider, model, NOW)
      for (const name of price?.serviceTiers.keys() ?? []) {
        const isCheaper = base(price!, name).input < base(price!).input
        if (isCheaper) expect(['flex', 'batch']).toContain(name)
      }
    }
  })

  it('know calls beside tokens', () => {
    expect(found('openai', 'gpt-4o').perCall.get('web_search')).toBe(10_000_000_000n) // 10 USD a thousand
    expect(found('anthropic', 'claude-3-haiku').perCall.get('web_search')).toBe(10_000_000_000n)
    expect(found('perplexity', 'sonar').perCall.get('request')).toBe(12_000_000_000n)
  })
})

describe('bounds of a model', () => {
  it.each([
    ['openai', 'gpt-4o', 16_384n],
    ['openai', 'gpt-4.1-nano', 32_768n],
    ['openai', 'o3', 100_000n],
    ['openai', 'o4-mini', 100_000n],
    ['openai', 'gpt-5-mini', 128_000n],
    ['openai', 'gpt-4', 8_192n],
    ['openai', 'gpt-3.5-turbo', 4_096n],
    ['anthropic', 'claude-3-haiku-20240307', 4_096n],
    ['anthropic', 'claude-3-5-sonnet-20241022', 8_192n],
    ['anthropic', 'claude-opus-4-1-20250805', 32_000n],
    ['anthropic', 'claude-opus-4-20250514', 32_000n],
    ['anthropic', 'claude-sonnet-4-20250514', 64_000n],
    ['anthropic', 'claude-haiku-4-5-20251001', 64_000n],
    ['anthropic', 'claude-opus-4-5-20251101', 64_000n],
    ['anthropic', 'claude-opus-4-6', 128_000n],
    ['aws', 'us.anthropic.claude-3-5-sonnet-20241022-v2:0', 8_192n],
    ['openrouter', 'openai/gpt-4o', 16_384n],
    ['groq', 'llama-3.3-70b-versatile', null],
  ])('%s %s writes at most %s', (provider, model, most) => {
    expect(found(provider, model).maxOutputTokens).toBe(most)
  })

  it('takes the context window from the list', () => {
    expect(found('openai', 'gpt-4o').contextWindow).toBe(128_000n)
  })
})

describe('dearest', () => {
  it.each([null, 'openai', 'anthropic', 'bedrock', 'google'])('bounds every model of %s for any usage in any service tier', provider => {
    const bound = book.dearest(provider, NOW)!
    const own = everyName.filter(name => provider === null || name.provider === provider)
    const amount = fc.bigInt({ min: 0n, max: 2_000_000n })
    const tokens = fc.record(Object.fromEntries(TOKEN_KINDS.map(kind => [kind, amount]))) as unknown as fc.Arbitrary<TokenCounts>
    const pick = own.length > 0 ? own : everyName.filter(name => name.provider === 'aws')
    fc.assert(
      fc.property(fc.constantFrom(...pick), tokens, fc.constantFrom('default', 'flex', 'priority', 'fast'), (name, counts, serviceTier) => {
        const price = book.find(name.provider, name.model, NOW)
        if (price === null) return
        const usage = {
          tokens: counts,
          calls: new Map([['web_search', 3n]]),
          model: null,
          serviceTier,
          statedCost: null,
          contradictions: [],
        }
        expect(costOf(usage, bound)).toBeGreaterThanOrEqual(costOf(usage, price))
      }),
      { numRuns: 500 },
    )
    expect(bound.maxOutputTokens).toBeNull()
  })

  it('has no bound for a provider that nobody lists', () => {
    expect(book.dearest('nobody', NOW)).toBeNull()
  })
})
