// What an exchange is charged, from how it ended and what is known of its usage. Pure; DESIGN's settlement rules in one place.
import { type Amounts, amountOf, deliveredEstimate } from '../core/estimate.ts'
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
  /** A non-2xx answer of the provider. */
  | { readonly kind: 'error' }
  /** No answer was seen, and the provider may have been reached. */
  | { readonly kind: 'lost' }

export const isExact = (ending: Ending): boolean => ending.kind === 'answered' && ending.reading.kind === 'exact'

export interface Charge {
  /** The metric's label and the stream's word. */
  readonly how: 'exact' | 'unpriced' | 'partial' | 'absent' | 'unread' | 'error' | 'lost' | 'contradiction'
  readonly proven: boolean
  readonly inputTokens: bigint
  readonly outputTokens: bigint
  readonly requests: bigint
  /** Null where no price is known and no line needs one. */
  readonly cost: NanoUsd | null
}

/** The charge of an ending; one beyond what a ledger counts contradicts itself, and is charged as estimated. */
export function chargeOf(plan: Plan, ending: Ending, nowMs: number): Charge {
  const charge = chargeFor(plan, ending, nowMs)
  const countable = charge.inputTokens + charge.outputTokens <= AMOUNT_MAX && (charge.cost ?? 0n) <= AMOUNT_MAX
  return countable ? charge : { how: 'contradiction', proven: false, ...plan.estimate, requests: 1n }
}

function chargeFor(plan: Plan, ending: Ending, nowMs: number): Charge {
  const { estimate } = plan
  const whole = { proven: false, inputTokens: estimate.inputTokens, outputTokens: estimate.outputTokens, requests: 1n, cost: estimate.cost }
  switch (ending.kind) {
    case 'error':
      return { how: 'error', proven: true, inputTokens: 0n, outputTokens: 0n, requests: 1n, cost: nanoUsd(0n) }
    case 'unread':
      return { ...whole, how: 'unread' }
    case 'lost':
      return { ...whole, how: 'lost' }
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

function exactCharge(plan: Plan, usage: Usage, nowMs: number): Charge {
  const counts = { inputTokens: inputTotal(usage.tokens), outputTokens: outputTotal(usage.tokens), requests: 1n }
  const cost = costOfAnswer(plan, usage, nowMs)
  return cost === null ? unpricedCharge(plan, usage, counts, nowMs) : { how: 'exact', proven: true, ...counts, cost }
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
  plan: Plan,
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

function deliveredCharge(plan: Plan, how: 'partial' | 'absent', soFar: Usage | null, delivered: Delivered): Charge {
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
