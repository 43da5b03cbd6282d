// Real clocks that err: Redis' or a replica's own, an hour ahead into the next month and back, while calls come through Envoy.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FakeClock } from '../redis/fake-clock.ts'
import { type Answer, call } from './call.ts'
import { accessKey, budgetPolicy, KEY } from './policies.ts'
import { CHAT_PATH, chatBody, startTestProvider, type TestProvider } from './provider.ts'
import { nano, rowOf, settled, startWorld, type World } from './world.ts'

const HOUR = 3_600_000
const REAL = 100n * 2_500n + 500n * 10_000n

/** Half an hour before the end of some month to come. */
const START_MS = Date.UTC(new Date().getUTCFullYear() + 1, 5, 1) - HOUR / 2
const MONTH = [new Date(Date.UTC(new Date(START_MS).getUTCFullYear(), 4, 1)), new Date(START_MS + HOUR / 2)].map(at => at.toISOString())

let provider: TestProvider
beforeAll(async () => {
  provider = await startTestProvider()
})
afterAll(async () => {
  await provider?.stop()
})

describe.each(['redis', 'sqlite'] as const)('with a ledger in %s', ledger => {
  const aheadMs = Math.floor((START_MS - Date.now()) / 1_000) * 1_000
  const store = new FakeClock(aheadMs)
  const replica = new FakeClock(aheadMs)
  let world: World

  beforeAll(async () => {
    const limits = [
      { name: 'month', unit: 'USD', amount: '1', window: { calendar: 'Month' } },
      { name: 'hour', unit: 'Requests', amount: '1000', window: { calendar: 'Hour' } },
    ]
    world = await startWorld({
      ...{ ledger, replicas: 1, providerPort: provider.port },
      objects: [budgetPolicy('coins', { limits }), accessKey([])],
      server: { env: store.env },
      purser: { env: replica.env },
    })
  })
  afterAll(async () => {
    const pids = [world?.redis?.pid ?? null, world?.purser.child.pid ?? null]
    await world?.stop()
    store.remove(pids)
    replica.remove([])
  })

  const ask = (): Promise<Answer> =>
    call({
      port: world.envoy.port,
      path: CHAT_PATH,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
      body: chatBody(1_000, false),
    })
  const spent = async (): Promise<bigint> => {
    const row = rowOf(
      (await settled(world.purser, 10_000)).filter(each => each.limit === 'month'),
      'coins',
    )
    expect([row.window.start, row.window.end].map(text => new Date(text ?? '').toISOString())).toEqual(MONTH)
    return nano(row.spent)
  }

  const clocks = ledger === 'redis' ? { 'the clock of the store': store, 'the clock of the replica': replica } : { 'the clock': replica }
  it.each(Object.entries(clocks))(
    '%s, ahead into the next month and back: refused, nothing moves, served with the first call',
    async (_, clock) => {
      expect((await ask()).status).toBe(200)
      const before = await spent()
      expect(before > 0n && before % REAL === 0n).toBe(true)
      const errors = await world.purser.metric('purser_ledger_errors_total', { kind: 'clock-skew' })

      clock.turn(HOUR)
      for (let calls = 0; calls < 5; calls += 1) {
        const refused = await ask()
        expect([refused.status, refused.headers['x-purser-reason']]).toEqual([503, 'ledger-unavailable'])
      }
      expect(await world.purser.metric('purser_ledger_errors_total', { kind: 'clock-skew' })).toBeGreaterThanOrEqual(errors + 5)

      clock.turn(-HOUR)
      expect((await ask()).status).toBe(200)
      expect(await spent()).toBe(before + REAL)
      expect(await provider.open()).toBe(0)
    },
  )
})
