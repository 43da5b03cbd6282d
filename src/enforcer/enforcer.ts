// What every exchange of a process shares, and where exchanges come from. Holds no state of any single one.
import type { Holder, ReservationId } from '../core/reservation.ts'
import type { Clock, Ledger, PolicySource, PriceSource, Random, Telemetry, Timer, TokenCounter } from '../ports.ts'
import { type Allowance, createAllowance } from './allowance.ts'
import type { ExchangeFactory } from './exchange.ts'
import { resume } from './handed.ts'
import { createHeadroom, type Headroom } from './headroom.ts'
import type { IdentityRules } from './identify.ts'
import { Lifecycle } from './lifecycle.ts'
import { createQueue, type Queue } from './queue.ts'
import { createRepeats, type Repeats } from './repeats.ts'
import { createSettler, type Settler } from './settle.ts'
import { createStoreTime, mintHolder, reservationIds, type StoreTime } from './store-time.ts'
import { createStorms, type Storms } from './storm.ts'
import type { Taken } from './take.ts'
import { createWarner, type Warner } from './warn.ts'
import { createWatch, type Watch } from './watch.ts'
import { hear } from './witness.ts'

export interface Enforcer {
  readonly ledger: Ledger
  readonly policies: PolicySource
  readonly prices: PriceSource
  readonly clock: Clock
  readonly timer: Timer
  readonly random: Random
  readonly telemetry: Telemetry
  readonly settler: Settler
  readonly time: StoreTime
  readonly holder: Holder
  readonly mintId: (storeMs: number) => ReservationId
  readonly allowance: Allowance
  readonly watch: Watch
  readonly warner: Warner
  readonly headroom: Headroom
  readonly queue: Queue<Taken>
  readonly storms: Storms
  readonly repeats: Repeats
  readonly identity: IdentityRules
  /** What happens to calls that no policy can bind. */
  readonly unbudgeted: 'allow' | 'deny'
  /** Asked only for calls that a policy wants counted; absent: their bound is by bytes. */
  readonly tokens?: TokenCounter
}

/** What an enforcer is made of; the rest is its own. */
export type Parts = Omit<
  Enforcer,
  'settler' | 'time' | 'holder' | 'mintId' | 'allowance' | 'watch' | 'headroom' | 'queue' | 'storms' | 'repeats' | 'warner'
>

/** A new holder with an empty outbox. */
export function createEnforcer(parts: Parts): Enforcer {
  const time = createStoreTime(parts.clock)
  const queue = createQueue<Taken>(parts)
  const own = {
    time,
    settler: createSettler({ ...parts, time, freed: lines => queue.freed(lines.map(line => line.key)) }),
    queue,
    storms: createStorms(parts),
    repeats: createRepeats(parts),
    holder: mintHolder(parts.random),
    mintId: reservationIds(parts.random),
    allowance: createAllowance(),
    watch: createWatch(),
    headroom: createHeadroom(),
  }
  return { ...parts, ...own, warner: createWarner({ ...parts, ...own }) }
}

export function exchangeFactory(enforcer: Enforcer, admitting: () => boolean): ExchangeFactory {
  return {
    open: () => new Lifecycle(enforcer),
    resume: handover => resume(enforcer, handover),
    witness: testimony => hear(enforcer, testimony),
    refused: reason => enforcer.telemetry.decided('refused', reason, 0),
    admitting,
  }
}
