// A client as ioredis is one, on simulated links: it connects, times out, rejects what a lost socket held, and connects again. The adapter
// drives it as it drives the real one.
import { LEDGER_TIMEOUT_MS } from '../../../src/limits.ts'
import type { OpenClient, RedisClient } from '../../../src/redis/client.ts'
import type { Link, Wire } from '../link.ts'
import type { Process } from '../process.ts'
import type { Answer, Command, Server } from './server.ts'

/** Carries one command to a server, in the order of its connection. */
export type Deliver = (server: Server, session: object, command: Command, reply: (answer: Answer) => void) => void

export interface ClientWorld {
  readonly process: Process
  readonly link: Link
  /** The server that the address leads to at the moment. */
  lookUp(): Server
  readonly deliver: Deliver
}

const CONNECT_MS = 500
const REFUSED_MS = 2
const DISCONNECT_MS = 20

type Event = 'ready' | 'close' | 'end' | 'error'

interface Pending {
  reject(error: Error): void
}

export const openSimulated =
  (world: ClientWorld): OpenClient =>
  ({ delayMs }) =>
    new SimulatedClient(world, delayMs)

class SimulatedClient implements RedisClient {
  status = 'wait'
  readonly #world: ClientWorld
  readonly #delayMs: () => number
  readonly #heard = new Map<Event, (error: Error) => void>()
  #pending = new Set<Pending>()
  #wire: Wire | null = null
  #server: Server | null = null
  #isEnding = false
  #isOver = false
  #tries = 0

  constructor(world: ClientWorld, delayMs: () => number) {
    this.#world = world
    this.#delayMs = delayMs
  }

  on(event: Event, heard: (() => void) | ((error: Error) => void)): void {
    this.#heard.set(event, heard as (error: Error) => void)
  }

  connect(): Promise<unknown> {
    this.#isOver = false
    return new Promise((resolve, reject) => this.#connect(resolve, reject))
  }

  disconnect(again = false): void {
    if (!again) this.#isOver = true
    const wire = this.#wire
    if (wire === null) {
      if (!again) this.#tries += 1 // whatever is being made is called off
      if (this.status === 'wait') this.#closed()
      return
    }
    this.#isEnding = true
    wire.close()
    this.#after(DISCONNECT_MS, () => wire === this.#wire && this.#closed())
  }

  send(name: string, args: readonly string[]): Promise<unknown> {
    const wire = this.#wire
    const server = this.#server
    if (this.status !== 'ready' || this.#isEnding || wire === null || server === null) {
      return Promise.reject(new Error("Stream isn't writeable and enableOfflineQueue options is false"))
    }
    return new Promise((resolve, reject) => {
      const pending: Pending = {
        reject: error => {
          if (!this.#pending.delete(pending)) return
          callOff()
          reject(error)
        },
      }
      const callOff = this.#world.process.timer.after(LEDGER_TIMEOUT_MS, () => pending.reject(new Error('Command timed out')))
      this.#pending.add(pending)
      const taken = (answer: Answer): void => {
        if ('error' in answer) pending.reject(new Error(answer.error))
        else if (this.#pending.delete(pending)) {
          callOff()
          resolve(answer.value)
        }
      }
      wire.send(back => this.#world.deliver(server, wire, { name, args }, answer => back(() => this.#run(() => taken(answer)))))
    })
  }

  #connect(ready: (value: unknown) => void = () => {}, failed: (error: Error) => void = () => {}) {
    const { link, lookUp } = this.#world
    const mine = ++this.#tries
    this.status = 'connecting'
    const server = lookUp()
    const fail = (ms: number, word: string): void => {
      this.#after(ms, () => {
        if (mine !== this.#tries) return
        const error = new Error(`connect ${word}`)
        failed(error)
        this.#emit('error', error)
        this.#closed()
      })
    }
    if (link.isCut) return fail(CONNECT_MS, 'ETIMEDOUT')
    if (link.isRefused || server.isDown) return fail(REFUSED_MS, 'ECONNREFUSED')
    this.#after(link.weather.delayMs * 2, () => {
      if (mine !== this.#tries) return
      const wire = link.connect(server, () => this.#run(() => wire === this.#wire && this.#closed()))
      this.#wire = wire
      this.#server = server
      this.status = 'ready'
      ready('OK')
      this.#emit('ready')
    })
  }

  /** The socket is gone: what waited on it is rejected, and unless it was meant to end a new one is made. */
  #closed(): void {
    this.#wire = null
    this.#server = null
    this.#isEnding = false
    this.status = 'close'
    for (const pending of [...this.#pending]) pending.reject(new Error('Connection is closed.'))
    this.#emit('close')
    if (this.#isOver) {
      this.status = 'end'
      this.#emit('end')
      return
    }
    this.status = 'reconnecting'
    this.#after(this.#delayMs(), () => this.status === 'reconnecting' && this.#connect())
  }

  #emit(event: Event, error: Error = new Error(event)): void {
    this.#heard.get(event)?.(error)
  }

  #after(ms: number, run: () => void): void {
    this.#world.process.timer.after(ms, run)
  }

  #run(event: () => void): void {
    this.#world.process.run(event)
  }
}
