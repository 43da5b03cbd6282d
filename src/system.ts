// The machine's clocks, timers and chance behind the ports. Nothing else in the program reads them for a decision.
import { randomBytes } from 'node:crypto'
import type { Clock, Random, Timer } from './ports.ts'

export const systemClock: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() }

export const systemTimer: Timer = {
  after: (ms, run) => {
    // After what is being answered now: a timer of 0 ms may come before it.
    if (ms === 0) {
      const soon = setImmediate(run)
      return () => clearImmediate(soon)
    }
    const timer = setTimeout(run, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
}

export const systemRandom: Random = { hex: bytes => randomBytes(bytes).toString('hex'), fraction: Math.random }
