// What every exchange of a process shares, and where exchanges come from. Holds no state of any single one.
import type { Holder } from '../core/reservation.ts'
import type { Clock, Ledger, PolicySource, PriceSource, Telemetry, TokenCounter } from '../ports.ts'
import type { ExchangeFactory } from './exchange.ts'
import type { IdentityRules } from './identify.ts'
import { Lifecycle } from './lifecycle.ts'
import type { Settler } from './settle.ts'
import type { StoreTime } from './store-time.ts'

export interface Enforcer {
  readonly ledger: Ledger
  readonly policies: PolicySource
  readonly prices: PriceSource
  readonly clock: Clock
  readonly telemetry: Telemetry
  readonly settler: Settler
  readonly time: StoreTime
  readonly holder: Holder
  readonly identity: IdentityRules
  /** What happens to calls that no policy can bind. */
  readonly unbudgeted: 'allow' | 'deny'
  /** Asked only for calls that a policy wants counted; absent: their bound is by bytes. */
  readonly tokens?: TokenCounter
}

export function exchangeFactory(enforcer: Enforcer, admitting: () => boolean): ExchangeFactory {
  return { open: () => new Lifecycle(enforcer), admitting }
}
