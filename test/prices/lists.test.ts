// The operator's price lists over the bundled one: who wins, what gaps are filled with, aliases, dates, and the source's rebuilding.
import { describe, expect, it } from 'vitest'
import type { PriceList } from '../../src/core/policy.ts'
import { type Price, type Rates, ratesFor, TOKEN_KINDS } from '../../src/core/price.ts'
import { buildPriceBook } from '../../src/prices/book.ts'
import { createPriceSource } from '../../src/prices/source.ts'

const NOW = Date.parse('2026-10-01T12:00:00Z')
type ListModel = PriceList['models'][number]
type ListRates = ListModel['rates']

const rates = (some: Partial<Record<keyof Rates, bigint>>): ListRates =>
  Object.fromEntries(TOKEN_KINDS.map(kind => [kind, some[kind] ?? null])) as ListRates
const model = (
  names: string[],
  provider: string,
  some: Partial<Record<keyof Rates, bigint>>,
  more: Partial<ListModel> = {},
): ListModel => ({
  names,
  provider,
  effectiveFromMs: null,
  rates: rates(some),
  tiers: [],
  maxOutputTokens: null,
  contextWindow: null,
  ...more,
})
const list = (models: ListModel[], more: Partial<PriceList> = {}): PriceList => ({
  name: 'ours',
  priority: 0,
  aliases: [],
  models,
  ...more,
})
const input = (price: Price | null, tokens = 0n) => (price === null ? null : ratesFor(price.serviceTiers.get('default')!, tokens).input)

describe('an entry', () => {
  it('wins over the bundled price, for its provider only', () => {
    const book = buildPriceBook([list([model(['gpt-4o'], 'openai', { input: 7n, output: 8n })])])
    expect(input(book.find('openai', 'GPT-4o', NOW))).toBe(7n)
    expect(input(book.find('openai', 'openai/gpt-4o', NOW))).toBe(7n)
    expect(input(book.find('azure', 'gpt-4o', NOW))).toBe(2_500_000n)
    expect(input(book.find('openai', 'gpt-4o-mini', NOW))).toBe(150_000n)
  })

  it('gives a price to what nobody else lists, with the fallbacks of the book and service tiers of its provider', () => {
    const book = buildPriceBook([
      list([model(['house-*'], 'vllm', { input: 1_001n, output: 3n }, { maxOutputTokens: 9n, contextWindow: 10n })]),
    ])
    const price = book.find('vllm', 'house-13b', NOW)!
    expect(price).toMatchObject({ provider: 'vllm', model: 'house-*', maxOutputTokens: 9n, contextWindow: 10n })
    expect(price.serviceTiers.get('default')![0]!.rates).toMatchObject({
      input: 1_001n,
      cacheRead: 1_001n,
      cacheWrite5m: 1_252n,
      cacheWrite1h: 2_002n,
      reasoning: 3n,
    })
    expect(input(book.find(null, 'house-13b', NOW))).toBe(1_001n)
    expect(book.find('vllm', 'mouse-13b', NOW)).toBeNull()
    expect(input(book.dearest('vllm', NOW))).toBe(1_001n)
    expect(book.dearest('other', NOW)).toBeNull()
  })

  it('rounds a multiplied rate up', () => {
    const book = buildPriceBook([list([model(['gpt-4o'], 'openai', { input: 3n, output: 5n })])])
    expect(book.find('openai', 'gpt-4o', NOW)!.serviceTiers.get('flex')![0]!.rates).toMatchObject({
      input: 2n,
      output: 3n,
      cacheWrite5m: 2n,
    })
  })

  it('that leaves out a side takes it from the price below; one without rates changes only the bounds', () => {
    const book = buildPriceBook([
      list([
        model(['gpt-4o'], 'openai', { input: 7n }),
        model(['gpt-4.1'], 'openai', {}, { maxOutputTokens: 5n }),
        model(['ghost'], 'openai', {}, { maxOutputTokens: 5n }),
      ]),
    ])
    expect(book.find('openai', 'gpt-4o', NOW)!.serviceTiers.get('default')![0]!.rates).toMatchObject({
      input: 7n,
      output: 10_000_000n,
      cacheRead: 7n,
    })
    expect(book.find('openai', 'gpt-4.1', NOW)).toMatchObject({ maxOutputTokens: 5n })
    expect(input(book.find('openai', 'gpt-4.1', NOW))).toBe(2_000_000n)
    expect(book.find('openai', 'ghost', NOW)).toBeNull()
  })

  it('has tiers that state only what changes', () => {
    const book = buildPriceBook([
      list([
        model(['m'], 'p', { input: 1n, output: 2n, cacheRead: 1n }, { tiers: [{ aboveInputTokens: 100n, rates: rates({ input: 10n }) }] }),
      ]),
    ])
    const tiers = book.find('p', 'm', NOW)!.serviceTiers.get('default')!
    expect(ratesFor(tiers, 100n)).toMatchObject({ input: 1n, output: 2n })
    expect(ratesFor(tiers, 101n)).toMatchObject({ input: 10n, output: 2n, cacheRead: 1n, cacheWrite1h: 20n })
  })

  it('holds from its date on; the latest in force wins, a name before a pattern', () => {
    const book = buildPriceBook([
      list([
        model(['m'], 'p', { input: 1n, output: 1n }),
        model(['m'], 'p', { input: 2n, output: 1n }, { effectiveFromMs: NOW }),
        model(['*'], 'p', { input: 3n, output: 1n }, { effectiveFromMs: NOW + 5 }),
        model(['late'], 'p', { input: 4n, output: 1n }, { effectiveFromMs: NOW + 7 }),
      ]),
    ])
    expect(input(book.find('p', 'm', NOW - 1))).toBe(1n)
    expect(input(book.find('p', 'm', NOW))).toBe(2n)
    expect(input(book.find('p', 'm', NOW + 6))).toBe(2n)
    expect(book.find('p', 'late', NOW)).toBeNull()
    expect(input(book.find('p', 'late', NOW + 6))).toBe(3n)
    expect(input(book.find('p', 'late', NOW + 7))).toBe(4n)
    expect(input(book.find('p', 'm', NOW - 1))).toBe(1n)
    expect(input(book.dearest('p', NOW))).toBe(2n)
    expect(input(book.dearest('p', NOW + 7))).toBe(4n)
  })
})

describe('several lists', () => {
  it('rank by priority, then by name, whatever their order', () => {
    const lists = [
      list([model(['m'], 'p', { input: 1n, output: 1n })], { name: 'b' }),
      list([model(['m'], 'p', { input: 2n, output: 1n })], { name: 'a' }),
      list([model(['m'], 'p', { input: 3n, output: 1n }, { effectiveFromMs: NOW })], { name: 'z', priority: 9 }),
    ]
    for (const order of [lists, [...lists].reverse()]) {
      expect(input(buildPriceBook(order).find('p', 'm', NOW))).toBe(3n)
      expect(input(buildPriceBook(order).find('p', 'm', NOW - 1))).toBe(2n)
    }
  })
})

describe('an alias', () => {
  const aliases = [
    { name: 'Prod-Chat', provider: 'azure', model: 'gpt-4o' },
    { name: 'gpt-4o', provider: 'azure', model: 'gpt-4.1' },
    { name: 'dead', provider: 'azure', model: 'nothing-known' },
  ]
  const book = buildPriceBook([list([], { aliases })])

  it('is the model it names, at its provider', () => {
    expect(book.find('azure', 'prod-chat', NOW)).toMatchObject({ provider: 'azure', model: 'gpt-4o' })
    expect(book.find(null, 'prod-chat', NOW)).toMatchObject({ provider: 'azure', model: 'gpt-4o' })
    expect(book.find('openai', 'prod-chat', NOW)).toMatchObject({ provider: 'azure', model: 'gpt-4o' })
    expect(book.providerOf('prod-chat')).toBe('azure')
  })

  it('does not take a name from another provider', () => {
    expect(book.find('azure', 'gpt-4o', NOW)).toMatchObject({ model: 'gpt-4.1' })
    expect(book.find('openai', 'gpt-4o', NOW)).toMatchObject({ provider: 'openai', model: 'gpt-4o' })
  })

  it('to nothing has no price', () => {
    expect(book.find('azure', 'dead', NOW)).toBeNull()
    expect(book.find(null, 'dead', NOW)).toBeNull()
  })
})

describe('the source', () => {
  it('keeps its book until the lists change, and names each content by its hash', () => {
    let lists: readonly PriceList[] = []
    const source = createPriceSource(() => lists)
    const first = source.current()
    expect(source.current()).toBe(first)
    lists = [list([model(['m'], 'p', { input: 1n, output: 1n })])]
    const second = source.current()
    expect(second).not.toBe(first)
    expect(second.hash).not.toBe(first.hash)
    lists = [list([model(['m'], 'p', { input: 1n, output: 1n })])]
    expect(source.current()).toBe(second)
    lists = [list([model(['m'], 'p', { input: 2n, output: 1n })])]
    expect(source.current().hash).not.toBe(second.hash)
    expect(input(first.find('p', 'm', NOW))).toBeNull()
  })
})
