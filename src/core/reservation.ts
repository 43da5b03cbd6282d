// Reservations: the moves that a ledger knows, and the name of every outcome. Amounts are bigint in the line's unit.
import type { BudgetKey, LimitVersion, Unit } from './budget.ts'
import { type Window, windowText } from './window.ts'

/** 32 hex digits: 48 bits of store milliseconds at admission, then 80 random bits; minted by a replica, never by a client. */
export type ReservationId = string & { readonly __brand: 'ReservationId' }
/** 32 hex digits, random at each start of a process. */
export type Holder = string & { readonly __brand: 'Holder' }

/** One budget's share of a reservation. `version` and `limit` present the policy's state with the request. */
export interface Line {
  readonly key: BudgetKey
  readonly unit: Unit
  readonly window: Window
  readonly amount: bigint
  readonly limit: bigint
  readonly version: LimitVersion
  /** Soft (audit) lines do the same arithmetic and never refuse. */
  readonly hard: boolean
  /** What expiry charges at least, up to `amount`: all of it (`onExpiry: Estimate`), or what the input alone costs (`Observed`). */
  readonly floor: bigint
}

/** Whether two lists of lines are of the same budgets and windows; their amounts, limits and versions may differ. */
export const sameLines = (a: readonly Line[], b: readonly Line[]): boolean =>
  a.length === b.length &&
  a.every((line, index) => {
    const other = b[index]
    return other !== undefined && line.key === other.key && windowText(line.window) === windowText(other.window)
  })

/** `available = limit - spent - reserved`, always; `suspense` is inside `spent`; `overrun` never decreases. */
export interface Balance {
  readonly limit: bigint
  readonly available: bigint
  readonly reserved: bigint
  readonly spent: bigint
  readonly suspense: bigint
  readonly overrun: bigint
}

export const EMPTY_BALANCE: Balance = { limit: 0n, available: 0n, reserved: 0n, spent: 0n, suspense: 0n, overrun: 0n }

export type ReservationState = 'open' | 'settled-proven' | 'settled-unproven' | 'expired' | 'released' | 'tombstone'

export interface ReserveMove {
  readonly id: ReservationId
  readonly holder: Holder
  /** One to four sets of lines in order of preference; the first that fits wholly is taken. At most 64 lines each. */
  readonly alternatives: readonly (readonly Line[])[]
  /** Store time after which the reservation is swept, at most 60 minutes ahead. */
  readonly deadlineMs: number
  /** Store time after which the reserve itself is void: `too-late`. */
  readonly notAfterMs: number
  /** The hash of the price book it was estimated with. */
  readonly priceBook: string
  /** Another process may close it: what this one remembers of it soon says nothing. */
  readonly handsOver?: boolean
}

/** Every line's balance after the move, in the order of the lines. */
export type ReserveOutcome =
  | { readonly kind: 'reserved'; readonly alternative: number; readonly balances: readonly Balance[]; readonly storeMs: number }
  /**
   * `lines`: of the first alternative, every hard line that does not fit, with its balance; nothing was written. `fitsMs`: store time at
   * which enough has slid out of its window, if nothing else moves; null for other windows, and where that will never be enough.
   */
  | {
      readonly kind: 'refused'
      readonly lines: readonly { readonly index: number; readonly balance: Balance; readonly fitsMs: number | null }[]
      readonly storeMs: number
    }
  /** The same id and lines again; counts as admitted only while `open`. */
  | { readonly kind: 'exists'; readonly alternative: number; readonly open: boolean; readonly storeMs: number }
  | { readonly kind: 'exists-different'; readonly storeMs: number }
  /** A release of this id came first: it must not be admitted. */
  | { readonly kind: 'tombstoned'; readonly storeMs: number }
  /** A calendar window does not hold the store's time: compute the windows again from `storeMs`. */
  | { readonly kind: 'window-stale'; readonly storeMs: number }
  | { readonly kind: 'too-late'; readonly storeMs: number }
  | { readonly kind: 'too-many-limits' }
  | { readonly kind: 'out-of-bounds'; readonly why: string }
  | LedgerFault

/** Nothing was written, or it is not known whether it was (`unavailable`). */
export type LedgerFault = { readonly kind: 'clock-skew'; readonly storeMs: number } | { readonly kind: 'unavailable'; readonly why: string }

/** A settlement carries its lines, so that it works where the record is gone. `amounts` answers `lines` one to one. */
export interface SettleMove {
  readonly id: ReservationId
  readonly holder: Holder
  readonly lines: readonly Line[]
  readonly amounts: readonly bigint[]
  /** Exact usage, or proof that nothing was sent; anything else is charged into suspense. */
  readonly proven: boolean
  /** Why it ended, for the stream: a word of ours, never content. */
  readonly how: string
  /** SHA-256, hex, of the provider and its id of the answer, where a later question may bring the proof; found for 24 h. */
  readonly response?: string
  /** A charge that was admitted while the store was away: no reserve came before it. */
  readonly arrears?: boolean
}

export type SettleOutcome =
  | { readonly kind: 'settled'; readonly storeMs: number }
  /** Proven, and at least one line was charged more than it reserved. */
  | { readonly kind: 'settled-over'; readonly overrun: readonly bigint[]; readonly storeMs: number }
  /** The same amounts again, or an unproven amount that is not larger: nothing moved. */
  | { readonly kind: 'already-settled'; readonly storeMs: number }
  /** Proof after an expiry, an unproven settlement, a release or a tombstone: corrected, once. */
  | { readonly kind: 'settled-late'; readonly storeMs: number }
  /** A second, larger unproven amount replaced the first, once. */
  | { readonly kind: 'raised'; readonly storeMs: number }
  /** Proven before with other amounts: the first stands. */
  | { readonly kind: 'conflict'; readonly storeMs: number }
  /** The record was not there and the id is young: its reserve was lost, so it was charged from its lines. */
  | { readonly kind: 'reasserted'; readonly storeMs: number }
  /** The same of a charge that was admitted while the store was away. */
  | { readonly kind: 'arrears'; readonly storeMs: number }
  /** The id is older than any record is kept: nothing moved. */
  | { readonly kind: 'forgotten'; readonly storeMs: number }
  | { readonly kind: 'out-of-bounds'; readonly why: string }
  | LedgerFault

export interface ReleaseMove {
  readonly id: ReservationId
  readonly holder: Holder
  readonly lines: readonly Line[]
  readonly how: string
}

export type ReleaseOutcome =
  | { readonly kind: 'released'; readonly storeMs: number }
  | { readonly kind: 'already-released'; readonly storeMs: number }
  /** Proven before: the settlement stands. Charged without proof before: taken back, for this is the proof (`settled-late`). */
  | { readonly kind: 'already-settled'; readonly storeMs: number }
  | { readonly kind: 'settled-late'; readonly storeMs: number }
  /** Not seen: a tombstone is kept for 60 s, so that a reserve on its way is not admitted. */
  | { readonly kind: 'tombstoned'; readonly storeMs: number }
  | LedgerFault

/** How far open reservations have come: what their expiry would charge, where that is above their lines' floors. */
export interface ObserveMove {
  readonly holder: Holder
  /** `amounts` answers the lines of the reservation one to one. */
  readonly progress: readonly { readonly id: ReservationId; readonly amounts: readonly bigint[] }[]
}

/** Of those that are open and the holder's own; the larger amount stays. It moves no balance and writes no entry. */
export type ObserveOutcome =
  | { readonly kind: 'observed'; readonly observed: number; readonly storeMs: number }
  | { readonly kind: 'out-of-bounds'; readonly why: string }
  | LedgerFault

/** An operator's word on what a closed reservation did cost; it takes from suspense, or adds. */
export interface AdjustMove {
  /** 32 hex digits of its own: the same adjustment again is `already-adjusted`. */
  readonly adjustId: string
  readonly id: ReservationId
  /** Nano-USD: what every USD line is charged instead. The other lines stand as they were charged, proven from now on. */
  readonly actual: bigint
  /** For the stream: one line of printable text, at most 200 characters. */
  readonly reason: string
}

export type AdjustOutcome =
  | { readonly kind: 'adjusted'; readonly storeMs: number }
  | { readonly kind: 'already-adjusted'; readonly storeMs: number }
  /** It will end by itself, or expire. */
  | { readonly kind: 'still-open'; readonly storeMs: number }
  /** Less than what was charged with proof: only suspense is given back. */
  | { readonly kind: 'not-in-suspense'; readonly storeMs: number }
  /** No record with lines is kept under this id (any more). */
  | { readonly kind: 'forgotten'; readonly storeMs: number }
  /** The reservation has no line in USD. */
  | { readonly kind: 'no-money'; readonly storeMs: number }
  | { readonly kind: 'out-of-bounds'; readonly why: string }
  | LedgerFault

/** A holder's word, after the store came back without it, that it had reserved. */
export interface ReassertMove {
  readonly id: ReservationId
  readonly holder: Holder
  readonly lines: readonly Line[]
  readonly deadlineMs: number
  readonly priceBook: string
}

export type ReassertOutcome =
  /** Opened whether it fits or not. */
  | { readonly kind: 'reasserted'; readonly storeMs: number }
  /** The store has its record, in whatever state. */
  | { readonly kind: 'exists'; readonly storeMs: number }
  /** Older than any record is kept: nothing moved. */
  | { readonly kind: 'forgotten'; readonly storeMs: number }
  | { readonly kind: 'out-of-bounds'; readonly why: string }
  | LedgerFault

/** The exporter has everything up to `seq`: a stream is not cut, within twice its bound, before it is read. */
export type AcknowledgeOutcome =
  /** `seq`: the last entry that the exporter has by now. */
  { readonly kind: 'acknowledged'; readonly seq: number; readonly storeMs: number } | LedgerFault

export type BeatOutcome = { readonly kind: 'beating'; readonly storeMs: number } | LedgerFault

export type SweepOutcome =
  /**
   * `more`: the bound of one call was reached, sweep again. `contested`: how often, ever, one version of a limit came with two amounts.
   * `unexported`: entries that were cut from the stream although the exporter has not acknowledged them yet.
   */
  | {
      readonly kind: 'swept'
      readonly expired: number
      readonly collected: number
      readonly more: boolean
      readonly contested: number
      readonly unexported: number
      readonly storeMs: number
    }
  | LedgerFault
