// Whether an answer has outgrown its reservation: sure enough to end it, so doubt lets it go on. Never says what it costs.
import type { Call } from './call.ts'
import { answerersOf, type Estimate } from './estimate.ts'
import type { Price } from './price.ts'
import { textLikely } from './token-bound.ts'
import { outputTotal, type UsageReading } from './usage.ts'

/** Room for short answers, whose counts are the least sure. */
const DOUBT_TOKENS = 64n

/**
 * Whether more output came than was reserved for: by a report so far; by events, which bring a token each at least, where the text is a
 * quarter more too; or by letters, digits and other scripts alone, for spaces and marks come in runs of one token, where these are half as
 * much again. A whole answer has not outgrown anything: it is over.
 */
export function hasOutgrown(
  { call, prices, estimate }: { readonly call: Call; readonly prices: readonly Price[]; readonly estimate: Estimate },
  reading: UsageReading,
): boolean {
  // What tools of the provider bring is in the answer too, and reserved for by rules of its own.
  if (reading.kind !== 'partial' || call.serverTools.length > 0 || !call.generates) return false
  const bound = estimate.outputTokens
  if (reading.usage !== null && outputTotal(reading.usage.tokens) > bound) return true
  const { text, deltaEvents } = reading.delivered
  const answerers = answerersOf(call, prices, null)
  const words = textLikely({ ...text, spaces: 0, marks: 0, dense: 0 }, answerers)
  if (words * 2n > bound * 3n + 2n * DOUBT_TOKENS) return true
  return BigInt(deltaEvents) > bound && textLikely(text, answerers) * 4n > bound * 5n + 4n * DOUBT_TOKENS
}
