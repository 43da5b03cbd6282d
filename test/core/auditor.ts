// An auditor of the model: sees the stream and nothing else, and says after every step what each balance must be.
import { expect } from 'vitest'
import type { ModelLedger } from '../../src/core/ledger.ts'
import type { Balance, ReservationId } from '../../src/core/reservation.ts'
import type { Entry, EntryLine } from '../../src/core/shelf.ts'
import { type Window, windowText } from '../../src/core/window.ts'

/** All that ever moved one balance, and the limit that it had last. */
interface Account {
  readonly of: Pick<EntryLine, 'key' | 'window'>
  readonly moves: { readonly admittedMs: number; readonly moved: EntryLine['moved'] }[]
  limit: bigint
  available: bigint
}

interface Life {
  readonly whats: string[]
  buried: boolean
  lastMs: number
}

const ENDS = ['settled', 'settled-over', 'expired', 'released', 'arrears']
/** What may take a balance below 0, beside a limit that was lowered and a soft line. */
const DRAWS = ['settled-over', 'settled-late', 'raised', 'expired', 'arrears', 'reasserted', 'adjusted']

export class Auditor {
  readonly kinds: Set<string> = new Set()
  readonly #ledger: ModelLedger
  readonly #accounts = new Map<string, Account>()
  readonly #lives = new Map<string, Life>()
  #seq = 0
  #storeMs = 0

  constructor(ledger: ModelLedger) {
    this.#ledger = ledger
  }

  /** Whether an id was closed with proof, or given back, before an instant. */
  isOver(id: ReservationId, beforeMs: number): boolean {
    const life = this.#lives.get(id)
    const last = life?.whats.at(-1)
    return life !== undefined && last !== 'reserved' && life.lastMs < beforeMs
  }

  /** Takes in what the stream told since the last look, then holds every balance against its account. */
  look(nowMs: number): void {
    for (const entry of this.#ledger.entries({ afterSeq: this.#seq, count: 1_000 }, nowMs).value) this.#take(entry)
    const accounts = [...this.#accounts.values()]
    const { value, storeMs, seq } = this.#ledger.read(
      accounts.map(account => account.of),
      nowMs,
    )
    expect(seq).toBe(this.#seq)
    for (const [index, account] of accounts.entries()) {
      const balance = value[index]
      if (balance == null) throw new Error(`the stream tells of ${account.of.key}, which is not there`)
      this.#hold(account, balance, storeMs, `${account.of.key} at ${storeMs}`)
    }
  }

  #take(entry: Entry): void {
    const { seq, storeMs, what, id, admittedMs } = entry
    expect(seq, 'no gaps').toBe(this.#seq + 1)
    expect(storeMs, 'store time does not run backwards').toBeGreaterThanOrEqual(this.#storeMs)
    this.#seq = seq
    this.#storeMs = storeMs
    this.kinds.add(what)
    if (what !== 'collected' && what !== 'presented') this.#live(entry)
    for (const each of entry.lines) {
      const name = `${each.key} ${windowText(each.window)}`
      const account = this.#accounts.get(name) ?? { of: each, moves: [], limit: each.balance.limit, available: each.balance.limit }
      const { limit, available } = account
      account.moves.push({ admittedMs, moved: each.moved })
      account.limit = each.balance.limit
      this.#hold(account, each.balance, storeMs, `entry ${seq}, ${what}, of ${id}`)
      if (what === 'reserved' && each.hard && each.amount > 0n) expect(each.balance.available, 'never over').toBeGreaterThanOrEqual(0n)
      const isNamed = DRAWS.includes(what) || each.balance.limit < limit || !each.hard
      if (each.balance.available < 0n && each.balance.available < available) expect(isNamed, `${what} draws below 0`).toBe(true)
      account.available = each.balance.available
      if (what === 'collected') {
        expect(each.balance.reserved, 'nothing reserved is collected').toBe(0n)
        this.#accounts.delete(name)
      } else this.#accounts.set(name, account)
    }
  }

  /** Every id begins and ends once, and is corrected and raised once at most. A tombstone, kept for a minute, is neither. */
  #live({ id, what, storeMs, seq }: Entry): void {
    const life = this.#lives.get(id) ?? { whats: [], buried: false, lastMs: storeMs }
    if (what === 'tombstoned') life.buried = true
    else life.whats.push(what)
    life.lastMs = storeMs
    this.#lives.set(id, life)
    const count = (...whats: string[]): number => life.whats.filter(each => whats.includes(each)).length
    const told = `${life.whats.join(', ')} (entry ${seq})`
    if (what === 'reserved' || what === 'reasserted') expect(life.whats, told).toHaveLength(1)
    expect(count(...ENDS), told).toBeLessThanOrEqual(1)
    for (const once of ['settled-late', 'raised']) expect(count(once), told).toBeLessThanOrEqual(1)
    if (what === 'settled-late' || what === 'raised') expect(life.buried || count(...ENDS, 'reasserted') > 0, told).toBe(true)
  }

  #hold({ of, moves, limit }: Account, balance: Balance, atMs: number, what: string): void {
    const sum = { reserved: 0n, spent: 0n, suspense: 0n, overrun: 0n }
    for (const { admittedMs, moved } of moves) {
      sum.overrun += moved.overrun
      if (hasSlid(of.window, admittedMs, atMs)) continue
      sum.reserved += moved.reserved
      sum.spent += moved.spent
      sum.suspense += moved.suspense
    }
    expect(balance, what).toEqual({ limit, available: limit - sum.spent - sum.reserved, ...sum })
    expect(sum.suspense >= 0n && sum.suspense <= sum.spent && sum.reserved >= 0n && sum.overrun >= 0n, what).toBe(true)
  }
}

/** By the law's words: buckets of ceil(L/60) ms from the epoch; those that overlap (now - L, now] count. */
function hasSlid(window: Window, admittedMs: number, atMs: number): boolean {
  if (window.kind !== 'sliding') return false
  const width = Math.ceil(window.lengthMs / 60)
  const bucketEndMs = (Math.floor(admittedMs / width) + 1) * width
  return bucketEndMs <= atMs - window.lengthMs
}
