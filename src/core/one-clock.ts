// The time of moves where the ledger and its callers share one clock: how long the machine ran is the second witness. It reads no clock.
import type { LedgerRules } from './ledger-rules.ts'
import type { MoveTime } from './step.ts'

/**
 * Answers the time of each move from the machine's wall clock and its monotonic one, both in ms. A wall clock that jumped ahead is not
 * believed until it has been there for `clockSkewMs` (the machine may have slept): till then store time goes on without it, so moves are
 * refused as those of any caller with a wrong clock, the mark stays, and a clock that is set back finds service as it left it.
 * One that fell behind is believed at once: the mark outlasts that.
 */
export function oneClock({ clockSkewMs }: Pick<LedgerRules, 'clockSkewMs'>): (wallMs: number, monotonicMs: number) => MoveTime {
  /** The most that the wall clock showed beyond the monotonic one while it was believed: a mark for clocks. */
  let believed: number | null = null
  let aheadSince: number | null = null
  return (wallMs, monotonicMs) => {
    const shown = wallMs - monotonicMs
    believed ??= shown
    if (shown - believed <= clockSkewMs) aheadSince = null
    else aheadSince ??= monotonicMs
    const isBelieved = aheadSince === null || monotonicMs - aheadSince >= clockSkewMs
    if (isBelieved) [believed, aheadSince] = [Math.max(believed, shown), null]
    return { storeClockMs: Math.floor(isBelieved ? wallMs : monotonicMs + believed), callerWallMs: Math.floor(wallMs) }
  }
}
