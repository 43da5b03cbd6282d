// Calls that wait for others to give back what they do not use: for what they wait, how long, and what becomes of them.
import { describe, expect, it } from 'vitest'
import { request, response } from './requests.ts'
import { openWorld, type World } from './world.ts'

const policy = (limit: string, reservation = '{queueFor: 1s}'): string => `
apiVersion: purser.dev/v1alpha1
kind: BudgetPolicy
metadata: {name: team}
spec:
  limits: [${limit}]
  reservation: ${reservation}
`
const SLOTS = '{name: slots, unit: Requests, amount: "1", window: {inFlight: {}}}'
/** Room for one call of a thousand tokens at a time. */
const MONEY = '{name: usd, unit: USD, amount: "0.015", window: {lifetime: {}}}'
const body = (max_tokens: number): Buffer =>
  Buffer.from(JSON.stringify({ model: 'gpt-4o', max_tokens, messages: [{ role: 'user', content: 'Hi' }] }))

function start(world: World, authorization = 'Bearer sk-a', tokens = 1_000) {
  const exchange = world.open()
  exchange.requestHeaders(request({ authority: 'api.openai.com', headers: { authorization } }))
  return { exchange, answer: exchange.requestBody(body(tokens)) }
}

/** Ends an admitted call with a few tokens used. */
async function end({ exchange, answer }: ReturnType<typeof start>): Promise<void> {
  expect((await answer).kind).toBe('admit')
  exchange.verdictWritten()
  exchange.responseHeaders(response())
  exchange.responseBody(
    Buffer.from(JSON.stringify({ model: 'gpt-4o', choices: [], usage: { prompt_tokens: 1, completion_tokens: 1 } })),
    true,
  )
}

const told = (call: ReturnType<typeof start>): string | undefined => {
  call.exchange.verdictWritten()
  return call.exchange.responseHeaders(response()).change.set.find(([name]) => name === 'x-purser-action')?.[1]
}

describe.each([
  ['a slot', SLOTS],
  ['money that calls in flight hold', MONEY],
])('for %s', (_, limit) => {
  it('a call waits until one ends, and is told so', async () => {
    const world = await openWorld(policy(limit))
    const first = start(world)
    await first.answer
    const second = start(world)
    await end(first)
    expect((await second.answer).kind).toBe('admit')
    expect(told(second)).toBe('queued')
    expect(world.enforcer.queue.size()).toBe(0)
  })

  it('without the rule it is refused at once', async () => {
    const world = await openWorld(policy(limit, '{}'))
    await start(world).answer
    expect((await start(world).answer).kind).toBe('refuse')
  })
})

it('a call is refused as it would have been, at the end of its wait', async () => {
  const world = await openWorld(policy(SLOTS, '{queueFor: 100ms}'))
  await start(world).answer
  const answer = await start(world).answer
  expect(answer.kind === 'refuse' ? [answer.refusal.status, answer.refusal.reason] : answer.kind).toEqual([429, 'concurrency'])
})

it('a call that no other can help does not wait', async () => {
  const world = await openWorld(policy(MONEY.replace('0.015', '0.001')))
  const { answer } = start(world)
  expect((await answer).kind).toBe('refuse')
  expect(world.enforcer.queue.size()).toBe(0)
})

it('calls that come later stand behind those that wait, callers by turns', async () => {
  const world = await openWorld(policy(SLOTS))
  const holder = start(world)
  await holder.answer
  const order: string[] = []
  const calls = ['a', 'a', 'a', 'b'].map((caller, index) => {
    const call = start(world, `Bearer sk-${caller}`)
    void call.answer.then(() => order.push(`${caller}${index}`))
    return call
  })
  await end(holder)
  for (const call of [0, 3, 1, 2].map(index => calls[index])) if (call !== undefined) await end(call)
  expect(order).toEqual(['a0', 'b3', 'a1', 'a2'])
})

it('a small call that would fit stands behind a large one that waits', async () => {
  const world = await openWorld(policy(MONEY))
  const holder = start(world)
  await holder.answer
  const large = start(world)
  await new Promise(resolve => setImmediate(resolve))
  const small = start(world, 'Bearer sk-b', 10)
  const order: string[] = []
  void large.answer.then(() => order.push('large'))
  void small.answer.then(() => order.push('small'))
  await end(holder)
  await Promise.all([large.answer, small.answer])
  expect(order).toEqual(['large', 'small'])
  expect(told(small)).toBe('queued')
})

it('a call whose client leaves takes nothing, and makes way', async () => {
  const world = await openWorld(policy(SLOTS))
  const holder = start(world)
  await holder.answer
  const [left, next] = [start(world), start(world, 'Bearer sk-b')]
  await new Promise(resolve => setImmediate(resolve))
  left.exchange.closed(false)
  await end(holder)
  expect((await left.answer).kind).toBe('gone')
  await end(next)
  await world.settled()
  expect((await world.balance('slots')).reserved).toBe(0n)
})
