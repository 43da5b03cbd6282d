// What a store shows, held against what its entries say: open reservations, their sums, balances. Each at the entry that it was read at.
import { balanceId } from './balance.ts'
import type { BudgetKey } from './budget.ts'
import type { Balance, Line, ReservationId } from './reservation.ts'
import { bucketIndex, firstLiveBucket } from './sliding.ts'
import type { Proof } from './verify.ts'
import { oddBalance, shownWrong } from './verify-balance.ts'
import type { Held } from './verify-reservation.ts'
import { amountWords, budgetWords, type Difference, instantText } from './verify-words.ts'
import type { Window } from './window.ts'

/**
 * One page of open reservations: all of those after `after`, up to `upTo` where that is not the last page. It was read at some moment
 * after the entry `sinceSeq`; what later entries tell of may be on it or not.
 */
export interface OpenPage {
  readonly sinceSeq: number
  readonly after: string
  readonly upTo: string | null
  readonly reservations: readonly OpenReservation[]
}

interface OpenReservation {
  readonly id: ReservationId
  readonly deadlineMs: number
  readonly lines: readonly Line[]
}

/** Holds a page of open reservations against the entries so far. Ones from before a stream that was cut are taken up. */
export function openWrong(proof: Proof, { sinceSeq, after, upTo, reservations }: OpenPage): Difference | null {
  const shown = new Set<string>()
  const isNewer = (held: Held | null): boolean => held !== null && held.seq > sinceSeq
  for (const each of reservations) {
    shown.add(each.id)
    if (isNewer(proof.held.get(each.id))) continue
    const why = oneOpenWrong(proof, each)
    if (why !== null) return at(proof, `reservation ${each.id}: ${why}`)
  }
  for (const id of proof.held.open()) {
    if (shown.has(id) || id <= after || (upTo !== null && id > upTo)) continue
    const held = proof.held.get(id)
    if (held === null || held.states.length > 1 || isNewer(held)) continue
    return at(proof, `reservation ${id}: it should be open since entry ${held.seq} (${held.what}), and the store does not show it`)
  }
  return null
}

/** What open reservations hold of each balance, by bucket of their admission where the balance is of a sliding window. */
export type OpenSums = ReadonlyMap<string, ReadonlyMap<number, bigint>>

/** Admission of a reservation from before the stream: it may lie in any bucket. */
const UNDATED = -1

export function sumOpen(proof: Proof): OpenSums {
  const sums = new Map<string, Map<number, bigint>>()
  for (const id of proof.held.open()) {
    const held = proof.held.get(id)
    for (const [balance, { window, amount }] of held?.lines ?? []) {
      const bucket = window.kind !== 'sliding' ? 0 : held?.admittedMs == null ? UNDATED : bucketIndex(window.lengthMs, held.admittedMs)
      const sum = sums.get(balance) ?? new Map<number, bigint>()
      sums.set(balance, sum.set(bucket, (sum.get(bucket) ?? 0n) + (amount ?? 0n)))
    }
  }
  return sums
}

/** Whether what each balance has reserved is what its open reservations hold, right after {@link sumOpen}. */
export function sumsWrong(proof: Proof, sums: OpenSums): Difference | null {
  for (const [id, { key, window, balance, storeMs }] of proof.chains) {
    const why = sumWrong(key, window, balance, storeMs, sums.get(id))
    if (why !== null) return at(proof, `${budgetWords(key, window)}: ${why}`)
  }
  return null
}

/** Holds a balance as the store shows it, null for none, against the entries so far. `sums`: of {@link sumOpen}. */
export function balanceWrong(
  proof: Proof,
  { key, window, balance }: { readonly key: BudgetKey; readonly window: Window; readonly balance: Balance | null },
  storeMs: number,
  sums: OpenSums,
): Difference | null {
  const id = balanceId(key, window)
  const chain = proof.chains.get(id)
  const wrong = (why: string | null): Difference | null =>
    why === null ? null : at(proof, `${budgetWords(key, window)}, as the store shows it: ${why}`)
  if (chain === undefined) {
    if (balance === null) return null
    if (proof.isNew({ key, window })) return wrong('no entry tells of this balance')
    return wrong(oddBalance(key, balance) ?? sumWrong(key, window, balance, storeMs, sums.get(id)))
  }
  if (balance === null) return wrong(`it should be there since entry ${chain.seq}, and is not`)
  return wrong(oddBalance(key, balance) ?? shownWrong(chain, balance, storeMs))
}

function oneOpenWrong(proof: Proof, { id, deadlineMs, lines }: OpenReservation): string | null {
  if (proof.isOverdue(deadlineMs)) return `it is open, and its deadline was ${instantText(deadlineMs)}`
  const held = proof.held.get(id)
  if (held === null) {
    if (!proof.isCut) return 'the store shows it open, and no entry tells of it'
    proof.learn(id, learned(lines, proof.lastSeq, proof.lastMs))
    return null
  }
  if (!held.states.includes('open')) return `the store shows it open, and entry ${held.seq} (${held.what}) ended it`
  if (held.openedMs !== null && deadlineMs > held.openedMs + proof.rules.deadlineMs)
    return `its deadline, ${instantText(deadlineMs)}, is more than an hour after it was opened`
  for (const line of lines) {
    const told = held.lines.get(balanceId(line.key, line.window))
    const should = told === undefined && !held.whole ? line.amount : (told?.amount ?? 0n)
    if (should !== line.amount)
      return `${budgetWords(line.key, line.window)}: it should hold ${amountWords(should, line.key)}, holds ${amountWords(line.amount, line.key)}`
  }
  const missing = lines.length < held.lines.size
  return missing ? `it should have ${held.lines.size} lines, has ${lines.length}` : null
}

const learned = (lines: readonly Line[], seq: number, storeMs: number): Held => ({
  states: ['open'],
  lines: new Map(lines.map(({ key, window, amount }) => [balanceId(key, window), { key, window, amount, charged: 0n }])),
  whole: true,
  raised: false,
  arrears: false,
  adjustId: '',
  admittedMs: null,
  openedMs: null,
  seq,
  storeMs,
  what: 'shown as open',
})

/** No entry moved the balance since `storeMs`, so its reservations are those that are open now and counted then. */
function sumWrong(key: BudgetKey, window: Window, balance: Balance, storeMs: number, sum: ReadonlyMap<number, bigint> = new Map()) {
  const first = window.kind === 'sliding' ? firstLiveBucket(window.lengthMs, storeMs) : 0
  let low = 0n
  for (const [bucket, amount] of sum) if (bucket >= first) low += amount
  const most = low + (sum.get(UNDATED) ?? 0n)
  if (balance.reserved >= low && balance.reserved <= most) return null
  const should = most > low ? `${amountWords(low, key)} to ${amountWords(most, key)}` : amountWords(low, key)
  return `reserved should be what its open reservations hold, ${should}, is ${amountWords(balance.reserved, key)}`
}

const at = ({ lastSeq }: Proof, why: string): Difference => ({ seq: lastSeq, words: `after entry ${lastSeq}: ${why}` })
