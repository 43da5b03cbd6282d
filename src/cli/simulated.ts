// What `simulate` prints of one exchange: a JSON line whose absent numbers are null and whose money is a decimal string.
import type { Call } from '../core/call.ts'
import { type Estimate, estimateCall } from '../core/estimate.ts'
import { formatUsd, type NanoUsd } from '../core/money.ts'
import type { BindingRules } from '../core/policy.ts'
import { costOf, type Price, type PriceBook, pricesKinds, pricesUsage } from '../core/price.ts'
import type { TokenCount } from '../core/token-bound.ts'
import { cachedTotal, inputTotal, outputTotal, type Usage, type UsageReading } from '../core/usage.ts'
import type { Ending } from '../enforcer/charge.ts'

export interface Simulated {
  readonly id: string
  readonly format: string | null
  readonly model: string | null
  readonly outcome: 'admitted' | 'refused' | 'unmetered'
  readonly reason: string | null
  readonly estimate: { readonly inputTokens: number | null; readonly outputTokens: number | null; readonly costUsd: string | null }
  readonly usage: {
    readonly kind: UsageReading['kind']
    readonly model: string | null
    readonly inputTokens: number | null
    readonly cachedInputTokens: number | null
    readonly cacheWriteTokens: number | null
    readonly outputTokens: number | null
    readonly costUsd: string | null
  }
  readonly chargedUsd: string
}

/** A call that was read, with all that its bound and its cost depend on. */
export interface Asked {
  readonly call: Call
  readonly provider: string | null
  readonly book: PriceBook
  readonly nowMs: number
  /** What a tokenizer counted of the body, where a policy asked for it. */
  readonly counted?: TokenCount | null
}

const NO_USAGE: Simulated['usage'] = {
  kind: 'absent',
  model: null,
  inputTokens: null,
  cachedInputTokens: null,
  cacheWriteTokens: null,
  outputTokens: null,
  costUsd: null,
}

/** The line of an exchange of which nothing is known yet. */
export function blank(id: string): Simulated {
  return {
    id,
    format: null,
    model: null,
    outcome: 'unmetered',
    reason: null,
    estimate: estimateJson(null),
    usage: NO_USAGE,
    chargedUsd: '0',
  }
}

/** What the call would be bounded at where no reservation was made of it. */
export function estimateAlone({ call, provider, book, nowMs, counted = null }: Asked, rules: BindingRules): Estimate | null {
  const found = call.models.flatMap(model => book.find(provider, model, nowMs) ?? [])
  const prices = found.filter(price => pricesKinds(price, call.charges ?? new Map()))
  const known = prices.length === call.models.length ? prices : []
  const outcome = estimateCall({ call, prices: known, provider, rules, mayInject: false, counted })
  return outcome.kind === 'bounded' ? outcome.estimate : null
}

export function estimateJson(estimate: Estimate | null): Simulated['estimate'] {
  if (estimate === null) return { inputTokens: null, outputTokens: null, costUsd: null }
  const { inputTokens, outputTokens, cost } = estimate
  return { inputTokens: Number(inputTokens), outputTokens: Number(outputTokens), costUsd: cost === null ? null : formatUsd(cost) }
}

export function usageJson(ending: Ending, asked: Asked): Simulated['usage'] {
  const reading = ending.kind === 'answered' ? ending.reading : null
  const usage = reading === null || reading.kind === 'absent' ? null : reading.usage
  if (reading === null || usage === null) return { ...NO_USAGE, kind: reading?.kind ?? 'absent' }
  const { tokens } = usage
  const cost = usage.statedCost ?? costAt(usage, asked)
  return {
    kind: reading.kind,
    model: usage.model,
    inputTokens: Number(inputTotal(tokens)),
    cachedInputTokens: Number(cachedTotal(tokens)),
    cacheWriteTokens: Number(tokens.cacheWrite5m + tokens.cacheWrite1h),
    outputTokens: Number(outputTotal(tokens)),
    costUsd: cost === null ? null : formatUsd(cost),
  }
}

/** Null where a model that answered, or a part of it, has no price. */
function costAt(usage: Usage, { call, provider, book, nowMs }: Asked): NanoUsd | null {
  const priceOf = (model: string): Price | null => book.find(provider, model, nowMs)
  const model = usage.model ?? call.models[0] ?? null
  const price = model === null ? null : priceOf(model)
  const others = new Map(usage.elsewhere?.map(part => [part.model, priceOf(part.model)]))
  if (price === null || !pricesUsage(price, usage) || [...others.values()].includes(null)) return null
  return costOf(usage, price, other => others.get(other) ?? price)
}
