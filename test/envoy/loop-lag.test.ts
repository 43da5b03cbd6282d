// How late the event loop is told to be, on a clock of the test's own, and that the door then refuses.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LoopLag } from '../../src/envoy/loop-lag.ts'
import { Complaints } from '../../src/envoy/wiring.ts'
import { LOOP_LAG_MAX_MS, LOOP_LATE_FOR_MS, LOOP_LATE_MS, LOOP_SAMPLE_MS, WARN_EVERY_MS } from '../../src/limits.ts'
import { answer, body, House, head, KeptLog } from './peer.ts'

let now = 0
const clock = { wallMs: () => now, monotonicMs: () => now }

describe('the lag of the loop', () => {
  let lag: LoopLag
  beforeEach(() => {
    now = 1_000
    lag = new LoopLag(clock)
  })
  afterEach(() => lag.stop())

  it('is none while the timer fires in time', () => {
    for (let i = 0; i < 5; i++) {
      now += LOOP_SAMPLE_MS
      lag.sample()
      expect(lag.ms()).toBe(0)
    }
  })

  it('is what the last turn took too long, until a quicker one', () => {
    now += LOOP_SAMPLE_MS + 300
    lag.sample()
    expect(lag.ms()).toBe(300)
    expect(lag.overloaded()).toBe(false)
    now += LOOP_SAMPLE_MS
    lag.sample()
    expect(lag.ms()).toBe(0)
  })

  it('is remembered for a while: streams cut meanwhile may have lost messages unread', () => {
    now += LOOP_SAMPLE_MS + LOOP_LATE_MS
    lag.sample()
    expect(lag.wasLate()).toBe(false)
    now += LOOP_SAMPLE_MS + LOOP_LATE_MS + 1
    expect(lag.wasLate()).toBe(true)
    lag.sample()
    for (let passed = 0; passed < LOOP_LATE_FOR_MS; passed += LOOP_SAMPLE_MS) {
      expect(lag.wasLate()).toBe(true)
      now += LOOP_SAMPLE_MS
      lag.sample()
    }
    expect(lag.wasLate()).toBe(false)
  })

  it('is seen within a turn that takes long', () => {
    now += LOOP_SAMPLE_MS + LOOP_LAG_MAX_MS
    expect(lag.overloaded()).toBe(false)
    now += 1
    expect(lag.overloaded()).toBe(true)
  })
})

it('a blocked loop refuses new exchanges, and finishes those that had begun', async () => {
  const house = await House.open()
  const envoy = house.connect()
  const begun = envoy.open()
  await begun.ask(head())
  const fresh = envoy.open()
  fresh.send(head())
  begun.send(body('{}'))
  // The block begins before the messages are read: they wait in the socket, as they would behind a busy turn.
  const until = performance.now() + LOOP_LAG_MAX_MS + 10 * LOOP_SAMPLE_MS
  while (performance.now() < until);
  await Promise.all([fresh.until(1), begun.until(2)])
  expect(fresh.replies[0]?.immediateResponse?.details).toBe('purser_overload')
  expect(begun.replies[1]?.response).toBe('requestBody')
  await begun.ask(answer('200'))
  fresh.cancel()
  begun.cancel()
  envoy.close()
  house.door.stop()
})

it('a complaint is made once in ten seconds, each sentence by itself', () => {
  now = 0
  const log = new KeptLog()
  const complaints = new Complaints(log, clock)
  complaints.warn('a')
  complaints.warn('a')
  complaints.warn('b')
  now = WARN_EVERY_MS - 1
  complaints.warn('a')
  now = WARN_EVERY_MS
  complaints.warn('a')
  expect(log.warnings).toEqual(['a', 'b', 'a'])
})
