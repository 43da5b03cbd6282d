// Everything that one suite runs against: a provider, a store, replicas of Purser and an Envoy before them; started in order, ended whole.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseDecimalUp } from '../../src/core/money.ts'
import { RedisServer, type ServerOptions } from '../redis/server.ts'
import { type Envoy, type EnvoySetting, startEnvoy } from './envoy.ts'
import { type PolicyFolder, policyFolder } from './policies.ts'
import { type BudgetRow, type Purser, type PurserSetting, startPurser } from './purser.ts'
import { until } from './until.ts'

export interface World {
  readonly envoy: Envoy
  readonly pursers: readonly Purser[]
  readonly policies: PolicyFolder
  /** Null for a ledger without Redis. */
  readonly redisUrl: string | null
  readonly redis: RedisServer | null
  /** Any replica: they show the same. */
  readonly purser: Purser
  stop(): Promise<void>
}

export interface WorldSetting {
  readonly ledger: 'redis' | 'sqlite'
  readonly replicas: number
  readonly objects: readonly unknown[]
  readonly providerPort: number
  /** Of the Redis, where there is one. */
  readonly server?: ServerOptions
  readonly purser?: Partial<PurserSetting>
  /** More of the command line of redis-server. */
  readonly redisArgs?: readonly string[]
  /** What replicas call instead of the server itself, a relay say; made when the server is there. */
  readonly redisUrl?: (server: RedisServer) => Promise<string>
  readonly envoy?: Partial<EnvoySetting>
}

export async function startWorld(setting: WorldSetting): Promise<World> {
  const endings: (() => Promise<unknown> | unknown)[] = []
  const stop = async (): Promise<void> => {
    for (const ending of endings.splice(0).reverse()) await ending()
  }
  try {
    const policies = policyFolder(setting.objects)
    endings.push(() => policies.remove())
    const redis = setting.ledger === 'redis' ? await RedisServer.start(setting.redisArgs, setting.server) : null
    endings.push(() => redis?.stop())
    const ledger = redis === null ? newFile(endings) : ((await setting.redisUrl?.(redis)) ?? redis.url)
    const pursers = await Promise.all(
      Array.from({ length: setting.replicas }, async () => {
        const purser = await startPurser({ policies: policies.path, ledger, drainSeconds: 1, ...setting.purser })
        endings.push(() => purser.child.end('SIGTERM', 10_000))
        return purser
      }),
    )
    const purserPorts = pursers.map(purser => purser.grpcPort)
    const envoy = await startEnvoy({ purserPorts, providerPort: setting.providerPort, ...setting.envoy })
    endings.push(() => envoy.stop())
    const [purser] = pursers
    if (purser === undefined) throw new Error('a world has at least one replica')
    return { envoy, pursers, policies, redisUrl: redis === null ? null : ledger, redis, purser, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function newFile(endings: (() => unknown)[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'purser-ledger-'))
  endings.push(() => rmSync(folder, { recursive: true, force: true }))
  return `sqlite:${join(folder, 'ledger.db')}`
}

/** An amount of `/v1/budgets` in USD as nano-USD; throws for anything that is not one. */
export function nano(text: string): bigint {
  const magnitude = parseDecimalUp(text.replace(/^-/, ''), 9)
  if (magnitude === null) throw new Error(`not an amount: ${text}`)
  return text.startsWith('-') ? -magnitude : magnitude
}

/** Resolves with all rows once nothing is reserved any more and no reservation is open. */
export async function settled(purser: Purser, timeoutMs: number): Promise<readonly BudgetRow[]> {
  let rows: readonly BudgetRow[] = []
  await until('every reservation to be closed', timeoutMs, purser.child, async () => {
    if ((await purser.openReservations()) > 0) return false
    rows = await purser.budgets()
    return rows.every(row => Number(row.reserved) === 0)
  })
  return rows
}

/** The row of a policy's only limit that was spent from. */
export function rowOf(rows: readonly BudgetRow[], policy: string): BudgetRow {
  const found = rows.filter(row => row.policy === policy)
  const used = found.filter(row => nano(row.spent) > 0n)
  const [row] = used.length > 0 ? used : found
  if (row === undefined || used.length > 1) throw new Error(`${used.length} rows of ${policy} among ${rows.map(r => r.key).join(', ')}`)
  return row
}
