// The same request over and over: what counts as the same, how often it may come, and what it is told then.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RepeatRule } from '../../src/core/waste.ts'
import type { Refusal } from '../../src/enforcer/exchange.ts'
import { fingerprintOf } from '../../src/enforcer/fingerprint.ts'
import { createRepeats } from '../../src/enforcer/repeats.ts'
import { REPEATS_MAX, SCAN_SLICE_BYTES } from '../../src/limits.ts'
import { subject } from '../core/policy-objects.ts'
import { request } from './requests.ts'
import { openWorld, type World } from './world.ts'

const head = { method: 'POST', path: '/v1/chat/completions', query: '', header: () => null }
const print = async (body: string | Uint8Array, models: readonly string[] = ['gpt-4o'], who = subject(), path = head.path) =>
  await fingerprintOf({ subject: who, head: { ...head, path } }, { models } as never, Buffer.from(body))

/** The parts of a JSON text, strings whole. */
const parts = (text: string): string[] => text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? []
const spaces = fc.array(fc.constantFrom(' ', '\n', '\t', '\r'), { maxLength: 3 }).map(all => all.join(''))

describe('the fingerprint', () => {
  it('is the same whatever white space is between the parts of the JSON, and another for any other text', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.infiniteStream(spaces),
        async (one, other, blanks) => {
          const [text, second] = [JSON.stringify(one), JSON.stringify(other)]
          const spaced = parts(text)
            .map(part => `${blanks.next().value}${part}`)
            .join('')
          expect(JSON.parse(spaced)).toEqual(JSON.parse(text))
          expect(await print(`${spaced}\n`)).toBe(await print(text))
          expect((await print(second)) === (await print(text))).toBe(second === text)
        },
      ),
    )
  })

  it('keeps white space inside strings, also behind escapes', async () => {
    const same = (a: string, b: string) => Promise.all([print(a), print(b)]).then(([one, other]) => one === other)
    expect(await same('{"a":"b c"}', '{"a":"bc"}')).toBe(false)
    expect(await same('{"a":"\\" x"}', '{"a":"\\"x"}')).toBe(false)
    expect(await same('{"a":"\\\\" }', '{"a":"\\\\"}')).toBe(true)
    expect(await same('{"a\\\\": 1}', '{"a\\\\":1}')).toBe(true)
  })

  it('reads a body of many slices as one, a string across their border too', async () => {
    for (const text of ['x '.repeat(SCAN_SLICE_BYTES), 'a b"\\ '.repeat(SCAN_SLICE_BYTES / 3)]) {
      const compact = await print(JSON.stringify({ model: 'm', text }))
      expect(await print(JSON.stringify({ model: 'm', text }, null, 2))).toBe(compact)
      expect(await print(JSON.stringify({ model: 'm', text: `${text} ` }))).not.toBe(compact)
    }
  })

  it('is of the caller, the path and the models too, and takes other bodies as they are', async () => {
    const prints = await Promise.all([
      print('{}'),
      print('{}', ['gpt-4o-mini']),
      print('{}', ['gpt-4o', 'gpt-4o-mini']),
      print('{}', ['gpt-4o'], subject({ credential: 'sha256:1' })),
      print('{}', ['gpt-4o'], subject({ accessKey: { namespace: 'a', name: 'b', labels: new Map() } })),
      print('{}', ['gpt-4o'], subject({ headers: new Map([['x-user', 'ada']]) })),
      print('{}', ['gpt-4o'], subject({ claims: new Map([['sub', ['ada']]]) })),
      print('{}', ['gpt-4o'], subject({ serviceAccount: 'a/b' })),
      print('{}', ['gpt-4o'], subject(), '/v1/responses'),
      print('--x\r\n'),
      print('--x\n'),
    ])
    expect(new Set(prints).size).toBe(prints.length)
  })
})

const rule = (over: Partial<RepeatRule> = {}): RepeatRule => ({
  policy: { scope: 'BudgetPolicy', namespace: 'default', name: 'team' },
  max: 3,
  withinMs: 60_000,
  audit: false,
  message: null,
  ...over,
})

function repeatsAt() {
  const at = { nowMs: 5 }
  return { at, repeats: createRepeats({ clock: { wallMs: () => at.nowMs, monotonicMs: () => at.nowMs } }) }
}

describe('how often it may come', () => {
  it('is max times in any span, and the wait that is told is the shortest that helps', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1_000, max: 90_000 }),
        fc.array(fc.integer({ min: 0, max: 40_000 }), { maxLength: 60 }),
        (max, withinMs, pauses) => {
          const { at, repeats } = repeatsAt()
          const passed: number[] = []
          for (const pause of pauses) {
            at.nowMs += pause
            const { refusal } = repeats.came('a', [rule({ max, withinMs })])
            const recent = passed.filter(ms => at.nowMs - ms < withinMs)
            expect(refusal === null).toBe(recent.length < max)
            if (refusal === null) passed.push(at.nowMs)
            else {
              const waitMs = (recent[0] ?? 0) + withinMs - at.nowMs
              expect([refusal.status, refusal.reason]).toEqual([429, 'repeated-request'])
              expect(refusal.retryAfter).toBe(waitMs > 60_000 ? null : Math.ceil(waitMs / 1_000))
              expect(refusal.dontRetry).toBe(waitMs > 60_000)
            }
          }
        },
      ),
    )
  })

  it('is by each policy: the longest wait is told, and one that only audits refuses nothing', () => {
    const { repeats } = repeatsAt()
    const rules = [
      rule({ max: 2, withinMs: 10_000 }),
      rule({ max: 2, withinMs: 30_000, policy: { scope: 'ClusterBudgetPolicy', namespace: '', name: 'all' } }),
      rule({ max: 1, audit: true, policy: { scope: 'BudgetPolicy', namespace: 'default', name: 'trial' } }),
    ]
    expect(repeats.came('a', rules)).toEqual({ refusal: null, audited: null })
    expect(repeats.came('a', rules)).toMatchObject({ refusal: null, audited: { budget: { policy: { name: 'trial' } } } })
    expect(repeats.came('a', rules)).toMatchObject({ refusal: { retryAfter: 30, budget: { policy: { name: 'all' } } } })
    expect(repeats.came('b', rules).refusal).toBeNull()
  })

  it('does not count for one what another refuses', () => {
    const { at, repeats } = repeatsAt()
    const rules = [
      rule({ max: 1, withinMs: 1_000 }),
      rule({ max: 2, policy: { scope: 'ClusterBudgetPolicy', namespace: '', name: 'all' } }),
    ]
    expect(repeats.came('a', rules).refusal).toBeNull()
    for (let asked = 0; asked < 5; asked++) expect(repeats.came('a', rules).refusal).toMatchObject({ retryAfter: 1 })
    at.nowMs += 1_000
    expect(repeats.came('a', rules).refusal).toBeNull()
    at.nowMs += 1_000
    expect(repeats.came('a', rules).refusal).toMatchObject({ retryAfter: 58 })
  })

  it('is forgotten beyond the bound, the least recent first', () => {
    const { repeats } = repeatsAt()
    const once = [rule({ max: 1 })]
    for (const name of ['kept', 'lost', 'kept-too']) repeats.came(name, once)
    for (let index = 0; index < REPEATS_MAX - 1; index++) repeats.came(`other ${index}`, once)
    expect(repeats.came('lost', once).refusal).toBeNull()
    expect(repeats.came(`other ${REPEATS_MAX - 2}`, once).refusal).not.toBeNull()
  })
})

const policy = (spec: string): string => `
apiVersion: purser.dev/v1alpha1
kind: BudgetPolicy
metadata: {name: team}
spec: ${spec}
`
const LIMITS = 'limits: [{name: usd, unit: USD, amount: "100", window: {lifetime: {}}}]'

async function ask(world: World, body: string): Promise<Refusal | null> {
  const exchange = world.open()
  exchange.requestHeaders(request({ authority: 'api.openai.com', headers: { authorization: 'Bearer somebody' } }))
  const answer = await exchange.requestBody(Buffer.from(body))
  return answer.kind === 'refuse' ? answer.refusal : null
}
const text = (content: string): string => `{"model": "gpt-4o", "max_tokens": 5, "messages": [{"role": "user", "content": "${content}"}]}`

describe('a policy with repeatedRequest', () => {
  it('refuses by it, with or without limits, and nothing is reserved for what it refuses', async () => {
    for (const limits of [`${LIMITS}, `, '']) {
      const world = await openWorld(policy(`{${limits}waste: {repeatedRequest: {max: 2, within: 1m}}, response: {message: Stop.}}`))
      for (const content of ['a', 'a', 'b']) expect(await ask(world, text(content))).toBeNull()
      world.step(20_000)
      const before = limits === '' ? null : await world.balance('usd')
      const refusal = await ask(world, text('a').replaceAll(' ', ''))
      expect(refusal?.headers).toEqual(
        expect.arrayContaining([
          ['x-purser-reason', 'repeated-request'],
          ['x-purser-budget', 'default/team'],
          ['retry-after', '40'],
        ]),
      )
      expect(refusal?.body).toContain('Stop. The same request came 2 times within 60 s, and may not come more often.')
      if (before !== null) expect(await world.balance('usd')).toEqual(before)
      world.step(40_000)
      expect(await ask(world, text('a'))).toBeNull()
    }
  })

  it('only counts in Audit mode', async () => {
    const world = await openWorld(policy(`{${LIMITS}, waste: {repeatedRequest: {max: 1, within: 1h}}, enforcement: {mode: Audit}}`))
    for (let asked = 0; asked < 3; asked++) expect(await ask(world, text('a'))).toBeNull()
    expect(world.telemetry.audited.mock.calls.map(([reason]) => reason)).toEqual(['repeated-request', 'repeated-request'])
  })
})
