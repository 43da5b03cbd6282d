// Warnings: a budget that reaches a percentage is told of once, by one of all replicas, at the charge that reached it or soon after.
import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createEnforcer, type Enforcer } from '../../src/enforcer/enforcer.ts'
import { Lifecycle } from '../../src/enforcer/lifecycle.ts'
import { request, response } from './requests.ts'
import { type SilentTelemetry, silentTelemetry } from './silent-telemetry.ts'
import { openWorld, type World } from './world.ts'

const policy = (limit: string, response = '{exposeBalance: true}'): string => `
apiVersion: purser.dev/v1alpha1
kind: BudgetPolicy
metadata: {name: team}
spec:
  limits: [${limit}]
  response: ${response}
`
/** One call costs $0.01 exactly: 1,000 tokens of output. */
const COST = 10_000_000n
const DOLLAR = '{name: money, unit: USD, amount: "0.10", window: {calendar: Day}, warnAtPercent: [80, 20, 50]}'
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
const usage = { prompt_tokens: 0, completion_tokens: 1_000, total_tokens: 1_000 }
const answer = json({ id: 'c', object: 'chat.completion', model: 'gpt-4o', choices: [], usage })

/** One whole call; answers the warning that its client got. */
async function call(enforcer: Enforcer): Promise<string | null> {
  const exchange = new Lifecycle(enforcer)
  exchange.requestHeaders(request())
  const verdict = await exchange.requestBody(json({ model: 'gpt-4o', messages: [], max_tokens: 1_000 }))
  if (verdict.kind !== 'admit') return verdict.kind
  exchange.verdictWritten()
  const { change } = exchange.responseHeaders(response())
  exchange.responseBody(answer, true)
  exchange.closed(false)
  await enforcer.settler.drain(1_000)
  return change.set.find(([name]) => name === 'x-purser-warning')?.[1] ?? null
}

const told = ({ warned }: SilentTelemetry): number[] => warned.mock.calls.map(([warning]) => warning.percent)

/** Another replica on the world's ledger. */
function replica({ enforcer }: World): { enforcer: Enforcer; telemetry: SilentTelemetry } {
  const telemetry = silentTelemetry()
  return { enforcer: createEnforcer({ ...enforcer, telemetry }), telemetry }
}

async function eventually(what: () => boolean): Promise<void> {
  for (let tries = 0; !what(); tries += 1) {
    if (tries > 500) throw new Error('it never came')
    await wait(10)
  }
}

describe('a budget with warnAtPercent', () => {
  it('tells of each percentage once, in its order, and tells clients the highest that is reached', async () => {
    const world = await openWorld(policy(DOLLAR))
    const headers: (string | null)[] = []
    for (let calls = 0; calls < 9; calls += 1) headers.push(await call(world.enforcer))
    await eventually(() => told(world.telemetry).length === 3)
    expect(told(world.telemetry)).toEqual([20, 50, 80])
    const at = (percent: number): string => `default/team/money ${percent}%`
    expect(headers).toEqual([null, null, at(20), at(20), at(20), at(50), at(50), at(50), at(80)])
    const [first] = world.telemetry.warned.mock.calls
    expect(first?.[0]).toMatchObject({ percent: 20, balance: { limit: 10n * COST, spent: 2n * COST }, bound: { limit: { name: 'money' } } })
  })

  it('is looked at after the charge, though no call follows', async () => {
    const world = await openWorld(policy(DOLLAR))
    await call(world.enforcer)
    await call(world.enforcer)
    expect(told(world.telemetry)).toEqual([])
    await eventually(() => told(world.telemetry).length > 0)
    expect(told(world.telemetry)).toEqual([20])
  })

  it('tells clients nothing where its policy does not expose its balance', async () => {
    const world = await openWorld(policy(DOLLAR, '{}'))
    for (let calls = 0; calls < 4; calls += 1) expect(await call(world.enforcer)).toBeNull()
    await eventually(() => told(world.telemetry).length > 0)
  })

  it('is told of by one of three replicas that see it at the same time', async () => {
    const world = await openWorld(policy(DOLLAR))
    const others = [replica(world), replica(world)]
    const all = [world, ...others]
    for (let calls = 0; calls < 8; calls += 1) await call(all[calls % 3]!.enforcer)
    await Promise.all(all.map(({ enforcer }) => call(enforcer)))
    const sum = (): number[] => all.flatMap(({ telemetry }) => told(telemetry)).toSorted()
    await eventually(() => sum().length >= 3)
    await wait(1_500)
    expect(sum()).toEqual([20, 50, 80])
    // A replica that starts anew asks the ledger, and is told that it was told.
    const late = replica(world)
    await call(late.enforcer)
    await wait(200)
    expect(told(late.telemetry)).toEqual([])
  })

  it('begins anew with its next window', async () => {
    const world = await openWorld(policy(DOLLAR))
    for (let calls = 0; calls < 3; calls += 1) await call(world.enforcer)
    await eventually(() => told(world.telemetry).length === 1)
    world.step(86_400_000)
    for (let calls = 0; calls < 3; calls += 1) await call(world.enforcer)
    await eventually(() => told(world.telemetry).length === 2)
    expect(told(world.telemetry)).toEqual([20, 20])
  })

  it('counts what is reserved where only that counts', async () => {
    const world = await openWorld(policy('{name: slots, unit: Requests, amount: "2", window: {inFlight: {}}, warnAtPercent: [50]}'))
    await call(world.enforcer)
    expect(told(world.telemetry)).toEqual([50])
  })

  it('leaves a mark in the ledger that no list of budgets shows', async () => {
    const world = await openWorld(policy(DOLLAR))
    for (let calls = 0; calls < 3; calls += 1) await call(world.enforcer)
    await eventually(() => told(world.telemetry).length === 1)
    const listed = await world.ledger.list({ prefix: '', cursor: '', count: 100 })
    const keys = listed.kind === 'read' ? listed.value.budgets.map(({ key }) => key) : []
    expect(keys).toHaveLength(2)
    expect(keys.filter(key => key.startsWith('Warning:BudgetPolicy|default|team|money|Requests|'))).toHaveLength(1)
  })
})
