// From a ledger's refusal to a verdict: which line decides, how long it will last, and the sentence that says so.
import { Temporal } from 'temporal-polyfill'
import { assert } from './assert.ts'
import { formatAmount } from './budget.ts'
import type { BoundLimit } from './policy.ts'
import type { Balance, Line } from './reservation.ts'
import type { Reason, Verdict } from './verdict.ts'

/** One line that did not fit, with the limit it came from. */
export interface Shortfall {
  readonly bound: BoundLimit
  readonly line: Line
  readonly balance: Balance
  /** Store time at which it will fit, if nothing but time passes; null where that is not known. */
  readonly fitsMs: number | null
}

/** A refusal by one line: how long it lasts decides between 429 (soon), 402 (not soon) and 403 (never). */
interface Finding {
  readonly reason: Extract<Reason, 'never-fits' | 'exhausted' | 'rate' | 'window-ending' | 'in-flight' | 'concurrency'>
  /** Ms until it may fit; Infinity for not in this window, or never. */
  readonly waitMs: number
  /** Whether `waitMs` is a guess, so that clients may as well be spread to either side of it. */
  readonly guessed: boolean
}

const SOON_MS = 60_000
/** The longest wait of several decides and is named; of equal ones, the first of these. */
const LONGEST_FIRST: readonly Finding['reason'][] = ['never-fits', 'exhausted', 'rate', 'window-ending', 'in-flight', 'concurrency']

/**
 * The verdict on a call that did not fit. `random` in [0, 1) spreads the waits of clients that were refused together.
 * Waits are whole seconds, 1 to 60; a longer one is not promised.
 */
export function verdictOnShortfall(shortfalls: readonly Shortfall[], nowMs: number, random: number): Verdict {
  assert(shortfalls.length > 0, 'a refusal names the lines that refused')
  const [first] = shortfalls.map(shortfall => ({ ...shortfall, ...finding(shortfall, nowMs) })).sort(byWait)
  assert(first !== undefined, 'one of several is the longest')
  const { reason, bound } = first
  const wait = waitSeconds(first, random)
  return {
    reason,
    status: reason === 'never-fits' ? 403 : reason === 'exhausted' ? (bound.response.statusCode ?? 402) : 429,
    message: sentence(first, reason, nowMs),
    retryAfter: reason === 'never-fits' || reason === 'exhausted' ? null : wait,
    dontRetry: reason === 'never-fits' || reason === 'exhausted' || wait === null,
    budget: { policy: bound.policy, limit: bound.limit.name },
  }
}

/**
 * Clients that were refused in one burst would come back as the same burst, were they all told the same whole second: a guess is spread
 * from half to two and a half times itself, a time that is known from itself on.
 */
function waitSeconds({ waitMs, guessed }: Finding, random: number): number | null {
  if (waitMs > SOON_MS) return null
  const spread = guessed ? 0.5 + 2 * random : 1 + random / 2
  return Math.min(60, Math.max(1, Math.ceil((waitMs / 1_000) * spread)))
}

function byWait(a: Shortfall & Finding, b: Shortfall & Finding): number {
  return a.waitMs === b.waitMs ? LONGEST_FIRST.indexOf(a.reason) - LONGEST_FIRST.indexOf(b.reason) : b.waitMs - a.waitMs
}

function finding({ line, balance, fitsMs }: Shortfall, nowMs: number): Finding {
  const { window } = line
  const known = (reason: Finding['reason'], waitMs: number): Finding => ({ reason, waitMs, guessed: false })
  const rate = (lengthMs: number): Finding => known('rate', fitsMs === null ? lengthMs : Math.max(0, fitsMs - nowMs))
  if (line.amount > balance.limit) return known('never-fits', Number.POSITIVE_INFINITY)
  if (window.kind === 'inFlight') return { reason: 'concurrency', waitMs: 1_000, guessed: true }
  // Requests in flight give nothing back: each is charged as one.
  if (window.kind === 'sliding' && line.unit === 'Requests') return rate(window.lengthMs)
  if (line.amount <= balance.limit - balance.spent) return { reason: 'in-flight', waitMs: 2_000, guessed: true }
  if (window.kind === 'calendar' && window.endMs - nowMs <= SOON_MS) return known('window-ending', window.endMs - nowMs)
  if (window.kind === 'sliding' && line.unit !== 'USD') return rate(window.lengthMs)
  return known('exhausted', Number.POSITIVE_INFINITY)
}

function sentence(shortfall: Shortfall, reason: Finding['reason'], nowMs: number): string {
  const { bound, line, balance } = shortfall
  const budget = `Budget "${bound.limit.name}" of ${bound.policy.scope} ${objectText(bound.policy.namespace, bound.policy.name)}`
  const amounts = bound.response.exposeAmounts ? ` ${amountsText(line, balance)}` : ''
  const own = bound.response.message === null ? '' : `${bound.response.message} `
  return `${own}${budget} ${WHY[reason]}.${amounts}${resetText(line, nowMs)}`
}

const WHY: Readonly<Record<Finding['reason'], string>> = {
  'never-fits': 'is smaller than the most that this call can cost, so it can never be admitted',
  exhausted: 'is used up: what is left does not cover the most that this call can cost',
  rate: 'is used up for the moment',
  'window-ending': 'is used up, and starts again shortly',
  'in-flight': 'has room for this call only after calls that are in flight are settled',
  concurrency: 'has its full number of calls in flight',
}

const objectText = (namespace: string, name: string): string => (namespace === '' ? name : `${namespace}/${name}`)

function amountsText(line: Line, balance: Balance): string {
  const say = (amount: bigint): string => (line.unit === 'USD' ? `$${formatAmount(amount, 'USD')}` : `${amount} ${line.unit}`)
  const left = balance.limit - balance.spent - balance.reserved
  return `Needed ${say(line.amount)}, left ${say(left)}, in flight ${say(balance.reserved)}, limit ${say(balance.limit)}.`
}

function resetText(line: Line, nowMs: number): string {
  const { window } = line
  switch (window.kind) {
    case 'calendar': {
      const iso = (ms: number): string => Temporal.Instant.fromEpochMilliseconds(ms).toString({ smallestUnit: 'second' })
      return ` It resets at ${iso(Math.max(window.endMs, nowMs))}.`
    }
    case 'sliding':
      return ` It counts the last ${window.lengthMs / 1_000} s.`
    case 'lifetime':
      return ' It does not reset.'
    case 'inFlight':
      return ' It frees as calls end.'
  }
}
