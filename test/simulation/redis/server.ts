// A model Redis server: answers the commands that the adapter sends, one after the other, and keeps a history of what it wrote, so that
// another server can be made of it, or of a part. Scripts are not in that history: a server that starts, or is promoted, knows none.
import { createHash } from 'node:crypto'
import { createMapShelf } from '../../../src/core/map-shelf.ts'
import type { ReservationId } from '../../../src/core/reservation.ts'
import type { Shelf } from '../../../src/core/shelf.ts'
import { LEDGER_RULES } from '../../../src/limits.ts'
import { balanceName } from '../../../src/redis/keys.ts'
import { readScripts, type Move as ScriptName } from '../../../src/redis/scripts.ts'
import type { Machine } from '../machine.ts'
import { type Move, moveText, type Outcome } from '../move.ts'
import { Book } from '../oracle/book.ts'
import { Recovering } from './recovering.ts'
import { entryItem, recordText } from './rows.ts'
import { KEYS, runScript, type ScriptRun } from './scripts.ts'

/** One write, as it is replicated. */
export interface Written {
  readonly atMs: number
  readonly run: ScriptRun | 'layout'
}

export interface Command {
  readonly name: string
  readonly args: readonly string[]
}

/** An error is answered as one. */
export type Answer = { readonly value: unknown } | { readonly error: string }

const STREAM_MAX = 1_000_000
const SHA_OF = new Map(Object.values(readScripts()).map(({ text, sha }) => [text, sha]))
const SCRIPT_OF = new Map(Object.entries(readScripts()).map(([name, { sha }]) => [sha, name as ScriptName]))
const WRITES_NOTHING: readonly ScriptName[] = ['read']

export class Server {
  readonly name: string
  readonly book: Book
  readonly recovering: Recovering = new Recovering()
  history: Written[] = []
  /** How far its clock is from true time, ms. */
  clockOffMs = 0
  isDown = false
  isPrimary = true
  readonly #machine: Machine
  readonly #shelf: Shelf
  #scripts = new Set<string>()
  #hasLayout = false
  #seq = 0
  /** Store time of the last script, for questions that are none. */
  #readMs = 0
  #isReplayed = false
  #stalledUntilMs = Number.NEGATIVE_INFINITY

  constructor(machine: Machine, name: string, streamMax: number = STREAM_MAX) {
    this.#machine = machine
    this.name = name
    this.book = new Book(what => machine.fail(`${name}: ${what}`))
    const shelf = createMapShelf(LEDGER_RULES, streamMax)
    const putBeat: Shelf['putBeat'] = (holder, storeMs) => {
      shelf.putBeat(holder, storeMs)
      this.recovering.beat(holder, storeMs)
    }
    this.#shelf = { ...shelf, putBeat }
  }

  /** A server that has these writes, and nothing else. */
  static of(machine: Machine, name: string, history: readonly Written[]): Server {
    const server = new Server(machine, name)
    server.#isReplayed = true
    for (const written of history) server.#write(written)
    server.#isReplayed = false
    return server
  }

  get clockMs(): number {
    return Math.floor(this.#machine.nowMs + this.clockOffMs)
  }

  get frozenMs(): number {
    return Math.max(0, this.#shelf.meta().markMs - this.clockMs)
  }

  get stalledUntilMs(): number {
    return this.#stalledUntilMs
  }

  stall(ms: number): void {
    this.#stalledUntilMs = Math.max(this.#stalledUntilMs, this.#machine.nowMs + ms)
  }

  forgetScripts(): void {
    this.#scripts = new Set()
  }

  execute({ name, args }: Command): Answer {
    switch (name) {
      case 'INFO':
        return { value: this.#info() }
      case 'SCRIPT':
        return { value: this.#script(args) }
      case 'EVALSHA':
        return this.#evaluate(args)
      case 'HMGET':
        return { value: args.slice(1).map(field => this.#meta(field)) }
      case 'HSET':
        this.#write({ atMs: this.#machine.nowMs, run: 'layout' })
        return { value: '0' }
      case 'MGET':
        return { value: args.map(key => this.#record(key)) }
      case 'GET':
        return { value: this.#text(args[0] ?? '') }
      case 'ZRANGE':
        return { value: this.#shelf.records(true, '', 1_000).map(({ id }) => id) }
      case 'ZRANGEBYLEX':
        return { value: args[0] === KEYS.ids ? this.#ids(args) : this.#names(args) }
      case 'XRANGE':
        return { value: this.#entries(args) }
      default:
        throw new Error(`the command ${name} is not modelled`)
    }
  }

  #info(): string {
    const role = this.isPrimary ? 'master' : 'slave'
    const lines = [
      'redis_version:7.2.4',
      'redis_mode:standalone',
      `role:${role}`,
      'loading:0',
      'maxmemory_policy:noeviction',
      'maxmemory:0',
      `run_id:${this.name}`,
    ]
    return lines.join('\r\n')
  }

  #script([what = '', ...rest]: readonly string[]): unknown {
    if (what === 'EXISTS') return rest.map(sha => (this.#scripts.has(sha) ? '1' : '0'))
    const text = rest[0] ?? ''
    const sha = SHA_OF.get(text) ?? createHash('sha1').update(text).digest('hex')
    this.#scripts.add(sha)
    return sha
  }

  #evaluate([sha = '', count = '', ...rest]: readonly string[]): Answer {
    const script = SCRIPT_OF.get(sha)
    if (script === undefined || !this.#scripts.has(sha)) return { error: 'NOSCRIPT No matching script. Please use EVAL.' }
    if (!this.isPrimary && !WRITES_NOTHING.includes(script)) return { error: "READONLY You can't write against a read only replica." }
    const keys = rest.slice(0, Number(count))
    const args = rest.slice(Number(count))
    const told = args[1] ?? ''
    const run: ScriptRun = { script, keys, args, storeClockMs: told === '' ? this.clockMs : Number(told) }
    this.#readMs = run.storeClockMs
    return { value: this.#write({ atMs: this.#machine.nowMs, run }) }
  }

  #write(written: Written): unknown {
    const { run } = written
    if (run === 'layout') this.#hasLayout = true
    if (run === 'layout' || !WRITES_NOTHING.includes(run.script)) this.history.push(written)
    if (run === 'layout') return null
    try {
      const answer = runScript(
        { shelf: this.#shelf, recovering: this.recovering, tell: (asked, outcome) => this.#tell(asked, outcome) },
        run,
      )
      if (!this.#isReplayed && run.script === 'recover') this.#machine.note(`${this.name} recover -> ${String(answer)}`)
      return answer
    } catch (fault) {
      this.#machine.fail(`${this.name} broke at ${run.script}: ${fault instanceof Error ? fault.stack : String(fault)}`)
      return null
    }
  }

  #tell(asked: Move, outcome: Outcome): void {
    const entries = this.#shelf.entries(this.#seq, 1_000)
    this.#seq = entries.at(-1)?.seq ?? this.#seq
    if (!this.#isReplayed) this.#machine.note(`${this.name} ${moveText(asked)} -> ${outcome.kind}`)
    this.book.take(asked, outcome, entries)
  }

  #meta(field: string): string | null {
    const { recovering } = this
    switch (field) {
      case 'schema':
        return this.#hasLayout ? '1' : null
      case 'epoch':
        return recovering.epoch === '0' ? null : recovering.epoch
      case 'was':
        return recovering.epoch === '0' ? null : recovering.was
      case 'began':
        return recovering.epoch === '0' ? null : `${recovering.began}`
      case 'mode':
        return recovering.isOn ? 'recovering' : null
      default:
        throw new Error(`the field ${field} is not modelled`)
    }
  }

  #record(key: string): string | null {
    const record = this.#shelf.record(key.slice(KEYS.record('').length) as ReservationId)
    return record === null ? null : recordText(record)
  }

  /** A record, or the id of the one that was settled under a response. */
  #text(key: string): string | null {
    const response = KEYS.response('')
    return key.startsWith(response) ? (this.#shelf.recordByResponse(key.slice(response.length))?.id ?? null) : this.#record(key)
  }

  #ids([, from = '', , , , count = '']: readonly string[]): string[] {
    const after = from.startsWith('(') ? from.slice(1) : ''
    return this.#shelf.records(false, after, Number(count)).map(({ id }) => id)
  }

  #entries([, from = '', , , count = '']: readonly string[]): unknown[] {
    return this.#shelf.entries(Number.parseInt(from.slice(1), 10), Number(count)).map(entryItem)
  }

  /** The names of balances from a lexical bound on; those of windows that are over are left out, which nobody minds. */
  #names([key = '', from = '', , , , count = '']: readonly string[]): string[] {
    if (key !== KEYS.index) throw new Error(`the set ${key} is not modelled`)
    const isAfter = from.startsWith('(')
    const found = this.#shelf.balances('', isAfter ? from.slice(1) : '', 1_000_000, this.#readMs)
    const names = found.map(stored => balanceName(stored.key, stored.window))
    return names.filter(name => isAfter || name >= from.slice(1)).slice(0, Number(count))
  }
}
