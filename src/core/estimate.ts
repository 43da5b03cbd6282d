// The estimate: the most a call can cost, in every unit, or a named reason why there is no such bound. A bound, never a guess.
import type { Call } from './call.ts'
import type { NanoUsd } from './money.ts'
import type { BindingRules } from './policy.ts'
import type { Price } from './price.ts'
import type { Delivered, Usage } from './usage.ts'

/** The bound in every unit; `cost` is null where no price is known. */
export interface Estimate {
  readonly inputTokens: bigint
  readonly outputTokens: bigint
  readonly cost: NanoUsd | null
  /** The bound on the output of one choice that the body must declare for this estimate to hold; null where it declares one already. */
  readonly injectOutputBound: bigint | null
}

export type EstimateOutcome =
  | { readonly kind: 'bounded'; readonly estimate: Estimate }
  /** No maximum is known, and none may be injected. */
  | { readonly kind: 'unbounded-output' }
  | { readonly kind: 'output-bound-required' }
  | { readonly kind: 'opaque-input'; readonly what: string }
  | { readonly kind: 'server-tools'; readonly what: string }

export interface EstimateInput {
  readonly call: Call
  /** Prices of all models that may answer; empty where none is known. The dearest of each part counts. */
  readonly prices: readonly Price[]
  /** The provider's family decides the tokenizer's factor; null: the largest. */
  readonly provider: string | null
  readonly rules: BindingRules
  /** Whether the body may be amended, so that a bound can be injected. */
  readonly mayInject: boolean
}
export type { Call, Delivered, Usage }
