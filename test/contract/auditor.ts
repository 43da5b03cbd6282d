// An auditor of any ledger: sees the stream and nothing else, and says what each balance must be and how every id lived.
import { expect } from 'vitest'
import type { Balance, ReservationId } from '../../src/core/reservation.ts'
import { type Window, windowText } from '../../src/core/window.ts'
import type { EntryLine, LedgerEntry } from '../../src/ports.ts'

/** All that ever moved one balance, and the limit that it had last. */
interface Account {
  readonly of: Pick<EntryLine, 'key' | 'window'>
  /** What may slide out of it again. */
  readonly moves: { readonly admittedMs: number; readonly moved: EntryLine['moved'] }[]
  readonly total: { reserved: bigint; spent: bigint; suspense: bigint; overrun: bigint }
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
  readonly #accounts = new Map<string, Account>()
  readonly #lives = new Map<string, Life>()
  #seq = 0
  #storeMs = 0

  /** Of the last entry that it has seen. */
  get seq(): number {
    return this.#seq
  }

  /** Whether an id was closed with proof, or given back, before an instant. */
  isOver(id: ReservationId, beforeMs: number): boolean {
    const life = this.#lives.get(id)
    return life !== undefined && life.whats.at(-1) !== 'reserved' && life.lastMs < beforeMs
  }

  /** The balances that the stream told of: what to read and hold against them. */
  balances(): readonly Pick<EntryLine, 'key' | 'window'>[] {
    return [...this.#accounts.values()].map(account => account.of)
  }

  /** Holds the balances as they were read, in their order, against all that moved them. */
  hold(balances: readonly (Balance | null)[], storeMs: number): void {
    for (const [index, account] of [...this.#accounts.values()].entries()) {
      const balance = balances[index]
      if (balance == null) throw new Error(`the stream tells of ${account.of.key}, which is not there`)
      this.#hold(account, balance, storeMs, `${account.of.key} at ${storeMs}`)
    }
  }

  /** Takes in the entries that come next. */
  take(entries: readonly LedgerEntry[]): void {
    for (const entry of entries) {
      const { seq, storeMs, what } = entry
      expect(seq, 'no gaps').toBe(this.#seq + 1)
      expect(storeMs, 'store time does not run backwards').toBeGreaterThanOrEqual(this.#storeMs)
      this.#seq = seq
      this.#storeMs = storeMs
      this.kinds.add(what)
      if (what !== 'collected' && what !== 'presented') this.#live(entry)
      for (const each of entry.lines) this.#move(entry, each)
    }
  }

  #move({ seq, storeMs, what, id, admittedMs }: LedgerEntry, each: EntryLine): void {
    const name = `${each.key} ${windowText(each.window)}`
    const account = this.#accounts.get(name) ?? newAccount(each)
    const { limit, available, total } = account
    if (each.window.kind === 'sliding') account.moves.push({ admittedMs, moved: each.moved })
    for (const figure of ['reserved', 'spent', 'suspense', 'overrun'] as const) total[figure] += each.moved[figure]
    account.limit = each.balance.limit
    account.available = each.balance.available
    this.#hold(account, each.balance, storeMs, `entry ${seq}, ${what}, of ${id}`)
    if (what === 'reserved' && each.hard && each.amount > 0n) expect(each.balance.available, 'never over').toBeGreaterThanOrEqual(0n)
    const isNamed = DRAWS.includes(what) || each.balance.limit < limit || !each.hard
    if (each.balance.available < 0n && each.balance.available < available) expect(isNamed, `${what} draws below 0`).toBe(true)
    if (what === 'collected') {
      expect(each.balance.reserved, 'nothing reserved is collected').toBe(0n)
      this.#accounts.delete(name)
    } else this.#accounts.set(name, account)
  }

  /** Every id begins and ends once, and is corrected and raised once at most. A tombstone, kept for a minute, is neither. */
  #live({ id, what, storeMs, seq }: LedgerEntry): void {
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

  #hold({ of, moves, total, limit }: Account, balance: Balance, atMs: number, what: string): void {
    const sum = { ...total }
    for (const { admittedMs, moved } of moves) {
      if (!hasSlid(of.window, admittedMs, atMs)) continue
      sum.reserved -= moved.reserved
      sum.spent -= moved.spent
      sum.suspense -= moved.suspense
    }
    expect(balance, what).toEqual({ limit, available: limit - sum.spent - sum.reserved, ...sum })
    expect(sum.suspense >= 0n && sum.suspense <= sum.spent && sum.reserved >= 0n && sum.overrun >= 0n, what).toBe(true)
  }
}

const newAccount = (of: EntryLine): Account => ({
  of,
  moves: [],
  total: { reserved: 0n, spent: 0n, suspense: 0n, overrun: 0n },
  limit: of.balance.limit,
  available: of.balance.limit,
})

/** By the law's words: buckets of ceil(L/60) ms from the epoch; those that overlap (now - L, now] count. */
function hasSlid(window: Window, admittedMs: number, atMs: number): boolean {
  if (window.kind !== 'sliding') return false
  const width = Math.ceil(window.lengthMs / 60)
  const bucketEndMs = (Math.floor(admittedMs / width) + 1) * width
  return bucketEndMs <= atMs - window.lengthMs
}
