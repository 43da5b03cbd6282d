// A clock that stands still until the test moves it.
import type { Clock } from '../../src/ports.ts'

export interface TestClock extends Clock {
  /** Lets time pass. */
  advance(ms: number): void
  /** Turns the wall clock alone, as nobody should. */
  turn(ms: number): void
}

/** Starts at a quarter past some hour in 2026, in the middle of a second. */
export function testClock(startMs: number = Date.UTC(2026, 4, 14, 10, 15, 0, 500)): TestClock {
  let nowMs = startMs
  let turnedMs = 0
  return {
    wallMs: () => nowMs + turnedMs,
    monotonicMs: () => nowMs,
    advance: ms => {
      nowMs += ms
    },
    turn: ms => {
      turnedMs += ms
    },
  }
}
