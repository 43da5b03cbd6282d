// The estimate's promises: it never falls as a call grows, no usage within its counts costs more, and what it cannot bound has a name.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UNITS } from '../../src/core/budget.ts'
import { type Call, type MediaPart, NO_TEXT, type TextSize } from '../../src/core/call.ts'
import { amountOf, deliveredEstimate, type Estimate, type EstimateInput, estimateCall } from '../../src/core/estimate.ts'
import { nanoUsd, nanoUsdUp, picoUsd } from '../../src/core/money.ts'
import type { BindingRules } from '../../src/core/policy.ts'
import { costOf, PER_REQUEST, type Price, type Rates, type Tier } from '../../src/core/price.ts'
import { type Delivered, inputTotal, NO_TOKENS, outputTotal, type TokenCounts, type Usage } from '../../src/core/usage.ts'

const RULES: BindingRules = {
  inputEstimate: 'Bytes',
  defaultMaxOutputTokens: null,
  requireOutputBound: false,
  maxPerRequest: null,
  onUnknownModel: 'Deny',
  onOpaqueInput: 'Deny',
  onServerTools: 'Deny',
  onUnknownEndpoint: 'Deny',
  onUnreadable: 'Deny',
  onExpiry: 'Estimate',
  onLedgerUnavailable: 'Deny',
}
const IMAGE: MediaPart = { kind: 'image', bytes: null, detail: null, width: null, height: null }
const CALL: Call = {
  format: 'openai-chat',
  endpoint: 'chat/completions',
  models: ['gpt-4o'],
  text: NO_TEXT,
  inputTokenIds: 0n,
  inputItems: 1,
  tools: false,
  media: [],
  opaqueInputs: [],
  serverTools: [],
  generates: true,
  outputBound: 1_000n,
  outputDefault: null,
  choices: 1n,
  streaming: false,
  usageAsked: false,
  serviceTier: null,
  cacheWrite: 'none',
  background: false,
}
const ZERO: Rates = Object.fromEntries(Object.keys(NO_TOKENS).map(kind => [kind, picoUsd(0n)])) as unknown as Rates
const flat = (input: bigint, output: bigint): Rates => ({
  ...ZERO,
  input: picoUsd(input),
  cacheRead: picoUsd(input / 10n),
  cacheWrite5m: picoUsd((input * 5n) / 4n),
  cacheWrite1h: picoUsd(input * 2n),
  inputAudio: picoUsd(input),
  inputImage: picoUsd(input),
  output: picoUsd(output),
  reasoning: picoUsd(output),
  outputAudio: picoUsd(output),
  outputImage: picoUsd(output),
})
const price = (over: Partial<Price> = {}): Price => ({
  provider: 'openai',
  model: 'gpt-4o',
  serviceTiers: new Map([['default', [{ aboveInputTokens: 0n, rates: flat(2_500_000n, 10_000_000n) }]]]),
  perCall: new Map(),
  maxOutputTokens: 16_384n,
  contextWindow: 128_000n,
  ...over,
})
const input = (call: Partial<Call> = {}, over: Partial<EstimateInput> = {}): EstimateInput => ({
  call: { ...CALL, ...call },
  prices: [price()],
  provider: 'openai',
  rules: RULES,
  mayInject: true,
  ...over,
})
function bounded(given: EstimateInput): Estimate {
  const outcome = estimateCall(given)
  if (outcome.kind !== 'bounded') throw new Error(`expected a bound, got ${outcome.kind}`)
  return outcome.estimate
}

const anySize = fc.record({
  letters: fc.nat(20_000_000),
  digits: fc.nat(1_000_000),
  spaces: fc.nat(1_000_000),
  marks: fc.nat(1_000_000),
  high: fc.nat(1_000_000),
  dense: fc.nat(100_000),
})
const anyMedia: fc.Arbitrary<MediaPart> = fc.record({
  kind: fc.constantFrom('image', 'audio', 'video', 'document'),
  bytes: fc.nat(5_000_000),
  detail: fc.constantFrom(null, 'low', 'high', 'original', 'auto'),
  width: fc.option(fc.integer({ min: 1, max: 20_000 })),
  height: fc.option(fc.integer({ min: 1, max: 20_000 })),
})
const anyRate = fc.bigInt(0n, 600_000_000n).map(picoUsd)
const anyRates: fc.Arbitrary<Rates> = fc.record(
  Object.fromEntries(Object.keys(NO_TOKENS).map(kind => [kind, anyRate])) as { [Kind in keyof Rates]: typeof anyRate },
)
const anyTiers: fc.Arbitrary<readonly Tier[]> = fc
  .tuple(anyRates, fc.array(fc.record({ aboveInputTokens: fc.bigInt(1n, 400_000n), rates: anyRates }), { maxLength: 2 }))
  .map(([rates, above]) => [{ aboveInputTokens: 0n, rates }, ...above.sort((a, b) => (a.aboveInputTokens < b.aboveInputTokens ? -1 : 1))])
const anyServiceTiers = fc.tuple(anyTiers, anyTiers, anyTiers).map(
  ([plain, flex, priority]): ReadonlyMap<string, readonly Tier[]> =>
    new Map([
      ['default', plain],
      ['flex', flex],
      ['priority', priority],
    ]),
)
const anyPrice: fc.Arbitrary<Price> = fc.record({
  provider: fc.constantFrom('openai', 'anthropic', 'google', 'groq', ''),
  model: fc.constantFrom('gpt-4o', 'gpt-5.6', 'claude-opus-5-5', 'gemini-3.8-flash', 'llama-4', 'x'),
  serviceTiers: anyServiceTiers,
  regionalTiers: anyServiceTiers,
  perCall: fc.constantFrom(new Map([['web_search', picoUsd(10_000_000_000n)]]), new Map([[PER_REQUEST, picoUsd(5_000_000_000n)]])),
  maxOutputTokens: fc.option(fc.bigInt(1n, 200_000n)),
  contextWindow: fc.option(fc.bigInt(1_000n, 2_000_000n)),
})
const anyCall: fc.Arbitrary<Call> = fc.record({
  format: fc.constant('openai-chat'),
  endpoint: fc.constant('chat/completions'),
  models: fc.constant(['gpt-4o']),
  text: anySize,
  inputTokenIds: fc.bigInt(0n, 100_000n),
  inputItems: fc.nat(3_000),
  tools: fc.boolean(),
  media: fc.array(anyMedia, { maxLength: 3 }),
  opaqueInputs: fc.constantFrom([], [], ['file_id']),
  serverTools: fc.constantFrom([], [], ['web_search']),
  generates: fc.boolean(),
  outputBound: fc.option(fc.bigInt(0n, 10n ** 7n)),
  outputDefault: fc.constantFrom(null, null, 16n),
  choices: fc.bigInt(1n, 20n),
  streaming: fc.boolean(),
  usageAsked: fc.boolean(),
  serviceTier: fc.constantFrom(null, 'auto', 'default', 'flex', 'priority', 'nobody-knows'),
  regional: fc.boolean(),
  cacheWrite: fc.constantFrom('none', '5m', '1h'),
  background: fc.boolean(),
})
const anyInput: fc.Arbitrary<EstimateInput> = fc.record({
  call: anyCall,
  prices: fc.array(anyPrice, { minLength: 1, maxLength: 3 }),
  provider: fc.constantFrom(null, 'openai', 'anthropic'),
  rules: fc.record({ mode: fc.constantFrom('Bytes' as const, 'Strict' as const), cap: fc.option(fc.bigInt(1n, 100_000n)) }).map(
    ({ mode, cap }): BindingRules => ({
      ...RULES,
      inputEstimate: mode,
      defaultMaxOutputTokens: cap,
      onOpaqueInput: 'ReserveContextWindow',
      onServerTools: 'Reserve',
    }),
  ),
  mayInject: fc.boolean(),
})

/** A usage of exactly these totals, spread over the kinds that the call can trigger. */
function spread(call: Call, model: string, totals: { input: bigint; output: bigint }, weights: readonly number[]): TokenCounts {
  const unseen = call.opaqueInputs.length > 0
  const has = (...kinds: string[]): boolean => unseen || call.media.some(part => kinds.includes(part.kind))
  const inputs: (keyof TokenCounts)[] = ['input', 'cacheRead']
  if (call.cacheWrite !== 'none' || model === 'gpt-5.6') inputs.push('cacheWrite5m')
  if (call.cacheWrite === '1h') inputs.push('cacheWrite1h')
  if (has('audio', 'video')) inputs.push('inputAudio', 'cacheReadAudio')
  if (has('video')) inputs.push('inputVideo')
  if (has('image', 'video', 'document')) inputs.push('inputImage')
  const counts: Record<keyof TokenCounts, bigint> = { ...NO_TOKENS }
  const share = (kinds: readonly (keyof TokenCounts)[], total: bigint): void => {
    let left = total
    for (const [i, kind] of kinds.entries()) {
      const part = i === kinds.length - 1 ? left : (left * BigInt(weights[i] ?? 0)) / 100n
      counts[kind] += part
      left -= part
    }
  }
  share(inputs, totals.input)
  share(['output', 'reasoning', 'outputAudio', 'outputImage', 'outputVideo'], totals.output)
  return counts
}

describe('the key promise', () => {
  it('no usage within the counts costs more than the estimate', () => {
    fc.assert(
      fc.property(
        anyInput,
        fc.record({ input: fc.nat(100), output: fc.nat(100) }),
        fc.array(fc.nat(100), { minLength: 10, maxLength: 10 }),
        fc.boolean(),
        (given, percent, weights, granted) => {
          const outcome = estimateCall(given)
          if (outcome.kind !== 'bounded' || outcome.estimate.cost === null) return
          const { estimate } = outcome
          const totals = {
            input: (estimate.inputTokens * BigInt(percent.input)) / 100n,
            output: (estimate.outputTokens * BigInt(percent.output)) / 100n,
          }
          for (const answered of given.prices) {
            const tokens = spread(given.call, answered.model, totals, weights)
            expect(inputTotal(tokens)).toBe(totals.input)
            expect(outputTotal(tokens)).toBe(totals.output)
            const asked =
              given.call.serviceTier === 'auto' || given.call.serviceTier === 'nobody-knows' ? 'priority' : given.call.serviceTier
            const usage: Usage = usageOf(tokens, { serviceTier: granted ? asked : null, regional: given.call.regional ?? false })
            expect(costOf(usage, answered)).toBeLessThanOrEqual(outcome.estimate.cost as bigint)
          }
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it('the estimate is never negative, and stays exact for 20 MB', () => {
    const text: TextSize = { ...NO_TEXT, letters: 20_000_000, dense: 20_000_000 }
    const estimate = bounded(input({ text, outputBound: 0n }, { prices: [price({ contextWindow: null })] }))
    expect(estimate.inputTokens).toBe(17_340_128n)
    expect(estimate.cost).toBe(nanoUsdUp(picoUsd(17_340_128n * 2_500_000n)))
  })

  it('never falls as a size grows', () => {
    fc.assert(
      fc.property(anyInput, fc.constantFrom(...(Object.keys(NO_TEXT) as (keyof TextSize)[])), fc.nat(1_000_000), (given, field, more) => {
        const grown = { ...given, call: { ...given.call, text: { ...given.call.text, [field]: given.call.text[field] + more } } }
        const [before, after] = [estimateCall(given), estimateCall(grown)]
        expect(after.kind).toBe(before.kind)
        if (before.kind !== 'bounded' || after.kind !== 'bounded') return
        expect(after.estimate.inputTokens).toBeGreaterThanOrEqual(before.estimate.inputTokens)
        expect(after.estimate.cost ?? 0n).toBeGreaterThanOrEqual(before.estimate.cost ?? 0n)
        expect(before.estimate.inputTokens).toBeGreaterThanOrEqual(0n)
        expect(before.estimate.outputTokens).toBeGreaterThanOrEqual(0n)
      }),
      { numRuns: 500 },
    )
  })

  it.each(['inputItems', 'inputTokenIds', 'choices', 'outputBound', 'media', 'tools'] as const)('never falls as %s grows', field => {
    fc.assert(
      fc.property(anyInput, fc.nat(50), (given, more) => {
        const { call } = given
        const grown: Call = {
          ...call,
          ...(field === 'inputItems' ? { inputItems: call.inputItems + more } : {}),
          ...(field === 'inputTokenIds' ? { inputTokenIds: call.inputTokenIds + BigInt(more) } : {}),
          ...(field === 'choices' ? { choices: call.choices + BigInt(more) } : {}),
          ...(field === 'outputBound' && call.outputBound !== null ? { outputBound: call.outputBound + BigInt(more) } : {}),
          ...(field === 'media' ? { media: [...call.media, IMAGE] } : {}),
          ...(field === 'tools' ? { tools: true } : {}),
        }
        const [before, after] = [estimateCall(given), estimateCall({ ...given, call: grown })]
        if (before.kind !== 'bounded' || after.kind !== 'bounded') return
        expect(after.estimate.inputTokens).toBeGreaterThanOrEqual(before.estimate.inputTokens)
        expect(after.estimate.outputTokens).toBeGreaterThanOrEqual(before.estimate.outputTokens)
        expect(after.estimate.cost ?? 0n).toBeGreaterThanOrEqual(before.estimate.cost ?? 0n)
      }),
      { numRuns: 200 },
    )
  })
})

const usageOf = (tokens: TokenCounts, over: Partial<Usage> = {}): Usage => ({
  tokens,
  calls: new Map(),
  model: null,
  serviceTier: null,
  statedCost: null,
  contradictions: [],
  ...over,
})

describe('the input bound', () => {
  const prose: TextSize = { ...NO_TEXT, letters: 4_600, spaces: 1_000, marks: 120 }

  it('lies between 0.3 and 0.5 tokens a byte for prose', () => {
    const tokens = Number(bounded(input({ text: prose })).inputTokens - 128n)
    expect(tokens / 5_720).toBeGreaterThan(0.28)
    expect(tokens / 5_720).toBeLessThan(0.5)
  })

  it('is one token a byte in strict mode, and wider by family and for tools', () => {
    const rules = { ...RULES, inputEstimate: 'Strict' as const }
    expect(bounded(input({ text: prose }, { rules })).inputTokens).toBe(5_720n + 128n)
    const claude = [price({ provider: 'anthropic', model: 'claude-opus-5-5' })]
    expect(bounded(input({ text: prose }, { prices: claude })).inputTokens).toBeGreaterThan(bounded(input({ text: prose })).inputTokens)
    expect(bounded(input({ tools: true })).inputTokens).toBe(1_308n)
    const unknown = input({ text: prose, models: ['x'] }, { prices: [], provider: null })
    expect(bounded(unknown).inputTokens).toBe(bounded(input({ text: prose }, { prices: claude })).inputTokens)
  })

  it('goes by the names that were asked for where the price of another model stands in for theirs', () => {
    const standIn = [price({ provider: 'google', model: '(dearest)' })]
    const asked = (models: string[]): bigint => bounded(input({ text: prose, models }, { prices: standIn })).inputTokens
    expect(asked(['claude-on-vertex'])).toBeGreaterThan(asked(['gemini-9']))
    expect(asked(['gemini-9', 'x-ai/grok-4'])).toBeGreaterThan(asked(['gemini-9']) + 800n)
    expect(asked(['deployment-1'])).toBe(asked(['gemini-9']))
  })

  it('is the count of a tokenizer where the rules say so, and never more than by bytes', () => {
    const rules = { ...RULES, inputEstimate: 'Tokenizer' as const }
    const counted = { tokens: 1_200, payloads: 0, rest: NO_TEXT }
    const by = (over: Partial<EstimateInput>, call: Partial<Call> = {}): bigint =>
      bounded(input({ text: prose, ...call }, over)).inputTokens
    expect(by({ rules, counted })).toBe(1_224n + 120n)
    expect(by({ counted })).toBe(by({}))
    expect(by({ rules: { ...RULES, inputEstimate: 'Strict' }, counted })).toBe(5_720n + 128n)
    expect(by({ rules, counted: null })).toBe(by({}))
    expect(by({ rules, counted: { ...counted, tokens: 9_000 } })).toBe(by({}))
    expect(by({ rules, counted: { ...counted, rest: { ...NO_TEXT, letters: 1_000 } } })).toBe(1_500n + 120n)
  })

  it('takes base64 in a body for the media that the reader found, and what is beyond for text', () => {
    const rules = { ...RULES, inputEstimate: 'Tokenizer' as const }
    const media = [{ ...IMAGE, bytes: 3_000, width: 100, height: 100 }]
    const text = { ...prose, letters: 40_000 }
    const by = (payloads: number): bigint =>
      bounded(input({ media, text }, { rules, counted: { tokens: 1_000, payloads, rest: NO_TEXT } })).inputTokens
    expect(by(4_000)).toBe(by(0))
    expect(by(5_000) - by(4_000)).toBe(867n)
  })

  it('is capped by the context window, of each prompt where there are several', () => {
    const text = { ...NO_TEXT, letters: 10_000_000 }
    expect(bounded(input({ text })).inputTokens).toBe(128_000n)
    expect(bounded(input({ text, choices: 3n })).inputTokens).toBe(384_000n)
    expect(bounded(input({ text, generates: false, inputItems: 10 })).inputTokens).toBe(1_280_000n)
    expect(bounded(input({ text }, { prices: [price(), price({ contextWindow: null })] })).inputTokens).toBeGreaterThan(2_000_000n)
  })

  it('refuses what it cannot see, or reserves the context window', () => {
    const opaque = { opaqueInputs: ['previous_response_id'] }
    expect(estimateCall(input(opaque))).toEqual({ kind: 'opaque-input', what: 'previous_response_id' })
    const rules = { ...RULES, onOpaqueInput: 'ReserveContextWindow' as const }
    expect(bounded(input(opaque, { rules })).inputTokens).toBe(128_000n)
    expect(estimateCall(input(opaque, { rules, prices: [price({ contextWindow: null })] })).kind).toBe('opaque-input')
    expect(estimateCall(input({ media: [{ ...IMAGE, kind: 'document' }] })).kind).toBe('opaque-input')
    expect(bounded(input({ media: [IMAGE] })).inputTokens).toBe(128n + 3_800n)
  })

  it('refuses tools that the provider runs, or reserves ten rounds of the window and their calls', () => {
    const tools = { serverTools: ['web_search'], tools: true, outputBound: 0n }
    expect(estimateCall(input(tools))).toEqual({ kind: 'server-tools', what: 'web_search', why: 'denied' })
    const rules = { ...RULES, onServerTools: 'Reserve' as const }
    const prices = [price({ perCall: new Map([['web_search', picoUsd(10_000_000_000n)]]) })]
    const estimate = bounded(input(tools, { rules, prices }))
    expect(estimate.inputTokens).toBe(1_280_000n)
    expect(estimate.cost).toBe(1_280_000n * 2_500n + 10n * 10_000_000n)
    const blind = input(tools, { rules, prices: [price({ contextWindow: null })] })
    expect(estimateCall(blind)).toEqual({ kind: 'server-tools', what: 'web_search', why: 'no-window' })
  })
})

describe('the output bound', () => {
  const none = { outputBound: null }

  it('is what the client declares, times the choices', () => {
    const rules = { ...RULES, defaultMaxOutputTokens: 10n, requireOutputBound: true }
    expect(bounded(input({ choices: 3n }, { rules }))).toMatchObject({ outputTokens: 3_000n, injectOutputBound: null })
    expect(bounded(input({ generates: false })).outputTokens).toBe(0n)
  })

  it('is injected where none is declared and the body may be amended', () => {
    const rules = { ...RULES, defaultMaxOutputTokens: 500n }
    expect(bounded(input({ ...none, choices: 2n }, { rules }))).toMatchObject({ outputTokens: 1_000n, injectOutputBound: 500n })
    expect(bounded(input(none, { rules, mayInject: false }))).toMatchObject({ outputTokens: 16_384n, injectOutputBound: null })
    expect(bounded(input(none, { rules, prices: [] }))).toMatchObject({ outputTokens: 500n, injectOutputBound: 500n, cost: null })
    expect(bounded(input({ ...none, outputDefault: 16n }, { rules }))).toMatchObject({ outputTokens: 16n, injectOutputBound: null })
  })

  it('injects no more than the smallest maximum of the models, which providers would refuse', () => {
    const rules = { ...RULES, defaultMaxOutputTokens: 100_000n }
    const prices = [price(), price({ maxOutputTokens: 4_096n }), price({ maxOutputTokens: null })]
    expect(bounded(input(none, { rules, prices }))).toMatchObject({ outputTokens: 4_096n, injectOutputBound: 4_096n })
  })

  it('is the provider’s default, else the largest maximum, else the context window, else nothing', () => {
    expect(bounded(input({ ...none, outputDefault: 16n, choices: 2n })).outputTokens).toBe(32n)
    const wide = price({ maxOutputTokens: null })
    expect(bounded(input(none, { prices: [price(), price({ maxOutputTokens: 64_000n })] })).outputTokens).toBe(64_000n)
    expect(bounded(input(none, { prices: [price(), wide] })).outputTokens).toBe(128_000n)
    const unknown = price({ maxOutputTokens: null, contextWindow: null })
    expect(estimateCall(input(none, { prices: [price(), unknown] })).kind).toBe('unbounded-output')
    expect(estimateCall(input(none, { prices: [] })).kind).toBe('unbounded-output')
  })

  it('is required where the policy says so', () => {
    const rules = { ...RULES, requireOutputBound: true, defaultMaxOutputTokens: 10n }
    expect(estimateCall(input(none, { rules })).kind).toBe('output-bound-required')
  })
})

describe('the cost', () => {
  it('is priced over the cliff where the bound crosses it', () => {
    const tiers = [
      { aboveInputTokens: 0n, rates: flat(1_000_000n, 1_000_000n) },
      { aboveInputTokens: 1_000n, rates: flat(2_000_000n, 2_000_000n) },
    ]
    const prices = [price({ serviceTiers: new Map([['default', tiers]]) })]
    const below = bounded(input({ inputTokenIds: 872n }, { prices }))
    const above = bounded(input({ inputTokenIds: 873n }, { prices }))
    expect([below.inputTokens, below.cost]).toEqual([1_000n, 2_000_000n])
    expect([above.inputTokens, above.cost]).toEqual([1_001n, 4_002_000n])
  })

  it('takes the write rate of the cache only where the call can trigger it', () => {
    const cost = (call: Partial<Call>, model = 'gpt-4o'): bigint | null =>
      bounded(input({ outputBound: 0n, ...call }, { prices: [price({ model })] })).cost
    expect(cost({})).toBe(128n * 2_500n)
    expect(cost({ cacheWrite: '5m' })).toBe(128n * 3_125n)
    expect(cost({ cacheWrite: '1h' })).toBe(128n * 5_000n)
    expect(cost({}, 'gpt-5.6')).toBe(128n * 3_125n)
    expect(cost({ models: ['openai/gpt-5.12-mini'] }, '(dearest)')).toBe(128n * 3_125n)
    expect(cost({ models: ['gpt-5.5'] }, '(dearest)')).toBe(128n * 2_500n)
  })

  it('takes the service tier that was asked for, and the dearest for `auto` and unknown names', () => {
    const tier = (rate: bigint): readonly Tier[] => [{ aboveInputTokens: 0n, rates: flat(rate, rate) }]
    const serviceTiers = new Map([
      ['default', tier(2_000n)],
      ['flex', tier(1_000n)],
      ['priority', tier(4_000n)],
    ])
    const cost = (serviceTier: string | null): bigint | null =>
      bounded(input({ serviceTier, outputBound: 872n }, { prices: [price({ serviceTiers })] })).cost
    expect([null, 'default', 'standard_only', 'flex', 'priority', 'auto', 'x'].map(cost)).toEqual([
      2_000n,
      2_000n,
      2_000n,
      2_000n,
      4_000n,
      4_000n,
      4_000n,
    ])
  })

  it('holds what a provider charges for each request, once', () => {
    const cost = (perCall: Price['perCall'], choices = 1n): bigint =>
      bounded(input({ choices }, { prices: [price({ perCall }), price()] })).cost ?? -1n
    const charged = new Map([[PER_REQUEST, picoUsd(12_000_000_000n)]])
    expect(cost(charged) - cost(new Map())).toBe(12_000_000n)
    expect(cost(charged, 5n) - cost(new Map(), 5n)).toBe(12_000_000n)
  })

  it('is null without a price, and amounts are one a unit', () => {
    const estimate = bounded(input({ outputBound: 1n }, { prices: [] }))
    expect(estimate.cost).toBeNull()
    const amounts = { inputTokens: 3n, outputTokens: 4n, requests: 1n, cost: nanoUsd(5n) }
    expect(UNITS.map(unit => amountOf(unit, amounts))).toEqual([5n, 7n, 3n, 4n, 1n])
    expect(() => amountOf('USD', { ...amounts, cost: null })).toThrow(/price/)
  })
})

describe('the delivered estimate', () => {
  const delivered = (text: TextSize, deltaEvents: number, over: Partial<Delivered> = {}): Delivered => ({
    text,
    deltaEvents,
    hiddenReasoning: false,
    model: null,
    ...over,
  })
  const promptText: TextSize = { ...NO_TEXT, letters: 350, spaces: 80, marks: 10 }

  it.each([
    ['openai', 'gpt-4o', null],
    ['anthropic', 'claude-opus-5-5', 100n],
    ['', 'fake-model', null],
  ] as const)(
    'a stream of %s cut at half of 500 tokens is charged at or above the bill, at most 1.6 times it',
    (provider, model, reported) => {
      const real = 100n * 2_500n + 250n * 10_000n
      fc.assert(
        // One token a delta, as a space and 3 to 6 letters: 4 to 7 bytes.
        fc.property(fc.array(fc.integer({ min: 3, max: 6 }), { minLength: 250, maxLength: 250 }), words => {
          const text = { ...NO_TEXT, letters: words.reduce((sum, word) => sum + word, 0), spaces: 250 }
          const prices = [price({ provider, model })]
          const estimate = bounded(input({ text: promptText }, { prices }))
          const usageSoFar = reported === null ? null : usageOf({ ...NO_TOKENS, input: reported, output: 1n })
          const charge = deliveredEstimate({ call: CALL, prices, estimate, delivered: delivered(text, 250), usageSoFar, billsOn: false })
          expect(charge.cost ?? 0n).toBeGreaterThanOrEqual(real)
          expect(Number(charge.cost) / Number(real)).toBeLessThanOrEqual(1.6)
        }),
      )
    },
  )

  const args = (over: Partial<Parameters<typeof deliveredEstimate>[0]> = {}): Parameters<typeof deliveredEstimate>[0] => ({
    call: CALL,
    prices: [price()],
    estimate: bounded(input({ text: promptText })),
    delivered: delivered(NO_TEXT, 0),
    usageSoFar: null,
    billsOn: false,
    ...over,
  })

  it('is never zero, and never above the estimate unless more was reported', () => {
    fc.assert(
      fc.property(anyInput, anySize, fc.nat(100_000), fc.boolean(), fc.boolean(), (given, text, events, hiddenReasoning, billsOn) => {
        const outcome = estimateCall(given)
        if (outcome.kind !== 'bounded') return
        const { estimate } = outcome
        const charge = deliveredEstimate({
          ...given,
          estimate,
          delivered: delivered(text, events, { hiddenReasoning }),
          usageSoFar: null,
          billsOn,
        })
        expect(charge.inputTokens).toBe(estimate.inputTokens)
        expect(charge.outputTokens).toBeLessThanOrEqual(estimate.outputTokens)
        expect(charge.cost ?? 0n).toBeLessThanOrEqual(estimate.cost ?? 0n)
        if (billsOn) expect(charge.outputTokens).toBe(estimate.outputTokens)
      }),
    )
    expect(deliveredEstimate(args()).outputTokens).toBe(16n)
    expect(deliveredEstimate(args({ call: { ...CALL, tools: true } })).outputTokens).toBe(64n)
  })

  it('is the whole bound where the provider bills on, or thinks unseen and uncounted', () => {
    expect(deliveredEstimate(args({ billsOn: true })).outputTokens).toBe(1_000n)
    const hidden = delivered(NO_TEXT, 3, { hiddenReasoning: true })
    expect(deliveredEstimate(args({ delivered: hidden })).outputTokens).toBe(1_000n)
    const soFar = usageOf({ ...NO_TOKENS, input: 50n, output: 10n, reasoning: 90n })
    expect(deliveredEstimate(args({ delivered: hidden, usageSoFar: soFar }))).toMatchObject({ inputTokens: 50n, outputTokens: 100n })
    expect(deliveredEstimate(args({ delivered: hidden, usageSoFar: usageOf({ ...NO_TOKENS, input: 50n, output: 1n }) })).outputTokens).toBe(
      1_000n,
    )
  })

  it('keeps a larger report, also above the estimate, and the cost that it states', () => {
    const more = usageOf({ ...NO_TOKENS, input: 5_000n, output: 2_000n })
    const charge = deliveredEstimate(args({ usageSoFar: more }))
    expect(charge).toMatchObject({ inputTokens: 5_000n, outputTokens: 2_000n })
    expect(charge.cost).toBe(costOf(more, price()))
    const stated = usageOf({ ...NO_TOKENS, input: 1n }, { statedCost: nanoUsd(10n ** 12n) })
    expect(deliveredEstimate(args({ usageSoFar: stated })).cost).toBe(10n ** 12n)
    expect(deliveredEstimate(args({ usageSoFar: stated, prices: [] })).cost).toBe(10n ** 12n)
  })

  it('charges the parts of a reported input at their own rates', () => {
    const cached = usageOf({ ...NO_TOKENS, input: 20n, cacheRead: 100n })
    const charge = deliveredEstimate(args({ usageSoFar: cached }))
    expect(charge.cost).toBe(20n * 2_500n + 100n * 250n + 16n * 10_000n)
  })

  it('charges the whole estimate where the provider ran tools by itself', () => {
    const call = { ...CALL, serverTools: ['web_search'] }
    const soFar = usageOf({ ...NO_TOKENS, input: 2_479n, output: 1n })
    const estimate = { inputTokens: 1_280_000n, outputTokens: 1_000n, cost: nanoUsd(77n), injectOutputBound: null, clampToolUses: null }
    const charge = deliveredEstimate(args({ call, estimate, usageSoFar: soFar }))
    expect(charge).toMatchObject({ inputTokens: 1_280_000n, outputTokens: 1_000n })
    expect(charge.cost).toBe(costOf(soFar, price()))
  })
})
