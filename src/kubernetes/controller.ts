// The controller: watches the objects, reads the ledger, and while it leads writes what became of each into its status. Enforces nothing.
import { assertNever } from '../core/assert.ts'
import type { BudgetKey } from '../core/budget.ts'
import { PROBLEMS_TOLD_MAX, READINGS_EVERY_MS, RESYNC_MS, STATUS_WRITERS } from '../limits.ts'
import type { Clock, ControllerTelemetry, LedgerReader, PolicySource, PriceSource, Random, Timer } from '../ports.ts'
import { type Api, connectCluster } from './api.ts'
import { ControlledObjects, idOf, ownerOf } from './controlled-objects.ts'
import { Events } from './events.ts'
import { ExtensionPolicies } from './extension-policies.ts'
import { Leadership } from './leadership.ts'
import { type ClusterPolicySource, watchCluster } from './policies.ts'
import { Readings } from './readings.ts'
import { Reconciler } from './reconciler.ts'
import type { Surroundings } from './status-facts.ts'
import { type WorkOutcome, WorkQueue } from './work-queue.ts'

export interface ControllerOptions {
  readonly clock: Clock
  readonly timer: Timer
  readonly random: Random
  readonly telemetry: ControllerTelemetry
  readonly ledger: LedgerReader
  readonly trustedHeaders: readonly string[]
  /** Of calls whose route names no namespace. */
  readonly defaultNamespace: string
  readonly leaseNamespace: string
  /** Of this process; no other has the same. */
  readonly identity: string
  openPrices(policies: PolicySource): PriceSource
  /** Default: the cluster that this process's configuration names. */
  readonly api?: Api
}

export const LEASE_NAME = 'purser-controller'

export class Controller {
  readonly policies: ClusterPolicySource
  readonly #options: ControllerOptions
  readonly #api: Api
  readonly #objects: ControlledObjects
  readonly #readings: Readings
  readonly #extensions: ExtensionPolicies
  readonly #reconciler: Reconciler
  readonly #queue: WorkQueue
  readonly #prices: PriceSource
  /** Complaints of the last while. */
  readonly #told = new Set<string>()
  #saidMs = 0
  #leadership: Leadership | null = null
  /** Ends with the leadership that it began with, and what is being written then with it. */
  #term: AbortController | null = null
  #terms: Promise<void> = Promise.resolve()

  /** Begins to watch. Throws where no cluster is known; one that cannot be reached is waited for. */
  constructor(options: ControllerOptions) {
    const { clock, timer, random, telemetry, ledger, identity, trustedHeaders } = options
    this.#options = options
    const api = options.api ?? connectCluster()
    this.#api = api
    this.#objects = new ControlledObjects(options.defaultNamespace)
    this.#reconciler = new Reconciler({
      ...{ api, clock, objects: this.#objects },
      events: new Events({ api, clock, instance: identity }),
      surroundings: () => this.#surroundings(),
      mayWrite: () => this.#isLeading,
      refusedEvent: why => this.#sayOnce(`an Event cannot be written: ${why}`),
    })
    this.#queue = new WorkQueue({ clock, timer, random, telemetry, workers: STATUS_WRITERS, work: id => this.#reconcile(id) })
    this.policies = watchCluster({
      ...{ clock, random, trustedHeaders, api },
      observer: {
        put: (place, raw, judged) => {
          const id = this.#objects.put(place, raw, judged)
          if (id !== null) this.#changed(id)
          if (place.kind === 'AccessKey' && judged !== null) this.#rivalsChanged()
        },
        removed: ({ kind }, key) => {
          const id = this.#objects.remove(kind, key)
          if (id !== null) this.#reconciler.forget(id)
          if (kind === 'AccessKey') this.#rivalsChanged()
        },
      },
    })
    this.policies.onRoutes(() => this.#policiesChanged())
    this.#prices = options.openPrices(this.policies)
    this.#readings = new Readings({ ledger, clock, declared: () => this.policies.current().declared() })
    this.#extensions = new ExtensionPolicies({
      ...{ api, clock, random },
      changed: () => this.#policiesChanged(),
      away: why => this.#sayOnce(`EnvoyExtensionPolicies are not watched: ${why}`),
    })
  }

  /** Stands for leadership; to be called when everything was read once. */
  stand(): void {
    const { clock, timer, random, telemetry, leaseNamespace: namespace, identity } = this.#options
    this.#leadership = new Leadership({
      ...{ api: this.#api, clock, timer, random, namespace, name: LEASE_NAME, identity },
      told: {
        began: () => {
          telemetry.leading(true)
          telemetry.say('leading', { lease: `${namespace}/${LEASE_NAME}`, identity })
          this.#begin()
        },
        ended: () => {
          telemetry.leading(false)
          telemetry.say('not leading any more', { identity })
          this.#end()
        },
        away: why => this.#sayOnce(`the lease cannot be read or written: ${why}`),
      },
    })
  }

  /** Writes nothing more, and leaves the lease to the next. */
  async stop(): Promise<void> {
    this.#end()
    await this.#queue.idle()
    await this.#terms
    await this.#leadership?.stop()
    await this.#extensions.stop()
    await this.policies.close()
  }

  get #isLeading(): boolean {
    return this.#term !== null && this.#leadership?.isLeading === true
  }

  #begin(): void {
    const term = new AbortController()
    this.#term = term
    const before = this.#terms
    this.#terms = before.then(() => this.#serve(term.signal))
  }

  #end(): void {
    this.#term?.abort()
    this.#term = null
    this.#queue.clear()
  }

  /** One leadership: the ledger is read every few seconds, and everything judged anew now and then. */
  async #serve(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    let resyncedMs = Number.NEGATIVE_INFINITY
    while (!signal.aborted) {
      const wasAway = this.#readings.isAway
      const changed = await this.#readings.refresh()
      if (this.#readings.why !== null) this.#sayOnce(`the ledger does not answer: ${this.#readings.why}`)
      if (signal.aborted) return
      if (clock.monotonicMs() - resyncedMs >= RESYNC_MS || wasAway !== this.#readings.isAway) {
        resyncedMs = clock.monotonicMs()
        this.#allChanged()
      } else this.#limitsChanged(changed)
      await this.#pause(READINGS_EVERY_MS, signal)
    }
  }

  #changed(id: string): void {
    if (this.#isLeading) this.#queue.add(id)
  }

  #allChanged(): void {
    for (const id of this.#objects.ids()) this.#changed(id)
  }

  #policiesChanged(): void {
    for (const id of this.#objects.ids()) if (this.#objects.get(id)?.kind.endsWith('BudgetPolicy')) this.#changed(id)
  }

  #rivalsChanged(): void {
    for (const name of this.policies.objects.rivals) this.#changed(idOf('AccessKey', name))
  }

  #limitsChanged(keys: readonly BudgetKey[]): void {
    if (keys.length === 0) return
    const declared = new Map(
      this.policies
        .current()
        .declared()
        .map(limit => [limit.key, limit]),
    )
    for (const id of new Set(keys.map(key => ownerOf(key, declared)))) if (id !== null) this.#changed(id)
  }

  async #reconcile(id: string): Promise<WorkOutcome> {
    const signal = this.#term?.signal
    if (signal === undefined) return { kind: 'done' }
    const outcome = await this.#reconciler.reconcile(id, signal)
    switch (outcome.kind) {
      case 'done':
        return outcome
      case 'later':
        this.#queue.addAfter(id, outcome.ms)
        return { kind: 'done' }
      case 'overtaken':
        return { kind: 'again', isError: false, retryAfterMs: null }
      case 'failed':
        if (signal.aborted) return { kind: 'done' }
        this.#sayOnce(`a status cannot be written: ${outcome.why}`, { object: id })
        return { kind: 'again', isError: true, retryAfterMs: outcome.retryAfterMs }
      default:
        return assertNever(outcome)
    }
  }

  #surroundings(): Surroundings {
    const { clock } = this.#options
    const book = this.#prices.current()
    return {
      objects: this.policies.objects,
      selected: this.#objects.selected,
      bypasses: this.#extensions.all(),
      isLedgerAway: this.#readings.isAway,
      readingOf: key => this.#readings.of(key),
      hasPrice: model => book.find(null, model, clock.wallMs()) !== null,
    }
  }

  /** A dead server fails for every object alike: the same is said once in a while. */
  #sayOnce(what: string, fields: Readonly<Record<string, string>> = {}): void {
    const now = this.#options.clock.monotonicMs()
    if (now - this.#saidMs >= RESYNC_MS) this.#told.clear()
    if (this.#told.has(what) || this.#told.size >= PROBLEMS_TOLD_MAX) return
    this.#saidMs = now
    this.#told.add(what)
    this.#options.telemetry.fault(what, fields)
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const callOff = this.#options.timer.after(ms, resolve)
      signal.addEventListener('abort', () => [callOff(), resolve()], { once: true })
    })
  }
}
