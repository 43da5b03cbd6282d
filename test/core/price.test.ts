// What a usage costs: exact sums, one rounding, tiers as a cliff, and no part that is free by omission.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nanoUsd, picoUsd } from '../../src/core/money.ts'
import { costOf, PER_REQUEST, type Price, perCallRate, type Rates, ratesFor, TOKEN_KINDS, tokenCost } from '../../src/core/price.ts'
import { inputTotal, NO_TOKENS, type TokenCounts, type Usage } from '../../src/core/usage.ts'

const count = fc.bigInt({ min: 0n, max: 2n ** 53n })
const rate = fc.bigInt({ min: 0n, max: 10n ** 12n }).map(picoUsd)
const ofKinds = <T>(value: fc.Arbitrary<T>) => fc.record(Object.fromEntries(TOKEN_KINDS.map(kind => [kind, value])))
const counts = ofKinds(count) as unknown as fc.Arbitrary<TokenCounts>
const rates = ofKinds(rate) as unknown as fc.Arbitrary<Rates>

const flat = (value: bigint): Rates => Object.fromEntries(TOKEN_KINDS.map(kind => [kind, picoUsd(value)])) as Rates
const priceOf = (base: Rates, above: Rates = base, perCall: readonly [string, bigint][] = []): Price => ({
  provider: 'p',
  model: 'm',
  serviceTiers: new Map([
    [
      'default',
      [
        { aboveInputTokens: 0n, rates: base },
        { aboveInputTokens: 200_000n, rates: above },
      ],
    ],
    ['priority', [{ aboveInputTokens: 0n, rates: flat(7n) }]],
  ]),
  perCall: new Map(perCall.map(([kind, pico]) => [kind, picoUsd(pico)])),
  maxOutputTokens: null,
  contextWindow: null,
})
const usage = (tokens: Partial<TokenCounts>, more: Partial<Usage> = {}): Usage => ({
  tokens: { ...NO_TOKENS, ...tokens },
  calls: new Map(),
  model: null,
  serviceTier: null,
  statedCost: null,
  contradictions: [],
  ...more,
})
const sum = (a: TokenCounts, b: TokenCounts): TokenCounts =>
  Object.fromEntries(TOKEN_KINDS.map(kind => [kind, a[kind] + b[kind]])) as unknown as TokenCounts

describe('tokenCost', () => {
  it('knows every kind of token', () => {
    expect([...TOKEN_KINDS].sort()).toEqual(Object.keys(NO_TOKENS).sort())
  })

  it('is exactly additive', () => {
    fc.assert(fc.property(counts, counts, rates, (a, b, r) => tokenCost(sum(a, b), r) === tokenCost(a, r) + tokenCost(b, r)))
  })

  it('grows with every kind', () => {
    fc.assert(
      fc.property(counts, rates, fc.constantFrom(...TOKEN_KINDS), (tokens, r, kind) => {
        const more = { ...tokens, [kind]: tokens[kind] + 1n }
        return tokenCost(more, r) - tokenCost(tokens, r) === r[kind]
      }),
    )
  })

  it('takes a negative count for a bug', () => {
    expect(() => tokenCost({ ...NO_TOKENS, output: -1n }, flat(1n))).toThrow('not negative')
  })
})

describe('costOf', () => {
  it('rounds up once, whatever the parts', () => {
    fc.assert(
      fc.property(counts, rates, count, rate, (tokens, r, searches, perSearch) => {
        const cost = costOf(usage(tokens, { calls: new Map([['web_search', searches]]) }), priceOf(r, r, [['web_search', perSearch]]))
        const pico = tokenCost(tokens, r) + searches * perSearch
        return cost * 1_000n >= pico && (cost - 1n) * 1_000n < pico
      }),
    )
  })

  it('costs a split request at least as much, by at most a nano-USD a part', () => {
    fc.assert(
      fc.property(counts, counts, rates, (a, b, r) => {
        const price = priceOf(r)
        const parts = costOf(usage(a), price) + costOf(usage(b), price)
        const whole = costOf(usage(sum(a, b)), price)
        return parts === whole || parts === whole + 1n
      }),
    )
  })

  it.each([
    ['199,999', 199_999n, 1n],
    ['200,000', 200_000n, 1n],
    ['200,001', 200_001n, 1_000n],
  ])('prices the whole of an input of %s tokens at one tier', (_, input, pico) => {
    const price = priceOf(flat(1n), flat(1_000n))
    expect(costOf(usage({ input, output: 1_000n }), price)).toBe(((input + 1_000n) * pico + 999n) / 1_000n)
  })

  it('takes the tier by the whole input, cached and media parts included', () => {
    const parts = { input: 1n, cacheRead: 100_000n, cacheWrite1h: 50_000n, inputAudio: 50_000n }
    expect(inputTotal({ ...NO_TOKENS, ...parts })).toBe(200_001n)
    expect(costOf(usage(parts), priceOf(flat(1_000n), flat(2_000n)))).toBe(400_002n)
  })

  it('does not take a long output for a long input', () => {
    expect(costOf(usage({ input: 1n, output: 10n ** 6n }), priceOf(flat(1_000n), flat(2_000n)))).toBe(10n ** 6n + 1n)
  })

  it('prices the echoed service tier, in any case; an unknown one as the default', () => {
    const price = priceOf(flat(1_000n))
    expect(costOf(usage({ output: 1_000n }, { serviceTier: 'PRIORITY' }), price)).toBe(7n)
    expect(costOf(usage({ output: 1_000n }, { serviceTier: 'standard' }), price)).toBe(1_000n)
    expect(costOf(usage({ output: 1_000n }, { serviceTier: '__proto__' }), price)).toBe(1_000n)
  })

  it('takes a stated cost as it is', () => {
    expect(costOf(usage({ input: 10n ** 9n }, { statedCost: nanoUsd(42n) }), priceOf(flat(1n)))).toBe(42n)
    expect(() => costOf(usage({}, { statedCost: nanoUsd(-1n) }), priceOf(flat(1n)))).toThrow('not negative')
  })

  it('charges a request once, and never an unlisted kind of call nothing', () => {
    const price = priceOf(flat(0n), flat(0n), [
      [PER_REQUEST, 12_000n],
      ['web_search', 5_000n],
      ['web_fetch', 0n],
    ])
    expect(costOf(usage({}), price)).toBe(12n)
    expect(costOf(usage({}, { calls: new Map([['web_search', 2n]]) }), price)).toBe(22n)
    expect(costOf(usage({}, { calls: new Map([['web_fetch', 2n]]) }), price)).toBe(12n)
    expect(costOf(usage({}, { calls: new Map([['moon_landing', 1n]]) }), price)).toBe(17n)
    expect(costOf(usage({}, { calls: new Map([[PER_REQUEST, 9n]]) }), price)).toBe(12n)
    expect(perCallRate(priceOf(flat(0n)), 'web_search')).toBe(0n)
  })

  it('has no tiers without a base tier', () => {
    expect(() => ratesFor([], 1n)).toThrow('base tier')
  })
})
