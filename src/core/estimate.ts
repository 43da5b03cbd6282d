// The estimate: the most a call can cost, in every unit, or a named reason why there is no such bound. A bound, never a guess.
import { assert, assertNever } from './assert.ts'
import type { Unit } from './budget.ts'
import type { Call } from './call.ts'
import { boundCost } from './cost-bound.ts'
import { type NanoUsd, nanoUsd } from './money.ts'
import type { BindingRules } from './policy.ts'
import { costOf, type Price } from './price.ts'
import {
  type Answerer,
  countedBound,
  framingBound,
  itemsBound,
  largest,
  mediaBound,
  strictBound,
  type TokenCount,
  tellsFamily,
  textBound,
  textLikely,
} from './token-bound.ts'
import { toolBound, type UnboundedTools } from './tool-bound.ts'
import { type Delivered, inputTotal, NO_TOKENS, outputTotal, type Usage } from './usage.ts'

/** The bound in every unit; `cost` is null where no price is known. */
export interface Estimate {
  readonly inputTokens: bigint
  readonly outputTokens: bigint
  readonly cost: NanoUsd | null
  /** The bound on the output of one choice that the body must declare for this estimate to hold; null where nothing is to be put in. */
  readonly injectOutputBound: bigint | null
  /** The same for the uses of tools that the provider runs. */
  readonly clampToolUses: bigint | null
}

export type EstimateOutcome =
  | { readonly kind: 'bounded'; readonly estimate: Estimate }
  /** No maximum is known, and none may be injected. */
  | { readonly kind: 'unbounded-output' }
  | { readonly kind: 'output-bound-required' }
  | { readonly kind: 'opaque-input'; readonly what: string }
  | UnboundedTools

export interface EstimateInput {
  readonly call: Call
  /** Prices of all models that may answer; empty where none is known. The dearest of each part counts. */
  readonly prices: readonly Price[]
  /** The provider's family decides the tokenizer's factor; null: the largest. */
  readonly provider: string | null
  readonly rules: BindingRules
  /** Whether the body may be amended, so that a bound can be injected. */
  readonly mayInject: boolean
  /** Put this in as the bound on the output of one choice, in the place of what the call declares; absent or null: nothing. */
  readonly boundAt?: bigint | null
  /** What a tokenizer counted of the body; absent or null where it did not. Used where the rules say `Tokenizer`. */
  readonly counted?: TokenCount | null
}

/** Requests that a call makes: a batch is many. */
const requestsOf = (call: Call): bigint => (call.batch === true ? call.choices : 1n)

/**
 * The most the call can cost: tokens of input (a bound by bytes, framing, media, token ids; at most the context window) and of
 * output (the declared, injected or largest bound, times the choices), and USD at the dearest rates that it can trigger.
 * Whatever it cannot bound has a name.
 */
export function estimateCall(input: EstimateInput): EstimateOutcome {
  const { call, prices, provider, rules, mayInject } = input
  assert(call.choices >= 1n && call.inputTokenIds >= 0n && (call.outputBound ?? 0n) >= 0n, 'a reader lets no negative count through')
  const tools = toolBound(call, rules, provider, mayInject)
  if (tools.kind !== 'uses') return tools
  const inputBound = boundInput(input, tools.rounds)
  if (inputBound.kind !== 'tokens') return inputBound
  const outputBound = boundOutput(input)
  if (outputBound.kind !== 'tokens') return outputBound
  const inputTokens = inputBound.tokens
  const outputTokens = outputBound.tokens
  const cost = boundCost(call, prices, { kind: 'bound', tokens: inputTokens }, outputTokens, tools.uses * requestsOf(call))
  const estimate = { inputTokens, outputTokens, cost, injectOutputBound: outputBound.inject, clampToolUses: tools.clamp }
  return { kind: 'bounded', estimate }
}

/** What is counted of a call on budget lines: of an estimate, of a settlement. */
export interface Amounts {
  readonly inputTokens: bigint
  readonly outputTokens: bigint
  readonly requests: bigint
  /** Null where no price is known: then no line in USD may ask. */
  readonly cost: NanoUsd | null
}

/** The amount on a line of this unit. Throws where a line in USD meets an unknown cost: no price is a refusal, never $0. */
export function amountOf(unit: Unit, amounts: Amounts): bigint {
  switch (unit) {
    case 'USD':
      assert(amounts.cost !== null, 'a line in USD is only asked for with a price')
      return amounts.cost
    case 'Tokens':
      return amounts.inputTokens + amounts.outputTokens
    case 'InputTokens':
      return amounts.inputTokens
    case 'OutputTokens':
      return amounts.outputTokens
    case 'Requests':
      return amounts.requests
    default:
      return assertNever(unit)
  }
}

/** The ground of a delivered estimate. */
export interface DeliveredInput {
  readonly call: Call
  /** Prices of all models that may have answered, as at the reserve. */
  readonly prices: readonly Price[]
  readonly estimate: Pick<Estimate, 'inputTokens' | 'outputTokens' | 'cost'>
  readonly delivered: Delivered
  /** The last cumulative report, null where none came. */
  readonly usageSoFar: Usage | null
  /** Whether the provider goes on to generate and bill what nobody waits for. */
  readonly billsOn: boolean
}

/**
 * What an answer without a final report is charged. Input: as reported so far, else as estimated. Output: what came through, or the
 * whole bound where the provider bills on or thinks unseen. Tools that the provider runs by itself: the whole estimate.
 * At most the estimate, unless more than that was reported already.
 */
export function deliveredEstimate(input: DeliveredInput): Omit<Amounts, 'requests'> {
  const { call, prices, estimate, usageSoFar } = input
  const tokens = usageSoFar?.tokens ?? NO_TOKENS
  const reported = inputTotal(tokens)
  const whole = call.serverTools.length > 0
  const known = reported > 0n && !whole
  const inputTokens = known ? reported : largest([reported, estimate.inputTokens])
  const outputTokens = largest([outputTotal(tokens), whole ? estimate.outputTokens : atMost(deliveredOutput(input), estimate.outputTokens)])
  const asked = {
    ...call,
    serviceTier: usageSoFar?.serviceTier ?? call.serviceTier,
    regional: usageSoFar?.regional ?? call.regional ?? false,
  }
  const cost = whole
    ? estimate.cost
    : boundCost(asked, prices, known ? { kind: 'reported', tokens } : { kind: 'bound', tokens: inputTokens }, outputTokens, 0n)
  return { inputTokens, outputTokens, cost: withinEstimate(cost, estimate.cost, reportedCost(usageSoFar, prices)) }
}

/** Tokens of output that no delta shows: the end of an answer, and the framing of calls of tools (recorded: up to 46 for two calls). */
const HIDDEN_TOKENS = 16n
const TOOL_CALL_TOKENS = 64n

/** Deltas of one token each are counted right by their events, larger ones by their bytes; framing and hidden tokens are the margin. */
function deliveredOutput({ call, prices, estimate, delivered, usageSoFar, billsOn }: DeliveredInput): bigint {
  const thoughtIsCounted = (usageSoFar?.tokens.reasoning ?? 0n) > 0n
  if (billsOn || call.background || (delivered.hiddenReasoning && !thoughtIsCounted)) return estimate.outputTokens
  const likely = largest([textLikely(delivered.text, answerersOf(call, prices, null)), BigInt(delivered.deltaEvents)])
  return (likely * 5n + 3n) / 4n + (call.tools ? TOOL_CALL_TOKENS : HIDDEN_TOKENS)
}

/** What a report so far costs at the dearest of the prices: a charge is never below it. */
function reportedCost(usage: Usage | null, prices: readonly Price[]): bigint {
  if (usage === null) return 0n
  return usage.statedCost ?? largest(prices.map(price => costOf(usage, price)))
}

function withinEstimate(cost: NanoUsd | null, estimate: NanoUsd | null, reported: bigint): NanoUsd | null {
  if (cost === null) return reported > 0n ? nanoUsd(reported) : null
  return nanoUsd(largest([reported, atMost(cost, estimate)]))
}

/**
 * Who may answer, as far as it tells something about tokens: the entries of the price book, and the names that were asked for where
 * they tell a family (the price of another model may stand in for theirs) or there are no prices.
 */
export function answerersOf(call: Call, prices: readonly Price[], provider: string | null): readonly Answerer[] {
  const asked = prices.length > 0 ? call.models.filter(tellsFamily) : call.models
  return [...prices, ...asked.map(model => ({ provider, model }))]
}

type InputBound = { readonly kind: 'tokens'; readonly tokens: bigint } | Extract<EstimateOutcome, { kind: 'opaque-input' | 'server-tools' }>

/** `rounds` of tools that the provider runs: each may read the whole window. */
function boundInput(input: EstimateInput, rounds: bigint): InputBound {
  const { call, prices, provider, rules } = input
  const answerers = answerersOf(call, prices, provider)
  const window = ofAll(prices, price => price.contextWindow)
  const [tool] = call.serverTools
  if (tool !== undefined && window === null) return { kind: 'server-tools', what: tool, why: 'no-window' }
  const media = mediaBound(call.media, answerers)
  const opaque = call.opaqueInputs[0] ?? (media === null ? 'media by reference' : undefined)
  if (opaque !== undefined && (rules.onOpaqueInput === 'Deny' || window === null)) return { kind: 'opaque-input', what: opaque }
  const text = boundText(input, answerers)
  const seen = atMost(text + framingBound(call, answerers) + call.inputTokenIds + (media ?? 0n), windowOfRequest(call, window))
  const hidden = tool !== undefined ? rounds * (window ?? 0n) : opaque !== undefined ? (window ?? 0n) : 0n
  return { kind: 'tokens', tokens: largest([seen, hidden * requestsOf(call)]) }
}

/** The text and what frames its items. Both bounds hold where both are known, so the smaller one does. */
function boundText({ call, rules, counted = null }: EstimateInput, answerers: readonly Answerer[]): bigint {
  if (rules.inputEstimate === 'Strict') return strictBound(call.text) + itemsBound(call)
  const byBytes = textBound(call.text, answerers) + itemsBound(call)
  return rules.inputEstimate === 'Tokenizer' && counted !== null ? atMost(byBytes, countedBound(counted, call.media, answerers)) : byBytes
}

/** Each item of an embedding, and each prompt of an array, has a context window of its own. */
function windowOfRequest(call: Call, window: bigint | null): bigint | null {
  if (window === null) return null
  return window * largest([1n, call.generates ? call.choices : BigInt(call.inputItems)])
}

type OutputBound =
  | { readonly kind: 'tokens'; readonly tokens: bigint; readonly inject: bigint | null }
  | Extract<EstimateOutcome, { kind: 'unbounded-output' | 'output-bound-required' }>

function boundOutput(input: EstimateInput): OutputBound {
  const { call, rules } = input
  if (!call.generates) return { kind: 'tokens', tokens: 0n, inject: null }
  const tokens = (perChoice: bigint, inject: bigint | null = null): OutputBound => ({
    kind: 'tokens',
    tokens: perChoice * call.choices,
    inject,
  })
  if (call.outputBound === null && rules.requireOutputBound) return { kind: 'output-bound-required' }
  if (input.boundAt != null) return tokens(input.boundAt, input.boundAt)
  if (call.outputBound !== null) return tokens(call.outputBound)
  const injected = injectedBound(input)
  // A provider's own small default stays: to put in a larger bound would make the client's answers longer.
  if (call.outputDefault !== null && (injected === null || call.outputDefault <= injected)) return tokens(call.outputDefault)
  if (injected !== null) return tokens(injected, injected)
  const most = ofAll(input.prices, price => price.maxOutputTokens ?? price.contextWindow)
  return most === null ? { kind: 'unbounded-output' } : tokens(most)
}

/** The policy's bound, not above what any of the models takes: providers refuse a bound beyond their maximum. */
function injectedBound({ call, rules, mayInject, prices }: EstimateInput): bigint | null {
  if (rules.defaultMaxOutputTokens === null || !mayInject || call.takesBound === false) return null
  let bound = rules.defaultMaxOutputTokens
  for (const { maxOutputTokens } of prices) bound = atMost(bound, maxOutputTokens)
  return bound
}

const atMost = (value: bigint, cap: bigint | null): bigint => (cap !== null && cap < value ? cap : value)

/** The largest of a figure over all prices; null where one of them lacks it, or there are none. */
function ofAll(prices: readonly Price[], figure: (price: Price) => bigint | null): bigint | null {
  const figures = prices.map(figure)
  const known = figures.filter(value => value !== null)
  return known.length === 0 || known.length < figures.length ? null : largest(known)
}
