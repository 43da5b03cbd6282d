// Headroom: how far the bound on a call's output must come down for the call to fit into what is left. Arithmetic only; it asks no ledger.
import { assert } from './assert.ts'

/** One line of a call under the least bound and under the one asked for; between them it grows evenly, up to rounding. */
export interface Slope {
  readonly least: bigint
  readonly asked: bigint
  /** What its budget is believed to have left; null where nothing is known. */
  readonly left: bigint | null
}

/** The largest bound from `floor` to `asked` that every line has room for, as far as is known; null where that is nothing, or `floor` does not fit. */
export function boundWithin(slopes: readonly Slope[], floor: bigint, asked: bigint): bigint | null {
  assert(floor <= asked, 'a bound is lowered')
  let found: bigint | null = null
  for (const { least, asked: most, left } of slopes) {
    if (left === null) continue
    if (left < least) return null
    // One more than the difference: amounts are rounded up, so the true slope is up to one unit steeper than they tell.
    const bound = floor + ((left - least) * (asked - floor)) / (most - least + 1n)
    if (found === null || bound < found) found = bound
  }
  return found
}

/**
 * Up to `count` bounds below `asked`, largest first, to be tried in this order. What is believed to fit comes first and the floor last, with
 * even steps (each the same part of the one before) between them; where nothing is believed, even steps all the way.
 */
export function rungs(floor: bigint, asked: bigint, believed: bigint | null, count: number): readonly bigint[] {
  if (count < 1 || floor >= asked) return []
  const known = believed !== null && believed > floor && believed < asked
  const top = known ? believed : asked
  const steps = known ? Math.max(1, count - 1) : count
  const ratio = Number(floor) / Number(top)
  const ladder = Array.from({ length: steps }, (_, at) => BigInt(Math.floor(Number(top) * ratio ** ((at + 1) / steps))))
  const all = [...(known ? [top] : []), ...ladder.slice(0, -1), floor].map(bound => (bound < floor ? floor : bound))
  return [...new Set(all)].slice(0, count)
}
