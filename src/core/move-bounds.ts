// The shape and bounds of moves, checked before any store is asked: a move that breaks them is answered, never written.
import type { LedgerRules } from './ledger-rules.ts'
import type { AdjustMove, Line, ObserveMove, ReassertMove, ReserveMove, SettleMove } from './reservation.ts'
import { type Window, windowText } from './window.ts'

export type OutOfBounds = { readonly kind: 'out-of-bounds'; readonly why: string }
export type BoundsFault = { readonly kind: 'too-many-limits' } | OutOfBounds

/** Null where a reserve is well-formed. */
export function checkReserve(move: ReserveMove, rules: LedgerRules): BoundsFault | null {
  const { alternatives } = move
  if (alternatives.some(lines => lines.length > rules.linesMax)) return { kind: 'too-many-limits' }
  if (alternatives.length < 1 || alternatives.length > rules.alternativesMax)
    return fault(`${alternatives.length} alternatives, allowed are 1 to ${rules.alternativesMax}`)
  if (!isHexId(move.id)) return fault('the reservation id is not 32 hex digits')
  if (!isHexId(move.holder)) return fault('the holder is not 32 hex digits')
  if (!isInstant(move.deadlineMs) || !isInstant(move.notAfterMs)) return fault('a time is not a whole number of ms')
  for (const lines of alternatives) {
    const why = linesFault(lines, rules)
    if (why !== null) return fault(why)
  }
  return null
}

/** Null where a settlement is well-formed. */
export function checkSettle(move: SettleMove, rules: LedgerRules): OutOfBounds | null {
  if (!isHexId(move.id)) return fault('the reservation id is not 32 hex digits')
  if (!isHexId(move.holder)) return fault('the holder is not 32 hex digits')
  if (move.lines.length > rules.linesMax) return fault(`${move.lines.length} lines, allowed are ${rules.linesMax}`)
  if (move.amounts.length !== move.lines.length) return fault(`${move.amounts.length} amounts for ${move.lines.length} lines`)
  const why = linesFault(move.lines, rules)
  if (why !== null) return fault(why)
  if (move.response !== undefined && !/^[0-9a-f]{64}$/.test(move.response)) return fault('the hash of the response is not 64 hex digits')
  const wild = move.amounts.find(amount => !isWithin(amount, rules.amountMax))
  return wild === undefined ? null : fault(`an amount of ${wild}, allowed are 0 to ${rules.amountMax}`)
}

/** Null where a re-assertion is well-formed. */
export function checkReassert(move: ReassertMove, rules: LedgerRules): OutOfBounds | null {
  if (!isHexId(move.id)) return fault('the reservation id is not 32 hex digits')
  if (!isHexId(move.holder)) return fault('the holder is not 32 hex digits')
  if (!isInstant(move.deadlineMs)) return fault('a time is not a whole number of ms')
  if (move.lines.length > rules.linesMax) return fault(`${move.lines.length} lines, allowed are ${rules.linesMax}`)
  const why = linesFault(move.lines, rules)
  return why === null ? null : fault(why)
}

/** Null where an observation is well-formed. */
export function checkObserve(move: ObserveMove, rules: LedgerRules): OutOfBounds | null {
  if (!isHexId(move.holder)) return fault('the holder is not 32 hex digits')
  for (const { id, amounts } of move.progress) {
    if (!isHexId(id)) return fault('the reservation id is not 32 hex digits')
    if (amounts.length > rules.linesMax) return fault(`${amounts.length} amounts, allowed are ${rules.linesMax}`)
    const wild = amounts.find(amount => !isWithin(amount, rules.amountMax))
    if (wild !== undefined) return fault(`an amount of ${wild}, allowed are 0 to ${rules.amountMax}`)
  }
  return null
}

/** Null where an adjustment is well-formed. */
export function checkAdjust(move: AdjustMove, rules: LedgerRules): OutOfBounds | null {
  if (!isHexId(move.id)) return fault('the reservation id is not 32 hex digits')
  if (!isHexId(move.adjustId)) return fault('the id of the adjustment is not 32 hex digits')
  if (!isWithin(move.actual, rules.amountMax)) return fault(`an amount of ${move.actual}, allowed are 0 to ${rules.amountMax}`)
  const isPlain = /^[^\p{Cc}\p{Cs}\u2028\u2029]{1,200}$/u.test(move.reason)
  return isPlain ? null : fault('the reason is not one line of 1 to 200 printable characters')
}

/** Whether `id` has the form of a reservation's id or of a holder. */
export const isHexId = (id: string): boolean => typeof id === 'string' && /^[0-9a-f]{32}$/.test(id)

/** The store time at which an id was minted, by its first 48 bits. */
export const mintedMs = (id: string): number => Number.parseInt(id.slice(0, 12), 16)

function linesFault(lines: readonly Line[], rules: LedgerRules): string | null {
  if (lines.length === 0) return 'no lines'
  const seen = new Set<string>()
  for (const line of lines) {
    if (!isWithin(line.amount, rules.amountMax)) return `an amount of ${line.amount}, allowed are 0 to ${rules.amountMax}`
    if (!isWithin(line.limit, rules.limitMax)) return `a limit of ${line.limit}, allowed are 0 to ${rules.limitMax}`
    if (!isWithin(line.floor, line.amount)) return `a floor of ${line.floor}, allowed are 0 to the amount`
    if (!/^[\x21-\x7e]+$/.test(line.key)) return 'a key that is not printable ASCII'
    const { createdMs, generation, grantMs } = line.version
    if (![createdMs, generation, grantMs].every(isInstant)) return `a version of ${line.key} that is not three whole numbers`
    if (!isWindow(line.window)) return `a window of ${line.key} that cannot be`
    const id = `${line.key} ${windowText(line.window)}`
    if (seen.has(id)) return `two lines of ${line.key}`
    seen.add(id)
  }
  return null
}

function isWindow(window: Window): boolean {
  if (window.kind === 'calendar')
    return isInstant(window.startMs) && isInstant(window.endMs) && window.startMs < window.endMs && window.endMs <= WINDOW_MS_MAX
  return window.kind !== 'sliding' || (isInstant(window.lengthMs) && window.lengthMs >= 1_000 && window.lengthMs <= WINDOW_MS_MAX)
}

/** What the 48 bits of an id can tell: sums of two such times stay exact. */
const WINDOW_MS_MAX = 2 ** 48

const isInstant = (value: number): boolean => Number.isSafeInteger(value) && value >= 0
const isWithin = (value: bigint, most: bigint): boolean => typeof value === 'bigint' && value >= 0n && value <= most
const fault = (why: string): OutOfBounds => ({ kind: 'out-of-bounds', why })
