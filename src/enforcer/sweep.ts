// The keeper of time: tells the ledger that this process lives, and sweeps what dead ones left open. Every replica does both.
import type { Holder } from '../core/reservation.ts'
import { BEAT_MS, SWEEP_MS } from '../limits.ts'
import type { Ledger, Telemetry } from '../ports.ts'
import type { StoreTime } from './store-time.ts'

export interface Keeper {
  /** Resolves when the ledger was asked once: its time is known then, if it answered. */
  readonly started: Promise<void>
  stop(): void
}

export function startKeeper(ledger: Ledger, time: StoreTime, holder: Holder, telemetry: Telemetry): Keeper {
  const beats = loop(BEAT_MS, async () => {
    const outcome = await ledger.beat(holder)
    if (outcome.kind === 'beating') time.saw(outcome.storeMs)
    else telemetry.ledgerError(outcome.kind)
  })
  const sweeps = loop(SWEEP_MS, async () => {
    for (;;) {
      const outcome = await ledger.sweep()
      if (outcome.kind !== 'swept') return telemetry.ledgerError(outcome.kind)
      time.saw(outcome.storeMs)
      for (let i = 0; i < outcome.expired; i++) telemetry.closed('expired')
      if (!outcome.more) return
    }
  })
  return {
    started: beats.started,
    stop: () => {
      beats.stop()
      sweeps.stop()
    },
  }
}

/** Runs `step` now and then `everyMs` (±20 %, so that replicas spread) after each end; never two at once. */
function loop(everyMs: number, step: () => Promise<void>): Keeper {
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  const turn = async (): Promise<void> => {
    await step()
    if (stopped) return
    timer = setTimeout(turn, everyMs * (0.8 + 0.4 * Math.random()))
    timer.unref()
  }
  return {
    started: turn(),
    stop: () => {
      stopped = true
      clearTimeout(timer)
    },
  }
}
