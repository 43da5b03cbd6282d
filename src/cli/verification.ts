// The proof of a ledger that may be in use: reads its entries, then what it shows, each page at the entry that it was read at. Writes nothing.
import { setImmediate as turn } from 'node:timers/promises'
import { balanceId } from '../core/balance.ts'
import type { LedgerFault } from '../core/reservation.ts'
import { Proof } from '../core/verify.ts'
import { balanceWrong, type OpenSums, openWrong, sumOpen, sumsWrong } from '../core/verify-shown.ts'
import type { Difference } from '../core/verify-words.ts'
import { LEDGER_RULES, OVERDUE_GRACE_MS } from '../limits.ts'
import type { LedgerEntry, LedgerReader } from '../ports.ts'
import { faultWords } from './ledger-fault.ts'

export type Verification =
  | { readonly kind: 'proven'; readonly proof: Proof }
  | { readonly kind: 'different'; readonly difference: Difference; readonly proof: Proof }
  /** Nothing is said of the ledger. */
  | { readonly kind: 'unreadable'; readonly why: string }
  | { readonly kind: 'stopped' }

export interface VerificationOptions {
  readonly signal: AbortSignal
  /** Told after every page: the last entry that was proven, and the last one there was. */
  progress(seq: number, ofSeq: number): void
}

const ENTRIES_AT_ONCE = 1_000
const SHOWN_AT_ONCE = 100 // few enough to be one page, and so one step, in every store
const STARTS_MAX = 3 // where entries are cut before they are read, the proof begins anew with what is left

/** Proves what can be proven of a ledger, up to the first difference. */
export async function verifyLedger(ledger: LedgerReader, options: VerificationOptions): Promise<Verification> {
  for (let starts = 1; starts <= STARTS_MAX; starts += 1) {
    const ended = await new Walk(ledger, options).run()
    if (ended.kind !== 'outrun') return ended
  }
  return { kind: 'unreadable', why: 'its entries are cut from the stream faster than they can be read: keep more of them' }
}

type Ended = Verification | { readonly kind: 'outrun' }

class Walk {
  readonly #ledger: LedgerReader
  readonly #options: VerificationOptions
  readonly #proof = new Proof(LEDGER_RULES, OVERDUE_GRACE_MS)
  /** Read, and not proven yet: they are newer than what is looked at. */
  #ahead: readonly LedgerEntry[] = []

  constructor(ledger: LedgerReader, options: VerificationOptions) {
    this.#ledger = ledger
    this.#options = options
  }

  async run(): Promise<Ended> {
    const first = await this.#ledger.entries({ afterSeq: 0, count: ENTRIES_AT_ONCE })
    if (first.kind !== 'read') return unreadable(first)
    if (first.value.length === 0 && first.seq > 0) this.#proof.beginAfter(first.seq, first.storeMs)
    this.#ahead = first.value
    return (await this.#proveTo(first.seq)) ?? (await this.#proveOpen()) ?? (await this.#proveBalances())
  }

  /** Adds entries up to `seq`, and none after it: what was read at `seq` is compared to them then. */
  async #proveTo(seq: number): Promise<Ended | null> {
    for (;;) {
      // A file is read without waiting for anything: signals, and whoever else lives in this process, get their turn between two pages.
      await turn()
      if (this.#options.signal.aborted) return { kind: 'stopped' }
      if (this.#proof.lastSeq >= seq) return null
      const ended = this.#ahead.length === 0 ? await this.#readOn(seq) : null
      if (ended !== null) return ended
      let added = 0
      for (const entry of this.#ahead) {
        if (this.#proof.lastSeq >= seq) break
        const difference = this.#proof.add(entry)
        if (difference !== null) return this.#different(difference)
        added += 1
      }
      this.#ahead = this.#ahead.slice(added)
      this.#options.progress(this.#proof.lastSeq, seq)
    }
  }

  async #readOn(seq: number): Promise<Ended | null> {
    const { lastSeq } = this.#proof
    const page = await this.#ledger.entries({ afterSeq: lastSeq, count: ENTRIES_AT_ONCE })
    if (page.kind !== 'read') return unreadable(page)
    this.#ahead = page.value
    if (page.value[0]?.seq === lastSeq + 1) return null
    const oldest = await this.#ledger.entries({ afterSeq: 0, count: 1 })
    if (oldest.kind !== 'read') return unreadable(oldest)
    const kept = oldest.value[0]?.seq ?? oldest.seq + 1
    if (kept > lastSeq + 1) return { kind: 'outrun' }
    const [next] = page.value
    const words = `after entry ${lastSeq}: the next should be entry ${lastSeq + 1}, ${next === undefined ? `and the stream ends, while the ledger is at ${seq}` : `is ${next.seq}`}`
    return this.#different({ seq: lastSeq, words })
  }

  async #proveOpen(): Promise<Ended | null> {
    for (let after: string | null = ''; after !== null; ) {
      const sinceSeq = this.#proof.lastSeq
      const page: Awaited<ReturnType<LedgerReader['reservations']>> = await this.#ledger.reservations({
        open: true,
        cursor: after,
        count: SHOWN_AT_ONCE,
      })
      if (page.kind !== 'read') return unreadable(page)
      const { reservations, next } = page.value
      const ended = await this.#proveTo(page.seq)
      if (ended !== null) return ended
      const difference = openWrong(this.#proof, { sinceSeq, after, upTo: next, reservations })
      if (difference !== null) return this.#different(difference)
      after = next
    }
    return null
  }

  async #proveBalances(): Promise<Ended> {
    const sums = sumOpen(this.#proof)
    const difference = sumsWrong(this.#proof, sums)
    if (difference !== null) return this.#different(difference)
    const shown = new Set<string>()
    return (await this.#proveListed(sums, shown)) ?? (await this.#proveOthers(sums, shown)) ?? { kind: 'proven', proof: this.#proof }
  }

  /** Every balance that the store lists, which are those of current windows. */
  async #proveListed(sums: OpenSums, shown: Set<string>): Promise<Ended | null> {
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: Awaited<ReturnType<LedgerReader['list']>> = await this.#ledger.list({ prefix: '', cursor, count: SHOWN_AT_ONCE })
      if (page.kind !== 'read') return unreadable(page)
      const ended = await this.#proveTo(page.seq)
      if (ended !== null) return ended
      for (const budget of page.value.budgets) {
        const difference = balanceWrong(this.#proof, budget, page.storeMs, sums)
        if (difference !== null) return this.#different(difference)
        shown.add(balanceId(budget.key, budget.window))
      }
      cursor = page.value.next
    }
    return null
  }

  /** Every balance that entries tell of and the store did not list: windows that are over and not collected, or what is missing. */
  async #proveOthers(sums: OpenSums, shown: ReadonlySet<string>): Promise<Ended | null> {
    const others = [...this.#proof.chains].filter(([id]) => !shown.has(id)).map(([, { key, window }]) => ({ key, window }))
    for (let at = 0; at < others.length; at += SHOWN_AT_ONCE) {
      const asked = others.slice(at, at + SHOWN_AT_ONCE)
      const read = await this.#ledger.read(asked)
      if (read.kind !== 'read') return unreadable(read)
      const ended = await this.#proveTo(read.seq)
      if (ended !== null) return ended
      for (const [index, budget] of asked.entries()) {
        const balance = read.value[index] ?? null
        const difference = balanceWrong(this.#proof, { ...budget, balance }, read.storeMs, sums)
        if (difference !== null) return this.#different(difference)
      }
    }
    return null
  }

  #different(difference: Difference): Ended {
    return { kind: 'different', difference, proof: this.#proof }
  }
}

const unreadable = (fault: LedgerFault): Ended => ({ kind: 'unreadable', why: faultWords(fault) })
