// Calls that are sent to other routes: in which order, bound by whose budgets, under which name, and whose word on the route counts.
import { describe, expect, it } from 'vitest'
import { request, response } from './requests.ts'
import { openWorld, type World } from './world.ts'

const object = (kind: string, metadata: string, spec: string): string => `
apiVersion: purser.dev/v1alpha1
kind: ${kind}
metadata: ${metadata}
spec: ${spec}
---`
const limit = (name: string, amount: string): string => `{name: ${name}, unit: USD, amount: "${amount}", window: {lifetime: {}}}`
const policy = (name: string, spec: string, namespace = 'default'): string =>
  object('BudgetPolicy', `{name: ${name}, namespace: ${namespace}}`, spec)
const on = (route: string): string => `targetRefs: [{kind: HTTPRoute, name: ${route}}]`
const PREPAID = '{value: prepaid, provider: azure, route: {name: prepaid}, models: [{name: gpt-4o, as: our-4o}, {name: gpt-4o-mini}]}'
const PAYG = '{value: payg, provider: openai, route: {name: payg}}'
const steering = (targets = `${PREPAID}, ${PAYG}`, more = ''): string => policy('steers', `{${on('llm')}, steering: [${targets}]${more}}`)
const prepaid = (amount: string): string => policy('prepaid', `{${on('prepaid')}, limits: [${limit('prepaid', amount)}]}`)
const payg = (amount: string, more = ''): string => policy('payg', `{${on('payg')}, limits: [${limit('payg', amount)}]${more}}`)

const chat = (fields: object = {}) => ({ model: 'gpt-4o', max_tokens: 1_000, messages: [{ role: 'user', content: 'Hi' }], ...fields })

async function send(
  world: World,
  body: object = chat(),
  headers: Readonly<Record<string, string>> = {},
  path = '/openai/v1/chat/completions',
) {
  const exchange = world.open()
  const head = exchange.requestHeaders(request({ path, authority: 'gateway.example', headers, routeName: 'llm' }))
  if (head.kind !== 'read-body') return { head, exchange, kind: head.kind, to: null, model: null, answer: null }
  const text = JSON.stringify(body, null, 1)
  const answer = await exchange.requestBody(Buffer.from(text))
  const passed = answer.kind === 'admit' || answer.kind === 'pass' ? answer : null
  const sent = passed === null ? '{}' : passed.body === null ? text : Buffer.from(passed.body).toString()
  const steer = passed?.change.set.find(([name]) => name === 'x-purser-route')?.[1] ?? null
  expect(passed?.change.reroute ?? false).toBe(steer !== null)
  return { head, exchange, kind: answer.kind, to: steer, model: (JSON.parse(sent) as { model?: string }).model ?? null, answer }
}

describe('a call', () => {
  it('goes to the first route that has room, in its name there, and then to the next', async () => {
    const world = await openWorld(`${steering()}${prepaid('0.025')}${payg('1')}`)
    const found = [await send(world), await send(world), await send(world), await send(world)]
    expect(found.map(({ kind, to, model }) => [kind, to, model])).toEqual([
      ['admit', 'prepaid', 'our-4o'],
      ['admit', 'prepaid', 'our-4o'],
      ['admit', 'payg', 'gpt-4o'],
      ['admit', 'payg', 'gpt-4o'],
    ])
    expect((await world.balance('prepaid')).reserved).toBe((await world.balance('payg')).reserved)
  })

  it('is told where it went, and what it cost there', async () => {
    const world = await openWorld(`${steering()}${prepaid('1')}`)
    const { exchange } = await send(world)
    exchange.verdictWritten()
    const { change } = exchange.responseHeaders(response())
    expect(change.set).toEqual([
      ['x-purser-action', 'steered'],
      ['x-purser-model', 'our-4o'],
    ])
    const usage = { prompt_tokens: 8, completion_tokens: 3, total_tokens: 11 }
    exchange.responseBody(Buffer.from(JSON.stringify({ model: 'gpt-4o-2024-08-06', choices: [], usage })), true)
    await world.settled()
    expect((await world.balance('prepaid')).spent).toBe(8n * 2_500n + 3n * 10_000n)
  })

  it('passes unmetered by a route that no limit binds, once the others have no room', async () => {
    const world = await openWorld(`${steering()}${prepaid('0.015')}`)
    expect([(await send(world)).kind, (await send(world)).kind]).toEqual(['admit', 'pass'])
    const { to, exchange, model } = await send(world)
    expect([to, model]).toEqual(['payg', 'gpt-4o'])
    expect(exchange.responseHeaders(response()).change.set).toContainEqual(['x-purser-action', 'steered'])
  })

  it('is bound by what binds its own route and namespace besides', async () => {
    const own = `${policy('all', `{limits: [${limit('all', '1')}]}`)}${policy('of-llm', `{${on('llm')}, limits: [${limit('of-llm', '1')}]}`)}`
    const world = await openWorld(`${steering()}${prepaid('1')}${own}`)
    await send(world)
    const reserved = (await world.balance('prepaid')).reserved
    expect(reserved).toBeGreaterThan(0n)
    expect([(await world.balance('all')).reserved, (await world.balance('of-llm')).reserved]).toEqual([reserved, reserved])
  })

  it('is bound by the namespace of the route that it is sent to, and by its own', async () => {
    const target = '{value: shared, provider: openai, route: {namespace: shared, name: x}}'
    const cluster = object('ClusterBudgetPolicy', '{name: steers}', `{steering: [${target}]}`)
    const theirs = policy('theirs', `{limits: [${limit('theirs', '1')}]}`, 'shared')
    const world = await openWorld(`${cluster}${theirs}${policy('ours', `{limits: [${limit('ours', '1')}]}`)}`)
    expect((await send(world)).to).toBe('shared')
    expect((await world.balance('theirs')).reserved).toBeGreaterThan(0n)
    expect((await world.balance('ours')).reserved).toBe((await world.balance('theirs')).reserved)
  })

  it.each([
    ['a provider that is not permitted', policy('no', '{permissions: {providers: {deny: [azure]}}}'), chat(), 'payg', 'gpt-4o'],
    [
      'a model that is not permitted there',
      policy('no', `{${on('prepaid')}, permissions: {models: {deny: [gpt-4o]}}}`),
      chat(),
      'payg',
      'gpt-4o',
    ],
    ['a model that is not there', '', chat({ model: 'gpt-4.1' }), 'payg', 'gpt-4.1'],
    ['models to fall back to that are not there', '', chat({ models: ['gpt-4o', 'gpt-4.1'] }), 'payg', 'gpt-4o'],
    ['no name of its own', '', chat({ model: 'gpt-4o-mini' }), 'prepaid', 'gpt-4o-mini'],
  ])('skips a route for %s', async (_, more, body, to, model) => {
    const found = await send(await openWorld(`${steering()}${prepaid('1')}${payg('1')}${more}`), body)
    expect([found.to, found.model]).toEqual([to, model])
  })

  it('goes where it came in, where none of the routes has its model', async () => {
    const world = await openWorld(`${steering(PREPAID)}${prepaid('1')}${policy('all', `{limits: [${limit('all', '1')}]}`)}`)
    const found = await send(world, chat({ model: 'gpt-4.1' }))
    expect([found.kind, found.to, found.model]).toEqual(['admit', null, 'gpt-4.1'])
  })

  it('gets a shorter answer, or another model, only by the last of them', async () => {
    const concede =
      ', reservation: {clampToHeadroom: true, minOutputTokens: 600, onShortfall: Substitute}, permissions: {substitutes: [gpt-4o-mini]}'
    const second = async (amount: string) => {
      const world = await openWorld(`${steering(undefined, concede)}${prepaid('0.008')}${payg(amount)}`)
      expect(await send(world)).toMatchObject({ to: 'payg', model: 'gpt-4o' })
      const { exchange, ...found } = await send(world)
      exchange.verdictWritten()
      return { ...found, told: exchange.responseHeaders(response()).change.set[0]?.[1] }
    }
    expect(await second('0.018')).toMatchObject({ to: 'payg', model: 'gpt-4o', told: 'steered, clamped' })
    expect(await second('0.0155')).toMatchObject({ to: 'payg', model: 'gpt-4o-mini', told: 'steered, substituted' })
  })
})

describe("a client's own steering header", () => {
  const forged = { 'x-purser-route': 'payg' }

  it('is removed where nobody steers', async () => {
    const { head } = await send(await openWorld(policy('all', `{limits: [${limit('all', '1')}]}`)), chat(), forged)
    expect(head.kind === 'read-body' ? head.change.remove : []).toEqual(['x-purser-route'])
  })

  it('is refused where it may have chosen the route', async () => {
    const { head } = await send(await openWorld(`${steering()}${prepaid('1')}`), chat(), forged)
    expect(head.kind === 'refuse' ? head.refusal.reason : head.kind).toBe('wiring')
  })
})

it('a policy of a namespace may not have the budgets of another charged', async () => {
  const target = '{value: x, provider: openai, route: {namespace: theirs, name: x}}'
  await expect(openWorld(steering(target))).rejects.toThrow(
    'spec.steering[0].route.namespace: "theirs" is another namespace; allowed: default',
  )
})
