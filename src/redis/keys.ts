// The names of everything that an installation keeps in Redis, all under one hash tag, and the text forms of windows and lines in them.
import { assert } from '../core/assert.ts'
import type { BudgetKey, Unit } from '../core/budget.ts'
import type { Line } from '../core/reservation.ts'
import { type Window, windowText } from '../core/window.ts'

/** The name of a balance: the budget's key, a space, and its window's text. Neither holds a space. */
export type BalanceName = string & { readonly __brand: 'BalanceName' }

export interface Keys {
  /** Hash: `schema`, `epoch`, `mark` (store time of the last mutation), `resumed`, `seq`, `contested`, `exported`. */
  readonly meta: string
  /** Sorted set: holder by its last beat. */
  readonly holders: string
  /** Sorted set: open reservation by its deadline. */
  readonly deadlines: string
  /** Sorted set in the order of its members, `holder:id` of open reservations. */
  readonly open: string
  /** Sorted set: closed reservation by the time its record may go. */
  readonly closed: string
  /** Sorted set: balance name by the time from which it may be collected. */
  readonly due: string
  /** Sorted set in the order of its members: every balance name. */
  readonly index: string
  /** Sorted set in the order of its members: the id of every record. */
  readonly ids: string
  /** Hash: what holders report in a recovery. */
  readonly reports: string
  /** Stream: the entries, under ids `SEQ-0`. */
  readonly stream: string
  record(id: string): string
  /** String: the id of the reservation that was settled under a response's hash. */
  response(hash: string): string
  balance(name: BalanceName): string
  /** Those that every move is given, in the order that the scripts know. */
  readonly fixed: readonly string[]
}

const NAME = /^[A-Za-z0-9._-]{1,64}$/

/** @throws Error when `name` could not stand between braces and colons. */
export function ledgerKeys(name: string): Keys {
  if (!NAME.test(name)) throw new Error('the name of a ledger is 1 to 64 letters, digits, dots, dashes and underscores')
  const tag = `{purser:${name}}`
  const [meta, holders, deadlines, open, closed, due, index, ids, stream] = [
    `${tag}:meta`,
    `${tag}:holders`,
    `${tag}:deadlines`,
    `${tag}:open`,
    `${tag}:closed`,
    `${tag}:due`,
    `${tag}:index`,
    `${tag}:ids`,
    `${tag}:entries`,
  ] as const
  return {
    meta,
    holders,
    deadlines,
    open,
    closed,
    due,
    index,
    ids,
    stream,
    reports: `${tag}:reports`,
    record: id => `${tag}:r:${id}`,
    response: hash => `${tag}:x:${hash}`,
    balance: balanceName => `${tag}:b:${balanceName}`,
    fixed: [meta, holders, deadlines, open, closed, due, index, ids, stream],
  }
}

export const balanceName = (key: BudgetKey, window: Window): BalanceName => `${key} ${windowText(window)}` as BalanceName

/** The budget and window of a balance's name. */
export function parseBalanceName(name: string): { key: BudgetKey; window: Window } {
  const space = name.indexOf(' ')
  assert(space > 0, `a balance is named by a key and a window: ${name}`)
  return { key: name.slice(0, space) as BudgetKey, window: parseWindowText(name.slice(space + 1)) }
}

/** The inverse of `windowText`. */
export function parseWindowText(text: string): Window {
  if (text === 'lifetime' || text === 'inFlight') return { kind: text }
  if (text.startsWith('~')) return { kind: 'sliding', lengthMs: Number(text.slice(1)) }
  const [, start, end] = /^(-?\d+)-(-?\d+)$/.exec(text) ?? []
  assert(start !== undefined && end !== undefined, `a window has a text: ${text}`)
  return { kind: 'calendar', startMs: Number(start), endMs: Number(end) }
}

/** Lines as a record keeps them, one text line each: what a sweep and a repeated reserve need to know of them. */
export function linesText(lines: readonly Line[]): string {
  return lines.map(lineText).join('\n')
}

function lineText({ key, window, amount, floor, limit, version, hard, unit }: Line): string {
  const { createdMs, generation, grantMs } = version
  return `${balanceName(key, window)} ${amount} ${floor} ${limit} ${createdMs} ${generation} ${grantMs} ${hard ? 1 : 0} ${unit}`
}

/** The inverse of {@link linesText}. */
export function parseLinesText(text: string): Line[] {
  return text === '' ? [] : text.split('\n').map(parseLineText)
}

function parseLineText(text: string): Line {
  const [key, window, amount, floor, limit, createdMs, generation, grantMs, hard, unit] = text.split(' ')
  assert(key !== undefined && window !== undefined && amount !== undefined, 'a line of a record is whole')
  assert(floor !== undefined && limit !== undefined && unit !== undefined, 'a line of a record has all its words')
  return {
    key: key as BudgetKey,
    window: parseWindowText(window),
    amount: BigInt(amount),
    floor: BigInt(floor),
    limit: BigInt(limit),
    version: { createdMs: Number(createdMs), generation: Number(generation), grantMs: Number(grantMs) },
    hard: hard === '1',
    unit: unit as Unit,
  }
}
