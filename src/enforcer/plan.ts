// What a call would need: its prices, its bound, its lines, or the reason why it gets none of them. Synchronous; moves no balance.
import { assertNever } from '../core/assert.ts'
import type { Call } from '../core/call.ts'
import { type Amounts, amountOf, type Estimate, type EstimateOutcome, estimateCall } from '../core/estimate.ts'
import { expiryFloor } from '../core/floor.ts'
import { boundAt } from '../core/grants.ts'
import type { Binding, SubjectBinding } from '../core/policy.ts'
import { type Price, type PriceBook, pricesKinds } from '../core/price.ts'
import type { Line } from '../core/reservation.ts'
import type { TokenCount } from '../core/token-bound.ts'
import type { UnboundedTools } from '../core/tool-bound.ts'
import { type Verdict, verdict } from '../core/verdict.ts'
import { AMOUNT_MAX } from '../limits.ts'

export interface Plan {
  readonly call: Call
  readonly provider: string | null
  readonly binding: Binding
  /** Frozen: the settlement uses the book that the reserve used. */
  readonly book: PriceBook
  /** Prices of every model that may answer; empty where none is needed and one is missing. */
  readonly prices: readonly Price[]
  readonly estimate: Estimate
  /** What expiry charges at least. */
  readonly floor: Amounts
}

export type Planned =
  | { readonly kind: 'plan'; readonly plan: Plan }
  /** No limit binds this call. */
  | { readonly kind: 'unmetered' }
  | { readonly kind: 'refused'; readonly verdict: Verdict }

export interface PlanInput {
  readonly call: Call
  readonly provider: string | null
  readonly bound: SubjectBinding
  readonly book: PriceBook
  /** Whether the body may be changed, so that a bound can be put in. */
  readonly mayInject: boolean
  /** A bound on the output of one choice to put in, in the place of what the call declares. */
  readonly boundAt?: bigint | null
  readonly nowMs: number
  /** What its provider calls the one model that may answer, where that is not the name that policies know it by. */
  readonly nameThere?: string | null
  /** What a tokenizer counted of the body, where a policy asked for it. */
  readonly counted?: TokenCount | null
}

/** What binds the call. */
export const bindCall = ({ call, provider, bound, book }: Pick<PlanInput, 'call' | 'provider' | 'bound' | 'book'>): Binding =>
  bound.bind({ models: call.models, provider, endpoint: call.endpoint, namesOf: model => book.namesOf(provider, model) })

/** `binding`: where it is known already. */
export function planCall(input: PlanInput, binding: Binding = bindCall(input)): Planned {
  const { call, provider, book } = input
  if (binding.forbidden !== null) return refused(forbiddenVerdict(binding.forbidden))
  const { rules } = binding
  const priced = pricesOf(input, binding)
  if (priced === null && needsMoney(binding)) {
    return refused(verdict('no-price', `There is no price for the model "${shortName(call.models)}", and a budget in USD binds this call.`))
  }
  if (binding.limits.length === 0 && rules.maxPerRequest === null) return { kind: 'unmetered' }
  const prices = priced ?? []
  const outcome = estimateCall({ ...input, prices, rules })
  if (outcome.kind !== 'bounded') return refused(unboundedVerdict(outcome))
  const { estimate } = outcome
  const cap = rules.maxPerRequest
  if (cap !== null && estimate.cost !== null && estimate.cost > cap.amount) {
    return refused(verdict('over-per-request', 'The most that this call can cost is over the cap for one request.', cap.policy))
  }
  if (estimate.inputTokens + estimate.outputTokens > AMOUNT_MAX || (estimate.cost ?? 0n) > AMOUNT_MAX) {
    return refused(verdict('unbounded-output', 'The most that this call can cost is beyond anything that can be counted.'))
  }
  if (binding.limits.length === 0) return { kind: 'unmetered' }
  return {
    kind: 'plan',
    plan: { call, provider, binding, book, prices, estimate, floor: expiryFloor(rules.onExpiry, call, prices, estimate) },
  }
}

/** The lines of a plan at an instant of the store: one a limit, in the order of the binding. */
export function linesOf(plan: Plan, nowMs: number): Line[] {
  const charge = { ...plan.estimate, requests: 1n }
  return plan.binding.limits.map(bound => {
    const { amount: limit, version } = boundAt(bound, nowMs)
    return {
      key: bound.key,
      unit: bound.limit.unit,
      window: bound.window(nowMs),
      amount: amountOf(bound.limit.unit, charge),
      limit,
      version,
      hard: bound.hard,
      floor: amountOf(bound.limit.unit, plan.floor),
    }
  })
}

/** The price of each model that may answer. Null where one has none, and the policy does not stand in for it. */
export function pricesOf(
  { call, provider, book, nowMs, nameThere = null }: Pick<PlanInput, 'call' | 'provider' | 'book' | 'nowMs' | 'nameThere'>,
  { rules }: { readonly rules: Pick<Binding['rules'], 'onUnknownModel'> },
): readonly Price[] | null {
  const prices: Price[] = []
  for (const model of call.models) {
    const standIn = rules.onUnknownModel === 'DearestOfProvider'
    const found = (nameThere === null ? null : book.find(provider, nameThere, nowMs)) ?? book.find(provider, model, nowMs)
    const known = found !== null && pricesKinds(found, call.charges ?? new Map()) ? found : null
    const price = known ?? (standIn ? book.dearest(provider, nowMs) : null)
    if (price === null) return null
    prices.push(price)
  }
  return prices
}

const needsMoney = (binding: Binding): boolean =>
  binding.rules.maxPerRequest !== null || binding.limits.some(bound => bound.limit.unit === 'USD')

const refused = (refusal: Verdict): Planned => ({ kind: 'refused', verdict: refusal })

/** Enough of a name that a client sent to recognise it, and no more. */
const shortName = (models: readonly string[]): string => (models[0] ?? '').slice(0, 100)

function forbiddenVerdict({ what, name, policy }: NonNullable<Binding['forbidden']>): Verdict {
  const reason = ({ model: 'model-forbidden', provider: 'provider-forbidden', endpoint: 'endpoint-forbidden' } as const)[what]
  return verdict(reason, `The ${what} "${name.slice(0, 100)}" is not permitted here.`, policy)
}

function unboundedVerdict(outcome: Exclude<EstimateOutcome, { kind: 'bounded' }>): Verdict {
  switch (outcome.kind) {
    case 'unbounded-output':
      return verdict('unbounded-output', 'Nothing bounds the output of this call: send an output bound (max_tokens).')
    case 'output-bound-required':
      return verdict('output-bound-required', 'A policy requires calls to bound their output: send max_tokens.')
    case 'opaque-input':
      return verdict('opaque-input', `The size of this call's input cannot be seen from its body (${outcome.what}).`)
    case 'server-tools':
      return verdict('server-tools', toolsSentence(outcome))
    default:
      return assertNever(outcome)
  }
}

function toolsSentence({ what, why }: UnboundedTools): string {
  switch (why) {
    case 'denied':
      return `Tools that the provider runs by itself are not permitted here (${what}).`
    case 'no-field':
      return `Tools that the provider runs by itself must be bounded here, and nothing in this call can bound all of them (${what}).`
    case 'fixed-body':
      return `Tools that the provider runs by itself must be bounded here (${what}), and this body may not be changed: bound their uses in it.`
    case 'no-window':
      return `Nothing bounds what tools that the provider runs by itself may read (${what}): the model's context window is not known.`
    default:
      return assertNever(why)
  }
}
