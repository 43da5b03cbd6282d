// The proof of a ledger: its entries one by one, each held against the law and against the one before. Asks no store, reads no clock.
import { balanceId } from './balance.ts'
import { retentionMs } from './closing.ts'
import type { LedgerRules } from './ledger-rules.ts'
import type { ReservationState } from './reservation.ts'
import type { Entry, EntryLine } from './shelf.ts'
import { type Chain, emptyChain, extendChain, isStill, oddBalance, startedChain } from './verify-balance.ts'
import { finalWrong } from './verify-final.ts'
import { HeldReservations } from './verify-memory.ts'
import { advance } from './verify-move.ts'
import { assumedBefore, type Held, isMove, type MoveEntry, mayBeForgotten, statesBefore } from './verify-reservation.ts'
import { budgetWords, type Difference, entryWords, instantText } from './verify-words.ts'

/** An entry as a reader gets it: a newer ledger may know other kinds. */
export type ToldEntry = Omit<Entry, 'what'> & { readonly what: string }

/** A fold over the entries of one stream, oldest first. Its memory grows with balances and open reservations, not with entries. */
export class Proof {
  readonly rules: LedgerRules
  /** How long past its deadline a reservation may stay open, ms, while entries are written. */
  readonly graceMs: number
  readonly held: HeldReservations
  /** Counted ever, also those that are over. */
  readonly seen = { entries: 0, balances: 0, reservations: 0 }
  readonly #chains = new Map<string, Chain>()
  /** Of a stream that was cut: balances that were collected in it, and so begin with nothing. */
  readonly #fresh = new Set<string>()
  #first: { readonly seq: number; readonly storeMs: number } | null = null
  #lastSeq = 0
  #lastMs = 0
  #resumedMs = 0

  constructor(rules: LedgerRules, graceMs: number) {
    this.rules = rules
    this.graceMs = graceMs
    this.held = new HeldReservations(rules)
  }

  /** Balances as the entries so far leave them, by their identity. */
  get chains(): ReadonlyMap<string, Chain> {
    return this.#chains
  }

  /** The first entry that was proven; null before there is one. */
  get firstSeq(): number | null {
    return this.#first?.seq ?? null
  }

  get lastSeq(): number {
    return this.#lastSeq
  }

  /** Store time of the last entry. */
  get lastMs(): number {
    return this.#lastMs
  }

  /** Whether the stream begins after the ledger did, so that balances and reservations may come from before it. */
  get isCut(): boolean {
    return this.#first !== null && this.#first.seq > 1
  }

  /** Begins after an entry that is not in the stream any more. */
  beginAfter(seq: number, storeMs: number): void {
    this.#first = { seq: seq + 1, storeMs }
    this.#lastSeq = seq
    this.#lastMs = storeMs
    this.#resumedMs = storeMs
  }

  /** Adds the next entry. Answers what is wrong with it, or null; after a difference the proof is over. */
  add(entry: ToldEntry): Difference | null {
    const why = this.#orderWrong(entry) ?? this.#entryWrong(entry)
    if (why !== null) return { seq: entry.seq, words: `${entryWords(entry)}: ${why}` }
    this.seen.entries += 1
    return null
  }

  /** Whether a balance without entries in the proven part must have begun with nothing. */
  isNew({ key, window }: Pick<EntryLine, 'key' | 'window'>): boolean {
    if (!this.isCut || this.#fresh.has(balanceId(key, window))) return true
    return window.kind === 'calendar' && window.startMs > (this.#first?.storeMs ?? 0)
  }

  /** Whether something due at `deadlineMs` should have ended by the last entry: time counts only while entries are written. */
  isOverdue(deadlineMs: number): boolean {
    return this.#lastMs - Math.max(deadlineMs, this.#resumedMs) > this.graceMs
  }

  /** Takes up, by the store's word, a reservation from before the stream. */
  learn(id: string, held: Held): void {
    this.held.put(id, held, this.#lastMs)
    this.seen.reservations += 1
  }

  #orderWrong({ seq, storeMs, admittedMs }: ToldEntry): string | null {
    if (this.#first === null) this.beginAfter(seq - 1, storeMs)
    if (seq !== this.#lastSeq + 1) return `the entry after ${this.#lastSeq} should be ${this.#lastSeq + 1}, is ${seq}`
    if (!(storeMs >= this.#lastMs)) return `its store time should not be before ${instantText(this.#lastMs)}, is ${instantText(storeMs)}`
    if (!(admittedMs <= storeMs)) return `it is dated ${instantText(admittedMs)}, after its own store time, ${instantText(storeMs)}`
    if (storeMs - this.#lastMs > this.graceMs) this.#resumedMs = storeMs
    this.#lastSeq = seq
    this.#lastMs = storeMs
    this.held.forget(storeMs)
    return null
  }

  #entryWrong(entry: ToldEntry): string | null {
    const ids = new Set(entry.lines.map(line => balanceId(line.key, line.window)))
    if (ids.size < entry.lines.length) return 'it tells of one balance twice'
    if (entry.what === 'collected') return this.#collect(entry)
    if (entry.what === 'presented') return this.#present(entry)
    if (isMove(entry)) return this.#move(entry, ids)
    return 'this version does not know entries of that kind: verify with the version that serves'
  }

  #move(entry: MoveEntry, ids: ReadonlySet<string>): string | null {
    const held = this.held.get(entry.id)
    const isForgotten = held !== null && statesBefore(entry.what).length === 0 && mayBeForgotten(held, entry.storeMs, this.rules)
    const known = isForgotten ? null : held
    const states = known === null ? this.#assumable(entry) : []
    const before = states.length > 0 ? assumedBefore(entry, states) : known
    if (isOpen(known) && known.openedMs !== null && this.isOverdue(known.openedMs + this.rules.deadlineMs))
      return `the reservation was open since ${instantText(known.openedMs)}, far beyond the longest deadline`
    const advanced = advance(before, entry, this.rules)
    if (typeof advanced === 'string') return advanced
    for (const [id, { key, window }] of before?.lines ?? [])
      if (!ids.has(id) && this.#chains.has(id)) return `${budgetWords(key, window)}: it should tell of this balance, and leaves it out`
    if (known === null) this.seen.reservations += 1
    this.held.put(entry.id, advanced.held, entry.storeMs)
    return this.#chain(entry, advanced.presents)
  }

  /**
   * The states that a reservation of which no entry tells may have been in: before the stream began, or closed so long ago that the
   * ledger may forget it at any moment. None where entries must have told of it.
   */
  #assumable(entry: MoveEntry): readonly ReservationState[] {
    const ageMs = entry.storeMs - entry.admittedMs + this.rules.clockSkewMs
    const sinceFirstMs = entry.admittedMs - (this.#first?.storeMs ?? 0)
    return statesBefore(entry.what).filter(state => {
      const keptMs = retentionMs({ state, arrears: false, adjustId: '' }, this.rules)
      if (keptMs === null) return this.isCut && sinceFirstMs <= 0
      return ageMs > keptMs || (this.isCut && sinceFirstMs <= this.rules.clockSkewMs)
    })
  }

  #present(entry: ToldEntry): string | null {
    const wrong = entry.lines.find(line => !isStill(line) || this.#isAbsent(line))
    if (wrong === undefined) return this.#chain(entry, true)
    return `${budgetWords(wrong.key, wrong.window)}: a limit is presented to a balance that is there, and moves nothing else`
  }

  /** Final figures: those of the chain, of a window that is over; what comes after begins with nothing. */
  #collect(entry: ToldEntry): string | null {
    const absent = entry.lines.find(line => this.#isAbsent(line))
    if (absent !== undefined) return `${budgetWords(absent.key, absent.window)}: it is collected, and no entry made it`
    const wrong = finalWrong(entry, this.rules) ?? this.#chain(entry, false)
    if (wrong !== null) return wrong
    for (const { key, window } of entry.lines) {
      const id = balanceId(key, window)
      this.#chains.delete(id)
      if (this.isCut && window.kind !== 'calendar') this.#fresh.add(id)
    }
    return null
  }

  #isAbsent(line: EntryLine): boolean {
    return !this.#chains.has(balanceId(line.key, line.window)) && this.isNew(line)
  }

  #chain(entry: ToldEntry, presents: boolean): string | null {
    for (const line of entry.lines) {
      const id = balanceId(line.key, line.window)
      const odd = oddBalance(line.key, line.balance)
      const next = odd ?? this.#next(this.#chains.get(id), line, entry, presents)
      if (typeof next === 'string') return `${budgetWords(line.key, line.window)}: ${next}`
      this.#chains.set(id, next)
      this.#fresh.delete(id)
    }
    return null
  }

  #next(chain: Chain | undefined, line: EntryLine, entry: ToldEntry, presents: boolean): Chain | string {
    if (chain !== undefined) return extendChain(chain, line, entry, presents)
    this.seen.balances += 1
    return this.isNew(line) ? extendChain(emptyChain(line, entry), line, entry, presents) : startedChain(line, entry)
  }
}

const isOpen = (held: Held | null): held is Held => held !== null && held.states.length === 1 && held.states[0] === 'open'
