// Calls through a real Envoy Gateway with the objects that Purser ships: judged, settled to the last nano-dollar, and shut out without Purser.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { examine } from '../../src/doctor/doctor.ts'
import { type Answer, call } from '../e2e/call.ts'
import { freePort } from '../e2e/child.ts'
import { keyHash, type PolicyFolder, policyFolder } from '../e2e/policies.ts'
import { CHAT_PATH, chatBody, startTestProvider, type TestProvider } from '../e2e/provider.ts'
import { type Purser, startPurser } from '../e2e/purser.ts'
import { until } from '../e2e/until.ts'
import { nano, rowOf, settled } from '../e2e/world.ts'
import { type EnvoyGateway, GATEWAY_PORT, startEnvoyGateway } from './envoy-gateway.ts'
import { type GatewayObject, KEYS, onLoopback, shipped, surroundings } from './objects.ts'

const API = 'purser.dev/v1alpha1'
const usd = (amount: string) => ({ name: 'all', unit: 'USD', amount, window: { lifetime: {} } })
const keyOf = (index: number): string => `psk_${Buffer.alloc(32, index).toString('base64url')}`
const [ADA, POOR, BUSY] = [keyOf(1), keyOf(2), keyOf(3)]
const key = (name: string, secret: string, limits: readonly unknown[]): object => ({
  apiVersion: API,
  kind: 'AccessKey',
  metadata: { name, namespace: 'llm' },
  spec: { keyHashes: [keyHash(secret)], subject: { user: name }, ...(limits.length === 0 ? {} : { limits }) },
})

let provider: TestProvider
let policies: PolicyFolder
let purser: Purser
let gateway: EnvoyGateway
let objects: GatewayObject[]
let grpcPort = 0

const start = (): Promise<Purser> =>
  startPurser({ policies: policies.path, ledger: 'memory:', drainSeconds: 1, grpcPort, flags: ['--require-key'] })

beforeAll(async () => {
  provider = await startTestProvider()
  // The budget is of the route's namespace: that Purser knows it at all, it has from the name that Envoy Gateway gives routes.
  policies = policyFolder([
    { apiVersion: API, kind: 'BudgetPolicy', metadata: { name: 'dollars', namespace: 'llm' }, spec: { limits: [usd('10')] } },
    key('ada', ADA, []),
    // One call of the provider's fits, at $0.00525; the next does not.
    key('poor', POOR, [usd('0.008')]),
    key('busy', BUSY, [{ name: 'rate', unit: 'Requests', amount: '1', window: { sliding: '1m' } }]),
  ])
  grpcPort = await freePort()
  purser = await start()
  const files = [...shipped('gateway.yaml'), ...shipped('attach.yaml'), ...shipped('last-door.yaml')]
  objects = [...surroundings(), ...onLoopback(files, { purser: grpcPort, provider: provider.port })]
  gateway = await startEnvoyGateway(objects)
  await until('the gateway to serve', 60_000, gateway.child, async () => (await models(GATEWAY_PORT)).status === 200)
})

afterAll(async () => {
  await gateway?.stop()
  await purser?.child.end('SIGTERM', 10_000)
  policies?.remove()
  await provider?.stop()
})

const JSON_TYPE = { 'content-type': 'application/json' }
const models = (port: number): Promise<Answer> =>
  call({ port, method: 'GET', path: '/v1/models', headers: { authorization: `Bearer ${ADA}` }, timeoutMs: 5_000 })
const chat = (secret: string, body: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> =>
  call({ port: GATEWAY_PORT, path: CHAT_PATH, headers: { ...JSON_TYPE, authorization: `Bearer ${secret}`, ...headers }, body })

describe('a real Envoy Gateway with the shipped objects', () => {
  it('reserves and settles calls and streams exactly, under the budget of the namespace of the route', async () => {
    const before = await provider.billed()
    const answers = [
      await chat(ADA, chatBody(1_000, false)),
      await chat(ADA, chatBody(1_000, true)),
      await call({
        port: GATEWAY_PORT,
        path: '/v1/messages',
        headers: { ...JSON_TYPE, 'x-api-key': ADA },
        body: '{"model":"claude-sonnet-4-5","max_tokens":600,"messages":[{"role":"user","content":"Hello"}]}',
      }),
    ]
    expect(answers.map(({ status, end }) => ({ status, end }))).toEqual(answers.map(() => ({ status: 200, end: 'whole' })))
    const row = rowOf(await settled(purser, 20_000), 'dollars')
    const billed = (await provider.billed()) - before
    expect(billed).toBeGreaterThan(0n)
    expect([row.namespace, nano(row.spent), nano(row.suspense)]).toEqual(['llm', billed, 0n])
  })

  it("takes Purser's key away, and puts in that of each provider", async () => {
    expect([...(await provider.keys())].toSorted()).toEqual(Object.values(KEYS).toSorted())
  })

  it('hands refusals to the client as they are', async () => {
    expect((await chat(POOR, chatBody(500, false))).status).toBe(200)
    await settled(purser, 20_000)
    const exhausted = await chat(POOR, chatBody(500, false))
    expect([exhausted.status, exhausted.headers['x-purser-reason'], exhausted.headers['x-should-retry']]).toEqual([
      402,
      'exhausted',
      'false',
    ])
    expect(exhausted.headers['x-purser-budget']).toContain('poor')
    expect((await chat(BUSY, chatBody(10, false))).status).toBe(200)
    const busy = await chat(BUSY, chatBody(10, false))
    expect([busy.status, busy.headers['x-purser-reason']]).toEqual([429, 'rate'])
    expect(JSON.parse(busy.body)).toMatchObject({ error: { message: expect.stringContaining('busy') } })
    expect((await chat('sk-anything', chatBody(10, false))).status).toBe(401)
  })

  it('takes a prompt of 5 MB', async () => {
    const content = 'The harbour office opened the new quay. '.repeat(130_000)
    const body = JSON.stringify({ model: 'gpt-4o', max_tokens: 5, messages: [{ role: 'user', content }] })
    const { status, headers } = await chat(ADA, body, { 'x-fake-input-tokens': '1000' })
    expect([status, headers['x-purser-reason']]).toEqual([200, undefined])
  })

  it('cuts no stream after 15 seconds, the default of Envoy Gateway', async () => {
    const { status, end, body, totalMs } = await chat(ADA, chatBody(40, true), { 'x-fake-tokens': '34', 'x-fake-chunk-delay-ms': '500' })
    expect([status, end]).toEqual([200, 'whole'])
    expect(totalMs).toBeGreaterThan(15_500)
    expect(body.endsWith('data: [DONE]\n\n')).toBe(true)
  })

  it('is sound in the eyes of the doctor, which reads what Envoy has', async () => {
    const examination = examine(JSON.parse(await gateway.admin('/config_dump')))
    expect(examination?.findings).toEqual([])
    expect(examination?.text).toContain('2 routes')
  })

  it('answers 503 while Purser is away, and the provider is asked nothing', async () => {
    await settled(purser, 20_000)
    const before = await provider.billed()
    await purser.child.end('SIGKILL')
    expect((await chat(ADA, chatBody(10, false))).status).toBe(503)
    expect(await provider.billed()).toBe(before)
    purser = await start()
    await until('Purser to be called again', 20_000, gateway.child, async () => (await chat(ADA, chatBody(10, false))).status === 200)
  })

  it('keeps the last door shut where a policy of a route displaces that of the Gateway', async () => {
    const displacing: GatewayObject = {
      apiVersion: 'gateway.envoyproxy.io/v1alpha1',
      kind: 'EnvoyExtensionPolicy',
      metadata: { name: 'own', namespace: 'llm' },
      spec: {
        targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', name: 'openai' }],
        extProc: [{ backendRefs: [{ group: 'gateway.envoyproxy.io', kind: 'Backend', name: 'openai' }], failOpen: true }],
      },
    }
    gateway.apply([...objects, displacing])
    let answer = await chat(ADA, chatBody(10, false))
    await until('the policy of the route to be in force', 30_000, gateway.child, async () => {
      answer = await chat(ADA, chatBody(10, false))
      return answer.status !== 200
    })
    expect([answer.status, answer.body]).toEqual([403, 'RBAC: access denied'])
    const told = examine(JSON.parse(await gateway.admin('/config_dump')))?.findings.map(({ rule, where }) => `${rule} ${where}`)
    expect(told).toEqual(['passes-by route httproute/llm/openai/rule/0/match/0/*'])
    gateway.apply(objects)
    await until(
      'the policy of the Gateway to be back',
      30_000,
      gateway.child,
      async () => (await chat(ADA, chatBody(10, false))).status === 200,
    )
  })
})
