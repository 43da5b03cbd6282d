// Measures what ledgers take up: a reservation that is open, a budget that is idle again, a partition of a lifetime. Prints a table; `--write`
// keeps it in bench/results. Times nothing.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type BudgetKey, budgetKey, type Unit } from '../src/core/budget.ts'
import type { Holder, Line, ReservationId } from '../src/core/reservation.ts'
import type { Window, WindowSpec } from '../src/core/window.ts'
import { openMemoryLedger } from '../src/memory/ledger.ts'
import type { Ledger } from '../src/ports.ts'
import { openRedisLedger } from '../src/redis/ledger.ts'
import { openSqliteLedger } from '../src/sqlite/ledger.ts'
import { systemTimer } from '../src/system.ts'
import { type TestClock, testClock } from '../test/contract/clock.ts'
import { RedisServer } from '../test/redis/server.ts'

const COUNT = 10_000
const AT_ONCE = 200
const STREAM_MAX = 1_000 // full before anything is measured, so that it is in no figure
const HOLDER = 'b'.repeat(32) as Holder
const MINUTE = 60_000
const DAY = 86_400_000
const RESULTS = join(import.meta.dirname, 'results/ledger-memory.md')

interface Store {
  readonly name: string
  readonly clock: TestClock
  ledger(): Ledger
  /** What it takes up now, in bytes, garbage not counted. */
  bytes(): Promise<number>
  close(): Promise<void>
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

async function memoryStore(): Promise<Store> {
  const clock = testClock()
  const ledger = openMemoryLedger({ clock, streamMax: STREAM_MAX })
  const bytes = async (): Promise<number> => {
    collectGarbage()
    return process.memoryUsage().heapUsed
  }
  return { name: 'memory (heap)', clock, ledger: () => ledger, bytes, close: () => ledger.close() }
}

async function sqliteStore(): Promise<Store> {
  const clock = testClock()
  const folder = mkdtempSync(join(tmpdir(), 'purser-bench-'))
  const file = join(folder, 'ledger.db')
  const open = (): Promise<Ledger> => openSqliteLedger({ file, clock, streamMax: STREAM_MAX })
  let ledger = await open()
  const bytes = async (): Promise<number> => {
    await ledger.close()
    const database = new DatabaseSync(file, { readOnly: true })
    const pragma = (name: string): number => Number(database.prepare(`PRAGMA ${name}`).get()?.[name])
    const used = (pragma('page_count') - pragma('freelist_count')) * pragma('page_size')
    database.close()
    // What was open is expired by this: measured is what stood before.
    ledger = await open()
    return used
  }
  const close = async (): Promise<void> => {
    await ledger.close()
    rmSync(folder, { recursive: true, force: true })
  }
  return { name: 'SQLite (file)', clock, ledger: () => ledger, bytes, close }
}

async function redisStore(server: RedisServer): Promise<Store> {
  const clock = testClock()
  const ledger = await openRedisLedger({
    url: server.url,
    name: 'bench',
    clock,
    timer: systemTimer,
    streamMax: STREAM_MAX,
    storeClockMs: clock.wallMs,
  })
  const bytes = async (): Promise<number> => Number(/used_memory:(\d+)/.exec(String(await server.command('INFO', 'memory')))?.[1])
  return { name: 'Redis (used_memory)', clock, ledger: () => ledger, bytes, close: () => ledger.close() }
}

/** A line as a policy makes it: `name` is the limit's, `who` its partition. */
function lineOf(name: string, unit: Unit, spec: WindowSpec & Window, who: string): Line {
  const identity = {
    scope: 'BudgetPolicy',
    namespace: 'team-a',
    policy: 'spending',
    limit: name,
    unit,
    window: spec,
    partition: [who],
  } as const
  const key: BudgetKey = budgetKey(identity)
  const version = { createdMs: 1_700_000_000_000, generation: 3, grantMs: 0 }
  return { key, unit, window: spec, amount: 1_000_000n, limit: 10n ** 15n, version, hard: true, floor: 1_000_000n }
}

const LIFETIME = { kind: 'lifetime' } as const
const usual = (call: number): readonly Line[] =>
  ['organisation', 'team', 'key', 'user'].map((name, level) => lineOf(name, 'USD', LIFETIME, `${name}-${call % [1, 10, 50, 100][level]!}`))
const idle = (call: number): readonly Line[] => [
  lineOf('rate', 'Requests', { kind: 'sliding', lengthMs: MINUTE }, `user-${call}`),
  lineOf('at-once', 'Requests', { kind: 'inFlight' }, `user-${call}`),
]
const lasting = (call: number): readonly Line[] => [lineOf('ever', 'USD', LIFETIME, `user-${call}`)]

let minted = 0
async function reserve({ ledger, clock }: Store, lines: readonly Line[]): Promise<ReservationId> {
  minted += 1
  const nowMs = clock.wallMs()
  const id = `${nowMs.toString(16).padStart(12, '0')}${minted.toString(16).padStart(20, '0')}` as ReservationId
  const move = {
    id,
    holder: HOLDER,
    alternatives: [lines],
    deadlineMs: nowMs + 10 * MINUTE,
    notAfterMs: nowMs + MINUTE,
    priceBook: 'c'.repeat(16),
  }
  const outcome = await ledger().reserve(move)
  // A busy server's answer may be late: the repeat says that it is done.
  if (outcome.kind !== 'reserved' && outcome.kind !== 'exists') throw new Error(`a reserve answered ${JSON.stringify(outcome)}`)
  return id
}

async function settled(store: Store, lines: readonly Line[]): Promise<void> {
  const id = await reserve(store, lines)
  const amounts = lines.map(line => line.amount / 2n)
  const outcome = await store.ledger().settle({ id, holder: HOLDER, lines, amounts, proven: true, how: 'bench' })
  if (outcome.kind !== 'settled' && outcome.kind !== 'already-settled') throw new Error(`a settlement answered ${JSON.stringify(outcome)}`)
}

async function many(count: number, act: (call: number) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < count; from += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => act(from + index)))
}

/** Lets so much time pass that nothing closed is remembered, and collects all that can be. */
async function rest({ ledger, clock }: Store): Promise<void> {
  clock.advance(DAY + MINUTE)
  for (;;) {
    const swept = await ledger().sweep()
    if (swept.kind !== 'swept') throw new Error(`a sweep answered ${swept.kind}`)
    if (!swept.more) return
  }
}

/** The same before every measurement: the same stream, as long as it gets, and nothing closed. */
async function still(store: Store): Promise<number> {
  await many(2 * STREAM_MAX, call => settled(store, usual(call)))
  await rest(store)
  return store.bytes()
}

/** Bytes of [an open reservation of four lines, an idle balance after its collection, a lifetime partition]. */
async function measure(store: Store): Promise<readonly number[]> {
  const empty = await still(store)
  await many(COUNT, call => reserve(store, usual(call)))
  const open = await store.bytes()
  await rest(store)
  const before = await still(store)
  await many(COUNT, call => settled(store, idle(call)))
  await rest(store)
  const collected = await still(store)
  await many(COUNT, call => settled(store, lasting(call)))
  await rest(store)
  const lasted = await still(store)
  return [(open - empty) / COUNT, (collected - before) / (2 * COUNT), (lasted - collected) / COUNT]
}

const ROWS = ['an open reservation of four lines', 'an idle balance (sliding, inFlight), collected', 'a partition of a lifetime limit']
const server = await RedisServer.start()
const columns: { readonly name: string; readonly figures: readonly number[] }[] = []
try {
  for (const open of [memoryStore, sqliteStore, () => redisStore(server)]) {
    const store = await open()
    columns.push({ name: store.name, figures: await measure(store) })
    await store.close()
  }
  const redis = /redis_version:(\S+)/.exec(String(await server.command('INFO', 'server')))?.[1]
  const table = [
    `| bytes of | ${columns.map(column => column.name).join(' | ')} |`,
    `|---|${columns.map(() => '---:|').join('')}`,
    ...ROWS.map((row, index) => `| ${row} | ${columns.map(({ figures }) => Math.round(figures[index] ?? 0)).join(' | ')} |`),
  ].join('\n')
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, Redis ${redis}`
  const told = `# What ledgers take up\n
${table}\n
Means over ${COUNT} each, the stream of entries not counted. SQLite: pages in use; the file does not shrink, its free pages are used again.\n
Measured by \`node bench/ledger-memory.ts\` on ${machine}.\n`
  process.stdout.write(told)
  if (process.argv.includes('--write')) {
    mkdirSync(join(RESULTS, '..'), { recursive: true })
    writeFileSync(RESULTS, told)
    process.stderr.write(`written to ${RESULTS} (${readFileSync(RESULTS).length} bytes)\n`)
  }
} finally {
  await server.stop()
}
