// Where a ledger's state lies, as an interface: maps for the model, tables for SQLite. Synchronous; decides nothing.
import type { Change, StoredBalance } from './balance.ts'
import type { BudgetKey } from './budget.ts'
import type { Balance, Holder, Line, ReservationId, ReservationState } from './reservation.ts'
import type { Window } from './window.ts'

/** A reservation, open or closed, for as long as it is remembered. */
export interface StoredRecord {
  readonly id: ReservationId
  readonly holder: Holder
  readonly state: ReservationState
  /** Store time of admission: charges of sliding windows are dated by it. */
  readonly admittedMs: number
  readonly deadlineMs: number
  readonly alternative: number
  readonly lines: readonly Line[]
  /** What each line was charged, zeros after a release; while open, what was observed of it so far. */
  readonly charged: readonly bigint[]
  /** An unproven charge was replaced by a larger one: that happens once. */
  readonly raised: boolean
  readonly priceBook: string
  /** The last adjustment's own id; empty for none. */
  readonly adjustId: string
  /** SHA-256 under which a later answer finds it, the first that it was settled under; empty for none. */
  readonly response: string
  /** A charge that was posted in arrears is remembered for as long as one without proof: its poster may have to repeat it. */
  readonly arrears: boolean
  /** Store time of its last change of state; null while open. */
  readonly closedMs: number | null
}

/** One mutation in the stream; `ports.ts` names the same shape for readers. */
export interface Entry {
  readonly seq: number
  readonly storeMs: number
  readonly what: EntryKind
  readonly id: string
  readonly how: string
  /** Store time of the reservation's admission, which dates its charges in sliding windows. */
  readonly admittedMs: number
  readonly lines: readonly EntryLine[]
}

export interface EntryLine {
  readonly key: BudgetKey
  readonly window: Window
  readonly amount: bigint
  readonly hard: boolean
  /** What the move did to the balance, beside what slid out of it and what its limit did. */
  readonly moved: Change
  readonly balance: Balance
}

export type EntryKind =
  | 'reserved'
  | 'settled'
  | 'settled-over'
  | 'settled-late'
  | 'raised'
  | 'reasserted'
  | 'released'
  | 'tombstoned'
  | 'expired'
  | 'collected'
  | 'adjusted'
  | 'arrears'
  /** A refused reserve brought a newer limit. */
  | 'presented'

export interface Meta {
  /** The high-water mark: store time of the last mutation. */
  readonly markMs: number
  /** Holders' silence is counted from here at the earliest. */
  readonly resumedMs: number
  readonly seq: number
  /** How often the same version came with another limit. */
  readonly contested: number
  /** The last entry that the exporter has; null where none is registered. */
  readonly exportedSeq: number | null
}

export const FIRST_META: Meta = { markMs: 0, resumedMs: 0, seq: 0, contested: 0, exportedSeq: null }

export interface Shelf {
  meta(): Meta
  putMeta(meta: Meta): void
  balance(id: string): StoredBalance | null
  putBalance(id: string, balance: StoredBalance): void
  dropBalance(id: string): void
  record(id: ReservationId): StoredRecord | null
  putRecord(record: StoredRecord): void
  dropRecord(id: ReservationId): void
  /** The record that was settled under a response's hash, for as long as it is kept; of several the last. */
  recordByResponse(response: string): StoredRecord | null
  putBeat(holder: Holder, storeMs: number): void
  /** Forgets holders whose last beat is before `beatBeforeMs` and that hold nothing open. */
  dropHolders(beatBeforeMs: number): void
  append(entry: Entry): void
  /** Open records whose deadline is before `deadlineBeforeMs`, or whose holder's last beat is before `beatBeforeMs`, by id. */
  overdue(deadlineBeforeMs: number, beatBeforeMs: number, count: number): readonly StoredRecord[]
  /** Ids of balances that are collectable from `nowMs` or before, in order. */
  collectable(nowMs: number, count: number): readonly string[]
  /** Ids of records whose retention ended before `nowMs`; which of them come first is not said. */
  outlived(nowMs: number, count: number): readonly ReservationId[]
  /** Balances whose id starts with `prefix` and comes after `after`, in order, whose window holds `nowMs`. */
  balances(prefix: string, after: string, count: number, nowMs: number): readonly StoredBalance[]
  records(open: boolean, after: string, count: number): readonly StoredRecord[]
  entries(afterSeq: number, count: number): readonly Entry[]
}

/** How many entries the stream keeps, the newest: `bound`, and up to twice as many while an exporter has not read them. */
export const entriesKept = ({ seq, exportedSeq }: Meta, bound: number): number =>
  exportedSeq === null ? bound : Math.min(2 * bound, Math.max(bound, seq - exportedSeq))
