// Nothing lost: streams cut by their clients, resets and errors of the provider, a replica killed in the middle; all of it is charged.
import type { Agent } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { openRedisLedger } from '../../src/redis/ledger.ts'
import { systemTimer } from '../../src/system.ts'
import { type Answer, call, manyConnections } from './call.ts'
import { accessKey, budgetPolicy, fourLevels, KEY, LEVELS } from './policies.ts'
import { CHAT_PATH, chatBody, startTestProvider, type TestProvider } from './provider.ts'
import { until } from './until.ts'
import { nano, rowOf, settled, startWorld, type World } from './world.ts'

const CLIENTS = 100
const CALLS_EACH = 4
const STREAMS = (CLIENTS * CALLS_EACH * 3) / 4

let world: World | null = null
let provider: TestProvider | null = null

afterEach(async () => {
  await world?.stop()
  await provider?.stop()
  world = null
  provider = null
})

const ask = (
  port: number,
  agent: Agent,
  stream: boolean,
  headers: Readonly<Record<string, string>>,
  abortWhen?: (body: string) => boolean,
): Promise<Answer> =>
  call({
    port,
    agent,
    path: CHAT_PATH,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}`, ...headers },
    body: chatBody(1_000, stream),
    ...(abortWhen === undefined ? {} : { abortWhen }),
  })

const events = (body: string): number => body.split('\n\n').length - 1

describe('a call that ends badly', () => {
  it('is charged, on every level, whoever ended it', async () => {
    provider = await startTestProvider({ delayMs: 200, chunkDelayMs: 4 })
    world = await startWorld({ ledger: 'redis', replicas: 3, objects: fourLevels('1000'), providerPort: provider.port })
    const { envoy, pursers } = world
    const [victim, witness] = pursers
    if (victim === undefined || witness === undefined) throw new Error('there are three replicas')
    const agent = manyConnections()
    const answers: Answer[] = []
    let killed: Promise<unknown> | null = null
    await Promise.all(
      Array.from({ length: CLIENTS }, async (_, client) => {
        for (let n = 0; n < CALLS_EACH; n++) {
          // Three of four calls are streams; of ten streams three are left half-way and one is reset, of twenty one has an error in it.
          const index = client * CALLS_EACH + n
          const stream = index % 4 !== 3
          const ordinal = Math.floor((index * 3) / 4)
          const fault = !stream ? 'none' : ordinal % 10 === 3 ? 'reset-mid-stream' : ordinal % 20 === 7 ? 'error-in-stream' : 'none'
          const leaves = stream && ordinal % 10 < 3
          const answer = await ask(envoy.port, agent, stream, { 'x-fake-error': fault }, leaves ? body => events(body) >= 250 : undefined)
          answers.push(answer)
          // In the middle of the run: calls are over, running and still to come.
          if (answers.length === (CLIENTS * CALLS_EACH) / 2) killed = victim.child.end('SIGKILL')
        }
      }),
    )
    await killed
    agent.destroy()
    const over = provider
    await until('the provider to have billed everything', 30_000, null, async () => (await over.open()) === 0)
    const rows = await settled(witness, 60_000)
    const billed = await provider.billed()
    const reservations = await reservedOf(world)

    const ends = (end: string): number => answers.filter(answer => answer.end === end).length
    const failed = answers.filter(answer => answer.end === 'whole' && answer.status !== 200).length
    console.log(
      `nothing lost: ${ends('whole')} whole (${failed} of them errors), ${ends('aborted')} left by their clients, ${ends('cut')} cut; billed $${usd(billed)}`,
    )
    for (const level of LEVELS) {
      const row = rowOf(rows, level)
      const reserved = reservations.get(row.key) ?? 0n
      console.log(`  ${level}: charged $${row.spent}, of it unproven $${row.suspense}; reserved in all $${usd(reserved)}`)
      expect([level, nano(row.spent) >= billed]).toEqual([level, true])
      expect([level, nano(row.spent) <= reserved]).toEqual([level, true])
      expect([level, row.reserved]).toEqual([level, '0'])
    }
    expect(ends('aborted')).toBeGreaterThanOrEqual(0.25 * STREAMS)
    expect(ends('cut')).toBeGreaterThanOrEqual(0.08 * STREAMS)
  })

  it('is charged at least what the provider bills and at most 1.6 times that, where a stream is left half-way', async () => {
    provider = await startTestProvider({ chunkDelayMs: 2 })
    world = await startWorld({
      ledger: 'redis',
      replicas: 1,
      objects: [budgetPolicy('dollar', { limits: [{ name: 'all', unit: 'USD', amount: '1', window: { lifetime: {} } }] }), accessKey([])],
      providerPort: provider.port,
    })
    const agent = manyConnections()
    const ratios: number[] = []
    for (let round = 0; round < 10; round++) {
      const [billedBefore, chargedBefore] = [await provider.billed(), nano(rowOf(await world.purser.budgets(), 'dollar').spent)]
      const answer = await ask(world.envoy.port, agent, true, {}, body => events(body) >= 250)
      expect(answer.end).toBe('aborted')
      const over = provider
      await until('the bill of the stream', 10_000, null, async () => (await over.open()) === 0)
      const charged = nano(rowOf(await settled(world.purser, 10_000), 'dollar').spent) - chargedBefore
      const billed = (await provider.billed()) - billedBefore
      ratios.push(Number(charged) / Number(billed))
    }
    agent.destroy()
    console.log(`half a stream: charged ${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)} times the bill`)
    expect(Math.min(...ratios)).toBeGreaterThanOrEqual(1)
    expect(Math.max(...ratios)).toBeLessThanOrEqual(1.6)
  })
})

/** All that was ever reserved on each budget, as the ledger's own stream tells it. */
async function reservedOf({ redis }: World): Promise<ReadonlyMap<string, bigint>> {
  if (redis === null) throw new Error('the world has no Redis')
  const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() }
  const ledger = await openRedisLedger({ url: redis.url, name: 'default', clock, timer: systemTimer, streamMax: 200_000 })
  const sums = new Map<string, bigint>()
  try {
    for (let afterSeq = 0; ; ) {
      const page = await ledger.entries({ afterSeq, count: 500 })
      if (page.kind !== 'read') throw new Error(`the ledger's stream: ${page.kind}`)
      for (const entry of page.value) {
        afterSeq = entry.seq
        if (entry.what === 'reserved') for (const line of entry.lines) sums.set(line.key, (sums.get(line.key) ?? 0n) + line.amount)
      }
      if (page.value.length === 0) return sums
    }
  } finally {
    await ledger.close()
  }
}

const usd = (nanoUsd: bigint): string => (Number(nanoUsd) / 1e9).toFixed(6)
