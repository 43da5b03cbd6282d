// Judged by one replica, settled by another: the filters of `split.yaml`, and ext_authz with a settling filter behind it. Exact wherever the
// answer was seen whole, never below the provider's bill elsewhere.
import type { Agent } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, call, manyConnections } from './call.ts'
import type { EnvoyConfig } from './envoy.ts'
import { fourLevels, KEY, LEVELS } from './policies.ts'
import { CHAT_PATH, chatBody, startTestProvider, type TestProvider } from './provider.ts'
import { until } from './until.ts'
import { addRetriedRoute, deniedLater, inHalves, sendAnthropicTo, settledByExtProc } from './wirings.ts'
import { nano, rowOf, settled, startWorld, type World } from './world.ts'

const VARIANTS: readonly [string, string, (config: EnvoyConfig) => void][] = [
  ['ext_proc, then ext_proc', 'split.yaml', () => {}],
  ['ext_authz, then ext_proc', 'authorization.yaml', settledByExtProc],
]

describe.each(VARIANTS)('%s', (_name, file, wire) => {
  let provider: TestProvider
  let world: World
  let agent: Agent

  beforeAll(async () => {
    agent = manyConnections()
    provider = await startTestProvider({ chunkDelayMs: 1 })
    const edit = (config: EnvoyConfig) => {
      wire(config)
      deniedLater(config)
      addRetriedRoute(config)
      sendAnthropicTo(config, 1)
      inHalves(config)
    }
    const objects = [...fourLevels('1000')]
    world = await startWorld({ ledger: 'redis', replicas: 2, objects, providerPort: provider.port, envoy: { file, edit } })
  })

  afterAll(async () => {
    agent.destroy()
    await world?.stop()
    await provider?.stop()
  })

  const ask = (stream: boolean, headers: Readonly<Record<string, string>> = {}, more: object = {}): Promise<Answer> =>
    call({
      port: world.envoy.port,
      agent,
      path: CHAT_PATH,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}`, ...headers },
      body: withUsage(chatBody(600, stream)),
      ...more,
    })

  /** What a case charges on the level of the organisation, and what the provider bills for it. */
  const costOf = async (work: () => Promise<unknown>): Promise<{ charged: bigint; suspense: bigint; billed: bigint }> => {
    const before = rowOf(await settled(world.purser, 30_000), 'organisation')
    const billedBefore = await provider.billed()
    await work()
    await until('the bill', 10_000, null, async () => (await provider.open()) === 0)
    const after = rowOf(await settled(world.purser, 30_000), 'organisation')
    return {
      charged: nano(after.spent) - nano(before.spent),
      suspense: nano(after.suspense) - nano(before.suspense),
      billed: (await provider.billed()) - billedBefore,
    }
  }

  it('is exact to the nano-USD where the answer is seen whole, on every level', async () => {
    const cost = await costOf(async () => {
      const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => ask(index % 2 === 0)))
      expect(answers.map(answer => [answer.status, answer.end])).toEqual(answers.map(() => [200, 'whole']))
    })
    expect(cost.billed).toBeGreaterThan(0n)
    expect(cost).toEqual({ charged: cost.billed, suspense: 0n, billed: cost.billed })
    const rows = await world.purser.budgets()
    for (const level of LEVELS) expect([level, nano(rowOf(rows, level).spent)]).toEqual([level, await provider.billed()])
    // One replica judged, the other settled.
    const [judge, settler] = world.pursers
    expect(await judge?.metric('purser_decisions_total', { decision: 'admitted' })).toBe(40)
    expect(await judge?.metric('purser_reservations_closed_total')).toBe(0)
    expect(await settler?.metric('purser_decisions_total')).toBe(0)
    expect(await settler?.metric('purser_reservations_closed_total', { how: 'exact' })).toBe(40)
  })

  it('passes what the client sent, but for the key of ours', async () => {
    const refused = await call({ port: world.envoy.port, path: CHAT_PATH, headers: { authorization: 'Bearer psk_unknown' }, body: '{}' })
    expect([refused.status, refused.headers['x-purser-reason'], refused.headers['content-type']]).toEqual([
      401,
      'unknown-key',
      'application/json',
    ])
    expect(JSON.parse(refused.body)).toMatchObject({ error: { message: expect.stringContaining('key') } })
  })

  it('charges a stream that its client leaves at least its bill', async () => {
    const cost = await costOf(() => ask(true, { 'x-fake-tokens': '500' }, { abortAfterBytes: 8_000 }))
    expect(cost.billed).toBeGreaterThan(0n)
    expect(cost.charged).toBeGreaterThanOrEqual(cost.billed)
    expect(cost.suspense).toBe(cost.charged)
  })

  it('charges a call that its client leaves before any answer, which only the log tells', async () => {
    const cost = await costOf(() => ask(false, { 'x-fake-delay-ms': '1500' }, { timeoutMs: 300 }))
    expect(cost.billed).toBeGreaterThan(0n)
    expect(cost.charged).toBeGreaterThanOrEqual(cost.billed)
    expect(cost.suspense).toBe(cost.charged)
  })

  it.each(['reset', 'reset-mid-stream'])('charges at least the bill after a %s', async fault => {
    const cost = await costOf(() => ask(true, { 'x-fake-error': fault }))
    expect(cost.billed).toBeGreaterThan(0n)
    expect(cost.charged).toBeGreaterThanOrEqual(cost.billed)
    expect(cost.suspense).toBe(cost.charged)
  })

  it('charges the input of each attempt that was made again, beside the answer', async () => {
    const cost = await costOf(async () => {
      const { status } = await ask(false, { 'x-fake-error': 'reset' }, { path: `/retried${CHAT_PATH}` })
      expect(status).toBe(503)
      // The log brings them too, a moment later.
      await until('the log', 10_000, null, async () => (await world.pursers[1]?.openReservations()) === 0)
    })
    expect(cost.billed).toBe(3n * 100n * 2_500n)
    // The whole estimate for the last, and 256 tokens of input for each of two others.
    expect(cost.charged).toBe(6_640_000n + 2n * 256n * 2_500n)
    expect(cost.suspense).toBe(cost.charged)
  })

  it('charges nothing for an error, a connection that is refused, and a filter that denies', async () => {
    const cost = await costOf(async () => {
      expect((await ask(false, { 'x-fake-error': '500' })).status).toBe(500)
      expect((await ask(false, { 'x-envoy-fault-abort-request': '418' })).status).toBe(418)
      const dead = await call({
        port: world.envoy.port,
        path: '/v1/messages',
        headers: { 'content-type': 'application/json', 'x-api-key': KEY, 'anthropic-version': '2023-06-01' },
        body: JSON.stringify({ model: 'claude-sonnet-4-5', max_tokens: 100, messages: [{ role: 'user', content: 'hello' }] }),
      })
      expect(dead.status).toBe(503)
    })
    expect(cost).toEqual({ charged: 0n, suspense: 0n, billed: 0n })
  })
})

/** Streams report their usage where the client asks for it: nobody hides in this wiring what it did not ask for. */
function withUsage(text: string): string {
  const asked = JSON.parse(text) as { stream?: boolean }
  return JSON.stringify(asked.stream === true ? { ...asked, stream_options: { include_usage: true } } : asked)
}

it('breaks no stream when the replica that judged it dies, and charges each exactly', async () => {
  const provider = await startTestProvider({ chunkDelayMs: 4 })
  const world = await startWorld({
    ledger: 'redis',
    replicas: 2,
    objects: fourLevels('1000'),
    providerPort: provider.port,
    envoy: { file: 'split.yaml', edit: inHalves },
  })
  const agent = manyConnections()
  try {
    const [judge, settler] = world.pursers
    if (judge === undefined || settler === undefined) throw new Error('there are two replicas')
    let begun = 0
    const streams = Array.from({ length: 10 }, () => {
      let isBegun = false
      const abortWhen = (): boolean => {
        begun += isBegun ? 0 : 1
        isBegun = true
        return false
      }
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${KEY}` }
      return call({ port: world.envoy.port, agent, path: CHAT_PATH, headers, body: withUsage(chatBody(600, true)), abortWhen })
    })
    await until('all streams to be begun', 20_000, null, async () => begun === streams.length)
    await judge.child.end('SIGKILL')
    expect((await Promise.all(streams)).map(answer => [answer.status, answer.end])).toEqual(streams.map(() => [200, 'whole']))
    const row = rowOf(await settled(settler, 30_000), 'organisation')
    expect([nano(row.spent), nano(row.suspense)]).toEqual([await provider.billed(), 0n])
  } finally {
    agent.destroy()
    await world.stop()
    await provider.stop()
  }
})
