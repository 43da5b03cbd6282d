// What is billed otherwise than by one model's tokens: sound by its length, pictures, batches, advice of another model. Never nothing.
import { describe, expect, it } from 'vitest'
import type { Lifecycle } from '../../src/enforcer/lifecycle.ts'
import { request, response } from './requests.ts'
import { openWorld, type World } from './world.ts'

const POLICY = `
apiVersion: purser.dev/v1alpha1
kind: BudgetPolicy
metadata: {name: team}
spec:
  limits: [{name: money, unit: USD, amount: "100", window: {lifetime: {}}}]
  reservation: {onServerTools: Reserve}
`
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
const form = { 'content-type': 'multipart/form-data; boundary=x' }
const recording = (model: string, bytes: number): Buffer =>
  Buffer.from(
    `--x\r\nContent-Disposition: form-data; name="model"\r\n\r\n${model}\r\n` +
      `--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n${'s'.repeat(bytes)}\r\n--x--\r\n`,
  )

interface Asked {
  readonly path: string
  readonly authority?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body: Buffer
}

async function ask(world: World, { path, authority = 'api.openai.com', headers = {}, body }: Asked): Promise<Lifecycle | string> {
  const exchange = world.open()
  expect(exchange.requestHeaders(request({ path, authority, headers }))).toMatchObject({ kind: 'read-body' })
  const verdict = await exchange.requestBody(body)
  if (verdict.kind !== 'admit') return verdict.kind === 'refuse' ? verdict.refusal.reason : verdict.kind
  exchange.verdictWritten()
  return exchange
}

/** Nano-USD reserved, spent, and in suspense after the whole answer. */
async function charged(asked: Asked, answer: unknown): Promise<{ reserved: bigint; spent: bigint; suspense: bigint }> {
  const world = await openWorld(POLICY)
  const exchange = await ask(world, asked)
  if (typeof exchange === 'string') throw new Error(exchange)
  const { reserved } = await world.balance('money')
  exchange.responseHeaders(response())
  exchange.responseBody(json(answer), true)
  await world.settled()
  const { spent, suspense, reserved: left } = await world.balance('money')
  expect(left).toBe(0n)
  return { reserved, spent, suspense }
}

describe('sound that is billed by its length', () => {
  const asked = { path: '/v1/audio/transcriptions', headers: form, body: recording('whisper-1', 75_000) }

  it('is reserved for what a file of its size can last, and settled for the seconds that are reported', async () => {
    // USD 0.36 an hour is 100,000 nano-USD a second; 75,000 bytes are 100 seconds at 750 a second.
    expect(await charged(asked, { text: 'hi', usage: { type: 'duration', seconds: 8.2 } })).toEqual({
      reserved: 10_000_000n,
      spent: 900_000n,
      suspense: 0n,
    })
  })

  it('is charged for all that it can last where nothing is reported', async () => {
    expect(await charged({ ...asked, path: '/v1/audio/translations' }, { text: 'hi' })).toEqual({
      reserved: 10_000_000n,
      spent: 10_000_000n,
      suspense: 10_000_000n,
    })
  })

  it('is billed by the token where the model is, and never for nothing where such a model reports seconds', async () => {
    const body = recording('gpt-4o-transcribe', 75_000)
    const usage = { type: 'tokens', input_tokens: 14, input_token_details: { text_tokens: 4, audio_tokens: 10 }, output_tokens: 45 }
    expect((await charged({ ...asked, body }, { text: 'hi', usage })).spent).toBe(4n * 2_500n + 10n * 6_000n + 45n * 10_000n)
    const { reserved, spent, suspense } = await charged({ ...asked, body }, { text: 'hi', usage: { type: 'duration', seconds: 9 } })
    expect(spent).toBe(reserved)
    expect(suspense).toBe(reserved)
  })

  it('has no price for anything else', async () => {
    const world = await openWorld(POLICY)
    const body = json({ model: 'whisper-1', max_tokens: 10, messages: [] })
    expect(await ask(world, { path: '/v1/chat/completions', body })).toBe('no-price')
  })

  it('is refused where it is not in the body', async () => {
    const world = await openWorld(POLICY)
    const body = Buffer.from(recording('whisper-1', 10).toString().replace('name="file"; filename="a.mp3"', 'name="url"'))
    expect(await ask(world, { path: '/v1/audio/transcriptions', headers: form, body })).toBe('opaque-input')
  })
})

describe('pictures', () => {
  it('are reserved at the dearest that is asked for, and settled at their tokens', async () => {
    const body = json({ model: 'gpt-image-1.5', prompt: 'a cat', n: 2, quality: 'low', size: '1024x1024' })
    const usage = {
      input_tokens: 50,
      output_tokens: 694,
      input_tokens_details: { text_tokens: 10, image_tokens: 40 },
      output_tokens_details: { image_tokens: 544, text_tokens: 150 },
    }
    const { reserved, spent, suspense } = await charged({ path: '/v1/images/generations', body }, { data: [], usage })
    expect(spent).toBe(10n * 5_000n + 40n * 8_000n + 150n * 10_000n + 544n * 32_000n)
    expect(reserved).toBeGreaterThanOrEqual(spent)
    expect(suspense).toBe(0n)
  })

  it('of a model without a price are refused', async () => {
    const world = await openWorld(POLICY)
    const body = json({ model: 'dall-e-2', prompt: 'a cat' })
    expect(await ask(world, { path: '/v1/images/generations', body })).toBe('no-price')
  })
})

describe('a batch of messages', () => {
  const params = { model: 'claude-opus-4-5', max_tokens: 1_000, messages: [{ role: 'user', content: 'Hi' }] }
  const asked = (requests: readonly unknown[]): Asked => ({
    path: '/v1/messages/batches',
    authority: 'api.anthropic.com',
    body: json({ requests: requests.map(one => ({ custom_id: 'x', params: one })) }),
  })

  it('is charged at its estimate, at the batch rate, into suspense', async () => {
    const one = await charged(asked([params]), { id: 'msgbatch_1', type: 'message_batch' })
    const five = await charged(asked([params, params, params, params, params]), { id: 'msgbatch_1', type: 'message_batch' })
    // Half of USD 25 a million for the output; the input of a few words and of a request's framing.
    expect(one.spent).toBeGreaterThanOrEqual(1_000n * 12_500n)
    expect(one.spent).toBeLessThan(1_000n * 12_500n + 200n * 2_500n)
    expect(one.suspense).toBe(one.spent)
    expect(five.spent).toBeGreaterThanOrEqual(5n * one.spent - 50n)
    expect(five.spent).toBeLessThanOrEqual(5n * one.spent)
  })
})

describe('the advice of another model', () => {
  it("is settled at that model's price, the rest at the answering one's", async () => {
    const body = json({
      model: 'claude-sonnet-4-5',
      max_tokens: 1_000,
      messages: [{ role: 'user', content: 'Hi' }],
      tools: [{ type: 'advisor_20260301', name: 'advisor', model: 'claude-opus-4-5' }],
    })
    const iterations = [
      { type: 'message', input_tokens: 300, output_tokens: 100 },
      { type: 'advisor_message', model: 'claude-opus-4-5', input_tokens: 1_000, output_tokens: 100 },
    ]
    const answer = { model: 'claude-sonnet-4-5', usage: { input_tokens: 300, output_tokens: 100, iterations } }
    const asked = { path: '/v1/messages', authority: 'api.anthropic.com', body }
    expect((await charged(asked, answer)).spent).toBe(300n * 3_000n + 100n * 15_000n + 1_000n * 5_000n + 100n * 25_000n)
    const unknown = { ...answer, usage: { ...answer.usage, iterations: [iterations[0], { ...iterations[1], model: 'nobody' }] } }
    const { reserved, spent, suspense } = await charged(asked, unknown)
    expect(spent).toBe(reserved)
    expect(suspense).toBe(spent)
  })
})

describe('pictures in an answer', () => {
  it('are settled at the price of the model that made them, which is not the one that answers', async () => {
    const body = json({ model: 'gpt-5', input: 'Hi', max_output_tokens: 100, tools: [{ type: 'image_generation' }] })
    const answer = (tools: unknown[]) => ({
      object: 'response',
      status: 'completed',
      model: 'gpt-5-2025-08-07',
      output: [],
      tools,
      usage: { input_tokens: 2_000, output_tokens: 100, total_tokens: 2_100 },
      tool_usage: { image_gen: { input_tokens: 120, input_tokens_details: { text_tokens: 20 }, output_tokens: 1_056 } },
    })
    const own = 2_000n * 1_250n + 100n * 10_000n
    const named = await charged({ path: '/v1/responses', body }, answer([{ type: 'image_generation', model: 'gpt-image-1.5' }]))
    expect(named.spent).toBe(own + 20n * 5_000n + 100n * 8_000n + 1_056n * 32_000n)
    const unnamed = await charged({ path: '/v1/responses', body }, answer([]))
    expect(unnamed.spent).toBe(own + 20n * 5_000n + 100n * 10_000n + 1_056n * 40_000n)
  })
})

describe('an agent of Groq’s', () => {
  it('is settled at the prices of the models that it asked, and for the tools that it ran', async () => {
    const world = await openWorld(POLICY.replace('{onServerTools: Reserve}', '{onServerTools: Reserve, onUnknownModel: DearestOfProvider}'))
    const body = json({ model: 'groq/compound', max_tokens: 100, messages: [{ role: 'user', content: 'Hi' }] })
    const exchange = await ask(world, { path: '/openai/v1/chat/completions', authority: 'api.groq.com', body })
    if (typeof exchange === 'string') throw new Error(exchange)
    const usage = { prompt_tokens: 14_000, completion_tokens: 190, total_tokens: 14_190 }
    const models = [
      { model: 'openai/gpt-oss-120b', usage: { prompt_tokens: 9_000, completion_tokens: 150, total_tokens: 9_150 } },
      { model: 'llama-3.3-70b-versatile', usage: { prompt_tokens: 5_000, completion_tokens: 40, total_tokens: 5_040 } },
    ]
    const message = { content: 'Hello', executed_tools: [{ index: 0, type: 'search' }] }
    exchange.responseHeaders(response())
    exchange.responseBody(json({ model: 'groq/compound', choices: [{ message }], usage, usage_breakdown: { models } }), true)
    await world.settled()
    const { spent, suspense } = await world.balance('money')
    // USD 0.15 and 0.60 a million, 0.59 and 0.79; USD 35 a thousand searches.
    expect(spent).toBe(9_000n * 150n + 150n * 600n + 5_000n * 590n + 40n * 790n + 35_000_000n)
    expect(suspense).toBe(0n)
  })
})

describe('a region of choice', () => {
  const usage = (geo?: string) => ({ input_tokens: 1_000, output_tokens: 100, ...(geo === undefined ? {} : { inference_geo: geo }) })
  const message = (geo?: string, model = 'claude-sonnet-4-6'): Asked => ({
    path: '/v1/messages',
    authority: 'api.anthropic.com',
    body: json({
      model,
      max_tokens: 100,
      messages: [{ role: 'user', content: 'Hi' }],
      ...(geo === undefined ? {} : { inference_geo: geo }),
    }),
  })
  const PLAIN = 1_000n * 3_000n + 100n * 15_000n
  const DEARER = (PLAIN * 11n) / 10n

  it('costs a tenth more where Anthropic says that it was there, whatever was asked for', async () => {
    const answer = (geo?: string) => ({ model: 'claude-sonnet-4-6', usage: usage(geo) })
    const anywhere = await charged(message(), answer('global'))
    const us = await charged(message('us'), answer('us'))
    expect([anywhere.spent, us.spent]).toEqual([PLAIN, DEARER])
    // Each rate is a whole number of pico-USD, also with its tenth, and the sum is rounded up once.
    expect(us.reserved).toBe((anywhere.reserved * 11n + 9n) / 10n)
    expect((await charged(message('us'), answer('global'))).spent).toBe(PLAIN)
    expect((await charged(message(), answer('us'))).spent).toBe(DEARER)
    expect((await charged(message('us'), answer('not_available'))).spent).toBe(DEARER)
  })

  it('is told by the path on Vertex, and by the host elsewhere', async () => {
    const vertex = (location: string, model: string): Asked => ({
      path: `/v1/projects/p/locations/${location}/publishers/anthropic/models/${model}:rawPredict`,
      authority: 'aiplatform.googleapis.com',
      body: json({ anthropic_version: 'vertex-2023-10-16', max_tokens: 100, messages: [{ role: 'user', content: 'Hi' }] }),
    })
    const spent = async (asked: Asked, answer: unknown) => (await charged(asked, answer)).spent
    const claude = { model: 'claude-sonnet-4-6', usage: usage() }
    expect(await spent(vertex('global', 'claude-sonnet-4-6'), claude)).toBe(PLAIN)
    expect(await spent(vertex('eu', 'claude-sonnet-4-6'), claude)).toBe(DEARER)
    expect(await spent(vertex('us-east5', 'claude-sonnet-4@20250514'), { ...claude, model: 'claude-sonnet-4' })).toBe(PLAIN)
    const chat = (authority: string, model: string): Asked => ({
      path: '/v1/chat/completions',
      authority,
      body: json({ model, max_completion_tokens: 100, messages: [{ role: 'user', content: 'Hi' }] }),
    })
    const answer = (model: string) => ({ model, choices: [], usage: { prompt_tokens: 1_000, completion_tokens: 100 } })
    expect(await spent(chat('eu.api.openai.com:443', 'gpt-5.4'), answer('gpt-5.4'))).toBe(1_000n * 2_750n + 100n * 16_500n)
    expect(await spent(chat('api.openai.com', 'gpt-5.4'), answer('gpt-5.4'))).toBe(1_000n * 2_500n + 100n * 15_000n)
    expect(await spent(chat('eu.api.openai.com', 'gpt-4.1'), answer('gpt-4.1'))).toBe(1_000n * 2_000n + 100n * 8_000n)
    expect(await spent(chat('us-east-1.api.x.ai', 'grok-4.3'), answer('grok-4.3'))).toBe(1_000n * 1_375n + 100n * 2_750n)
  })
})
