// What an entry may do to a reservation, and what it makes of it: the law of closing, held against what the entry says it moved.
import { assert } from './assert.ts'
import { balanceId, type Change, NO_CHANGE } from './balance.ts'
import { changes } from './closing.ts'
import type { LedgerRules } from './ledger-rules.ts'
import type { ReservationState } from './reservation.ts'
import type { EntryLine } from './shelf.ts'
import { counts } from './verify-balance.ts'
import { kindWrong } from './verify-kind.ts'
import { adjustIdOf, type Held, type HeldLine, type MoveEntry, TRANSITIONS, type Transition } from './verify-reservation.ts'
import { amountWords, budgetWords, instantText } from './verify-words.ts'

/** What an entry made of a reservation. */
export interface Advanced {
  readonly held: Held
  /** Whether the move may have brought other limits to the balances. */
  readonly presents: boolean
}

/** The reservation after one more entry, or what is wrong with that entry. `held`: null where no earlier entry tells of it. */
export function advance(held: Held | null, entry: MoveEntry, rules: LedgerRules): Advanced | string {
  const steps = TRANSITIONS[entry.what].filter(([from]) => (from === null ? held === null : held?.states.includes(from)))
  if (steps.length === 0) return outOfTurn(held, entry)
  const extra = entry.lines.find(line => held?.whole === true && !held.lines.has(balanceId(line.key, line.window)))
  if (extra !== undefined) return `it moves ${budgetWords(extra.key, extra.window)}, which is none of its lines`
  const admittedMs = held === null || held.states.includes('tombstone') ? null : held.admittedMs
  if (admittedMs !== null && admittedMs !== entry.admittedMs)
    return `it is dated ${instantText(entry.admittedMs)}, and was admitted at ${instantText(admittedMs)}`
  const fitting = steps.filter(step => unlawful(held, entry, step).length === 0)
  if (fitting.length === 0) return closestWords(steps.map(step => unlawful(held, entry, step)))
  const next = after(held, entry, fitting)
  const wrong = kindWrong(held, next, entry, rules)
  if (wrong !== null) return wrong
  const presents = held === null || fitting.some(([from]) => from === 'tombstone')
  return { held: next, presents }
}

/** A figure that an entry moved otherwise than the law says. */
interface Unlawful {
  readonly line: EntryLine
  readonly name: keyof Change
  readonly should: bigint
}

/** What an entry moved otherwise than one transition does. */
function unlawful(held: Held | null, entry: MoveEntry, [from, to]: Transition): Unlawful[] {
  const lines = entry.lines.map(line => {
    const before = held?.lines.get(balanceId(line.key, line.window))
    const reserved = from === null && to === 'open' ? line.amount : (before?.amount ?? null)
    return { line, reserved, charged: before?.charged ?? 0n }
  })
  const state = { state: to, charged: isCharged(to) ? entry.lines.map(line => line.amount) : entry.lines.map(() => 0n) }
  const was = from === null ? null : { state: from, charged: lines.map(each => each.charged) }
  const lawful = changes(
    lines.map(({ line, reserved }) => ({ amount: reserved ?? 0n, window: line.window })),
    was,
    state,
  )
  return lines.flatMap(({ line, reserved }, index) => {
    const isCounted = counts(line.window, entry.admittedMs, entry.storeMs)
    const should = isCounted ? (lawful[index] ?? NO_CHANGE) : NO_CHANGE
    const isFree = isCounted && reserved === null && to === 'settled-proven'
    return FIGURES.flatMap(name => {
      const moved = line.moved[name]
      // What it had reserved is not known, so its overrun may be anything up to its charge.
      const fits = name === 'overrun' && isFree ? moved >= 0n && moved <= line.amount : moved === should[name]
      return fits ? [] : [{ line, name, should: should[name] }]
    })
  })
}

const FIGURES: readonly (keyof Change)[] = ['reserved', 'spent', 'suspense', 'overrun']

const isCharged = (state: ReservationState): boolean => state !== 'open' && state !== 'released' && state !== 'tombstone'

function after(held: Held | null, entry: MoveEntry, fitting: readonly Transition[]): Held {
  const states = [...new Set(fitting.map(([, to]) => to))]
  const opens = states.every(state => state === 'open')
  const [charges, mayCharge] = [states.every(isCharged), states.some(isCharged)]
  const lines = new Map<string, HeldLine>()
  for (const [id, line] of held?.lines ?? [])
    lines.set(id, counts(line.window, entry.admittedMs, entry.storeMs) ? line : { ...line, charged: null })
  for (const { key, window, amount } of entry.lines) {
    const id = balanceId(key, window)
    const reserved = opens ? amount : (held?.lines.get(id)?.amount ?? null)
    // Where a charge and a reserve look alike, the line is of nothing, or has slid out.
    const isUnclear = mayCharge && !counts(window, entry.admittedMs, entry.storeMs)
    lines.set(id, { key, window, amount: reserved, charged: charges ? amount : isUnclear ? null : 0n })
  }
  return {
    states,
    lines,
    whole: held?.whole ?? entry.what === 'reserved',
    raised: entry.what === 'raised' || held?.raised === true,
    arrears: entry.what === 'arrears' || held?.arrears === true,
    adjustId: entry.what === 'adjusted' ? adjustIdOf(entry.how) : (held?.adjustId ?? ''),
    admittedMs: entry.admittedMs,
    openedMs: held === null ? entry.storeMs : held.openedMs,
    seq: entry.seq,
    storeMs: entry.storeMs,
    what: entry.what,
  }
}

function outOfTurn(held: Held | null, { what }: MoveEntry): string {
  if (held === null) return `no earlier entry tells of this reservation, so it cannot be ${what}`
  return `the reservation is ${held.states.join(' or ')} since entry ${held.seq} (${held.what}), so it cannot be ${what}`
}

/** Of several ways to read an entry, what is wrong first with the one that fits best. */
function closestWords(readings: readonly (readonly Unlawful[])[]): string {
  const [first] = readings.reduce((best, wrong) => (wrong.length < best.length ? wrong : best))
  assert(first !== undefined, 'no reading of the entry is lawful')
  const { line, name, should } = first
  const [law, is] = [should, line.moved[name]].map(amount => amountWords(amount, line.key))
  return `${budgetWords(line.key, line.window)}: ${name} should move by ${law}, moves by ${is}`
}
