// The service: start, ready, drain, stop, in this order and no other. Knows the parts by their ports; main brings the adapters.
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Config, splitAddress } from '../config.ts'
import { assertNever } from '../core/assert.ts'
import type { BudgetKey } from '../core/budget.ts'
import { createEnforcer, exchangeFactory } from '../enforcer/enforcer.ts'
import type { ExchangeFactory } from '../enforcer/exchange.ts'
import { startKeeper } from '../enforcer/sweep.ts'
import type { Clock, Ledger, PolicyChange, PolicySource, PriceSource, Random, Telemetry, Timer, TokenCounter } from '../ports.ts'

/** The gRPC door as serve sees it. */
export interface Door {
  readonly port: number
  /** Tells health checks that calls are welcome. */
  serve(): void
  /** NOT_SERVING and GOAWAY at once; open streams go on. Resolves when none is left. */
  drain(): Promise<void>
  /** The drain time is over: open exchanges settle what they know, and leave where no client is harmed. */
  settleOpen(): void
  stop(): void
}

export interface Policies {
  readonly policies: PolicySource
  /** Resolves when they were read once; no call is served before. */
  readonly synced: Promise<void>
  /** Told every budget that the ledger knows at start, so that partitions are counted on from there. */
  sawBudget(key: BudgetKey): void
}

export interface Wiring {
  readonly clock: Clock
  readonly timer: Timer
  readonly random: Random
  readonly telemetry: Telemetry
  say(message: string, fields: Readonly<Record<string, unknown>>): void
  openLedger(config: Config, clock: Clock): Promise<Ledger>
  openPolicies(config: Config): Promise<Policies>
  openPrices(policies: PolicySource): PriceSource
  /** Absent: policies that ask for a tokenizer get the bound by bytes. */
  readonly tokens?: TokenCounter
  openDoor(config: Config, factory: ExchangeFactory): Promise<Door>
  openHttp(config: Config, parts: { ledger: Ledger; policies: PolicySource; nowMs(): number; notReady(): string | null }): Promise<Server>
}

const SETTLE_AT_STOP_MS = 5_000

/** Runs until `stop` resolves; answers the exit code. Throws where a part cannot be opened, with a sentence that says which and why. */
export async function serve(config: Config, wiring: Wiring, stop: Promise<string>): Promise<number> {
  const { clock, telemetry, say } = wiring
  const { policies, synced, sawBudget } = await wiring.openPolicies(config)
  policies.onChange(change => tell(change, wiring))
  const prices = wiring.openPrices(policies)
  const ledger = await wiring.openLedger(config, clock)
  const { timer, random, tokens } = wiring
  const { unbudgeted } = config
  const parts = { ledger, policies, prices, clock, timer, random, telemetry, identity: config, unbudgeted }
  const enforcer = createEnforcer(tokens === undefined ? parts : { ...parts, tokens })
  const { time, settler } = enforcer

  let notReady: string | null = 'starting'
  const http = await wiring.openHttp(config, { ledger, policies, nowMs: () => time.now(), notReady: () => notReady })
  const door = await wiring.openDoor(
    config,
    exchangeFactory(enforcer, () => notReady === null),
  )
  const keeper = startKeeper(enforcer)
  await keeper.started
  await recallBudgets(ledger, sawBudget)
  notReady = 'policies are not read yet'
  const stoppedEarly = await Promise.race([synced.then(() => null), stop])
  if (stoppedEarly === null) {
    door.serve()
    notReady = null
    const httpPort = (http.address() as AddressInfo).port
    say('ready', {
      grpc: config.grpcListen.startsWith('unix:') ? config.grpcListen : `${splitAddress(config.grpcListen).host}:${door.port}`,
      http: `${splitAddress(config.httpListen).host}:${httpPort}`,
    })
  }

  const why = stoppedEarly ?? (await stop)
  notReady = 'draining'
  say('draining', { why, seconds: config.drainSeconds })
  const drained = await within(door.drain(), config.drainSeconds * 1_000)
  if (!drained) door.settleOpen()
  // What the door closes now is settled, so it is closed before the outbox is drained.
  door.stop()
  const lost = await settler.drain(SETTLE_AT_STOP_MS)
  keeper.stop()
  http.close()
  http.closeAllConnections()
  await wiring.tokens?.close()
  await policies.close()
  await ledger.close()
  say('stopped', { drained, settlementsLeftToTheSweep: lost })
  return 0
}

function tell(change: PolicyChange, { say, telemetry }: Wiring): void {
  switch (change.kind) {
    case 'accepted':
      say('policies changed', { objects: change.objects, warnings: change.warnings })
      break
    case 'refused':
      telemetry.fault('policies refused, what was good last stays in force', { problems: change.problems.join('\n') })
      break
    case 'away':
      telemetry.fault('policies are not heard of, what was read last stays in force', { why: change.why })
      break
    case 'back':
      say('policies are heard of again', {})
      break
    default:
      assertNever(change)
  }
}

async function recallBudgets(ledger: Ledger, sawBudget: (key: BudgetKey) => void): Promise<void> {
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: Awaited<ReturnType<Ledger['list']>> = await ledger.list({ prefix: '', cursor, count: 1_000 })
    if (page.kind !== 'read') return
    for (const { key } of page.value.budgets) sawBudget(key)
    cursor = page.value.next
  }
}

/** Whether `work` ended within `ms`. */
async function within(work: Promise<void>, ms: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(resolve, ms, false)
  void work.then(() => resolve(true))
  const ended = await promise
  clearTimeout(timer)
  return ended
}
