// The wait that a call would have for its verdict: refused when it is too long, never for few, and forgotten soon after a stall.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { VerdictQueue } from '../../src/envoy/verdict-queue.ts'
import { VERDICT_WAIT_MAX_MS, VERDICTS_SMOOTHED, VERDICTS_TAKEN_ALWAYS } from '../../src/limits.ts'

/** A queue on a clock that is moved by hand, and calls in it that are given their verdicts in order. */
function counter() {
  let nowMs = 0
  const queue = new VerdictQueue({ wallMs: () => nowMs, monotonicMs: () => nowMs })
  const waiting: (() => void)[] = []
  const enter = (): void => {
    const { promise, resolve } = Promise.withResolvers<void>()
    waiting.push(resolve)
    void queue.during(promise)
  }
  const give = async (afterMs: number): Promise<void> => {
    nowMs += afterMs
    waiting.shift()?.()
    await Promise.resolve().then(() => {})
  }
  return { queue, waiting, enter, give }
}

it('never refuses while fewer than a batch wait, however slow they are', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 60_000 }), { maxLength: 200 }), async gaps => {
      const { queue, waiting, enter, give } = counter()
      for (const gap of gaps) {
        while (waiting.length < VERDICTS_TAKEN_ALWAYS - 1) enter()
        expect(queue.full()).toBe(false)
        await give(gap)
      }
    }),
  )
})

it.each([1, 5, 20])('lets in as many as have their verdict in time, at one in %i ms', async eachMs => {
  const { queue, waiting, enter, give } = counter()
  for (let n = 0; n < 20 * VERDICTS_SMOOTHED; n++) {
    while (waiting.length < VERDICTS_TAKEN_ALWAYS) enter()
    await give(eachMs)
  }
  while (!queue.full()) enter()
  const longestMs = waiting.length * eachMs
  expect(longestMs).toBeGreaterThan(VERDICT_WAIT_MAX_MS * 0.9)
  expect(longestMs).toBeLessThan(Math.max(VERDICT_WAIT_MAX_MS * 1.1, (VERDICTS_TAKEN_ALWAYS + 1) * eachMs))
})

it('forgets a stall of five seconds within a few batches', async () => {
  const { queue, waiting, enter, give } = counter()
  for (let n = 0; n < 100; n++) enter()
  await give(5_000)
  expect(queue.full()).toBe(true)
  while (waiting.length > VERDICTS_TAKEN_ALWAYS) await give(1)
  for (let given = 0; waiting.length < 100; given++) {
    expect(given).toBeLessThan(5 * VERDICTS_SMOOTHED)
    await give(1)
    while (!queue.full() && waiting.length < 100) enter()
  }
})

it('counts a call out also where its verdict failed', async () => {
  const { queue, enter } = counter()
  for (let n = 0; n < 2_000; n++) await queue.during(Promise.reject(new Error('a bug'))).catch(() => {})
  expect(queue.full()).toBe(false)
  while (!queue.full()) enter()
})
