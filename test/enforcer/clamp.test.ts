// Tools that a provider runs, under a policy that bounds their uses: what the body says then, what is reserved, and what is refused.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TOOL_USES_MAX } from '../../src/core/tool-bound.ts'
import { request } from './requests.ts'
import { openWorld, type World } from './world.ts'

const POLICY = (onServerTools: string): string => `
apiVersion: purser.dev/v1alpha1
kind: BudgetPolicy
metadata: {name: tools}
spec:
  limits:
  - {name: usd, unit: USD, amount: "1000000", window: {lifetime: {}}}
  - {name: input, unit: InputTokens, amount: "1000000000", window: {lifetime: {}}}
  reservation: {onServerTools: ${onServerTools}}
`
const WORLDS: Record<'Clamp' | 'Reserve', World> = { Clamp: await openWorld(POLICY('Clamp')), Reserve: await openWorld(POLICY('Reserve')) }
const MOST = Number(TOOL_USES_MAX)

interface Sent {
  readonly path: string
  readonly body: unknown
  readonly host?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly indent?: string | number
}

/** What becomes of a call, and what it reserved. */
async function send({ path, body, host = 'api.anthropic.com', headers = {}, indent = 0 }: Sent, world: World = WORLDS.Clamp) {
  const before = [(await world.balance('usd')).reserved, (await world.balance('input')).reserved]
  const text = JSON.stringify(body, null, indent)
  const exchange = world.open()
  exchange.requestHeaders(request({ path, authority: host, headers }))
  const answer = await exchange.requestBody(Buffer.from(text))
  const after = [(await world.balance('usd')).reserved, (await world.balance('input')).reserved]
  const [usd = 0n, input = 0n] = after.map((amount, at) => amount - (before[at] ?? 0n))
  if (answer.kind !== 'admit')
    return { kind: answer.kind, why: answer.kind === 'refuse' ? answer.refusal.body : '', usd, input, body: null }
  const sent = answer.body === null ? text : Buffer.from(answer.body).toString()
  return { kind: answer.kind, why: '', usd, input, body: JSON.parse(sent) as unknown, text: sent }
}

const message = (tools: unknown, model = 'claude-sonnet-4-5') => ({
  model,
  max_tokens: 10,
  messages: [{ role: 'user', content: 'Hi' }],
  tools,
})
const SEARCH = { type: 'web_search_20250305', name: 'web_search' }
const FETCH = { type: 'web_fetch_20250910', name: 'web_fetch' }
const CLIENT = { name: 'f', description: 'mine', input_schema: { type: 'object' } }
const WINDOW = 200_000n

describe('messages', () => {
  const uses = fc.option(fc.nat(12))
  const tool = fc.oneof(
    fc.tuple(fc.constantFrom(SEARCH, FETCH), fc.option(uses, { nil: undefined }), fc.boolean()).map(([base, max_uses, first]) => {
      if (max_uses === undefined) return base
      return first ? { max_uses, ...base } : { ...base, max_uses, user_location: { type: 'approximate', city: 'Ulm' } }
    }),
    fc.constant(CLIENT),
  )

  it('bound every tool that the provider runs, and nothing else is changed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(tool, { minLength: 1, maxLength: 4 }), fc.constantFrom('', 1, '\t'), async (tools, indent) => {
        const body = message(tools)
        const found = await send({ path: '/v1/messages', body, indent })
        const clamped = tools.map(one => {
          if (!('type' in one)) return one
          const declared = 'max_uses' in one ? one.max_uses : null
          return { ...one, max_uses: declared === null ? MOST : Math.min(declared, MOST) }
        })
        expect(found.why).toBe('')
        expect(found.body).toEqual({ ...body, tools: clamped })
        const total = clamped.reduce((sum, one) => sum + ('max_uses' in one ? one.max_uses : 0), 0)
        const rounds = BigInt(Math.min(10, total + 2))
        if (clamped.some(one => 'max_uses' in one)) expect(found.input).toBe(rounds * WINDOW)
      }),
      { numRuns: 60 },
    )
  })

  it('reserve for the uses that are left: a round of the window each and two besides, and a call each', async () => {
    const found = await send({ path: '/v1/messages', body: message([SEARCH]) })
    expect(found.input).toBe((TOOL_USES_MAX + 2n) * WINDOW)
    // USD 3 and 15 a million tokens, USD 10 a thousand searches; code runs are the dearest kind of call where the kind is not known.
    const reserved = await send({ path: '/v1/messages', body: message([SEARCH]) }, WORLDS.Reserve)
    expect(reserved.body).toEqual(message([SEARCH]))
    expect(reserved.input).toBe(10n * WINDOW)
    expect(found.usd).toBeLessThan(reserved.usd)
    const declared = await send({ path: '/v1/messages', body: message([{ ...SEARCH, max_uses: 1 }]) }, WORLDS.Reserve)
    expect(declared.input).toBe(3n * WINDOW)
  })

  it.each([
    ['code execution', [SEARCH, { type: 'code_execution_20250825', name: 'code_execution' }]],
    ['an advisor', [{ type: 'advisor_20260301', name: 'advisor', model: 'claude-opus-4-5', max_uses: 1 }]],
  ])('are refused where a tool has no such bound: %s', async (_, tools) => {
    const found = await send({ path: '/v1/messages', body: message(tools) })
    expect(found.kind).toBe('refuse')
    expect(found.why).toContain('nothing in this call can bound all of them')
  })

  it('are refused with other things that run at the provider', async () => {
    const body = { ...message([SEARCH]), mcp_servers: [{ type: 'url', url: 'https://x.test', name: 'x' }] }
    expect((await send({ path: '/v1/messages', body })).why).toContain('nothing in this call can bound all of them')
  })

  it('are refused at a provider that is not known to take the field, and in a body that may not be changed', async () => {
    const elsewhere = await send({
      path: '/api/v1/messages',
      host: 'openrouter.ai',
      body: message([SEARCH], 'anthropic/claude-sonnet-4.5'),
    })
    expect(elsewhere.why).toContain('nothing in this call can bound all of them')
    const signed = { path: '/v1/messages', headers: { authorization: 'AWS4-HMAC-SHA256 Credential=x' } }
    expect((await send({ ...signed, body: message([SEARCH]) })).why).toContain('this body may not be changed')
    const bounded = message([{ ...SEARCH, max_uses: 2 }])
    expect(await send({ ...signed, body: bounded })).toMatchObject({ kind: 'admit', body: bounded, input: 4n * WINDOW })
  })

  it('in a batch cannot be bounded: its body is left as it is', async () => {
    const body = { requests: [{ custom_id: 'a', params: message([{ ...SEARCH, max_uses: 1 }]) }] }
    expect((await send({ path: '/v1/messages/batches', body })).why).toContain('nothing in this call can bound all of them')
  })
})

describe('responses', () => {
  const asked = { model: 'gpt-4o', input: 'Hi', max_output_tokens: 10 }
  const at = { path: '/v1/responses', host: 'api.openai.com' }
  const SEARCHES = [{ type: 'web_search' }, { type: 'file_search', vector_store_ids: ['v'] }]

  it.each([
    ['none declared', {}, { max_tool_calls: MOST }],
    ['null', { max_tool_calls: null }, { max_tool_calls: MOST }],
    ['a larger one', { max_tool_calls: 50 }, { max_tool_calls: MOST }],
    ['a smaller one', { max_tool_calls: 1 }, { max_tool_calls: 1 }],
  ])('bound the calls of all tools together: %s', async (_, declared, expected) => {
    const found = await send({ ...at, body: { ...asked, tools: SEARCHES, ...declared }, indent: 1 })
    expect(found.body).toEqual({ ...asked, tools: SEARCHES, ...expected })
    expect(found.input).toBe((BigInt(expected.max_tool_calls) + 2n) * 128_000n)
  })

  it.each(['mcp', 'image_generation', 'something_new'])('are refused with a tool whose calls are not counted: %s', async type => {
    const found = await send({ ...at, body: { ...asked, tools: [{ type: 'web_search' }, { type }] } })
    expect(found.why).toContain('nothing in this call can bound all of them')
  })

  it('are refused elsewhere, and so are searches of a chat', async () => {
    const grok = { ...asked, model: 'grok-4', tools: [{ type: 'web_search' }] }
    expect((await send({ path: '/v1/responses', host: 'api.x.ai', body: grok })).why).toContain('nothing in this call can bound')
    const chat = { model: 'gpt-4o-search-preview', messages: [], max_tokens: 5, web_search_options: {} }
    expect((await send({ ...at, path: '/v1/chat/completions', body: chat })).why).toContain('nothing in this call can bound')
  })
})

it('leaves calls without such tools as they are', async () => {
  const body = message([CLIENT])
  expect(await send({ path: '/v1/messages', body })).toMatchObject({ kind: 'admit', body })
})
