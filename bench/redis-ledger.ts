// Measures the Redis ledger on a real server of its own: pairs of reserve and settle a second, and how long a reserve takes.
import { randomBytes } from 'node:crypto'
import type { BudgetKey } from '../src/core/budget.ts'
import type { Holder, Line, ReservationId } from '../src/core/reservation.ts'
import type { Ledger } from '../src/ports.ts'
import { openRedisLedger } from '../src/redis/ledger.ts'
import { systemTimer } from '../src/system.ts'
import { RedisServer } from '../test/redis/server.ts'

const SECONDS = 3
const CLOCK = { wallMs: () => Date.now(), monotonicMs: () => performance.now() }
const holder = randomBytes(16).toString('hex') as Holder

/** Four levels, as a call of one of ten teams and a hundred users has them: organisation, team, key, user. */
function linesOf(call: number): Line[] {
  const names = ['organisation', `team-${call % 10}`, `key-${call % 50}`, `user-${call % 100}`]
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

async function round(ledger: Ledger, inFlight: number, seconds: number): Promise<string> {
  const took: number[] = []
  const start = performance.now()
  const until = start + seconds * 1_000
  let call = 0
  const cpu = process.cpuUsage()
  const client = async (): Promise<void> => {
    while (performance.now() < until) await pair(ledger, call++, took)
  }
  await Promise.all(Array.from({ length: inFlight }, client))
  const elapsed = (performance.now() - start) / 1_000
  const used = process.cpuUsage(cpu)
  took.sort((a, b) => a - b)
  const at = (part: number): string => (took[Math.floor(took.length * part)] ?? 0).toFixed(2).padStart(8)
  const busy = ((used.user + used.system) / 10_000 / elapsed).toFixed(0)
  const pairs = Math.round(took.length / elapsed)
  return `${String(inFlight).padStart(9)}  ${String(pairs).padStart(7)}  ${at(0.5)}  ${at(0.99)}  ${busy.padStart(11)}`
}

const server = await RedisServer.start()
const ledger = await openRedisLedger({ url: server.url, name: 'bench', clock: CLOCK, timer: systemTimer, streamMax: 200_000 })
try {
  await round(ledger, 50, 1)
  console.log('reserve and settle, 4 lines each, on one Redis of its own (milliseconds are of the reserve)')
  console.log('in flight  pairs/s   p50 ms    p99 ms  our CPU, %')
  for (const inFlight of [1, 10, 50, 500]) console.log(await round(ledger, inFlight, SECONDS))
} finally {
  await ledger.close()
  await server.stop()
}
