// Prices: money per token of each kind, exact, and what a usage costs at them. Never a guess: no price is null, not zero.
import { type NanoUsd, nanoUsdUp, type PicoUsd, picoUsd } from './money.ts'
import { inputTotal, type TokenCounts, type Usage } from './usage.ts'

/** Pico-USD per token, one rate a kind: every fallback (a missing cache rate, a service tier's multiplier) is already applied and rounded up. */
export type Rates = { readonly [Kind in keyof TokenCounts]: PicoUsd }

/** Rates from a size of input on: a long-context tier prices the whole request. */
export interface Tier {
  /** The tier applies when the whole input is larger than this; 0 for the base tier. */
  readonly aboveInputTokens: bigint
  readonly rates: Rates
}

export interface Price {
  /** The provider and the entry of the book that matched, for people. */
  readonly provider: string
  readonly model: string
  /** Tiers of each service tier, ascending by `aboveInputTokens`, the first at 0; `default` is always there. */
  readonly serviceTiers: ReadonlyMap<string, readonly Tier[]>
  /** Pico-USD a call, by kind of call, for instance `web_search`. */
  readonly perCall: ReadonlyMap<string, PicoUsd>
  readonly maxOutputTokens: bigint | null
  readonly contextWindow: bigint | null
}

/** A book frozen at one instant: what is used at reserve is used at settlement. */
export interface PriceBook {
  /** Identifies the content, for the record of a reservation. */
  readonly hash: string
  /** The price of a model at `nowMs`; `provider` null where it is not known: then the dearest price under that name. */
  find(provider: string | null, model: string, nowMs: number): Price | null
  /** A price that bounds every model of the provider (or of the book, for null), kind by kind. */
  dearest(provider: string | null, nowMs: number): Price | null
  /** The one first-party provider of a model's name, where there is exactly one. */
  providerOf(model: string): string | null
}

const KINDS = [
  'input',
  'cacheRead',
  'cacheWrite5m',
  'cacheWrite1h',
  'inputAudio',
  'inputImage',
  'output',
  'reasoning',
  'outputAudio',
  'outputImage',
] as const satisfies readonly (keyof TokenCounts)[]

/** The cost of a usage: all its parts summed in pico-USD, rounded up to nano-USD once. A cost that the provider states wins. */
export function costOf(usage: Usage, price: Price): NanoUsd {
  if (usage.statedCost !== null) return usage.statedCost
  const tiers = price.serviceTiers.get(usage.serviceTier ?? 'default') ?? price.serviceTiers.get('default') ?? []
  let sum = tokenCost(usage.tokens, ratesFor(tiers, inputTotal(usage.tokens)))
  for (const [kind, count] of usage.calls) sum += count * (price.perCall.get(kind) ?? 0n)
  return nanoUsdUp(picoUsd(sum))
}

/** The rates that an input of this size is billed at. */
export function ratesFor(tiers: readonly Tier[], inputTokens: bigint): Rates {
  let found = tiers[0]
  for (const tier of tiers) if (inputTokens > tier.aboveInputTokens) found = tier
  if (found === undefined) throw new Error('a price has at least its base tier')
  return found.rates
}

export function tokenCost(tokens: TokenCounts, rates: Rates): bigint {
  let sum = 0n
  for (const kind of KINDS) sum += tokens[kind] * rates[kind]
  return sum
}
