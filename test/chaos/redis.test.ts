// Redis stopped, killed, paused, emptied of its scripts, filled, and cut off, under real traffic: nobody is expired, and every cent is exact.
import { setTimeout as pass } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { call } from '../e2e/call.ts'
import { fourLevels, KEY, LEVELS } from '../e2e/policies.ts'
import { CHAT_PATH, chatBody, startTestProvider, type TestProvider } from '../e2e/provider.ts'
import { until } from '../e2e/until.ts'
import { nano, rowOf, settled, startWorld, type World } from '../e2e/world.ts'
import { Relay } from '../redis/relay.ts'
import { startTraffic, storyOf, type Traffic } from './traffic.ts'

const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always']
const STREAMS = 50

let world: World
let provider: TestProvider
let traffic: Traffic | null
let relay: Relay | null

beforeEach(() => {
  traffic = null
  relay = null
})
afterEach(async () => {
  await traffic?.stop()
  await world.stop()
  await relay?.stop()
  await provider.stop()
})

async function start(setting: { readonly chunkDelayMs?: number; readonly redisArgs?: readonly string[]; readonly relayed?: boolean } = {}) {
  provider = await startTestProvider({ chunkDelayMs: setting.chunkDelayMs ?? 10, outputTokens: 100 })
  world = await startWorld({
    ledger: 'redis',
    replicas: 2,
    objects: fourLevels('100000'),
    providerPort: provider.port,
    redisArgs: setting.redisArgs ?? DURABLE,
    ...(setting.relayed === true
      ? {
          redisUrl: async server => {
            relay = await Relay.start(server.port)
            return relay.url
          },
        }
      : {}),
  })
  if (world.redis === null) throw new Error('this world has a Redis')
  return world.redis
}

const ask = (): ReturnType<typeof call> =>
  call({
    port: world.envoy.port,
    path: CHAT_PATH,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
    body: chatBody(1_000, false),
  })

/** Resolves when a call is admitted again; answers how long that took, ms. */
async function back(): Promise<number> {
  const started = performance.now()
  await until('calls to be admitted again', 30_000, world.purser.child, async () => (await ask()).status === 200)
  return performance.now() - started
}

/**
 * At quiet: every level charged exactly what was billed, nothing open, nothing in suspense, nothing ever expired. A stream that a stalled
 * machine had Envoy cut has no proof, and is charged at least what it cost: a few of these are allowed.
 */
async function expectExact(): Promise<void> {
  await traffic?.stop()
  await until('the provider to have billed everything', 30_000, null, async () => (await provider.open()) === 0)
  const rows = await settled(world.purser, 60_000)
  const billed = await provider.billed()
  const expired = await Promise.all(world.pursers.map(purser => purser.metric('purser_reservations_closed_total', { how: 'expired' })))
  console.log(`billed $${Number(billed) / 1e9}; ${traffic === null ? 'no streams' : storyOf(traffic.answers)}`)
  expect(expired).toEqual(world.pursers.map(() => 0))
  const answers = traffic?.answers ?? []
  const cut = answers.filter(({ status, end }) => status === 200 && end === 'cut').length
  expect(cut).toBeLessThanOrEqual(answers.length / 20)
  for (const level of LEVELS) {
    const { spent, suspense, reserved, overrun } = rowOf(rows, level)
    const proven = nano(spent) - nano(suspense)
    expect({ level, reserved, overrun }).toEqual({ level, reserved: '0', overrun: '0' })
    if (cut === 0) expect({ level, spent: nano(spent), proven }).toEqual({ level, spent: billed, proven: billed })
    else expect([level, proven <= billed, billed <= nano(spent)]).toEqual([level, true, true])
  }
}

/** Nothing is admitted, and each is told so in bounded time: answers the quickest of some, for others may have waited for this machine. */
async function refusedWithin(): Promise<number> {
  const times: number[] = []
  for (let n = 0; n < 8; n++) {
    const answer = await ask()
    expect([answer.status, answer.headers['x-purser-reason']]).toEqual([503, 'ledger-unavailable'])
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
    times.push(answer.totalMs)
  }
  return Math.min(...times)
}

describe('Redis', () => {
  it('stopped for 40 s, then killed and restarted, with 50 streams open, expires nobody', { timeout: 240_000 }, async () => {
    const redis = await start({ chunkDelayMs: 550 }) // a stream takes nearly a minute
    traffic = startTraffic(world.envoy.port, STREAMS)
    const running = traffic
    await until('all streams to be open', 60_000, world.purser.child, async () => (await world.purser.openReservations()) === STREAMS)
    redis.freeze()
    await pass(40_000)
    await redis.kill()
    await redis.up()
    await back()
    await running.stop()
    await expectExact()
  })

  it('killed and restarted under load loses nothing that it acknowledged', { timeout: 240_000 }, async () => {
    const redis = await start()
    traffic = startTraffic(world.envoy.port, STREAMS)
    for (let round = 0; round < 5; round++) {
      await pass(1_500)
      await redis.kill()
      await redis.up()
      const ms = await back()
      console.log(`restart ${round + 1}: admitted again after ${ms.toFixed(0)} ms`)
    }
    await expectExact()
  })

  it('that forgets its scripts is recovered, and goes on', { timeout: 120_000 }, async () => {
    const redis = await start()
    traffic = startTraffic(world.envoy.port, STREAMS)
    for (let round = 0; round < 5; round++) {
      await pass(800)
      await redis.command('SCRIPT', 'FLUSH')
      await back()
    }
    await expectExact()
  })

  it('that is paused, stalled or cut off is waited for, and nothing is charged twice', { timeout: 240_000 }, async () => {
    const redis = await start({ relayed: true })
    traffic = startTraffic(world.envoy.port, STREAMS)
    for (let round = 0; round < 3; round++) {
      await pass(800)
      await redis.command('CLIENT', 'PAUSE', '1500', 'WRITE')
      await back()
      relay?.deafen()
      await back()
      relay?.point(redis.port) // hangs up, half-way through whatever was under way
      await back()
      redis.freeze()
      await pass(1_000)
      redis.thaw()
      await back()
    }
    await expectExact()
  })

  it('that is full refuses to reserve, and still settles', { timeout: 120_000 }, async () => {
    const redis = await start({ chunkDelayMs: 40 })
    traffic = startTraffic(world.envoy.port, STREAMS)
    const running = traffic
    await until('streams to be open', 30_000, world.purser.child, async () => (await world.purser.openReservations()) >= STREAMS / 2)
    await redis.command('CONFIG', 'SET', 'maxmemory', '1mb')
    await refusedWithin()
    await running.stop()
    await until('what was open to be settled', 30_000, world.purser.child, async () => (await world.purser.openReservations()) === 0)
    await redis.command('CONFIG', 'SET', 'maxmemory', '0')
    await back()
    await expectExact()
  })

  it('that is away is told of at once: 503 within 50 ms where it refuses, within 600 ms where it is silent', {
    timeout: 120_000,
  }, async () => {
    const redis = await start()
    expect((await ask()).status).toBe(200)
    redis.freeze()
    const first = await ask()
    expect(first.status).toBe(503)
    const stalled = await refusedWithin()
    redis.thaw()
    const afterStall = await back()
    await redis.kill()
    const closed = await refusedWithin()
    await redis.up()
    const afterDeath = await back()
    console.log(
      `silent: the first after ${first.totalMs.toFixed(0)} ms, then ${stalled.toFixed(1)} ms; gone: ${closed.toFixed(1)} ms; back after ${afterStall.toFixed(0)} and ${afterDeath.toFixed(0)} ms`,
    )
    expect(stalled).toBeLessThan(50)
    expect(closed).toBeLessThan(50)
    expect(afterStall).toBeLessThan(2_000)
    expect(afterDeath).toBeLessThan(2_000)
    await expectExact()
  })
})
