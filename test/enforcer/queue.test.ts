// The queue: by turns among callers, in order within each, never over its bounds, left in time, and quiet while nothing happens.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BudgetKey } from '../../src/core/budget.ts'
import { createQueue, type Place, type Queue } from '../../src/enforcer/queue.ts'
import { QUEUE_BYTES_MAX, QUEUE_MAX, QUEUE_OF_BUDGET_MAX, QUEUE_POLL_MAX_MS } from '../../src/limits.ts'
import { turns } from '../envoy/peer.ts'

const BUDGET = 'budget' as BudgetKey

/** Time that the test steps; what is due runs in its order. */
function steppedTime() {
  let nowMs = 0
  const due: { atMs: number; run: () => void }[] = []
  return {
    clock: { wallMs: () => nowMs, monotonicMs: () => nowMs },
    timer: {
      after: (ms: number, run: () => void) => {
        const one = { atMs: nowMs + ms, run }
        due.push(one)
        return () => void (due.includes(one) && due.splice(due.indexOf(one), 1))
      },
    },
    step: async (ms: number) => {
      const endMs = nowMs + ms
      for (;;) {
        const [next] = due.filter(one => one.atMs <= endMs).toSorted((a, b) => a.atMs - b.atMs)
        if (next === undefined) break
        nowMs = Math.max(nowMs, next.atMs)
        due.splice(due.indexOf(next), 1)
        next.run()
        await turns(3)
      }
      nowMs = endMs
      await turns(3)
    },
    pending: () => due.length,
  }
}

/** A budget with room for so many calls at once, and all who ever asked for it, in the order in which they got it. */
class House {
  readonly time = steppedTime()
  readonly queue: Queue<string> = createQueue<string>(this.time)
  readonly served: string[] = []
  attempts = 0
  room = 0

  join(
    call: string,
    caller: string,
    { untilMs = 1_000, bytes = 1, budget = BUDGET, last = 'full' as string | null } = {},
  ): Place<string> | null {
    const attempt = async (): Promise<string> => {
      this.attempts++
      if (this.room === 0) return 'full'
      this.room--
      this.served.push(call)
      return 'served'
    }
    return this.queue.join({ budget, caller, bytes, untilMs, last, attempt, waits: outcome => outcome === 'full' })
  }

  async free(count: number): Promise<void> {
    this.room += count
    this.queue.freed([BUDGET])
    await turns(6)
  }
}

it('gives callers their turns one after the other, and each its calls in their order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 1, max: 5 }),
      async (callers, at) => {
        const house = new House()
        for (const [index, caller] of callers.entries()) house.join(`${caller}${index}`, caller)
        while (house.served.length < callers.length) await house.free(at)
        // By turns: of two callers that both still have calls in line, neither is ever served twice in a row before the other.
        const lines = new Map<string, string[]>()
        for (const [index, caller] of callers.entries()) lines.set(caller, [...(lines.get(caller) ?? []), `${caller}${index}`])
        const expected: string[] = []
        while (lines.size > 0) {
          for (const [caller, line] of [...lines]) {
            expected.push(line.shift() ?? '')
            if (line.length === 0) lines.delete(caller)
          }
        }
        expect(house.served).toEqual(expected)
        expect(house.queue.size()).toBe(0)
      },
    ),
    { numRuns: 200 },
  )
})

it('lets one call of a caller who has one pass the ninety of another', async () => {
  const house = new House()
  for (let index = 0; index < 90; index++) house.join(`flood${index}`, 'flood')
  house.join('one', 'other')
  await house.free(2)
  expect(house.served).toEqual(['flood0', 'one'])
})

describe('never holds more than its bounds', () => {
  it('of one budget', () => {
    const house = new House()
    const places = Array.from({ length: QUEUE_OF_BUDGET_MAX + 20 }, (_, index) => house.join(`${index}`, `${index % 7}`))
    expect(places.filter(place => place === null)).toHaveLength(20)
    expect(house.queue.size()).toBe(QUEUE_OF_BUDGET_MAX)
  })

  it('of a replica, and of its memory', async () => {
    const house = new House()
    const join = (index: number, bytes: number) => house.join(`${index}`, 'a', { bytes, budget: `b${index}` as BudgetKey })
    const places = Array.from({ length: QUEUE_MAX + 5 }, (_, index) => join(index, 1))
    expect(places.filter(place => place === null)).toHaveLength(5)
    const other = new House()
    expect(other.join('a', 'a', { bytes: QUEUE_BYTES_MAX - 10 })).not.toBeNull()
    expect(other.join('b', 'b', { bytes: 11 })).toBeNull()
    const last = other.join('c', 'c', { bytes: 10 })
    last?.leave()
    await last?.outcome
    expect(other.join('d', 'd', { bytes: 10 })).not.toBeNull()
  })

  it('whoever comes and goes in whatever order', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('join' as const), caller: fc.constantFrom('a', 'b', 'c'), untilMs: fc.integer({ min: 0, max: 1_500 }) }),
      fc.record({ do: fc.constant('leave' as const), which: fc.nat(200) }),
      fc.record({ do: fc.constant('free' as const), count: fc.integer({ min: 1, max: 4 }) }),
      fc.record({ do: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 300 }) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 120 }), async steps => {
        const house = new House()
        const places: Place<string>[] = []
        const told = new Map<number, string | null>()
        for (const [index, one] of steps.entries()) {
          if (one.do === 'join') {
            const at = places.length
            const place = house.join(`${index}`, one.caller, {
              untilMs: house.time.clock.monotonicMs() + one.untilMs,
              last: index % 2 === 0 ? 'full' : null,
            })
            if (place === null) continue
            places.push(place)
            void place.outcome.then(outcome => told.set(at, outcome))
          } else if (one.do === 'leave') places[one.which]?.leave()
          else if (one.do === 'free') await house.free(one.count)
          else await house.time.step(one.ms)
          expect(house.queue.size()).toBeLessThanOrEqual(QUEUE_OF_BUDGET_MAX)
        }
        await house.time.step(2_000)
        // Everybody was told, once, and nothing runs any more.
        expect(told.size).toBe(places.length)
        expect([house.queue.size(), house.time.pending(), house.queue.waitedFor([BUDGET])]).toEqual([0, 0, null])
        expect([...told.values()].filter(outcome => outcome === 'served')).toHaveLength(house.served.length)
      }),
      { numRuns: 200 },
    )
  })
})

it('tells a call at the end of its time what its last attempt gave, or makes one then', async () => {
  const house = new House()
  const [asked, unasked] = [house.join('a', 'a', { untilMs: 300 }), house.join('b', 'b', { untilMs: 300, last: null })]
  await house.time.step(299)
  expect(house.queue.size()).toBe(2)
  house.room = 1
  await house.time.step(1)
  expect([await asked?.outcome, await unasked?.outcome]).toEqual(['full', 'served'])
})

it('is left when its client goes, and a call that is being tried then is answered all the same', async () => {
  const house = new House()
  const gate = Promise.withResolvers<string>()
  const tried = house.queue.join({
    budget: BUDGET,
    caller: 'a',
    bytes: 1,
    untilMs: 900,
    last: 'full',
    attempt: () => gate.promise,
    waits: () => true,
  })
  const other = house.join('b', 'b', { last: null })
  house.queue.freed([BUDGET])
  tried?.leave()
  other?.leave()
  expect(await other?.outcome).toBeNull()
  gate.resolve('served')
  expect(await tried?.outcome).toBe('served')
  expect(house.queue.size()).toBe(0)
})

it('asks seldom while nothing is given back, and at once when something is', async () => {
  const house = new House()
  for (let index = 0; index < 50; index++) house.join(`${index}`, `${index}`, { untilMs: 1_500 })
  await house.time.step(1_400)
  // 100, 200 and then every 400 ms: one attempt for all of them together.
  expect(house.attempts).toBeLessThanOrEqual(2 + Math.ceil(1_400 / QUEUE_POLL_MAX_MS))
  await house.free(1)
  expect(house.served).toEqual(['0'])
})
