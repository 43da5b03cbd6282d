// Streams that outgrow their reservation: where they end for the client, what it is told, and that the truth is charged all the same.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Lifecycle } from '../../src/enforcer/lifecycle.ts'
import { request, response } from './requests.ts'
import { openWorld, type World } from './world.ts'

const policy = (more: string): string => `
apiVersion: purser.dev/v1alpha1
kind: BudgetPolicy
metadata: {name: team}
spec: {limits: [{name: usd, unit: USD, amount: "1", window: {lifetime: {}}}], ${more}}
`
const CUTS = policy('waste: {cutAtReservation: true}')
const sse = { headers: { 'content-type': 'text/event-stream' } }

/** Of about ten tokens. */
const WORDS = 'the ships came in before noon and left again '
const chat = (content: string): string => `data: ${JSON.stringify({ model: 'gpt-4o', choices: [{ index: 0, delta: { content } }] })}\n\n`
const usage = (completion: number): string =>
  `data: ${JSON.stringify({ model: 'gpt-4o', choices: [], usage: { prompt_tokens: 10, completion_tokens: completion, total_tokens: 10 + completion } })}\n\n`

async function admitted(world: World, body: object, path = '/v1/chat/completions', authority = 'api.openai.com'): Promise<Lifecycle> {
  const exchange = world.open()
  exchange.requestHeaders(request({ path, authority }))
  const verdict = await exchange.requestBody(Buffer.from(JSON.stringify(body)))
  if (verdict.kind !== 'admit') throw new Error(`expected an admission, got ${JSON.stringify(verdict)}`)
  exchange.verdictWritten()
  return exchange
}
/** The usage that nobody asked for is hidden, which takes events out of the stream. */
const asks = (maxTokens: number, includeUsage = true): object => ({
  model: 'gpt-4o',
  max_tokens: maxTokens,
  messages: [{ role: 'user', content: 'Hi' }],
  stream: true,
  ...(includeUsage ? { stream_options: { include_usage: true } } : {}),
})

/** What the client gets of a stream that comes in pieces. */
function receive(exchange: Lifecycle, text: string, sizes: readonly number[]): string {
  const bytes = Buffer.from(text)
  const got: Buffer[] = []
  let turn = 0
  for (let at = 0; at < bytes.length; ) {
    const size = sizes[turn++ % sizes.length] ?? 1
    const piece = bytes.subarray(at, at + size)
    at += size
    got.push(Buffer.from(exchange.responseBody(piece, at >= bytes.length) ?? piece))
  }
  return Buffer.concat(got).toString()
}

describe('a stream that outgrows its reservation', () => {
  it('ends after a whole event with an error, wherever it is cut into pieces, and its report is charged', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.integer({ min: 1, max: 700 }), fc.integer({ min: 1, max: 9_000 })), { minLength: 1, maxLength: 8 }),
        fc.boolean(),
        fc.constantFrom('\n', '\r\n'),
        async (sizes, includeUsage, newline) => {
          const world = await openWorld(CUTS)
          const exchange = await admitted(world, asks(50, includeUsage))
          exchange.responseHeaders(response(sse))
          const stream = `${chat(WORDS).repeat(60)}${usage(600)}data: [DONE]\n\n`.replaceAll('\n', newline)
          const got = receive(exchange, stream, sizes)
          const events = got.split(newline + newline).filter(text => text !== '')
          const error = /\n?data: (\{"error".*\})\n\n$/.exec(got)?.[1] ?? '{}'
          expect(JSON.parse(error)).toMatchObject({ error: { code: 'cut-at-reservation', type: 'insufficient_quota' } })
          const passed = got.slice(0, got.lastIndexOf('data: {"error"'))
          expect(stream.startsWith(passed)).toBe(true)
          expect(passed.endsWith(newline + newline)).toBe(true)
          // Fifty tokens are five events: never sooner; and it must be sure, which such a short bound makes late.
          expect(passed.length).toBeGreaterThan(5 * chat(WORDS).length)
          expect(passed.length).toBeLessThan(27 * chat(WORDS).length + 2 * 1_024)
          expect(events.length).toBeGreaterThan(5)
          await world.settled()
          // 10 tokens in at $2.50 and 600 out at $10 a million.
          expect(await world.balance('usd')).toMatchObject({ spent: 6_025_000n, suspense: 0n, reserved: 0n })
        },
      ),
      { numRuns: 100 },
    )
  })

  it('is charged its whole estimate where the client leaves on the error, into suspense', async () => {
    const world = await openWorld(CUTS)
    const exchange = await admitted(world, asks(50))
    const { reserved } = await world.balance('usd')
    exchange.responseHeaders(response(sse))
    expect(receive(exchange, chat(WORDS).repeat(30), [1])).toContain('cut-at-reservation')
    exchange.closed(false)
    await world.settled()
    expect(await world.balance('usd')).toMatchObject({ spent: reserved, suspense: reserved, reserved: 0n })
  })

  it('is cut a quarter beyond its bound where each event brings a token', async () => {
    const world = await openWorld(CUTS)
    const exchange = await admitted(world, asks(1_000))
    exchange.responseHeaders(response(sse))
    const got = receive(exchange, chat(' words').repeat(3_000), [chat(' words').length])
    const passed = got.split('\n\n').length - 2
    expect(passed).toBeGreaterThan(1_000)
    expect(passed).toBeLessThan(1_500)
  })

  it('is cut by a report that says so before its text does', async () => {
    const world = await openWorld(CUTS)
    const exchange = await admitted(world, asks(50))
    exchange.responseHeaders(response(sse))
    const progress = (tokens: number): string =>
      `data: ${JSON.stringify({ model: 'gpt-4o', choices: [{ index: 0, delta: { content: 'a' } }], usage: { prompt_tokens: 10, completion_tokens: tokens, total_tokens: 10 + tokens } })}\n\n`
    const stream = Array.from({ length: 100 }, (_, at) => progress(at + 1)).join('')
    const got = receive(exchange, stream, [progress(1).length])
    expect(got).toContain('cut-at-reservation')
    expect(got).toContain('"completion_tokens":50,')
    expect(got).not.toContain('"completion_tokens":53,')
  })

  it('is told in the dialect of its client', async () => {
    const claude = { model: 'claude-sonnet-4-5', max_tokens: 50, messages: [{ role: 'user', content: 'Hi' }], stream: true }
    const delta = `event: content_block_delta\ndata: ${JSON.stringify({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: WORDS } })}\n\n`
    const part = `event: response.output_text.delta\ndata: ${JSON.stringify({ type: 'response.output_text.delta', delta: WORDS })}\n\n`
    const world = await openWorld(CUTS)
    for (const [path, host, body, event, error] of [
      ['/v1/messages', 'api.anthropic.com', claude, delta, { type: 'error', error: { type: 'billing_error' } }],
      [
        '/v1/responses',
        'api.openai.com',
        { model: 'gpt-4o', max_output_tokens: 50, input: 'Hi', stream: true },
        part,
        { type: 'error', code: 'cut-at-reservation' },
      ],
    ] as const) {
      const exchange = await admitted(world, body, path, host)
      exchange.responseHeaders(response(sse))
      const last = receive(exchange, event.repeat(60), [999]).split('\n\n').at(-2) ?? ''
      const [named, data] = last.split('\n')
      expect(named).toBe('event: error')
      expect(JSON.parse(data?.slice('data: '.length) ?? '')).toMatchObject(error)
    }
  })
})

it('nothing is cut that keeps to its bound, is no stream of events, or is under no such rule', async () => {
  const long = `${chat(WORDS).repeat(60)}${usage(600)}data: [DONE]\n\n`
  for (const [spec, bound, headers] of [
    [CUTS, 600, sse.headers],
    [CUTS, 50, { 'content-type': 'application/json' }],
    [policy('waste: {}'), 50, sse.headers],
    [policy('waste: {cutAtReservation: true}, enforcement: {mode: Audit}'), 50, sse.headers],
  ] as const) {
    const exchange = await admitted(await openWorld(spec), asks(bound))
    exchange.responseHeaders(response({ headers }))
    expect(receive(exchange, long, [777])).toBe(long)
  }
})

it('nothing is cut whose text is many bytes for few tokens', async () => {
  // Of one token each: rules of tables, indentation, and words longer than those of any prose.
  for (const run of ['-'.repeat(64), ' '.repeat(64), '='.repeat(32), '\n\n', ' container', '。']) {
    const exchange = await admitted(await openWorld(CUTS), asks(500))
    exchange.responseHeaders(response(sse))
    const text = chat(run).repeat(500)
    expect([run, receive(exchange, text, [777]) === text]).toEqual([run, true])
  }
})
