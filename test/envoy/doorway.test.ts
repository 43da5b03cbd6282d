// When the door refuses calls that begin: by the event loop's lag, by the number of open streams, and while nothing is admitted.
import { afterEach, expect, it } from 'vitest'
import { type OpenStream, refusesMore } from '../../src/envoy/doorway.ts'
import { LoopLag } from '../../src/envoy/loop-lag.ts'
import { VerdictQueue } from '../../src/envoy/verdict-queue.ts'
import { LOOP_LAG_MAX_MS, OPEN_EXCHANGES_MAX } from '../../src/limits.ts'

let nowMs = 0
const clock = { wallMs: () => nowMs, monotonicMs: () => nowMs }
let lag: LoopLag

const open = (count: number): Set<OpenStream> => new Set(Array.from({ length: count }, () => ({ drain: () => {}, abandon: () => {} })))
const door = (streams: number, admitting = true): Parameters<typeof refusesMore>[0] => {
  lag = new LoopLag(clock)
  const factory = {
    open: () => {
      throw new Error('asked whether, not to')
    },
    resume: () => null,
    witness: () => {},
    refused: () => {},
    admitting: () => admitting,
  }
  return { factory, lag, streams: open(streams), verdicts: new VerdictQueue(clock) }
}

afterEach(() => lag.stop())

it('takes the last stream that there is room for, and no more', () => {
  expect(refusesMore(door(1))).toBe(false)
  lag.stop()
  expect(refusesMore(door(OPEN_EXCHANGES_MAX))).toBe(false)
  lag.stop()
  const full = door(OPEN_EXCHANGES_MAX + 1)
  expect(refusesMore(full)).toBe(true)
  const [left] = full.streams
  if (left !== undefined) full.streams.delete(left)
  expect(refusesMore(full)).toBe(false)
})

it('refuses while the loop is so late that Envoy would not wait for the verdict, and not a turn longer', () => {
  const late = door(1)
  nowMs += LOOP_LAG_MAX_MS + 100
  expect(refusesMore(late)).toBe(true)
  late.lag.sample()
  late.lag.sample()
  expect(refusesMore(late)).toBe(false)
})

it('refuses before it is ready, and while it drains', () => {
  expect(refusesMore(door(1, false))).toBe(true)
})
