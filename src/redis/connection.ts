// One connection to the Redis server that is in charge, which answers in bounded time: a reply, an error reply, or `unavailable`. Whatever
// server it comes to is inspected before it is used. It knows no money and no script.

import { LEDGER_TIMEOUT_MS } from '../limits.ts'
import type { Clock, Timer } from '../ports.ts'
import { describeAddress, type RedisAddress } from './address.ts'
import type { OpenClient, RedisClient } from './client.ts'
import { RECONNECT_MS, type TlsFiles } from './client-options.ts'
import { ClusterNodes } from './cluster-nodes.ts'
import { type Fitness, isElsewhere, refusal, wait } from './fitness.ts'

/** What became of a command. `unavailable`: it is not known whether it ran. */
export type Reply =
  | { readonly kind: 'reply'; readonly value: unknown }
  | { readonly kind: 'error'; readonly message: string }
  | { readonly kind: 'unavailable'; readonly why: string }

type Attempt = Reply | { readonly kind: 'timeout' }

export type Send = (name: string, args: readonly string[]) => Promise<Reply>

/** Looks at a server before it is used: at first, and again after every loss. `nodes` is told what a Cluster says of its own. */
export type Inspection = (send: Send, nodes: ClusterNodes) => Promise<Fitness>

export interface Target {
  readonly clock: Clock
  readonly timer: Timer
  readonly address: RedisAddress
  readonly tls: TlsFiles
  readonly openClient: OpenClient
}

const PROBE_MS = 250
const OPEN_POLL_MS = 10
const OPEN_MS = 5_000 // a server that is starting or loading its file gets this long
const DEAF_PROBES_MAX = 4 // a socket that stays silent for a second is given up for a new one

export class Connection {
  /** Aborted when the ledger is closed. */
  readonly closing: AbortSignal
  readonly #timer: Timer
  readonly #redis: RedisClient
  readonly #inspect: Inspection
  readonly #name: string
  readonly #nodes: ClusterNodes
  readonly #deafProbesMax: number
  readonly #closer = new AbortController()
  #fitness: Fitness
  #inspecting: Promise<void> | null = null
  /** Counts sockets, so that an inspection that began on one says nothing of the next. */
  #socket = 0
  /** The socket that was given up last: its end is on the way. */
  #left = -1
  /** Connections made in vain since a server was fit; the next one waits the longer. */
  #vain = 0
  #deafProbes = 0
  #callOff: (() => void) | null = null

  private constructor({ address, tls, timer, openClient }: Target, inspect: Inspection) {
    this.#timer = timer
    this.closing = this.#closer.signal
    this.#name = describeAddress(address)
    this.#inspect = inspect
    this.#fitness = wait(`${this.#name} is not connected yet`)
    this.#nodes = new ClusterNodes(address.kind === 'cluster' ? address.seeds : [])
    // In a Cluster the silent one may have lost its place already, and only another node would say so.
    this.#deafProbesMax = address.kind === 'cluster' ? 1 : DEAF_PROBES_MAX
    this.#redis = openClient({ address, tls, nodes: this.#nodes, delayMs: () => this.#delay() })
    this.#redis.on('ready', () => void this.#probe())
    this.#redis.on('close', () => this.#lose(`the connection to ${this.#name} is closed`))
    this.#redis.on('error', (error: Error) => this.#refusedBy(error))
    this.#redis.on('end', () => this.#again())
  }

  /**
   * Connects and inspects.
   * @throws Error with a sentence for the operator when the server cannot be reached or is not fit; it never holds a password.
   */
  static async open(target: Target, inspect: Inspection): Promise<Connection> {
    const connection = new Connection(target, inspect)
    connection.#connect()
    const until = target.clock.monotonicMs() + OPEN_MS
    for (;;) {
      const fitness = connection.#fitness
      if (fitness.kind === 'fit') return connection
      if (fitness.until === 'person' || target.clock.monotonicMs() > until) {
        connection.close()
        throw new Error(fitness.why)
      }
      await new Promise<void>(resolve => target.timer.after(OPEN_POLL_MS, resolve))
    }
  }

  /**
   * Sends one command, which must be idempotent: after a timeout it is sent once more. Answers within two timeouts, and at once
   * while the server is known to be away.
   */
  async send(name: string, args: readonly string[]): Promise<Reply> {
    for (let tries = 1; tries <= 2; tries++) {
      const reply = await this.sendOnce(name, args)
      if (reply.kind !== 'timeout') return reply
    }
    return this.stalled()
  }

  /** Sends one command once; for callers that retry in a form of their own and then tell {@link stalled}. */
  async sendOnce(name: string, args: readonly string[]): Promise<Attempt> {
    return this.#fitness.kind === 'fit' ? this.#attempt(name, args) : { kind: 'unavailable', why: this.#fitness.why }
  }

  /** Two timeouts in a row: everything is refused at once until a probe is answered. */
  stalled(): Reply & { kind: 'unavailable' } {
    const why = this.#silence()
    if (this.#fitness.kind === 'fit') this.#doubt(why)
    return { kind: 'unavailable', why }
  }

  /** Looks at the server again, for instance because it forgot its scripts. */
  reinspect(): Promise<void> {
    return this.#probe()
  }

  close(): void {
    this.#closer.abort()
    this.#lose('the ledger is closed')
    this.#redis.disconnect()
  }

  async #attempt(name: string, args: readonly string[]): Promise<Attempt> {
    if (this.#redis.status !== 'ready') return unavailable(this.#fitness, this.#name)
    try {
      return { kind: 'reply', value: await this.#redis.send(name, args) }
    } catch (error) {
      const attempt = failure(error, this.#name)
      if (attempt.kind === 'error' && isElsewhere(attempt.message))
        this.#leave(`${this.#name} is not in charge: ${attempt.message}`, attempt.message)
      return attempt
    }
  }

  /** One inspection at a time: who asks meanwhile waits for the same one. */
  #probe(): Promise<void> {
    if (this.closing.aborted) return Promise.resolve()
    this.#inspecting ??= this.#look().finally(() => {
      this.#inspecting = null
    })
    return this.#inspecting
  }

  async #look(): Promise<void> {
    const socket = this.#socket
    let deaf = false
    const fitness = await this.#inspect(async (name, args) => {
      const attempt = await this.#attempt(name, args)
      if (attempt.kind !== 'timeout') return attempt
      deaf = true
      return { kind: 'unavailable', why: this.#silence() }
    }, this.#nodes)
    if (this.closing.aborted) return
    if (socket !== this.#socket) return this.#later()
    if (socket === this.#left) return
    this.#fitness = fitness
    this.#deafProbes = deaf ? this.#deafProbes + 1 : 0
    if (fitness.kind === 'fit') this.#vain = 0
    else if (fitness.until === 'elsewhere' || this.#deafProbes >= this.#deafProbesMax) this.#leave(fitness.why)
    else this.#later()
  }

  /** This server is not the one, or says nothing any more: gives up the socket, and the next may come to the right one. */
  #leave(why: string, redirect = ''): void {
    if (this.#left === this.#socket || this.#redis.status !== 'ready') return
    this.#left = this.#socket
    this.#fitness = wait(why)
    this.#nodes.moved(redirect)
    this.#redis.disconnect(true)
  }

  #connect(): void {
    this.#redis.connect().catch(() => {}) // its failure comes as an event too
  }

  #delay(): number {
    this.#vain += 1
    return Math.min(20 * this.#vain, RECONNECT_MS)
  }

  /** The client ends for good where a connection that is still being made is called off, as news of a failover do. We do not. */
  #again(): void {
    if (this.closing.aborted) return
    this.#timer.after(this.#delay(), () => {
      if (!this.closing.aborted && this.#redis.status === 'end') this.#connect()
    })
  }

  #later(): void {
    this.#callOff ??= this.#timer.after(PROBE_MS, () => {
      this.#callOff = null
      if (this.#redis.status === 'ready') void this.#probe()
    })
  }

  #doubt(why: string): void {
    this.#fitness = wait(why)
    this.#later()
  }

  #lose(why: string): void {
    this.#socket++
    this.#deafProbes = 0
    this.#callOff?.()
    this.#callOff = null
    if (this.#fitness.kind === 'fit' || this.closing.aborted) this.#fitness = wait(why)
  }

  #refusedBy(error: Error): void {
    if (this.#fitness.kind === 'fit' || /^All sentinels are unreachable\. Retrying[^:]*$/.test(error.message)) return
    this.#fitness = refusal(this.#name, reason(error))
  }

  #silence(): string {
    return `${this.#name} does not answer within ${LEDGER_TIMEOUT_MS} ms`
  }
}

const unavailable = (fitness: Fitness, name: string): Attempt => ({
  kind: 'unavailable',
  why: fitness.kind === 'unfit' ? fitness.why : `the connection to ${name} is closed`,
})

function failure(error: unknown, name: string): Attempt {
  const message = error instanceof Error ? error.message : String(error)
  if (message === 'Command timed out') return { kind: 'timeout' }
  // Redis names its errors in capitals (`NOSCRIPT …`); everything else is the client's own word on its socket.
  return /^[A-Z]{2,}\b/.test(message) ? { kind: 'error', message } : { kind: 'unavailable', why: `the connection to ${name} is closed` }
}

/** Node's connection errors come in bundles without a message of their own. */
function reason(error: Error): string {
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return error.errors[0].message
  return error.message === '' ? error.name : error.message
}
