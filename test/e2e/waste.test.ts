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
  const objects = [key('loop', '0.001', { retryStorm: {} })]
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
    const [refused, repeated] = [await decided({ decision: 'refused' }), await decided({ reason: 'retry-storm' })]
    console.log(`1,000 retries in ${seconds.toFixed(1)} s: the ledger was asked ${refused - repeated} times`)
    expect(refused).toBe(1_000)
    // Three refusals of each replica and what was on its way meanwhile; then one a second of each.
    expect(refused - repeated).toBeLessThanOrEqual(2 * (3 + 3) + 2 * seconds)
    expect(new Set(answers.map(answer => answer.status))).toEqual(new Set([403]))
    const waits = answers.filter(({ headers }) => headers['x-purser-reason'] === 'retry-storm').map(answer => answer.headers['retry-after'])
    expect(waits).toHaveLength(repeated)
    for (const wait of waits) expect(wait).toMatch(/^([1-9]|[1-5]\d|60)$/)
    expect(capture.requests).toEqual([])
  })
})
