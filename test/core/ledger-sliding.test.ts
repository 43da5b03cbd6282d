// Sliding windows of the model ledger, many times over, and how many buckets they keep.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { StoredBalance } from '../../src/core/balance.ts'
import { ledgerOver } from '../../src/core/ledger.ts'
import { createMapShelf } from '../../src/core/map-shelf.ts'
import { addToBucket, type Bucket, bucketDeathMs, bucketIndex, bucketMs, dropDead, firstLiveBucket } from '../../src/core/sliding.ts'
import { LEDGER_RULES } from '../../src/limits.ts'
import { modelOver } from '../contract/model.ts'
import { DAY, type MakeLedger } from '../contract/moves.ts'
import { act, lengthMs, type Played, playSliding, STEADILY } from '../contract/sliding.ts'

/** The model ledger over a shelf that looks at every balance that is put there. */
const makeWatched =
  (watch: (balance: StoredBalance) => void): MakeLedger =>
  async ({ streamMax }) => {
    const shelf = createMapShelf(LEDGER_RULES, streamMax)
    const watched = {
      ...shelf,
      putBalance: (id: string, balance: StoredBalance): void => {
        watch(balance)
        shelf.putBalance(id, balance)
      },
    }
    return modelOver(ledgerOver(watched, LEDGER_RULES))
  }

it('any length from a second to 400 days, settled late, over and under, expired, the limit moved, with long silences', async () => {
  const played: Played = { admitted: 0, refused: 0, late: 0, told: 0 }
  let most = 0
  const make = makeWatched(({ buckets, reserved, spent, suspense }) => {
    most = Math.max(most, buckets.length)
    expect(buckets.length).toBeLessThanOrEqual(61)
    const sum = (figure: 'reserved' | 'spent' | 'suspense') => buckets.reduce((total, bucket) => total + bucket[figure], 0n)
    expect([reserved, spent, suspense]).toEqual([sum('reserved'), sum('spent'), sum('suspense')])
    const indices = buckets.map(bucket => bucket.index)
    expect(indices).toEqual([...new Set(indices)].sort((a, b) => a - b))
  })
  await fc.assert(
    fc.asyncProperty(lengthMs, fc.array(act, { minLength: 20, maxLength: 150, size: 'max' }), (length, acts) =>
      playSliding(make, length, acts, played),
    ),
    { numRuns: 400 },
  )
  expect(played.admitted).toBeGreaterThan(1_000)
  expect(played.refused).toBeGreaterThan(1_000)
  expect(played.late).toBeGreaterThan(100)
  expect(played.told).toBeGreaterThan(1_000)
  expect(most).toBeGreaterThan(8)
})

it('keeps 61 buckets at most where charges come all the time', async () => {
  let most = 0
  const make = makeWatched(({ buckets }) => {
    most = Math.max(most, buckets.length)
  })
  await playSliding(make, DAY, STEADILY)
  expect(most).toBe(61)
})

it('a bucket is a sixtieth of the span, counts while any of it lies in it, and dies at one instant', () => {
  fc.assert(
    fc.property(lengthMs, fc.nat({ max: 2_000_000_000_000 }), fc.integer({ min: -3, max: 3 }), (length, atMs, beside) => {
      const width = bucketMs(length)
      expect(width * 60 >= length && (width - 1) * 60 < length).toBe(true)
      const index = bucketIndex(length, atMs)
      expect(index * width <= atMs && atMs < (index + 1) * width).toBe(true)
      const deathMs = bucketDeathMs(length, index)
      // The last instant of the bucket is as old as the span then, or older.
      expect(deathMs - ((index + 1) * width - 1)).toBeGreaterThan(length)
      expect(deathMs - atMs).toBeLessThanOrEqual(length + width)
      const nowMs = deathMs + beside
      expect(index < firstLiveBucket(length, nowMs)).toBe(beside >= 0)
      expect(bucketIndex(length, nowMs) - firstLiveBucket(length, nowMs) + 1).toBeLessThanOrEqual(61)
    }),
    { numRuns: 1_000 },
  )
})

it('what is dropped and what is left are what there was', () => {
  const bucket = fc.record({
    index: fc.nat({ max: 100 }),
    reserved: fc.bigInt(0n, 9n),
    spent: fc.bigInt(5n, 9n),
    suspense: fc.bigInt(0n, 5n),
  })
  fc.assert(
    fc.property(fc.array(bucket), fc.nat({ max: 12_000 }), (changes, nowMs) => {
      let buckets: readonly Bucket[] = []
      for (const { index, ...change } of changes) buckets = addToBucket(buckets, index, change)
      const { live, dead } = dropDead(6_000, buckets, nowMs)
      const sum = (figure: 'reserved' | 'spent' | 'suspense') => live.reduce((total, each) => total + each[figure], dead[figure])
      for (const figure of ['reserved', 'spent', 'suspense'] as const)
        expect(sum(figure)).toBe(changes.reduce((total, change) => total + change[figure], 0n))
      expect(live.every(each => each.index >= firstLiveBucket(6_000, nowMs))).toBe(true)
    }),
  )
})
