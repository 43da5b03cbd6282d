import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { budgetKey } from '../../src/core/budget.ts'
import { startHealthServer, startHttpServer } from '../../src/http/server.ts'
import type { Ledger } from '../../src/ports.ts'
import { request } from '../enforcer/requests.ts'
import { openWorld, type World } from '../enforcer/world.ts'

const POLICY = `
apiVersion: purser.dev/v1alpha1
kind: BudgetPolicy
metadata: {name: team}
spec:
  limits:
  - {name: money, unit: USD, amount: "1.00", window: {calendar: Day, timeZone: UTC}}
  - {name: rate, unit: Requests, amount: "5", window: {sliding: 1m}}
  - {name: each, unit: Tokens, amount: "5000", window: {lifetime: {}}, partitionBy: [{route: name}]}
  reservation: {defaultMaxOutputTokens: 1000}
`
let server: Server | null = null
let notReady: string | null = null

async function start(world: World, ledger: Ledger = world.ledger): Promise<string> {
  const { policies, time } = world.enforcer
  const metrics = async () => ({ contentType: 'text/plain', body: 'metrics' })
  server = await startHttpServer(
    { ledger, policies, nowMs: () => time.now(), notReady: () => notReady, metrics, token: null },
    '127.0.0.1',
    0,
  )
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

afterEach(() => {
  server?.close()
  server?.closeAllConnections()
  notReady = null
})

interface Row {
  readonly limit: string
  readonly partition: string | null
  readonly [field: string]: unknown
}
const rows = async (url: string): Promise<Row[]> => ((await (await fetch(url)).json()) as { budgets: Row[] }).budgets

async function reserve(world: World): Promise<void> {
  const exchange = world.open()
  exchange.requestHeaders(request({ routeName: 'llm' }))
  const body = { model: 'gpt-4o', messages: [{ role: 'user', content: 'hello' }], max_tokens: 1000 }
  expect((await exchange.requestBody(Buffer.from(JSON.stringify(body)))).kind).toBe('admit')
  exchange.verdictWritten()
}

describe('/v1/budgets', () => {
  it('shows declared limits before the first call, and partitions once used', async () => {
    const world = await openWorld(POLICY)
    const url = await start(world)
    expect((await rows(`${url}/v1/budgets`)).map(row => [row.limit, row.partition])).toEqual([
      ['money', null],
      ['rate', null],
    ])
    await reserve(world)
    const after = await rows(`${url}/v1/budgets`)
    expect(after.map(row => [row.limit, row.partition])).toEqual([
      ['each', 'llm'],
      ['money', null],
      ['rate', null],
    ])
    expect(after[1]).toMatchObject({
      unit: 'USD',
      amount: '1',
      spent: '0',
      suspense: '0',
      overrun: '0',
      window: { kind: 'calendar', start: '2026-11-24T00:00:00.000Z', end: '2026-11-25T00:00:00.000Z' },
    })
    expect(Number(after[1]?.['available']) + Number(after[1]?.['reserved'])).toBeCloseTo(1, 9)
    expect(after[2]?.['window']).toEqual({ kind: 'sliding', start: '2026-11-24T11:59:00.000Z', end: '2026-11-24T12:00:00.000Z' })
    expect(after[0]?.['window']).toEqual({ kind: 'lifetime', start: null, end: null })
    expect((await rows(`${url}/v1/budgets?limit=each&partition=llm`)).length).toBe(1)
    expect((await rows(`${url}/v1/budgets?namespace=other`)).length).toBe(0)
  })

  it('shows the amount that is declared now, before the next call tells it to the ledger', async () => {
    const world = await openWorld(POLICY)
    await reserve(world)
    const current = world.enforcer.policies.current()
    const raised = current.declared().map(one => ({ ...one, limit: { ...one.limit, amount: one.limit.amount * 2n } }))
    const policies = { ...world.enforcer.policies, current: () => ({ ...current, declared: () => raised }) }
    const url = await start({ ...world, enforcer: { ...world.enforcer, policies } })
    for (const row of await rows(`${url}/v1/budgets`)) {
      expect([row.limit, row['amount']]).toEqual([row.limit, { money: '2', rate: '10', each: '10000' }[row.limit]])
      expect(Number(row['available'])).toBeCloseTo(Number(row['amount']) - Number(row['spent']) - Number(row['reserved']), 9)
    }
  })

  it('pages through more budgets than one page holds, each once', async () => {
    const world = await openWorld(POLICY)
    const line = (name: string) => ({
      key: budgetKey({
        scope: 'BudgetPolicy',
        namespace: 'default',
        policy: 'team',
        limit: 'each',
        unit: 'Tokens',
        window: { kind: 'lifetime' },
        partition: [name],
      }),
      unit: 'Tokens' as const,
      window: { kind: 'lifetime' } as const,
      amount: 1n,
      limit: 10n,
      version: { createdMs: 0, generation: 0, grantMs: 0 },
      hard: true,
      floor: 1n,
    })
    const { time, holder } = world.enforcer
    for (let i = 0; i < 50; i++) {
      const lines = Array.from({ length: 50 }, (_, j) => line(`p${i}-${j}`))
      const id = `${time.now().toString(16).padStart(12, '0')}${String(i).padStart(20, '0')}` as never
      const move = { id, holder, alternatives: [lines], deadlineMs: time.now() + 1_000, notAfterMs: time.now() + 1_000, priceBook: '' }
      expect((await world.ledger.reserve(move)).kind).toBe('reserved')
    }
    const url = await start(world)
    const keys: unknown[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const page = (await (await fetch(`${url}/v1/budgets?cursor=${encodeURIComponent(cursor)}`)).json()) as {
        budgets: Row[]
        next: string | null
      }
      expect(page.budgets.length).toBeLessThanOrEqual(1_002)
      keys.push(...page.budgets.map(row => row['key']))
      cursor = page.next
    }
    expect(keys.length).toBe(2_502)
    expect(new Set(keys).size).toBe(2_502)
  })

  it('says so where the ledger is away', async () => {
    const world = await openWorld(POLICY)
    const away = async () => ({ kind: 'unavailable', why: 'test' }) as const
    const url = await start(world, { ...world.ledger, list: away, reservations: away })
    expect((await fetch(`${url}/v1/budgets`)).status).toBe(503)
    expect((await fetch(`${url}/v1/reservations`)).status).toBe(503)
  })
})

describe('the other pages', () => {
  it('lists open reservations', async () => {
    const world = await openWorld(POLICY)
    await reserve(world)
    const url = await start(world)
    const page = (await (await fetch(`${url}/v1/reservations?open=true`)).json()) as { reservations: unknown[] }
    expect(page.reservations).toMatchObject([{ state: 'open', admitted: '2026-11-24T12:00:00.000Z', lines: [{ unit: 'USD' }, {}, {}] }])
  })

  it('answers health, readiness, metrics, and nothing else', async () => {
    const url = await start(await openWorld(POLICY))
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    notReady = 'draining'
    const unready = await fetch(`${url}/readyz`)
    expect([unready.status, await unready.text()]).toEqual([503, 'draining\n'])
    expect(await (await fetch(`${url}/metrics`)).text()).toBe('metrics')
    expect((await fetch(`${url}/v2`)).status).toBe(404)
    expect((await fetch(`${url}/v1/budgets`, { method: 'POST' })).status).toBe(405)
  })
})

describe('the health server', () => {
  it('tells health and metrics, and nothing of budgets', async () => {
    const metrics = async () => ({ contentType: 'text/plain', body: 'metrics' })
    server = await startHealthServer({ notReady: () => notReady, metrics }, '127.0.0.1', 0)
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    notReady = 'policies are not read yet'
    const answers = ['/healthz', '/readyz', '/metrics', '/v1/budgets', '/v1/reservations'].map(
      async path => (await fetch(`${url}${path}`)).status,
    )
    expect(await Promise.all(answers)).toEqual([200, 503, 200, 404, 404])
    expect(await (await fetch(`${url}/v1/budgets`)).json()).toEqual({ error: 'served here: /healthz /readyz /metrics' })
  })
})
