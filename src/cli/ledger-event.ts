// One entry of the ledger as a CloudEvents 1.0 event in JSON. A pure translation: it reads no stream and writes none.
import { formatAmount, parseBudgetKey, unitOf } from '../core/budget.ts'
import { adjustIdOf } from '../core/verify-reservation.ts'
import type { Window } from '../core/window.ts'
import type { EntryLine, LedgerEntry } from '../ports.ts'

/** An event as it is written, one a line. Amounts are decimal strings in the unit, times are RFC 3339 in UTC. */
export interface LedgerEvent {
  readonly specversion: '1.0'
  /** Ledger and number: the same entry always has the same id, however often it is exported. */
  readonly id: string
  readonly source: string
  readonly type: string
  readonly subject?: string
  readonly time: string
  readonly datacontenttype: 'application/json'
  readonly data: object
}

/** `ledger`: the name of the installation. */
export function ledgerEvent(ledger: string, entry: LedgerEntry): LedgerEvent {
  const { seq, storeMs, what, id, how, admittedMs, lines } = entry
  const adjustment = what === 'adjusted' ? { id: adjustIdOf(how), reason: how.slice(adjustIdOf(how).length + 1) } : null
  return {
    specversion: '1.0',
    id: `${ledger}/${seq}`,
    source: `/purser/ledgers/${ledger}`,
    type: `dev.purser.ledger.${what}`,
    ...(id === '' ? {} : { subject: id }),
    time: iso(storeMs),
    datacontenttype: 'application/json',
    data: {
      seq,
      reservation: id === '' ? null : id,
      admitted: id === '' ? null : iso(admittedMs),
      how: adjustment === null && how !== '' ? how : null,
      adjustment,
      lines: lines.map(lineOf),
    },
  }
}

function lineOf({ key, window, amount, hard, moved, balance }: EntryLine): object {
  const unit = unitOf(key)
  const text = (figure: bigint): string => (unit === null ? `${figure}` : formatAmount(figure, unit))
  const texts = (figures: Readonly<Record<string, bigint>>): object =>
    Object.fromEntries(Object.entries(figures).map(([name, figure]) => [name, text(figure)]))
  return {
    budget: budgetOf(key),
    window: windowOf(window),
    amount: text(amount),
    hard,
    moved: texts({ ...moved }),
    balance: texts({ ...balance }),
  }
}

function budgetOf(key: EntryLine['key']): object {
  const parsed = parseBudgetKey(key)
  if (parsed === null) return { key }
  const { scope, namespace, policy, limit, unit, window, partition } = parsed
  return { key, scope, namespace: namespace === '' ? null : namespace, policy, limit, unit, window, partition }
}

const windowOf = (window: Window): object =>
  window.kind === 'calendar'
    ? { kind: window.kind, start: iso(window.startMs), end: iso(window.endMs) }
    : window.kind === 'sliding'
      ? { kind: window.kind, seconds: window.lengthMs / 1_000 }
      : { kind: window.kind }

const iso = (ms: number): string => new Date(ms).toISOString()
