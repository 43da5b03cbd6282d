// Never over: 500 clients at once against one dollar on four levels, by a real Envoy, in every way that makes peers spend more.
import { cpus } from 'node:os'
import { afterEach, describe, expect, it } from 'vitest'
import { REASONS } from '../../src/core/verdict.ts'
import { type Child, startChild } from './child.ts'
import { fourLevels, KEY, LEVELS } from './policies.ts'
import { CHAT_PATH, chatBody, startTestProvider, type TestProvider } from './provider.ts'
import { histogramQuantile } from './purser.ts'
import { type Storm, storm, stormLine } from './storm.ts'
import { nano, rowOf, settled, startWorld, type World } from './world.ts'

const DOLLAR = 1_000_000_000n
const CLIENTS = 500

let world: World | null = null
let provider: TestProvider | null = null
let busy: Child[] = []

afterEach(async () => {
  await Promise.all(busy.map(child => child.end('SIGKILL')))
  busy = []
  await world?.stop()
  await provider?.stop()
  world = null
  provider = null
})

describe('a budget of $1.00 on four levels, under 500 clients', () => {
  it('holds in a burst: Redis, 3 replicas', async () => {
    await holds('burst', { ledger: 'redis', replicas: 3, spreadMs: 0, starved: false })
  })

  it('holds when the starts are spread over a second: Redis, 3 replicas', async () => {
    await holds('staggered', { ledger: 'redis', replicas: 3, spreadMs: 1_000, starved: false })
  })

  it('holds with six busy loops beside it: Redis, 3 replicas', async () => {
    busy = Array.from({ length: 6 }, (_, index) => startChild(`busy:${index}`, '/bin/sh', ['-c', 'while :; do :; done']))
    await holds('starved', { ledger: 'redis', replicas: 3, spreadMs: 0, starved: true })
  }, 300_000)

  it('holds in a burst: SQLite, 1 replica', async () => {
    await holds('burst on SQLite', { ledger: 'sqlite', replicas: 1, spreadMs: 0, starved: false })
  })
})

interface Case {
  readonly ledger: 'redis' | 'sqlite'
  readonly replicas: number
  readonly spreadMs: number
  /** Whether something else takes the processors, so that a replica may have to say 503. */
  readonly starved: boolean
}

async function holds(name: string, { ledger, replicas, spreadMs, starved }: Case): Promise<void> {
  provider = await startTestProvider({ delayMs: 1_000, outputTokens: 500 })
  world = await startWorld({ ledger, replicas, objects: fourLevels('1'), providerPort: provider.port })
  const bodies = [chatBody(1_000, false), chatBody(1_000, true)] as const
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${KEY}` }
  const result = await storm({
    port: world.envoy.port,
    clients: CLIENTS,
    spreadMs,
    patience: 3,
    request: client => ({ path: CHAT_PATH, headers, body: bodies[client % 2 === 0 ? 0 : 1] }),
  })
  const rows = await settled(world.purser, 60_000)
  const billed = await provider.billed()
  const p50s = await Promise.all(
    world.pursers.map(async purser => histogramQuantile(await purser.metricsText(), 'purser_decision_duration_seconds', 0.5)),
  )
  console.log(stormLine(name, result, billed))
  const closed = await Promise.all(HOWS.map(async how => ({ how, count: await closedBy(how) })))
  console.log(`${name}: closed ${closed.flatMap(({ how, count }) => (count > 0 ? [`${count} ${how}`] : [])).join(', ')}`)
  console.log(`${name}: decision p50 of each replica ${p50s.map(s => `${(s * 1_000).toFixed(2)} ms`).join(', ')} on ${cpus().length} cores`)

  expect(billed, 'what the provider billed').toBeLessThanOrEqual(DOLLAR)
  expect(billed, 'what was used').toBeGreaterThanOrEqual((DOLLAR * 95n) / 100n)
  for (const level of LEVELS) {
    const row = rowOf(rows, level)
    expect([level, nano(row.spent)]).toEqual([level, billed])
    expect([level, nano(row.reserved), nano(row.suspense), nano(row.overrun)]).toEqual([level, 0n, 0n, 0n])
    expect([level, nano(row.available)]).toEqual([level, DOLLAR - billed])
  }
  everyRefusalExplains(result, starved)
}

/** The ends of a reservation that the metrics tell apart. */
const HOWS = ['exact', 'partial', 'absent', 'lost', 'error', 'unread', 'released']

async function closedBy(how: string): Promise<number> {
  const counts = await Promise.all((world?.pursers ?? []).map(purser => purser.metric('purser_reservations_closed_total', { how })))
  return counts.reduce((sum, count) => sum + count, 0)
}

function everyRefusalExplains({ refused, broken }: Storm, starved: boolean): void {
  expect(broken.map(({ status, headers, body, end }) => ({ status, headers, body, end })).slice(0, 5)).toEqual([])
  for (const { status, headers, body } of refused) {
    const { error } = JSON.parse(body) as { error: { message: string } }
    expect(REASONS).toContain(headers['x-purser-reason'])
    // A replica that gets no processor may say so; it then asked no budget.
    if (starved && status === 503) continue
    expect([402, 429]).toContain(status)
    expect(headers['x-purser-budget']).toMatch(/^(organisation\/yearly|default\/teams\/monthly|default\/users\/hourly|default\/ada\/all)$/)
    if (status === 402) expect(headers['x-should-retry']).toBe('false')
    else expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1)
    expect(error.message).toMatch(/^Budget ".+" of .+\.$/s)
  }
}
