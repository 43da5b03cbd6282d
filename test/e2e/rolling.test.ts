// A rolling update: two replicas on one Redis behind Envoy's health checks are replaced one after the other under load. No client notices,
// no reservation is lost, and everything is charged exactly.
import { setTimeout as after } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import { startTraffic, storyOf, type Traffic } from '../chaos/traffic.ts'
import { type Answer, call, manyConnections } from './call.ts'
import { fourLevels, KEY, LEVELS } from './policies.ts'
import { CHAT_PATH, chatBody, startTestProvider, type TestProvider } from './provider.ts'
import { type Purser, startPurser } from './purser.ts'
import { until } from './until.ts'
import { nano, rowOf, settled, startWorld, type World } from './world.ts'

const STREAMS = 12
const CALLERS = 4
const endings: (() => unknown)[] = []

afterEach(async () => {
  for (const ending of endings.splice(0).reverse()) await ending()
})

/** Plain calls beside the streams: a caller asks again as soon as it has its answer. */
function startCallers(port: number): { readonly answers: readonly Answer[]; stop(): Promise<void> } {
  const agent = manyConnections()
  const answers: Answer[] = []
  let stopping = false
  const caller = async (): Promise<void> => {
    while (!stopping) {
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${KEY}` }
      answers.push(await call({ port, agent, path: CHAT_PATH, headers, body: chatBody(1_000, false) }))
      await after(20)
    }
  }
  const running = Array.from({ length: CALLERS }, caller)
  return {
    answers,
    stop: async () => {
      stopping = true
      await Promise.all(running)
      agent.destroy()
    },
  }
}

/** SIGTERM, and a successor at the same address once it has gone, as a StatefulSet would. */
async function replace(leaving: Purser, world: World): Promise<Purser> {
  const before = await leaving.openReservations()
  const ended = leaving.child.end('SIGTERM')
  await until('it to say that it drains', 10_000, null, async () => {
    const page = await fetch(`http://127.0.0.1:${leaving.httpPort}/readyz`).catch(() => null)
    return page === null || (page.status === 503 && (await page.text()).includes('draining'))
  })
  expect(await ended).toBe(0)
  expect(before).toBeGreaterThan(0)
  const next = await startPurser({
    policies: world.policies.path,
    ledger: world.redisUrl ?? '',
    drainSeconds: 30,
    grpcPort: leaving.grpcPort,
  })
  endings.push(() => next.child.end('SIGKILL'))
  await world.envoy.healthy('purser', 2)
  return next
}

it('loses no reservation, and refuses nothing', { timeout: 180_000 }, async () => {
  const provider: TestProvider = await startTestProvider({ chunkDelayMs: 20, outputTokens: 100 })
  endings.push(() => provider.stop())
  const world = await startWorld({
    ledger: 'redis',
    replicas: 2,
    objects: fourLevels('100000'),
    providerPort: provider.port,
    purser: { drainSeconds: 30 },
  })
  endings.push(() => world.stop())
  const traffic: Traffic = startTraffic(world.envoy.port, STREAMS)
  endings.push(() => traffic.stop())
  const callers = startCallers(world.envoy.port)
  endings.push(() => callers.stop())
  await until('streams at both replicas', 30_000, world.purser.child, async () => (await world.purser.openByHolder()).size === 2)

  const [first, second] = world.pursers
  if (first === undefined || second === undefined) throw new Error('there are two replicas')
  const newFirst = await replace(first, world)
  await until('streams at both again', 30_000, newFirst.child, async () => (await newFirst.openByHolder()).size === 2)
  const newSecond = await replace(second, world)
  await until('streams at both again', 30_000, newSecond.child, async () => (await newSecond.openByHolder()).size === 2)

  await callers.stop()
  await traffic.stop()
  await until('the provider to have billed everything', 30_000, null, async () => (await provider.open()) === 0)
  const rows = await settled(newFirst, 30_000)
  const answers = [...traffic.answers, ...callers.answers]
  console.log(`rolling update: ${answers.length} calls: ${storyOf(answers)}`)
  const harmed = answers.filter(({ status, end }) => status !== 200 || end !== 'whole')
  expect(harmed.map(({ status, end, body }) => ({ status, end, body: body.slice(-200) }))).toEqual([])
  for (const purser of [newFirst, newSecond]) expect(await purser.metric('purser_reservations_closed_total', { how: 'expired' })).toBe(0)
  const billed = await provider.billed()
  for (const level of LEVELS) {
    const { spent, suspense, reserved } = rowOf(rows, level)
    expect({ level, spent: nano(spent), suspense, reserved }).toEqual({ level, spent: billed, suspense: '0', reserved: '0' })
  }
})
