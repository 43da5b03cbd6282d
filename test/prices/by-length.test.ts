// Models that are sold by the length of what they hear: exact prices a second, and none for tokens, which is not a price of zero.
import { waitForUpdate } from '@pydantic/genai-prices'
import { describe, expect, it } from 'vitest'
import type { PriceList } from '../../src/core/policy.ts'
import { AUDIO_SECOND, pricesKinds, TOKEN_KINDS } from '../../src/core/price.ts'
import { buildPriceBook } from '../../src/prices/book.ts'

const NOW = Date.parse('2026-10-01T12:00:00Z')
const book = buildPriceBook([])

describe('a model that is sold by the hour', () => {
  it.each([
    ['openai', 'whisper-1', 100_000_000n],
    ['openai', 'gpt-transcribe', 75_000_000n],
    // USD 0.111 an hour is no whole number of pico-USD a second: rounded up, once.
    ['groq', 'whisper-large-v3', 30_833_334n],
    ['mistral', 'voxtral-mini-2602', 50_000_000n],
    [null, 'whisper-1', 100_000_000n],
  ])('at %s: %s costs %i pico-USD a second', (provider, model, pico) => {
    const price = book.find(provider, model, NOW)
    expect(price?.perToken).toBe(false)
    expect([...(price?.perCall ?? [])]).toEqual([[AUDIO_SECOND, pico]])
  })

  it('is every one of the list without a price for tokens that has one for hours', async () => {
    let compared = 0
    for (const { id, models } of (await waitForUpdate()) ?? []) {
      for (const model of models) {
        const prices = Array.isArray(model.prices) ? (model.prices[0]?.prices ?? {}) : model.prices
        const [mtok, hours] = [/_mtok$/, /_hours$/].map(unit => Object.keys(prices).some(name => unit.test(name)))
        const found = book.find(id, model.id, NOW)
        if (hours !== true || mtok === true) {
          expect(found?.perToken, `${id} ${model.id}`).toBeUndefined()
          continue
        }
        compared++
        expect(found !== null && pricesKinds(found, new Map()), `${id} ${model.id}`).toBe(false)
      }
    }
    expect(compared).toBeGreaterThan(5)
  })

  it('leaves the dearest price of its provider as it is by the token', () => {
    const dearest = book.dearest('openai', NOW)
    expect(dearest?.perToken).toBeUndefined()
    expect(dearest !== null && pricesKinds(dearest, new Map())).toBe(true)
  })

  it('may be given a price for tokens by an operator, of which no side is free', () => {
    const rates = { ...Object.fromEntries(TOKEN_KINDS.map(kind => [kind, null])), input: 5n }
    const declared = {
      names: ['whisper-1'],
      provider: 'openai',
      effectiveFromMs: null,
      rates,
      tiers: [],
      maxOutputTokens: null,
      contextWindow: null,
    }
    const lists = [{ name: 'l', priority: 0, aliases: [], models: [declared] }] as unknown as readonly PriceList[]
    const price = buildPriceBook(lists).find('openai', 'whisper-1', NOW)
    expect(price?.perToken).toBeUndefined()
    const given = price?.serviceTiers.get('default')?.[0]?.rates
    for (const kind of TOKEN_KINDS) expect((given?.[kind] ?? 0n) >= 5n, kind).toBe(true)
    expect(price?.perCall.get(AUDIO_SECOND)).toBe(100_000_000n)
  })
})
