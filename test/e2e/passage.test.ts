// What passes the gateway and what is changed on the way: only what Purser must change, every other byte as it came.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call } from './call.ts'
import { answerAsChat, type Capture, type Captured, CHAT_EVENTS, startCapture, USAGE_EVENT } from './capture.ts'
import { accessKey, budgetPolicy, KEY } from './policies.ts'
import { nano, rowOf, settled, startWorld, type World } from './world.ts'

let capture: Capture
let world: World

beforeAll(async () => {
  capture = await startCapture(answerAsChat)
  world = await startWorld({
    ledger: 'sqlite',
    replicas: 1,
    objects: [
      budgetPolicy('dollar', {
        limits: [{ name: 'all', unit: 'USD', amount: '1', window: { lifetime: {} } }],
        reservation: { defaultMaxOutputTokens: 256 },
      }),
      accessKey([]),
    ],
    providerPort: capture.port,
  })
})

afterAll(async () => {
  await world?.stop()
  await capture?.stop()
})

const send = async (
  body: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ answer: Awaited<ReturnType<typeof call>>; seen: Captured }> => {
  const before = capture.requests.length
  const answer = await call({
    port: world.envoy.port,
    path: '/v1/chat/completions',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}`, ...headers },
    body,
  })
  const [seen, ...more] = capture.requests.slice(before)
  if (seen === undefined || more.length > 0) throw new Error(`${more.length} requests too many, or none: ${answer.status} ${answer.body}`)
  return { answer, seen }
}

/** Odd spacing, escapes, unknown fields and numbers that no parser gives back as they were. */
const odd = (fields: string): string =>
  `{ "model" : "gpt-4o",\n\t"messages":[{"role":"user","content":"h\\u00e9llo \\ud83d\\ude00 日本"}], "temperature":1.0e-0, "x":[1.10,-0,1E5]${fields} }\r\n`

describe('a request', () => {
  it('passes byte for byte where it declares its bound', async () => {
    const body = odd(',"max_tokens":10')
    const { answer, seen } = await send(body)
    expect(answer.status).toBe(200)
    expect(seen.body.toString()).toBe(body)
    expect(seen.headers['content-length']).toBe(String(Buffer.byteLength(body)))
  })

  it('gets a bound put in where it has none, and every other byte stays', async () => {
    const body = odd('')
    const { answer, seen } = await send(body)
    expect(answer.status).toBe(200)
    onlyInserted(body, seen.body)
    const { max_completion_tokens: added, ...rest } = JSON.parse(seen.body.toString()) as Record<string, unknown>
    expect(added).toBe(256)
    expect(rest).toEqual(JSON.parse(body))
    expect(seen.headers['content-length']).toBe(String(seen.body.length))
  })

  it('asks for usage in a stream on behalf of a client that did not', async () => {
    const body = odd(',"max_tokens":10,"stream":true')
    const { seen } = await send(body)
    onlyInserted(body, seen.body)
    const { stream_options, ...rest } = JSON.parse(seen.body.toString()) as Record<string, unknown>
    expect(stream_options).toEqual({ include_usage: true })
    expect(rest).toEqual(JSON.parse(body))
  })

  it('leaves without the key of ours, and with no encoding that could not be read', async () => {
    const { seen } = await send(odd(',"max_tokens":10'), { 'accept-encoding': 'gzip, br', 'x-api-key': KEY })
    expect(JSON.stringify(seen.headers)).not.toContain('psk_')
    expect(seen.headers['accept-encoding']).toBe('identity')
  })

  it("leaves with the provider's key as it came", async () => {
    const { seen } = await send(odd(',"max_tokens":10'), { authorization: 'Bearer sk-of-the-provider' })
    expect(seen.headers.authorization).toBe('Bearer sk-of-the-provider')
  })
})

describe('an answer', () => {
  it('comes without the usage chunk that only Purser asked for, every other byte as sent', async () => {
    const { answer } = await send(odd(',"max_tokens":10,"stream":true'))
    expect(answer.body).toBe(`${CHAT_EVENTS.join('')}data: [DONE]\n\n`)
  })

  it('comes with the usage chunk that the client asked for', async () => {
    const { answer } = await send(odd(',"max_tokens":10,"stream":true,"stream_options":{"include_usage":true}'))
    expect(answer.body).toBe(`${[...CHAT_EVENTS, USAGE_EVENT].join('')}data: [DONE]\n\n`)
  })

  it('is charged from its usage alike in all these ways', async () => {
    const before = nano(rowOf(await settled(world.purser, 10_000), 'dollar').spent)
    await send(odd(',"max_tokens":10'))
    await send(odd(',"max_tokens":10,"stream":true'))
    await send(odd(',"max_tokens":10,"stream":true,"stream_options":{"include_usage":true}'))
    const after = nano(rowOf(await settled(world.purser, 10_000), 'dollar').spent)
    // 9 tokens in at $2.50 and 3 out at $10 a million.
    expect(after - before).toBe(3n * (9n * 2_500n + 3n * 10_000n))
  })
})

/** The amended body is the original with bytes put in at one or more places, and nothing taken out. */
function onlyInserted(original: string, amended: Buffer): void {
  const before = Buffer.from(original)
  let start = 0
  while (start < before.length && before[start] === amended[start]) start++
  let end = 0
  while (end < before.length - start && before[before.length - 1 - end] === amended[amended.length - 1 - end]) end++
  expect(start + end, `the amended body keeps every byte: ${amended.toString()}`).toBe(before.length)
}
