// Runs the ledger's scripts: the keys and arguments that all of them have, scripts that the server forgot, errors that it answers.
import { assert } from '../core/assert.ts'
import { LEDGER_TIMEOUT_MS } from '../limits.ts'
import type { Clock, Timer } from '../ports.ts'
import type { Connection, Reply } from './connection.ts'
import { asRow } from './decode.ts'
import type { ScriptCall } from './encode.ts'
import { Guard } from './guard.ts'
import type { Holdings } from './holdings.ts'
import type { Keys } from './keys.ts'
import type { Move, Script } from './scripts.ts'

/** What a script answered, or that it is not known whether it ran. */
export type Ran = Exclude<Reply, { kind: 'error' }>
type Unavailable = Extract<Reply, { kind: 'unavailable' }>

/** What carries commands: a connection, or an inspection of one. */
export type Channel = Pick<Connection, 'send' | 'sendOnce' | 'stalled' | 'reinspect'>

export interface RunnerOptions {
  readonly holdings: Holdings
  readonly clock: Clock
  readonly timer: Timer
  readonly streamMax: number
  readonly storeClockMs?: () => number
  /** How many replicas must have a reservation before it counts; none unless told. */
  readonly guarded?: number
}

export class Runner {
  readonly keys: Keys
  readonly holdings: Holdings
  readonly #connection: Channel
  readonly #scripts: Readonly<Record<Move, Script>>
  readonly #clock: Clock
  readonly #timer: Timer
  readonly #streamMax: number
  readonly #storeClockMs: (() => number) | null
  readonly #guard: Guard | null

  constructor(connection: Channel, scripts: Readonly<Record<Move, Script>>, keys: Keys, options: RunnerOptions) {
    this.#connection = connection
    this.#scripts = scripts
    this.keys = keys
    this.holdings = options.holdings
    this.#clock = options.clock
    this.#timer = options.timer
    this.#streamMax = options.streamMax
    this.#storeClockMs = options.storeClockMs ?? null
    this.#guard = options.guarded === undefined || options.guarded === 0 ? null : new Guard(options.guarded, options.clock)
  }

  /** Runs a move, once more after a timeout. */
  async run(move: Move, call: ScriptCall): Promise<Ran> {
    const first = await this.runOnce(move, call)
    if (first.kind !== 'timeout') return first
    const second = await this.runOnce(move, call)
    return second.kind === 'timeout' ? this.stalled() : second
  }

  /**
   * Runs a move on many at once, whose script answers a row each. Where the outcome of the batch is not known, each is asked once
   * more by itself: every move is idempotent by its id.
   */
  async runBatch<T>(move: Move, batch: readonly T[], encode: (batch: readonly T[]) => ScriptCall): Promise<readonly Ran[]> {
    const reply = await this.runOnce(move, encode(batch))
    if (reply.kind === 'unavailable') return batch.map(() => reply)
    if (reply.kind === 'reply') return this.#rows(reply.value)
    return Promise.all(
      batch.map(async (each): Promise<Ran> => {
        const single = await this.runOnce(move, encode([each]))
        if (single.kind === 'timeout') return this.stalled()
        return single.kind === 'reply' ? (this.#rows(single.value)[0] ?? single) : single
      }),
    )
  }

  /** Runs a move; after a timeout it is not known whether it ran. */
  async runOnce(move: Move, call: ScriptCall): Promise<Ran | { readonly kind: 'timeout' }> {
    let reply = await this.#evaluate(move, call)
    if (reply.kind === 'error' && reply.message.startsWith('NOSCRIPT')) {
      // A recovery may take longer than a call can wait; while it is on, the move is refused.
      const late = new Promise<void>(resolve => this.#timer.after(LEDGER_TIMEOUT_MS, resolve))
      await Promise.race([this.#connection.reinspect(), late])
      reply = await this.#evaluate(move, call)
    }
    return reply.kind === 'error' ? { kind: 'unavailable', why: `Redis refused the move ${move}: ${reply.message}` } : reply
  }

  /** Sends a plain command that only reads. */
  async command(name: string, args: readonly string[]): Promise<Ran> {
    const reply = await this.#connection.send(name, args)
    return reply.kind === 'error' ? { kind: 'unavailable', why: `Redis refused ${name}: ${reply.message}` } : reply
  }

  /** Says that a retry timed out too. */
  stalled(): Unavailable {
    return this.#connection.stalled()
  }

  /** Where the ledger says that it stands; after a recovery without us, what is held has to be told to it. */
  stands(seq: number, epoch: string): void {
    if (!this.holdings.saw(seq, epoch)) void this.#connection.reinspect()
  }

  /** A row a move; the last one says where the ledger stands after them. */
  #rows(value: unknown): readonly Ran[] {
    assert(Array.isArray(value), 'a batch answers a list')
    const [kind, seq, epoch] = asRow(value.at(-1))
    assert(kind === 'tip' && seq !== undefined && epoch !== undefined, 'a batch ends with its tip')
    this.stands(Number(seq), epoch)
    return value.slice(0, -1).map(row => ({ kind: 'reply', value: row }))
  }

  #evaluate(move: Move, call: ScriptCall): ReturnType<Connection['sendOnce']> {
    const keys = [...this.keys.fixed, ...call.keys]
    const storeMs = this.#storeClockMs === null ? '' : `${Math.floor(this.#storeClockMs())}`
    const args = [`${Math.floor(this.#clock.wallMs())}`, storeMs, `${this.#streamMax}`, ...call.args]
    const command = [this.#scripts[move].sha, `${keys.length}`, ...keys, ...args]
    return this.#guard !== null && move === 'reserve' ? this.#guarded(this.#guard, command) : this.#connection.sendOnce('EVALSHA', command)
  }

  /** What replicas do not have within the time is as good as not known to have run. */
  async #guarded(guard: Guard, command: readonly string[]): ReturnType<Connection['sendOnce']> {
    const closed = guard.closed()
    if (closed !== null) return { kind: 'unavailable', why: closed }
    const answers = [this.#connection.sendOnce('EVALSHA', command), this.#connection.sendOnce(guard.wait.name, guard.wait.args)] as const
    const [reply, waited] = await Promise.all(answers)
    if (reply.kind !== 'reply' || waited.kind !== 'reply') return reply.kind === 'reply' ? waited : reply
    const short = guard.short(waited.value)
    return short === null ? reply : { kind: 'unavailable', why: short }
  }
}
