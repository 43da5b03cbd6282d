// Concessions: what a policy grants a call that does not fit, rather than refusing it. Says what may be done; never does it.
import type { Policy } from './policy.ts'

/** As one policy says it; null: not said. */
export interface ConcessionRules {
  readonly clampToHeadroom: boolean | null
  readonly minOutputTokens: bigint | null
}

/** Of all policies that bind a call. */
export interface Concessions {
  /** The least bound on the output of one choice that may be left; null where bounds are not to be lowered. */
  readonly clampTo: bigint | null
}

export const NOTHING_SAID: ConcessionRules = { clampToHeadroom: null, minOutputTokens: null }

const NO_CONCESSIONS: Concessions = { clampTo: null }

/** Long enough for an answer that is of use: one that is cut after a few words costs its input all the same. */
const MIN_OUTPUT_TOKENS = 1_024n

/** The strictest that is said wins, in any order. Policies that only audit refuse nothing, so they have nothing to concede. */
export function mergeConcessions(policies: readonly Policy[]): Concessions {
  const said = policies.filter(policy => !policy.audit).map(policy => policy.concessions)
  if (said.length === 0) return NO_CONCESSIONS
  const clamps = said.some(one => one.clampToHeadroom === true) && said.every(one => one.clampToHeadroom !== false)
  return { clampTo: clamps ? (largest(said.map(one => one.minOutputTokens)) ?? MIN_OUTPUT_TOKENS) : null }
}

const largest = (amounts: readonly (bigint | null)[]): bigint | null =>
  amounts.reduce((most, amount) => (amount !== null && (most === null || amount > most) ? amount : most), null)
