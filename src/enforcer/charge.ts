// What an exchange is charged, from how it ended and what is known of its usage. Pure; DESIGN's settlement rules in one place.
import { boundCost } from '../core/cost-bound.ts'
import { type Amounts, amountOf, deliveredEstimate, type Estimate } from '../core/estimate.ts'
import { type NanoUsd, nanoUsd } from '../core/money.ts'
import { costOf, type Price, pricesUsage } from '../core/price.ts'
import { billsOnAfterAbort } from '../core/provider.ts'
import type { Line } from '../core/reservation.ts'
import { type Delivered, inputTotal, outputTotal, type Usage, type UsageReading } from '../core/usage.ts'
import { AMOUNT_MAX } from '../limits.ts'
import type { Plan } from './plan.ts'

export type Ending =
  /** A 2xx answer, whole or cut; the reading tells which. */
  | { readonly kind: 'answered'; readonly reading: UsageReading }
  /** A 2xx answer that could not be read (its encoding, say). */
  | { readonly kind: 'unread' }
  /** A 2xx answer whose usage the proxy read, which tells less than the answer itself. */
  | { readonly kind: 'reported'; readonly usage: Usage }
  /** A non-2xx answer of the provider. */
  | { readonly kind: 'error' }
  /** No answer was seen, and the provider may have been reached. */
  | { readonly kind: 'lost' }

/** What of a plan a charge is made from. */
export interface ChargedPlan extends Pick<Plan, 'call' | 'provider' | 'book' | 'prices'> {
  readonly estimate: Pick<Estimate, 'inputTokens' | 'outputTokens' | 'cost'>
  readonly binding: { readonly rules: Pick<Plan['binding']['rules'], 'onUnknownModel'> }
}
export const isExact = (ending: Ending): boolean => ending.kind === 'answered' && ending.reading.kind === 'exact'

export interface Charge {
  /** The metric's label and the stream's word. */
  readonly how: 'exact' | 'reported' | 'unpriced' | 'partial' | 'absent' | 'unread' | 'error' | 'lost' | 'contradiction'
  readonly proven: boolean
  readonly inputTokens: bigint
  readonly outputTokens: bigint
  readonly requests: bigint
  /** Null where no price is known and no line needs one. */
  readonly cost: NanoUsd | null
}

/** The charge of an ending; one beyond what a ledger counts contradicts itself, and is charged as estimated. */
export function chargeOf(plan: ChargedPlan, ending: Ending, nowMs: number): Charge {
  const charge = chargeFor(plan, ending, nowMs)
  const countable = charge.inputTokens + charge.outputTokens <= AMOUNT_MAX && (charge.cost ?? 0n) <= AMOUNT_MAX
  return countable ? charge : { how: 'contradiction', proven: false, ...plan.estimate, requests: 1n }
}

function chargeFor(plan: ChargedPlan, ending: Ending, nowMs: number): Charge {
  const { estimate } = plan
  const whole = { proven: false, inputTokens: estimate.inputTokens, outputTokens: estimate.outputTokens, requests: 1n, cost: estimate.cost }
  switch (ending.kind) {
    case 'error':
      return { how: 'error', proven: true, inputTokens: 0n, outputTokens: 0n, requests: 1n, cost: nanoUsd(0n) }
    case 'unread':
      return { ...whole, how: 'unread' }
    case 'lost':
      return { ...whole, how: 'lost' }
    case 'reported':
      return reportedCharge(plan, ending.usage, nowMs) ?? { ...whole, how: 'absent' }
    case 'answered':
      break
  }
  const { reading } = ending
  if (reading.kind === 'exact') return exactCharge(plan, reading.usage, nowMs)
  if (plan.call.background || !plan.call.generates) return { ...whole, how: reading.kind }
  return deliveredCharge(plan, reading.kind, reading.kind === 'partial' ? reading.usage : null, reading.delivered)
}

/** The amount of a charge on each line: in-flight lines count open reservations only, so they settle to nothing. */
export const amountsFor = (lines: readonly Line[], charge: Amounts): bigint[] =>
  lines.map(line => (line.window.kind === 'inFlight' ? 0n : amountOf(line.unit, charge)))

function exactCharge(plan: ChargedPlan, usage: Usage, nowMs: number): Charge {
  const counts = { inputTokens: inputTotal(usage.tokens), outputTokens: outputTotal(usage.tokens), requests: 1n }
  const cost = costOfAnswer(plan, usage, nowMs)
  return cost === null ? unpricedCharge(plan, usage, counts, nowMs) : { how: 'exact', proven: true, ...counts, cost }
}

/**
 * Sums of tokens do not tell sound and pictures from text, nor the service tier: it is exact where that makes no difference, else the most
 * that such sums can cost. Null where they are not all that the call is charged by.
 */
function reportedCharge(plan: ChargedPlan, told: Usage, nowMs: number): Charge | null {
  const { call } = plan
  if (!call.generates || call.background || call.serverTools.length > 0 || call.charges !== undefined) return null
  const { cacheWrite5m } = told.tokens
  const usage = call.cacheWrite === '1h' ? { ...told, tokens: { ...told.tokens, cacheWrite5m: 0n, cacheWrite1h: cacheWrite5m } } : told
  const charge = exactCharge(plan, usage, nowMs)
  if (charge.cost === null || !charge.proven) return charge
  const { tokens } = usage
  const text = call.media.length === 0 && call.opaqueInputs.length === 0
  const input = text ? ({ kind: 'reported', tokens } as const) : ({ kind: 'bound', tokens: charge.inputTokens } as const)
  const bound = boundCost(call, priceOfAnswer(plan, usage.model, nowMs) ?? [], input, charge.outputTokens, 0n)
  if (bound === null || bound <= charge.cost) return charge
  return { ...charge, how: 'reported', proven: false, cost: bound }
}

/** What a plan's prices are found by. */
type Priced = Pick<Plan, 'call' | 'provider' | 'book' | 'prices'>

/** What an answer cost: as the provider states it, else by the price of whoever answered; null where that has none. */
export function costOfAnswer(plan: Priced, usage: Usage, nowMs: number): NanoUsd | null {
  if (usage.statedCost !== null) return usage.statedCost
  const price = priceOfAnswer(plan, usage.model, nowMs)
  const others = new Map(usage.elsewhere?.map(({ model }) => [model, priceOfAnswer(plan, model, nowMs)?.[0] ?? null]))
  const priced = price?.every(one => pricesUsage(one, usage)) === true && ![...others.values()].includes(null)
  return priced ? dearestCost(usage, price ?? [], others) : null
}

/** The answering model has no price: never nothing, but the estimate, or its provider's dearest price where the policy allows that. */
function unpricedCharge(
  plan: ChargedPlan,
  usage: Usage,
  counts: Pick<Charge, 'inputTokens' | 'outputTokens' | 'requests'>,
  nowMs: number,
): Charge {
  if (plan.estimate.cost === null) return { how: 'exact', proven: true, ...counts, cost: null }
  const standIn = plan.binding.rules.onUnknownModel === 'DearestOfProvider' ? plan.book.dearest(plan.provider, nowMs) : null
  const dearest = standIn === null ? 0n : costOf(usage, standIn)
  const cost = nanoUsd(dearest > plan.estimate.cost && dearest <= AMOUNT_MAX ? dearest : plan.estimate.cost)
  return { how: 'unpriced', proven: false, ...counts, cost }
}

function deliveredCharge(plan: ChargedPlan, how: 'partial' | 'absent', soFar: Usage | null, delivered: Delivered): Charge {
  // Cut short, an answer that is not streamed is generated and billed to its end all the same.
  const billsOn = how === 'partial' && (billsOnAfterAbort(plan.provider) || !plan.call.streaming)
  const { inputTokens, outputTokens, cost } = deliveredEstimate({
    call: plan.call,
    prices: plan.prices,
    estimate: plan.estimate,
    delivered,
    usageSoFar: soFar,
    billsOn,
  })
  return { how, proven: false, inputTokens, outputTokens, requests: 1n, cost }
}

/** The price of the model that answered; of all that may have where the answer does not say; null where it has none. */
function priceOfAnswer(plan: Priced, model: string | null, nowMs: number): readonly Price[] | null {
  if (model === null) return plan.prices.length === 0 ? null : plan.prices
  const asked = plan.prices[plan.call.models.indexOf(model)]
  const price = asked ?? plan.book.find(plan.provider, model, nowMs)
  return price === null ? null : [price]
}

/** `others`: the prices of models that answered a part of it. */
function dearestCost(usage: Usage, prices: readonly Price[], others: ReadonlyMap<string, Price | null>): NanoUsd {
  let dearest = nanoUsd(0n)
  for (const price of prices) {
    const cost = costOf(usage, price, model => others.get(model) ?? price)
    if (cost > dearest) dearest = cost
  }
  return dearest
}
