// What becomes of calls that do not fit, through a real Envoy: what the provider is sent then, and what the client is told.
import { setTimeout as after } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, call } from './call.ts'
import { answerAsChat, type Capture, startCapture } from './capture.ts'
import { accessKey, budgetPolicy, type LimitSpec } from './policies.ts'
import { CHAT_PATH } from './provider.ts'
import { until } from './until.ts'
import { rowOf, settled, startWorld, type World } from './world.ts'

let capture: Capture
let world: World

/** A key of Purser's own format for each scenario. */
const keyOf = (name: string): string => `psk_${Buffer.from(name.padEnd(32, '.')).toString('base64url')}`
const usd = (amount: string): LimitSpec => ({ name: 'all', unit: 'USD', amount, window: { lifetime: {} } })
const key = (name: string, limits: readonly LimitSpec[], spec: Readonly<Record<string, unknown>>): unknown =>
  accessKey(limits, keyOf(name), name, spec)
/** A policy for the calls of one key. */
const policyFor = (name: string, spec: Readonly<Record<string, unknown>>): unknown =>
  budgetPolicy(`of-${name}`, { match: { subjects: [{ accessKey: {}, values: [`default/${name}`] }] }, ...spec })

const OBJECTS: readonly unknown[] = [
  key('short', [usd('0.05')], { reservation: { clampToHeadroom: true, minOutputTokens: 500 } }),
  key('other', [usd('0.01')], {
    permissions: { models: { deny: ['*-pro'] }, substitutes: ['gpt-4o-mini'], onForbiddenModel: 'Substitute' },
    reservation: { onShortfall: 'Substitute' },
  }),
  key('named', [usd('0.01')], { permissions: { models: { allow: ['gpt-4o', 'gpt-4o-mini'] } } }),
  key('queue', [{ name: 'slots', unit: 'Requests', amount: '1', window: { inFlight: {} } }], { reservation: { queueFor: '1500ms' } }),
  key('told', [], {}),
  policyFor('told', {
    limits: [
      { name: 'day', unit: 'USD', amount: '5', window: { lifetime: {} } },
      { name: 'rate', unit: 'Tokens', amount: '100000', window: { sliding: '1m' } },
      { name: 'open', unit: 'Requests', amount: '9', window: { inFlight: {} } },
      { name: 'hourly', unit: 'Requests', amount: '50', window: { calendar: 'Hour' } },
    ],
    response: { exposeBalance: true },
  }),
]

beforeAll(async () => {
  capture = await startCapture(async (request, response) => {
    if (request.body.includes('"slow"')) await after(150)
    answerAsChat(request, response)
  })
  world = await startWorld({ ledger: 'sqlite', replicas: 1, objects: OBJECTS, providerPort: capture.port })
})

afterAll(async () => {
  await world?.stop()
  await capture?.stop()
})

interface Sent {
  readonly answer: Answer
  /** What the provider got; null where it got nothing. */
  readonly body: Readonly<Record<string, unknown>> | null
}

async function send(name: string, fields: Readonly<Record<string, unknown>>): Promise<Sent> {
  const before = capture.requests.length
  const answer = await call({
    port: world.envoy.port,
    path: CHAT_PATH,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${keyOf(name)}` },
    body: JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: 'Hi' }], ...fields }),
  })
  const seen = capture.requests[before]
  return { answer, body: seen === undefined ? null : JSON.parse(seen.body.toString()) }
}

describe('clampToHeadroom', () => {
  it('lets a call through with a lower bound, says so, and settles it exactly', async () => {
    const { answer, body } = await send('short', { max_tokens: 16_000, stream: true })
    expect([answer.status, answer.headers['x-purser-action'], answer.headers['x-purser-model']]).toEqual([200, 'clamped', 'gpt-4o'])
    expect(body?.['max_tokens']).toBeGreaterThanOrEqual(500)
    expect(body?.['max_tokens']).toBeLessThanOrEqual(5_000)
    const row = rowOf(await settled(world.purser, 10_000), 'short')
    expect([row.spent, row.overrun]).toEqual(['0.0000525', '0'])
  })

  it('leaves alone what fits', async () => {
    const { answer, body } = await send('short', { max_tokens: 900 })
    expect([answer.status, answer.headers['x-purser-action'], body?.['max_tokens']]).toEqual([200, undefined, 900])
  })
})

describe('substitutes', () => {
  it('take the place of a model that does not fit, and of one that is forbidden', async () => {
    for (const model of ['gpt-4o', 'gpt-5-pro']) {
      const { answer, body } = await send('other', { model, max_tokens: 2_000 })
      expect([model, answer.status, answer.headers['x-purser-action'], answer.headers['x-purser-model']]).toEqual([
        model,
        200,
        'substituted',
        'gpt-4o-mini',
      ])
      expect(body).toMatchObject({ model: 'gpt-4o-mini', max_tokens: 2_000 })
      expect(Object.keys(answer.headers)).not.toContain('x-purser-remaining')
    }
  })

  it('are named where they do not stand in by themselves', async () => {
    const { answer, body } = await send('named', { max_tokens: 2_000 })
    expect([answer.status, body]).toEqual([403, null])
    expect(answer.body).toContain('The model \\"gpt-4o-mini\\" would fit.')
  })
})

describe('queueFor', () => {
  it('lets calls wait for a slot, one after the other', async () => {
    // On a busy machine the second of two may come when the first has ended.
    await until('one of three calls at once to wait', 60_000, world.purser.child, async () => {
      const sent = await Promise.all([1, 2, 3].map(async () => send('queue', { max_tokens: 10, user: 'slow' })))
      const told = sent.map(({ answer }) => [answer.status, answer.headers['x-purser-action'], answer.headers['x-purser-reason']])
      for (const [status, , reason] of told) expect(status === 200 || reason === 'concurrency' || status === 503, String(told)).toBe(true)
      return told.some(([status, action]) => status === 200 && action === 'queued')
    })
  })
})

describe('exposeBalance', () => {
  it('tells with an answer what the call reserved and what is left', async () => {
    const { answer } = await send('told', { max_tokens: 100 })
    const { headers } = answer
    const reserved = Number(headers['x-purser-reserved'])
    expect(reserved).toBeGreaterThan(0.001)
    expect(Number(headers['x-purser-remaining'])).toBeCloseTo(5 - reserved, 9)
    const name = (limit: string): string => `"default/of-told/${limit}"`
    expect(headers['ratelimit-policy']).toBe(
      `${name('rate')};q=100000;w=60;qu="tokens", ${name('open')};q=9;qu="concurrent-requests", ${name('hourly')};q=50;w=3600`,
    )
    expect(headers['ratelimit']).toMatch(new RegExp(`^${name('rate')};r=99\\d{3}, ${name('open')};r=8, ${name('hourly')};r=49;t=\\d+$`))
  })

  it('is off unless a policy says so', async () => {
    const { answer } = await send('short', { max_tokens: 600 })
    expect(Object.keys(answer.headers).filter(name => /^(x-purser|ratelimit)/.test(name))).toEqual([])
  })
})
