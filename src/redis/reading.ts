// Questions to the ledger in Redis: balances, pages of budgets and reservations, entries. Nothing here writes.
import type { BudgetKey } from '../core/budget.ts'
import type { Balance, LedgerFault, ReservationId } from '../core/reservation.ts'
import type { Window } from '../core/window.ts'
import type { BalancePage, FoundReservation, LedgerEntry, ReadOutcome, ReservationPage, ReservationRecord } from '../ports.ts'
import { asRow, decodeEntry, decodeFigures, decodePriceBook, decodeRecord, decodeResponse } from './decode.ts'
import { type BalanceName, balanceName, parseBalanceName } from './keys.ts'
import type { Runner } from './runner.ts'

const AT_ONCE = 500 // balances in one read, and so in one page: what a script may have
const PAGE_MAX = 1_000

type Read<T> = Exclude<ReadOutcome<T>, LedgerFault>

export async function read(
  runner: Runner,
  lines: readonly { readonly key: BudgetKey; readonly window: Window }[],
): Promise<ReadOutcome<readonly (Balance | null)[]>> {
  return readBalances(
    runner,
    lines.map(({ key, window }) => balanceName(key, window)),
  )
}

/**
 * A page of balances in the order of their names; those of windows that are over are left out. All of it is read in one step, so it may
 * end before `count`.
 */
export async function list(
  runner: Runner,
  { prefix, cursor, count }: { readonly prefix: string; readonly cursor: string; readonly count: number },
): Promise<ReadOutcome<BalancePage>> {
  const size = pageSize(count)
  let after = cursor
  for (;;) {
    const from = after !== '' && after >= prefix ? `(${after}` : `[${prefix}`
    const reply = await runner.command('ZRANGEBYLEX', [runner.keys.index, from, '+', 'LIMIT', '0', `${AT_ONCE}`])
    if (reply.kind !== 'reply') return reply
    const found = asRow(reply.value) as readonly BalanceName[]
    const names = found.filter(name => name.startsWith(prefix))
    const read = await readBalances(runner, names)
    if (read.kind !== 'read') return read
    const budgets = read.value.flatMap((balance, index) => {
      const { key, window } = parseBalanceName(names[index] ?? '')
      return balance !== null && isCurrent(window, read.storeMs) ? [{ key, window, balance }] : []
    })
    const shown = budgets.slice(0, size)
    const last = shown.at(-1)
    const isLast = found.length < AT_ONCE || names.length < found.length
    if (budgets.length > size && last !== undefined) return { ...read, value: { budgets: shown, next: balanceName(last.key, last.window) } }
    after = names.at(-1) ?? after
    if (isLast || shown.length > 0) return { ...read, value: { budgets: shown, next: isLast ? null : after } }
  }
}

/** A page of records in the order of their ids, which is that of their admission. */
export async function reservations(
  runner: Runner,
  { open, cursor, count }: { readonly open: boolean; readonly cursor: string; readonly count: number },
): Promise<ReadOutcome<ReservationPage>> {
  const size = pageSize(count)
  const { keys } = runner
  const found = open
    ? await runner.command('ZRANGE', [keys.deadlines, '0', '-1'])
    : await runner.command('ZRANGEBYLEX', [keys.ids, cursor === '' ? '-' : `(${cursor}`, '+', 'LIMIT', '0', `${size + 1}`])
  if (found.kind !== 'reply') return found
  const ids = [...asRow(found.value)].filter(id => id > cursor).sort()
  const shown = ids.slice(0, size)
  const texts = shown.length === 0 ? NONE : await runner.command('MGET', shown.map(keys.record))
  if (texts.kind !== 'reply') return texts
  const records = (texts.value as readonly (string | null)[]).flatMap((text, index) =>
    text === null ? [] : [decodeRecord(shown[index] ?? '', text)],
  )
  const time = await readBalances(runner, [])
  if (time.kind !== 'read') return time
  const next = ids.length > size ? (shown.at(-1) ?? null) : null
  // One that closed between the two questions is not open any more.
  const value = { reservations: open ? records.filter(record => record.state === 'open') : records, next }
  return { ...time, value }
}

export async function entries(
  runner: Runner,
  { afterSeq, count }: { readonly afterSeq: number; readonly count: number },
): Promise<ReadOutcome<readonly LedgerEntry[]>> {
  const after = Math.min(Math.max(0, Math.floor(afterSeq) || 0), Number.MAX_SAFE_INTEGER)
  const reply = await runner.command('XRANGE', [runner.keys.stream, `(${after}-0`, '+', 'COUNT', `${pageSize(count)}`])
  if (reply.kind !== 'reply') return reply
  const time = await readBalances(runner, [])
  if (time.kind !== 'read') return time
  return { ...time, value: (reply.value as readonly unknown[]).map(decodeEntry) }
}

/** One record as it stands. */
export async function find(runner: Runner, id: ReservationId): Promise<ReadOutcome<ReservationRecord | null>> {
  const text = await runner.command('GET', [runner.keys.record(id)])
  if (text.kind !== 'reply') return text
  const time = await readBalances(runner, [])
  if (time.kind !== 'read') return time
  return { ...time, value: typeof text.value === 'string' ? decodeRecord(id, text.value) : null }
}

/** The reservation that was settled under a response's hash, for as long as its record is kept. */
export async function findByResponse(runner: Runner, response: string): Promise<ReadOutcome<FoundReservation | null>> {
  const { keys } = runner
  const id = await runner.command('GET', [keys.response(response)])
  if (id.kind !== 'reply') return id
  const text = typeof id.value === 'string' ? await runner.command('GET', [keys.record(id.value)]) : id
  if (text.kind !== 'reply') return text
  const time = await readBalances(runner, [])
  if (time.kind !== 'read') return time
  if (typeof id.value !== 'string' || typeof text.value !== 'string') return { ...time, value: null }
  const record = decodeRecord(id.value, text.value)
  // Its record may have gone between the two questions, and another come under its id.
  return {
    ...time,
    value: decodeResponse(text.value) === response ? { id: record.id, lines: record.lines, priceBook: decodePriceBook(text.value) } : null,
  }
}

/** Balances in one step, or several where they are more than a script may have: then `seq` is of the first, and no later. */
async function readBalances(runner: Runner, names: readonly BalanceName[]): Promise<Read<readonly (Balance | null)[]> | LedgerFault> {
  const value: (Balance | null)[] = []
  let first: number | null = null
  let storeMs = 0
  for (let at = 0; at === 0 || at < names.length; at += AT_ONCE) {
    const keys = names.slice(at, at + AT_ONCE).map(runner.keys.balance)
    const reply = await runner.run('read', { keys, args: [] })
    if (reply.kind !== 'reply') return reply
    const [now, seq, ...figures] = asRow(reply.value)
    storeMs = Number(now)
    first ??= Number(seq)
    value.push(...figures.map(decodeFigures))
  }
  return { kind: 'read', value, seq: first ?? 0, storeMs }
}

const NONE = { kind: 'reply', value: [] } as const

const isCurrent = (window: Window, nowMs: number): boolean =>
  window.kind !== 'calendar' || (window.startMs <= nowMs && nowMs < window.endMs)

/** A page holds 1 to 1,000: an absurd count is brought into it. */
const pageSize = (count: number): number => Math.min(Math.max(1, Math.floor(count) || 1), PAGE_MAX)
