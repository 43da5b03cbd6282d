// Prices: money per token of each kind, exact, and what a usage costs at them. Never a guess: no price is null, not zero.
import { assert } from './assert.ts'
import { type NanoUsd, nanoUsdUp, type PicoUsd, picoUsd } from './money.ts'
import { inputTotal, outputTotal, type TokenCounts, type Usage } from './usage.ts'

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
  /** Tiers of each service tier, by its lower-case name, ascending by `aboveInputTokens`, the first at 0; `default` is always there. */
  readonly serviceTiers: ReadonlyMap<string, readonly Tier[]>
  /** The same, where an answer made in a region of the caller's choice costs more; absent: it does not. */
  readonly regionalTiers?: ReadonlyMap<string, readonly Tier[]>
  /** Pico-USD a call, by kind of call, for instance `web_search`. {@link PER_REQUEST} is charged once an answer. */
  readonly perCall: ReadonlyMap<string, PicoUsd>
  /** False where the model is not sold by the token at all: then all rates are 0, and say nothing. Ask {@link pricesKinds}. */
  readonly perToken?: boolean
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
  /** What else a name is known by at the provider; `provider` null where it is not known. */
  namesOf(provider: string | null, model: string): ModelNames
}

/** The other names of a model, for rules that are written for one of them. */
export interface ModelNames {
  /** The same name without what only says where and how: providers before it, routing behind it, spaces, another form of its date. */
  readonly spellings: readonly string[]
  /** The models that it is an alias of. */
  readonly standsFor: readonly string[]
}

export const TOKEN_KINDS: readonly (keyof TokenCounts)[] = [
  'input',
  'cacheRead',
  'cacheReadAudio',
  'cacheWrite5m',
  'cacheWrite1h',
  'inputAudio',
  'inputImage',
  'inputVideo',
  'output',
  'reasoning',
  'outputAudio',
  'outputImage',
  'outputVideo',
]

/** The kind of call that every answer is: some providers charge by the request besides its tokens. */
export const PER_REQUEST = 'request'

/** Seconds of audio, for models that are sold by the length of what they hear. */
export const AUDIO_SECOND = 'audio_second'

/** Kinds of charges that stand for tokens: a price that does not name one bills the tokens instead. */
const INSTEAD_OF_TOKENS: ReadonlySet<string> = new Set([AUDIO_SECOND])

/**
 * Whether a price says what something costs that is charged by these kinds (of `Call.charges`, of `Usage.calls`) and by tokens. A model
 * that is not sold by the token has no price for anything else than what it names: which is not a price of zero.
 */
export function pricesKinds(price: Price, charged: ReadonlyMap<string, bigint>): boolean {
  return price.perToken !== false || [...charged.keys()].some(kind => price.perCall.has(kind))
}

/** Whether a price says what this usage costs: seconds without tokens have no price at a model that is sold by the token alone. */
export function pricesUsage(price: Price, { tokens, calls }: Usage): boolean {
  const length = [...calls.keys()].some(kind => INSTEAD_OF_TOKENS.has(kind) && !price.perCall.has(kind))
  return pricesKinds(price, calls) && !(length && inputTotal(tokens) + outputTotal(tokens) === 0n)
}

/**
 * The cost of a usage: all its parts summed in pico-USD, rounded up to nano-USD once. A cost that the provider states wins.
 * A service tier that the price does not know costs as `default`: its names are many (`standard`, `on_demand`, `scale`), and those
 * known to cost more are in the book. A kind of call without a price of its own costs as the price's dearest kind, never nothing.
 * `others`: the prices of models that answered a part of it; `price` unless told.
 */
export function costOf(usage: Usage, price: Price, others: (model: string) => Price = () => price): NanoUsd {
  if (usage.statedCost !== null) {
    assert(usage.statedCost >= 0n, 'a stated cost is not negative')
    return usage.statedCost
  }
  let own = usage.tokens
  let elsewhere = 0n
  for (const { model, tokens } of usage.elsewhere ?? []) {
    own = without(own, tokens)
    elsewhere += tokensAt(tokens, others(model), usage)
  }
  return nanoUsdUp(picoUsd(tokensAt(own, price, usage) + elsewhere + callCost(usage.calls, price)))
}

const tokensAt = (tokens: TokenCounts, price: Price, { serviceTier, regional }: Usage): bigint =>
  tokenCost(tokens, ratesFor(serviceTierOf(price, serviceTier, regional), inputTotal(tokens)))

/** What is left of `whole`; a part that it does not hold fails in {@link tokenCost}, which takes no negative count. */
const without = (whole: TokenCounts, part: TokenCounts): TokenCounts =>
  Object.fromEntries(TOKEN_KINDS.map(kind => [kind, whole[kind] - part[kind]])) as unknown as TokenCounts

/** The tiers of all service tiers. `regional`: of answers made in a region of the caller's choice. */
export const serviceTiersOf = (price: Price, regional: boolean): Price['serviceTiers'] =>
  (regional ? price.regionalTiers : undefined) ?? price.serviceTiers

/** The tiers of a service tier as asked or echoed, whatever its case; those of `default` for null and for names that the price does not know. */
export function serviceTierOf(price: Price, name: string | null, regional = false): readonly Tier[] {
  const all = serviceTiersOf(price, regional)
  const tiers = (name === null ? undefined : all.get(name.toLowerCase())) ?? all.get('default')
  assert(tiers !== undefined, 'every price has its default service tier')
  return tiers
}

/** The rates that an input of this size is billed at: a tier begins above its bound, and then prices the whole request. */
export function ratesFor(tiers: readonly Tier[], inputTokens: bigint): Rates {
  let found = tiers[0]
  for (const tier of tiers) if (inputTokens > tier.aboveInputTokens) found = tier
  assert(found !== undefined, 'a price has at least its base tier')
  return found.rates
}

/** The sum over all kinds, in pico-USD: exact, nothing is rounded. */
export function tokenCost(tokens: TokenCounts, rates: Rates): PicoUsd {
  let sum = 0n
  for (const kind of TOKEN_KINDS) {
    assert(tokens[kind] >= 0n, 'a count of tokens is not negative')
    sum += tokens[kind] * rates[kind]
  }
  return picoUsd(sum)
}

/** What calls cost besides tokens, in pico-USD, the charge for the request itself included. */
export function callCost(calls: ReadonlyMap<string, bigint>, price: Price): PicoUsd {
  let sum: bigint = price.perCall.get(PER_REQUEST) ?? 0n
  for (const [kind, count] of calls) {
    assert(count >= 0n, 'a count of calls is not negative')
    if (kind !== PER_REQUEST) sum += count * perCallRate(price, kind)
  }
  return picoUsd(sum)
}

/** Pico-USD for one call of a kind; a kind that the price does not name costs as its dearest one, but for those that stand for tokens. */
export function perCallRate(price: Price, kind: string): PicoUsd {
  const known = price.perCall.get(kind)
  if (known !== undefined) return known
  if (INSTEAD_OF_TOKENS.has(kind)) return picoUsd(0n)
  let dearest = 0n
  for (const [other, rate] of price.perCall) if (other !== PER_REQUEST && rate > dearest) dearest = rate
  return picoUsd(dearest)
}
