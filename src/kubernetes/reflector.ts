// One resource of the API, mirrored: listed once, watched ever after, through everything that ends a watch. No failure ends the loop; while
// the server is away, whoever is told keeps what was told last.
import { setTimeout as after } from 'node:timers/promises'
import { LIST_IDLE_MS, WATCH_IDLE_MS, WATCH_RETRY_MAX_MS, WATCH_RETRY_MS } from '../limits.ts'
import type { Clock, Random } from '../ports.ts'
import type { Api } from './api.ts'
import { Backoff } from './backoff.ts'
import type { Failure } from './failure.ts'
import { listAll } from './list.ts'
import { keyOf, type RawObject } from './raw-object.ts'
import { type WatchEvents, watch } from './watch.ts'

export interface ReflectorTold {
  /** An object that is new, or another than before. */
  put(object: RawObject): void
  /** namespace/name of an object that is gone. */
  removed(key: string): void
  /** Nothing is heard of the resource: why. Told again with each attempt that fails. */
  away(why: string): void
  /** It is heard of again. */
  back(): void
  /** Whether the server has the resource: told with each list, also where {@link ReflectorOptions.absentLookMs} lets it be absent. */
  served?(isServed: boolean): void
}

export interface ReflectorOptions {
  readonly api: Api
  readonly clock: Clock
  readonly random: Random
  /** For instance `/apis/purser.dev/v1alpha1/budgetpolicies`. */
  readonly path: string
  readonly told: ReflectorTold
  /**
   * For a resource that the server need not have: then there are no objects, and after so many ms at most it is looked again. Left out:
   * a resource that is not there is a failure.
   */
  readonly absentLookMs?: number
  /** For how long the server may be silent, in ms. Default: {@link LIST_IDLE_MS} in a list, {@link WATCH_IDLE_MS} in a watch. */
  readonly idleMs?: number
  /** The first wait after a failure, in ms. Default: {@link WATCH_RETRY_MS}. */
  readonly retryMs?: number
}

interface Known {
  readonly uid: string
  readonly version: string
}

export class Reflector {
  /** Resolves when everything was listed once. */
  readonly synced: Promise<void>
  readonly #options: ReflectorOptions
  readonly #known = new Map<string, Known>()
  readonly #backoff: Backoff
  readonly #stopping = new AbortController()
  readonly #running: Promise<void>
  #sync: () => void = () => {}
  #listedMs = 0

  /** Starts at once. */
  constructor(options: ReflectorOptions) {
    this.#options = options
    this.#backoff = new Backoff(options.retryMs ?? WATCH_RETRY_MS, options.random)
    this.synced = new Promise(resolve => {
      this.#sync = resolve
    })
    this.#running = this.#run()
  }

  /** Resolves when nothing is told any more. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    let version: string | null = null
    while (!signal.aborted) {
      if (version === null) version = await this.#list(signal)
      else version = await this.#watch(version, signal)
    }
  }

  /** Null where it failed; then the time to wait has passed. */
  async #list(signal: AbortSignal): Promise<string | null> {
    const { api, path, clock, idleMs = LIST_IDLE_MS } = this.#options
    const outcome = await listAll(api, path, { idleMs, signal }, object => this.#put(object))
    if (signal.aborted) return null
    if (outcome.kind === 'failed') {
      if (this.#isAbsence(outcome)) await this.#absent(signal)
      else await this.#failed(outcome, signal)
      return null
    }
    this.#listed(outcome.keys, true)
    this.#listedMs = clock.monotonicMs()
    return outcome.version
  }

  #listed(keys: ReadonlySet<string>, isServed: boolean): void {
    const { told } = this.#options
    for (const key of [...this.#known.keys()]) if (!keys.has(key)) this.#removed(key)
    told.served?.(isServed)
    told.back()
    this.#sync()
  }

  #isAbsence({ status }: Failure): boolean {
    return status === 404 && this.#options.absentLookMs !== undefined
  }

  async #absent(signal: AbortSignal): Promise<void> {
    this.#listed(new Set(), false)
    this.#backoff.reset()
    const { absentLookMs = 0, random } = this.#options
    await after(absentLookMs * (0.5 + random.fraction() / 2), undefined, { signal }).catch(() => {})
  }

  /** The version to go on from, null where everything must be listed again. */
  async #watch(version: string, signal: AbortSignal): Promise<string | null> {
    const { api, path, clock, random, told, idleMs = WATCH_IDLE_MS } = this.#options
    const events: WatchEvents = {
      opened: () => told.back(),
      put: object => this.#put(object),
      deleted: object => this.#removed(keyOf(object)),
    }
    const { end, version: next, wasGood } = await watch(api, path, version, events, { clock, random, idleMs, signal })
    if (signal.aborted) return next
    if (wasGood) this.#backoff.reset()
    // Whether it is gone, or is served by another version, the list tells.
    if (end.kind === 'failed' && this.#isAbsence(end)) return await this.#pause(null, signal).then(() => null)
    if (end.kind === 'failed') await this.#failed(end, signal)
    // After an outage the wait may have become long; a list is only made to wait where the last one was a moment ago.
    else if (end.kind === 'gone' && clock.monotonicMs() - this.#listedMs > WATCH_RETRY_MAX_MS) return null
    // Also after an end as it should be: a server that ends every watch at once would be asked without a pause.
    else await this.#pause(null, signal)
    return end.kind === 'gone' ? null : next
  }

  async #failed(failure: Failure, signal: AbortSignal): Promise<void> {
    // Without an answer the address or the CA may have changed; 401 says that the token has.
    if (failure.status === null || failure.status === 401) this.#options.api.renew()
    this.#options.told.away(failure.why)
    await this.#pause(failure.retryAfterMs, signal)
  }

  async #pause(retryAfterMs: number | null, signal: AbortSignal): Promise<void> {
    await after(this.#backoff.nextMs(retryAfterMs), undefined, { signal }).catch(() => {})
  }

  #put(object: RawObject): void {
    const key = keyOf(object)
    const { uid, resourceVersion: version } = object.metadata
    const before = this.#known.get(key)
    if (before?.uid === uid && before.version === version) return
    this.#known.set(key, { uid, version })
    this.#options.told.put(object)
  }

  #removed(key: string): void {
    if (this.#known.delete(key)) this.#options.told.removed(key)
  }
}
