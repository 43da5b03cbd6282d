// What one reservation stands for by its entries, and which kinds of entry may follow. Keeps nothing, finds nothing wrong.
import { balanceId } from './balance.ts'
import type { BudgetKey } from './budget.ts'
import { retentionMs } from './closing.ts'
import type { LedgerRules } from './ledger-rules.ts'
import type { ReservationState } from './reservation.ts'
import type { Entry, EntryKind } from './shelf.ts'
import { counts } from './verify-balance.ts'
import type { Window } from './window.ts'

/** A reservation after the last entry that told of it. */
export interface Held {
  /** More than one where its entries fit several: charges of 0 look proven and unproven alike. */
  readonly states: readonly ReservationState[]
  /** By the identity of their balances. */
  readonly lines: ReadonlyMap<string, HeldLine>
  /** Whether `lines` are all of them: a charge without a reserve leaves out what it did not move. */
  readonly whole: boolean
  readonly raised: boolean
  readonly arrears: boolean
  readonly adjustId: string
  /** Null where it was admitted before the first entry and is known by the store's word. */
  readonly admittedMs: number | null
  /** When it was opened, or charged without that; null as before. */
  readonly openedMs: number | null
  /** Of its last entry. */
  readonly seq: number
  readonly storeMs: number
  readonly what: string
}

export interface HeldLine {
  readonly key: BudgetKey
  readonly window: Window
  /** What was reserved; null where no entry says. */
  readonly amount: bigint | null
  /** Null where the last entry left it out: it had slid out of its window, and out of the store. */
  readonly charged: bigint | null
}

export type MoveEntry = Omit<Entry, 'what'> & { readonly what: MoveKind }
export type MoveKind = Exclude<EntryKind, 'presented' | 'collected'>

/** From a state to the next; from null: no record was there. */
export type Transition = readonly [ReservationState | null, ReservationState]

/** What each kind of entry does to a reservation. */
export const TRANSITIONS: Readonly<Record<MoveKind, readonly Transition[]>> = {
  reserved: [[null, 'open']],
  reasserted: [
    [null, 'open'],
    [null, 'settled-proven'],
    [null, 'settled-unproven'],
  ],
  arrears: [
    [null, 'settled-proven'],
    [null, 'settled-unproven'],
  ],
  tombstoned: [[null, 'tombstone']],
  settled: [
    ['open', 'settled-proven'],
    ['open', 'settled-unproven'],
  ],
  'settled-over': [
    ['open', 'settled-proven'],
    ['open', 'settled-unproven'],
  ],
  'settled-late': [
    ['expired', 'settled-proven'],
    ['settled-unproven', 'settled-proven'],
    ['released', 'settled-proven'],
    ['tombstone', 'settled-proven'],
  ],
  raised: [
    ['expired', 'expired'],
    ['settled-unproven', 'settled-unproven'],
  ],
  released: [['open', 'released']],
  expired: [['open', 'expired']],
  adjusted: [
    ['expired', 'settled-proven'],
    ['settled-unproven', 'settled-proven'],
    ['released', 'settled-proven'],
    ['settled-proven', 'settled-proven'],
  ],
}

export const isMove = (entry: { readonly what: string }): entry is MoveEntry => Object.hasOwn(TRANSITIONS, entry.what)

/** How a kind of entry can find its reservation, beside finding none. */
export const statesBefore = (what: MoveKind): readonly ReservationState[] =>
  TRANSITIONS[what].flatMap(([from]) => (from === null ? [] : [from]))

/** A reservation as it must have been, so that a first entry in the stream can be lawful: its figures are the entry's own. */
export function assumedBefore(entry: MoveEntry, states: readonly ReservationState[]): Held {
  const lines = new Map<string, HeldLine>()
  const isOpen = states.includes('open')
  for (const { key, window, amount, moved } of entry.lines) {
    const reserved = isOpen && counts(window, entry.admittedMs, entry.storeMs) ? notBelow0(-moved.reserved) : null
    const charged = isOpen ? 0n : notBelow0(entry.what === 'settled-late' ? -moved.suspense : amount - moved.spent)
    lines.set(balanceId(key, window), { key, window, amount: reserved, charged })
  }
  return { ...FIRST, states, lines, seq: entry.seq, storeMs: entry.storeMs, what: entry.what }
}

/** How long the ledger remembers a reservation that closed, ms: the longest that it may be; null while it can only be open. */
export function rememberedMs({ states, arrears, adjustId }: Held, rules: LedgerRules): number | null {
  const kept = states.flatMap(state => retentionMs({ state, arrears, adjustId }, rules) ?? [])
  return kept.length === 0 ? null : Math.max(...kept)
}

/** Whether the ledger may have forgotten a reservation by now, if it was in one of the states that it can have been in. */
export const mayBeForgotten = ({ states, arrears, adjustId, storeMs }: Held, nowMs: number, rules: LedgerRules): boolean =>
  states.some(state => storeMs + (retentionMs({ state, arrears, adjustId }, rules) ?? Number.POSITIVE_INFINITY) < nowMs)

/** An adjustment's entry begins with its own id. */
export const adjustIdOf = (how: string): string => how.split(' ', 1)[0] ?? ''

const FIRST: Held = {
  states: [],
  lines: new Map(),
  whole: false,
  raised: false,
  arrears: false,
  adjustId: '',
  admittedMs: null,
  openedMs: null,
  seq: 0,
  storeMs: 0,
  what: '',
}

const notBelow0 = (amount: bigint): bigint => (amount < 0n ? 0n : amount)
