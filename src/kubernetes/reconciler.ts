// One object reconciled: the status that it should have is computed, told of where it is news, and written where it is another. Knows no
// leadership but whether it may write.
import { SNAPSHOT_EVERY_MS } from '../limits.ts'
import { bypassesOf, bypassText } from '../objects/conditions.ts'
import { limitNotices, type Notice } from '../objects/notices.ts'
import { isDue, statusOf } from '../objects/object-status.ts'
import { type ObjectStatus, sameStatus, statusIn } from '../objects/status.ts'
import type { Clock } from '../ports.ts'
import type { Api } from './api.ts'
import type { Controlled, ControlledObjects } from './controlled-objects.ts'
import type { Events } from './events.ts'
import type { Failure } from './failure.ts'
import { type Known, knownOf, type Surroundings, unpricedText } from './status-facts.ts'
import { applyStatus } from './status-writer.ts'

export interface ReconcilerOptions {
  readonly api: Api
  readonly clock: Clock
  readonly events: Events
  readonly objects: ControlledObjects
  surroundings(): Surroundings
  /** Whether anything may be written now. */
  mayWrite(): boolean
  /** An Event that the API does not take is no reason to write no status. */
  refusedEvent(why: string): void
}

export type Reconciled =
  | { readonly kind: 'done' }
  /** Nothing but figures is another: they are due in so many ms. */
  | { readonly kind: 'later'; readonly ms: number }
  /** The object is another than the one that was seen. */
  | { readonly kind: 'overtaken' }
  | Failure

const DONE: Reconciled = { kind: 'done' }

export class Reconciler {
  readonly #options: ReconcilerOptions
  /** Monotonic, by id: when a status was written last. */
  readonly #writtenMs = new Map<string, number>()

  constructor(options: ReconcilerOptions) {
    this.#options = options
  }

  async reconcile(id: string, signal: AbortSignal): Promise<Reconciled> {
    const { objects, clock, surroundings, mayWrite } = this.#options
    const one = objects.get(id)
    if (one === undefined || !mayWrite()) return DONE
    const before = statusIn(one.raw.status)
    const known = knownOf(one, surroundings())
    const next = statusOf(known.facts, before, clock.wallMs())
    const sinceMs = clock.monotonicMs() - (this.#writtenMs.get(id) ?? Number.NEGATIVE_INFINITY)
    const isSame = sameStatus(before, next)
    const isWritten = !isSame && isDue(before, next, sinceMs)
    // Told before it is written: who goes on from what is written has nothing left to tell.
    const notices = [...standing(known), ...(isWritten ? limitNotices(before, next, known.facts.limits ?? [], clock.wallMs()) : [])]
    const failure = await this.#tell(one, notices, signal)
    if (failure !== null) return failure
    if (!isWritten) return isSame ? DONE : { kind: 'later', ms: SNAPSHOT_EVERY_MS - sinceMs }
    return mayWrite() ? this.#write(id, one, next, signal) : DONE
  }

  forget(id: string): void {
    this.#writtenMs.delete(id)
  }

  async #tell(one: Controlled, notices: readonly Notice[], signal: AbortSignal): Promise<Failure | null> {
    for (const notice of notices) {
      const failure = await this.#options.events.tell(one, notice, signal)
      if (failure !== null && isPassing(failure)) return failure
      if (failure !== null) this.#options.refusedEvent(failure.why)
    }
    return null
  }

  async #write(id: string, one: Controlled, next: ObjectStatus, signal: AbortSignal): Promise<Reconciled> {
    const { api, clock, objects } = this.#options
    const outcome = await applyStatus(api, one, next, signal)
    if (outcome.kind === 'gone') return DONE
    if (outcome.kind !== 'applied') return outcome
    objects.written(id, one.raw, outcome.object)
    this.#writtenMs.set(id, clock.monotonicMs())
    return DONE
  }
}

/** What holds for as long as the object is as it is. */
function standing({ facts, unpriced }: Known): readonly Notice[] {
  const notices: Notice[] = []
  if (unpriced.length > 0)
    notices.push({ id: `unpriced ${unpriced.join(' ')}`, reason: 'MissingPrice', note: unpriced.map(unpricedText).join('; ') })
  if (facts.inForce === null || (facts.kind !== 'BudgetPolicy' && facts.kind !== 'ClusterBudgetPolicy')) return notices
  const bypasses = bypassesOf(facts.attachment.routes, facts.bypasses)
  return [...notices, ...bypasses.map(bypass => ({ id: bypassText(bypass), reason: 'Bypassed', note: bypassText(bypass) }) as const)]
}

/** Trying again may help: nothing was answered, or the server is not itself. */
const isPassing = ({ status }: Failure): boolean => status === null || status === 429 || status >= 500
