// A scene: one fresh ledger with the questions that the contract's tests ask over and over. Closed after the test, whatever happened.
import { expect } from 'vitest'
import type { BudgetKey } from '../../src/core/budget.ts'
import type { Balance, Holder, Line, ReserveMove, ReserveOutcome } from '../../src/core/reservation.ts'
import type { Window } from '../../src/core/window.ts'
import type { BalancePage, Ledger, LedgerEntry, ReservationRecord } from '../../src/ports.ts'
import { holder, type LedgerUnderTest, type MakeLedger, reserveMove, SECOND } from './moves.ts'

export interface Scene {
  readonly ledger: Ledger
  advance(ms: number): Promise<void>
  turnStore(ms: number): void
  turnCallers(ms: number): void
  /** Lets time pass as in a living installation: a witness beats every 3 s, so that no gap says that the store was away. */
  pass(ms: number): Promise<void>
  now(): Promise<number>
  /** Reserves lines, and expects to. */
  admit(lines: readonly Line[], changes?: Partial<ReserveMove>): Promise<ReserveMove>
  attempt(lines: readonly Line[], changes?: Partial<ReserveMove>): Promise<ReserveOutcome>
  balance(of: { readonly key: BudgetKey; readonly window: Window }): Promise<Balance | null>
  /** Sweeps until nothing is left, and adds up. */
  sweepAll(): Promise<{ expired: number; collected: number }>
  entries(): Promise<readonly LedgerEntry[]>
  reservations(open: boolean): Promise<readonly ReservationRecord[]>
  /** All that can be seen of the ledger: what must be the same after a move that moves nothing. */
  seen(): Promise<Seen>
}

export interface Seen {
  readonly seq: number
  readonly balances: BalancePage['budgets']
  readonly reservations: readonly ReservationRecord[]
}

export const WITNESS: Holder = holder(0xfff)

/** Runs `play` on a fresh ledger. */
export async function scene(make: MakeLedger, play: (scene: Scene) => Promise<void>, streamMax = 10_000): Promise<void> {
  const made = await make({ streamMax })
  try {
    await play(sceneOf(made))
  } finally {
    await made.close()
  }
}

/** Jumps far ahead; the beat tells the store that it was away, so nobody is blamed for it. */
export async function leap({ advance, ledger }: Scene, ms: number): Promise<void> {
  await advance(ms)
  await ledger.beat(WITNESS)
}

function sceneOf({ ledger, advance, turnStore, turnCallers, nowMs }: LedgerUnderTest): Scene {
  const attempt = async (lines: readonly Line[], changes?: Partial<ReserveMove>) =>
    ledger.reserve(reserveMove(await nowMs(), lines, changes))
  const reservations = async (open: boolean): Promise<readonly ReservationRecord[]> => {
    const all: ReservationRecord[] = []
    let cursor = ''
    for (;;) {
      const read = await ledger.reservations({ open, cursor, count: 100 })
      if (read.kind !== 'read') throw new Error(`reservations answered ${read.kind}`)
      all.push(...read.value.reservations)
      if (read.value.next === null) return all.sort((a, b) => (a.id < b.id ? -1 : 1))
      cursor = read.value.next
    }
  }
  return {
    ledger,
    turnStore,
    turnCallers,
    advance: async ms => advance(ms),
    pass: async ms => {
      for (let left = ms; left > 0; left -= 3 * SECOND) {
        await advance(Math.min(left, 3 * SECOND))
        await ledger.beat(WITNESS)
      }
    },
    now: async () => nowMs(),
    attempt,
    admit: async (lines, changes) => {
      const move = reserveMove(await nowMs(), lines, changes)
      expect(await ledger.reserve(move)).toMatchObject({ kind: 'reserved', alternative: 0 })
      return move
    },
    balance: async of => {
      const read = await ledger.read([of])
      if (read.kind !== 'read') throw new Error(`a read answered ${read.kind}`)
      const [balance] = read.value
      if (balance != null) expect(balance.available).toBe(balance.limit - balance.spent - balance.reserved)
      return balance ?? null
    },
    sweepAll: async () => {
      const sum = { expired: 0, collected: 0 }
      for (;;) {
        const swept = await ledger.sweep()
        if (swept.kind !== 'swept') throw new Error(`a sweep answered ${swept.kind}`)
        sum.expired += swept.expired
        sum.collected += swept.collected
        if (!swept.more) return sum
      }
    },
    entries: async () => {
      const all: LedgerEntry[] = []
      for (;;) {
        const read = await ledger.entries({ afterSeq: all.at(-1)?.seq ?? 0, count: 500 })
        if (read.kind !== 'read') throw new Error(`entries answered ${read.kind}`)
        if (read.value.length === 0) return all
        all.push(...read.value)
      }
    },
    reservations,
    seen: async () => {
      const list = await ledger.list({ prefix: '', cursor: '', count: 1_000 })
      if (list.kind !== 'read') throw new Error(`a list answered ${list.kind}`)
      return { seq: list.seq, balances: list.value.budgets, reservations: await reservations(false) }
    },
  }
}
