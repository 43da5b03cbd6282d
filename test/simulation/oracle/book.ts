// The oracle's own book: what every reservation stands for, told by the entries of the stream, in arithmetic of its own. It holds every
// entry against the promises in the step that wrote it, and knows nothing of how the ledger keeps its balances.
import { formatAmount, parseBudgetKey } from '../../../src/core/budget.ts'
import type { Line, ReserveMove, ReserveOutcome } from '../../../src/core/reservation.ts'
import type { Entry, EntryLine } from '../../../src/core/shelf.ts'
import { windowText } from '../../../src/core/window.ts'
import type { Move, Outcome } from '../move.ts'
import { Account, less, NOTHING, type Share } from './account.ts'
import { Pulse } from './pulse.ts'

export type BookState = 'open' | 'proven' | 'unproven' | 'expired' | 'released' | 'tombstone'

export interface BookLine {
  readonly account: string
  readonly amount: bigint
  readonly hard: boolean
  charged: bigint
  /** Its balance was collected before it was charged: what it was charged is told by no entry. */
  readonly untold?: true
}

export interface BookRecord {
  readonly id: string
  readonly holder: string
  readonly admittedMs: number
  readonly openedBy: string
  state: BookState
  lines: readonly BookLine[]
  /** Proof came after it was closed otherwise: that happens once. */
  corrected: boolean
  raised: boolean
}

/** Entries that may leave a budget above its limit: LEDGER section 2. */
const EXCEPTIONS: ReadonlySet<string> = new Set([
  'settled-over',
  'settled-late',
  'raised',
  'arrears',
  'reasserted',
  'adjusted',
  'presented',
])

export class Book {
  readonly records: Map<string, BookRecord> = new Map()
  readonly accounts: Map<string, Account> = new Map()
  /** Open reservations that were lost with the server before this one, and are to be told again before anything is admitted. */
  readonly owed: Map<string, BookRecord> = new Map()
  /** How often each kind of outcome and entry was seen. */
  readonly seen: Map<string, number> = new Map()
  readonly pulse: Pulse
  readonly #fail: (what: string) => void
  #seq = 0

  constructor(fail: (what: string) => void) {
    this.#fail = fail
    this.pulse = new Pulse(fail)
  }

  /** One move of the ledger: what was asked, what was answered, and what was written, at once. */
  take(asked: Move, outcome: Outcome, entries: readonly Entry[]): void {
    this.#count(`${asked.kind} ${outcome.kind}`)
    if (!('storeMs' in outcome)) return
    if (outcome.kind === 'clock-skew' && entries.length > 0) this.#fail('a move of a skewed clock was written')
    this.pulse.take(asked, outcome, entries)
    if (asked.kind === 'reserve') this.#presented(asked.move, outcome as ReserveOutcome, outcome.storeMs)
    if (asked.kind === 'settle' || asked.kind === 'reassert') this.#presentedUnseen(asked.move.lines, entries)
    for (const entry of entries) this.#entry(asked, entry)
    if (asked.kind === 'reserve' && outcome.kind === 'refused') this.#justify(asked.move, outcome, outcome.storeMs)
    if (asked.kind === 'reserve') this.#justifyYes(asked.move, outcome as ReserveOutcome)
  }

  #count(what: string): void {
    this.seen.set(what, (this.seen.get(what) ?? 0) + 1)
  }

  /** An admission presents its lines; a refusal creates nothing, but what it presents of budgets that are there counts. */
  #presented(move: ReserveMove, outcome: ReserveOutcome, storeMs: number): void {
    if (outcome.kind === 'reserved') {
      for (const line of move.alternatives[outcome.alternative] ?? []) this.#accountOf(line).presented(line, storeMs)
    } else if (outcome.kind === 'refused') {
      for (const line of move.alternatives.flat()) this.accounts.get(accountName(line))?.presented(line, storeMs)
    }
  }

  /** What is charged or opened without a reserve before it presents the lines that it brings. */
  #presentedUnseen(lines: readonly Line[], entries: readonly Entry[]): void {
    for (const { id, what, storeMs, lines: told } of entries) {
      const isUnseen = what === 'reasserted' || what === 'arrears' || this.records.get(id)?.state === 'tombstone'
      if (!isUnseen) continue
      for (const line of lines) {
        if (told.some(one => accountName(one) === accountName(line))) this.#accountOf(line).presented(line, storeMs)
      }
    }
  }

  #justifyYes(move: ReserveMove, outcome: ReserveOutcome): void {
    if (outcome.kind !== 'reserved' && !(outcome.kind === 'exists' && outcome.open)) return
    const state = this.records.get(move.id)?.state
    if (state !== 'open') this.#fail(`${move.id} was answered ${outcome.kind} and is ${state ?? 'not there'}`)
  }

  /** A refusal is true: the balances that it names do not hold what was asked. */
  #justify(move: ReserveMove, outcome: Extract<ReserveOutcome, { kind: 'refused' }>, storeMs: number): void {
    if (outcome.lines.length === 0) this.#fail('a refusal that names no line')
    for (const { index, balance } of outcome.lines) {
      const line = move.alternatives[0]?.[index]
      if (line === undefined || !line.hard || line.amount === 0n) {
        this.#fail(`line ${index} cannot refuse`)
        continue
      }
      const account = this.accounts.get(accountName(line))
      const { reserved, spent } = account?.at(storeMs) ?? NOTHING
      const disbelief = account?.disbelieve(balance.limit, storeMs) ?? null
      if (disbelief !== null) this.#fail(`a refusal by ${line.key} with a limit of ${balance.limit}: ${disbelief}`)
      if (balance.limit - spent - reserved >= line.amount)
        this.#fail(`${line.key} refused ${line.amount}, and has ${balance.limit - spent - reserved} left`)
      if (balance.reserved !== reserved || balance.spent !== spent) this.#fail(`a refusal told other figures of ${line.key}`)
    }
  }

  #entry(asked: Move, entry: Entry) {
    this.#count(`entry ${entry.what}`)
    if (entry.seq !== this.#seq + 1) this.#fail(`entry ${entry.seq} follows ${this.#seq}`)
    this.#seq = entry.seq
    if (entry.what === 'collected') return this.#collect(entry)
    if (entry.what === 'presented') {
      for (const line of entry.lines) this.#hold(entry, line)
      return
    }
    this.owed.delete(entry.id)
    const before = this.records.get(entry.id) ?? null
    const after = this.#after(asked, entry, before)
    if (after === null) return
    this.records.set(entry.id, after)
    for (const [index, line] of after.lines.entries()) {
      const change = less(standing(after.state, line), before === null ? NOTHING : standingBefore(before, index))
      const told = entry.lines.find(one => accountName(one) === line.account)
      if (told === undefined) continue // it was collected: the stream alone tells of it
      const account = this.#accountOf(told)
      account.add(change, after.admittedMs, entry.storeMs)
      if (EXCEPTIONS.has(entry.what)) account.excused += positive(change.spent) + positive(change.reserved)
    }
    for (const line of entry.lines) this.#hold(entry, line)
  }

  /** The record after an entry; null where it may not be. */
  #after(asked: Move, entry: Entry, before: BookRecord | null): BookRecord | null {
    const { id, what } = entry
    const proven = asked.kind === 'settle' && asked.move.proven
    const was = before?.state ?? 'nothing'
    const wrong = (): null => {
      this.#fail(`${id} was ${was}, and is ${what}`)
      return null
    }
    const reserved = (): readonly BookLine[] =>
      entry.lines.map(({ hard, amount, ...line }) => ({ account: accountName(line), amount, hard, charged: 0n }))
    const fresh = (state: BookState, lines: readonly BookLine[]): BookRecord => {
      const holder = 'move' in asked && typeof asked.move === 'object' && 'holder' in asked.move ? asked.move.holder : ''
      return { id, holder, admittedMs: entry.admittedMs, openedBy: what, state, lines, corrected: false, raised: false }
    }
    const charged = (state: BookState, more: Partial<BookRecord> = {}): BookRecord | null => {
      if (before === null) return wrong()
      const lines = before.lines.map(line => {
        const told = entry.lines.find(one => accountName(one) === line.account)
        // What was collected is told by the move alone.
        const index = asked.kind === 'settle' ? asked.move.lines.findIndex(one => accountName(one) === line.account) : -1
        const brought = asked.kind === 'settle' ? asked.move.amounts[index] : undefined
        const charged = told?.amount ?? brought
        return charged === undefined ? { ...line, untold: true as const } : { ...line, charged }
      })
      return { ...before, ...more, state, lines }
    }
    const unseen = (state: BookState): BookRecord => {
      const lines = entry.lines.map(({ hard, amount, ...line }) => ({ account: accountName(line), amount: 0n, hard, charged: amount }))
      return fresh(state, lines)
    }
    switch (what) {
      case 'reserved':
        this.#admitted(entry)
        return before === null ? fresh('open', reserved()) : wrong()
      case 'settled':
      case 'settled-over':
        return was === 'open' ? charged(proven ? 'proven' : 'unproven') : wrong()
      case 'expired':
        return was === 'open' ? charged('expired') : wrong()
      case 'released':
        return was === 'open' && before !== null
          ? { ...before, state: 'released', lines: before.lines.map(line => ({ ...line, charged: 0n })) }
          : wrong()
      case 'tombstoned':
        // One is forgotten after a minute; whoever was held back for longer leaves another.
        return before === null || was === 'tombstone' ? fresh('tombstone', []) : wrong()
      case 'settled-late':
        if (was === 'tombstone') return { ...unseen('proven'), corrected: true }
        if (before === null || was === 'open' || was === 'proven' || before.corrected) return wrong()
        return charged('proven', { corrected: true })
      case 'raised':
        if (before === null || before.raised || (was !== 'unproven' && was !== 'expired')) return wrong()
        return charged(before.state, { raised: true })
      case 'arrears':
        return before === null ? unseen(proven ? 'proven' : 'unproven') : wrong()
      case 'reasserted':
        if (before !== null) return wrong()
        return asked.kind === 'reassert' ? fresh('open', reserved()) : unseen(proven ? 'proven' : 'unproven')
      default:
        return wrong()
    }
  }

  /** Never over, and never in a window that is not now. */
  #admitted(entry: Entry): void {
    for (const { key, window, amount, hard, balance } of entry.lines) {
      if (hard && amount > 0n && balance.available < 0n) this.#fail(`NEVER OVER: a reserve left ${key} at ${balance.available}`)
      if (window.kind === 'calendar' && (entry.storeMs < window.startMs || entry.storeMs >= window.endMs))
        this.#fail(`a reserve in a window of ${key} that is not now`)
    }
    if (this.owed.size > 0) this.#owes(entry)
  }

  /** Never over, with what is held and was lost. A sliding window may have left it behind meanwhile. */
  #owes({ lines }: Entry): void {
    for (const line of lines) {
      if (!line.hard || line.amount === 0n || line.window.kind === 'sliding') continue
      const name = accountName(line)
      let owed = 0n
      for (const record of this.owed.values()) for (const one of record.lines) if (one.account === name) owed += one.amount
      if (line.balance.available < owed)
        this.#fail(`NEVER OVER: a reserve left ${line.key} ${line.balance.available}, and ${owed} was lost`)
    }
  }

  /** One line of an entry against the book: figures, limit, and the reasons to be above it. */
  #hold(entry: Entry, line: EntryLine): void {
    const { balance } = line
    const account = this.#accountOf(line)
    const { reserved, spent, suspense } = account.at(entry.storeMs)
    const where = `entry ${entry.seq} ${entry.what} of ${line.key}`
    if (reserved !== balance.reserved) this.#fail(`${where}: reserved ${this.#text(line, balance.reserved, reserved)}`)
    if (spent !== balance.spent) this.#fail(`${where}: spent ${this.#text(line, balance.spent, spent)}`)
    if (suspense !== balance.suspense) this.#fail(`${where}: suspense ${this.#text(line, balance.suspense, suspense)}`)
    if (balance.available !== balance.limit - balance.spent - balance.reserved) this.#fail(`${where}: it does not add up`)
    if (balance.overrun < account.overrun) this.#fail(`${where}: overrun fell`)
    const disbelief = account.disbelieve(balance.limit, entry.storeMs)
    if (disbelief !== null) this.#fail(`${where}: ${disbelief}`)
    const isOver = balance.available < 0n && account.available >= 0n && balance.limit >= account.limit
    if (isOver && line.hard && !EXCEPTIONS.has(entry.what)) this.#fail(`${where}: above its limit, by ${-balance.available}`)
    account.available = balance.available
    account.overrun = balance.overrun
    account.limit = balance.limit
    if (balance.limit > account.limitMax) account.limitMax = balance.limit
  }

  #text = (line: EntryLine, told: bigint, counted: bigint): string => {
    const unit = parseBudgetKey(line.key)?.unit ?? 'Requests'
    return `is said to be ${formatAmount(told, unit)}, and is ${formatAmount(counted, unit)}`
  }

  #collect(entry: Entry): void {
    for (const line of entry.lines) {
      this.#hold(entry, line)
      if (line.balance.reserved !== 0n) this.#fail(`${line.key} was collected with something reserved`)
      this.accounts.delete(accountName(line))
    }
  }

  #accountOf(line: Pick<Line, 'key' | 'window'>): Account {
    const name = accountName(line)
    const known = this.accounts.get(name)
    if (known !== undefined) return known
    const account = new Account(name, line.window)
    this.accounts.set(name, account)
    return account
  }
}

export const accountName = ({ key, window }: Pick<Line, 'key' | 'window'>): string => `${key} ${windowText(window)}`

const positive = (amount: bigint): bigint => (amount > 0n ? amount : 0n)

const standingBefore = (record: BookRecord, index: number): Share => {
  const line = record.lines[index]
  return line === undefined ? NOTHING : standing(record.state, line)
}

function standing(state: BookState, { amount, charged }: BookLine): Share {
  switch (state) {
    case 'open':
      return { reserved: amount, spent: 0n, suspense: 0n }
    case 'proven':
      return { reserved: 0n, spent: charged, suspense: 0n }
    case 'unproven':
    case 'expired':
      return { reserved: 0n, spent: charged, suspense: charged }
    case 'released':
    case 'tombstone':
      return NOTHING
  }
}
