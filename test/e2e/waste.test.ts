// Wasted calls through a real Envoy, two replicas and Redis: what a loop costs the ledger, and what its client is told.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, call, manyConnections } from './call.ts'
import { answerAsChat, type Capture, startCapture } from './capture.ts'
import { accessKey } from './policies.ts'
import { CHAT_PATH } from './provider.ts'
import { startWorld, type World } from './world.ts'

let capture: Capture
let world: World

const keyOf = (name: string): string => `psk_${Buffer.from(name.padEnd(32, '.')).toString('base64url')}`
const key = (name: string, amount: string, waste: unknown): unknown =>
  accessKey([{ name: 'all', unit: 'USD', amount, window: { lifetime: {} } }], keyOf(name), name, { waste })

beforeAll(async () => {
  capture = await startCapture(answerAsChat)
  const objects = [key('loop', '0.001', { retryStorm: {} }), key('stuck', '5', { repeatedRequest: { max: 3, within: '5m' } })]
  world = await startWorld({ ledger: 'redis', replicas: 2, objects, providerPort: capture.port })
})

afterAll(async () => {
  await world?.stop()
  await capture?.stop()
})

const agent = manyConnections()

const send = async (name: string, body: string): Promise<Answer> =>
  await call({
    port: world.envoy.port,
    path: CHAT_PATH,
    agent,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${keyOf(name)}` },
    body,
  })

const decided = async (labels: Readonly<Record<string, string>>): Promise<number> => {
  const counts = await Promise.all(world.pursers.map(purser => purser.metric('purser_decisions_total', labels)))
  return counts.reduce((sum, count) => sum + count, 0)
}

describe('retryStorm', () => {
  it('lets a client that retries 1,000 times ask the ledger twice a second', async () => {
    const started = performance.now()
    const body = JSON.stringify({ model: 'gpt-4o', max_tokens: 1_000, messages: [{ role: 'user', content: 'Hi' }] })
    const answers: Answer[] = []
    const loop = async (): Promise<void> => {
      for (let asked = 0; asked < 250; asked++) answers.push(await send('loop', body))
    }
    await Promise.all([loop(), loop(), loop(), loop()])
    const seconds = (performance.now() - started) / 1_000
    const reasons = answers.map(({ headers }) => headers['x-purser-reason'])
    const repeated = answers.filter((_, index) => reasons[index] === 'retry-storm')
    const asked = await decided({ reason: 'never-fits' })
    console.log(`1,000 retries in ${seconds.toFixed(1)} s: the ledger was asked ${asked} times`)
    // Three refusals of each replica and what was on its way meanwhile; then one a second of each.
    expect(asked).toBeLessThanOrEqual(2 * (3 + 3) + 2 * seconds)
    // A starved machine may have refused a few for its own sake.
    expect(repeated.length).toBeGreaterThan(900 - asked)
    expect(await decided({ reason: 'retry-storm' })).toBeGreaterThanOrEqual(repeated.length)
    for (const { status, headers } of repeated) {
      expect(status).toBe(403)
      expect(headers['retry-after']).toMatch(/^([1-9]|[1-5]\d|60)$/)
    }
    expect(capture.requests).toEqual([])
  })
})

describe('repeatedRequest', () => {
  it('lets the same request pass so often in each replica, whatever its white space, and others at will', async () => {
    const body = (content: string): object => ({ model: 'gpt-4o', max_tokens: 100, messages: [{ role: 'user', content }] })
    const answers: Answer[] = []
    for (let asked = 0; asked < 20; asked++) answers.push(await send('stuck', JSON.stringify(body('Hi there'), null, asked % 5)))
    const passed = answers.filter(({ status }) => status === 200)
    const refused = answers.filter(({ status }) => status === 429)
    expect([passed.length, refused.length]).toEqual([6, 14])
    for (const { headers } of refused) {
      expect([headers['x-purser-reason'], headers['x-should-retry'], headers['retry-after']]).toEqual([
        'repeated-request',
        'false',
        undefined,
      ])
    }
    expect((await send('stuck', JSON.stringify(body('Hi  there')))).status).toBe(200)
    expect(capture.requests).toHaveLength(7)
  })
})
