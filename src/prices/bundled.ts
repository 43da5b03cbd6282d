// The bundled price list, read once when this file is loaded: providers, their models, and each model's prices as exact integers.
import { createHash } from 'node:crypto'
import { type MatchLogic, type ModelInfo, type ModelPrice, type Provider, waitForUpdate } from '@pydantic/genai-prices'
import { assert } from '../core/assert.ts'
import type { PicoUsd } from '../core/money.ts'
import { AUDIO_SECOND, PER_REQUEST, TOKEN_KINDS } from '../core/price.ts'
import { type DeclaredRates, type DeclaredTier, NOTHING_DECLARED } from './declared.ts'
import { fineRate, picoPerCall, picoPerSecond } from './exact.ts'
import { ALWAYS, type Span, spanOf } from './span.ts'

/** One price of a model, for a span of time; `tiers` empty where the list names the model without a price for tokens. */
export interface DatedPrice {
  readonly span: Span
  readonly tiers: readonly DeclaredTier[]
  readonly perCall: ReadonlyMap<string, PicoUsd>
}

export interface BundledModel {
  readonly id: string
  readonly match: MatchLogic
  readonly contextWindow: bigint | null
  /** The last one whose span holds an instant counts; the first where none does. */
  readonly prices: readonly DatedPrice[]
}

export interface BundledProvider {
  readonly id: string
  /** The names of models that are this provider's own; null where it sells others' models. */
  readonly ownNames: MatchLogic | null
  /** Providers whose models it sells too, under their prices. */
  readonly fallbacks: readonly string[]
  readonly models: readonly BundledModel[]
}

/** The list's names for our kinds of tokens; the first that is there counts. */
const LISTED: Readonly<Record<(typeof TOKEN_KINDS)[number], readonly string[]>> = {
  input: ['input_mtok', 'input_text_mtok'],
  cacheRead: ['cache_read_mtok'],
  cacheReadAudio: ['cache_audio_read_mtok'],
  cacheWrite5m: ['cache_write_5m_mtok', 'cache_write_mtok'],
  cacheWrite1h: ['cache_write_1h_mtok'],
  inputAudio: ['input_audio_mtok'],
  inputImage: ['input_image_mtok'],
  inputVideo: ['input_video_mtok'],
  output: ['output_mtok', 'output_text_mtok'],
  reasoning: ['output_reasoning_mtok'],
  outputAudio: ['output_audio_mtok'],
  outputImage: ['output_image_mtok'],
  outputVideo: ['output_video_mtok'],
}

const LISTED_CALLS: readonly (readonly [string, string])[] = [
  ['web_searches_kcount', 'web_search'],
  ['storage_searches_kcount', 'file_search'],
  ['code_executions_kcount', 'code_interpreter'],
  ['requests_kcount', PER_REQUEST],
]

/** The list's names for what is billed by the length of the audio, in USD an hour. */
const LISTED_HOURS: readonly string[] = ['input_audio_hours', 'audio_hours']

const NO_COST: DeclaredRates = { ...NOTHING_DECLARED, input: fineRate(0), output: fineRate(0) }

const listed = await waitForUpdate()
assert(listed !== null && listed.length > 0, 'the price list comes with its package')

/** Identifies the content of the bundled list. */
export const BUNDLED_HASH: string = createHash('sha256').update(JSON.stringify(listed)).digest('hex')

export const BUNDLED: readonly BundledProvider[] = listed.map(readProvider)

function readProvider(provider: Provider): BundledProvider {
  return {
    id: provider.id,
    ownNames: provider.model_match ?? null,
    fallbacks: provider.fallback_model_providers ?? [],
    models: provider.models.map(readModel),
  }
}

function readModel(model: ModelInfo): BundledModel {
  const dated = Array.isArray(model.prices) ? model.prices : [{ prices: model.prices }]
  return {
    id: model.id,
    match: model.match,
    contextWindow: model.context_window === undefined ? null : BigInt(Math.ceil(model.context_window)),
    prices: dated.map(({ constraint, prices }) => ({
      span: constraint === undefined ? ALWAYS : spanOf(constraint),
      tiers: readTiers(prices, model.id.endsWith(':free')),
      perCall: readCalls(prices),
    })),
  }
}

/** `free`: a model that is listed as free and without a price costs nothing; any other without one has no price, which is not zero. */
function readTiers(prices: ModelPrice, free: boolean): readonly DeclaredTier[] {
  if (free && Object.keys(prices).length === 0) return [{ aboveInputTokens: 0n, rates: NO_COST }]
  const bounds = new Set([
    0,
    ...Object.values(prices).flatMap(price => (typeof price === 'object' ? price.tiers.map(tier => tier.start) : [])),
  ])
  const tiers = [...bounds].sort((a, b) => a - b).map(bound => ({ aboveInputTokens: BigInt(bound), rates: ratesAbove(prices, bound) }))
  return tiers.every(({ rates }) => rates.input === null && rates.output === null) ? [] : tiers
}

function ratesAbove(prices: ModelPrice, bound: number): DeclaredRates {
  const rates = TOKEN_KINDS.map(kind => {
    const price = LISTED[kind].map(name => prices[name]).find(found => found !== undefined)
    if (price === undefined) return [kind, null]
    if (typeof price === 'number') return [kind, fineRate(price)]
    const reached = price.tiers.filter(tier => tier.start <= bound).sort((a, b) => a.start - b.start)
    return [kind, fineRate(reached.at(-1)?.price ?? price.base)]
  })
  return Object.fromEntries(rates) as DeclaredRates
}

function readCalls(prices: ModelPrice): ReadonlyMap<string, PicoUsd> {
  const calls = new Map<string, PicoUsd>()
  for (const [name, kind] of LISTED_CALLS) {
    const price = prices[name]
    if (price !== undefined) calls.set(kind, picoPerCall(dearestOf(price)))
  }
  const hour = LISTED_HOURS.flatMap(name => prices[name] ?? []).map(dearestOf)
  if (hour.length > 0) calls.set(AUDIO_SECOND, picoPerSecond(Math.max(...hour)))
  return calls
}

function dearestOf(price: NonNullable<ModelPrice[string]>): number {
  return typeof price === 'number' ? price : Math.max(price.base, ...price.tiers.map(tier => tier.price))
}
