// The pages of /v1: balances and reservations as JSON, amounts as decimal strings in their unit, times in RFC 3339 UTC.
import { type BudgetKey, formatAmount, limitKeyOf, parseBudgetKey } from '../core/budget.ts'
import { isOneBudget, limitAt } from '../core/grants.ts'
import type { DeclaredLimit } from '../core/policy.ts'
import { type Balance, EMPTY_BALANCE } from '../core/reservation.ts'
import { isWarningMark } from '../core/warning.ts'
import { type Window, windowAt } from '../core/window.ts'
import type { Ledger, PolicySource } from '../ports.ts'

export interface V1 {
  readonly ledger: Ledger
  readonly policies: PolicySource
  /** The store's time in ms. */
  nowMs(): number
}

interface Page {
  readonly status: number
  readonly value: unknown
}

interface Row {
  readonly key: BudgetKey
  readonly window: Window
  readonly balance: Balance
}

const PAGE = 1_000
const UNAVAILABLE: Page = { status: 503, value: { error: 'the ledger is not available' } }

/** Declared limits from the start, partitions once used; in the order of their keys, after `cursor`. */
export async function budgetsPage(v1: V1, query: URLSearchParams): Promise<Page> {
  const now = v1.nowMs()
  const wanted = filterOf(query)
  const declared = declaredRows(v1, now)
  const limits = new Map(
    v1.policies
      .current()
      .declared()
      .map(one => [one.key, one]),
  )
  const rows: Row[] = []
  let cursor: string | null = query.get('cursor') ?? ''
  while (cursor !== null && rows.length < PAGE) {
    const from: string = cursor
    const page = await v1.ledger.list({ prefix: '', cursor: from, count: PAGE - rows.length })
    if (page.kind !== 'read') return UNAVAILABLE
    const { budgets, next } = page.value
    const found = new Set(budgets.map(row => row.key))
    const unused = declared.filter(row => row.key > from && (next === null || row.key <= next) && !found.has(row.key))
    rows.push(...[...budgets.map(row => asDeclared(row, limits, now)), ...unused].filter(row => wanted(row.key)))
    cursor = next
  }
  rows.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
  return { status: 200, value: { budgets: rows.map(row => budgetJson(row, now)), next: cursor } }
}

export async function reservationsPage(v1: V1, query: URLSearchParams): Promise<Page> {
  const open = query.get('open') !== 'false'
  const page = await v1.ledger.reservations({ open, cursor: query.get('cursor') ?? '', count: PAGE })
  if (page.kind !== 'read') return UNAVAILABLE
  const reservations = page.value.reservations.map(record => ({
    id: record.id,
    state: record.state,
    holder: record.holder,
    admitted: iso(Number.parseInt(record.id.slice(0, 12), 16)),
    deadline: iso(record.deadlineMs),
    lines: record.lines.map(line => ({ key: line.key, unit: line.unit, amount: formatAmount(line.amount, line.unit) })),
  }))
  return { status: 200, value: { reservations, next: page.value.next } }
}

function declaredRows(v1: V1, now: number): Row[] {
  return v1.policies
    .current()
    .declared()
    .filter(isOneBudget)
    .map(declared => {
      const { amount } = limitAt(declared, [], now)
      return {
        key: declared.key,
        window: windowAt(declared.limit.window, now),
        balance: { ...EMPTY_BALANCE, limit: amount, available: amount },
      }
    })
}

/** A changed limit is told to the ledger by the next reserve; until then the balance is shown as that will make it. */
function asDeclared(row: Row, limits: ReadonlyMap<BudgetKey, DeclaredLimit>, now: number): Row {
  const declared = limits.get(limitKeyOf(row.key))
  if (declared === undefined) return row
  // A share is as the ledger was last told.
  if (declared.limit.fairShare && row.key !== declared.key) return row
  const { amount: limit } = limitAt(declared, parseBudgetKey(row.key)?.partition ?? [], now)
  return { ...row, balance: { ...row.balance, limit, available: limit - row.balance.spent - row.balance.reserved } }
}

function filterOf(query: URLSearchParams): (key: BudgetKey) => boolean {
  const namespace = query.get('namespace')
  const policy = query.get('policy')
  const limit = query.get('limit')
  const partition = query.get('partition')
  return key => {
    const parsed = parseBudgetKey(key)
    if (parsed === null || isWarningMark(key)) return false
    const fits = (asked: string | null, value: string): boolean => asked === null || asked === value
    return (
      fits(namespace, parsed.namespace) &&
      fits(policy, parsed.policy) &&
      fits(limit, parsed.limit) &&
      fits(partition, parsed.partition.join(','))
    )
  }
}

function budgetJson({ key, window, balance }: Row, now: number): unknown {
  const parsed = parseBudgetKey(key)
  if (parsed === null) return { key }
  const amount = (value: bigint): string => formatAmount(value, parsed.unit)
  return {
    key,
    scope: parsed.scope,
    namespace: parsed.namespace,
    policy: parsed.policy,
    limit: parsed.limit,
    partition: parsed.partition.length === 0 ? null : parsed.partition.join(','),
    unit: parsed.unit,
    window: windowJson(window, now),
    amount: amount(balance.limit),
    spent: amount(balance.spent),
    reserved: amount(balance.reserved),
    available: amount(balance.available),
    suspense: amount(balance.suspense),
    overrun: amount(balance.overrun),
  }
}

function windowJson(window: Window, now: number): { kind: string; start: string | null; end: string | null } {
  switch (window.kind) {
    case 'calendar':
      return { kind: window.kind, start: iso(window.startMs), end: iso(window.endMs) }
    case 'sliding':
      return { kind: window.kind, start: iso(now - window.lengthMs), end: iso(now) }
    case 'lifetime':
    case 'inFlight':
      return { kind: window.kind, start: null, end: null }
  }
}

const iso = (ms: number): string => new Date(ms).toISOString()
