// An answer that is fetched later proves what the call for it did cost: once, whoever fetches it, and nothing for the fetching.
import { describe, expect, it } from 'vitest'
import type { Lifecycle } from '../../src/enforcer/lifecycle.ts'
import { request, response } from './requests.ts'
import { openWorld, type World } from './world.ts'

const POLICY = `
apiVersion: purser.dev/v1alpha1
kind: BudgetPolicy
metadata: {name: team}
spec:
  limits:
  - {name: money, unit: USD, amount: "1.00", window: {calendar: Day, timeZone: UTC}}
  - {name: tokens, unit: Tokens, amount: "100000", window: {lifetime: {}}}
`
const POST = { path: '/v1/responses' }
const GET = (id: string) => ({ method: 'GET', path: `/v1/responses/${id}`, endOfStream: true })
const CALL = { model: 'gpt-4o', input: 'hello', max_output_tokens: 1000 }
const USAGE = { input_tokens: 100, output_tokens: 500, total_tokens: 600 }
/** 100 x $2.50 and 500 x $10 a million, in nano-USD. */
const REAL = 5_250_000n
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
const answer = (id: string, changes: object): Buffer => json({ id, object: 'response', model: 'gpt-4o-2024-08-06', output: [], ...changes })
const queued = (id: string): Buffer => answer(id, { status: 'queued', background: true, usage: null })
const completed = (id: string): Buffer => answer(id, { status: 'completed', background: true, usage: USAGE })

async function ask(world: World, body: object, bytes: Buffer): Promise<void> {
  const exchange = world.open()
  exchange.requestHeaders(request(POST))
  expect(await exchange.requestBody(json(body))).toMatchObject({ kind: 'admit' })
  exchange.verdictWritten()
  exchange.responseHeaders(response())
  exchange.responseBody(bytes, true)
  await world.settled()
}

async function fetchAnswer(world: World, id: string, bytes: Buffer): Promise<Lifecycle> {
  const exchange = world.open()
  expect(exchange.requestHeaders(request(GET(id)))).toMatchObject({ kind: 'watch' })
  expect(exchange.responseHeaders(response())).toMatchObject({ kind: 'meter' })
  for (let at = 0; at < bytes.length; at += 7) {
    expect(exchange.responseBody(bytes.subarray(at, at + 7), at + 7 >= bytes.length)).toBeNull()
  }
  await new Promise(setImmediate) // the ledger is asked whose answer it is
  await world.settled()
  return exchange
}

describe('an answer in the background', () => {
  it('is charged at its estimate until it is fetched, then exactly, once', async () => {
    const world = await openWorld(POLICY)
    await ask(world, { ...CALL, background: true }, queued('resp_1'))
    const before = await world.balance('money')
    expect(before.suspense).toBe(before.spent)
    expect(before.spent).toBeGreaterThan(REAL)
    await fetchAnswer(world, 'resp_1', queued('resp_1'))
    expect(await world.balance('money')).toEqual(before)
    await fetchAnswer(world, 'resp_1', completed('resp_1'))
    expect(await world.balance('money')).toMatchObject({ spent: REAL, suspense: 0n, reserved: 0n, overrun: 0n })
    expect(await world.balance('tokens')).toMatchObject({ spent: 600n, suspense: 0n })
    await fetchAnswer(world, 'resp_1', completed('resp_1'))
    expect(await world.balance('money')).toMatchObject({ spent: REAL, suspense: 0n })
  })

  it('is found by what the provider answers, not by what the path says', async () => {
    const world = await openWorld(POLICY)
    await ask(world, { ...CALL, background: true }, queued('resp_1'))
    const before = await world.balance('money')
    await fetchAnswer(world, 'resp_1', completed('resp_2'))
    expect(await world.balance('money')).toEqual(before)
  })

  it('of another provider is another answer', async () => {
    const world = await openWorld(POLICY)
    await ask(world, { ...CALL, background: true }, queued('resp_1'))
    const before = await world.balance('money')
    const exchange = world.open()
    const elsewhere = { namespace: null, provider: 'azure', gateway: null }
    exchange.requestHeaders(request({ ...GET('resp_1'), purser: elsewhere }))
    exchange.responseHeaders(response())
    exchange.responseBody(completed('resp_1'), true)
    await new Promise(setImmediate)
    await world.settled()
    expect(await world.balance('money')).toEqual(before)
  })

  it('is proved by an answer that was cut, when it is fetched whole', async () => {
    const world = await openWorld(POLICY)
    const exchange = world.open()
    exchange.requestHeaders(request(POST))
    await exchange.requestBody(json({ ...CALL, stream: true }))
    exchange.verdictWritten()
    exchange.responseHeaders(response({ headers: { 'content-type': 'text/event-stream' } }))
    const created = {
      type: 'response.created',
      response: { id: 'resp_3', object: 'response', model: 'gpt-4o-2024-08-06', status: 'in_progress' },
    }
    exchange.responseBody(Buffer.from(`event: response.created\ndata: ${JSON.stringify(created)}\n\n`), false)
    exchange.closed(false)
    await world.settled()
    expect((await world.balance('money')).suspense).toBeGreaterThan(0n)
    await fetchAnswer(world, 'resp_3', completed('resp_3'))
    expect(await world.balance('money')).toMatchObject({ spent: REAL, suspense: 0n })
  })

  it('that failed to be fetched proves nothing, and nothing is left open', async () => {
    const world = await openWorld(POLICY)
    await ask(world, { ...CALL, background: true }, queued('resp_1'))
    const before = await world.balance('money')
    const missing = world.open()
    missing.requestHeaders(request(GET('resp_1')))
    expect(missing.responseHeaders(response({ status: 404 }))).toMatchObject({ kind: 'done' })
    missing.closed(false)
    const cut = world.open()
    cut.requestHeaders(request(GET('resp_1')))
    cut.responseHeaders(response())
    cut.responseBody(completed('resp_1').subarray(0, 40), false)
    cut.closed(false)
    await new Promise(setImmediate)
    await world.settled()
    expect(await world.balance('money')).toEqual(before)
  })
})
