// Builders of moves for the suites that every ledger passes: short to write, deterministic, and complete.
import { type BudgetKey, budgetKey, type LimitVersion, type Unit } from '../../src/core/budget.ts'
import type {
  AdjustMove,
  Holder,
  Line,
  ObserveMove,
  ReleaseMove,
  ReservationId,
  ReserveMove,
  SettleMove,
} from '../../src/core/reservation.ts'
import type { Window, WindowSpec } from '../../src/core/window.ts'
import type { Ledger } from '../../src/ports.ts'

/** A fresh ledger whose clock the suite turns. Nothing but `advance` may change what it answers by more than a second. */
export interface LedgerUnderTest {
  readonly ledger: Ledger
  /** Moves the store's clock and the callers' wall clock together; negative steps them back. */
  advance(ms: number): void | Promise<void>
  /** Turns the store's clock alone, or the callers' alone, while no time passes; an embedded ledger has one for both. */
  turnStore(ms: number): void
  turnCallers(ms: number): void
  /** The store's clock now, ms since the epoch (the clock itself, not its high-water mark). */
  nowMs(): number | Promise<number>
  close(): Promise<void>
}

export type MakeLedger = (options: { readonly streamMax: number }) => Promise<LedgerUnderTest>

export const SECOND = 1_000
export const MINUTE = 60_000
export const HOUR = 3_600_000
export const DAY = 86_400_000
export const AMOUNT_TOP: bigint = 2n ** 53n - 1n
export const LIMIT_TOP: bigint = 10n ** 18n

export const LIFETIME: Window = { kind: 'lifetime' }
export const IN_FLIGHT: Window = { kind: 'inFlight' }
export const sliding = (lengthMs: number): Window => ({ kind: 'sliding', lengthMs })
/** The clock hour (of UTC) that holds an instant. */
export function hourOf(ms: number): Window {
  const startMs = Math.floor(ms / HOUR) * HOUR
  return { kind: 'calendar', startMs, endMs: startMs + HOUR }
}

export const version = (generation: number, grantMs = 0): LimitVersion => ({ createdMs: 1_700_000_000_000, generation, grantMs })

export const key = (limit: string, window: Window = LIFETIME, partition: readonly string[] = [], unit: Unit = 'Tokens'): BudgetKey =>
  budgetKey({ scope: 'BudgetPolicy', namespace: 'default', policy: 'p', limit, unit, window: specOf(window), partition })

/** A hard line of a lifetime budget of 1,000 unless told otherwise, whose expiry charges all of its amount. */
export function line(limit: string, amount: bigint, changes: Partial<Line> = {}): Line {
  const { window = LIFETIME, unit = 'Tokens' } = changes
  const made = { key: key(limit, window, [], unit), unit, window, amount, limit: 1_000n, version: version(1), hard: true, ...changes }
  return { floor: made.amount, ...made }
}

let minted = 0
/** An id minted at `atMs`, never the same twice. */
export function mintId(atMs: number): ReservationId {
  minted += 1
  return `${atMs.toString(16).padStart(12, '0')}${minted.toString(16).padStart(20, '0')}` as ReservationId
}

export const holder = (number: number): Holder => number.toString(16).padStart(32, '0') as Holder

/** A reserve minted at `atMs`, due in ten minutes, valid for a minute. */
export function reserveMove(atMs: number, lines: readonly Line[], changes: Partial<ReserveMove> = {}): ReserveMove {
  return {
    id: mintId(atMs),
    holder: holder(1),
    alternatives: [lines],
    deadlineMs: atMs + 10 * MINUTE,
    notAfterMs: atMs + MINUTE,
    priceBook: 'book',
    ...changes,
  }
}

export const settleMove = (
  move: Pick<ReserveMove, 'id' | 'holder'>,
  lines: readonly Line[],
  amounts: readonly bigint[],
  proven = true,
): SettleMove => ({ id: move.id, holder: move.holder, lines, amounts, proven, how: 'test' })

export const releaseMove = (move: Pick<ReserveMove, 'id' | 'holder'>, lines: readonly Line[]): ReleaseMove => ({
  id: move.id,
  holder: move.holder,
  lines,
  how: 'test',
})

export const observeMove = (by: Holder, ...progress: readonly (readonly [Pick<ReserveMove, 'id'>, readonly bigint[]])[]): ObserveMove => ({
  holder: by,
  progress: progress.map(([{ id }, amounts]) => ({ id, amounts })),
})

let adjusted = 0
/** An adjustment with an id of its own. */
export function adjustMove({ id }: Pick<ReserveMove, 'id'>, actual: bigint): AdjustMove {
  adjusted += 1
  return { adjustId: `ad${adjusted.toString(16).padStart(30, '0')}`, id, actual, reason: 'the bill says so' }
}

function specOf(window: Window): WindowSpec {
  return window.kind === 'calendar' ? { kind: 'calendar', period: 'Hour', timeZone: 'UTC', anchorDay: 1 } : window
}
