// How far a bound comes down: never beyond what is left, hardly further than it must, and in steps that end at the floor.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { boundWithin, rungs } from '../../src/core/headroom.ts'

/**
 * A line as real ones grow: a fixed part and a rate, in thousandths of a unit, rounded up once. What is left is what the line takes under
 * some bound, or a little beside that; null where nothing is known.
 */
const lines = fc
  .array(
    fc.record({
      fixed: fc.bigInt(0n, 10_000_000n),
      rate: fc.oneof(fc.bigInt(0n, 5_000n), fc.bigInt(0n, 80_000_000n)),
      at: fc.option(fc.bigInt(0n, 210_000n)),
      beside: fc.bigInt(-2n, 2n),
    }),
    { minLength: 1, maxLength: 5 },
  )
  .map(all => all.map(({ at, beside, ...one }) => ({ ...one, left: at === null ? null : amount(one, at) + beside })))
const amount = ({ fixed, rate }: { fixed: bigint; rate: bigint }, bound: bigint): bigint => (fixed + rate * bound + 999n) / 1_000n

describe('a bound within what is left', () => {
  it('fits every line, and is the largest that does but for a rounding', () => {
    fc.assert(
      fc.property(lines, fc.bigInt(1n, 5_000n), fc.bigInt(1n, 200_000n), (all, floor, more) => {
        const asked = floor + more
        const slopes = all.map(one => ({ least: amount(one, floor), asked: amount(one, asked), left: one.left }))
        const known = all.filter(one => one.left !== null)
        const found = boundWithin(slopes, floor, asked)
        const fits = (bound: bigint): boolean => known.every(one => amount(one, bound) <= (one.left ?? 0n))
        if (known.length === 0 || !fits(floor)) {
          expect(found).toBeNull()
          return
        }
        expect(found).not.toBeNull()
        const bound = found ?? 0n
        expect(bound).toBeGreaterThanOrEqual(floor)
        if (bound < asked) expect(fits(bound)).toBe(true)
        // What the rounding of both ends can cost: less than a part in the number of units between them, and one.
        const slack = all.some(one => amount(one, asked) - amount(one, floor) < 1_000n) ? more : more / 900n + 1n
        if (bound + slack < asked) expect(fits(bound + slack + 1n)).toBe(false)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('the bounds that are tried', () => {
  it('go down from what is believed, or from what was asked, to the floor', () => {
    fc.assert(
      fc.property(
        fc.bigInt(16n, 10_000n),
        fc.bigInt(0n, 1_000_000n),
        fc.option(fc.bigInt(0n, 1_100_000n)),
        fc.integer({ min: 0, max: 3 }),
        (floor, more, believed, count) => {
          const asked = floor + more
          const found = rungs(floor, asked, believed, count)
          expect(found.length).toBeLessThanOrEqual(count)
          expect(found).toEqual([...found].sort((a, b) => (a < b ? 1 : -1)))
          for (const bound of found) expect(bound >= floor && bound < asked).toBe(true)
          const known = believed !== null && believed > floor && believed < asked
          if (count === 0 || more === 0n) {
            expect(found).toEqual([])
            return
          }
          expect(found[0]).toBe(known ? believed : found[0])
          if (!(known && count === 1)) expect(found.at(-1)).toBe(floor)
        },
      ),
      { numRuns: 1_000 },
    )
  })
})
