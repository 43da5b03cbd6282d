// Store time as a replica reckons it, and calls over a store whose clock errs by an hour across a month's end: what they get, and when again.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createModelLedger } from '../../src/core/ledger.ts'
import { windowAt } from '../../src/core/window.ts'
import { createStoreTime } from '../../src/enforcer/store-time.ts'
import { ANSWER_LATE_MS, LEDGER_RULES } from '../../src/limits.ts'
import type { Clock, Ledger } from '../../src/ports.ts'
import { request, response } from './requests.ts'
import { NOW, openWorld, type World } from './world.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const SECOND = 1_000

describe('the reckoning of store time', () => {
  const reckoning = (wallMs: number) => {
    let monotonicMs = 77.5
    const time = createStoreTime({ wallMs: () => wallMs, monotonicMs: () => monotonicMs })
    return {
      time,
      pass: (ms: number) => {
        monotonicMs += ms
      },
    }
  }

  it('carries the last answer on, and takes none back for an answer that was long under way', () => {
    const { time, pass } = reckoning(NOW)
    time.saw({ kind: 'beating', storeMs: NOW + 500 })
    pass(100)
    expect(time.now()).toBe(NOW + 600)
    time.saw({ kind: 'settled', storeMs: NOW + 590 })
    expect(time.now()).toBe(NOW + 600)
    time.saw({ kind: 'unavailable' })
    time.saw({ kind: 'out-of-bounds' })
    expect(time.now()).toBe(NOW + 600)
  })

  it('learns nothing from a store that refused for its clock', () => {
    const { time } = reckoning(NOW)
    time.saw({ kind: 'clock-skew', storeMs: NOW + HOUR })
    expect(time.now()).toBe(NOW)
    time.saw({ kind: 'clock-skew', storeMs: NOW - HOUR })
    expect(time.now()).toBe(NOW)
  })

  it('goes back to the store when it is ahead: at once for a stale window, else when no delay explains it', () => {
    const { time } = reckoning(NOW)
    time.saw({ kind: 'window-stale', storeMs: NOW - 1 })
    expect(time.now()).toBe(NOW - 1)
    time.saw({ kind: 'reserved', storeMs: NOW - 40 * SECOND })
    expect(time.now()).toBe(NOW - 40 * SECOND)
  })

  it('is never further from a store that answers than an answer can be late, whatever it was told before', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: -HOUR, max: HOUR }), fc.nat({ max: 5_000 }), fc.boolean())), told => {
        const { time, pass } = reckoning(NOW)
        for (const [off, ms, skewed] of told) {
          const before = time.now()
          time.saw({ kind: skewed ? 'clock-skew' : 'refused', storeMs: NOW + off })
          if (skewed) expect(time.now()).toBe(before)
          else expect(Math.abs(time.now() - NOW - off)).toBeLessThanOrEqual(ANSWER_LATE_MS)
          pass(ms)
        }
      }),
    )
  })
})

const POLICY = `
apiVersion: purser.dev/v1alpha1
kind: BudgetPolicy
metadata: {name: team}
spec:
  limits:
  - {name: month, unit: Requests, amount: "4", window: {calendar: Month, timeZone: UTC}}
  - {name: hour, unit: Requests, amount: "100", window: {calendar: Hour, timeZone: UTC}}
  reservation: {defaultMaxOutputTokens: 1000}
`
const BODY = Buffer.from(JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: 'hello' }], max_tokens: 10 }))
const ANSWER = Buffer.from(
  JSON.stringify({
    object: 'chat.completion',
    model: 'gpt-4o',
    choices: [],
    usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
  }),
)

interface TwoClocks extends World {
  /** How far the store's clock is ahead of the true one, and the replica's. */
  readonly ahead: { store: number; replica: number }
  /** Makes one call and answers its outcome; one that is admitted is settled. */
  call(): Promise<'admitted' | string>
  /** Requests spent in the month of an instant. */
  spent(ms: number): Promise<bigint>
}

/** A world whose ledger has a clock of its own: half an hour before the end of November. */
async function twoClocks(): Promise<TwoClocks> {
  const ahead = { store: 0, replica: 0 }
  const model = createModelLedger(LEDGER_RULES, 1_000)
  let store: Clock | null = null
  const storeClockMs = (): number => (store?.wallMs() ?? 0) + ahead.store
  const time = () => ({ storeClockMs: storeClockMs(), callerWallMs: (store?.wallMs() ?? 0) + ahead.replica })
  const world = await openWorld(POLICY, (_, clock) => {
    store = clock
    return {
      reserve: async move => model.reserve(move, time()),
      settle: async move => model.settle(move, time()),
      release: async move => model.release(move, time()),
      beat: async holder => model.beat(holder, time()),
      sweep: async () => model.sweep(time()),
      read: async lines => model.read(lines, storeClockMs()),
    } as Partial<Ledger> as Ledger
  })
  world.step(6 * DAY + 11.5 * HOUR)
  const call = async (): Promise<string> => {
    const exchange = world.open()
    exchange.requestHeaders(request())
    const verdict = await exchange.requestBody(BODY)
    if (verdict.kind !== 'admit') return verdict.kind === 'refuse' ? verdict.refusal.reason : verdict.kind
    exchange.verdictWritten()
    exchange.responseHeaders(response())
    exchange.responseBody(ANSWER, true)
    await world.settled()
    return 'admitted'
  }
  const spent = async (ms: number): Promise<bigint> => {
    const limit = world.enforcer.policies
      .current()
      .declared()
      .find(one => one.limit.name === 'month')
    if (limit === undefined) throw new Error('the policy has a limit by the month')
    const read = model.read([{ key: limit.key, window: windowAt(limit.limit.window, ms) }], storeClockMs())
    return read.value[0]?.spent ?? 0n
  }
  return { ...world, ahead, call, spent }
}

describe.each(['store', 'replica'] as const)('the clock of the %s an hour ahead, across the end of a month, and back', whose => {
  it.each([1, -1])('refuses while it is, and serves with the first call after (%i)', async sign => {
    const world = await twoClocks()
    const november = Date.UTC(2026, 10, 30)
    const december = Date.UTC(2026, 11, 1)
    expect([await world.call(), await world.call()]).toEqual(['admitted', 'admitted'])
    world.ahead[whose] = sign * HOUR
    // For a minute after the last move its mark stands in for a clock that fell behind.
    world.step(61 * SECOND)
    for (let second = 0; second < 20; second += 1) {
      expect(await world.call()).toBe('ledger-unavailable')
      world.step(SECOND)
    }
    world.ahead[whose] = 0
    expect(await world.call()).toBe('admitted')
    expect([await world.spent(november), await world.spent(december)]).toEqual([3n, 0n])
    world.step(HOUR)
    expect([await world.call(), await world.call()]).toEqual(['admitted', 'admitted'])
    expect([await world.spent(november), await world.spent(december)]).toEqual([3n, 2n])
  })
})

it('a replica that starts with a wrong clock serves with the first call after it is set right', async () => {
  const world = await twoClocks()
  // The reckoning began with the wall clock of the start, six days ago; now it is told of an hour too much.
  world.enforcer.time.saw({ kind: 'beating', storeMs: NOW + 6 * DAY + 12.5 * HOUR })
  expect(await world.call()).toBe('admitted')
})

it('a replica whose clock runs fast is served through every end of a window', async () => {
  const world = await twoClocks()
  expect(await world.call()).toBe('admitted')
  world.step(30 * 60 * SECOND - 5 * SECOND)
  world.ahead.store = -50 * SECOND
  for (let second = 0; second < 60; second += 20) {
    // Its reckoning is in December, store time is in November still, then both are.
    expect(await world.call()).toBe('admitted')
    world.step(20 * SECOND)
  }
})
