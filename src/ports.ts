// The doors to the world, as interfaces only: adapters stand behind them, the enforcer before them. No code lives here.

import type { Change } from './core/balance.ts'
import type { BudgetKey } from './core/budget.ts'
import type { PolicyName, PolicySet } from './core/policy.ts'
import type { PriceBook } from './core/price.ts'
import type {
  AcknowledgeOutcome,
  AdjustMove,
  AdjustOutcome,
  Balance,
  BeatOutcome,
  Holder,
  LedgerFault,
  Line,
  ObserveMove,
  ObserveOutcome,
  ReleaseMove,
  ReleaseOutcome,
  ReservationId,
  ReservationState,
  ReserveMove,
  ReserveOutcome,
  SettleMove,
  SettleOutcome,
  SweepOutcome,
} from './core/reservation.ts'
import type { TokenCount } from './core/token-bound.ts'
import type { BudgetWarning } from './core/warning.ts'
import type { Window } from './core/window.ts'

/**
 * The store of budgets, balances and reservations. Every move is one atomic step, idempotent by reservation id, and writes one
 * entry to the ledger stream. Expected outcomes, an unreachable store among them, are values; a rejected promise is a bug.
 * The caller's wall clock goes along with every move (the adapter adds it), so that a skewed clock is refused.
 */
export interface Ledger {
  reserve(move: ReserveMove): Promise<ReserveOutcome>
  settle(move: SettleMove): Promise<SettleOutcome>
  release(move: ReleaseMove): Promise<ReleaseOutcome>
  beat(holder: Holder): Promise<BeatOutcome>
  observe(move: ObserveMove): Promise<ObserveOutcome>
  adjust(move: AdjustMove): Promise<AdjustOutcome>
  sweep(): Promise<SweepOutcome>
  /** Balances as they stand, by key and window; a budget that was never used has none. */
  read(lines: readonly { readonly key: BudgetKey; readonly window: Window }[]): Promise<ReadOutcome<readonly (Balance | null)[]>>
  /** Balances whose window is current, in the order of their keys, after `cursor`; at most `count`. */
  list(query: { readonly prefix: string; readonly cursor: string; readonly count: number }): Promise<ReadOutcome<BalancePage>>
  reservations(query: { readonly open: boolean; readonly cursor: string; readonly count: number }): Promise<ReadOutcome<ReservationPage>>
  /** The stream's entries after `seq`, at most `count`, oldest first. */
  entries(query: { readonly afterSeq: number; readonly count: number }): Promise<ReadOutcome<readonly LedgerEntry[]>>
  /** One reservation as its record stands, whoever holds it; null where none is kept. */
  find(id: ReservationId): Promise<ReadOutcome<ReservationRecord | null>>
  /** The reservation that was settled under a response's hash. */
  findByResponse(response: string): Promise<ReadOutcome<FoundReservation | null>>
  /**
   * Registers the exporter of the stream, which has everything up to `seq`; unread entries are kept, up to twice the stream's bound. It
   * never goes back, so 0 asks how far it is.
   */
  acknowledge(seq: number): Promise<AcknowledgeOutcome>
  close(): Promise<void>
}

/** What can be asked of a ledger without moving anything: enough to prove and to export it. */
export type LedgerReader = Pick<Ledger, 'read' | 'list' | 'reservations' | 'entries' | 'close'>

/** `seq`: of the last entry when the value was read, in the same step where it is one balance or one page. */
export type ReadOutcome<T> = { readonly kind: 'read'; readonly value: T; readonly seq: number; readonly storeMs: number } | LedgerFault

export interface FoundReservation {
  readonly id: ReservationId
  readonly lines: readonly Line[]
  /** The hash of the book that it was estimated with; empty where its reserve was never seen. */
  readonly priceBook: string
}

export interface BalancePage {
  readonly budgets: readonly { readonly key: BudgetKey; readonly window: Window; readonly balance: Balance }[]
  readonly next: string | null
}

export interface ReservationRecord {
  readonly id: ReservationId
  readonly holder: Holder
  readonly state: ReservationState
  readonly deadlineMs: number
  readonly lines: readonly Line[]
}

export interface ReservationPage {
  readonly reservations: readonly ReservationRecord[]
  readonly next: string | null
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

/** One mutation as the stream tells it, with each line's balance after it. */
export interface LedgerEntry {
  readonly seq: number
  readonly storeMs: number
  /** One of the kinds of `core/shelf.ts`; a newer ledger may know others. */
  readonly what: string
  readonly id: string
  readonly how: string
  /** Store time of the reservation's admission, which dates its charges in sliding windows. */
  readonly admittedMs: number
  readonly lines: readonly EntryLine[]
}

/** Where policies come from: what is accepted; a faulty change keeps the last good state. */
export interface PolicySource {
  current(): PolicySet
  /** Called after accepted changes, after refused ones with what is wrong, and when nothing more is heard of changes for a while. */
  onChange(listener: (change: PolicyChange) => void): void
  close(): Promise<void>
}

export type PolicyChange =
  | { readonly kind: 'accepted'; readonly objects: number; readonly warnings: readonly string[] }
  | { readonly kind: 'refused'; readonly problems: readonly string[] }
  /** Changes are not heard of; what was accepted last stays in force. */
  | { readonly kind: 'away'; readonly why: string }
  | { readonly kind: 'back' }

export interface PriceSource {
  current(): PriceBook
}

/** Counts the tokens of request bodies, off the event loop. */
export interface TokenCounter {
  /** Gets ready, which the first count does too; false where it cannot. */
  start(): Promise<boolean>
  /** Null where the body cannot be counted in time: never a reason to refuse. The bytes of `body` are copied before this returns. */
  count(body: Uint8Array): Promise<TokenCount | null>
  close(): Promise<void>
}

export interface Clock {
  /** Wall clock, ms since the epoch. */
  wallMs(): number
  /** Monotonic, ms from an arbitrary start, with fractions. */
  monotonicMs(): number
}

/** Waits, on whatever clock the process runs by. */
export interface Timer {
  /** Calls `run` once, `ms` from now; the answer calls it off. It keeps no process alive. */
  after(ms: number, run: () => void): () => void
}

/** Chance: for ids that nobody may guess, and for delays that are to spread. */
export interface Random {
  /** As many random bytes, as hex digits. */
  hex(bytes: number): string
  /** From 0 to below 1. */
  fraction(): number
}

/** What is counted. Names, labels and buckets are the adapter's; no method takes content, a key or a header's value. */
export interface Telemetry {
  decided(decision: 'admitted' | 'refused' | 'unmetered', reason: string, seconds: number): void
  /** A call that passed, and that policies that only audit would have refused; `policy` where one of them is to name. */
  audited(reason: string, policy: PolicyName | null): void
  closed(how: string): void
  ledgerError(kind: string): void
  /** How much of the memory that it may use the ledger's server holds, from 0 to 1. */
  ledgerMemory(ratio: number): void
  estimateViolated(model: string): void
  overrun(nanoUsd: bigint): void
  /** A budget reached a percentage of its amount; told once in its window. */
  warned(warning: BudgetWarning): void
  contradicted(format: string): void
  tokensUsed(kind: 'input' | 'output', model: string, count: bigint): void
  /** One decision or settlement, for logs at debug: our own words and numbers, never content. */
  trace(what: string, fields: Readonly<Record<string, string | number | boolean | null>>): void
  /** A fault that an operator should see, for logs at warn. */
  fault(what: string, fields: Readonly<Record<string, string | number | boolean | null>>): void
}

/** What is counted of the controller's work, under the names that operators know from other controllers. */
export interface ControllerTelemetry {
  reconciled(result: 'success' | 'error' | 'requeue', seconds: number): void
  queueAdded(): void
  queueRetried(): void
  queueDepth(depth: number): void
  /** How long a name waited for its turn. */
  queueWaited(seconds: number): void
  leading(isLeading: boolean): void
  /** For logs at info. */
  say(what: string, fields: Readonly<Record<string, string | number | boolean | null>>): void
  /** A fault that an operator should see, for logs at warn. */
  fault(what: string, fields: Readonly<Record<string, string | number | boolean | null>>): void
}
