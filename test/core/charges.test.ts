// Charges besides tokens, parts that other models answered, batches: their bounds hold what they cost, and no part is free.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Call, NO_TEXT } from '../../src/core/call.ts'
import { boundCost } from '../../src/core/cost-bound.ts'
import { estimateCall } from '../../src/core/estimate.ts'
import { picoUsd } from '../../src/core/money.ts'
import { AUDIO_SECOND, costOf, type Price, pricesKinds, pricesUsage, type Rates, TOKEN_KINDS } from '../../src/core/price.ts'
import { mergeRules } from '../../src/core/rules.ts'
import { NO_TOKENS, type TokenCounts, type Usage } from '../../src/core/usage.ts'

const flat = (rate: bigint): Rates => Object.fromEntries(TOKEN_KINDS.map(kind => [kind, picoUsd(rate)])) as unknown as Rates
const price = (rate: bigint, more: Partial<Price> = {}): Price => ({
  provider: 'p',
  model: 'm',
  serviceTiers: new Map([
    ['default', [{ aboveInputTokens: 0n, rates: flat(rate) }]],
    ['batch', [{ aboveInputTokens: 0n, rates: flat(rate / 2n) }]],
  ]),
  perCall: new Map([['web_search', picoUsd(35_000_000_000n)]]),
  maxOutputTokens: null,
  contextWindow: 1_000n,
  ...more,
})
const byLength: Price = price(0n, { perToken: false, perCall: new Map([[AUDIO_SECOND, picoUsd(100_000_000n)]]) })
const usage = (tokens: Partial<TokenCounts>, more: Partial<Usage> = {}): Usage => ({
  tokens: { ...NO_TOKENS, ...tokens },
  calls: new Map(),
  model: null,
  serviceTier: null,
  statedCost: null,
  contradictions: [],
  ...more,
})
const CALL: Call = {
  format: 'f',
  endpoint: 'e',
  models: ['m'],
  text: NO_TEXT,
  inputTokenIds: 0n,
  inputItems: 1,
  tools: false,
  media: [],
  opaqueInputs: [],
  serverTools: [],
  generates: true,
  outputBound: 100n,
  outputDefault: null,
  choices: 1n,
  streaming: false,
  usageAsked: false,
  serviceTier: null,
  cacheWrite: 'none',
  background: false,
}
const seconds = (count: bigint): ReadonlyMap<string, bigint> => new Map([[AUDIO_SECOND, count]])

describe('a price by length', () => {
  it('prices what is charged so, and nothing else', () => {
    expect(pricesKinds(byLength, seconds(5n))).toBe(true)
    expect(pricesKinds(byLength, new Map())).toBe(false)
    expect(pricesUsage(byLength, usage({ input: 5n }))).toBe(false)
    expect(pricesUsage(byLength, usage({}, { calls: seconds(5n) }))).toBe(true)
    expect(costOf(usage({ input: 4n }, { calls: seconds(9n) }), byLength)).toBe(900_000n)
  })

  it('is not made up where the model is sold by the token: neither seconds for nothing, nor for the price of a search', () => {
    expect(pricesUsage(price(1_000n), usage({}, { calls: seconds(5n) }))).toBe(false)
    expect(pricesUsage(price(1_000n), usage({ input: 3n }, { calls: seconds(5n) }))).toBe(true)
    expect(costOf(usage({ input: 3n }, { calls: seconds(5n) }), price(1_000n))).toBe(3n)
  })

  it('bounds every usage of no more seconds and tokens', () => {
    const count = fc.bigInt({ min: 0n, max: 10_000n })
    fc.assert(
      fc.property(count, count, count, fc.constantFrom(byLength, price(7_001n)), (input, output, length, one) => {
        const call = { ...CALL, charges: seconds(length) }
        const bound = boundCost(call, [one], { kind: 'bound', tokens: input }, output, 0n)
        expect(costOf(usage({ input, output }, { calls: seconds(length) }), one) <= (bound ?? -1n)).toBe(true)
      }),
      { numRuns: 500, verbose: 1 },
    )
  })
})

describe('parts that other models answered', () => {
  it('cost what they would cost alone, and the rest what is left of it', () => {
    const count = fc.bigInt({ min: 0n, max: 10n ** 9n })
    fc.assert(
      fc.property(count, count, count, count, (input, output, more, much) => {
        const whole = usage(
          { input: input + more, output: output + much },
          { elsewhere: [{ model: 'other', tokens: { ...NO_TOKENS, input: more, output: much } }] },
        )
        const cost = costOf(whole, price(1_000n), model => (model === 'other' ? price(5_000n) : price(0n)))
        expect(cost).toBe(input + output + 5n * (more + much))
        expect(costOf(whole, price(1_000n))).toBe(input + output + more + much)
      }),
      { numRuns: 500, verbose: 1 },
    )
  })
})

describe('a batch', () => {
  const rules = { ...mergeRules([]), defaultMaxOutputTokens: 10n }
  const bound = (call: Partial<Call>) =>
    estimateCall({ call: { ...CALL, ...call }, prices: [price(2_000n)], provider: 'p', rules, mayInject: true })

  it('is bounded at the batch rate, which no client can ask for by its name', () => {
    const plain = bound({})
    const batch = bound({ batch: true, serviceTier: 'fast' })
    const named = bound({ serviceTier: 'batch' })
    const costs = [plain, batch, named].map(outcome => (outcome.kind === 'bounded' ? outcome.estimate.cost : null))
    expect(costs).toEqual([456n, 228n, 456n])
  })

  it('has a prompt, its framing and a window for each of its requests', () => {
    const outcome = bound({ batch: true, choices: 20n, inputItems: 20, inputTokenIds: 15_000n })
    expect(outcome).toMatchObject({ kind: 'bounded', estimate: { inputTokens: 15_000n + 20n * 128n, outputTokens: 2_000n } })
  })
})

describe('a call whose body takes no bound', () => {
  it('is not bounded by what would be put in', () => {
    const prices = [price(1_000n, { maxOutputTokens: 500n })]
    const outcome = (takesBound: boolean) =>
      estimateCall({
        call: { ...CALL, outputBound: null, takesBound },
        prices,
        provider: 'p',
        rules: { ...mergeRules([]), defaultMaxOutputTokens: 10n },
        mayInject: true,
      })
    expect(outcome(true)).toMatchObject({ estimate: { outputTokens: 10n, injectOutputBound: 10n } })
    expect(outcome(false)).toMatchObject({ estimate: { outputTokens: 500n, injectOutputBound: null } })
  })
})
