// A replica is asked to go while calls run: no client notices, every call is charged, and the process ends by itself with 0.
import { afterEach, describe, expect, it } from 'vitest'
import { type Answer, call, manyConnections } from './call.ts'
import { accessKey, budgetPolicy, KEY } from './policies.ts'
import { CHAT_PATH, chatBody, startTestProvider, type TestProvider } from './provider.ts'
import type { BudgetRow } from './purser.ts'
import { until } from './until.ts'
import { nano, rowOf, settled, startWorld, type World } from './world.ts'

const STREAMS = 40
const REAL = 100n * 2_500n + 500n * 10_000n

let world: World | null = null
let provider: TestProvider | null = null

afterEach(async () => {
  await world?.stop()
  await provider?.stop()
  world = null
  provider = null
})

describe('SIGTERM in the middle of streams', () => {
  it('harms no client, and meters every stream to its end where there is time', async () => {
    const { answers, rows, billed, code } = await drainWhileStreaming({ drainSeconds: 30, chunkDelayMs: 6 })
    expect(code).toBe(0)
    expect(answers.filter(answer => !isWhole(answer)).map(({ status, end, body }) => ({ status, end, body: body.slice(-200) }))).toEqual([])
    const row = rowOf(rows, 'dollars')
    expect(billed).toBe(REAL * BigInt(answers.length))
    expect([nano(row.spent), nano(row.suspense)]).toEqual([billed, 0n])
  })

  it('harms no client, and charges at least the bill where the time is too short', async () => {
    const { answers, rows, billed, code } = await drainWhileStreaming({ drainSeconds: 1, chunkDelayMs: 8 })
    expect(code).toBe(0)
    expect(answers.filter(answer => !isWhole(answer)).map(({ status, end, body }) => ({ status, end, body: body.slice(-200) }))).toEqual([])
    const row = rowOf(rows, 'dollars')
    console.log(`drain: billed $${Number(billed) / 1e9}, charged $${row.spent}, of it unproven $${row.suspense}`)
    expect(nano(row.suspense)).toBeGreaterThan(0n)
    expect(nano(row.spent)).toBeGreaterThanOrEqual(billed)
  })
})

const isWhole = (answer: Answer): boolean =>
  answer.status === 200 && answer.end === 'whole' && (answer.body.endsWith('data: [DONE]\n\n') || answer.body.startsWith('{'))

interface Drained {
  readonly answers: readonly Answer[]
  readonly rows: readonly BudgetRow[]
  readonly billed: bigint
  readonly code: number | string
}

async function drainWhileStreaming({ drainSeconds, chunkDelayMs }: { drainSeconds: number; chunkDelayMs: number }): Promise<Drained> {
  provider = await startTestProvider({ chunkDelayMs })
  world = await startWorld({
    ledger: 'redis',
    replicas: 2,
    objects: [budgetPolicy('dollars', { limits: [{ name: 'all', unit: 'USD', amount: '10', window: { lifetime: {} } }] }), accessKey([])],
    providerPort: provider.port,
    purser: { drainSeconds },
  })
  const [leaving, staying] = world.pursers
  if (leaving === undefined || staying === undefined) throw new Error('there are two replicas')
  const { port } = world.envoy
  const agent = manyConnections()
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${KEY}` }
  let started = 0
  const half = Promise.withResolvers<void>()
  const streams = Array.from({ length: STREAMS }, () => {
    let counted = false
    return call({
      port,
      agent,
      path: CHAT_PATH,
      headers,
      body: chatBody(1_000, true),
      // Never hangs up: it only tells when every stream is well under way.
      abortWhen: body => {
        if (!counted && body.length > 20_000) {
          counted = true
          if (++started === STREAMS) half.resolve()
        }
        return false
      },
    })
  })
  await half.promise
  const ended = leaving.child.end('SIGTERM')
  // New calls go on meanwhile, one after the other, until the replica is gone.
  const during: Answer[] = []
  let gone = false
  void ended.then(() => {
    gone = true
  })
  while (!gone || during.length < 20) during.push(await call({ port, agent, path: CHAT_PATH, headers, body: chatBody(1_000, false) }))
  const answers = [...(await Promise.all(streams)), ...during]
  agent.destroy()
  const over = provider
  await until('the provider to have billed everything', 30_000, null, async () => (await over.open()) === 0)
  const rows = await settled(staying, 30_000)
  console.log(`drain: ${STREAMS} streams and ${during.length} calls, ${answers.filter(isWhole).length} of them whole`)
  return { answers, rows, billed: await provider.billed(), code: await ended }
}
