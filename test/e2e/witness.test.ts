// The access log as a second witness of the default wiring: nothing is lost with or without it, and with it less is charged without proof.
import { afterEach, describe, expect, it } from 'vitest'
import { type Answer, call } from './call.ts'
import type { EnvoyConfig } from './envoy.ts'
import { accessKey, budgetPolicy, KEY } from './policies.ts'
import { CHAT_PATH, chatBody, startTestProvider, type TestProvider } from './provider.ts'
import { until } from './until.ts'
import { addRetriedRoute, withOneConnection, withoutLog } from './wirings.ts'
import { nano, rowOf, settled, startWorld, type World } from './world.ts'

let provider: TestProvider | null = null
let world: World | null = null

afterEach(async () => {
  await world?.stop()
  await provider?.stop()
  world = null
  provider = null
})

const start = async (edit: (config: EnvoyConfig) => void): Promise<{ world: World; provider: TestProvider }> => {
  provider = await startTestProvider()
  const limits = [{ name: 'all', unit: 'USD', amount: '10', window: { lifetime: {} } }]
  const objects = [budgetPolicy('dollar', { limits }), accessKey([])]
  world = await startWorld({ ledger: 'sqlite', replicas: 1, objects, providerPort: provider.port, envoy: { edit } })
  // The first call of a process on a busy machine may be refused.
  const here = world
  await until('a call to be answered', 30_000, here.purser.child, async () => (await ask(here, {})).status === 200)
  await settled(here.purser, 15_000)
  return { world, provider }
}

const ask = ({ envoy }: World, headers: Readonly<Record<string, string>>, timeoutMs?: number, path = CHAT_PATH): Promise<Answer> =>
  call({
    port: envoy.port,
    path,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}`, ...headers },
    body: chatBody(600, false),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  })

const spent = async (here: World) => {
  const row = rowOf(await here.purser.budgets(), 'dollar')
  return { charged: nano(row.spent), suspense: nano(row.suspense) }
}

/** One call holds the only connection to the provider; ten others wait for it, and are given up by their clients. */
async function leaveWhileWaiting(edit: (config: EnvoyConfig) => void): Promise<{ suspense: bigint; over: bigint }> {
  const { world: here, provider: there } = await start(config => {
    withOneConnection(config)
    edit(config)
  })
  const long = ask(here, { 'x-fake-delay-ms': '3000' })
  await until('the long call to be at the provider', 10_000, null, async () => (await there.open()) === 1)
  const left = await Promise.all(Array.from({ length: 10 }, () => ask(here, {}, 400)))
  expect(left.map(answer => answer.status)).toEqual(left.map(() => 0))
  expect((await long).status).toBe(200)
  await settled(here.purser, 15_000)
  return { ...(await spent(here)), over: (await spent(here)).charged - (await there.billed()) }
}

describe('clients that leave while their calls wait for a connection', () => {
  it('are charged without the log, for the provider may have been asked, and not with it', async () => {
    const without = await leaveWhileWaiting(withoutLog)
    await world?.stop()
    await provider?.stop()
    expect(without.suspense).toBeGreaterThan(0n)
    expect(without.over).toBe(without.suspense)
    const { world: here, provider: there } = await (async () => {
      const result = await leaveWhileWaiting(() => {})
      if (world === null || provider === null) throw new Error('the world is up')
      expect(result.over).toBeGreaterThanOrEqual(0n)
      return { world, provider }
    })()
    await until('the log to be heard', 10_000, here.purser.child, async () => (await spent(here)).suspense === 0n)
    expect(await spent(here)).toEqual({ charged: await there.billed(), suspense: 0n })
    console.log(`ten calls that never left: ${without.suspense} nano-USD in suspense without the log, 0 with it`)
  })
})

describe('attempts that Envoy makes again', () => {
  it('cost the input of each one that the provider may have read', async () => {
    const { world: here, provider: there } = await start(addRetriedRoute)
    const [before, billedBefore] = [await spent(here), await there.billed()]
    const answer = await ask(here, { 'x-fake-error': 'reset' }, undefined, `/retried${CHAT_PATH}`)
    expect(answer.status).toBe(503)
    await settled(here.purser, 15_000)
    await until(
      'the log to be heard',
      10_000,
      here.purser.child,
      async () => (await here.envoy.stat('access_logs.grpc_access_log.logs_written')) >= 2,
    )
    await settled(here.purser, 15_000)
    const charged = (await spent(here)).charged - before.charged
    const suspense = (await spent(here)).suspense
    const billed = (await there.billed()) - billedBefore
    console.log(`three attempts: charged ${charged} nano-USD, billed ${billed}`)
    expect(billed).toBe(3n * 100n * 2_500n)
    expect(suspense).toBe(charged)
    // Both witnesses saw them, and each attempt is charged once: the last at the whole estimate, the others at their input (256 tokens).
    expect(charged).toBe(6_640_000n + 2n * 256n * 2_500n)
  })

  it('cost nothing where the route says that it repeats only what was not sent', async () => {
    const { world: here, provider: there } = await start(() => {})
    expect((await ask(here, {})).status).toBe(200)
    await settled(here.purser, 15_000)
    expect(await spent(here)).toEqual({ charged: await there.billed(), suspense: 0n })
  })
})
