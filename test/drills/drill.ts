// What a failure drill is: something that goes wrong on a real Envoy, what its client sees of it, and what it is charged. Runs nothing.
import type { Answer } from '../e2e/call.ts'
import type { Stage } from './stage.ts'

/**
 * `exact` what the provider billed, with proof · `more` that, and an unproven charge for what may have been billed besides · `mixed` the
 * same, where there may be nothing besides · `unproven` at least what was billed, all of it in suspense · `nothing` neither billed nor
 * charged, and nothing left reserved.
 */
export type Charged = 'exact' | 'more' | 'unproven' | 'mixed' | 'nothing'

export interface Sees {
  /** 0: no answer at all. */
  readonly status: number
  /** `whole` to its end · `cut` by the gateway · `left` by the client itself. */
  readonly end: 'whole' | 'cut' | 'left'
  /** Whose answer it is: of Purser, its `x-purser-reason`. */
  readonly by: 'provider' | 'Envoy' | 'client' | `Purser: ${string}`
}

export interface Bound {
  readonly ms: number
  /** The setting that bounds it; absent: nothing waits. */
  readonly by?: string
}

export const AT_ONCE: Bound = { ms: 0 }

export interface Drill {
  /** One word for the ledger and the bill. */
  readonly id: string
  /** What goes wrong, as the page says it. */
  readonly what: string
  readonly sees: Sees
  /** The longest that the client waits from then on, and what bounds it; null where nothing is held up. */
  readonly within: Bound | null
  readonly charged: Charged
  /** More that a reader should know. */
  readonly note?: string
  /** Makes it go wrong; answers what the client saw, and leaves a stage on which the next drill can run. */
  run(stage: Stage): Promise<Answer>
}

export interface Chapter {
  readonly title: string
  readonly drills: readonly Drill[]
}

/** What was seen, in the words of {@link Sees}. */
export function seenBy(answer: Answer): Sees {
  const reason = answer.headers['x-purser-reason']
  const end = answer.end === 'aborted' ? 'left' : answer.end
  const by = end === 'left' ? 'client' : reason !== undefined ? (`Purser: ${reason}` as const) : isProviders(answer) ? 'provider' : 'Envoy'
  return { status: answer.status, end, by }
}

/** Envoy says how long an upstream took, on every answer of one. */
const isProviders = ({ headers }: Answer): boolean => headers['x-envoy-upstream-service-time'] !== undefined
