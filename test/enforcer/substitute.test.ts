// Models that stand in for others: in which order, bound by what, in which bodies, and never where the request would not be what it seems.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { request, response } from './requests.ts'
import { openWorld, type World } from './world.ts'

const policy = (name: string, spec: string): string => `
apiVersion: purser.dev/v1alpha1
kind: BudgetPolicy
metadata: {name: ${name}}
spec: ${spec}
`
const limit = (name: string, amount: string): string => `{name: ${name}, unit: USD, amount: "${amount}", window: {lifetime: {}}}`
/** gpt-4o costs USD 2.50 and 10 a million tokens, gpt-4o-mini 0.15 and 0.60, gpt-4.1-nano 0.10 and 0.40. */
const onShortfall = (amount: string, substitutes: string, more = ''): string =>
  policy(
    'team',
    `{limits: [${limit('usd', amount)}], permissions: {substitutes: [${substitutes}]${more}}, reservation: {onShortfall: Substitute}}`,
  )

const chat = (fields: object = {}) => ({ model: 'gpt-4o', max_tokens: 1_000, messages: [{ role: 'user', content: 'Hi' }], ...fields })

interface Sent {
  readonly path?: string
  readonly host?: string
  readonly headers?: Readonly<Record<string, string>>
}

async function send(world: World, body: object, { path = '/v1/chat/completions', host = 'api.openai.com', headers = {} }: Sent = {}) {
  const exchange = world.open()
  exchange.requestHeaders(request({ path, authority: host, headers }))
  const text = JSON.stringify(body, null, 1)
  const answer = await exchange.requestBody(Buffer.from(text))
  const refusal = answer.kind === 'refuse' ? answer.refusal : null
  const changed = answer.kind === 'admit' || answer.kind === 'pass' ? answer.body : null
  const sent = refusal === null ? (changed === null ? text : Buffer.from(changed).toString()) : ''
  return { answer, exchange, text, sent, model: refusal === null ? (JSON.parse(sent) as { model: string }).model : null, refusal }
}

describe('where the budgets have no room', () => {
  it('the first on the list that fits takes its place, and nothing else of the body is changed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 12_000 }), async micro => {
        const world = await openWorld(onShortfall((micro / 1e6).toFixed(6), 'gpt-4o-mini, gpt-4.1-nano'))
        const { model, sent, text } = await send(world, chat())
        const { reserved, available } = await world.balance('usd')
        expect(available).toBeGreaterThanOrEqual(0n)
        const output = { 'gpt-4o': 10_000_000n, 'gpt-4o-mini': 600_000n, 'gpt-4.1-nano': 400_000n } as Record<string, bigint>
        const left = BigInt(micro) * 1_000n
        const expected = Object.keys(output).find(name => (output[name] ?? 0n) * 110n <= left * 100n) ?? null
        // What the input costs besides is less than a tenth of that.
        if (Object.values(output).some(cost => cost <= left && cost * 110n > left * 100n)) return
        expect(model).toBe(expected)
        if (model === null) return
        expect(sent).toBe(text.replace('"model": "gpt-4o"', `"model": "${model}"`))
        expect(reserved).toBeGreaterThanOrEqual(output[model] ?? 0n)
      }),
      { numRuns: 60 },
    )
  })

  it('it binds by the limits of its own', async () => {
    const mini = policy('mini', `{match: {models: [gpt-4o-mini]}, limits: [${limit('own', '0.0001')}]}`)
    const nano = policy('nano', `{match: {models: ['gpt-4.1*']}, limits: [${limit('other', '0.01')}]}`)
    const world = await openWorld(`${onShortfall('0.005', 'gpt-4o-mini, gpt-4.1-nano')}---${mini}---${nano}`)
    const { model, exchange } = await send(world, chat())
    expect(model).toBe('gpt-4.1-nano')
    expect((await world.balance('own')).reserved).toBe(0n)
    expect((await world.balance('other')).reserved).toBe((await world.balance('usd')).reserved)
    exchange.verdictWritten()
    exchange.responseHeaders(response())
    const usage = { prompt_tokens: 8, completion_tokens: 3, total_tokens: 11 }
    exchange.responseBody(Buffer.from(JSON.stringify({ model: 'gpt-4.1-nano-2025-04-14', choices: [], usage })), true)
    await world.settled()
    for (const name of ['usd', 'other']) expect(await world.balance(name)).toMatchObject({ reserved: 0n, spent: 8n * 100n + 3n * 400n })
  })

  it('one that no limit binds passes unmetered', async () => {
    const dear = policy(
      'dear',
      `{match: {models: [gpt-4o]}, limits: [${limit('usd', '0.001')}], permissions: {substitutes: [gpt-4o-mini]}, reservation: {onShortfall: Substitute}}`,
    )
    const { answer, model } = await send(await openWorld(dear), chat())
    expect([answer.kind, model]).toEqual(['pass', 'gpt-4o-mini'])
  })

  it('a bound beyond what it takes comes down with it', async () => {
    const world = await openWorld(onShortfall('0.02', 'gpt-4o-mini'))
    const { sent } = await send(world, chat({ model: 'gpt-4.1', max_tokens: 30_000 }))
    expect(JSON.parse(sent)).toMatchObject({ model: 'gpt-4o-mini', max_tokens: 16_384 })
  })

  it.each([
    ['that is forbidden', 'gpt-4o-mini', ", models: {deny: ['*-mini']}"],
    ['without a price', 'house-model', ''],
    ['of another provider', 'claude-haiku-4-5', ''],
    ['that is the one asked for', 'gpt-4o', ''],
    ['that searches by itself', 'gpt-4o-mini-search-preview', ''],
  ])('never by one %s', async (_, substitutes, more) => {
    expect((await send(await openWorld(onShortfall('0.005', substitutes, more)), chat())).refusal?.reason).toBe('never-fits')
  })

  it.each<[string, object, Sent]>([
    ['that is signed', chat(), { headers: { authorization: 'AWS4-HMAC-SHA256 Credential=x' } }],
    ['with models to fall back to', chat({ models: ['gpt-4o', 'gpt-4.1'] }), {}],
    ['whose path names the model', chat(), { path: '/openai/deployments/gpt-4o/chat/completions', host: 'x.openai.azure.com' }],
    ['of an embedding', { model: 'text-embedding-3-large', input: 'x'.repeat(400_000) }, { path: '/v1/embeddings' }],
  ])('never in a request %s', async (_, body, sent) => {
    const { refusal } = await send(await openWorld(onShortfall('0.0001', 'gpt-4.1-nano, text-embedding-3-small')), body, sent)
    expect(refusal?.status).toBe(403)
  })

  it('stands in at Anthropic too', async () => {
    const world = await openWorld(onShortfall('0.01', 'claude-haiku-4-5'))
    const { sent, text } = await send(world, chat({ model: 'claude-opus-4-5' }), { path: '/v1/messages', host: 'api.anthropic.com' })
    expect(sent).toBe(text.replace('claude-opus-4-5', 'claude-haiku-4-5'))
  })

  it('a lower bound of the model that was asked for comes first', async () => {
    const both = onShortfall('0.005', 'gpt-4o-mini').replace(
      'onShortfall: Substitute',
      'onShortfall: Substitute, clampToHeadroom: true, minOutputTokens: 100',
    )
    const { sent } = await send(await openWorld(both), chat())
    expect(JSON.parse(sent)).toMatchObject({ model: 'gpt-4o' })
    expect((JSON.parse(sent) as { max_tokens: number }).max_tokens).toBeLessThan(500)
    const cheap = await send(await openWorld(both.replace('"0.005"', '"0.0008"')), chat())
    expect(JSON.parse(cheap.sent)).toMatchObject({ model: 'gpt-4o-mini', max_tokens: 1_000 })
  })
})

describe('a model that is forbidden', () => {
  const forbidding = (rule: string, substitutes = 'gpt-4o-mini, gpt-4.1-nano', amount = '1'): string =>
    policy(
      'team',
      `{limits: [${limit('usd', amount)}], permissions: {models: {deny: [gpt-4o]}, onForbiddenModel: ${rule}, substitutes: [${substitutes}]}}`,
    )

  it('is refused, or the first on the list that is permitted and fits takes its place', async () => {
    expect((await send(await openWorld(forbidding('Deny')), chat())).refusal?.reason).toBe('model-forbidden')
    expect((await send(await openWorld(forbidding('Substitute')), chat())).model).toBe('gpt-4o-mini')
    expect((await send(await openWorld(forbidding('Substitute', 'gpt-4o, gpt-4.1-nano')), chat())).model).toBe('gpt-4.1-nano')
    expect((await send(await openWorld(forbidding('Substitute', 'gpt-4o-mini, gpt-4.1-nano', '0.0005')), chat())).model).toBe(
      'gpt-4.1-nano',
    )
    expect((await send(await openWorld(forbidding('Substitute', 'house-model')), chat())).refusal?.reason).toBe('model-forbidden')
  })

  it('of two policies with lists, is replaced only by what is on both', async () => {
    const other = policy('other', '{permissions: {substitutes: [gpt-4.1-nano]}}')
    expect((await send(await openWorld(`${forbidding('Substitute')}---${other}`), chat())).model).toBe('gpt-4.1-nano')
    const denied = policy('other', '{permissions: {onForbiddenModel: Deny}}')
    expect((await send(await openWorld(`${forbidding('Substitute')}---${denied}`), chat())).refusal?.reason).toBe('model-forbidden')
  })
})

describe('a refusal names the cheapest model that would fit', () => {
  const allowing = (amount: string, allow: string, more = ''): string =>
    policy('team', `{limits: [${limit('usd', amount)}], permissions: {models: {allow: [${allow}]}}${more}}`)

  it.each([
    [
      'of those on the list',
      policy('team', `{limits: [${limit('usd', '0.005')}], permissions: {substitutes: [gpt-4o-mini, gpt-4.1-nano]}}`),
      'gpt-4.1-nano',
    ],
    ['of those that are allowed by their name', allowing('0.005', 'gpt-4o, gpt-4o-mini, "gpt-4.1*"'), 'gpt-4o-mini'],
    ['none that is dearer than what is left', allowing('0.0005', 'gpt-4o, gpt-4o-mini'), null],
    [
      'none that another policy denies',
      `${allowing('0.005', 'gpt-4o, gpt-4o-mini')}---${policy('x', "{permissions: {models: {deny: ['*mini']}}}")}`,
      null,
    ],
    [
      'none that has a budget of its own, of which nothing is known',
      `${allowing('0.005', 'gpt-4o, gpt-4o-mini')}---${policy('x', `{match: {models: ['*mini']}, limits: [${limit('own', '5')}]}`)}`,
      null,
    ],
  ])('%s', async (_, policies, expected) => {
    const { refusal } = await send(await openWorld(policies), chat())
    expect(refusal?.reason).toBe('never-fits')
    const { error } = JSON.parse(refusal?.body ?? '{}') as { error: { message: string } }
    expect(/The model "(.+)" would fit\.$/.exec(error.message)?.[1] ?? null).toBe(expected)
  })

  it('which then fits', async () => {
    const world = await openWorld(allowing('0.005', 'gpt-4o, gpt-4o-mini'))
    await send(world, chat())
    expect((await send(world, chat({ model: 'gpt-4o-mini' }))).answer.kind).toBe('admit')
  })
})
