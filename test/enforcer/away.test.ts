// The ledger is away: nothing is admitted, or what the policies allow this process, and every cent of that reaches the ledger later.
import { describe, expect, it } from 'vitest'
import type { BodyAnswer } from '../../src/enforcer/exchange.ts'
import type { Lifecycle } from '../../src/enforcer/lifecycle.ts'
import type { Ledger } from '../../src/ports.ts'
import { request, response } from './requests.ts'
import { openWorld, type World } from './world.ts'

const policy = (allowUpTo: string, more = ''): string => `
apiVersion: purser.dev/v1alpha1
kind: BudgetPolicy
metadata: {name: team}
spec:
  limits:
  - {name: money, unit: USD, amount: "1.00", window: {calendar: Day, timeZone: UTC}${allowUpTo}}
  enforcement: {onLedgerUnavailable: Allow}
${more}`
const CALL = { model: 'gpt-4o', messages: [{ role: 'user', content: 'hello' }], max_tokens: 1000 }
const answer = Buffer.from(
  JSON.stringify({
    object: 'chat.completion',
    model: 'gpt-4o-2024-08-06',
    choices: [{ index: 0, message: { role: 'assistant', content: 'hi' } }],
    usage: { prompt_tokens: 100, completion_tokens: 500, total_tokens: 600 },
  }),
)
/** 100 x $2.50 and 500 x $10 a million, in nano-USD; a call reserves a little over twice as much. */
const REAL = 5_250_000n

const AWAY = { kind: 'unavailable', why: 'test' } as const
/** A store that can be away; `late`: it runs the reserve all the same, and its answer is lost. */
class Store {
  away = true
  late = false
  readonly wrap = (ledger: Ledger): Ledger => ({
    ...ledger,
    reserve: async move => {
      if (!this.away) return ledger.reserve(move)
      if (this.late) await ledger.reserve(move)
      return AWAY
    },
    settle: async move => (this.away ? AWAY : ledger.settle(move)),
    release: async move => (this.away ? AWAY : ledger.release(move)),
  })
}

async function ask(world: World, changes: object = {}): Promise<{ readonly exchange: Lifecycle; readonly verdict: BodyAnswer }> {
  const exchange = world.open()
  exchange.requestHeaders(request())
  const verdict = await exchange.requestBody(Buffer.from(JSON.stringify({ ...CALL, ...changes })))
  exchange.verdictWritten()
  return { exchange, verdict }
}

function finish(exchange: Lifecycle): void {
  exchange.responseHeaders(response())
  exchange.responseBody(answer, true)
}

const entriesOf = async (world: World): Promise<readonly string[]> => {
  const read = await world.ledger.entries({ afterSeq: 0, count: 100 })
  return read.kind === 'read' ? read.value.map(entry => entry.what) : []
}

describe('while the ledger is away', () => {
  it('a call passes where its policies allow that, and is posted as arrears when the ledger is back', async () => {
    const store = new Store()
    const world = await openWorld(policy(', allowUpTo: "0.02"'), store.wrap)
    const { exchange, verdict } = await ask(world)
    expect(verdict).toMatchObject({ kind: 'admit' })
    finish(exchange)
    store.away = false
    await world.settled()
    expect(await world.balance('money')).toMatchObject({ spent: REAL, reserved: 0n, suspense: 0n, overrun: 0n })
    expect(await entriesOf(world)).toEqual(['arrears'])
  })

  it('at most allowUpTo passes, and what was charged weighs on it until it is posted', async () => {
    const store = new Store()
    const world = await openWorld(policy(', allowUpTo: "0.02"'), store.wrap)
    const first = await ask(world) // reserves a little over a cent
    expect(first.verdict).toMatchObject({ kind: 'admit' })
    expect((await ask(world)).verdict).toMatchObject({ kind: 'refuse', refusal: { status: 503 } })
    finish(first.exchange) // leaves 0.00525
    const second = await ask(world)
    expect(second.verdict).toMatchObject({ kind: 'admit' })
    finish(second.exchange) // 0.0105
    expect((await ask(world)).verdict).toMatchObject({ kind: 'refuse', refusal: { status: 503 } })
    store.away = false
    await world.settled()
    store.away = true
    expect((await ask(world)).verdict).toMatchObject({ kind: 'admit' })
    expect((await world.balance('money')).spent).toBe(2n * REAL)
  })

  it('a reserve that was written although its answer was lost is settled, not charged a second time', async () => {
    const store = new Store()
    store.late = true
    const world = await openWorld(policy(', allowUpTo: "0.02"'), store.wrap)
    const { exchange, verdict } = await ask(world)
    expect(verdict).toMatchObject({ kind: 'admit' })
    finish(exchange)
    store.away = false
    await world.settled()
    expect(await world.balance('money')).toMatchObject({ spent: REAL, reserved: 0n })
    expect(await entriesOf(world)).toEqual(['reserved', 'settled'])
  })

  it('a call that never left gives back what it took of the allowance', async () => {
    const store = new Store()
    const world = await openWorld(policy(', allowUpTo: "0.02"'), store.wrap)
    const { exchange } = await ask(world)
    exchange.responseHeaders(response({ status: 503, attempts: 0, codeDetails: 'no_healthy_upstream' }))
    expect((await ask(world)).verdict).toMatchObject({ kind: 'admit' })
  })

  it.each([
    ['a limit says nothing of what may pass', policy('')],
    [
      'another policy denies',
      policy(
        ', allowUpTo: "0.02"',
        `---
apiVersion: purser.dev/v1alpha1
kind: BudgetPolicy
metadata: {name: strict}
spec: {limits: [{name: other, unit: USD, amount: "1", window: {lifetime: {}}, allowUpTo: "0.02"}]}
`,
      ),
    ],
  ])('nothing passes where %s', async (_, yaml) => {
    const world = await openWorld(yaml, new Store().wrap)
    expect((await ask(world)).verdict).toMatchObject({ kind: 'refuse', refusal: { status: 503 } })
  })

  it('nothing passes whose reserve was answered otherwise: a tombstone is no absence', async () => {
    const world = await openWorld(policy(', allowUpTo: "0.02"'), ledger => ({
      ...ledger,
      reserve: async () => ({ kind: 'tombstoned', storeMs: 0 }),
    }))
    expect((await ask(world)).verdict).toMatchObject({ kind: 'refuse', refusal: { status: 503 } })
  })
})

describe('an open answer', () => {
  const observed = policy(', allowUpTo: "0.02"').replace('  enforcement:', '  reservation: {onExpiry: Observed}\n  enforcement:')
  const stream = { headers: { 'content-type': 'text/event-stream' } }
  const delta = (content: string): Buffer =>
    Buffer.from(
      `data: ${JSON.stringify({ object: 'chat.completion.chunk', model: 'gpt-4o', choices: [{ index: 0, delta: { content } }] })}\n\n`,
    )

  it('under onExpiry: Observed is charged on expiry by how far it came, and never below its input', async () => {
    const world = await openWorld(observed)
    const { exchange } = await ask(world, { stream: true })
    const { amount, floor } = await onlyLine(world)
    expect(floor).toBeGreaterThan(0n)
    expect(floor).toBeLessThan(amount / 20n)
    exchange.responseHeaders(response(stream))
    exchange.responseBody(delta('word '.repeat(200)), false)
    const { holder, watch } = world.enforcer
    expect(await world.ledger.observe({ holder, progress: watch.take() })).toMatchObject({ kind: 'observed', observed: 1 })
    expect(watch.take()).toEqual([])
    watch.lost()
    expect(watch.take()).toHaveLength(1)
    for (let silentMs = 0; silentMs <= 16_000; silentMs += 4_000) {
      world.step(4_000)
      await world.ledger.sweep()
    }
    const { spent, suspense } = await world.balance('money')
    expect(spent).toBe(suspense)
    expect(spent).toBeGreaterThan(2_000_000n) // 200 words and more at $10 a million tokens
    expect(spent).toBeLessThan(amount / 2n)
    exchange.responseBody(delta('end'), true)
    expect(watch.take()).toEqual([])
  })

  it('otherwise is not watched: its expiry charges the estimate', async () => {
    const world = await openWorld(policy(''))
    const { exchange } = await ask(world, { stream: true })
    const { amount, floor } = await onlyLine(world)
    expect(floor).toBe(amount)
    exchange.responseHeaders(response(stream))
    exchange.responseBody(delta('word '.repeat(200)), false)
    expect(world.enforcer.watch.take()).toEqual([])
  })

  async function onlyLine(world: World): Promise<{ amount: bigint; floor: bigint }> {
    const page = await world.ledger.reservations({ open: true, cursor: '', count: 10 })
    const line = page.kind === 'read' ? page.value.reservations[0]?.lines[0] : undefined
    if (line === undefined) throw new Error('one reservation is open')
    return line
  }
})
