// One balance as the stream's entries tell it, one chained to the next. Recomputes what slid out; knows no reservations and no store.
import type { Change } from './balance.ts'
import type { BudgetKey } from './budget.ts'
import { type Balance, EMPTY_BALANCE } from './reservation.ts'
import type { EntryLine } from './shelf.ts'
import { addToBucket, type Bucket, bucketIndex, dropDead, firstLiveBucket } from './sliding.ts'
import { amountWords } from './verify-words.ts'
import type { Window } from './window.ts'

/** A balance after the last entry that told of it. */
export interface Chain {
  readonly key: BudgetKey
  readonly window: Window
  readonly balance: Balance
  readonly seq: number
  readonly storeMs: number
  /** Of a sliding window: what is known to be in each bucket. */
  readonly buckets: readonly Bucket[]
  /** Of a sliding window whose first entries were cut: what it held then, somewhere in the buckets up to `until`. */
  readonly before: Before | null
}

type Before = Counted & { readonly until: number }
type Counted = Omit<Bucket, 'index'>

/** When an entry was written, and when the reservation that it tells of was admitted. */
export interface When {
  readonly seq: number
  readonly storeMs: number
  readonly admittedMs: number
}

const NOTHING: Counted = { reserved: 0n, spent: 0n, suspense: 0n }
const COUNTED = ['reserved', 'spent', 'suspense'] as const

/** A balance that nothing was charged to yet; its first entry brings its limit. */
export const emptyChain = ({ key, window, balance }: EntryLine, { seq, storeMs }: When): Chain => {
  const empty: Balance = { ...EMPTY_BALANCE, limit: balance.limit, available: balance.limit }
  return { key, window, balance: empty, seq, storeMs, buckets: [], before: null }
}

/** A balance that begins with what its first entry in the stream says of it: what came before was cut. */
export function startedChain({ key, window, balance }: EntryLine, { seq, storeMs }: When): Chain {
  const before = window.kind === 'sliding' ? { ...added(balance, NOTHING), until: bucketIndex(window.lengthMs, storeMs) } : null
  return { key, window, balance, seq, storeMs, buckets: [], before }
}

/** The chain with one more entry, or what is wrong with it. `presents`: the entry may bring another limit. */
export function extendChain(chain: Chain, line: EntryLine, when: When, presents: boolean): Chain | string {
  const { balance, moved } = line
  if (!presents && balance.limit !== chain.balance.limit) return figureWords(chain, 'the limit', chain.balance.limit, balance.limit)
  if (balance.overrun !== chain.balance.overrun + moved.overrun)
    return figureWords(chain, 'overrun', chain.balance.overrun + moved.overrun, balance.overrun)
  const slid = slide(chain, when.storeMs)
  const place = placeOf(chain.window, when.admittedMs, slid.before)
  const wrong = outside(chain, balance, added(slid.known, moved), slid.before, place === 'before' ? slid.known : null)
  if (wrong !== null) return wrong
  const next = { ...chain, balance, seq: when.seq, storeMs: when.storeMs }
  if (place === 'before') return { ...next, buckets: slid.buckets, before: rest(balance, slid.known, slid.before) }
  const before = rest(balance, added(slid.known, moved), slid.before)
  if (place === 'whole' || isNothing(moved)) return { ...next, buckets: slid.buckets, before }
  if (takesTooMuch(slid.buckets, place, moved)) return 'it takes back more than was charged at the time of its admission'
  return { ...next, buckets: addToBucket(slid.buckets, place, moved), before }
}

/** What is wrong with a balance that the store shows at `storeMs`, with no entry since the chain's last; null where nothing is. */
export function shownWrong(chain: Chain, shown: Balance, storeMs: number): string | null {
  const { balance } = chain
  if (shown.limit !== balance.limit) return figureWords(chain, 'the limit', balance.limit, shown.limit)
  if (shown.overrun !== balance.overrun) return figureWords(chain, 'overrun', balance.overrun, shown.overrun)
  const { known, before } = slide(chain, storeMs)
  return outside(chain, shown, known, before, null)
}

/** What is wrong with a balance by itself; null where it holds together. */
export function oddBalance(key: BudgetKey, { limit, available, reserved, spent, suspense, overrun }: Balance): string | null {
  if (available !== limit - spent - reserved)
    return `available should be limit - spent - reserved, ${amountWords(limit - spent - reserved, key)}, is ${amountWords(available, key)}`
  if (suspense > spent) return `suspense should be within spent, ${amountWords(spent, key)}, is ${amountWords(suspense, key)}`
  if (limit >= 0n && reserved >= 0n && suspense >= 0n && overrun >= 0n) return null
  const [name, figure] = Object.entries({ limit, reserved, suspense, overrun }).find(([, each]) => each < 0n) ?? []
  return `${name} should not be below 0, is ${amountWords(figure ?? 0n, key)}`
}

/** Whether a charge of a reservation admitted at `admittedMs` still counts in the window at `storeMs`. */
export const counts = (window: Window, admittedMs: number, storeMs: number): boolean =>
  window.kind !== 'sliding' || bucketIndex(window.lengthMs, admittedMs) >= firstLiveBucket(window.lengthMs, storeMs)

/** Whether an entry's line moves nothing, and says so. */
export const isStill = ({ amount, moved }: EntryLine): boolean => amount === 0n && isNothing(moved) && moved.overrun === 0n

/** What is left of a chain at a later time: the sum of what is known, and the most that may be left of what is not. */
function slide(chain: Chain, storeMs: number): { known: Counted; buckets: readonly Bucket[]; before: Before | null } {
  const { window, balance, before, buckets } = chain
  if (window.kind !== 'sliding') return { known: balance, buckets, before: null }
  const { live, dead } = dropDead(window.lengthMs, buckets, storeMs)
  const known = less(less(balance, before ?? NOTHING), dead)
  const isOver = before === null || before.until < firstLiveBucket(window.lengthMs, storeMs)
  return { known, buckets: live, before: isOver ? null : before }
}

/** Where a charge goes: the whole balance, a bucket by its index, or the buckets that are not told apart. */
function placeOf(window: Window, admittedMs: number, before: Before | null): 'whole' | 'before' | number {
  if (window.kind !== 'sliding') return 'whole'
  const index = bucketIndex(window.lengthMs, admittedMs)
  return before !== null && index <= before.until ? 'before' : index
}

/** The first figure that is not `base`, or, where something before the stream may be left, not between `base` and that much more. */
function outside(chain: Chain, is: Balance, base: Counted, before: Before | null, least: Counted | null): string | null {
  for (const name of COUNTED) {
    const most = base[name] + (before?.[name] ?? 0n)
    const low = least !== null && least[name] > base[name] ? least[name] : base[name]
    if (is[name] < low || is[name] > most) return figureWords(chain, name, low, is[name], most)
  }
  return null
}

function figureWords({ key }: Chain, name: string, low: bigint, is: bigint, most = low): string {
  const should = most > low ? `${amountWords(low, key)} to ${amountWords(most, key)}` : amountWords(low, key)
  return `${name} should be ${should}, is ${amountWords(is, key)}`
}

function rest(is: Balance, known: Counted, before: Before | null): Before | null {
  if (before === null) return null
  const left = less(is, known)
  return isNothing(left) ? null : { ...left, until: before.until }
}

function takesTooMuch(buckets: readonly Bucket[], index: number, moved: Change): boolean {
  const { reserved, spent, suspense } = added(buckets.find(bucket => bucket.index === index) ?? NOTHING, moved)
  return reserved < 0n || suspense < 0n || suspense > spent
}

const added = (a: Counted, b: Counted): Counted => ({
  reserved: a.reserved + b.reserved,
  spent: a.spent + b.spent,
  suspense: a.suspense + b.suspense,
})

const less = (a: Counted, b: Counted): Counted => ({
  reserved: a.reserved - b.reserved,
  spent: a.spent - b.spent,
  suspense: a.suspense - b.suspense,
})

const isNothing = ({ reserved, spent, suspense }: Counted): boolean => reserved === 0n && spent === 0n && suspense === 0n
