// Leadership by a Lease: of several controllers one writes. A leader that cannot renew stops by its own clock, before another may begin.
// Decides nothing but who leads.
import { LEASE_RENEW_MS, LEASE_REQUEST_MS, LEASE_RETRY_MS } from '../limits.ts'
import type { Clock, Random, Timer } from '../ports.ts'
import type { Api } from './api.ts'
import type { Failure } from './failure.ts'
import { firstLease, heldLease, type Lease, LeaseWatch, leaseIn, releasedLease } from './lease-record.ts'
import { getJson, sendJson } from './request.ts'

export interface LeadershipTold {
  /** This process leads from now on. */
  began(): void
  /** It does not lead any more. */
  ended(): void
  /** The Lease can be neither read nor written. Told again with each attempt that fails. */
  away(why: string): void
}

export interface LeadershipOptions {
  readonly api: Api
  readonly clock: Clock
  readonly timer: Timer
  readonly random: Random
  readonly namespace: string
  readonly name: string
  /** Who this process is: no other, and no earlier one, has the same. */
  readonly identity: string
  readonly told: LeadershipTold
}

type Outcome = { readonly kind: 'ours'; readonly lease: Lease } | { readonly kind: 'another' } | Failure

export class Leadership {
  readonly #options: LeadershipOptions
  readonly #stopping = new AbortController()
  readonly #watch = new LeaseWatch()
  readonly #running: Promise<void>
  /** Ours, as it was written last. */
  #lease: Lease | null = null
  /** Monotonic: when the request was begun that renewed last; null while another leads. */
  #renewedMs: number | null = null
  #toldLeading = false

  /** Starts at once. */
  constructor(options: LeadershipOptions) {
    this.#options = options
    this.#running = this.#run()
  }

  /** Whether this process may write now. Asked before every write: a process that slept finds out here, before it is told. */
  get isLeading(): boolean {
    return this.#renewedMs !== null && this.#options.clock.monotonicMs() - this.#renewedMs < LEASE_RENEW_MS
  }

  /** Gives leadership up, so that the next leader need not wait. Whoever writes must have ended before. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    const { clock, api } = this.#options
    if (this.isLeading && this.#lease !== null)
      await sendJson(api, this.#path, put(releasedLease(this.#lease, clock.wallMs())), {
        idleMs: LEASE_REQUEST_MS,
        signal: new AbortController().signal,
      })
    this.#renewedMs = null
    this.#tell()
  }

  async #run(): Promise<void> {
    const { clock, random, told, api } = this.#options
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const begunMs = clock.monotonicMs()
      const outcome = await this.#attempt(signal)
      if (signal.aborted) return
      if (outcome.kind === 'ours') [this.#lease, this.#renewedMs] = [outcome.lease, begunMs]
      else if (outcome.kind === 'another') [this.#lease, this.#renewedMs] = [null, null]
      else {
        if (outcome.status === null || outcome.status === 401) api.renew()
        told.away(outcome.why)
      }
      this.#tell()
      // Candidates spread, so that they do not come for a free lease together; a leader keeps its beat, however slow the server is.
      const tookMs = clock.monotonicMs() - begunMs
      await this.#pause(this.isLeading ? Math.max(0, LEASE_RETRY_MS - tookMs) : LEASE_RETRY_MS * (1 + random.fraction() * 0.2))
    }
  }

  async #attempt(signal: AbortSignal): Promise<Outcome> {
    const { api, clock, identity, name, namespace } = this.#options
    const options = { idleMs: LEASE_REQUEST_MS, signal }
    if (this.isLeading && this.#lease !== null) {
      const renewed = await this.#write(this.#lease, signal)
      // Somebody else wrote it, or removed it: which of these it was is seen below.
      if (renewed.kind === 'ours' || (renewed.kind === 'failed' && renewed.status !== 404)) return renewed
    }
    const got = await getJson(api, this.#path, options)
    if (got.kind === 'failed') {
      if (got.status !== 404) return got
      const body = firstLease(name, namespace, identity, clock.wallMs())
      return ours(await sendJson(api, this.#folder, { method: 'POST', type: 'application/json', body }, options))
    }
    const lease = leaseIn(got.body)
    if (lease === null) return { kind: 'failed', why: 'what is there is not a Lease', status: null, retryAfterMs: null }
    if (this.#watch.isHeldByOther(lease, identity, clock.monotonicMs())) return { kind: 'another' }
    return this.#write(lease, signal)
  }

  /** Writes the lease as ours, on the very state that was seen: who comes second is refused with 409. */
  async #write(lease: Lease, signal: AbortSignal): Promise<Outcome> {
    const { api, clock, identity } = this.#options
    const written = put(heldLease(lease, identity, clock.wallMs()))
    return ours(await sendJson(api, this.#path, written, { idleMs: LEASE_REQUEST_MS, signal }))
  }

  #tell(): void {
    const { told } = this.#options
    const { isLeading } = this
    if (isLeading === this.#toldLeading) return
    this.#toldLeading = isLeading
    if (isLeading) told.began()
    else told.ended()
  }

  #pause(ms: number): Promise<void> {
    const { signal } = this.#stopping
    return new Promise(resolve => {
      const callOff = this.#options.timer.after(ms, () => {
        signal.removeEventListener('abort', stop)
        resolve()
      })
      const stop = (): void => {
        callOff()
        resolve()
      }
      signal.addEventListener('abort', stop, { once: true })
    })
  }

  get #folder(): string {
    return `/apis/coordination.k8s.io/v1/namespaces/${this.#options.namespace}/leases`
  }

  get #path(): string {
    return `${this.#folder}/${this.#options.name}`
  }
}

const put = (body: Lease) => ({ method: 'PUT', type: 'application/json', body }) as const

function ours(answer: Awaited<ReturnType<typeof sendJson>>): Outcome {
  if (answer.kind === 'failed') return answer.status === 409 ? { kind: 'another' } : answer
  const lease = leaseIn(answer.body)
  return lease === null ? { kind: 'failed', why: 'the answer is not a Lease', status: null, retryAfterMs: null } : { kind: 'ours', lease }
}
