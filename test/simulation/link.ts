// The way between a process and a server: connections that keep their order, as TCP does, and break, stall, or go deaf without a word.
import type { Chance } from './chance.ts'
import type { Machine } from './machine.ts'

/** What happens to messages on a link, each direction alike. */
export interface Weather {
  /** How likely a message is the last of its connection: both ends are told, or with `deaf` of them neither is. */
  readonly breaks: number
  readonly deaf: number
  /** How likely a message, and all behind it, is held back for about `holdMs`; it arrives even where its connection is given up. */
  readonly held: number
  readonly holdMs: number
  /** Usual time of one way, ms; one in ten messages takes up to ten times as long. */
  readonly delayMs: number
}

export const FAIR: Weather = { breaks: 0, deaf: 0, held: 0, holdMs: 0, delayMs: 1 }

export class Link {
  weather: Weather = FAIR
  /** Nothing passes, and nobody is told. */
  isCut = false
  /** Whoever connects is told at once that nobody is there. */
  isRefused = false
  /** The last instant at which something that is held back arrives. */
  busyUntilMs = 0
  readonly #machine: Machine
  readonly #chance: Chance
  readonly #wires = new Set<Wire>()

  constructor(machine: Machine, chance: Chance) {
    this.#machine = machine
    this.#chance = chance
  }

  /** A new connection to a server; `onClosed` is called once when this end learns that it is over. */
  connect(peer: object, onClosed: () => void): Wire {
    const wire = new Wire(this, peer, onClosed)
    this.#wires.add(wire)
    return wire
  }

  /** The server ended, or the link did to all of them: whoever is connected learns of it. */
  closeAll(peer?: object): void {
    for (const wire of this.#wires) if (peer === undefined || wire.peer === peer) wire.break()
  }

  forget(wire: Wire): void {
    this.#wires.delete(wire)
  }

  /** The time of one way from now on, ms; null where the message does not arrive. */
  pass(): { readonly ms: number; readonly isHeld: boolean } | null {
    const { delayMs, held, holdMs } = this.weather
    if (this.isCut) return null
    const slow = this.#chance.happens(0.1) ? 10 : 1
    const hold = this.#chance.happens(held) ? holdMs * (0.8 + 0.2 * this.#chance.fraction()) : 0
    const ms = delayMs * (0.5 + this.#chance.fraction()) * slow + hold
    if (hold > 0) this.busyUntilMs = Math.max(this.busyUntilMs, this.#machine.nowMs + ms)
    return { ms, isHeld: hold > 0 }
  }

  /** Whether a message breaks its connection, and how. */
  breaks(): 'no' | 'told' | 'deaf' {
    if (!this.#chance.happens(this.weather.breaks)) return 'no'
    return this.#chance.happens(this.weather.deaf) ? 'deaf' : 'told'
  }

  at(atMs: number, run: () => void): void {
    this.#machine.at(atMs, run)
  }

  get nowMs(): number {
    return this.#machine.nowMs
  }
}

/** One connection. What was sent on it arrives in order, or not at all. */
export class Wire {
  isOpen = true
  readonly peer: object
  readonly #link: Link
  readonly #onClosed: () => void
  #isDeaf = false
  #thereMs = 0
  #backMs = 0

  constructor(link: Link, peer: object, onClosed: () => void) {
    this.#link = link
    this.peer = peer
    this.#onClosed = onClosed
  }

  /** From the process to the server: `deliver` runs there, and is given the way back. */
  send(deliver: (reply: (receive: () => void) => void) => void): void {
    if (!this.isOpen || !this.#survives()) return
    const passed = this.#link.pass()
    if (passed === null) {
      this.#isDeaf = true
      return
    }
    this.#thereMs = Math.max(this.#thereMs, this.#link.nowMs + passed.ms)
    // What was sent arrives even where the sender gave up meanwhile.
    this.#link.at(this.#thereMs, () => deliver(receive => this.#sendBack(receive)))
  }

  /** This end is closed, by itself: nobody is told here, and what is on its way to the server arrives. */
  close(): void {
    this.isOpen = false
    this.#link.forget(this)
  }

  /** Both ends learn that it is over. */
  break(): void {
    if (!this.isOpen) return
    this.close()
    if (!this.#isDeaf) this.#onClosed()
  }

  #sendBack(receive: () => void) {
    if (!this.isOpen || !this.#survives()) return
    const passed = this.#link.pass()
    if (passed === null) {
      this.#isDeaf = true
      return
    }
    this.#backMs = Math.max(this.#backMs, this.#link.nowMs + passed.ms)
    this.#link.at(this.#backMs, () => this.isOpen && receive())
  }

  #survives(): boolean {
    if (this.#isDeaf) return false
    const how = this.#link.breaks()
    if (how === 'deaf') this.#isDeaf = true
    else if (how === 'told') this.break()
    return how === 'no'
  }
}
