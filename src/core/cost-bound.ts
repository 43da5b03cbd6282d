// What tokens can cost at most, at the dearest rates that a call can trigger among all models that may answer it. Knows no bytes.
import type { Call } from './call.ts'
import { type NanoUsd, nanoUsdUp, picoUsd } from './money.ts'
import { callCost, PER_REQUEST, type Price, type Rates, serviceTiersOf, type Tier, tokenCost } from './price.ts'
import { largest } from './token-bound.ts'
import { inputTotal, type TokenCounts } from './usage.ts'

/** What is known of an input: its size only, or its parts as the provider reported them. */
export type InputCounts = { readonly kind: 'bound'; readonly tokens: bigint } | { readonly kind: 'reported'; readonly tokens: TokenCounts }

/**
 * The most that an input, so many tokens of output, and so many calls of tools can cost, rounded up to nano-USD once. Null where no price is known. No usage within these counts costs more, of the kinds and service tiers that the call can trigger.
 */
export function boundCost(call: Call, prices: readonly Price[], input: InputCounts, outputTokens: bigint, calls: bigint): NanoUsd | null {
  if (prices.length === 0) return null
  const size = input.kind === 'bound' ? input.tokens : inputTotal(input.tokens)
  let inputCost = 0n
  let outputRate = 0n
  for (const price of prices) {
    for (const rates of ratesWithin(price, call, size)) {
      const cost = input.kind === 'bound' ? size * inputRate(call, price, rates) : tokenCost({ ...input.tokens, ...NO_OUTPUT }, rates)
      inputCost = largest([inputCost, cost])
      outputRate = largest([outputRate, rates.output, rates.reasoning, rates.outputAudio, rates.outputImage, rates.outputVideo])
    }
  }
  return nanoUsdUp(picoUsd(inputCost + outputTokens * outputRate + callsCost(call, prices, calls)))
}

const NO_CHARGES: ReadonlyMap<string, bigint> = new Map()

/** So many calls of the dearest kind, whatever they are, what the call is charged for by itself, and what an answer costs by itself. */
function callsCost(call: Call, prices: readonly Price[], calls: bigint): bigint {
  const itself = largest(prices.map(price => callCost(call.charges ?? NO_CHARGES, price)))
  const dearest = largest(prices.flatMap(price => [...price.perCall].map(([kind, rate]) => (kind === PER_REQUEST ? 0n : rate))))
  return itself + calls * dearest
}

const NO_OUTPUT = { output: 0n, reasoning: 0n, outputAudio: 0n, outputImage: 0n, outputVideo: 0n } as const

/** Names of the plain tier, and the tiers that `auto` may turn into by a setting of the account: by the providers' specifications. */
const PLAIN: readonly string[] = ['default', 'standard', 'standard_only', 'on_demand']
const AUTOMATIC: readonly string[] = ['default', 'scale', 'priority']

/**
 * The rates of every size tier that an input of at most this size can fall into, in every service tier that may be applied:
 * the one asked for, and the plain one, since that is what is billed where it is not granted; all of them for a name that is not known.
 */
function ratesWithin(price: Price, call: Call, inputTokens: bigint): readonly Rates[] {
  const names = call.batch === true ? batchTier(price) : tiersAsked(price, (call.serviceTier ?? 'default').toLowerCase())
  const tiers = names.flatMap((name): readonly Tier[] => serviceTiersOf(price, call.regional === true).get(name) ?? [])
  return tiers.filter(tier => tier.aboveInputTokens === 0n || inputTokens > tier.aboveInputTokens).map(tier => tier.rates)
}

/** A batch is never anything else, so the plain tier only stands in where its rate is not known. */
const batchTier = (price: Price): readonly string[] => [price.serviceTiers.has('batch') ? 'batch' : 'default']

function tiersAsked(price: Price, asked: string): readonly string[] {
  if (PLAIN.includes(asked)) return ['default']
  if (asked === 'auto') return AUTOMATIC
  return price.serviceTiers.has(asked) ? ['default', asked] : [...price.serviceTiers.keys()]
}

/** Models that write their prompt cache unasked, and bill for it: OpenAI's from GPT-5.6 on, by its documentation. */
const WRITES_CACHE_UNASKED = /gpt-(?:5\.(?:[6-9]|\d\d)|[6-9]|[12]\d)(?!\d)/i

/** The dearest rate that a token of this call's input can be billed at. */
function inputRate(call: Call, price: Price, rates: Rates): bigint {
  const unseen = call.opaqueInputs.length > 0
  const has = (...kinds: readonly string[]): boolean => unseen || call.media.some(part => kinds.includes(part.kind))
  const found: bigint[] = [rates.input, rates.cacheRead]
  const writes = call.cacheWrite !== 'none' || [price.model, ...call.models].some(model => WRITES_CACHE_UNASKED.test(model))
  if (writes) found.push(rates.cacheWrite5m)
  if (call.cacheWrite === '1h') found.push(rates.cacheWrite1h)
  if (has('audio', 'video')) found.push(rates.inputAudio, rates.cacheReadAudio)
  if (has('video')) found.push(rates.inputVideo)
  if (has('image', 'video', 'document')) found.push(rates.inputImage)
  return largest(found)
}
