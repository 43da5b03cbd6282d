// Reservations that another stream closes, on another replica, from what was handed over and from the access log: once, from whatever
// comes in whatever order, and never anybody else's.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NO_TOKENS } from '../../src/core/usage.ts'
import { createEnforcer, type Enforcer, exchangeFactory } from '../../src/enforcer/enforcer.ts'
import type { BodyAnswer, ExchangeFactory, RequestInfo, Testimony } from '../../src/enforcer/exchange.ts'
import { isSealed, readHandover } from '../../src/enforcer/handover.ts'
import { HANDOVER_CHARS_MAX, LOG_PATIENCE_MS } from '../../src/limits.ts'
import { request, response } from './requests.ts'
import { silentTelemetry } from './silent-telemetry.ts'
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
  reservation: {defaultMaxOutputTokens: 1000}
`
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
const USAGE = { prompt_tokens: 100, completion_tokens: 500, total_tokens: 600 }
/** 100 x $2.50 and 500 x $10 a million, in nano-USD. */
const REAL = 5_250_000n
const answer = json({
  object: 'chat.completion',
  model: 'gpt-4o-2024-08-06',
  choices: [{ index: 0, message: { role: 'assistant', content: 'hi' } }],
  usage: USAGE,
})

interface Pair {
  readonly world: World
  readonly judge: ExchangeFactory
  readonly other: ExchangeFactory
  readonly replica: Enforcer
  /** Lets both replicas' moves arrive. */
  settled(): Promise<void>
}

/** Two replicas on one ledger. */
async function pair(): Promise<Pair> {
  const world = await openWorld(POLICY)
  const { settler: _s, time: _t, holder: _h, mintId: _m, allowance: _a, watch: _w, ...parts } = world.enforcer
  const replica = createEnforcer({ ...parts, telemetry: silentTelemetry() })
  const other = exchangeFactory(replica, () => true)
  return {
    world,
    judge: exchangeFactory(world.enforcer, () => true),
    other,
    replica,
    settled: async () => {
      for (const { settler } of [world.enforcer, replica]) {
        const deadline = performance.now() + 5_000
        while (settler.pending() > 0 && performance.now() < deadline) await new Promise(resolve => setImmediate(resolve))
      }
    },
  }
}

async function admitted({ judge }: Pair, info: Partial<RequestInfo> = {}, body: object = {}): Promise<string> {
  const exchange = judge.open()
  exchange.requestHeaders(request({ answersElsewhere: true, ...info } as never))
  const verdict: BodyAnswer = await exchange.requestBody(
    json({ model: 'gpt-4o', messages: [{ role: 'user', content: 'hello' }], max_tokens: 1000, ...body }),
  )
  if (verdict.kind !== 'admit') throw new Error(`expected an admission, got ${JSON.stringify(verdict)}`)
  exchange.verdictWritten()
  exchange.closed(false)
  return String(verdict.metadata['handover'])
}

const log = (handover: string, more: Partial<Testimony> = {}): Testimony => ({
  handover,
  status: 200,
  codeDetails: 'via_upstream',
  flags: 0,
  attempts: 1,
  sent: true,
  usage: null,
  ...more,
})

const REPORTED = {
  tokens: { ...NO_TOKENS, input: 100n, output: 500n },
  calls: new Map<string, bigint>(),
  model: 'gpt-4o-2024-08-06',
  serviceTier: null,
  statedCost: null,
  contradictions: [],
}

/** The settling stream's part, whole. */
function watched({ other }: Pair, handover: string): void {
  const exchange = other.resume(handover)
  if (exchange === null) throw new Error('it is ours')
  exchange.responseHeaders(response())
  exchange.responseBody(answer, true)
  exchange.closed(false)
}

async function expectClosed({ world, settled }: Pair, spent: bigint, calls: bigint, suspense: bigint): Promise<void> {
  await settled()
  expect(await world.balance('money')).toMatchObject({ spent, reserved: 0n, suspense })
  expect(await world.balance('calls')).toMatchObject({ spent: calls, reserved: 0n })
  expect(await world.balance('slots')).toMatchObject({ spent: 0n, reserved: 0n })
}

describe('a reservation that was handed over', () => {
  it('stays open where it was made, and is settled exactly where its answer is seen', async () => {
    const here = await pair()
    const handover = await admitted(here)
    await here.settled()
    expect((await here.world.balance('money')).reserved).toBeGreaterThan(REAL)
    watched(here, handover)
    await expectClosed(here, REAL, 1n, 0n)
  })

  it('is charged at its bound where the answer is lost, and exactly by whoever knows better later', async () => {
    const here = await pair()
    const handover = await admitted(here)
    const bound = (await here.world.balance('money')).reserved
    const exchange = here.other.resume(handover)
    exchange?.closed(false)
    await expectClosed(here, bound, 1n, bound)
    watched(here, handover)
    await expectClosed(here, REAL, 1n, 0n)
  })

  it('is released, or costs its request alone, by the head of its answer', async () => {
    for (const [head, calls] of [
      [response({ status: 503, attempts: 0, codeDetails: 'rbac' }), 0n],
      [response({ status: 500 }), 1n],
    ] as const) {
      const here = await pair()
      here.other.resume(await admitted(here))?.responseHeaders(head)
      await expectClosed(here, 0n, calls, 0n)
    }
  })

  it('does not ask for usage that nobody could hide again, and changes no body that cannot be changed', async () => {
    const { judge } = await pair()
    const amended = async (info: Partial<RequestInfo>): Promise<unknown> => {
      const exchange = judge.open()
      exchange.requestHeaders(request(info as never))
      const verdict = await exchange.requestBody(json({ model: 'gpt-4o', stream: true, messages: [{ role: 'user', content: 'hello' }] }))
      if (verdict.kind !== 'admit') throw new Error('it fits')
      return verdict.body === null ? null : JSON.parse(Buffer.from(verdict.body).toString())
    }
    expect(await amended({})).toMatchObject({ max_completion_tokens: 1000, stream_options: { include_usage: true } })
    const split = await amended({ answersElsewhere: true })
    expect(split).toMatchObject({ max_completion_tokens: 1000 })
    expect(split).not.toHaveProperty('stream_options')
    expect(await amended({ answersElsewhere: true, bodyIsFixed: true })).toBeNull()
  })

  it('refuses a body of which only a part came', async () => {
    const { judge } = await pair()
    const exchange = judge.open()
    exchange.requestHeaders(request({ bodyIsPart: true } as never))
    expect(await exchange.requestBody(json({ model: 'gpt-4o' }))).toMatchObject({
      kind: 'refuse',
      refusal: { status: 413, reason: 'too-large' },
    })
  })

  it('is priced by another book as long as that is no proof', async () => {
    const here = await pair()
    const handover = await admitted(here)
    const { prices } = here.replica
    const current = prices.current()
    Reflect.set(prices, 'current', () => ({
      ...current,
      hash: 'another',
      find: current.find.bind(current),
      dearest: current.dearest.bind(current),
      providerOf: current.providerOf.bind(current),
    }))
    watched(here, handover)
    await expectClosed(here, REAL, 1n, REAL)
  })

  it('is exact also where the book no longer knows the name that was asked for, but who answered', async () => {
    for (const [told, spent] of [
      [answer, REAL],
      [Buffer.from('{"object":"chat.completion","choices":[]}'), null],
    ] as const) {
      const here = await pair()
      const handover = await admitted(here)
      const bound = (await here.world.balance('money')).reserved
      const { prices } = here.replica
      const { hash, find, dearest, providerOf } = prices.current()
      const known: typeof find = (provider, model, nowMs) => (model === 'gpt-4o' ? null : find(provider, model, nowMs))
      Reflect.set(prices, 'current', () => ({ hash, find: known, dearest, providerOf }))
      const exchange = here.other.resume(handover)
      exchange?.responseHeaders(response())
      exchange?.responseBody(told, true)
      await expectClosed(here, spent ?? bound, 1n, spent === null ? bound : 0n)
    }
  })

  it('carries neither content nor budgets nor keys, and little else', async () => {
    const here = await pair()
    const handover = await admitted(here, {}, { messages: [{ role: 'user', content: 'the secret of the house' }] })
    const readable =
      handover
        .split('.')
        .map(part => Buffer.from(part, 'base64url').toString())
        .join(' ') + handover
    expect(readable).not.toMatch(/secret|team|money|USD/)
    expect(handover.length).toBeLessThan(400)
    const long = await admitted(here, {}, { model: 'gpt-4o', models: undefined, metadata: {} })
    expect(long.length).toBeLessThanOrEqual(HANDOVER_CHARS_MAX)
  })
})

describe('a text that is not as it was handed over', () => {
  it('moves nothing, wherever it was changed', async () => {
    const here = await pair()
    const handover = await admitted(here)
    const { holder } = here.world.enforcer
    expect(isSealed(handover, holder)).toBe(true)
    await fc.assert(
      fc.asyncProperty(fc.nat(handover.length - 1), fc.constantFrom(...'0123456789abcdefAZ_-.'), async (at, letter) => {
        const changed = handover.slice(0, at) + letter + handover.slice(at + 1)
        if (changed === handover) return
        expect(readHandover(changed) === null || !isSealed(changed, holder)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  it('charges nobody else: an id without its seal is worth nothing', async () => {
    const here = await pair()
    const [mine, theirs] = [await admitted(here), await admitted(here)]
    const parts = mine.split('.')
    const forged = ['1', theirs.split('.')[1], ...parts.slice(2)].join('.')
    const reserved = (await here.world.balance('money')).reserved
    watched(here, forged)
    here.other.witness(log(forged, { attempts: 0, codeDetails: 'rbac' }))
    await here.settled()
    expect((await here.world.balance('money')).reserved).toBe(reserved)
    expect(here.replica.telemetry.fault).toHaveBeenCalledTimes(2)
  })

  it('is none of ours, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), text => {
        expect(readHandover(text)).toBeNull()
      }),
    )
    const shape = (packed: string): string => `1.${'0'.repeat(32)}.s.${Buffer.from(packed).toString('base64url')}.${'x'.repeat(22)}`
    for (const packed of [
      'null',
      '[]',
      '7',
      '{}',
      '{"f":1}',
      '{"f":"a","e":"b","b":"c","i":"-1","o":"2"}',
      '{"f":"a","e":"b","b":"c","i":"1","o":"99999999999999999"}',
      '{"f":"a"',
    ])
      expect([packed, readHandover(shape(packed))]).toEqual([packed, null])
    expect(readHandover(`1.${'0'.repeat(32)}..${'A'.repeat(HANDOVER_CHARS_MAX)}.${'x'.repeat(22)}`)).toBeNull()
  })
})

describe('the access log', () => {
  it.each([
    ['no attempt', { attempts: 0, codeDetails: 'rbac_access_denied', status: 403, sent: false }],
    ['a connection that failed', { flags: 32, codeDetails: 'upstream_reset', status: 503 }],
    ['no byte sent', { sent: false, status: 0, codeDetails: 'downstream_remote_disconnect' }],
  ])('releases what never reached the provider: %s', async (_what, more) => {
    const here = await pair()
    here.other.witness(log(await admitted(here), more))
    await expectClosed(here, 0n, 0n, 0n)
  })

  it('gives back what was charged without proof, when it tells that nothing was sent', async () => {
    const here = await pair()
    const exchange = here.judge.open()
    exchange.requestHeaders(request())
    const verdict = await exchange.requestBody(json({ model: 'gpt-4o', max_tokens: 1000, messages: [] }))
    if (verdict.kind !== 'admit') throw new Error('it fits')
    exchange.verdictWritten()
    exchange.closed(false)
    await here.settled()
    expect((await here.world.balance('money')).suspense).toBeGreaterThan(0n)
    here.other.witness(log(String(verdict.metadata['handover']), { sent: false, status: 0, codeDetails: 'downstream_remote_disconnect' }))
    await expectClosed(here, 0n, 0n, 0n)
  })

  it('settles by usage that the proxy read, exactly where sums of tokens tell the cost', async () => {
    const here = await pair()
    here.other.witness(log(await admitted(here), { usage: REPORTED }))
    await expectClosed(here, REAL, 1n, 0n)
  })

  it('charges the most that sums of tokens can cost where they do not tell it: a service tier that was left to the provider', async () => {
    const here = await pair()
    here.other.witness(log(await admitted(here, {}, { service_tier: 'auto' }), { usage: REPORTED }))
    await here.settled()
    const { spent, suspense } = await here.world.balance('money')
    expect(spent).toBeGreaterThanOrEqual(REAL)
    expect(suspense).toBe(spent)
  })

  it('waits for whoever sees a 2xx answer itself, then charges what is open at its bound', async () => {
    const here = await pair()
    const handover = await admitted(here)
    const bound = (await here.world.balance('money')).reserved
    here.other.witness(log(handover))
    expect(here.replica.settler.pending()).toBe(1)
    expect((await here.world.balance('money')).reserved).toBe(bound)
    // A replica that stops waits no longer.
    await here.replica.settler.drain(1_000)
    await expectClosed(here, bound, 1n, bound)
    expect(LOG_PATIENCE_MS).toBeGreaterThan(5_000)
  })

  it('leaves a 2xx answer that was settled meanwhile', async () => {
    const here = await pair()
    const handover = await admitted(here)
    here.other.witness(log(handover))
    const exchange = here.judge.resume(handover)
    exchange?.responseHeaders(response())
    exchange?.responseBody(answer, true)
    while (here.world.enforcer.settler.pending() > 0) await new Promise(resolve => setImmediate(resolve))
    await here.replica.settler.drain(1_000)
    await expectClosed(here, REAL, 1n, 0n)
  })

  it('says nothing to what the stream that reserved saw itself', async () => {
    const here = await pair()
    const handover = await admitted(here, { answersElsewhere: false })
    await here.settled()
    const before = await here.world.balance('money')
    here.other.witness(log(handover, { usage: REPORTED }))
    here.other.witness(log(handover, { status: 500 }))
    await here.settled()
    expect(await here.world.balance('money')).toEqual(before)
  })

  it('adds the input of each attempt before the last, once, whoever tells it', async () => {
    const retried = async (told: (here: Pair, handover: string) => void): Promise<bigint> => {
      const here = await pair()
      const handover = await admitted(here)
      const exchange = here.other.resume(handover)
      exchange?.responseHeaders(response({ attempts: 3 }))
      exchange?.responseBody(answer, true)
      told(here, handover)
      await here.replica.settler.drain(1_000)
      await here.world.settled()
      const { spent, suspense } = await here.world.balance('money')
      expect(spent - suspense).toBe(REAL)
      expect((await here.world.balance('calls')).spent).toBe(1n)
      return suspense
    }
    const once = await retried(() => {})
    expect(once).toBeGreaterThan(0n)
    expect(once % 2n).toBe(0n)
    const often = await retried((here, handover) => {
      for (const replica of [here.other, here.other, here.judge]) replica.witness(log(handover, { attempts: 3 }))
    })
    expect(often).toBe(once)
  })

  it('leaves what was charged for the part that came through', async () => {
    const here = await pair()
    const handover = await admitted(here, {}, { stream: true })
    const bound = (await here.world.balance('money')).reserved
    const exchange = here.judge.resume(handover)
    exchange?.responseHeaders(response({ headers: { 'content-type': 'text/event-stream' } }))
    exchange?.responseBody(
      Buffer.from('data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'),
      false,
    )
    exchange?.closed(false)
    await here.settled()
    const { spent } = await here.world.balance('money')
    expect(spent).toBeLessThan(bound)
    here.other.witness(log(handover, { codeDetails: 'downstream_remote_disconnect' }))
    await here.replica.settler.drain(1_000)
    await expectClosed(here, spent, 1n, spent)
  })

  it('adds nothing where the route repeats only what was not sent', async () => {
    const here = await pair()
    const handover = await admitted(here, { purser: { namespace: null, provider: null, gateway: null, retriesUnsent: true } })
    here.other.resume(handover)?.responseHeaders(response({ attempts: 3, status: 500 }))
    here.other.witness(log(handover, { attempts: 3, status: 500 }))
    await expectClosed(here, 0n, 1n, 0n)
  })

  it('undoes no proof, in whatever order witnesses come, and however often', async () => {
    const told = ['watched', 'never-sent', 'error', 'usage', 'lost', 'late'] as const
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...told), { minLength: 1, maxLength: 8 }), async before => {
        const here = await pair()
        const handover = await admitted(here)
        watched(here, handover)
        await here.settled()
        for (const what of before) {
          if (what === 'watched') watched(here, handover)
          else if (what === 'late') here.other.resume(handover)?.closed(true)
          else here.other.witness(log(handover, TOLD[what]))
        }
        await here.replica.settler.drain(1_000)
        await expectClosed(here, REAL, 1n, 0n)
      }),
      { numRuns: 40 },
    )
  })
})

const TOLD: Readonly<Record<'never-sent' | 'error' | 'usage' | 'lost', Partial<Testimony>>> = {
  'never-sent': { attempts: 0, sent: false, codeDetails: 'rbac', status: 403 },
  error: { status: 500 },
  usage: { usage: REPORTED },
  lost: { status: 504, codeDetails: 'response_timeout' },
}
