// Bounds that are lowered to what is left: what the body says then, what is reserved, who is lowered and who is not.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { request, response } from './requests.ts'
import { openWorld, type World } from './world.ts'

/** gpt-4o: USD 2.50 in and 10 out a million tokens, at most 16384 tokens out. */
const policy = (amount: string, reservation = '{clampToHeadroom: true, minOutputTokens: 100}', unit = 'USD'): string => `
apiVersion: purser.dev/v1alpha1
kind: BudgetPolicy
metadata: {name: team}
spec:
  limits:
  - {name: usd, unit: ${unit}, amount: "${amount}", window: {lifetime: {}}}
  reservation: ${reservation}
`
const OUT = 10_000n // nano-USD a token
const chat = (fields: object) => ({ model: 'gpt-4o', messages: [{ role: 'user', content: 'Hi' }], ...fields })

interface Sent {
  readonly path?: string
  readonly host?: string
  readonly headers?: Readonly<Record<string, string>>
}

async function send(world: World, body: object, { path = '/v1/chat/completions', host = 'api.openai.com', headers = {} }: Sent = {}) {
  const before = await world.balance('usd')
  const exchange = world.open()
  exchange.requestHeaders(request({ path, authority: host, headers }))
  const text = JSON.stringify(body, null, 1)
  const answer = await exchange.requestBody(Buffer.from(text))
  const after = await world.balance('usd')
  const sent = answer.kind === 'admit' ? (answer.body === null ? text : Buffer.from(answer.body).toString()) : null
  return { answer, exchange, text, sent, left: before.available, reserved: after.reserved - before.reserved, after }
}

const boundOf = (sent: string | null): bigint => BigInt((JSON.parse(sent ?? '{}') as { max_tokens?: number }).max_tokens ?? -1)

describe('a declared bound', () => {
  it('comes down to what is left, and nothing else is changed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 300_000 }), fc.integer({ min: 1, max: 16_000 }), async (micro, bound) => {
        const world = await openWorld(policy((micro / 1e6).toFixed(6)))
        const { answer, sent, text, left, reserved, after } = await send(world, chat({ max_tokens: bound }))
        expect(after.available).toBeGreaterThanOrEqual(0n)
        const input = 50_000n // more than the input of this call can cost
        if (answer.kind !== 'admit') {
          expect(left < input + OUT * BigInt(Math.min(bound, 100))).toBe(true)
          return
        }
        expect(reserved).toBeLessThanOrEqual(left)
        expect(sent).toBe(text.replace(`"max_tokens": ${bound}`, `"max_tokens": ${boundOf(sent)}`))
        expect(boundOf(sent) >= BigInt(Math.min(bound, 100)) && boundOf(sent) <= BigInt(bound)).toBe(true)
        expect(reserved).toBeGreaterThanOrEqual(OUT * boundOf(sent))
      }),
      { numRuns: 60 },
    )
  })

  it('comes down no further than it must, once the ledger has spoken of the budget', async () => {
    const world = await openWorld(policy('0.20'))
    const first = await send(world, chat({ max_tokens: 16_000 }))
    expect(boundOf(first.sent)).toBe(16_000n)
    const second = await send(world, chat({ max_tokens: 16_000 }))
    expect(second.left).toBeLessThan(16_000n * OUT)
    // 400 nano-USD are 0.04 of a token: nothing of what was left is wasted.
    expect(second.left - second.reserved).toBeLessThan(OUT * 2n)
    const third = await send(world, chat({ max_tokens: 16_000 }))
    expect(third.answer.kind).toBe('refuse')
  })

  it('is settled as any other: what was not used comes back', async () => {
    const world = await openWorld(policy('0.05'))
    const { exchange, reserved } = await send(world, chat({ max_tokens: 16_000 }))
    expect(reserved).toBeGreaterThan(0n)
    exchange.verdictWritten()
    exchange.responseHeaders(response())
    const usage = { prompt_tokens: 8, completion_tokens: 3, total_tokens: 11 }
    exchange.responseBody(Buffer.from(JSON.stringify({ model: 'gpt-4o', choices: [], usage })), true)
    await world.settled()
    expect(await world.balance('usd')).toMatchObject({ reserved: 0n, spent: 8n * 2_500n + 3n * OUT, overrun: 0n })
  })
})

it.each([
  ['a bound that a policy puts in', '{clampToHeadroom: true, defaultMaxOutputTokens: 9000}', {}],
  ['the maximum of the model, where nothing else bounds', '{clampToHeadroom: true}', {}],
])('%s comes down too', async (_, reservation, fields) => {
  const world = await openWorld(policy('0.05', reservation))
  const { sent } = await send(world, chat(fields))
  const bound = (JSON.parse(sent ?? '{}') as { max_completion_tokens?: number }).max_completion_tokens ?? 0
  expect(bound).toBeGreaterThanOrEqual(1_024)
  expect(bound).toBeLessThan(5_000)
})

it('counts tokens as it counts money', async () => {
  const world = await openWorld(policy('1000', '{clampToHeadroom: true, minOutputTokens: 100}', 'Tokens'))
  await send(world, chat({ max_tokens: 300 }))
  const { sent, left, reserved } = await send(world, chat({ max_tokens: 5_000, n: 2 }))
  expect(left - reserved).toBeLessThan(4n)
  expect(boundOf(sent) * 2n).toBeLessThan(left)
})

describe.each([
  ['a body that is signed', { headers: { authorization: 'AWS4-HMAC-SHA256 Credential=x' } }, chat({ max_tokens: 16_000 }), undefined],
  ['a bound that is below the floor', {}, chat({ max_tokens: 50 }), '0.0004'],
  ['what a model may think', {}, chat({ max_tokens: 16_000, reasoning: { max_tokens: 15_990 } }), undefined],
  [
    'what Claude may think',
    { path: '/v1/messages', host: 'api.anthropic.com' },
    { model: 'claude-sonnet-4-5', max_tokens: 16_000, thinking: { type: 'enabled', budget_tokens: 15_000 }, messages: [] },
    undefined,
  ],
  [
    'a prediction, beside which no bound may stand',
    {},
    chat({ max_tokens: 16_000, prediction: { type: 'content', content: 'x' } }),
    undefined,
  ],
])('not lowered: %s', (_, sent, body, amount = '0.05') => {
  it('is refused as without the rule', async () => {
    expect((await send(await openWorld(policy(amount)), body, sent)).answer.kind).toBe('refuse')
  })
})

it('is lowered only where no policy that binds denies it', async () => {
  const both = `${policy('0.05')}---${policy('9', '{clampToHeadroom: false}').replace('name: team', 'name: other').replace('name: usd', 'name: more')}`
  expect((await send(await openWorld(both), chat({ max_tokens: 16_000 }))).answer.kind).toBe('refuse')
})
