// One process that reserves for many calls at once and settles each at what it cost; prints its own bill. Run by many-reserves.test.ts.
import type { Unit } from '../../src/core/budget.ts'
import type { Line } from '../../src/core/reservation.ts'
import { reservationIds } from '../../src/enforcer/store-time.ts'
import { openRedisLedger } from '../../src/redis/ledger.ts'
import { systemClock, systemRandom, systemTimer } from '../../src/system.ts'
import { LEVELS } from './levels.ts'

const [url = '', count = '', holder = ''] = process.argv.slice(2)
const ledger = await openRedisLedger({ url, name: 'many', clock: systemClock, timer: systemTimer, streamMax: 200_000 })
const mintId = reservationIds(systemRandom)
const bill: Record<Unit, bigint> = { USD: 0n, Tokens: 0n, InputTokens: 0n, OutputTokens: 0n, Requests: 0n }
const upTo = (most: number): bigint => BigInt(Math.floor(systemRandom.fraction() * (most + 1)))
let admitted = 0

async function one(): Promise<void> {
  const [input, output] = [1n + upTo(500), 1n + upTo(2_000)]
  const amounts: Record<Unit, bigint> = {
    USD: input * 2_500n + output * 10_000n,
    Tokens: input + output,
    InputTokens: input,
    OutputTokens: output,
    Requests: 1n,
  }
  const lines = LEVELS.map((level): Line => ({ ...level, amount: amounts[level.unit], floor: amounts[level.unit] }))
  const nowMs = Date.now()
  const id = mintId(nowMs)
  const move = {
    id,
    holder: holder as never,
    alternatives: [lines],
    deadlineMs: nowMs + 60_000,
    notAfterMs: nowMs + 60_000,
    priceBook: 'b',
  }
  const outcome = await ledger.reserve(move)
  if (outcome.kind === 'refused') return
  if (outcome.kind !== 'reserved') throw new Error(`a reserve was ${outcome.kind}`)
  admitted += 1
  if (systemRandom.fraction() < 0.1) {
    await ledger.release({ id, holder: move.holder, lines, how: 'never-sent' })
    return
  }
  const used = upTo(Number(output))
  const cost: Record<Unit, bigint> = {
    USD: input * 2_500n + used * 10_000n,
    Tokens: input + used,
    InputTokens: input,
    OutputTokens: used,
    Requests: 1n,
  }
  for (const unit of Object.keys(bill) as Unit[]) bill[unit] += cost[unit]
  const settled = await ledger.settle({
    id,
    holder: move.holder,
    lines,
    amounts: lines.map(line => cost[line.unit]),
    proven: true,
    how: 'exact',
  })
  if (settled.kind !== 'settled') throw new Error(`a settlement was ${settled.kind}`)
}

await ledger.beat(holder as never)
process.stdout.write('"ready"\n')
await new Promise(resolve => process.stdin.once('data', resolve))
await Promise.all(Array.from({ length: Number(count) }, one))
await ledger.close()
process.stdout.write(`${JSON.stringify({ admitted, bill }, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value))}\n`)
process.exit(0)
