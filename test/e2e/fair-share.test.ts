// Fair shares with three replicas on one Redis behind a real Envoy: one noisy key, and two that call now and then.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SHARE_LOOK_MS } from '../../src/limits.ts'
import { call, manyConnections } from './call.ts'
import { accessKey, budgetPolicy } from './policies.ts'
import { CHAT_PATH, chatBody, startTestProvider, type TestProvider } from './provider.ts'
import { nano, settled, startWorld, type World } from './world.ts'

/** What one call costs; the budget holds 150 of them. */
const REAL = 100n * 2_500n + 500n * 10_000n
const BUDGET = 150n * REAL

const PURSER = join(import.meta.dirname, '../../bin/purser')
const NAMES = ['slow', 'other', 'noisy'] as const
const keyOf = (name: string): string => `psk_${Buffer.alloc(32, name).toString('base64url')}`

let provider: TestProvider
let world: World

beforeAll(async () => {
  provider = await startTestProvider({ delayMs: 20 })
  world = await startWorld({
    ledger: 'redis',
    replicas: 3,
    objects: [
      budgetPolicy('team', {
        limits: [
          {
            name: 'shared',
            unit: 'USD',
            amount: `${Number(BUDGET) / 1e9}`,
            window: { lifetime: {} },
            partitionBy: [{ attribute: 'user' }],
            fairShare: true,
            warnAtPercent: [10, 50],
          },
        ],
      }),
      ...NAMES.map(name => accessKey([], keyOf(name), name, { subject: { user: name } })),
    ],
    providerPort: provider.port,
  })
})

afterAll(async () => {
  await world?.stop()
  await provider?.stop()
})

describe('a shared budget', () => {
  it('is never over, each key gets its part of it whatever one of them does, and of all replicas one warns', async () => {
    const agent = manyConnections()
    const got = new Map<string, number>(NAMES.map(name => [name, 0]))
    const reasons = new Map<string, number>()
    const ask = async (name: string): Promise<boolean> => {
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${keyOf(name)}` }
      const answer = await call({ port: world.envoy.port, path: CHAT_PATH, headers, body: chatBody(600, false), agent })
      if (answer.status === 200) got.set(name, (got.get(name) ?? 0) + 1)
      else {
        const why = `${name} ${answer.status} ${answer.headers['x-purser-reason']}`
        reasons.set(why, (reasons.get(why) ?? 0) + 1)
      }
      return answer.status === 200
    }
    let isOver = false
    // Those who call now and then go on until they have had their part; then the rest of them is the noisy one's to want.
    const steady = async (name: string): Promise<void> => {
      const deadline = performance.now() + 90_000
      for (let calls = 0; calls < 45 && performance.now() < deadline; ) {
        if (await ask(name)) calls += 1
        await pause(50)
      }
    }
    const hammer = async (): Promise<void> => {
      while (!isOver) if (!(await ask('noisy'))) await pause(20)
    }
    await Promise.all([ask('slow'), ask('other')])
    // Until each replica has looked who is active: before that, one may give the noisy one all that it does not know to be others'.
    await pause(2 * SHARE_LOOK_MS)
    const noise = Array.from({ length: 10 }, hammer)
    await Promise.all([steady('slow'), steady('other')])
    isOver = true
    await Promise.all(noise)
    agent.destroy()

    const rows = await settled(world.purser, 20_000)
    const whole = rows.find(row => row.limit === 'shared' && row.partition === null)
    console.log(
      `fair share: ${[...got].map(([name, calls]) => `${name} ${calls}`).join(', ')} of 150 calls; refused ${[...reasons].map(([why, times]) => `${why} ${times}`).join(', ')}`,
    )
    expect(await provider.billed()).toBe(nano(whole?.spent ?? ''))
    expect(nano(whole?.available ?? '')).toBeGreaterThanOrEqual(0n)
    expect(got.get('slow')).toBeGreaterThanOrEqual(45)
    expect(got.get('other')).toBeGreaterThanOrEqual(45)
    // Its own third, and what a second's delay may add to it.
    expect(got.get('noisy')).toBeGreaterThanOrEqual(40)
    expect(got.get('noisy')).toBeLessThanOrEqual(60)
    expect([...reasons.keys()]).toContain('noisy 429 fair-share')
    const warnings = await Promise.all(world.pursers.map(purser => purser.metric('purser_budget_warnings_total')))
    expect(warnings.reduce((sum, one) => sum + one, 0)).toBe(2)
    const verified = execFileSync(PURSER, ['verify', '--ledger', world.redisUrl ?? ''], { encoding: 'utf8' })
    console.log(`fair share: ${verified.trim().split('\n').at(-1)}`)
  })
})
