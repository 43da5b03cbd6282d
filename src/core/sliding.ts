// Sliding windows: time is cut into buckets, and what was admitted in a bucket counts while any of it may lie in the span. Never under-counts.
import { assert } from './assert.ts'

/** What one bucket still holds: `suspense` is inside `spent`. */
export interface Bucket {
  /** The bucket spans [index, index + 1) times the bucket's width, counted from the epoch. */
  readonly index: number
  readonly reserved: bigint
  readonly spent: bigint
  readonly suspense: bigint
}

const BUCKETS_A_SPAN = 60

/** The width of the buckets of a span of `lengthMs`, in ms. */
export const bucketMs = (lengthMs: number): number => Math.ceil(lengthMs / BUCKETS_A_SPAN)

/** The bucket that holds the instant `atMs`. */
export const bucketIndex = (lengthMs: number, atMs: number): number => Math.floor(atMs / bucketMs(lengthMs))

/** The first bucket that still overlaps (now - length, now]; the ones before it are dead. At most 61 buckets are alive. */
export const firstLiveBucket = (lengthMs: number, nowMs: number): number => Math.floor((nowMs - lengthMs) / bucketMs(lengthMs))

/** The first instant at which nothing of the bucket counts any more, in ms. */
export function bucketDeathMs(lengthMs: number, index: number): number {
  return (index + 1) * bucketMs(lengthMs) + lengthMs
}

/** Splits `buckets` (ascending by index) into those that count at `nowMs`, and the sum of those that do not any more. */
export function dropDead(
  lengthMs: number,
  buckets: readonly Bucket[],
  nowMs: number,
): { readonly live: readonly Bucket[]; readonly dead: Omit<Bucket, 'index'> } {
  const first = firstLiveBucket(lengthMs, nowMs)
  const dead = { reserved: 0n, spent: 0n, suspense: 0n }
  let count = 0
  for (const bucket of buckets) {
    if (bucket.index >= first) break
    dead.reserved += bucket.reserved
    dead.spent += bucket.spent
    dead.suspense += bucket.suspense
    count += 1
  }
  return { live: count === 0 ? buckets : buckets.slice(count), dead }
}

/** The first instant, in ms, at which buckets that held `missing` together count no more; null where all of them hold less. */
export function freedMs(lengthMs: number, buckets: readonly Bucket[], missing: bigint): number | null {
  let left = missing
  for (const { index, reserved, spent } of buckets) {
    left -= reserved + spent
    if (left <= 0n) return bucketDeathMs(lengthMs, index)
  }
  return null
}

/** Adds to one bucket, which is made where it is not there yet and left out where nothing is left in it. */
export function addToBucket(buckets: readonly Bucket[], index: number, change: Omit<Bucket, 'index'>): readonly Bucket[] {
  let at = buckets.length
  while (at > 0 && (buckets[at - 1]?.index ?? -Infinity) >= index) at -= 1
  const found = buckets[at]?.index === index ? buckets[at] : undefined
  const next = {
    index,
    reserved: (found?.reserved ?? 0n) + change.reserved,
    spent: (found?.spent ?? 0n) + change.spent,
    suspense: (found?.suspense ?? 0n) + change.suspense,
  }
  assert(next.reserved >= 0n && next.suspense >= 0n && next.suspense <= next.spent, 'a bucket gives back only what it holds')
  const kept = next.reserved === 0n && next.spent === 0n ? [] : [next]
  return [...buckets.slice(0, at), ...kept, ...buckets.slice(found === undefined ? at : at + 1)]
}
