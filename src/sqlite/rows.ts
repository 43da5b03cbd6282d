// Rows and values: how balances, records and entries are written as columns and read back, to the unit. Touches no database.
import { collectableFromMs, type StoredBalance } from '../core/balance.ts'
import type { BudgetKey } from '../core/budget.ts'
import { retentionMs } from '../core/closing.ts'
import type { Holder, ReservationId, ReservationState } from '../core/reservation.ts'
import type { Entry, EntryKind, StoredRecord } from '../core/shelf.ts'
import type { Window } from '../core/window.ts'
import { LEDGER_RULES } from '../limits.ts'

type Value = null | number | bigint | string | Uint8Array
export type Row = Readonly<Record<string, Value>>

/** Columns of `balances`, in the order of the table. */
export function balanceValues(id: string, balance: StoredBalance): (null | number | bigint | string)[] {
  const { key, window, limit, version, presentedMs, reserved, spent, suspense, overrun, buckets } = balance
  const [a, b] =
    window.kind === 'calendar' ? [window.startMs, window.endMs] : window.kind === 'sliding' ? [window.lengthMs, null] : [null, null]
  const versionText = `${version.createdMs} ${version.generation} ${version.grantMs}`
  const bucketText = buckets.map(each => `${each.index} ${each.reserved} ${each.spent} ${each.suspense}`).join(',')
  const collectable = collectableFromMs(balance, LEDGER_RULES)
  return [id, key, window.kind, a, b, limit, versionText, presentedMs, reserved, spent, suspense, overrun, bucketText, collectable]
}

export function balanceOf(row: Row): StoredBalance {
  const [createdMs, generation, grantMs] = text(row, 'version').split(' ').map(Number)
  const buckets = text(row, 'buckets')
  return {
    key: text(row, 'key') as BudgetKey,
    window: windowOf(row),
    limit: big(row, 'limit_amount'),
    version: { createdMs: createdMs ?? 0, generation: generation ?? 0, grantMs: grantMs ?? 0 },
    presentedMs: int(row, 'presented_ms'),
    reserved: big(row, 'reserved'),
    spent: big(row, 'spent'),
    suspense: big(row, 'suspense'),
    overrun: big(row, 'overrun'),
    buckets: buckets === '' ? [] : buckets.split(',').map(bucketOf),
  }
}

/** Columns of `records`, in the order of the table. */
export function recordValues(record: StoredRecord): (null | number | bigint | string)[] {
  const { id, holder, state, admittedMs, deadlineMs, alternative, lines, charged, raised, priceBook, closedMs } = record
  const outlived = closedMs === null ? null : closedMs + (retentionMs(record, LEDGER_RULES) ?? 0)
  const chargedText = charged.join(' ')
  const told = [record.adjustId, record.response, record.arrears ? 1 : 0]
  return [
    id,
    holder,
    state,
    admittedMs,
    deadlineMs,
    alternative,
    pack(lines),
    chargedText,
    raised ? 1 : 0,
    priceBook,
    ...told,
    closedMs,
    outlived,
  ]
}

export function recordOf(row: Row): StoredRecord {
  const charged = text(row, 'charged')
  return {
    id: text(row, 'id') as ReservationId,
    holder: text(row, 'holder') as Holder,
    state: text(row, 'state') as ReservationState,
    admittedMs: int(row, 'admitted_ms'),
    deadlineMs: int(row, 'deadline_ms'),
    alternative: int(row, 'alternative'),
    lines: unpack(text(row, 'lines')),
    charged: charged === '' ? [] : charged.split(' ').map(BigInt),
    raised: int(row, 'raised') === 1,
    priceBook: text(row, 'price_book'),
    adjustId: text(row, 'adjust_id'),
    response: text(row, 'response'),
    arrears: int(row, 'arrears') === 1,
    closedMs: row['closed_ms'] === null ? null : int(row, 'closed_ms'),
  }
}

/** Columns of `entries`, in the order of the table. */
export const entryValues = ({ seq, storeMs, what, id, how, admittedMs, lines }: Entry): (number | string)[] => [
  seq,
  storeMs,
  what,
  id,
  how,
  admittedMs,
  pack(lines),
]

export const entryOf = (row: Row): Entry => ({
  seq: int(row, 'seq'),
  storeMs: int(row, 'store_ms'),
  what: text(row, 'what') as EntryKind,
  id: text(row, 'id'),
  how: text(row, 'how'),
  admittedMs: int(row, 'admitted_ms'),
  lines: unpack(text(row, 'lines')),
})

export const int = (row: Row, column: string): number => Number(row[column])
export const text = (row: Row, column: string): string => String(row[column])
const big = (row: Row, column: string): bigint => BigInt(String(row[column]))

function windowOf(row: Row): Window {
  const kind = text(row, 'window_kind')
  if (kind === 'calendar') return { kind, startMs: int(row, 'window_a'), endMs: int(row, 'window_b') }
  if (kind === 'sliding') return { kind, lengthMs: int(row, 'window_a') }
  return kind === 'inFlight' ? { kind } : { kind: 'lifetime' }
}

function bucketOf(written: string): StoredBalance['buckets'][number] {
  const [index, reserved, spent, suspense] = written.split(' ')
  return { index: Number(index), reserved: BigInt(reserved ?? 0), spent: BigInt(spent ?? 0), suspense: BigInt(suspense ?? 0) }
}

/** Lines as JSON, bigints as `"123n"`: no string of a line looks like that, for keys have a `|` and kinds and units no digit first. */
const pack = (lines: readonly unknown[]): string =>
  JSON.stringify(lines, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))

const unpack = <T>(written: string): T => withBigints(JSON.parse(written)) as T

/** In place: to ask a reviver for every value takes three times as long. */
function withBigints(value: unknown): unknown {
  if (typeof value === 'string') return /^-?\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : value
  if (typeof value !== 'object' || value === null) return value
  const fields = value as Record<string, unknown>
  for (const name of Object.keys(fields)) fields[name] = withBigints(fields[name])
  return value
}
