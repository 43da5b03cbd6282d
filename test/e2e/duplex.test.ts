// Body modes that are not those of the shipped configuration, on a real Envoy: full duplex is metered exactly, and what would let a call leave
// before its verdict is refused, and counted.
import { afterEach, describe, expect, it } from 'vitest'
import { type Answer, call } from './call.ts'
import { answerAsChat, CHAT_EVENTS, startCapture } from './capture.ts'
import type { EnvoyConfig } from './envoy.ts'
import { accessKey, budgetPolicy, KEY } from './policies.ts'
import { CHAT_PATH, chatBody, startTestProvider } from './provider.ts'
import { withBodyModes } from './wirings.ts'
import { nano, rowOf, settled, startWorld, type World } from './world.ts'

const endings: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const ending of endings.splice(0).reverse()) await ending()
})

const start = async (providerPort: number, edit: (config: EnvoyConfig) => void): Promise<World> => {
  const limits = [{ name: 'all', unit: 'USD', amount: '10', window: { lifetime: {} } }]
  const objects = [budgetPolicy('dollar', { limits, reservation: { defaultMaxOutputTokens: 256 } }), accessKey([])]
  const world = await startWorld({ ledger: 'sqlite', replicas: 1, objects, providerPort, envoy: { edit } })
  endings.push(() => world.stop())
  return world
}

const ask = ({ envoy }: World, body: string, headers: Readonly<Record<string, string>> = {}, path = CHAT_PATH): Promise<Answer> =>
  call({ port: envoy.port, path, headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}`, ...headers }, body })

describe('full duplex', () => {
  it('is exact to the nano-USD, for answers at once and in streams', async () => {
    const provider = await startTestProvider({ chunkDelayMs: 1 })
    endings.push(provider.stop)
    const world = await start(provider.port, config => withBodyModes(config, 'FULL_DUPLEX_STREAMED', 'FULL_DUPLEX_STREAMED'))
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => ask(world, chatBody(600, n % 2 === 0))))
    expect(answers.map(answer => [answer.status, answer.end])).toEqual(answers.map(() => [200, 'whole']))
    const long = await ask(world, chatBody(10, false).replace('Please', 'a '.repeat(2_500_000)))
    expect(long.status).toBe(200)
    expect((await ask(world, chatBody(10, false), { 'x-fake-error': '500' })).status).toBe(500)
    const row = rowOf(await settled(world.purser, 20_000), 'dollar')
    expect([nano(row.spent), nano(row.suspense)]).toEqual([await provider.billed(), 0n])
  })

  it('amends what has no bound, hides what was not asked for, passes what is not metered, and refuses', async () => {
    const capture = await startCapture((asked, response) =>
      asked.method === 'GET' ? void response.end('{}') : answerAsChat(asked, response),
    )
    endings.push(() => capture.stop())
    const world = await start(capture.port, config => withBodyModes(config, 'FULL_DUPLEX_STREAMED', 'FULL_DUPLEX_STREAMED'))
    const body = JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: 'hi' }], stream: true })
    const answer = await ask(world, body)
    expect([answer.status, answer.body]).toEqual([200, `${CHAT_EVENTS.join('')}data: [DONE]\n\n`])
    expect(JSON.parse(capture.requests[0]?.body.toString() ?? '')).toMatchObject({
      ...JSON.parse(body),
      max_completion_tokens: 256,
      stream_options: { include_usage: true },
    })
    expect(
      (await call({ port: world.envoy.port, method: 'GET', path: '/v1/models', headers: { authorization: `Bearer ${KEY}` } })).status,
    ).toBe(200)
    const refused = await ask(world, chatBody(3_000_000, false))
    expect([refused.status, refused.headers['x-purser-reason']]).toEqual([403, 'never-fits'])
    expect(capture.requests).toHaveLength(2)
  })
})

describe('a request that is not held', () => {
  it('is refused, with what to change, and counted', async () => {
    const capture = await startCapture(answerAsChat)
    endings.push(() => capture.stop())
    const world = await start(capture.port, config => withBodyModes(config, 'STREAMED', 'STREAMED'))
    const answer = await ask(world, chatBody(10, false))
    expect([answer.status, answer.headers['x-purser-reason']]).toEqual([500, 'wiring'])
    expect(answer.body).toContain('request_body_mode STREAMED')
    expect(capture.requests).toEqual([])
    expect(await world.purser.metric('purser_decisions_total', { decision: 'refused', reason: 'wiring' })).toBe(1)
  })
})
