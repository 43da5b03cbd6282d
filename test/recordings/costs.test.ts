// What a call is charged in money: the cost that OpenRouter states of it, and for any usage what exact fractions come to.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { picoUsd } from '../../src/core/money.ts'
import { costOf, PER_REQUEST, type Price, type Rates, type Tier, TOKEN_KINDS } from '../../src/core/price.ts'
import { inputTotal, type TokenCounts, type Usage } from '../../src/core/usage.ts'
import { chargeOf } from '../../src/enforcer/charge.ts'
import { askedOf, finished, meterOf, NOW, planOf, readExchanges, seedOf } from './recorded.ts'

describe('OpenRouter', () => {
  it('is paid the cost that it states, to the nano-USD', async () => {
    let compared = 0
    for (const exchange of readExchanges().filter(({ provider }) => provider === 'openrouter')) {
      const cost = statedCost(exchange.response.body.toString())
      const asked = askedOf(exchange)
      if (cost === null || asked === null) continue
      const plan = planOf(exchange, asked.call)
      if (typeof plan === 'string') throw new Error(`${exchange.id}: ${plan}`)
      const meter = meterOf(exchange, asked)
      meter.push(exchange.response.body, false)
      const charge = chargeOf(plan, await finished(meter, true), NOW)
      expect([exchange.id, charge.how, charge.proven, charge.cost]).toEqual([exchange.id, 'exact', true, cost])
      compared++
    }
    expect(compared).toBeGreaterThanOrEqual(5)
  })
})

/** Nano-USD, rounded up once, from the digits of the last `"cost":` with a number in the body: of no code of the formats. */
function statedCost(body: string): bigint | null {
  const digits = [...body.matchAll(/"cost"\s*:\s*([0-9.]+(?:[eE][+-]?[0-9]+)?)/g)].at(-1)?.[1]
  return digits === undefined ? null : up(times(decimal(digits), fraction(1_000_000_000n)))
}

/** A fraction of whole numbers: nothing is rounded before the end. */
interface Fraction {
  readonly over: bigint
  readonly under: bigint
}
const fraction = (over: bigint, under = 1n): Fraction => ({ over, under })
const plus = (a: Fraction, b: Fraction): Fraction => fraction(a.over * b.under + b.over * a.under, a.under * b.under)
const times = (a: Fraction, b: Fraction): Fraction => fraction(a.over * b.over, a.under * b.under)
const up = ({ over, under }: Fraction): bigint => over / under + (over % under === 0n ? 0n : 1n)

function decimal(text: string): Fraction {
  const [digits = '', power = '0'] = text.toLowerCase().split('e')
  const [whole = '', part = ''] = digits.split('.')
  const shift = Number(power) - part.length
  return shift < 0 ? fraction(BigInt(whole + part), 10n ** BigInt(-shift)) : fraction(BigInt(whole + part) * 10n ** BigInt(shift))
}

const count = fc.oneof(fc.bigInt({ min: 0n, max: 5n }), fc.bigInt({ min: 0n, max: 300_000n }), fc.bigInt({ min: 0n, max: 2n ** 53n }))
const rate = fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 100n }), fc.bigInt({ min: 0n, max: 10n ** 12n })).map(picoUsd)
const ofKinds = <T>(value: fc.Arbitrary<T>) => fc.record(Object.fromEntries(TOKEN_KINDS.map(kind => [kind, value])))
const counts = ofKinds(count) as unknown as fc.Arbitrary<TokenCounts>
const rates = ofKinds(rate) as unknown as fc.Arbitrary<Rates>
const tiers: fc.Arbitrary<Tier[]> = fc
  .tuple(rates, fc.uniqueArray(fc.tuple(fc.bigInt({ min: 1n, max: 400_000n }), rates), { maxLength: 3, selector: ([above]) => above }))
  .map(([base, above]) => [
    { aboveInputTokens: 0n, rates: base },
    ...above.sort(([a], [b]) => (a < b ? -1 : 1)).map(([aboveInputTokens, over]) => ({ aboveInputTokens, rates: over })),
  ])
const kinds = ['web_search', 'image', 'file_search', PER_REQUEST]
const price: fc.Arbitrary<Price> = fc.record({
  provider: fc.constant('p'),
  model: fc.constant('m'),
  serviceTiers: fc.tuple(tiers, tiers).map(
    ([plain, flex]) =>
      new Map([
        ['default', plain],
        ['flex', flex],
      ]),
  ),
  perCall: fc.uniqueArray(fc.tuple(fc.constantFrom(...kinds), rate), { selector: ([kind]) => kind }).map(pairs => new Map(pairs)),
  maxOutputTokens: fc.constant(null),
  contextWindow: fc.constant(null),
})
const usage: fc.Arbitrary<Usage> = fc.record({
  tokens: counts,
  calls: fc
    .uniqueArray(fc.tuple(fc.constantFrom(...kinds, 'unheard_of'), fc.bigInt({ min: 0n, max: 1_000n })), { selector: ([kind]) => kind })
    .map(pairs => new Map(pairs)),
  model: fc.constant(null),
  serviceTier: fc.constantFrom(null, 'default', 'Flex', 'scale'),
  statedCost: fc.constant(null),
  contradictions: fc.constant([]),
})

describe('the cost of a usage', () => {
  it('is what exact fractions come to, rounded up once', () => {
    const seed = seedOf('COSTS_SEED')
    fc.assert(
      fc.property(usage, price, fc.constantFrom(null, -1n, 0n, 1n), (used, at, beside) => {
        const priced = beside === null ? at : withTier(at, inputTotal(used.tokens) + beside)
        expect(costOf(used, priced)).toBe(independentCost(used, priced))
      }),
      { seed, numRuns: 5_000 },
    )
  })
})

/** One more tier in every service tier that begins above this size, where a size of an input can be its bound: free, so that it shows. */
function withTier(at: Price, aboveInputTokens: bigint): Price {
  if (aboveInputTokens <= 0n) return at
  const added = [...at.serviceTiers].map(([name, all]): [string, Tier[]] => {
    const others = all.filter(tier => tier.aboveInputTokens !== aboveInputTokens)
    return [name, [...others, { aboveInputTokens, rates: FREE }].sort((a, b) => (a.aboveInputTokens < b.aboveInputTokens ? -1 : 1))]
  })
  return { ...at, serviceTiers: new Map(added) }
}
const FREE = Object.fromEntries(TOKEN_KINDS.map(kind => [kind, picoUsd(0n)])) as Rates

/** In dollars by fractions, from the words of the price: per token, per call, per request, a tier by the size of the input. */
function independentCost(used: Usage, at: Price): bigint {
  const dollars = (pico: bigint): Fraction => fraction(pico, 1_000_000_000_000n)
  const tier = used.serviceTier?.toLowerCase() === 'flex' ? 'flex' : 'default'
  const size = inputTotal(used.tokens)
  const applied = at.serviceTiers.get(tier)?.findLast(({ aboveInputTokens }) => aboveInputTokens === 0n || size > aboveInputTokens)
  let sum = dollars(at.perCall.get(PER_REQUEST) ?? 0n)
  for (const kind of TOKEN_KINDS) sum = plus(sum, times(fraction(used.tokens[kind]), dollars(applied?.rates[kind] ?? 0n)))
  const dearest = [...at.perCall].reduce((most, [kind, pico]) => (kind !== PER_REQUEST && pico > most ? pico : most), 0n)
  for (const [kind, calls] of used.calls) {
    if (kind !== PER_REQUEST) sum = plus(sum, times(fraction(calls), dollars(at.perCall.get(kind) ?? dearest)))
  }
  return up(times(sum, fraction(1_000_000_000n)))
}
