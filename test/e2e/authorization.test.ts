// The wiring of `authorization.yaml`: ext_authz judges, the access log settles. Exact where Envoy reads the usage by itself; elsewhere each answer
// is charged at its estimate, and what never reached the provider nothing.
import type { Agent } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, call, manyConnections } from './call.ts'
import { answerAsChat, type Capture, startCapture } from './capture.ts'
import type { EnvoyConfig } from './envoy.ts'
import { accessKey, budgetPolicy, KEY } from './policies.ts'
import { CHAT_PATH, chatBody, startTestProvider, type TestProvider } from './provider.ts'
import { until } from './until.ts'
import { addRetriedRoute, addUnjudgedRoute, deniedLater, sendAnthropicTo } from './wirings.ts'
import { nano, rowOf, settled, startWorld, type World } from './world.ts'

let provider: TestProvider
let capture: Capture
let world: World
let agent: Agent

const OBJECTS = [
  budgetPolicy('dollar', {
    limits: [{ name: 'all', unit: 'USD', amount: '10', window: { lifetime: {} } }],
    reservation: { defaultMaxOutputTokens: 300 },
  }),
  accessKey([]),
]

/** `newest`: with the filter that only Envoy 1.40 has. `/v1/messages` goes where nobody listens, or to the capture. */
function runs(newest: boolean, captured: boolean): void {
  beforeAll(async () => {
    agent = manyConnections()
    provider = await startTestProvider({ chunkDelayMs: 1 })
    capture = await startCapture(answerAsChat)
    const edit = (config: EnvoyConfig) => {
      deniedLater(config)
      addRetriedRoute(config)
      addUnjudgedRoute(config, 'envoy.filters.http.ext_authz', 'ext_authz.v3.ExtAuthzPerRoute')
      if (captured) sendAnthropicTo(config, capture.port)
      else sendAnthropicTo(config, 1)
    }
    const envoy = { file: 'authorization.yaml', newest, edit }
    world = await startWorld({ ledger: 'sqlite', replicas: 1, objects: OBJECTS, providerPort: provider.port, envoy })
  })

  afterAll(async () => {
    agent.destroy()
    await world?.stop()
    await provider?.stop()
    await capture?.stop()
  })
}

const ask = (body: string, headers: Readonly<Record<string, string>> = {}, more: object = {}): Promise<Answer> =>
  call({
    port: world.envoy.port,
    agent,
    path: CHAT_PATH,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}`, ...headers },
    body,
    ...more,
  })

const claude = (maxTokens: number): string =>
  JSON.stringify({ model: 'claude-sonnet-4-5', max_tokens: maxTokens, messages: [{ role: 'user', content: 'hello' }] })

const spent = async () => {
  const row = rowOf(await settled(world.purser, 30_000), 'dollar')
  return { charged: nano(row.spent), suspense: nano(row.suspense) }
}

/** What some calls are charged, and what the provider bills for them. */
const costOf = async (work: () => Promise<unknown>): Promise<{ charged: bigint; suspense: bigint; billed: bigint }> => {
  const [before, billedBefore] = [await spent(), await provider.billed()]
  await work()
  await until('the bills', 10_000, null, async () => (await provider.open()) === 0)
  const after = await spent()
  const billed = (await provider.billed()) - billedBefore
  return { charged: after.charged - before.charged, suspense: after.suspense - before.suspense, billed }
}

const STREAM = JSON.stringify({ ...JSON.parse(chatBody(600, true)), stream_options: { include_usage: true } })

describe('ext_authz, and usage that Envoy reads itself', () => {
  runs(true, false)

  it('is exact to the nano-USD', async () => {
    const cost = await costOf(async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => ask(n % 2 === 0 ? STREAM : chatBody(600, false))))
      expect(answers.map(answer => [answer.status, answer.end])).toEqual(answers.map(() => [200, 'whole']))
    })
    expect(cost.billed).toBeGreaterThan(0n)
    expect(cost).toEqual({ charged: cost.billed, suspense: 0n, billed: cost.billed })
    expect(await world.purser.metric('purser_reservations_closed_total', { how: 'exact' })).toBe(20)
  })

  it('charges a call that its client leaves, or that is cut, at least its bill', async () => {
    const cost = await costOf(async () => {
      await ask(chatBody(600, false), { 'x-fake-delay-ms': '1500' }, { timeoutMs: 300 })
      await ask(STREAM, {}, { abortAfterBytes: 4_000 })
      await ask(STREAM, { 'x-fake-error': 'reset-mid-stream' })
    })
    expect(cost.charged).toBeGreaterThanOrEqual(cost.billed)
    expect(cost.suspense).toBe(cost.charged)
  })

  it('charges the input of each attempt that was made again, beside the answer', async () => {
    const cost = await costOf(() => ask(chatBody(600, false), { 'x-fake-error': 'reset' }, { path: `/retried${CHAT_PATH}` }))
    expect(cost.billed).toBe(3n * 100n * 2_500n)
    expect(cost.charged).toBe(6_640_000n + 2n * 256n * 2_500n)
    expect(cost.suspense).toBe(cost.charged)
  })

  it('charges nothing where a route is not judged at all', async () => {
    const cost = await costOf(async () => {
      expect((await ask(chatBody(600, false), { authorization: 'none' }, { path: `/unjudged${CHAT_PATH}` })).status).toBe(200)
    })
    expect(cost.billed).toBeGreaterThan(0n)
    expect([cost.charged, cost.suspense]).toEqual([0n, 0n])
  })

  it('charges nothing for what never reached the provider, nor for its errors', async () => {
    const cost = await costOf(async () => {
      expect((await ask(chatBody(600, false), { 'x-envoy-fault-abort-request': '418' })).status).toBe(418)
      expect((await ask(chatBody(600, false), { 'x-fake-error': '500' })).status).toBe(500)
      expect((await ask(claude(100), { 'anthropic-version': '2023-06-01' }, { path: '/v1/messages' })).status).toBe(503)
    })
    expect(cost).toEqual({ charged: 0n, suspense: 0n, billed: 0n })
  })
})

describe('ext_authz alone', () => {
  runs(false, true)

  it('charges the estimate, as suspense', async () => {
    const cost = await costOf(async () => expect((await ask(chatBody(600, false))).status).toBe(200))
    console.log(`without usage: charged ${cost.charged} nano-USD of which ${cost.suspense} unproven, billed ${cost.billed}`)
    expect(cost.charged).toBeGreaterThanOrEqual(cost.billed)
    expect(cost.suspense).toBe(cost.charged)
  })

  it('refuses in the dialect of its caller, with what it refuses for', async () => {
    const cost = await costOf(async () => {
      const openAi = await ask(chatBody(3_000_000, false))
      expect([openAi.status, openAi.headers['x-purser-reason'], openAi.headers['x-should-retry']]).toEqual([403, 'never-fits', 'false'])
      expect(JSON.parse(openAi.body)).toMatchObject({ error: { message: expect.stringContaining('dollar') } })
      const anthropic = await ask(claude(3_000_000), {}, { path: '/v1/messages' })
      expect(JSON.parse(anthropic.body)).toMatchObject({ type: 'error', error: { message: expect.stringContaining('dollar') } })
    })
    expect(cost).toEqual({ charged: 0n, suspense: 0n, billed: 0n })
  })

  it('takes bodies of 20 MB, and none above 32 MiB', async () => {
    const long = (bytes: number): string => chatBody(10, false).replace('Please', 'a '.repeat(bytes / 2))
    expect([(await ask(long(20_000_000))).status, (await ask(long(34_000_000))).status]).toEqual([200, 413])
  })

  it('leaves every byte of the body, takes the key of ours away, and asks for an answer that can be read', async () => {
    const body = claude(10)
    const more = { path: '/v1/messages' }
    expect((await ask(body, { 'accept-encoding': 'gzip, br', 'x-api-key': KEY }, more)).status).toBe(200)
    const [seen] = capture.requests
    expect(seen?.body.toString()).toBe(body)
    expect(JSON.stringify(seen?.headers)).not.toContain('psk_')
    expect(seen?.headers['accept-encoding']).toBe('identity')
  })

  it('puts no bound in: what declares none is held at the most that its model gives', async () => {
    const cost = await costOf(async () =>
      expect((await ask(JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: 'hi' }] }))).status).toBe(200),
    )
    // Of 300 tokens the output would be $0.003.
    expect(cost.charged).toBeGreaterThan(100_000_000n)
  })
})
