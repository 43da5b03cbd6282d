// Every way in which an exchange can end, and what it is charged: the reservation is closed exactly once, and never forgiven.
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { BodyAnswer } from '../../src/enforcer/exchange.ts'
import type { Lifecycle } from '../../src/enforcer/lifecycle.ts'
import type { Ledger } from '../../src/ports.ts'
import { request, response } from './requests.ts'
import { openWorld, type World } from './world.ts'

const POLICY = `
apiVersion: purser.dev/v1alpha1
kind: BudgetPolicy
metadata: {name: team}
spec:
  limits:
  - {name: money, unit: USD, amount: "1.00", window: {calendar: Day, timeZone: UTC}}
  - {name: calls, unit: Requests, amount: "100", window: {lifetime: {}}}
  - {name: slots, unit: Requests, amount: "50", window: {inFlight: {}}}
  reservation: {defaultMaxOutputTokens: 1000, onOpaqueInput: Deny}
`
const USAGE = { prompt_tokens: 100, completion_tokens: 500, total_tokens: 600 }
/** 100 x $2.50 and 500 x $10 a million, in nano-USD. */
const REAL = 5_250_000n
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
const body = (changes: object = {}): Buffer =>
  json({ model: 'gpt-4o', messages: [{ role: 'user', content: 'hello' }], max_tokens: 1000, ...changes })
const answer = json({
  id: 'c',
  object: 'chat.completion',
  model: 'gpt-4o-2024-08-06',
  choices: [{ index: 0, message: { role: 'assistant', content: 'hi' } }],
  usage: USAGE,
})
const event = (value: unknown): string => `data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`
const delta = (content: string): string =>
  event({ object: 'chat.completion.chunk', model: 'gpt-4o-2024-08-06', choices: [{ index: 0, delta: { content } }] })
const usageEvent = event({ object: 'chat.completion.chunk', model: 'gpt-4o-2024-08-06', choices: [], usage: USAGE })
const sse = { headers: { 'content-type': 'text/event-stream' } }

async function admitted(
  world: World,
  changes: object = {},
): Promise<{ exchange: Lifecycle; answer: Extract<BodyAnswer, { kind: 'admit' }> }> {
  const exchange = world.open()
  expect(exchange.requestHeaders(request())).toMatchObject({ kind: 'read-body' })
  const verdict = await exchange.requestBody(body(changes))
  if (verdict.kind !== 'admit') throw new Error(`expected an admission, got ${JSON.stringify(verdict)}`)
  exchange.verdictWritten()
  return { exchange, answer: verdict }
}

/** The bound of the one call: what is reserved on the USD limit while it is open. */
async function reservedBy(world: World): Promise<bigint> {
  return (await world.balance('money')).reserved
}

async function expectClosed(world: World, spent: bigint, calls: bigint, suspense = 0n): Promise<void> {
  await world.settled()
  expect(await world.balance('money')).toMatchObject({ spent, reserved: 0n, suspense })
  expect(await world.balance('calls')).toMatchObject({ spent: calls, reserved: 0n })
  expect(await world.balance('slots')).toMatchObject({ spent: 0n, reserved: 0n, available: 50n })
}

describe('an admitted call', () => {
  it('is reserved at its bound on every limit, and settled at its usage', async () => {
    const world = await openWorld(POLICY)
    const { exchange } = await admitted(world)
    const reserved = await reservedBy(world)
    expect(reserved).toBeGreaterThan(10_000_000n)
    expect(reserved).toBeLessThan(11_000_000n)
    expect((await world.balance('slots')).reserved).toBe(1n)
    expect(exchange.responseHeaders(response())).toMatchObject({ kind: 'meter' })
    expect(exchange.responseBody(answer, true)).toBeNull()
    await expectClosed(world, REAL, 1n)
    exchange.closed(false)
    await expectClosed(world, REAL, 1n)
  })

  it.each([1, 7, 10_000])('streams in pieces of %i bytes: usage is asked for, and hidden from a client that did not ask', async step => {
    const world = await openWorld(POLICY)
    const { exchange, answer: verdict } = await admitted(world, { stream: true })
    expect(JSON.parse(Buffer.from(verdict.body ?? []).toString())).toMatchObject({
      stream_options: { include_usage: true },
      max_tokens: 1000,
    })
    exchange.responseHeaders(response(sse))
    const whole = Buffer.from(delta('hi') + delta(' there') + usageEvent + event('[DONE]'))
    const seen: Uint8Array[] = []
    for (let at = 0; at < whole.length; at += step) {
      const piece = whole.subarray(at, at + step)
      seen.push(exchange.responseBody(piece, false) ?? piece)
    }
    seen.push(exchange.responseBody(Buffer.alloc(0), true) ?? Buffer.alloc(0))
    expect(Buffer.concat(seen).toString()).toBe(delta('hi') + delta(' there') + event('[DONE]'))
    await expectClosed(world, REAL, 1n)
  })

  it('leaves a body alone that needs no change', async () => {
    const world = await openWorld(POLICY)
    expect((await admitted(world)).answer.body).toBeNull()
  })

  it('gets the default bound put in where it declares none', async () => {
    const world = await openWorld(POLICY)
    const { answer: verdict } = await admitted(world, { max_tokens: undefined })
    expect(JSON.parse(Buffer.from(verdict.body ?? []).toString())).toMatchObject({ max_completion_tokens: 1000 })
  })

  it('reads a compressed answer', async () => {
    const world = await openWorld(POLICY)
    const { exchange } = await admitted(world)
    exchange.responseHeaders(response({ headers: { 'content-encoding': 'gzip' } }))
    const packed = gzipSync(answer)
    expect(exchange.responseBody(packed.subarray(0, 30), false)).toBeNull()
    expect(exchange.responseBody(packed.subarray(30), true)).toBeNull()
    await new Promise<void>(resolve => {
      const look = (): void => void (world.telemetry.closed.mock.calls.length > 0 ? resolve() : setImmediate(look))
      look()
    })
    await expectClosed(world, REAL, 1n)
  })
})

describe('an exchange that ends otherwise', () => {
  const endings: [string, (exchange: Lifecycle) => void, 'released' | 'error' | 'bound'][] = [
    ['never attempted', exchange => exchange.responseHeaders(response({ status: 503, attempts: 0, codeDetails: 'rbac' })), 'released'],
    [
      'connection refused',
      exchange => exchange.responseHeaders(response({ status: 503, flags: 32, codeDetails: 'upstream_reset' })),
      'released',
    ],
    ['an error of the provider', exchange => exchange.responseHeaders(response({ status: 500 })), 'error'],
    ['a rate limit of the provider', exchange => exchange.responseHeaders(response({ status: 429 })), 'error'],
    [
      'an upstream timeout',
      exchange => exchange.responseHeaders(response({ status: 504, flags: 4, codeDetails: 'response_timeout' })),
      'bound',
    ],
    [
      'a reset before headers',
      exchange => exchange.responseHeaders(response({ status: 503, flags: 64, codeDetails: 'upstream_reset' })),
      'bound',
    ],
    ['gone before any answer', exchange => exchange.closed(false), 'bound'],
    [
      'an encoding that cannot be read',
      exchange => exchange.responseHeaders(response({ headers: { 'content-encoding': 'exotic' } })),
      'bound',
    ],
    [
      'JSON cut short',
      exchange => {
        exchange.responseHeaders(response())
        exchange.responseBody(answer.subarray(0, 60), false)
        exchange.closed(false)
      },
      'bound',
    ],
  ]
  it.each(endings)('%s', async (_, end, how) => {
    const world = await openWorld(POLICY)
    const { exchange } = await admitted(world)
    const reserved = await reservedBy(world)
    end(exchange)
    exchange.closed(false)
    if (how === 'released') await expectClosed(world, 0n, 0n)
    if (how === 'error') await expectClosed(world, 0n, 1n)
    if (how === 'bound') await expectClosed(world, reserved, 1n, reserved)
  })

  it.each([
    ['an answer', {}, REAL, 1n],
    ['an error', { status: 500 }, 0n, 1n],
    ['a refused connection', { status: 503, flags: 32, codeDetails: 'upstream_reset' }, 0n, 1n],
  ] as const)('attempts before %s are charged their input each, into suspense', async (_, head, proven, calls) => {
    const world = await openWorld(POLICY)
    const { exchange } = await admitted(world)
    const reserved = await reservedBy(world)
    exchange.responseHeaders(response({ ...head, attempts: 3 }))
    exchange.responseBody(answer, true)
    exchange.closed(false)
    await world.settled()
    const { suspense } = await world.balance('money')
    // The output's bound is 1,000 tokens at $10 a million: what is left of the reservation is the input's.
    expect(suspense).toBe(2n * (reserved - 10_000_000n))
    await expectClosed(world, proven + suspense, calls, suspense)
  })

  it('a stream cut half-way is charged for what came through, into suspense', async () => {
    const world = await openWorld(POLICY)
    const { exchange } = await admitted(world, { stream: true })
    const reserved = await reservedBy(world)
    exchange.responseHeaders(response(sse))
    for (let token = 0; token < 250; token++) exchange.responseBody(Buffer.from(delta(' word')), false)
    exchange.closed(false)
    await world.settled()
    const { spent, suspense } = await world.balance('money')
    expect(suspense).toBe(spent)
    const billed = 2_750_000n
    expect(spent).toBeGreaterThanOrEqual(billed)
    expect(spent).toBeLessThan(reserved)
    expect(Number(spent) / Number(billed)).toBeLessThan(1.6)
  })

  it('a stream cut while messages may have been lost unread is charged its bound', async () => {
    const world = await openWorld(POLICY)
    const { exchange } = await admitted(world, { stream: true })
    const reserved = await reservedBy(world)
    exchange.responseHeaders(response(sse))
    exchange.responseBody(Buffer.from(delta('word')), false)
    exchange.closed(true)
    await expectClosed(world, reserved, 1n, reserved)
  })

  it('a stream cut after its report is settled at it, whatever may have been lost', async () => {
    const world = await openWorld(POLICY)
    const { exchange } = await admitted(world, { stream: true })
    exchange.responseHeaders(response(sse))
    exchange.responseBody(Buffer.from(usageEvent + event('[DONE]')), false)
    exchange.closed(true)
    await expectClosed(world, REAL, 1n)
  })

  it('before its verdict was written is released', async () => {
    const world = await openWorld(POLICY)
    const exchange = world.open()
    exchange.requestHeaders(request())
    await exchange.requestBody(body())
    exchange.closed(false)
    await expectClosed(world, 0n, 0n)
  })

  it('while it is being reserved is released, and nothing is answered', async () => {
    const gate = Promise.withResolvers<void>()
    const wrap = (ledger: Ledger): Ledger => ({ ...ledger, reserve: async move => gate.promise.then(() => ledger.reserve(move)) })
    const world = await openWorld(POLICY, wrap)
    const exchange = world.open()
    exchange.requestHeaders(request())
    const verdict = exchange.requestBody(body())
    exchange.closed(false)
    gate.resolve()
    expect(await verdict).toEqual({ kind: 'gone' })
    await expectClosed(world, 0n, 0n)
  })

  it('drained in the middle of a stream settles what is known, and leaves', async () => {
    const world = await openWorld(POLICY)
    const { exchange } = await admitted(world, { stream: true })
    exchange.responseHeaders(response(sse))
    exchange.responseBody(Buffer.from(delta('word')), false)
    expect(exchange.drain()).toBe('end')
    await world.settled()
    expect((await world.balance('money')).suspense).toBeGreaterThan(0n)
    expect(exchange.responseBody(Buffer.from(delta('more')), true)).toBeNull()
  })
})

describe('a refused call', () => {
  it('is told why, and moves nothing', async () => {
    const world = await openWorld(POLICY.replace('"1.00"', '"0.015"'))
    await admitted(world)
    const second = world.open()
    second.requestHeaders(request())
    const verdict = await second.requestBody(body())
    expect(verdict).toMatchObject({ kind: 'refuse', refusal: { status: 429, reason: 'in-flight' } })
    if (verdict.kind !== 'refuse') return
    expect(Object.fromEntries(verdict.refusal.headers)).toMatchObject({
      'x-purser-budget': 'default/team/money',
      'content-type': 'application/json',
    })
    expect(JSON.parse(verdict.refusal.body).error.message).toContain('in flight')
    expect((await world.balance('calls')).reserved).toBe(1n)
  })

  it('whose ledger is away is refused with 503, and released when it is back', async () => {
    let away = true
    const wrap = (ledger: Ledger): Ledger => ({
      ...ledger,
      reserve: async move => (away ? { kind: 'unavailable', why: 'test' } : ledger.reserve(move)),
    })
    const world = await openWorld(POLICY, wrap)
    const exchange = world.open()
    exchange.requestHeaders(request())
    expect(await exchange.requestBody(body())).toMatchObject({ kind: 'refuse', refusal: { status: 503, reason: 'ledger-unavailable' } })
    away = false
    await expectClosed(world, 0n, 0n)
  })

  it.each([
    ['unreadable', 400, Buffer.from('{"model":')],
    ['unreadable', 400, Buffer.alloc(0)],
    ['no-price', 403, body({ model: 'nobody-knows-this-model' })],
    ['never-fits', 403, body({ max_tokens: 1_000_000 })],
    ['opaque-input', 403, body({ messages: [{ role: 'user', content: [{ type: 'file', file: { file_id: 'f' } }] }] })],
  ] as const)('%s', async (reason, status, bytes) => {
    const world = await openWorld(POLICY)
    const exchange = world.open()
    exchange.requestHeaders(request())
    expect(await exchange.requestBody(bytes)).toMatchObject({ kind: 'refuse', refusal: { status, reason } })
    await expectClosed(world, 0n, 0n)
  })

  it('of an unknown endpoint, or an upgrade, is refused at its head', async () => {
    const world = await openWorld(POLICY)
    expect(world.open().requestHeaders(request({ path: '/v1/secret' }))).toMatchObject({
      refusal: { reason: 'unknown-endpoint', status: 403 },
    })
    expect(world.open().requestHeaders(request({ headers: { upgrade: 'websocket' } }))).toMatchObject({ refusal: { reason: 'upgrade' } })
  })

  it('speaks the dialect of its caller', async () => {
    const world = await openWorld(POLICY)
    const answered = world.open().requestHeaders(request({ path: '/v1/secret', headers: { 'anthropic-version': '2023-06-01' } }))
    expect(answered).toMatchObject({ kind: 'refuse', refusal: { body: expect.stringContaining('"type":"error"') } })
  })
})

describe('policies that only audit', () => {
  const audit = POLICY.replace('spec:\n', 'spec:\n  enforcement: {mode: Audit}\n').replace('"1.00"', '"0.001"')

  it('count a call that does not fit, and let it go', async () => {
    const world = await openWorld(audit)
    const { exchange } = await admitted(world)
    exchange.responseHeaders(response())
    exchange.responseBody(answer, true)
    await world.settled()
    expect(await world.balance('money')).toMatchObject({ spent: REAL, reserved: 0n, available: 1_000_000n - REAL })
    expect(world.telemetry.audited.mock.calls).toEqual([['never-fits', expect.objectContaining({ namespace: 'default', name: 'team' })]])
  })

  it('say nothing of a call that they would have let go', async () => {
    const world = await openWorld(audit.replace('"0.001"', '"1.00"'))
    await admitted(world)
    expect(world.telemetry.audited).not.toHaveBeenCalled()
  })

  it('say what they forbid beside a policy that is enforced', async () => {
    const strict = audit.replace('name: team', 'name: trial').replace('spec:\n', 'spec:\n  permissions: {models: {deny: [gpt-4o]}}\n')
    const world = await openWorld(`${POLICY}---${strict}`)
    await admitted(world)
    expect(world.telemetry.audited.mock.calls).toEqual([['model-forbidden', expect.objectContaining({ name: 'trial' })]])
  })

  it.each([
    ['an endpoint that is not known', { path: '/v1/secret' }, 'unknown-endpoint'],
    ['an upgrade', { headers: { upgrade: 'websocket' } }, 'upgrade'],
  ])('say that they would have refused %s', async (_, changes, reason) => {
    const world = await openWorld(audit)
    expect(world.open().requestHeaders(request(changes))).toMatchObject({ kind: 'pass' })
    expect(world.telemetry.audited.mock.calls).toEqual([[reason, null]])
  })

  it.each([
    ['unreadable', Buffer.from('{')],
    ['no-price', body({ model: 'nobody-knows-this-model' })],
  ])('pass what would be refused: %s', async (reason, bytes) => {
    const world = await openWorld(audit)
    const exchange = world.open()
    exchange.requestHeaders(request())
    expect(['pass', 'admit']).toContain((await exchange.requestBody(bytes)).kind)
    expect(world.telemetry.audited.mock.calls).toEqual([[reason, null]])
  })

  it('pass while the ledger is away', async () => {
    const world = await openWorld(audit, ledger => ({ ...ledger, reserve: async () => ({ kind: 'unavailable', why: 'test' }) }))
    const exchange = world.open()
    exchange.requestHeaders(request())
    expect(await exchange.requestBody(body())).toMatchObject({ kind: 'admit' })
  })
})

describe('a call that costs nothing or that nothing binds', () => {
  it('passes and is counted', async () => {
    const world = await openWorld(POLICY)
    expect(world.open().requestHeaders(request({ method: 'GET', path: '/v1/models' }))).toMatchObject({ kind: 'pass' })
    const elsewhere = { namespace: 'other', provider: null, gateway: null }
    expect(world.open().requestHeaders(request({ purser: elsewhere }))).toMatchObject({ kind: 'pass' })
    expect(world.telemetry.decided.mock.calls.map(call => call.slice(0, 2))).toEqual([
      ['unmetered', 'free'],
      ['unmetered', 'unbudgeted'],
    ])
  })
})
