// How a reservation ends: the table of states and proofs, as pure functions of a record. Moves nothing itself.
import { assertNever } from './assert.ts'
import type { Change } from './balance.ts'
import type { LedgerRules } from './ledger-rules.ts'
import type { Line, ReservationState } from './reservation.ts'
import type { EntryKind, StoredRecord } from './shelf.ts'

/** What a settlement does to a record: nothing, or a new state with what each line is charged then. */
export type Closing =
  | { readonly kind: 'stands'; readonly outcome: 'already-settled' | 'conflict' }
  | {
      readonly kind: 'moves'
      readonly outcome: 'settled' | 'settled-over' | 'settled-late' | 'raised'
      readonly what: EntryKind
      readonly state: ReservationState
      readonly charged: readonly bigint[]
    }

/** What of a line says how it moves its balance. */
type Reserved = Pick<Line, 'amount' | 'window'>

/** A settlement's amounts as they count: inFlight lines settle to 0, whatever was used. */
export const countedAmounts = (lines: readonly Line[], amounts: readonly bigint[]): readonly bigint[] =>
  amounts.map((amount, index) => (lines[index]?.window.kind === 'inFlight' ? 0n : amount))

/** How far each line was charged beyond what it reserved. */
export const overruns = (lines: readonly Reserved[], charged: readonly bigint[]): readonly bigint[] =>
  lines.map((line, index) => max(0n, (charged[index] ?? 0n) - (line.window.kind === 'inFlight' ? 0n : line.amount)))

/** The table. `amounts` are counted amounts, one a line of the record (of the move, for a tombstone). */
export function closeBySettlement(
  record: Pick<StoredRecord, 'state' | 'lines' | 'charged' | 'raised'>,
  amounts: readonly bigint[],
  proven: boolean,
): Closing {
  const late = { kind: 'moves', outcome: 'settled-late', what: 'settled-late', state: 'settled-proven', charged: amounts } as const
  const already = { kind: 'stands', outcome: 'already-settled' } as const
  switch (record.state) {
    case 'open': {
      const over = overruns(record.lines, amounts).some(overrun => overrun > 0n)
      const what = over ? 'settled-over' : 'settled'
      const state = proven ? 'settled-proven' : 'settled-unproven'
      return { kind: 'moves', outcome: proven ? what : 'settled', what, state, charged: amounts }
    }
    case 'expired':
    case 'settled-unproven': {
      if (proven) return late
      const larger = amounts.map((amount, index) => max(amount, record.charged[index] ?? 0n))
      if (record.raised || sameAmounts(larger, record.charged)) return already
      return { kind: 'moves', outcome: 'raised', what: 'raised', state: record.state, charged: larger }
    }
    case 'released':
    case 'tombstone':
      return proven && amounts.some(amount => amount > 0n) ? late : already
    case 'settled-proven':
      // An unproven amount is an estimate: it cannot contradict proof.
      return !proven || sameAmounts(amounts, record.charged) ? already : { kind: 'stands', outcome: 'conflict' }
    default:
      return assertNever(record.state)
  }
}

/** What closing by expiry charges, into suspense: what was observed, but at least the floor; inFlight lines count open reservations only. */
export const expiryCharge = ({ lines, charged }: Pick<StoredRecord, 'lines' | 'charged'>): readonly bigint[] =>
  countedAmounts(
    lines,
    lines.map((line, index) => max(line.floor, charged[index] ?? 0n)),
  )

/** What each line's balance moves by when a record goes from one state and charge to another; overrun counts proven charges only. */
export function changes(
  lines: readonly Reserved[],
  before: { readonly state: ReservationState; readonly charged: readonly bigint[] } | null,
  after: { readonly state: ReservationState; readonly charged: readonly bigint[] },
): readonly Change[] {
  const over = after.state === 'settled-proven' ? overruns(lines, after.charged) : []
  const counted = before?.state === 'settled-proven' ? overruns(lines, before.charged) : []
  return lines.map((line, index) => {
    const was = before === null ? NOTHING : standing(before.state, line.amount, before.charged[index] ?? 0n)
    const is = standing(after.state, line.amount, after.charged[index] ?? 0n)
    return {
      reserved: is.reserved - was.reserved,
      spent: is.spent - was.spent,
      suspense: is.suspense - was.suspense,
      overrun: (over[index] ?? 0n) - (counted[index] ?? 0n),
    }
  })
}

/**
 * How long a closed record is kept, ms; null while open. A settlement is repeated for less than 15 min after the call ended; but an
 * adjustment may come before that, and arrears are repeated for longer.
 */
export function retentionMs(record: Pick<StoredRecord, 'state' | 'arrears' | 'adjustId'>, rules: LedgerRules): number | null {
  const { state, arrears, adjustId } = record
  if (arrears || adjustId !== '') return rules.retainUnprovenMs
  switch (state) {
    case 'open':
      return null
    case 'settled-proven':
    case 'released':
      return rules.retainProvenMs
    case 'settled-unproven':
    case 'expired':
      return rules.retainUnprovenMs
    case 'tombstone':
      return rules.tombstoneMs
    default:
      return assertNever(state)
  }
}

const NOTHING = { reserved: 0n, spent: 0n, suspense: 0n } as const

/** What a line of a record in a state stands for in its balance. */
function standing(state: ReservationState, amount: bigint, charged: bigint): Omit<Change, 'overrun'> {
  switch (state) {
    case 'open':
      return { reserved: amount, spent: 0n, suspense: 0n }
    case 'settled-proven':
      return { reserved: 0n, spent: charged, suspense: 0n }
    case 'settled-unproven':
    case 'expired':
      return { reserved: 0n, spent: charged, suspense: charged }
    case 'released':
    case 'tombstone':
      return NOTHING
    default:
      return assertNever(state)
  }
}

const max = (a: bigint, b: bigint): bigint => (a > b ? a : b)

const sameAmounts = (a: readonly bigint[], b: readonly bigint[]): boolean =>
  a.length === b.length && a.every((amount, index) => amount === b[index])
