// An envelope: the price that bounds several prices, kind by kind and tier by tier. Never less than any of them for any usage.
import { assert } from '../core/assert.ts'
import { type PicoUsd, picoUsd } from '../core/money.ts'
import { type Price, type Rates, ratesFor, serviceTierOf, type Tier, TOKEN_KINDS } from '../core/price.ts'

/** The envelope of at least one price, under the given names. */
export function envelopeOf(prices: readonly Price[], provider: string, model: string): Price {
  const [first] = prices
  assert(first !== undefined, 'an envelope holds at least one price')
  const names = new Set(prices.flatMap(price => [...price.serviceTiers.keys()]))
  const all = (regional: boolean): Price['serviceTiers'] =>
    new Map([...names].map(name => [name, tiersOver(prices.map(price => serviceTierOf(price, name, regional)))]))
  return {
    provider,
    model,
    serviceTiers: all(false),
    ...(prices.some(price => price.regionalTiers !== undefined) ? { regionalTiers: all(true) } : {}),
    perCall: callsOver(prices),
    ...(prices.every(price => price.perToken === false) ? { perToken: false } : {}),
    maxOutputTokens: prices.some(price => price.maxOutputTokens === null) ? null : largest(prices.map(price => price.maxOutputTokens)),
    contextWindow: largest(prices.map(price => price.contextWindow)),
  }
}

function tiersOver(all: readonly (readonly Tier[])[]): readonly Tier[] {
  const bounds = new Set(all.flatMap(tiers => tiers.map(tier => tier.aboveInputTokens)))
  const ascending = [...bounds].sort((a, b) => (a < b ? -1 : 1))
  return ascending.map(bound => ({ aboveInputTokens: bound, rates: ratesOver(all.map(tiers => ratesFor(tiers, bound + 1n))) }))
}

function ratesOver(all: readonly Rates[]): Rates {
  return Object.fromEntries(TOKEN_KINDS.map(kind => [kind, all.reduce((most, rates) => max(most, rates[kind]), 0n)])) as Rates
}

function callsOver(prices: readonly Price[]): ReadonlyMap<string, PicoUsd> {
  const calls = new Map<string, PicoUsd>()
  for (const price of prices) for (const [kind, rate] of price.perCall) calls.set(kind, picoUsd(max(calls.get(kind) ?? 0n, rate)))
  return calls
}

const max = (a: bigint, b: bigint): bigint => (a > b ? a : b)

function largest(values: readonly (bigint | null)[]): bigint | null {
  return values.reduce((most, value) => (value === null ? most : most === null ? value : max(most, value)), null)
}
