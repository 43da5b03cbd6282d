// Work that waits for a while, in case somebody else does it first. Bounded; it never drops any: beyond the bound nothing waits.
import type { Timer } from '../ports.ts'

export interface Patience {
  /** Runs `work` once, `ms` from now at the latest. */
  wait(ms: number, work: () => void): void
  /** Runs all that waits, now, and whatever comes from now on. */
  hurry(): void
}

export function createPatience(timer: Timer, max: number): Patience {
  const waiting = new Map<() => void, () => void>()
  let hurried = false
  return {
    wait: (ms, work) => {
      const isFull = hurried || waiting.size >= max
      const callOff = timer.after(isFull ? 0 : ms, () => {
        waiting.delete(work)
        work()
      })
      if (!isFull) waiting.set(work, callOff)
    },
    hurry: () => {
      hurried = true
      for (const [work, callOff] of waiting) {
        callOff()
        work()
      }
      waiting.clear()
    },
  }
}
