// The keeper of time: tells the ledger that this process lives and how far its answers are, and sweeps what dead ones left open. Every replica does both.
import type { BudgetKey } from '../core/budget.ts'
import type { SweepOutcome } from '../core/reservation.ts'
import type { SeenPartition, ShareBook } from '../core/shares.ts'
import { windowText } from '../core/window.ts'
import { BEAT_MS, SHARE_LOOK_MS, SWEEP_MS } from '../limits.ts'
import type { Ledger, Telemetry } from '../ports.ts'
import type { Enforcer } from './enforcer.ts'

export interface Keeper {
  /** Resolves when the ledger was asked once: its time is known then, if it answered. */
  readonly started: Promise<void>
  stop(): void
}

/** What the keeper needs of an enforcer. */
type Kept = Pick<Enforcer, 'ledger' | 'time' | 'holder' | 'watch' | 'telemetry' | 'timer' | 'random' | 'policies'>

export function startKeeper(kept: Kept): Keeper {
  const { ledger, time, holder, watch, telemetry, policies } = kept
  const beats = loop(kept, BEAT_MS, async () => {
    const outcome = await ledger.beat(holder)
    time.saw(outcome)
    if (outcome.kind !== 'beating') return telemetry.ledgerError(outcome.kind)
    const progress = watch.take()
    if (progress.length > 0 && (await ledger.observe({ holder, progress })).kind !== 'observed') watch.lost()
  })
  const alarms = ledgerAlarms(telemetry)
  const sweeps = loop(kept, SWEEP_MS, async () => {
    for (;;) {
      const outcome = await ledger.sweep()
      time.saw(outcome)
      if (outcome.kind !== 'swept') return telemetry.ledgerError(outcome.kind)
      for (let i = 0; i < outcome.expired; i++) telemetry.closed('expired')
      alarms(outcome)
      if (!outcome.more) return
    }
  })
  const looks = loop(kept, SHARE_LOOK_MS, async () => {
    const { shares } = policies.current()
    for (const limitKey of shares.asked(time.now())) await lookAtPartitions(kept, shares, limitKey)
  })
  return {
    started: beats.started,
    stop: () => {
      beats.stop()
      sweeps.stop()
      looks.stop()
    },
  }
}

/** Tells the shares of a limit how its partitions stand in the ledger, those of other replicas among them. */
async function lookAtPartitions({ ledger, time }: Kept, shares: ShareBook, limitKey: BudgetKey): Promise<void> {
  const rows: SeenPartition[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: Awaited<ReturnType<Ledger['list']>> = await ledger.list({ prefix: `${limitKey}|`, cursor, count: 1_000 })
    if (page.kind !== 'read') return
    for (const { key, window, balance } of page.value.budgets) rows.push({ key, window: windowText(window), balance })
    cursor = page.value.next
  }
  shares.saw(limitKey, rows, time.now())
}

/** Says once what grew since the last sweep: the first is only where it stands. */
function ledgerAlarms(telemetry: Telemetry): (swept: Extract<SweepOutcome, { kind: 'swept' }>) => void {
  let contested: number | null = null
  let unexported = 0
  return swept => {
    if (contested !== null && swept.contested > contested) {
      telemetry.fault('one version of a limit came with two amounts, the lower one holds', { times: swept.contested - contested })
    }
    contested = swept.contested
    if (swept.unexported > unexported) {
      telemetry.fault('entries of the ledger were cut before the exporter had them', { entries: swept.unexported })
    }
    unexported = swept.unexported
  }
}

/** Runs `step` now and then `everyMs` (±20 %, so that replicas spread) after each end; never two at once. */
function loop({ timer, random }: Kept, everyMs: number, step: () => Promise<void>): Keeper {
  let stopped = false
  let cancel = (): void => {}
  const turn = async (): Promise<void> => {
    await step()
    if (stopped) return
    cancel = timer.after(everyMs * (0.8 + 0.4 * random.fraction()), () => void turn())
  }
  return {
    started: turn(),
    stop: () => {
      stopped = true
      cancel()
    },
  }
}
