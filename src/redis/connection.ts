// One connection to Redis that answers in bounded time: a reply, an error reply, or `unavailable`. It knows no money and no script.

import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { LEDGER_TIMEOUT_MS } from '../limits.ts'
import { type RedisAddress, redisOptions } from './address.ts'
import { FlatCommand } from './flat-command.ts'

/** What became of a command. `unavailable`: it is not known whether it ran. */
export type Reply =
  | { readonly kind: 'reply'; readonly value: unknown }
  | { readonly kind: 'error'; readonly message: string }
  | { readonly kind: 'unavailable'; readonly why: string }

type Attempt = Reply | { readonly kind: 'timeout' }

export type Send = (name: string, args: readonly string[]) => Promise<Reply>

/** Whether a server may be used. `lasting`: waiting will not help, a person must act. */
export type Fitness = { readonly kind: 'fit' } | { readonly kind: 'unfit'; readonly why: string; readonly lasting: boolean }

/** Looks at a server before it is used: at first, and again after every loss. */
export type Inspection = (send: Send) => Promise<Fitness>

const PROBE_MS = 250
const OPEN_MS = 5_000 // a server that is starting or loading its file gets this long
const DEAF_PROBES_MAX = 4 // a socket that stays silent for a second is given up for a new one

export class Connection {
  readonly #redis: Redis
  readonly #inspect: Inspection
  readonly #name: string
  #fitness: Fitness
  #inspecting: Promise<void> | null = null
  /** Counts sockets, so that an inspection that began on one says nothing of the next. */
  #socket = 0
  #deafProbes = 0
  #timer: NodeJS.Timeout | null = null
  #closed = false

  private constructor(address: RedisAddress, inspect: Inspection) {
    this.#name = `${address.host}:${address.port}`
    this.#inspect = inspect
    this.#fitness = unfit(`Redis at ${this.#name} is not connected yet`)
    this.#redis = new Redis(redisOptions(address))
    this.#redis.on('ready', () => void this.#probe())
    this.#redis.on('close', () => this.#lose(`the connection to Redis at ${this.#name} is closed`))
    this.#redis.on('error', (error: Error) => this.#refusedBy(error))
  }

  /**
   * Connects and inspects.
   * @throws Error with a sentence for the operator when the server cannot be reached or is not fit; it never holds a password.
   */
  static async open(address: RedisAddress, inspect: Inspection): Promise<Connection> {
    const connection = new Connection(address, inspect)
    connection.#redis.connect().catch(() => {}) // its failure comes as an event too
    const until = performance.now() + OPEN_MS
    for (;;) {
      const fitness = connection.#fitness
      if (fitness.kind === 'fit') return connection
      if (fitness.lasting || performance.now() > until) {
        connection.close()
        throw new Error(fitness.why)
      }
      await sleep(10)
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
    const why = `Redis at ${this.#name} does not answer within ${LEDGER_TIMEOUT_MS} ms`
    if (this.#fitness.kind === 'fit') this.#doubt(why)
    return { kind: 'unavailable', why }
  }

  /** Looks at the server again, for instance because it forgot its scripts. */
  reinspect(): Promise<void> {
    return this.#probe()
  }

  close(): void {
    this.#closed = true
    this.#lose('the ledger is closed')
    this.#redis.disconnect()
  }

  async #attempt(name: string, args: readonly string[]): Promise<Attempt> {
    if (this.#redis.status !== 'ready') return unavailable(this.#fitness, this.#name)
    try {
      return { kind: 'reply', value: await this.#redis.sendCommand(new FlatCommand(name, [...args], { replyEncoding: 'utf8' })) }
    } catch (error) {
      return failure(error, this.#name)
    }
  }

  /** One inspection at a time: who asks meanwhile waits for the same one. */
  #probe(): Promise<void> {
    if (this.#closed) return Promise.resolve()
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
      return { kind: 'unavailable', why: `Redis at ${this.#name} does not answer within ${LEDGER_TIMEOUT_MS} ms` }
    })
    if (this.#closed) return
    if (socket !== this.#socket) return this.#later()
    this.#fitness = fitness
    this.#deafProbes = deaf ? this.#deafProbes + 1 : 0
    if (this.#deafProbes >= DEAF_PROBES_MAX) this.#redis.disconnect(true)
    else if (fitness.kind === 'unfit') this.#later()
  }

  #later(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      if (this.#redis.status === 'ready') void this.#probe()
    }, PROBE_MS)
  }

  #doubt(why: string): void {
    this.#fitness = unfit(why)
    this.#later()
  }

  #lose(why: string): void {
    this.#socket++
    this.#deafProbes = 0
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (this.#fitness.kind === 'fit' || this.#closed) this.#fitness = unfit(why)
  }

  #refusedBy(error: Error): void {
    if (this.#fitness.kind === 'fit') return
    const lasting =
      /^(WRONGPASS|NOAUTH|NOPERM)\b/.test(error.message) || /invalid (username-)?password|DB index is out of range/i.test(error.message)
    this.#fitness = { kind: 'unfit', why: `Redis at ${this.#name} cannot be used: ${reason(error)}`, lasting }
  }
}

const unfit = (why: string): Fitness => ({ kind: 'unfit', why, lasting: false })

const unavailable = (fitness: Fitness, name: string): Attempt => ({
  kind: 'unavailable',
  why: fitness.kind === 'unfit' ? fitness.why : `the connection to Redis at ${name} is closed`,
})

function failure(error: unknown, name: string): Attempt {
  const message = error instanceof Error ? error.message : String(error)
  if (message === 'Command timed out') return { kind: 'timeout' }
  // Redis names its errors in capitals (`NOSCRIPT …`); everything else is the client's own word on its socket.
  return /^[A-Z]{2,}\b/.test(message)
    ? { kind: 'error', message }
    : { kind: 'unavailable', why: `the connection to Redis at ${name} is closed` }
}

/** Node's connection errors come in bundles without a message of their own. */
function reason(error: Error): string {
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return error.errors[0].message
  return error.message === '' ? error.name : error.message
}
