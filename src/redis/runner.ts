// Runs the ledger's scripts: the keys and arguments that all of them have, scripts that the server forgot, errors that it answers.
import { assert } from '../core/assert.ts'
import type { Clock } from '../ports.ts'
import type { Connection, Reply } from './connection.ts'
import type { ScriptCall } from './encode.ts'
import type { Keys } from './keys.ts'
import type { Move, Script } from './scripts.ts'

/** What a script answered, or that it is not known whether it ran. */
export type Ran = Exclude<Reply, { kind: 'error' }>
type Unavailable = Extract<Reply, { kind: 'unavailable' }>

export class Runner {
  readonly keys: Keys
  readonly #connection: Connection
  readonly #scripts: Readonly<Record<Move, Script>>
  readonly #clock: Clock
  readonly #streamMax: number
  readonly #storeClockMs: (() => number) | null

  constructor(
    connection: Connection,
    scripts: Readonly<Record<Move, Script>>,
    keys: Keys,
    options: { readonly clock: Clock; readonly streamMax: number; readonly storeClockMs?: () => number },
  ) {
    this.#connection = connection
    this.#scripts = scripts
    this.keys = keys
    this.#clock = options.clock
    this.#streamMax = options.streamMax
    this.#storeClockMs = options.storeClockMs ?? null
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
    if (reply.kind === 'reply') return rows(reply.value)
    return Promise.all(
      batch.map(async (each): Promise<Ran> => {
        const single = await this.runOnce(move, encode([each]))
        if (single.kind === 'timeout') return this.stalled()
        return single.kind === 'reply' ? (rows(single.value)[0] ?? single) : single
      }),
    )
  }

  /** Runs a move; after a timeout it is not known whether it ran. */
  async runOnce(move: Move, call: ScriptCall): Promise<Ran | { readonly kind: 'timeout' }> {
    let reply = await this.#evaluate(move, call)
    if (reply.kind === 'error' && reply.message.startsWith('NOSCRIPT')) {
      await this.#connection.reinspect()
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

  #evaluate(move: Move, call: ScriptCall): ReturnType<Connection['sendOnce']> {
    const keys = [...this.keys.fixed, ...call.keys]
    const storeMs = this.#storeClockMs === null ? '' : `${Math.floor(this.#storeClockMs())}`
    const args = [`${Math.floor(this.#clock.wallMs())}`, storeMs, `${this.#streamMax}`, ...call.args]
    return this.#connection.sendOnce('EVALSHA', [this.#scripts[move].sha, `${keys.length}`, ...keys, ...args])
  }
}

function rows(value: unknown): readonly Ran[] {
  assert(Array.isArray(value), 'a batch answers a list')
  return value.map(row => ({ kind: 'reply', value: row }))
}
