// The ledger over a shelf, and the model ledger: the oracle that every store is compared to. Synchronous; told the time at every move.
import { adjust } from './adjust.ts'
import { assert } from './assert.ts'
import { atTime, balanceId, figures } from './balance.ts'
import type { BudgetKey } from './budget.ts'
import type { LedgerRules } from './ledger-rules.ts'
import { createMapShelf } from './map-shelf.ts'
import { release, reserve, settle } from './moves.ts'
import { beat, observe } from './observe.ts'
import { reassert } from './reassert.ts'
import type {
  AcknowledgeOutcome,
  AdjustMove,
  AdjustOutcome,
  Balance,
  BeatOutcome,
  Holder,
  Line,
  ObserveMove,
  ObserveOutcome,
  ReassertMove,
  ReassertOutcome,
  ReleaseMove,
  ReleaseOutcome,
  ReservationId,
  ReservationState,
  ReserveMove,
  ReserveOutcome,
  SettleMove,
  SettleOutcome,
  SweepOutcome,
} from './reservation.ts'
import type { Entry, Shelf } from './shelf.ts'
import { type MoveTime, openStep, raiseMark, storeTime } from './step.ts'
import { sweep } from './sweep.ts'
import type { Window } from './window.ts'

/** The port's methods, without its promises: values in, values out, at the time given. */
export interface ModelLedger {
  reserve(move: ReserveMove, time: MoveTime): ReserveOutcome
  settle(move: SettleMove, time: MoveTime): SettleOutcome
  release(move: ReleaseMove, time: MoveTime): ReleaseOutcome
  beat(holder: Holder, time: MoveTime): BeatOutcome
  observe(move: ObserveMove, time: MoveTime): ObserveOutcome
  adjust(move: AdjustMove, time: MoveTime): AdjustOutcome
  /** Of recovery, which only a store that may lose writes knows. */
  reassert(move: ReassertMove, time: MoveTime): ReassertOutcome
  sweep(time: MoveTime): SweepOutcome
  read(lines: readonly { readonly key: BudgetKey; readonly window: Window }[], storeClockMs: number): Read<readonly (Balance | null)[]>
  list(query: { readonly prefix: string; readonly cursor: string; readonly count: number }, storeClockMs: number): Read<ListedBalances>
  reservations(
    query: { readonly open: boolean; readonly cursor: string; readonly count: number },
    storeClockMs: number,
  ): Read<ListedReservations>
  entries(query: { readonly afterSeq: number; readonly count: number }, storeClockMs: number): Read<readonly Entry[]>
  find(id: ReservationId, storeClockMs: number): Read<KnownReservation | null>
  findByResponse(response: string, storeClockMs: number): Read<FoundReservation | null>
  acknowledge(seq: number, time: MoveTime): AcknowledgeOutcome
  /** How often the same version of a limit came with another amount. */
  contested(): number
}

/** `seq`: of the last entry when it was read, in the same step. */
export interface Read<T> {
  readonly kind: 'read'
  readonly value: T
  readonly seq: number
  readonly storeMs: number
}

export interface FoundReservation {
  readonly id: ReservationId
  /** The hash of the book that it was estimated with; empty where its reserve was never seen. */
  readonly priceBook: string
  readonly lines: readonly Line[]
}

export interface ListedBalances {
  readonly budgets: readonly { readonly key: BudgetKey; readonly window: Window; readonly balance: Balance }[]
  readonly next: string | null
}

export interface KnownReservation {
  readonly id: ReservationId
  readonly holder: Holder
  readonly state: ReservationState
  readonly deadlineMs: number
  readonly lines: readonly Line[]
}

export interface ListedReservations {
  readonly reservations: readonly KnownReservation[]
  readonly next: string | null
}

/** The oracle: a ledger in memory whose stream keeps the newest `streamMax` entries. */
export const createModelLedger = (rules: LedgerRules, streamMax: number): ModelLedger => ledgerOver(createMapShelf(rules, streamMax), rules)

/** The one law over any shelf. */
export function ledgerOver(shelf: Shelf, rules: LedgerRules): ModelLedger {
  const answer = <T>(value: T, storeMs: number): Read<T> => ({ kind: 'read', value, seq: shelf.meta().seq, storeMs })
  return {
    reserve: (move, time) => reserve(shelf, rules, move, time),
    settle: (move, time) => settle(shelf, rules, move, time),
    release: (move, time) => release(shelf, rules, move, time),
    beat: (holder, time) => beat(shelf, rules, holder, time),
    observe: (move, time) => observe(shelf, rules, move, time),
    adjust: (move, time) => adjust(shelf, rules, move, time),
    reassert: (move, time) => reassert(shelf, rules, move, time),
    sweep: time => sweep(shelf, rules, time),
    read: (lines, storeClockMs) => {
      const storeMs = storeTime(shelf, storeClockMs)
      const value = lines.map(({ key, window }) => {
        const stored = shelf.balance(balanceId(key, window))
        return stored === null ? null : figures(atTime(stored, storeMs))
      })
      return answer(value, storeMs)
    },
    list: ({ prefix, cursor, count }, storeClockMs) => {
      const storeMs = storeTime(shelf, storeClockMs)
      const { page, next } = paged(shelf.balances(prefix, cursor, pageSize(count) + 1, storeMs), pageSize(count), stored =>
        balanceId(stored.key, stored.window),
      )
      const budgets = page.map(stored => ({ key: stored.key, window: stored.window, balance: figures(atTime(stored, storeMs)) }))
      return answer({ budgets, next }, storeMs)
    },
    reservations: ({ open, cursor, count }, storeClockMs) => {
      const { page, next } = paged(shelf.records(open, cursor, pageSize(count) + 1), pageSize(count), record => record.id)
      return answer({ reservations: page.map(shown), next }, storeTime(shelf, storeClockMs))
    },
    entries: ({ afterSeq, count }, storeClockMs) =>
      answer(shelf.entries(Math.max(0, Math.floor(afterSeq)), pageSize(count)), storeTime(shelf, storeClockMs)),
    find: (id, storeClockMs) => {
      const record = shelf.record(id)
      return answer(record === null ? null : shown(record), storeTime(shelf, storeClockMs))
    },
    findByResponse: (response, storeClockMs) => {
      const found = shelf.recordByResponse(response)
      return answer(
        found === null ? null : { id: found.id, lines: found.lines, priceBook: found.priceBook },
        storeTime(shelf, storeClockMs),
      )
    },
    acknowledge: (seq, time) => acknowledge(shelf, rules, seq, time),
    contested: () => shelf.meta().contested,
  }
}

const shown = ({ id, holder, state, deadlineMs, lines }: KnownReservation): KnownReservation => ({ id, holder, state, deadlineMs, lines })

/** Registers the exporter, or moves on what it has; never back, and never beyond the last entry. */
function acknowledge(shelf: Shelf, rules: LedgerRules, seq: number, time: MoveTime): AcknowledgeOutcome {
  assert(Number.isSafeInteger(seq) && seq >= 0, 'an exporter acknowledges up to an entry')
  const step = openStep(shelf, rules, time)
  if ('kind' in step) return step
  raiseMark(step)
  const meta = shelf.meta()
  const exportedSeq = Math.max(meta.exportedSeq ?? 0, Math.min(seq, meta.seq))
  shelf.putMeta({ ...meta, exportedSeq })
  return { kind: 'acknowledged', seq: exportedSeq, storeMs: step.nowMs }
}

/** A page holds 1 to 1,000: an absurd count is brought into it. */
const pageSize = (count: number): number => Math.min(Math.max(1, Math.floor(count) || 1), 1_000)

/** One item more than the page was asked for: whether it is there says whether to go on, after the page's last one. */
function paged<T>(found: readonly T[], count: number, cursorOf: (item: T) => string): { page: readonly T[]; next: string | null } {
  const page = found.slice(0, count)
  const last = page.at(-1)
  return { page, next: found.length > count && last !== undefined ? cursorOf(last) : null }
}
