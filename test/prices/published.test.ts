// Figures of our own tables against the pages that publish them: service tiers and calls, which no price list has whole.
import { waitForUpdate } from '@pydantic/genai-prices'
import { describe, expect, it } from 'vitest'
import { type Price, perCallRate, ratesFor, serviceTierOf } from '../../src/core/price.ts'
import { buildPriceBook } from '../../src/prices/book.ts'
import { contextWindowOf } from '../../src/prices/context-window.ts'

const NOW = Date.parse('2026-10-01T12:00:00Z')
const book = buildPriceBook([])
const found = (provider: string, model: string): Price => {
  const price = book.find(provider, model, NOW)
  if (price === null) throw new Error(`no price for ${provider} ${model}`)
  return price
}
/** USD a million tokens, as pico-USD a token. */
const usd = (price: number): bigint => BigInt(Math.round(price * 1e6))

describe('service tiers', () => {
  // openai.com/api-priority-processing: input, cached input (null: none), output.
  it.each([
    ['gpt-5.5', 12.5, 1.25, 75],
    ['gpt-5.4-mini', 1.5, 0.15, 9],
    ['gpt-5.4', 5, 0.5, 30],
    ['gpt-5.2', 3.5, 0.35, 28],
    ['gpt-5.1', 2.5, 0.25, 20],
    ['gpt-5', 2.5, 0.25, 20],
    ['gpt-5-mini', 0.45, 0.045, 3.6],
    ['gpt-5.1-codex', 2.5, 0.25, 20],
    ['gpt-4.1', 3.5, 0.875, 14],
    ['gpt-4.1-mini', 0.7, 0.175, 2.8],
    ['gpt-4.1-nano', 0.2, 0.05, 0.8],
    ['gpt-4o-2024-08-06', 4.25, 2.125, 17],
    ['gpt-4o-2024-05-13', 8.75, null, 26.25],
    ['gpt-4o-mini', 0.25, 0.125, 1],
    ['o3', 3.5, 0.875, 14],
    ['o4-mini', 2, 0.5, 8],
  ])('OpenAI’s priority of %s', (model, input, cached, output) => {
    const rates = ratesFor(serviceTierOf(found('openai', model), 'priority'), 0n)
    expect([rates.input, rates.output]).toEqual([usd(input), usd(output)])
    if (cached !== null) expect(rates.cacheRead).toBe(usd(cached))
  })

  it.each([
    ['anthropic', 'claude-opus-4-6', 'fast', 30, 150],
    ['anthropic', 'claude-opus-4-7', 'fast', 30, 150],
    ['anthropic', 'claude-opus-4-8', 'fast', 10, 50],
    ['anthropic', 'claude-opus-5', 'fast', 10, 50],
    ['anthropic', 'claude-opus-5', 'batch', 2.5, 12.5],
    ['google', 'gemini-2.5-pro', 'flex', 0.625, 5],
    ['google', 'gemini-2.5-pro', 'priority', 2.5, 20],
    ['google', 'gemini-3.8-flash', 'priority', 1.35, 6.75],
    ['openai', 'gpt-5', 'flex', 0.625, 5],
  ])('%s %s %s', (provider, model, tier, input, output) => {
    const rates = ratesFor(serviceTierOf(found(provider, model), tier), 0n)
    expect([rates.input, rates.output]).toEqual([usd(input), usd(output)])
  })

  it('of a name that is not known, and those that are not published, are never cheaper than the plain one', () => {
    for (const [provider, model] of [
      ['azure', 'gpt-4o'],
      ['aws', 'amazon.nova-pro-v1:0'],
      ['groq', 'llama-3.3-70b-versatile'],
      ['mistral', 'mistral-large-latest'],
    ] as const) {
      const price = found(provider, model)
      const plain = ratesFor(serviceTierOf(price, null), 0n)
      for (const tier of ['priority', 'optimized', 'reserved', 'flex', 'nobody']) {
        if (provider === 'azure' && tier === 'flex') continue
        expect(ratesFor(serviceTierOf(price, tier), 0n).input >= plain.input, `${provider} ${tier}`).toBe(true)
      }
    }
  })
})

describe('calls', () => {
  it.each([
    ['google', 'gemini-2.5-flash', 'web_search', 35],
    ['google', 'gemini-2.5-flash', 'maps', 25],
    ['google', 'gemini-3.1-pro-preview', 'web_search', 14],
    ['google', 'claude-sonnet-4-5', 'web_search', 10],
    ['anthropic', 'claude-sonnet-4-5', 'web_search', 10],
    ['anthropic', 'claude-sonnet-4-5', 'web_fetch', 0],
    ['openai', 'gpt-5', 'web_search', 10],
    ['openai', 'gpt-5', 'code_interpreter', 30],
    ['mistral', 'mistral-large-latest', 'web_search', 35],
    ['cohere', 'command-a', 'search_units', 2.5],
  ])('%s %s %s: USD %d a thousand', (provider, model, kind, price) => {
    expect(perCallRate(found(provider, model), kind)).toBe(BigInt(Math.round(price * 1e9)))
  })
})

describe('context windows that the list leaves out', () => {
  it('are no smaller than those it has for models of the same family', async () => {
    let compared = 0
    for (const provider of (await waitForUpdate()) ?? []) {
      for (const { id, context_window: window } of provider.models) {
        const ours = contextWindowOf(id)
        if (window === undefined || ours === null) continue
        expect(ours >= BigInt(window), `${provider.id} ${id}: ${window}`).toBe(true)
        compared++
      }
    }
    expect(compared).toBeGreaterThan(100)
  })

  it.each([
    ['google', 'gemini-2.5-pro', 1_048_576n],
    ['google', 'gemini-3.1-pro-preview', 1_048_576n],
    ['groq', 'llama3-8b-8192', 8_192n],
    ['groq', 'llama-3.3-70b-versatile', 131_072n],
    ['mistral', 'mistral-tiny', 32_768n],
    ['together', 'mistralai/Mixtral-8x7B-Instruct-v0.1', 32_768n],
    ['cohere', 'command-r-plus', 131_072n],
    ['aws', 'amazon.titan-text-express-v1', 8_192n],
    ['openai', 'gpt-4o', 128_000n],
  ])('%s %s: %d', (provider, model, window) => expect(found(provider, model).contextWindow).toBe(window))
})
