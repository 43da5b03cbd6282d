// Bad input: every hostile request gets the refusal that the documentation promises, moves no balance, and costs neither memory nor time.
import { Agent } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, call } from './call.ts'
import { answerAsChat, type Capture, startCapture } from './capture.ts'
import { GOOD_HEADERS, type Hostile, hostileRequests } from './hostile.ts'
import { accessKey, budgetPolicy } from './policies.ts'
import { nano, rowOf, settled, startWorld, type World } from './world.ts'

const LOOP_HELD_MAX_MS = 50
const REQUESTS = hostileRequests()

let capture: Capture
let world: World

beforeAll(async () => {
  capture = await startCapture(answerAsChat)
  world = await startWorld({
    ledger: 'sqlite',
    replicas: 1,
    objects: [
      budgetPolicy('coins', { limits: [{ name: 'all', unit: 'USD', amount: '0.2', window: { lifetime: {} } }] }),
      accessKey([{ name: 'tokens', unit: 'Tokens', amount: '1000000', window: { calendar: 'Year' } }]),
    ],
    providerPort: capture.port,
    purser: { flags: ['--require-key'] },
  })
})

afterAll(async () => {
  await world?.stop()
  await capture?.stop()
})

const send = (request: Hostile): Promise<Answer> =>
  call({
    port: world.envoy.port,
    method: request.method ?? 'POST',
    path: request.path ?? '/v1/chat/completions',
    headers: request.headers ?? GOOD_HEADERS,
    ...(request.body === undefined ? {} : { body: request.body }),
    // A connection each: Envoy closes that of a request that it will not read to its end.
    agent: new Agent({ keepAlive: false }),
    timeoutMs: 30_000,
  })

describe('hostile requests', () => {
  it('are at least fifty, all different', () => {
    expect(new Set(REQUESTS.map(request => request.name)).size).toBe(REQUESTS.length)
    expect(REQUESTS.length).toBeGreaterThanOrEqual(50)
  })

  // Not `it.each`: it would print every body.
  for (const request of REQUESTS) {
    it(`${request.name}: ${request.status} ${request.reason ?? 'by Envoy'}`, async () => {
      const answer = await send(request)
      expect([answer.status, answer.headers['x-purser-reason'] ?? null], answer.body.slice(0, 500)).toEqual([
        request.status,
        request.reason,
      ])
      if (request.reason === null) return
      const { error } = JSON.parse(answer.body) as { error: { message: string } }
      expect(error.message).toMatch(/^\S.{10,400}[.)]$/s)
      expect(answer.headers['x-should-retry']).toBe('false')
    })
  }

  it('never reached the provider', () => {
    expect(capture.requests).toEqual([])
  })

  it('moved no balance', async () => {
    for (const row of await settled(world.purser, 10_000))
      expect([row.policy, row.spent, row.reserved, row.overrun]).toEqual([row.policy, '0', '0', '0'])
  })
})

describe('the service', () => {
  it('goes on serving good calls', async () => {
    const answer = await send({
      name: 'good',
      body: '{"model":"gpt-4o","max_tokens":10,"messages":[{"role":"user","content":"hello"}]}',
      status: 200,
      reason: null,
    })
    expect([answer.status, answer.body.slice(0, 200)]).toEqual([200, expect.stringContaining('one two three')])
    expect(nano(rowOf(await settled(world.purser, 10_000), 'coins').spent)).toBe(9n * 2_500n + 3n * 10_000n)
  })

  it('keeps its memory flat over ten more rounds, and its event loop free', async () => {
    const lagMs = async (): Promise<number> => (await world.purser.metric('purser_event_loop_lag_max_seconds')) * 1_000
    for (const request of REQUESTS) await send(request)
    const before = world.purser.rss()
    const held = new Map<string, number[]>()
    for (let round = 0; round < 10; round++) {
      for (const request of REQUESTS) {
        await lagMs()
        await send(request)
        held.set(request.name, [...(held.get(request.name) ?? []), await lagMs()])
      }
    }
    const after = world.purser.rss()
    // A request that holds the loop does so in every round; a neighbour on the machine that takes the processor does not.
    const usual = [...held].map(([name, ms]) => ({ name, ms: Math.min(...ms) })).toSorted((a, b) => b.ms - a.ms)
    const longest = usual.slice(0, 3).map(({ name, ms }) => `${name} ${ms.toFixed(1)} ms`)
    console.log(`bad input: ${REQUESTS.length * 10} hostile requests; memory ${mb(before)} MB before, ${mb(after)} MB after`)
    console.log(
      `bad input: the loop was held longest by ${longest.join(', ')} in every round; ever ${Math.max(...[...held.values()].flat()).toFixed(1)} ms`,
    )
    expect(after).toBeLessThan(before * 1.2 + 32_000_000)
    expect(usual.filter(({ ms }) => ms > LOOP_HELD_MAX_MS)).toEqual([])
  }, 300_000)
})

const mb = (bytes: number): string => (bytes / 1e6).toFixed(0)
