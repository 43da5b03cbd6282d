// The explanation of a price walks the way of the price: it is there exactly where a price is, and ends at the entry that has it.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { PriceList } from '../../src/core/policy.ts'
import { type Rates, TOKEN_KINDS } from '../../src/core/price.ts'
import { buildPriceBook } from '../../src/prices/book.ts'

const NOW = Date.parse('2026-10-01T12:00:00Z')
const rates = (some: Partial<Record<keyof Rates, bigint>>): PriceList['models'][number]['rates'] =>
  Object.fromEntries(TOKEN_KINDS.map(kind => [kind, some[kind] ?? null])) as PriceList['models'][number]['rates']
const model = (names: string[], provider: string, input: bigint | null): PriceList['models'][number] => ({
  names,
  provider,
  effectiveFromMs: null,
  rates: rates({ ...(input === null ? {} : { input, output: input }) }),
  tiers: [],
  maxOutputTokens: 7n,
  contextWindow: null,
})
const LISTS: readonly PriceList[] = [
  { name: 'low', priority: 0, aliases: [], models: [model(['gpt-*'], 'openai', 5n), model(['only-bounds'], 'openai', null)] },
  {
    name: 'high',
    priority: 9,
    aliases: [
      { name: 'ours', provider: 'azure', model: 'gpt-4o' },
      { name: 'lost', provider: 'azure', model: 'nowhere' },
    ],
    models: [model(['gpt-4o'], 'openai', 9n), model(['house-*'], 'vllm', 1n)],
  },
]
const book = buildPriceBook(LISTS)
const NAMES = ['gpt-4o', 'openai/gpt-4o', 'GPT-4o', 'gpt-nope', 'house-1', 'ours', 'lost', 'only-bounds', 'claude-opus-4-1', 'nope', '']

it('is there exactly where a price is', () => {
  const provider = fc.constantFrom(null, 'openai', 'azure', 'anthropic', 'vllm', 'bedrock', 'nobody')
  fc.assert(
    fc.property(fc.oneof(fc.constantFrom(...NAMES), fc.string({ maxLength: 300 })), provider, (name, seller) => {
      const price = book.find(seller, name, NOW)
      const steps = book.explain(seller, name, NOW)
      expect(steps.length === 0).toBe(price === null)
      const last = steps.at(-1)
      if (seller === null || price === null || last === undefined || last.kind === 'alias') return
      expect(price).toMatchObject({ provider: last.provider, model: last.entry })
    }),
    { numRuns: 500 },
  )
})

it('tells lists in the order in which they are applied', () => {
  const steps = book.explain('openai', 'gpt-4o', NOW)
  expect(steps.map(step => (step.kind === 'list' ? step.list : step.kind))).toEqual(['bundled', 'low', 'high'])
})

it('lists every model with the price that it is found at', () => {
  for (const { provider, models } of book.providers(NOW)) {
    const sold = book.pricesOf(provider, NOW)
    expect(sold).toHaveLength(models)
  }
  expect(book.pricesOf('nobody', NOW)).toBeNull()
  for (const price of book.pricesOf('anthropic', NOW) ?? []) {
    expect(book.find('anthropic', price.model, NOW)?.serviceTiers).toEqual(price.serviceTiers)
  }
})
