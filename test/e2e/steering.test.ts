// Two routes through a real Envoy: a prepaid one until its dollar is used, then pay-as-you-go, without one refused call; and what a client
// can make of the header by which Purser steers.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { type Answer, call, manyConnections } from './call.ts'
import { answerAsChat, type Capture, startCapture } from './capture.ts'
import type { EnvoyConfig } from './envoy.ts'
import { CHAT_PATH, chatBody, startTestProvider, type TestProvider } from './provider.ts'
import { nano, rowOf, settled, startWorld, type World } from './world.ts'

const DOLLAR = 1_000_000_000n
/** Of one call: what it reserves at most, with all that its input can be. */
const RESERVATION = 12_000_000n
const CALLS = 400
const AT_ONCE = 15

/** The shipped example, with a dollar paid in advance, and the deployment called as the fake provider knows it. */
function example(): readonly unknown[] {
  const file = join(import.meta.dirname, '../../deploy/examples/steering.yaml')
  const text = readFileSync(file, 'utf8').replace("amount: '1000'", "amount: '1'").replace('as: team-gpt-4o }', 'as: gpt-4o-2024-08-06 }')
  return parseAllDocuments(text).map(document => document.toJS() as unknown)
}

/** Every cluster of the configuration goes to one port; this one goes to another. */
const to = (cluster: string, port: number) => (config: EnvoyConfig) => {
  const found = config.static_resources.clusters.find(({ name }) => name === cluster)
  const address = found?.load_assignment.endpoints[0]?.lb_endpoints[0]?.endpoint.address
  if (address === undefined) throw new Error(`no cluster ${cluster} with an endpoint`)
  address.socket_address.port_value = port
}

describe('with a dollar paid in advance', () => {
  let providers: { prepaid: TestProvider; payg: TestProvider }
  let world: World

  beforeAll(async () => {
    const [prepaid, payg] = await Promise.all([startTestProvider({ delayMs: 20 }), startTestProvider({ delayMs: 20 })])
    providers = { prepaid, payg }
    world = await startWorld({
      ledger: 'redis',
      replicas: 2,
      objects: example(),
      providerPort: payg.port,
      envoy: { file: 'steering.yaml', edit: to('prepaid', prepaid.port) },
    })
  })

  afterAll(async () => {
    await world?.stop()
    await Promise.all(Object.values(providers ?? {}).map(provider => provider.stop()))
  })

  it('its provider bills to within one reservation of it, and traffic flows on without one refused call', async () => {
    const agent = manyConnections()
    const answers: Answer[] = []
    let started = 0
    let starved = 0
    const headers = { 'content-type': 'application/json' }
    const ask = async (body: string): Promise<Answer> => {
      for (;;) {
        const answer = await call({ port: world.envoy.port, agent, path: CHAT_PATH, headers, body })
        // Whoever gets no processor on a busy machine says so: no budget refused.
        if (answer.status !== 503) return answer
        starved++
        await after(1_000)
      }
    }
    const client = async (): Promise<void> => {
      while (started < CALLS) answers.push(await ask(chatBody(1_000, started++ % 2 === 0)))
    }
    await Promise.all(Array.from({ length: AT_ONCE }, client))
    agent.destroy()
    const row = rowOf(await settled(world.purser, 30_000), 'prepaid')
    const [prepaid, payg] = [await providers.prepaid.billed(), await providers.payg.billed()]
    console.log(`prepaid billed ${prepaid}, pay-as-you-go ${payg} nano-USD in ${answers.length} calls; 503 ${starved} times`)
    expect(answers.filter(({ status, end }) => status !== 200 || end !== 'whole').map(({ status, body }) => [status, body])).toEqual([])
    expect(prepaid).toBeLessThanOrEqual(DOLLAR)
    expect(prepaid).toBeGreaterThan(DOLLAR - RESERVATION)
    expect(payg).toBeGreaterThan(DOLLAR / 2n)
    expect([nano(row.spent), nano(row.overrun)]).toEqual([prepaid, 0n])
    expect(new Set(answers.map(({ headers }) => headers['x-purser-action']))).toEqual(new Set(['steered']))
    expect(new Set(answers.map(({ headers }) => headers['x-purser-model']))).toEqual(new Set(['gpt-4o-2024-08-06', 'gpt-4o']))
  })
})

describe('a client that writes the header itself', () => {
  let captures: { prepaid: Capture; others: Capture }
  let world: World

  beforeAll(async () => {
    const [prepaid, others] = [await startCapture(answerAsChat), await startCapture(answerAsChat)]
    captures = { prepaid, others }
    world = await startWorld({
      ledger: 'sqlite',
      replicas: 1,
      objects: example(),
      providerPort: others.port,
      envoy: { file: 'steering.yaml', edit: to('prepaid', prepaid.port) },
    })
  })

  afterAll(async () => {
    await world?.stop()
    await captures?.prepaid.stop()
    await captures?.others.stop()
  })

  const send = async (route: string, model = 'gpt-4o'): Promise<Answer> =>
    call({
      port: world.envoy.port,
      path: CHAT_PATH,
      headers: { 'content-type': 'application/json', 'x-purser-route': route },
      body: JSON.stringify({ model, max_tokens: 10, messages: [] }),
    })

  it('goes where Purser sends it, and no provider sees the header', async () => {
    expect((await send('payg')).status).toBe(200)
    const [seen] = captures.prepaid.requests
    expect(seen?.path).toBe('/openai/v1/chat/completions')
    expect(JSON.parse(seen?.body.toString() ?? '{}')).toMatchObject({ model: 'gpt-4o-2024-08-06' })
    expect(Object.keys(seen?.headers ?? {})).not.toContain('x-purser-route')
    expect([seen?.headers['api-key'], seen?.headers.authorization]).toEqual(['CHANGE', undefined])
    // Not to be had prepaid, whatever the client says.
    expect((await send('prepaid', 'gpt-4.1')).status).toBe(200)
    expect([captures.prepaid.requests.length, captures.others.requests.length]).toEqual([1, 1])
    expect(Object.keys(captures.others.requests[0]?.headers ?? {})).not.toContain('x-purser-route')
  })
})
