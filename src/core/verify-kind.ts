// What each kind of entry must say beside what it moves: that over is over, that a correction comes once, that money is charged alike.
import { balanceId } from './balance.ts'
import { unitOf } from './budget.ts'
import type { LedgerRules } from './ledger-rules.ts'
import type { EntryLine } from './shelf.ts'
import { adjustIdOf, type Held, type HeldLine, type MoveEntry } from './verify-reservation.ts'
import { amountWords, budgetWords, instantText } from './verify-words.ts'

/** What is wrong with an entry whose moves are lawful; null where nothing is. `held` is the reservation before it, `next` after it. */
export function kindWrong(held: Held | null, next: Held, entry: MoveEntry, rules: LedgerRules): string | null {
  const wild = entry.lines.find(line => line.amount < 0n || line.amount > rules.amountMax)
  if (wild !== undefined) return `${budgetWords(wild.key, wild.window)}: an amount of ${wild.amount}, allowed are 0 to ${rules.amountMax}`
  return (
    ofThisKind(held, entry) ??
    (next.states.every(state => state === 'settled-proven') ? unlikeMoney(entry.lines) : null) ??
    (entry.what === 'reserved' ? null : chargedFlight(entry))
  )
}

function ofThisKind(held: Held | null, entry: MoveEntry): string | null {
  switch (entry.what) {
    case 'reserved':
      return reservedWrong(entry)
    case 'settled':
    case 'settled-over':
      return overWrong(held, entry)
    case 'raised':
      if (held?.raised === true) return 'it was raised before, and that happens once'
      return raisedWrong(held, entry)
    case 'settled-late': {
      const wasFree = held?.states.every(state => state === 'released' || state === 'tombstone') === true
      return wasFree && isTold(held, entry) && entry.lines.every(line => line.amount === 0n)
        ? 'it was given back, and is charged nothing: that is no correction'
        : null
    }
    case 'released':
      return releasedWrong(held, entry)
    case 'adjusted':
      if (held !== null && held.adjustId === adjustIdOf(entry.how)) return 'the same adjustment was made before'
      return adjustedWrong(held, entry)
    default:
      return null
  }
}

/** Admission: now, in windows that hold now, and never beyond a hard limit. A line of 0 fits whatever is left. */
function reservedWrong({ admittedMs, storeMs, lines }: MoveEntry): string | null {
  if (admittedMs !== storeMs) return `it is dated ${instantText(admittedMs)}, and was reserved at ${instantText(storeMs)}`
  for (const { key, window, hard, amount, balance } of lines) {
    if (window.kind === 'calendar' && (storeMs < window.startMs || storeMs >= window.endMs))
      return `${budgetWords(key, window)}: it was reserved outside of that window`
    if (hard && amount > 0n && balance.available < 0n)
      return `${budgetWords(key, window)}: a reserve should leave at least 0 available, leaves ${amountWords(balance.available, key)}`
  }
  return null
}

function overWrong(held: Held | null, entry: MoveEntry): string | null {
  const over = entry.lines.find(line => line.window.kind !== 'inFlight' && line.amount > (lineOf(held, line)?.amount ?? line.amount))
  if (over !== undefined && entry.what === 'settled')
    return `${budgetWords(over.key, over.window)}: it is charged more than it reserved, so the entry should be settled-over`
  return over === undefined && entry.what === 'settled-over' && isTold(held, entry) ? 'no line is charged more than it reserved' : null
}

function raisedWrong(held: Held | null, entry: MoveEntry): string | null {
  const less = entry.lines.find(line => line.amount < (lineOf(held, line)?.charged ?? 0n))
  if (less !== undefined) return `${budgetWords(less.key, less.window)}: a raised charge should not be lower than it was`
  const isSame = isTold(held, entry) && entry.lines.every(line => line.amount === lineOf(held, line)?.charged)
  return isSame ? 'no charge is larger than it was' : null
}

/** The entry tells what was reserved; what it moves is checked apart. */
function releasedWrong(held: Held | null, entry: MoveEntry): string | null {
  const wrong = entry.lines.find(line => line.amount !== (lineOf(held, line)?.amount ?? line.amount))
  if (wrong === undefined) return null
  const [should, is] = [lineOf(held, wrong)?.amount ?? 0n, wrong.amount].map(amount => amountWords(amount, wrong.key))
  return `${budgetWords(wrong.key, wrong.window)}: the amount should be ${should}, is ${is}`
}

function adjustedWrong(held: Held | null, entry: MoveEntry): string | null {
  const proven = held?.states.every(state => state === 'settled-proven' || state === 'released') === true
  for (const line of entry.lines) {
    const before = lineOf(held, line)?.charged
    if (before == null || before === line.amount) continue
    const name = budgetWords(line.key, line.window)
    if (!isMoney(line)) return `${name}: an adjustment should leave what is not money at ${amountWords(before, line.key)}`
    if (proven && line.amount < before)
      return `${name}: an adjustment should not give back what was proven, ${amountWords(before, line.key)}`
  }
  return null
}

/** The cost is one number, whichever budgets count it. */
function unlikeMoney(lines: readonly EntryLine[]): string | null {
  const money = lines.filter(isMoney)
  const [first] = money
  const other = money.find(line => line.amount !== first?.amount)
  if (first === undefined || other === undefined) return null
  const [a, b] = [first, other].map(line => `${amountWords(line.amount, line.key)} on ${budgetWords(line.key, line.window)}`)
  return `all its budgets of money should be charged alike, but it charges ${a}, and ${b}`
}

/** Only open reservations are in flight: whatever ends charges nothing there. */
function chargedFlight({ what, lines }: MoveEntry): string | null {
  if (what === 'released' || what === 'reasserted') return null
  const charged = lines.find(line => line.window.kind === 'inFlight' && line.amount !== 0n)
  return charged === undefined
    ? null
    : `${budgetWords(charged.key, charged.window)}: a charge should be 0, is ${amountWords(charged.amount, charged.key)}`
}

const isMoney = ({ key, window }: EntryLine): boolean => window.kind !== 'inFlight' && unitOf(key) === 'USD'

const lineOf = (held: Held | null, { key, window }: EntryLine): HeldLine | undefined => held?.lines.get(balanceId(key, window))

/** Whether an entry tells of every line that there is: those whose balance was collected are left out. */
const isTold = (held: Held | null, entry: MoveEntry): boolean => held?.whole === true && entry.lines.length >= held.lines.size
