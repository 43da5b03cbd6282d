// A clock that stands still until the test moves it.
import type { Clock } from '../../src/ports.ts'

export interface TestClock extends Clock {
  advance(ms: number): void
}

/** Starts at a quarter past some hour in 2026, in the middle of a second. */
export function testClock(startMs: number = Date.UTC(2026, 4, 14, 10, 15, 0, 500)): TestClock {
  let nowMs = startMs
  return {
    wallMs: () => nowMs,
    monotonicMs: () => nowMs,
    advance: ms => {
      nowMs += ms
    },
  }
}
