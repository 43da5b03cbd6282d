// Retry storms: how often a loop reaches the ledger, what it is told meanwhile, and that nobody is refused from memory who would fit.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Refusal } from '../../src/enforcer/exchange.ts'
import type { Ledger } from '../../src/ports.ts'
import { request } from './requests.ts'
import { openWorld, type World } from './world.ts'

const policy = (limits: string, more = ''): string => `
apiVersion: purser.dev/v1alpha1
kind: BudgetPolicy
metadata: {name: team}
spec: {limits: [${limits}], waste: {retryStorm: {}}${more}}
`
const usd = (amount: string, window = '{lifetime: {}}'): string => `{name: usd, unit: USD, amount: "${amount}", window: ${window}}`

interface Counted {
  readonly world: World
  /** How often the ledger was asked to reserve. */
  reserves(): number
}

async function counted(policies: string, delayed?: () => Promise<void>): Promise<Counted> {
  let count = 0
  const world = await openWorld(
    policies,
    (ledger): Ledger => ({
      ...ledger,
      reserve: async move => {
        count++
        await delayed?.()
        return await ledger.reserve(move)
      },
    }),
  )
  return { world, reserves: () => count }
}

/** A call of gpt-4o, whose output costs 10 nano-USD times 1,000 a token; null: it was let through. */
async function ask(world: World, maxTokens: number, credential = 'somebody'): Promise<Refusal | null> {
  const exchange = world.open()
  exchange.requestHeaders(request({ authority: 'api.openai.com', headers: { authorization: `Bearer ${credential}` } }))
  const body = { model: 'gpt-4o', max_tokens: maxTokens, messages: [{ role: 'user', content: 'Hi' }] }
  const answer = await exchange.requestBody(Buffer.from(JSON.stringify(body)))
  return answer.kind === 'refuse' ? answer.refusal : null
}

const header = (refusal: Refusal | null, name: string): string | null => refusal?.headers.find(([key]) => key === name)?.[1] ?? null

describe('a client that asks again and again', () => {
  it('costs the ledger three calls, and then one a second', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 400 }), async pauseMs => {
        const { world, reserves } = await counted(policy(usd('0.015')))
        await ask(world, 1_000)
        const [before, startMs] = [reserves(), world.enforcer.clock.monotonicMs()]
        for (let asked = 0; asked < 1_000; asked++) {
          expect((await ask(world, 1_000))?.status).toBe(429)
          world.step(pauseMs)
        }
        const seconds = (world.enforcer.clock.monotonicMs() - startMs) / 1_000
        expect(reserves() - before).toBeLessThanOrEqual(3 + seconds)
        expect(reserves() - before).toBeGreaterThanOrEqual(2 + Math.floor(seconds / 1.5))
      }),
      { numRuns: 8 },
    )
  })

  it('reaches the ledger once a second too where its answers come late and many ask at once', async () => {
    let asking = 0
    let most = 0
    const pending: (() => void)[] = []
    const { world, reserves } = await counted(policy(usd('0.001', '{calendar: Day}')), async () => {
      asking++
      most = Math.max(most, asking)
      if (reserves() > 3) await new Promise<void>(resolve => pending.push(resolve))
      asking--
    })
    for (let asked = 0; asked < 3; asked++) await ask(world, 1_000)
    world.step(1_000)
    most = 0
    const many = Array.from({ length: 100 }, () => ask(world, 1_000))
    await expect.poll(() => pending.length).toBe(1)
    pending[0]?.()
    expect((await Promise.all(many)).map(refusal => header(refusal, 'x-purser-reason')).toSorted()).toEqual([
      'never-fits',
      ...Array.from({ length: 99 }, () => 'retry-storm'),
    ])
    expect(most).toBe(1)
  })

  it('is told to wait longer each time that its refusal is confirmed, up to a minute, by the status of that refusal', async () => {
    const { world } = await counted(policy(usd('0.015', '{calendar: Day}')))
    const waits: number[] = []
    expect(await ask(world, 1_400)).toBeNull()
    for (let second = 0; second < 9; second++) {
      for (let asked = 0; asked < 5; asked++) {
        const refusal = await ask(world, 1_000)
        const isRepeated = header(refusal, 'x-purser-reason') === 'retry-storm'
        expect([refusal?.status, isRepeated]).toEqual([429, second === 0 ? asked >= 3 : asked >= 1])
        if (asked === 4) waits.push(Number(header(refusal, 'retry-after')))
        if (isRepeated) expect(refusal?.body).toContain('has room for this call only after calls that are in flight are settled')
      }
      world.step(1_000)
    }
    for (const [second, wait] of waits.entries()) {
      const least = Math.min(60, 2 ** second)
      expect(wait).toBeGreaterThanOrEqual(least)
      expect(wait).toBeLessThanOrEqual(Math.max(5, Math.min(60, Math.ceil(least * 1.5))))
    }
    expect(waits.at(-1)).toBe(60)
  })

  it('keeps 402 and 403, and is still told that retrying is of no use', async () => {
    for (const [spec, status] of [
      [policy(usd('0.001')), 403],
      [policy(usd('0.001'), ', response: {statusCode: 403}'), 403],
    ] as const) {
      const { world } = await counted(spec)
      for (let asked = 0; asked < 3; asked++) await ask(world, 1_000)
      const refusal = await ask(world, 1_000)
      expect([refusal?.status, header(refusal, 'x-purser-reason'), header(refusal, 'x-should-retry')]).toEqual([
        status,
        'retry-storm',
        'false',
      ])
      expect(header(refusal, 'x-purser-budget')).toBe('default/team/usd')
    }
  })

  it('is heard again when it has been silent, and after a call that fits', async () => {
    const { world, reserves } = await counted(policy(usd('0.015')))
    await ask(world, 1_000)
    for (let asked = 0; asked < 10; asked++) await ask(world, 1_000)
    world.step(10_001)
    const before = reserves()
    for (let asked = 0; asked < 3; asked++) expect(header(await ask(world, 1_000), 'x-purser-reason')).toBe('in-flight')
    expect(reserves()).toBe(before + 3)
    expect(await ask(world, 100)).toBeNull()
    expect(header(await ask(world, 1_000), 'x-purser-reason')).toBe('in-flight')
  })
})

describe('nobody is refused from memory', () => {
  it('who asks for less on the line that refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 2_000 }), { minLength: 5, maxLength: 40 }), async asked => {
        const damped = await counted(policy(usd('0.0105')))
        const plain = await counted(policy(usd('0.0105')).replace('retryStorm: {}', ''))
        for (const tokens of asked) {
          const [one, other] = [await ask(damped.world, tokens), await ask(plain.world, tokens)]
          expect([tokens, one === null]).toEqual([tokens, other === null])
        }
      }),
      { numRuns: 100 },
    )
  })

  it('who has budgets of their own', async () => {
    const own = policy('{name: usd, unit: USD, amount: "0.015", window: {lifetime: {}}, partitionBy: [{accessKey: {}}]}')
    const { world } = await counted(own)
    await ask(world, 1_000, 'loop')
    for (let asked = 0; asked < 10; asked++) await ask(world, 1_000, 'loop')
    expect(await ask(world, 1_000, 'other')).toBeNull()
  })

  it('for longer than a second after there is room again', async () => {
    const { world } = await counted(policy('{name: open, unit: Requests, amount: "1", window: {inFlight: {}}}'))
    const first = world.open()
    first.requestHeaders(request({ authority: 'api.openai.com', headers: { authorization: 'Bearer somebody' } }))
    await first.requestBody(Buffer.from('{"model":"gpt-4o","max_tokens":5,"messages":[]}'))
    for (let asked = 0; asked < 10; asked++) expect((await ask(world, 5))?.status).toBe(429)
    first.closed(false)
    await world.settled()
    expect(header(await ask(world, 5), 'x-purser-reason')).toBe('retry-storm')
    world.step(1_000)
    expect(await ask(world, 5)).toBeNull()
  })

  it('where no policy asks for it, or only one in Audit mode', async () => {
    for (const spec of [
      policy(usd('0.001')).replace('retryStorm: {}', ''),
      `${policy(usd('0.001')).replace('retryStorm: {}', '')}---${policy(usd('9')).replace('team', 'audit').replace('spec: {', 'spec: {enforcement: {mode: Audit}, ')}`,
    ]) {
      const { world, reserves } = await counted(spec)
      for (let asked = 0; asked < 20; asked++) expect(header(await ask(world, 1_000), 'x-purser-reason')).toBe('never-fits')
      expect(reserves()).toBe(20)
    }
  })
})
