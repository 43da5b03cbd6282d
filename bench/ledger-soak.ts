// Ten million moves over a million partitions of hourly budgets, without an exporter: what the store takes up must stay flat, and `verify` must
// still prove what is left of the stream. `node bench/ledger-soak.ts [MOVES]`; store time is told to the ledger, so that hours pass quickly.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { BudgetKey } from '../src/core/budget.ts'
import type { Holder, Line, ReservationId, ReserveMove, SettleMove } from '../src/core/reservation.ts'
import type { Ledger } from '../src/ports.ts'
import { openRedisLedger } from '../src/redis/ledger.ts'
import { systemTimer } from '../src/system.ts'
import { testClock } from '../test/contract/clock.ts'
import { RedisServer } from '../test/redis/server.ts'

const HOUR = 3_600_000
const MOVES = Number(process.argv[2] ?? 10_000_000)
const PARTITIONS_AN_HOUR = 20_000
const LIFECYCLES_A_PARTITION = 5
const HOURS = Math.max(1, Math.round(MOVES / 2 / LIFECYCLES_A_PARTITION / PARTITIONS_AN_HOUR))
const WARM_HOURS = 4 // balances are collected two hours after their hour
const AT_ONCE = 500
const HOLDER = 'c'.repeat(32) as Holder
const STREAM_MAX = 200_000
const FLAT = 1.1

const clock = testClock()
const server = await RedisServer.start()
let minted = 0

function lineOf(partition: number): Line {
  const startMs = Math.floor(clock.wallMs() / HOUR) * HOUR
  const key = `BudgetPolicy|default|soak|hourly|Tokens|Hour:UTC|user-${startMs / HOUR}-${partition}` as BudgetKey
  const version = { createdMs: 1, generation: 1, grantMs: 0 }
  const window = { kind: 'calendar', startMs, endMs: startMs + HOUR } as const
  return { key, unit: 'Tokens', window, amount: 100n, limit: 1_000_000n, version, hard: true, floor: 100n }
}

async function lifecycle(ledger: Ledger, partition: number): Promise<void> {
  const nowMs = clock.wallMs()
  const lines = [lineOf(partition)]
  minted += 1
  const id = `${nowMs.toString(16).padStart(12, '0')}${minted.toString(16).padStart(20, '0')}` as ReservationId
  const reserve: ReserveMove = {
    id,
    holder: HOLDER,
    alternatives: [lines],
    deadlineMs: nowMs + HOUR,
    notAfterMs: nowMs + 5_000,
    priceBook: 'soak',
  }
  const settle: SettleMove = { id, holder: HOLDER, lines, amounts: [70n], proven: true, how: 'exact' }
  const reserved = await answered(() => ledger.reserve(reserve))
  const settled = await answered(() => ledger.settle(settle))
  const isDone = /^(reserved|exists)$/.test(reserved.kind) && /^(settled|already-settled)$/.test(settled.kind)
  if (!isDone) throw new Error(`a lifecycle was ${reserved.kind}, ${settled.kind}`)
}

/** A busy machine may hold up an answer for longer than a ledger waits: every move may be repeated. */
async function answered<Outcome extends { readonly kind: string }>(move: () => Promise<Outcome>): Promise<Outcome> {
  for (;;) {
    const outcome = await move()
    if (outcome.kind !== 'unavailable') return outcome
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

async function hour(ledger: Ledger): Promise<void> {
  const total = PARTITIONS_AN_HOUR * LIFECYCLES_A_PARTITION
  const steps = 50
  for (let step = 0; step < steps; step++) {
    const from = (total / steps) * step
    for (let at = from; at < from + total / steps; at += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => lifecycle(ledger, (at + n) % PARTITIONS_AN_HOUR)))
    }
    await ledger.beat(HOLDER)
    clock.advance(HOUR / steps)
    for (;;) {
      const swept = await answered(() => ledger.sweep())
      if (swept.kind !== 'swept') throw new Error(`a sweep was ${swept.kind}`)
      if (!swept.more) break
    }
  }
}

const usedMb = async (): Promise<number> => {
  const text = String(await server.command('INFO', 'memory'))
  return Number(/used_memory:(\d+)/.exec(text)?.[1]) / 1_048_576
}

const ledger = await openRedisLedger({
  ...{ url: server.url, name: 'soak', clock, timer: systemTimer, streamMax: STREAM_MAX, storeClockMs: clock.wallMs },
})
try {
  console.log(`${HOURS} hours of ${PARTITIONS_AN_HOUR} partitions with ${LIFECYCLES_A_PARTITION} lifecycles each`)
  let warm = Number.NaN
  for (let n = 1; n <= HOURS; n++) {
    await hour(ledger)
    const mb = await usedMb()
    if (n === WARM_HOURS) warm = mb
    console.log(`hour ${n}: ${(n * 2 * PARTITIONS_AN_HOUR * LIFECYCLES_A_PARTITION).toLocaleString('en')} moves, ${mb.toFixed(1)} MB`)
    if (n > WARM_HOURS && mb > warm * FLAT) throw new Error(`memory grew from ${warm.toFixed(1)} MB to ${mb.toFixed(1)} MB`)
  }
  await ledger.close()
  execFileSync(join(import.meta.dirname, '../bin/purser'), ['verify', '--ledger', server.url, '--ledger-name', 'soak'], {
    stdio: 'inherit',
  })
} finally {
  await ledger.close()
  await server.stop()
}
process.exit(0)
