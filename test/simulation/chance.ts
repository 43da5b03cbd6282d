// Seeded chance: every choice of a run comes from one number. The same seed makes the same choices, on any machine.
import type { Random } from '../../src/ports.ts'

const FOUR_DIGITS = Array.from({ length: 0x10000 }, (_, number) => number.toString(16).padStart(4, '0'))

/** Mulberry32: small, fast, and plenty for choosing what goes wrong; nobody is to trust its ids outside of a simulation. */
export class Chance implements Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** A whole number of 32 bits. */
  word(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }

  fraction(): number {
    return this.word() / 4_294_967_296
  }

  hex(bytes: number): string {
    let text = ''
    while (text.length < bytes * 2) {
      const word = this.word()
      text += (FOUR_DIGITS[word >>> 16] ?? '') + (FOUR_DIGITS[word & 0xffff] ?? '')
    }
    return text.slice(0, bytes * 2)
  }

  /** Chance of its own, so that what one part draws changes nothing for another. */
  fork(): Chance {
    return new Chance(this.word())
  }

  happens(probability: number): boolean {
    return this.fraction() < probability
  }

  /** A whole number from `low` to `high`, both included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1))
  }

  /** Between `low` and `high`, small ones as likely as large ones. */
  spread(low: number, high: number): number {
    return low * (high / low) ** this.fraction()
  }

  pick<T>(all: readonly T[]): T {
    const one = all[Math.floor(this.fraction() * all.length)]
    if (one === undefined) throw new Error('nothing to pick from')
    return one
  }

  /** Each of them or not, at least one. */
  some<T>(all: readonly T[], probability: number): T[] {
    const found = all.filter(() => this.happens(probability))
    return found.length > 0 ? found : [this.pick(all)]
  }
}
