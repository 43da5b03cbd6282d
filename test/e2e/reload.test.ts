// Policies change while the service runs: the next calls obey the new ones, a faulty change is told and changes nothing, spend is kept.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, call } from './call.ts'
import { accessKey, budgetPolicy, KEY } from './policies.ts'
import { CHAT_PATH, chatBody, startTestProvider, type TestProvider } from './provider.ts'
import { nano, rowOf, settled, startWorld, type World } from './world.ts'

const REAL = 100n * 2_500n + 500n * 10_000n

let provider: TestProvider
let world: World

const coins = (amount: string, more: Readonly<Record<string, unknown>> = {}): unknown =>
  budgetPolicy('coins', { limits: [{ name: 'all', unit: 'USD', amount, window: { lifetime: {} } }], ...more })

beforeAll(async () => {
  provider = await startTestProvider()
  world = await startWorld({ ledger: 'sqlite', replicas: 1, objects: [coins('1'), accessKey([])], providerPort: provider.port })
})

afterAll(async () => {
  await world?.stop()
  await provider?.stop()
})

const ask = (): Promise<Answer> =>
  call({
    port: world.envoy.port,
    path: CHAT_PATH,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
    body: chatBody(1_000, false),
  })

/** Writes the file, and resolves when the service has said what it makes of it. */
async function change(objects: readonly unknown[], message: string): Promise<string> {
  const said = world.purser.child.lines.length
  world.policies.write('policies.yaml', objects)
  let seen = 0
  return await world.purser.child.line(line => ++seen > said && line.includes(`"msg":"${message}`), 15_000)
}

describe('a change of policies', () => {
  it('is obeyed by the next call, and keeps what was spent', async () => {
    expect((await ask()).status).toBe(200)
    await change([coins('0.005'), accessKey([])], 'policies changed')
    const refused = await ask()
    expect([refused.status, refused.headers['x-purser-reason'], refused.headers['x-purser-budget']]).toEqual([
      403,
      'never-fits',
      'default/coins/all',
    ])
    await change([coins('2'), accessKey([])], 'policies changed')
    expect((await ask()).status).toBe(200)
    const row = rowOf(await settled(world.purser, 10_000), 'coins')
    expect([row.amount, nano(row.spent), nano(row.available)]).toEqual(['2', 2n * REAL, 2_000_000_000n - 2n * REAL])
  })

  it('changes nothing where it is faulty, and says what is wrong and where', async () => {
    const line = await change([coins('1.50 dollars'), accessKey([])], 'policies refused')
    expect(line).toContain('policies.yaml')
    expect(line).toContain('amount')
    expect((await ask()).status).toBe(200)
    expect(rowOf(await settled(world.purser, 10_000), 'coins').amount).toBe('2')
  })

  it('may forbid a model', async () => {
    await change([coins('2', { permissions: { models: { deny: ['gpt-4*'] } } }), accessKey([])], 'policies changed')
    const refused = await ask()
    expect([refused.status, refused.headers['x-purser-reason'], refused.headers['x-should-retry']]).toEqual([
      403,
      'model-forbidden',
      'false',
    ])
  })

  it('may take a key away', async () => {
    await change([coins('2'), accessKey([], `psk_${Buffer.alloc(32, 5).toString('base64url')}`)], 'policies changed')
    expect((await ask()).headers['x-purser-reason']).toBe('unknown-key')
  })
})
