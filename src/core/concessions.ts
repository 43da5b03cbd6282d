// Concessions: what policies grant a call that does not fit, rather than refusing it. Says what may be done; never does it.
import type { Policy } from './policy.ts'

/** A route that calls may be sent to, in the place of the one that they came in by. */
export interface SteerTarget {
  /** Of the steering header: what the proxy's route matches. */
  readonly value: string
  readonly provider: string
  /** Whose budgets bind the calls that take it; namespace null: that of the route they came in by. */
  readonly route: { readonly namespace: string | null; readonly name: string }
  /** The models that it has, and how its provider calls them; empty: all, by their own names. */
  readonly models: readonly { readonly name: string; readonly as: string }[]
}

/** As one policy says it; null, or an empty list: not said. */
export interface ConcessionRules {
  readonly clampToHeadroom: boolean | null
  readonly minOutputTokens: bigint | null
  readonly substitutes: readonly string[]
  readonly onForbiddenModel: 'Deny' | 'Substitute' | null
  readonly onShortfall: 'Deny' | 'Substitute' | null
  readonly queueMs: number | null
  readonly steering: readonly SteerTarget[]
}

/** Of all policies that bind a call. */
export interface Concessions {
  /** The least bound on the output of one choice that may be left; null where bounds are not to be lowered. */
  readonly clampTo: bigint | null
  /** Models that may stand in for the one that was asked for, in order. */
  readonly substitutes: readonly string[]
  readonly onForbiddenModel: 'Deny' | 'Substitute'
  /** What happens where the budgets have no room. */
  readonly onShortfall: 'Deny' | 'Substitute'
  /** How long a call waits for others to give back what they do not use; 0: not at all. */
  readonly queueMs: number
  /** Where calls go, in order; empty: where they came in. */
  readonly steering: readonly SteerTarget[]
}

export const NOTHING_SAID: ConcessionRules = {
  clampToHeadroom: null,
  minOutputTokens: null,
  substitutes: [],
  onForbiddenModel: null,
  onShortfall: null,
  queueMs: null,
  steering: [],
}

const NO_CONCESSIONS: Concessions = {
  clampTo: null,
  substitutes: [],
  onForbiddenModel: 'Deny',
  onShortfall: 'Deny',
  queueMs: 0,
  steering: [],
}

/** Long enough for an answer that is of use: one that is cut after a few words costs its input all the same. */
const MIN_OUTPUT_TOKENS = 1_024n

/**
 * The strictest that is said wins: a substitute must be on every list that there is, and the first list gives the order. Of several that
 * steer the first does, which is the one of the widest scope. Policies that only audit refuse nothing, so they have nothing to concede.
 */
export function mergeConcessions(policies: readonly Policy[]): Concessions {
  const said = policies.filter(policy => !policy.audit).map(policy => policy.concessions)
  if (said.length === 0) return NO_CONCESSIONS
  const clamps = said.some(one => one.clampToHeadroom === true) && said.every(one => one.clampToHeadroom !== false)
  const [first = [], ...others] = said.map(one => one.substitutes).filter(list => list.length > 0)
  const waits = said.map(one => one.queueMs).filter(ms => ms !== null)
  return {
    clampTo: clamps ? (largest(said.map(one => one.minOutputTokens)) ?? MIN_OUTPUT_TOKENS) : null,
    substitutes: first.filter(name => others.every(list => list.includes(name))),
    onForbiddenModel: agreed(said.map(one => one.onForbiddenModel)),
    onShortfall: agreed(said.map(one => one.onShortfall)),
    queueMs: waits.length === 0 ? 0 : Math.min(...waits),
    steering: said.find(one => one.steering.length > 0)?.steering ?? [],
  }
}

/** Somebody says it, and nobody denies it. */
const agreed = (said: readonly ('Deny' | 'Substitute' | null)[]): 'Deny' | 'Substitute' =>
  said.includes('Substitute') && !said.includes('Deny') ? 'Substitute' : 'Deny'

const largest = (amounts: readonly (bigint | null)[]): bigint | null =>
  amounts.reduce((most, amount) => (amount !== null && (most === null || amount > most) ? amount : most), null)
