// The one clock of an embedded ledger: when a jump is believed, and that the mark and service outlast one that is taken back.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { oneClock } from '../../src/core/one-clock.ts'
import { CLOCK_SKEW_MS } from '../../src/limits.ts'
import { turnClocks } from '../contract/clocks.ts'
import { makeMemory } from '../contract/makers.ts'
import { HOUR, SECOND } from '../contract/moves.ts'

const WALL = Date.UTC(2026, 4, 31, 23, 30)

/** A machine: its clocks pass together, the wall clock is turned alone. Answers how far store time and wall clock are apart. */
function machine() {
  const clock = oneClock({ clockSkewMs: CLOCK_SKEW_MS })
  let [wallMs, monotonicMs] = [WALL + 0.25, 1_234.5]
  const apart = (): number => {
    const { storeClockMs, callerWallMs } = clock(wallMs, monotonicMs)
    expect(Number.isSafeInteger(storeClockMs) && callerWallMs === Math.floor(wallMs)).toBe(true)
    return callerWallMs - storeClockMs
  }
  const pass = (ms: number): number => {
    wallMs += ms
    monotonicMs += ms
    return apart()
  }
  const turn = (ms: number): number => {
    wallMs += ms
    return apart()
  }
  apart()
  return { pass, turn }
}

describe('a wall clock', () => {
  it('an hour ahead is not believed, and is again when it is back', () => {
    const { pass, turn } = machine()
    expect(turn(HOUR)).toBe(HOUR)
    expect(pass(CLOCK_SKEW_MS - 1)).toBe(HOUR)
    expect(turn(-HOUR)).toBe(0)
    expect(turn(HOUR)).toBe(HOUR)
    expect(pass(CLOCK_SKEW_MS - 1), 'the minute counts anew').toBe(HOUR)
  })

  it('ahead for a minute is right: the machine slept', () => {
    const { pass, turn } = machine()
    expect(turn(8 * HOUR)).toBe(8 * HOUR)
    expect(pass(CLOCK_SKEW_MS)).toBe(0)
    expect(pass(HOUR)).toBe(0)
  })

  it('behind is believed, for the mark guards against it', () => {
    const { pass, turn } = machine()
    expect(turn(-HOUR)).toBe(0)
    expect(pass(10 * HOUR)).toBe(0)
    expect(turn(HOUR), 'set right again, it is believed at once').toBe(0)
  })

  it('may be set by less than a minute at a time, and run fast or slow', () => {
    const { pass, turn } = machine()
    fc.assert(
      fc.property(fc.integer({ min: -CLOCK_SKEW_MS, max: CLOCK_SKEW_MS }), fc.nat({ max: 60 * SECOND }), (by, ms) => {
        expect(turn(by)).toBe(0)
        expect(pass(ms)).toBe(0)
      }),
    )
  })
})

it('a ledger on it opens no month twice, and serves as soon as the clock is right', () => turnClocks(makeMemory, 400), 60_000)
