// Questions to the ledger in Redis: balances, pages of budgets and reservations, entries. Nothing here writes.
import type { BudgetKey } from '../core/budget.ts'
import type { Balance, LedgerFault } from '../core/reservation.ts'
import type { Window } from '../core/window.ts'
import type { BalancePage, LedgerEntry, ReadOutcome, ReservationPage } from '../ports.ts'
import { asRow, decodeEntry, decodeFigures, decodeRecord } from './decode.ts'
import { type BalanceName, balanceName, parseBalanceName } from './keys.ts'
import type { Runner } from './runner.ts'

const AT_ONCE = 250 // balances in one read: under a millisecond of the server
const PAGE_MAX = 1_000

type Read<T> = { readonly kind: 'read'; readonly value: T; readonly storeMs: number }

export async function read(
  runner: Runner,
  lines: readonly { readonly key: BudgetKey; readonly window: Window }[],
): Promise<ReadOutcome<readonly (Balance | null)[]>> {
  return readBalances(
    runner,
    lines.map(({ key, window }) => balanceName(key, window)),
  )
}

/** A page of balances in the order of their names; those of windows that are over are left out. */
export async function list(
  runner: Runner,
  { prefix, cursor, count }: { readonly prefix: string; readonly cursor: string; readonly count: number },
): Promise<ReadOutcome<BalancePage>> {
  const size = pageSize(count)
  const budgets: BalancePage['budgets'][number][] = []
  let after = cursor
  for (;;) {
    const from = after !== '' && after >= prefix ? `(${after}` : `[${prefix}`
    const reply = await runner.command('ZRANGEBYLEX', [runner.keys.index, from, '+', 'LIMIT', '0', `${AT_ONCE}`])
    if (reply.kind !== 'reply') return reply
    const found = asRow(reply.value) as readonly BalanceName[]
    const names = found.filter(name => name.startsWith(prefix))
    const balances = await readBalances(runner, names)
    if (balances.kind !== 'read') return balances
    for (const [index, balance] of balances.value.entries()) {
      const { key, window } = parseBalanceName(names[index] ?? '')
      if (balance !== null && isCurrent(window, balances.storeMs)) budgets.push({ key, window, balance })
    }
    const isLast = found.length < AT_ONCE || names.length < found.length
    if (isLast || budgets.length > size) return page(budgets, size, balances.storeMs)
    after = names.at(-1) ?? after
  }
}

function page(budgets: readonly BalancePage['budgets'][number][], size: number, storeMs: number): Read<BalancePage> {
  const shown = budgets.slice(0, size)
  const last = shown.at(-1)
  const next = budgets.length > size && last !== undefined ? balanceName(last.key, last.window) : null
  return { kind: 'read', value: { budgets: shown, next }, storeMs }
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
  return { kind: 'read', value, storeMs: time.storeMs }
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
  return { kind: 'read', value: (reply.value as readonly unknown[]).map(decodeEntry), storeMs: time.storeMs }
}

async function readBalances(runner: Runner, names: readonly BalanceName[]): Promise<Read<readonly (Balance | null)[]> | LedgerFault> {
  const value: (Balance | null)[] = []
  let storeMs = 0
  for (let at = 0; at === 0 || at < names.length; at += AT_ONCE) {
    const keys = names.slice(at, at + AT_ONCE).map(runner.keys.balance)
    const reply = await runner.run('read', { keys, args: [] })
    if (reply.kind !== 'reply') return reply
    const [now, ...figures] = asRow(reply.value)
    storeMs = Number(now)
    value.push(...figures.map(decodeFigures))
  }
  return { kind: 'read', value, storeMs }
}

const NONE = { kind: 'reply', value: [] } as const

const isCurrent = (window: Window, nowMs: number): boolean =>
  window.kind !== 'calendar' || (window.startMs <= nowMs && nowMs < window.endMs)

/** A page holds 1 to 1,000: an absurd count is brought into it. */
const pageSize = (count: number): number => Math.min(Math.max(1, Math.floor(count) || 1), PAGE_MAX)
