// Measures the Redis ledger on a real server of its own: lifecycles (reserve and settle) a second, how long a reserve takes, and what of
// Redis's core a lifecycle costs; with group commit, and with a connection a client, where no two share a script. `--write` keeps the table.
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import type { BudgetKey } from '../src/core/budget.ts'
import type { Holder, Line, ReservationId } from '../src/core/reservation.ts'
import type { Ledger } from '../src/ports.ts'
import { openRedisLedger } from '../src/redis/ledger.ts'
import { systemClock, systemTimer } from '../src/system.ts'
import { RedisServer } from '../test/redis/server.ts'

const SECONDS = 3
const CLIENTS = [1, 10, 50, 200]
const RESULTS = join(import.meta.dirname, 'results/redis-ledger.md')
const holder = randomBytes(16).toString('hex') as Holder

/** Six budgets, as a call of one of ten teams and a hundred users has them. */
function linesOf(call: number): Line[] {
  const names = ['organisation', 'namespace', `team-${call % 10}`, `key-${call % 50}`, `user-${call % 100}`, `model-${call % 7}`]
  return names.map(name => ({
    key: `BudgetPolicy|default|bench|${name}|USD|lifetime` as BudgetKey,
    unit: 'USD',
    window: { kind: 'lifetime' },
    amount: 1_000_000n,
    limit: 10n ** 18n,
    version: { createdMs: 1, generation: 1, grantMs: 0 },
    hard: true,
    floor: 1_000_000n,
  }))
}

async function pair(ledger: Ledger, call: number, took: number[]): Promise<void> {
  const nowMs = Date.now()
  const lines = linesOf(call)
  const id = `${nowMs.toString(16).padStart(12, '0')}${randomBytes(10).toString('hex')}` as ReservationId
  const start = performance.now()
  const move = { id, holder, alternatives: [lines], deadlineMs: nowMs + 600_000, notAfterMs: nowMs + 5_000, priceBook: 'bench' }
  const reserved = await ledger.reserve(move)
  took.push(performance.now() - start)
  if (reserved.kind !== 'reserved' && reserved.kind !== 'exists') throw new Error(`a reserve answered ${JSON.stringify(reserved)}`)
  const settled = await ledger.settle({ id, holder, lines, amounts: lines.map(() => 700_000n), proven: true, how: 'bench' })
  if (settled.kind !== 'settled' && settled.kind !== 'already-settled') throw new Error(`a settle answered ${JSON.stringify(settled)}`)
}

interface Round {
  readonly pairs: number
  readonly p50: number
  readonly p99: number
  /** Of Redis, and of this process, in ms of CPU a lifecycle. */
  readonly redisMs: number
  readonly ownMs: number
}

/** `ledgers`: one for all clients, or one each. */
async function round(ledgers: readonly Ledger[], clients: number, seconds: number): Promise<Round> {
  const took: number[] = []
  const [redisBefore, own] = [await redisCpuMs(), process.cpuUsage()]
  const start = performance.now()
  const until = start + seconds * 1_000
  let call = 0
  const client = async (ledger: Ledger | undefined): Promise<void> => {
    if (ledger === undefined) throw new Error('every client has a ledger')
    while (performance.now() < until) await pair(ledger, call++, took)
  }
  await Promise.all(Array.from({ length: clients }, (_, index) => client(ledgers[index % ledgers.length])))
  const elapsed = (performance.now() - start) / 1_000
  const used = process.cpuUsage(own)
  const count = took.length
  took.sort((a, b) => a - b)
  const at = (part: number): number => took[Math.floor(count * part)] ?? Number.NaN
  return {
    pairs: count / elapsed,
    p50: at(0.5),
    p99: at(0.99),
    redisMs: ((await redisCpuMs()) - redisBefore) / count,
    ownMs: (used.user + used.system) / 1_000 / count,
  }
}

/** What Redis used of its core so far. */
async function redisCpuMs(): Promise<number> {
  const text = String(await server.command('INFO', 'cpu'))
  return ['user', 'sys'].reduce(
    (sum, kind) => sum + 1_000 * Number(new RegExp(`used_cpu_${kind}_main_thread:([\\d.]+)`).exec(text)?.[1]),
    0,
  )
}

const server = await RedisServer.start()
const open = (): Promise<Ledger> =>
  openRedisLedger({ url: server.url, name: 'bench', clock: systemClock, timer: systemTimer, streamMax: 200_000 })
const lines: string[] = []
const say = (line: string): void => {
  lines.push(line)
  console.log(line)
}
const opened: Ledger[] = []
try {
  for (let n = 0; n < Math.max(...CLIENTS); n++) opened.push(await open())
  const [shared] = opened
  if (shared === undefined) throw new Error('there is a ledger')
  await round([shared], 50, 1)
  say('# Lifecycles of the Redis ledger')
  say('')
  say(
    `\`make bench\`, or \`node bench/redis-ledger.ts --write\`; ${new Date().toISOString().slice(0, 10)}, ${cpus().length} x ${cpus()[0]?.model.trim()},`,
  )
  say('clients, Redis and Node on the same cores. A lifecycle is a reserve and a settlement with 6 lines each; times are of the reserve.')
  say('')
  say(
    '| clients | commit | lifecycles/s | p50 ms | p99 ms | Redis, µs of CPU each | lifecycles a second of one Redis core | Node, µs of CPU each |',
  )
  say('|---|---|---|---|---|---|---|---|')
  for (const clients of CLIENTS) {
    for (const [commit, ledgers] of [
      ['group', [shared]],
      ['alone', opened.slice(0, clients)],
    ] as const) {
      const { pairs, p50, p99, redisMs, ownMs } = await round(ledgers, clients, SECONDS)
      const cells = [
        clients,
        commit,
        pairs.toFixed(0),
        p50.toFixed(2),
        p99.toFixed(2),
        (redisMs * 1_000).toFixed(0),
        (1_000 / redisMs).toFixed(0),
      ]
      say(`| ${[...cells, (ownMs * 1_000).toFixed(0)].join(' | ')} |`)
    }
  }
} finally {
  for (const ledger of opened) await ledger.close()
  await server.stop()
}
if (process.argv.includes('--write')) {
  mkdirSync(join(RESULTS, '..'), { recursive: true })
  writeFileSync(RESULTS, `${lines.join('\n')}\n`)
}
