// Scripts' answers as outcomes. An answer of another shape is a broken belief of ours, never a guess.
import { assert } from '../core/assert.ts'
import type {
  AcknowledgeOutcome,
  AdjustOutcome,
  Balance,
  BeatOutcome,
  Holder,
  ObserveOutcome,
  ReassertOutcome,
  ReleaseOutcome,
  ReservationId,
  ReservationState,
  ReserveOutcome,
  SettleOutcome,
} from '../core/reservation.ts'
import type { EntryLine, LedgerEntry, ReservationRecord } from '../ports.ts'
import { parseBalanceName, parseLinesText } from './keys.ts'

export type Row = readonly string[]

/** An answer that is a list of strings. */
export function asRow(value: unknown): Row {
  assert(Array.isArray(value) && value.every(item => typeof item === 'string'), 'a script answers a list of strings')
  return value
}

export function decodeReserve(row: Row): ReserveOutcome {
  const [kind, first = '', second = '', third = ''] = row
  switch (kind) {
    case 'reserved':
      return { kind, alternative: Number(first), balances: row.slice(3).map(text => entryLine(text).balance), storeMs: Number(second) }
    case 'refused':
      return { kind, lines: misfits(row, 2), storeMs: Number(first) }
    case 'exists':
      return { kind, alternative: Number(first), open: second === '1', storeMs: Number(third) }
    case 'exists-different':
    case 'tombstoned':
    case 'window-stale':
    case 'too-late':
    case 'clock-skew':
      return { kind, storeMs: Number(first) }
    case 'recovering':
      return { kind: 'unavailable', why: 'the ledger has lost writes, and its holders are telling it again what they hold' }
    case 'out-of-bounds':
      return { kind, why: NO_ROOM }
    default:
      throw unknownAnswer('reserve', row)
  }
}

export function decodeSettle(row: Row): SettleOutcome {
  const [kind, now = ''] = row
  switch (kind) {
    case 'settled-over':
      return { kind, overrun: row.slice(2).map(BigInt), storeMs: Number(now) }
    case 'settled':
    case 'already-settled':
    case 'settled-late':
    case 'raised':
    case 'conflict':
    case 'reasserted':
    case 'arrears':
    case 'forgotten':
    case 'clock-skew':
      return { kind, storeMs: Number(now) }
    case 'lines-differ':
      return { kind: 'out-of-bounds', why: 'the lines are not those of the reservation' }
    case 'no-room':
      return { kind: 'out-of-bounds', why: NO_ROOM }
    default:
      throw unknownAnswer('settle', row)
  }
}

/** The balances of the record's lines were not declared; these are the lines. */
export interface Changed {
  readonly kind: 'changed'
  readonly lines: string
}

export function decodeRelease(row: Row): ReleaseOutcome | Changed {
  const [kind, now = ''] = row
  switch (kind) {
    case 'released':
    case 'already-released':
    case 'already-settled':
    case 'settled-late':
    case 'tombstoned':
    case 'clock-skew':
      return { kind, storeMs: Number(now) }
    case 'changed':
      return { kind, lines: now }
    default:
      throw unknownAnswer('release', row)
  }
}

export function decodeAdjust(row: Row): AdjustOutcome | Changed {
  const [kind, now = ''] = row
  switch (kind) {
    case 'adjusted':
    case 'already-adjusted':
    case 'still-open':
    case 'not-in-suspense':
    case 'forgotten':
    case 'no-money':
    case 'clock-skew':
      return { kind, storeMs: Number(now) }
    case 'no-room':
      return { kind: 'out-of-bounds', why: NO_ROOM }
    case 'changed':
      return { kind, lines: now }
    default:
      throw unknownAnswer('adjust', row)
  }
}

export function decodeReassert(row: Row): ReassertOutcome {
  const [kind, now = ''] = row
  if (kind === 'no-room') return { kind: 'out-of-bounds', why: NO_ROOM }
  if (kind === 'reasserted' || kind === 'exists' || kind === 'forgotten' || kind === 'clock-skew') return { kind, storeMs: Number(now) }
  throw unknownAnswer('reassert', row)
}

export function decodeObserve(row: Row): ObserveOutcome {
  const [kind, now = '', observed = ''] = row
  if (kind === 'clock-skew') return { kind, storeMs: Number(now) }
  if (kind === 'observed') return { kind, observed: Number(observed), storeMs: Number(now) }
  throw unknownAnswer('observe', row)
}

export function decodeAcknowledge(row: Row): AcknowledgeOutcome {
  const [kind, now = '', seq = ''] = row
  if (kind === 'clock-skew') return { kind, storeMs: Number(now) }
  if (kind === 'acknowledged') return { kind, seq: Number(seq), storeMs: Number(now) }
  throw unknownAnswer('acknowledge', row)
}

export function decodeBeat(row: Row): BeatOutcome {
  const [kind, now = ''] = row
  if (kind === 'beating' || kind === 'clock-skew') return { kind, storeMs: Number(now) }
  throw unknownAnswer('beat', row)
}

/** Six figures, as `read` answers them; null for a balance that is not there. */
export const decodeFigures = (text: string): Balance | null => (text === '' ? null : balance(text.split(' '), 0))

/** A record's text, as `prelude.lua` writes it. */
export function decodeRecord(id: string, text: string): ReservationRecord {
  const [head = '', , ...lines] = text.split('\n')
  const [state, holder, deadlineMs] = head.split(' ')
  assert(state !== undefined && holder !== undefined, 'a record has a head')
  return {
    id: id as ReservationId,
    holder: holder as Holder,
    state: state as ReservationState,
    deadlineMs: Number(deadlineMs),
    lines: parseLinesText(lines.join('\n')),
  }
}

/** The response under which a record was settled; empty for none. */
export function decodeResponse(text: string): string {
  const [, response = '-'] = (text.split('\n', 1)[0] ?? '').split(' ').slice(RECORD_HEAD)
  return response === '-' ? '' : response
}

/** The hash of the price book that a record was estimated with; empty where its reserve was never seen. */
export function decodePriceBook(text: string): string {
  const book = (text.split('\n', 1)[0] ?? '').split(' ')[RECORD_HEAD - 1] ?? '-'
  return book === '-' ? '' : decodeURIComponent(book)
}

/** One entry of the stream: its id, and its fields in turn with their values. */
export function decodeEntry(item: unknown): LedgerEntry {
  assert(Array.isArray(item) && item.length === 2, 'an entry has an id and fields')
  const fields = asRow(item[1])
  const field = (name: string): string => {
    const at = fields.indexOf(name)
    assert(at % 2 === 0, `an entry has the field ${name}`)
    return fields[at + 1] ?? ''
  }
  const lines = field('lines')
  return {
    seq: Number.parseInt(String(item[0]), 10),
    storeMs: Number(field('ms')),
    what: field('what'),
    id: field('id'),
    how: field('how'),
    admittedMs: Number(field('at')),
    lines: lines === '' ? [] : lines.split('\n').map(entryLine),
  }
}

function entryLine(text: string): EntryLine {
  const parts = text.split(' ')
  const { key, window } = parseBalanceName(parts.slice(0, 2).join(' '))
  const [reserved = 0n, spent = 0n, suspense = 0n, overrun = 0n] = parts.slice(4 + FIGURES).map(BigInt)
  const moved = { reserved, spent, suspense, overrun }
  return { key, window, amount: BigInt(parts[2] ?? ''), hard: parts[3] === '1', moved, balance: balance(parts, 4) }
}

const FIGURES = 6
const RECORD_HEAD = 7 // words that every record's head has
const NO_ROOM = 'a balance would leave the range of 64-bit integers'

function balance(row: Row, at: number): Balance {
  assert(row.length >= at + FIGURES, 'a balance has six figures')
  const [limit, available, reserved, spent, suspense, overrun] = row.slice(at, at + FIGURES).map(BigInt)
  assert(limit !== undefined && available !== undefined && reserved !== undefined, 'six figures')
  assert(spent !== undefined && suspense !== undefined && overrun !== undefined, 'six figures')
  assert(available === limit - spent - reserved, 'a balance adds up')
  return { limit, available, reserved, spent, suspense, overrun }
}

function misfits(row: Row, from: number): Extract<ReserveOutcome, { kind: 'refused' }>['lines'] {
  const count = (row.length - from) / (FIGURES + 2)
  assert(Number.isInteger(count), 'a misfit is an index, six figures and a time')
  return Array.from({ length: count }, (_, misfit) => {
    const at = from + misfit * (FIGURES + 2)
    const fits = row[at + FIGURES + 1]
    return { index: Number(row[at]), balance: balance(row, at + 1), fitsMs: fits === '' ? null : Number(fits) }
  })
}

const unknownAnswer = (script: string, row: Row): Error => new Error(`the script ${script} answered ${row[0] ?? 'nothing'}`)
