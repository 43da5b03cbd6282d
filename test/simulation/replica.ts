// A replica of Purser: the real enforcer, keeper and outbox on a simulated process. It starts as `serve` does, drains, and may be killed.
import { GrantBook } from '../../src/core/grants.ts'
import { PartitionRegistry } from '../../src/core/partition.ts'
import type { PolicySet } from '../../src/core/policy.ts'
import { compilePolicySet } from '../../src/core/policy-set.ts'
import { ShareBook } from '../../src/core/shares.ts'
import { createEnforcer, type Enforcer, exchangeFactory } from '../../src/enforcer/enforcer.ts'
import type { ExchangeFactory } from '../../src/enforcer/exchange.ts'
import { type Keeper, startKeeper } from '../../src/enforcer/sweep.ts'
import { PARTITION_BYTES_MAX } from '../../src/limits.ts'
import type { Ledger, PolicySource, Telemetry } from '../../src/ports.ts'
import { createPriceSource } from '../../src/prices/source.ts'
import { sha256 } from '../core/policy-objects.ts'
import type { Call } from './call.ts'
import type { Machine } from './machine.ts'
import { type PolicyVersion, PRICE_LISTS } from './policies.ts'
import type { Process } from './process.ts'

const PRICES = createPriceSource(() => PRICE_LISTS)
const IDENTITY = { defaultNamespace: 'default', requireKey: false, trustedHeaders: ['x-team'], trustXfcc: false, jwtPayloadKey: null }
const SETTLE_AT_STOP_MS = 5_000

export interface ReplicaParts {
  readonly slot: number
  readonly machine: Machine
  readonly process: Process
  /** The ledger as this process reaches it; where that cannot be opened, the process ends. */
  openLedger(telemetry: Telemetry): Promise<Ledger>
  whenNotStarted(): void
  readonly versions: readonly PolicyVersion[]
  /** How long a change of the policies takes to reach it, ms. */
  readonly lagMs: number
}

export class Replica {
  readonly process: Process
  readonly calls: Set<Call> = new Set()
  isReady = false
  isDraining = false
  /** When its process began and ended, true time. */
  readonly startedMs: number
  endedMs: number = Number.POSITIVE_INFINITY
  /** It stopped with everything told to the ledger. */
  isEmpty = false
  readonly #machine: Machine
  readonly #parts: ReplicaParts
  #ledger: Ledger | null = null
  #enforcer: Enforcer | null = null
  #factory: ExchangeFactory | null = null
  #keeper: Keeper | null = null

  constructor(parts: ReplicaParts) {
    this.#machine = parts.machine
    this.startedMs = parts.machine.nowMs
    this.#parts = parts
    this.process = parts.process
  }

  get slot(): number {
    return this.#parts.slot
  }

  get name(): string {
    return this.process.name
  }

  get holder(): string {
    return this.#enforcer?.holder ?? ''
  }

  /** Settlements that have not reached the ledger. */
  get pending(): number {
    return this.#enforcer?.settler.pending() ?? 0
  }

  get exchanges(): ExchangeFactory {
    if (this.#factory === null) throw new Error(`${this.name} is not ready`)
    return this.#factory
  }

  async start(): Promise<void> {
    const { process, openLedger, whenNotStarted } = this.#parts
    const partitions = new PartitionRegistry()
    const telemetry = this.#telemetry()
    const ledger = await openLedger(telemetry).catch((fault: unknown) => {
      this.#machine.note(`${this.name} does not start: ${fault instanceof Error ? fault.message : String(fault)}`)
      return null
    })
    if (ledger === null) {
      this.#end()
      return whenNotStarted()
    }
    const { clock, timer, random } = process
    const policies = this.#policies(partitions)
    const parts = { ledger, policies, prices: PRICES, clock, timer, random, telemetry, identity: IDENTITY, unbudgeted: 'allow' as const }
    const enforcer = createEnforcer(parts)
    this.#ledger = ledger
    this.#enforcer = enforcer
    this.#factory = exchangeFactory(enforcer, () => this.isReady)
    this.#keeper = startKeeper(enforcer)
    this.#machine.note(`${this.name} starts as ${enforcer.holder.slice(-6)}`)
    await this.#keeper.started
    const page = await ledger.list({ prefix: '', cursor: '', count: 1_000 })
    if (page.kind === 'read') for (const { key } of page.value.budgets) partitions.seen(key)
    this.isReady = !this.isDraining
  }

  /** SIGTERM: no new calls; after `seconds` whatever is open is settled as it stands, and the process ends when its outbox is empty. */
  async drain(ms: number): Promise<void> {
    this.isReady = false
    this.isDraining = true
    this.#machine.note(`${this.name} drains`)
    await new Promise<void>(resolve => this.process.timer.after(ms, resolve))
    for (const call of [...this.calls]) call.drain()
    const lost = await this.#enforcer?.settler.drain(SETTLE_AT_STOP_MS)
    this.#keeper?.stop()
    await this.#ledger?.close()
    this.#machine.note(`${this.name} stops with ${lost} left to the sweep`)
    this.isEmpty = lost === 0
    this.#end()
  }

  kill(): void {
    this.#machine.note(`${this.name} is killed`)
    this.isReady = false
    this.#end()
    for (const call of [...this.calls]) call.replicaDied()
  }

  #end(): void {
    this.endedMs = this.#machine.nowMs
    this.process.kill()
  }

  #policies(partitions: PartitionRegistry): PolicySource {
    const { versions, lagMs } = this.#parts
    const compiled = new Map<PolicyVersion, PolicySet>()
    return {
      current: () => {
        const nowMs = this.#machine.nowMs
        const version = versions.findLast(({ fromMs }, index) => index === 0 || fromMs + lagMs <= nowMs)
        if (version === undefined) throw new Error('there are policies from the start')
        const known = compiled.get(version)
        if (known !== undefined) return known
        const set = compilePolicySet(version.parts, {
          sha256,
          partitions,
          partitionBytesMax: PARTITION_BYTES_MAX,
          grants: new GrantBook(),
          shares: new ShareBook(),
        })
        compiled.set(version, set)
        return set
      },
      onChange: () => {},
      close: async () => {},
    }
  }

  #telemetry(): Telemetry {
    return {
      decided: () => {},
      audited: () => {},
      closed: () => {},
      ledgerError: () => {},
      estimateViolated: () => {},
      overrun: () => {},
      warned: () => {},
      contradicted: () => {},
      tokensUsed: () => {},
      trace: () => {},
      ledgerMemory: () => {},
      fault: what => this.#machine.note(`${this.name} says: ${what}`),
    }
  }
}
