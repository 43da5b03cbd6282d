// A backend of model Redis servers: a primary, perhaps a replica that follows with some lag, restarts that lose what was not on disk,
// promotions that lose what was not replicated, old primaries that live on. The replicas of Purser reach it through the real adapter.
import { GUARD_WAIT_MS } from '../../../src/limits.ts'
import type { Ledger, Telemetry } from '../../../src/ports.ts'
import { openRedisLedger } from '../../../src/redis/ledger.ts'
import type { Backend } from '../backend.ts'
import type { Chance } from '../chance.ts'
import type { Link } from '../link.ts'
import type { Machine } from '../machine.ts'
import type { Book } from '../oracle/book.ts'
import type { Process } from '../process.ts'
import type { StoreTrouble } from '../trouble.ts'
import { openSimulated } from './client.ts'
import { type Answer, type Command, Server } from './server.ts'

export interface RedisSettings {
  /** On a restart everything is there (`appendfsync always`), or all but the last second. */
  readonly fsync: 'always' | 'everysec'
  /** How far a replica is behind, ms; null: there is none. */
  readonly lagMs: number | null
  /** Whether reserves wait for the replica. */
  readonly isGuarded: boolean
}

const STREAM_MAX = 1_000_000

export class RedisBackend implements Backend {
  hasLost = false
  readonly lost: Map<string, boolean> = new Map()
  readonly reports: Readonly<Record<string, unknown>>[] = []
  readonly #machine: Machine
  readonly #chance: Chance
  readonly #links: readonly Link[]
  readonly #settings: RedisSettings
  readonly #servers: Server[] = []
  /** Where the address leads from each link. */
  readonly #found: Server[]
  #primary: Server
  readonly #tookOver: (old: Book, now: Book) => void
  /** Since when the replica gets nothing any more. */
  #partedMs = Number.POSITIVE_INFINITY
  /** Of each connection: what waits behind a command that blocks it. */
  readonly #blocked = new WeakMap<object, (() => void)[]>()

  /** `tookOver` is told of the book of a server, and of the book of the one that took its place, with what it has of it. */
  constructor(
    machine: Machine,
    chance: Chance,
    links: readonly Link[],
    settings: RedisSettings,
    clockOffMs: number,
    tookOver: (old: Book, now: Book) => void,
  ) {
    this.#tookOver = tookOver
    this.#machine = machine
    this.#chance = chance
    this.#links = links
    this.#settings = settings
    this.#primary = new Server(machine, 'redis a')
    this.#primary.clockOffMs = clockOffMs
    this.#servers.push(this.#primary)
    this.#found = links.map(() => this.#primary)
  }

  openLedger(process: Process, link: Link, slot: number, telemetry: Telemetry): Promise<Ledger> {
    const { clock, timer } = process
    const told: Telemetry = {
      ...telemetry,
      fault: (what, fields) => {
        telemetry.fault(what, fields)
        if (what === 'the ledger was recovered') this.reports.push(fields)
      },
    }
    const world = {
      process,
      link,
      lookUp: () => this.#found[slot] ?? this.#primary,
      deliver: (server: Server, session: object, command: Command, reply: (answer: Answer) => void) =>
        this.#deliver(server, session, command, reply),
    }
    return openRedisLedger({
      url: 'redis://simulated',
      name: 'simulated',
      clock,
      timer,
      telemetry: told,
      streamMax: STREAM_MAX,
      guarded: this.#settings.isGuarded ? 1 : 0,
      openClient: openSimulated(world),
    })
  }

  get book(): Book {
    return this.#primary.book
  }

  get frozenMs(): number {
    return this.#primary.frozenMs
  }

  get takeovers(): number {
    return this.#servers.length - 1
  }

  seen(): ReadonlyMap<string, number> {
    const all = new Map<string, number>()
    for (const { book } of this.#servers) for (const [what, count] of book.seen) all.set(what, Math.max(count, all.get(what) ?? 0))
    return all
  }

  begin(trouble: StoreTrouble, over: (end: () => void) => void): void {
    switch (trouble.kind) {
      case 'store stalls':
        this.#primary.stall(trouble.forMs)
        break
      case 'store clock':
        for (const server of this.#servers) server.clockOffMs += trouble.byMs
        over(() => {
          for (const server of this.#servers) server.clockOffMs -= trouble.byMs
        })
        break
      case 'store down':
        this.#restart(over)
        break
      case 'scripts lost':
        this.#primary.forgetScripts()
        break
      case 'replica parted':
        this.#partedMs = Math.min(this.#partedMs, this.#machine.nowMs)
        over(() => (this.#partedMs = Number.POSITIVE_INFINITY))
        break
      case 'failover':
        this.#failOver(trouble.isOldAlive, over)
    }
  }

  /** The process of the primary ends and starts again, with what its file has. */
  #restart(over: (end: () => void) => void): void {
    const old = this.#primary
    if (old.isDown) return
    this.#stop(old)
    const lostMs = this.#settings.fsync === 'always' ? 0 : this.#chance.fraction() * 1_000
    const keptMs = this.#machine.nowMs - lostMs
    over(() => {
      if (old !== this.#primary) return
      const kept = lostMs === 0 ? old.history : old.history.filter(({ atMs }) => atMs <= keptMs)
      this.#take(kept, old, old.clockOffMs)
      this.#found.fill(this.#primary)
    })
  }

  /** The replica is made the primary; the old one is gone, or lives on for a while with whoever is still connected to it. */
  #failOver(isOldAlive: boolean, over: (end: () => void) => void): void {
    const old = this.#primary
    const { lagMs } = this.#settings
    if (lagMs === null || old.isDown) return
    const followedMs = this.#followedMs(lagMs)
    const kept = old.history.filter(({ atMs }) => atMs <= followedMs)
    if (isOldAlive) this.hasLost = true
    else this.#stop(old)
    this.#take(kept, old, old.clockOffMs + this.#chance.int(-500, 500))
    this.#partedMs = this.#machine.nowMs // nobody follows the new one yet
    for (const slot of this.#found.keys()) if (!isOldAlive || this.#chance.happens(0.5)) this.#found[slot] = this.#primary
    over(() => {
      this.#stop(old)
      this.#found.fill(this.#primary)
      this.#partedMs = Number.POSITIVE_INFINITY
    })
  }

  #take(history: Server['history'], old: Server, clockOffMs: number): void {
    const name = `redis ${'abcdefghijklmnopqrstuvwxyz'[this.#servers.length] ?? 'z'}`
    const server = Server.of(this.#machine, name, history)
    server.clockOffMs = clockOffMs
    this.#servers.push(server)
    this.#primary = server
    const lost = old.history.length - history.length
    this.#machine.note(`${name} takes over from ${old.name}, without its last ${lost} writes`)
    if (lost > 0) this.hasLost = true
    this.#tookOver(old.book, server.book)
    for (const { id, holder } of old.book.records.values()) {
      if (!server.book.records.has(id)) this.lost.set(id, server.book.pulse.knows(holder))
    }
  }

  #stop(server: Server): void {
    server.isDown = true
    for (const link of this.#links) link.closeAll(server)
  }

  /** A command arrives on a connection: it waits for the server, and for what blocks the connection. */
  #deliver(server: Server, session: object, command: Command, reply: (answer: Answer) => void): void {
    const waiting = this.#blocked.get(session)
    if (waiting !== undefined) {
      waiting.push(() => this.#deliver(server, session, command, reply))
      return
    }
    if (server.isDown) return
    if (this.#machine.nowMs < server.stalledUntilMs) {
      this.#machine.at(server.stalledUntilMs, () => this.#deliver(server, session, command, reply))
      return
    }
    if (command.name === 'WAIT') this.#wait(server, session, reply)
    else reply(server.execute(command))
  }

  /** Blocks the connection until the replica has what was written, or the time is over. */
  #wait(server: Server, session: object, reply: (answer: Answer) => void): void {
    const { lagMs } = this.#settings
    const wroteMs = server.history.at(-1)?.atMs ?? 0
    const isFollowed = (): boolean => server === this.#primary && lagMs !== null && wroteMs <= this.#followedMs(lagMs)
    const inMs = lagMs === null ? GUARD_WAIT_MS : Math.max(0, wroteMs + lagMs - this.#machine.nowMs)
    this.#blocked.set(session, [])
    const answer = (): void => {
      const waiting = this.#blocked.get(session) ?? []
      this.#blocked.delete(session)
      reply({ value: isFollowed() ? '1' : '0' })
      for (const next of waiting) next()
    }
    this.#machine.after(Math.min(inMs, GUARD_WAIT_MS), () => {
      if (isFollowed() || inMs >= GUARD_WAIT_MS) answer()
      else this.#machine.after(GUARD_WAIT_MS - inMs, answer)
    })
  }

  /** What was written by then is on the replica too. */
  #followedMs(lagMs: number): number {
    return Math.min(this.#machine.nowMs, this.#partedMs) - lagMs
  }
}
