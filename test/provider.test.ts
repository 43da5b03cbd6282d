// The fake provider must be a fair judge: its shapes are those that real providers were recorded with, and its bill is exact.
import { readFileSync } from 'node:fs'
import { Agent, request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Provider, startProvider } from './provider/provider.ts'

const RECORDINGS = join(import.meta.dirname, '../../shared/recordings/exchanges.jsonl')

interface Recording {
  readonly provider: string
  readonly api: string
  readonly streaming: boolean
  readonly request: { readonly body: string }
  readonly response: { readonly status: number; readonly body: string }
}

function recordings(): readonly Recording[] {
  try {
    const lines = readFileSync(RECORDINGS, 'utf8').trim().split('\n')
    return lines.map(line => JSON.parse(line) as Recording)
  } catch (error) {
    throw new Error(`the recorded exchanges must lie at ${RECORDINGS}`, { cause: error })
  }
}

let provider: Provider
beforeAll(async () => {
  provider = await startProvider({
    deployments: { 'my-deployment': 'gpt-4.1-mini' },
    prices: { odd: { input: '0.000007', output: '0.000011' } },
  })
})
afterAll(() => provider.close())
beforeEach(() => provider.reset())

interface Sent {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

async function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Sent> {
  const response = await fetch(provider.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer key-1', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

interface Event {
  readonly event: string | null
  readonly data: string
}

const eventsOf = (text: string): Event[] =>
  text
    .split('\n\n')
    .filter(block => block.trim() !== '')
    .map(block => ({
      event: /^event: (.*)$/m.exec(block)?.[1] ?? null,
      data: /^data: (.*)$/m.exec(block)?.[1] ?? '',
    }))

/** Names in their order, all the way down; the first of a list stands for all. */
function skeleton(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [skeleton(value[0])]
  if (typeof value === 'object' && value !== null) return Object.entries(value).map(([key, one]) => [key, skeleton(one)])
  return typeof value
}

const parsed = (event: Event | undefined): Record<string, unknown> => JSON.parse(event?.data ?? 'null') as Record<string, unknown>
const chat = (more: object = {}) => ({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Say this is a test' }], ...more })
const claude = (more: object = {}) => ({ model: 'claude-3-5-haiku', max_tokens: 100, messages: [{ role: 'user', content: 'Hi' }], ...more })

describe('shapes are those that were recorded', () => {
  const rows = recordings()
  const recorded = (name: string, api: string, streaming: boolean, wanted: (row: Recording) => boolean = () => true): string => {
    const row = rows.findLast(
      one => one.provider === name && one.api === api && one.streaming === streaming && one.response.status === 200 && wanted(one),
    )
    if (row === undefined) throw new Error(`no recording of ${name} ${api}`)
    return row.response.body
  }
  const plain = (row: Recording) => !/"tools"|reasoning_tokens":[1-9]|logprobs":\{|audio"/.test(row.request.body + row.response.body)
  const noTools = (row: Recording) => /"tools": ?\[\]/.test(row.response.body) && !/"type": ?"reasoning"/.test(row.response.body)
  const chatCompletion = (row: Recording) =>
    plain(row) && row.response.body.startsWith('{\n  "id": "chatcmpl-') && /annotations/.test(row.response.body)

  it('chat', async () => {
    const real = recorded('openai', 'chat', false, row => chatCompletion(row) && /service_tier/.test(row.response.body))
    const ours = (await post('/v1/chat/completions', chat())).text
    expect(skeleton(JSON.parse(ours))).toEqual(skeleton(JSON.parse(real)))
    expect(ours).toMatch(/^\{\n {2}"id": "chatcmpl-\w{29}",\n {2}"object": "chat\.completion",\n/)
    for (const text of [ours, real]) expect(text.trimEnd()).toBe(JSON.stringify(JSON.parse(text), null, 2))
  })

  it('chat stream with usage', async () => {
    const real = eventsOf(
      recorded(
        'openai',
        'chat',
        true,
        row => plain(row) && /"obfuscation"/.test(row.response.body) && /include_usage/.test(row.request.body),
      ),
    )
    const ours = eventsOf(
      (await post('/v1/chat/completions', chat({ stream: true, stream_options: { include_usage: true } }), { 'x-fake-tokens': '5' })).text,
    )
    expect(ours).toHaveLength(1 + 5 + 1 + 1 + 1)
    for (const at of [0, 1, -3, -2]) expect(skeleton(parsed(ours.at(at)))).toEqual(skeleton(parsed(real.at(at))))
    expect(ours.at(-1)).toEqual(real.at(-1))
    expect(parsed(ours.at(-2))).toMatchObject({ choices: [], usage: { completion_tokens: 5 } })
  })

  it('chat stream without usage', async () => {
    const text = (await post('/v1/chat/completions', chat({ stream: true }))).text
    expect(text).not.toContain('usage')
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
  })

  it('Azure chat', async () => {
    const path = '/openai/deployments/my-deployment/chat/completions?api-version=2024-02-01'
    const real = recorded('azure-openai', 'chat', false, row => /"annotations":\[\]/.test(row.response.body))
    const ours = (await post(path, chat())).text
    const keys = (text: string) => Object.keys(JSON.parse(text) as object)
    expect(keys(ours)).toEqual(keys(real))
    expect(JSON.parse(ours)).toMatchObject({ model: 'gpt-4.1-mini-2025-04-14', usage: { completion_tokens: 20 } })
    const realEvents = eventsOf(
      recorded(
        'azure-openai',
        'chat',
        true,
        row =>
          /"content_filter_results":\{\}/.test(row.response.body) && plain(row) && !/"annotations"|"obfuscation"/.test(row.response.body),
      ),
    )
    const stream = eventsOf((await post(path, chat({ stream: true }))).text)
    for (const at of [0, 1, 2, -2]) expect(Object.keys(parsed(stream.at(at)))).toEqual(Object.keys(parsed(realEvents.at(at))))
    expect(provider.bill().byModel).toEqual({ 'gpt-4.1-mini': '0.0000712' })
  })

  it('completions', async () => {
    const body = { model: 'gpt-3.5-turbo-instruct', prompt: 'Once upon' }
    const real = recorded('openai', 'completions', false, row => /gpt-3.5-turbo-instruct/.test(row.response.body) && plain(row))
    expect(skeleton(JSON.parse((await post('/v1/completions', body)).text))).toEqual(skeleton(JSON.parse(real)))
    const realEvents = eventsOf(recorded('openai', 'completions', true, plain))
    const ours = eventsOf((await post('/v1/completions', { ...body, stream: true })).text)
    expect(ours).toHaveLength(16 + 1) // the endpoint's own default bound, and the end mark
    for (const at of [0, -2]) expect(skeleton(parsed(ours.at(at)))).toEqual(skeleton(parsed(realEvents.at(at))))
    expect(parsed(ours.at(-2))).toMatchObject({ choices: [{ finish_reason: 'length' }] })
  })

  it('embeddings', async () => {
    const real = recorded('openai', 'embeddings', false)
    const ours = await post('/v1/embeddings', { model: 'text-embedding-3-small', input: ['a', 'b'], encoding_format: 'base64' })
    expect(skeleton(JSON.parse(ours.text))).toEqual(
      skeleton({ ...(JSON.parse(real) as object), ...{ data: [{ object: '', index: 0, embedding: '' }] } }),
    )
    const numbers = JSON.parse((await post('/v1/embeddings', { model: 'text-embedding-3-small', input: 'a', dimensions: 3 })).text) as {
      data: { embedding: number[] }[]
    }
    expect(numbers.data[0]?.embedding).toHaveLength(3)
    expect(provider.bill().calls.every(call => call.outputTokens === 0)).toBe(true)
  })

  it('responses', async () => {
    const body = { model: 'gpt-4o-mini', input: 'Say this is a test' }
    const ours = JSON.parse((await post('/v1/responses', body)).text) as Record<string, unknown>
    const real = JSON.parse(
      recorded('openai', 'responses', false, row => noTools(row) && /"output_text"/.test(row.response.body)),
    ) as Record<string, unknown>
    for (const field of ['output', 'usage', 'text', 'reasoning']) expect(skeleton(ours[field]), field).toEqual(skeleton(real[field]))
    expect(Object.keys(ours).filter(key => !(key in real) && key !== 'completed_at')).toEqual([])
  })

  it('responses stream', async () => {
    const real = eventsOf(
      recorded(
        'openai',
        'responses',
        true,
        row =>
          noTools(row) && /output_text\.delta/.test(row.response.body) && /"type":"response.created","response"/.test(row.response.body),
      ),
    )
    const ours = eventsOf((await post('/v1/responses', { model: 'gpt-4o-mini', input: 'Hi', stream: true }, { 'x-fake-tokens': '3' })).text)
    const names = (events: Event[]) => [...new Set(events.map(event => event.event))]
    expect(names(ours)).toEqual(names(real))
    for (const event of ours) {
      const alike = real.find(one => one.event === event.event)
      const shape = (one: Event | undefined) => Object.keys(parsed(one))
      expect(shape(event)).toEqual(shape(alike))
    }
    expect(ours.map(event => parsed(event)['sequence_number'])).toEqual(ours.map((_, index) => index))
    expect(parsed(ours.at(-1))).toMatchObject({ type: 'response.completed', response: { usage: { output_tokens: 3 } } })
    const cut = eventsOf((await post('/v1/responses', { model: 'gpt-4o-mini', input: 'Hi', stream: true, max_output_tokens: 2 })).text)
    expect(parsed(cut.at(-1))).toMatchObject({
      type: 'response.incomplete',
      response: { incomplete_details: { reason: 'max_output_tokens' } },
    })
  })

  it('messages', async () => {
    const real = recorded(
      'anthropic',
      'messages',
      false,
      row => plain(row) && /"cache_creation":/.test(row.response.body) && row.response.body.startsWith('{"model"'),
    )
    const ours = (await post('/v1/messages', claude())).text
    expect(skeleton(JSON.parse(ours))).toEqual(skeleton(JSON.parse(real)))
    expect(ours.startsWith('{"model":"claude-3-5-haiku-20241022","id":"msg_')).toBe(true)
  })

  it('messages stream', async () => {
    const real = eventsOf(recorded('anthropic', 'messages', true, row => plain(row) && /"cache_creation":/.test(row.response.body)))
    const ours = eventsOf((await post('/v1/messages', claude({ stream: true }), { 'x-fake-tokens': '4' })).text)
    expect(ours.map(event => event.event)).toEqual([
      'message_start',
      'content_block_start',
      'ping',
      ...Array<string>(4).fill('content_block_delta'),
      'content_block_stop',
      'message_delta',
      'message_stop',
    ])
    for (const event of ours.filter(one => one.event !== 'ping')) {
      expect(skeleton(parsed(event)), String(event.event)).toEqual(skeleton(parsed(real.find(one => one.event === event.event))))
    }
    expect(parsed(ours.at(-2))).toMatchObject({ usage: { output_tokens: 4 } })
  })
})

describe('usage adds up and the bill is exact', () => {
  it('for any numbers, in nano-USD, rounded up once a request', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(100_000),
        fc.nat(300),
        fc.constantFrom('gpt-4o-mini', 'gpt-5-nano', 'gpt-4.1', 'odd'),
        fc.boolean(),
        async (input, output, model, stream) => {
          provider.reset()
          const pico = {
            'gpt-4o-mini': [150_000n, 600_000n],
            'gpt-5-nano': [50_000n, 400_000n],
            'gpt-4.1': [2_000_000n, 8_000_000n],
            odd: [7n, 11n],
          }[model]!
          const body = chat({ model, ...(stream ? { stream, stream_options: { include_usage: true } } : {}) })
          const sent = await post('/v1/chat/completions', body, { 'x-fake-input-tokens': String(input), 'x-fake-tokens': String(output) })
          const answer = stream ? parsed(eventsOf(sent.text).at(-2)) : (JSON.parse(sent.text) as Record<string, unknown>)
          expect(answer['usage']).toMatchObject({ prompt_tokens: input, completion_tokens: output, total_tokens: input + output })
          const nano = (BigInt(input) * pico[0]! + BigInt(output) * pico[1]! + 999n) / 1_000n
          expect(provider.bill()).toMatchObject({ totalNanoUsd: nano.toString(), requests: 1, billed: 1, open: 0 })
        },
      ),
      { numRuns: 60 },
    )
  })

  it('by key, model and tag', async () => {
    const tokens = { 'x-fake-input-tokens': '1000', 'x-fake-tokens': '1000' }
    await post('/v1/chat/completions', chat(), { ...tokens, 'x-fake-tag': 'red' })
    await post('/v1/chat/completions', chat({ model: 'gpt-4o-mini-2024-07-18' }), { ...tokens, authorization: 'Bearer key-2' })
    await post('/v1/messages', claude({ max_tokens: 1_000 }), { ...tokens, authorization: '', 'x-api-key': 'key-3' })
    const bill = (await (await fetch(`${provider.url}/bill`)).json()) as Record<string, unknown>
    expect(bill).toMatchObject({
      totalUsd: '0.0063',
      requests: 3,
      byModel: { 'gpt-4o-mini': '0.0015', 'claude-3-5-haiku': '0.0048' },
      byTag: { red: '0.00075' },
    })
    expect(bill['byKey']).toMatchObject({ 'key-1': '0.00075', 'key-2': '0.00075' })
    await fetch(`${provider.url}/reset`, { method: 'POST' })
    expect(provider.bill()).toMatchObject({ totalUsd: '0', requests: 0, calls: [], byKey: {} })
  })

  it('caps the answer by the declared bound, for each choice', async () => {
    const sent = await post('/v1/chat/completions', chat({ max_tokens: 7, max_completion_tokens: 5, n: 3 }), { 'x-fake-tokens': '100' })
    const answer = JSON.parse(sent.text) as { usage: { completion_tokens: number }; choices: { finish_reason: string }[] }
    expect(answer.usage.completion_tokens).toBe(21)
    expect(answer.choices.map(choice => choice.finish_reason)).toEqual(['length', 'length', 'length'])
    const prompts = await post('/v1/completions', { model: 'gpt-3.5-turbo-instruct', prompt: ['a', 'b'], n: 2, max_tokens: 3 })
    expect(JSON.parse(prompts.text)).toMatchObject({ usage: { completion_tokens: 12 } })
  })
})

describe('faults', () => {
  it.each([400, 401, 404, 429, 500, 503])('%i is not billed', async status => {
    for (const [path, body] of [
      ['/v1/chat/completions', chat({ stream: true })],
      ['/v1/messages', claude()],
    ] as const) {
      const sent = await post(path, body, { 'x-fake-error': String(status) })
      expect(sent.status).toBe(status)
      expect(JSON.parse(sent.text)).toHaveProperty('error.message')
    }
    expect(provider.bill()).toMatchObject({ totalUsd: '0', requests: 2, billed: 0, open: 0 })
  })

  it.each([
    ['/v1/chat/completions', chat({ stream: true }), '"server_error"'],
    ['/v1/messages', claude({ stream: true }), 'event: error'],
    ['/v1/responses', { model: 'gpt-4o-mini', input: 'x', stream: true }, 'event: response.failed'],
  ])('an error inside the stream of %s comes after half the tokens, without an end, and these are billed', async (path, body, sign) => {
    const sent = await post(path, body, { 'x-fake-error': 'error-in-stream', 'x-fake-tokens': '10' })
    expect(sent.status).toBe(200)
    expect(sent.text).toContain(sign)
    expect(sent.text).not.toMatch(/\[DONE\]|message_stop|response\.completed/)
    expect(provider.bill().calls).toMatchObject([{ outputTokens: 5, outcome: 'error-in-stream' }])
  })

  it('no usage, wrong usage, truncated: the bill is right all the same', async () => {
    const [none, wrong, short] = await Promise.all(
      ['no-usage', 'wrong-usage', 'truncated'].map(fault => post('/v1/chat/completions', chat(), { 'x-fake-error': fault })),
    )
    expect(JSON.parse(none!.text)).not.toHaveProperty('usage')
    expect(JSON.parse(wrong!.text)).toMatchObject({
      usage: { completion_tokens: 20, completion_tokens_details: { reasoning_tokens: 200 } },
    })
    expect(() => JSON.parse(short!.text) as unknown).toThrow()
    expect(provider.bill().calls.map(call => call.outputTokens)).toEqual([20, 20, 20])
    const stream = await post('/v1/messages', claude({ stream: true }), { 'x-fake-error': 'no-usage' })
    expect(stream.text).not.toContain('usage')
  })

  it('resets before and in the middle of an answer', async () => {
    await expect(post('/v1/chat/completions', chat(), { 'x-fake-error': 'reset' })).rejects.toThrow()
    await expect(post('/v1/chat/completions', chat({ stream: true }), { 'x-fake-error': 'reset-mid-stream' })).rejects.toThrow()
    await expect(post('/v1/chat/completions', chat(), { 'x-fake-error': 'reset-mid-stream' })).rejects.toThrow()
    expect(provider.bill().calls.map(call => call.outputTokens)).toEqual([0, 10, 20])
  })

  it('gzip, whole and streamed', async () => {
    for (const stream of [false, true]) {
      const sent = await raw('/v1/chat/completions', chat({ stream }), { 'x-fake-gzip': '1' })
      expect(sent.headers['content-encoding']).toBe('gzip')
      expect(gunzipSync(sent.body).toString()).toContain(stream ? 'data: [DONE]' : '"chat.completion"')
    }
  })

  it.each([
    ['{', 400],
    ['[]', 400],
    ['{"model":5}', 400],
    ['{"messages":[]}', 400],
    ['{"model":"m","max_tokens":-1}', 400],
    ['{"model":"m","max_tokens":1.5}', 400],
    ['', 400],
  ])('refuses %j', async (body, status) => {
    expect((await post('/v1/chat/completions', body)).status).toBe(status)
    expect(provider.bill()).toMatchObject({ billed: 0, open: 0 })
  })

  it('wants max_tokens for messages, and knows nothing else', async () => {
    expect((await post('/v1/messages', { model: 'm', messages: [] })).text).toContain('max_tokens: Field required')
    expect((await post('/v1/nothing', {})).status).toBe(404)
    expect((await post('/v1/chat/completions', chat(), { 'x-fake-tokens': 'many' })).text).toContain('x-fake-tokens is a whole number')
    expect((await fetch(`${provider.url}/v1/models`)).status).toBe(200)
  })
})

describe('clients that leave', () => {
  it('half-way through a stream are billed what was sent', async () => {
    await leaveAfter(chat({ stream: true }), { 'x-fake-tokens': '10000', 'x-fake-chunk-delay-ms': '2' }, 5)
    await over()
    const [call] = provider.bill().calls
    expect(call?.outcome).toBe('aborted')
    expect(call?.outputTokens).toBeGreaterThanOrEqual(5)
    expect(call?.outputTokens).toBeLessThan(9_000)
  })

  it('half-way through a stream that is billed on are billed the whole', async () => {
    await leaveAfter(chat({ stream: true }), { 'x-fake-tokens': '10000', 'x-fake-chunk-delay-ms': '2', 'x-fake-bills-on-abort': '1' }, 5)
    await over()
    expect(provider.bill().calls).toMatchObject([{ outcome: 'aborted', outputTokens: 10_000 }])
  })

  it('before the first byte: a whole answer is billed, a stream costs its prompt', async () => {
    await leaveAfter(chat(), { 'x-fake-delay-ms': '100' }, 0)
    await over()
    await leaveAfter(chat({ stream: true }), { 'x-fake-delay-ms': '10000' }, 0)
    await over()
    await leaveAfter(chat({ stream: true }), { 'x-fake-delay-ms': '100', 'x-fake-bills-on-abort': '1' }, 0)
    await over()
    expect(provider.bill().calls.map(call => call.outputTokens)).toEqual([20, 0, 20])
    expect(provider.bill().calls.every(call => call.inputTokens > 0)).toBe(true)
  })

  it('of an answer that never comes leave nothing open', async () => {
    await leaveAfter(chat(), { 'x-fake-error': 'hang' }, 0)
    await over()
    expect(provider.bill()).toMatchObject({ open: 0, billed: 1 })
  })

  it('500 at once are all served and billed', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 500 })
    const calls = Array.from({ length: 500 }, (_, index) =>
      raw('/v1/chat/completions', chat({ stream: index % 2 === 0 }), { 'x-fake-delay-ms': '50', 'x-fake-tokens': '100' }, agent),
    )
    const sent = await Promise.all(calls)
    agent.destroy()
    expect(sent.every(one => one.status === 200)).toBe(true)
    const input = provider.bill().calls[0]!.inputTokens
    expect(provider.bill()).toMatchObject({ requests: 500, billed: 500, open: 0 })
    expect(provider.bill().totalNanoUsd).toBe(((BigInt(input) * 150n + 100n * 600n) * 500n).toString())
  })
})

interface Raw {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly body: Buffer
}

function raw(path: string, body: unknown, headers: Record<string, string>, agent?: Agent): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(provider.url + path, { method: 'POST', headers, ...(agent === undefined ? {} : { agent }) }, response => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces) }))
      response.on('error', reject)
    })
    request.on('error', reject)
    request.end(JSON.stringify(body))
  })
}

/** Sends a call, waits until the provider has it and so many events have come, and leaves. */
function leaveAfter(body: unknown, headers: Record<string, string>, events: number): Promise<void> {
  const before = provider.bill().requests
  return new Promise(resolve => {
    const request = httpRequest(`${provider.url}/v1/chat/completions`, { method: 'POST', headers }, response => {
      let seen = 0
      response.on('error', () => undefined)
      response.on('data', (piece: Buffer) => {
        seen += piece.toString().split('data: ').length - 1
        if (seen > events) request.destroy()
      })
    })
    request.on('error', () => undefined)
    request.on('close', resolve)
    request.end(JSON.stringify(body))
    if (events === 0) void until(() => provider.bill().requests > before).then(() => request.destroy())
  })
}

const over = (): Promise<void> => until(() => provider.bill().open === 0)

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(resolve => setImmediate(resolve))
}
