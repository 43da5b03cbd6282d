// The primary of Redis killed under traffic, with Sentinel and in a Cluster, and its slot moved: what was lost is told again, and the ledger
// ends at the bill.
import { afterEach, expect, it } from 'vitest'
import { call } from '../e2e/call.ts'
import { fourLevels, KEY, LEVELS } from '../e2e/policies.ts'
import { CHAT_PATH, chatBody, startTestProvider, type TestProvider } from '../e2e/provider.ts'
import { until } from '../e2e/until.ts'
import { nano, rowOf, settled, startWorld, type World } from '../e2e/world.ts'
import { Cluster } from '../redis/cluster.ts'
import { Sentinels } from '../redis/sentinels.ts'
import { startTraffic, storyOf, type Traffic } from './traffic.ts'

const KEY_OF_LEDGER = '{purser:default}:meta'
const endings: (() => Promise<unknown>)[] = []
let world: World
let provider: TestProvider
let traffic: Traffic

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

async function start(url: string): Promise<void> {
  provider = await startTestProvider({ chunkDelayMs: 10, outputTokens: 100 })
  endings.push(() => provider.stop())
  world = await startWorld({
    ledger: 'sqlite',
    replicas: 2,
    objects: fourLevels('100000'),
    providerPort: provider.port,
    purser: { ledger: url },
  })
  endings.push(() => world.stop())
  traffic = startTraffic(world.envoy.port, 50)
  endings.push(() => traffic.stop())
  await until('traffic', 30_000, world.purser.child, async () => traffic.answers.length >= 100)
}

async function back(): Promise<number> {
  const started = performance.now()
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${KEY}` }
  const body = chatBody(1_000, false)
  const ask = () => call({ port: world.envoy.port, path: CHAT_PATH, headers, body })
  await until('calls to be admitted again', 60_000, world.purser.child, async () => (await ask()).status === 200)
  return performance.now() - started
}

/** Every level at the bill: what the new primary did not have was told to it again, or brought by its settlement. */
async function expectAtTheBill(): Promise<void> {
  await traffic.stop()
  await until('the provider to have billed everything', 30_000, null, async () => (await provider.open()) === 0)
  const rows = await settled(world.purser, 60_000)
  const billed = await provider.billed()
  console.log(`billed $${Number(billed) / 1e9}; ${storyOf(traffic.answers)}`)
  for (const purser of world.pursers) {
    for (const line of purser.child.lines.filter(each => each.includes('recovered'))) console.log(line)
  }
  for (const level of LEVELS) {
    const { spent, suspense, reserved } = rowOf(rows, level)
    expect({ level, spent: nano(spent), suspense, reserved }).toEqual({ level, spent: billed, suspense: '0', reserved: '0' })
  }
}

it('a primary that is killed is replaced by Sentinel, three times over', { timeout: 240_000 }, async () => {
  const group = await Sentinels.start(2)
  endings.push(() => group.stop())
  await start(group.url)
  for (let round = 0; round < 3; round++) {
    await (await group.primary()).kill()
    console.log(`admitted again after ${(await back()).toFixed(0)} ms`)
    await group.heal()
  }
  await expectAtTheBill()
})

it('a primary of a Cluster that is killed is replaced, and the ledger is moved to another node and back', {
  timeout: 240_000,
}, async () => {
  const cluster = await Cluster.start()
  endings.push(() => cluster.stop())
  await start(cluster.url)
  await (await cluster.ownerOf(KEY_OF_LEDGER)).kill()
  console.log(`admitted again after ${(await back()).toFixed(0)} ms`)
  await cluster.heal()
  await cluster.moveSlot(KEY_OF_LEDGER, await cluster.otherThan(KEY_OF_LEDGER), async () => {})
  console.log(`moved; admitted again after ${(await back()).toFixed(0)} ms`)
  await expectAtTheBill()
})
