// How often tools that a provider runs by itself are used at most, and how often the context window is read for them. A bound, or why there is none.
import type { Call } from './call.ts'
import type { BindingRules } from './policy.ts'

/** Uses that the policy `Clamp` leaves to each field: a question is seldom answered by a fourth search, and each is read with all before it. */
export const TOOL_USES_MAX = 3n

/** Rounds of a call that does not bound its tools: each may read the whole context window again. Source: the loops' documented limit. */
const ROUNDS_MAX = 10n
/** Besides a round for each use: the one that answers, and one whose use was refused as one too many. */
const ROUNDS_BESIDES = 2n

export type ToolBound =
  | {
      readonly kind: 'uses'
      /** Of a call without such tools, both are 0. */
      readonly uses: bigint
      readonly rounds: bigint
      /** The bound that the body must declare for this to hold, where it declares none or a larger one; null where nothing is to be put in. */
      readonly clamp: bigint | null
    }
  | UnboundedTools

export interface UnboundedTools {
  readonly kind: 'server-tools'
  /** The tool's name. */
  readonly what: string
  /** A policy denies it, it has no field that bounds it, or its body may not be changed. */
  readonly why: 'denied' | 'no-field' | 'fixed-body' | 'no-window'
}

/** `mayInject`: whether the body may be amended. */
export function toolBound(call: Call, rules: Pick<BindingRules, 'onServerTools'>, provider: string | null, mayInject: boolean): ToolBound {
  const [what] = call.serverTools
  if (what === undefined) return { kind: 'uses', uses: 0n, rounds: 0n, clamp: null }
  const refused = (why: UnboundedTools['why']): UnboundedTools => ({ kind: 'server-tools', what, why })
  if (rules.onServerTools === 'Deny') return refused('denied')
  const fields = call.batch === true ? undefined : call.toolUses
  const declared = fields === undefined ? null : sum(fields.declared)
  if (rules.onServerTools === 'Reserve') return uses(declared ?? BigInt(call.serverTools.length) * ROUNDS_MAX, null)
  if (fields === undefined) return refused('no-field')
  const within = fields.declared.map(bound => (bound !== null && bound < TOOL_USES_MAX ? bound : TOOL_USES_MAX))
  const kept = within.every((bound, at) => bound === fields.declared[at])
  if (!kept && !mayInject) return refused('fixed-body')
  if (!kept && !fields.knownTo.includes(provider ?? '')) return refused('no-field')
  return uses(sum(within) ?? 0n, kept ? null : TOOL_USES_MAX)
}

function uses(most: bigint, clamp: bigint | null): ToolBound {
  const rounds = most + ROUNDS_BESIDES
  return { kind: 'uses', uses: most, rounds: rounds < ROUNDS_MAX ? rounds : ROUNDS_MAX, clamp }
}

/** Null where one is not known. */
const sum = (bounds: readonly (bigint | null)[]): bigint | null =>
  bounds.reduce<bigint | null>((total, bound) => (total === null || bound === null ? null : total + bound), 0n)
