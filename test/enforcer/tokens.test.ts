// The tokenizer's part in a reservation: asked only where a policy wants it, tightens the bound, and is never a reason to refuse.
import { brotliCompressSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { NO_TEXT } from '../../src/core/call.ts'
import { Lifecycle } from '../../src/enforcer/lifecycle.ts'
import type { TokenCounter } from '../../src/ports.ts'
import { countBody } from '../../src/tokens/count.ts'
import { request } from './requests.ts'
import { openWorld } from './world.ts'

const policy = (inputEstimate: string, models = '[]'): string => `
apiVersion: purser.dev/v1alpha1
kind: BudgetPolicy
metadata: {name: ${inputEstimate.toLowerCase()}}
spec:
  match: {models: ${models}}
  limits: [{name: ${inputEstimate.toLowerCase()}, unit: InputTokens, amount: "1000000", window: {lifetime: {}}}]
  reservation: {inputEstimate: ${inputEstimate}}
`
const PROMPT = 'The tokenizer counts what the bytes can only bound, which matters for long prompts. '.repeat(60)
const BODY = Buffer.from(JSON.stringify({ model: 'gpt-4o', max_tokens: 10, messages: [{ role: 'user', content: PROMPT }] }))

function counter(answer: 'counts' | 'gives up'): TokenCounter & { readonly seen: string[] } {
  const seen: string[] = []
  return {
    seen,
    start: async () => true,
    count: async body => {
      seen.push(Buffer.from(body).toString())
      return answer === 'counts' ? countBody(body) : null
    },
    close: async () => {},
  }
}

async function reserve(
  policies: string,
  limit: string,
  tokens: TokenCounter | null,
  body = BODY,
  headers = {},
  path = '/v1/chat/completions',
) {
  const world = await openWorld(policies)
  const exchange = new Lifecycle(tokens === null ? world.enforcer : { ...world.enforcer, tokens })
  exchange.requestHeaders(request({ path, headers }))
  const verdict = await exchange.requestBody(body)
  return { verdict: verdict.kind, reserved: (await world.balance(limit)).reserved }
}

it('tightens the bound where a policy asks for it', async () => {
  const tokens = counter('counts')
  const byBytes = await reserve(policy('Bytes'), 'bytes', tokens)
  expect(tokens.seen).toEqual([])
  const counted = await reserve(policy('Tokenizer'), 'tokenizer', tokens)
  expect(tokens.seen).toEqual([BODY.toString()])
  expect([counted.verdict, byBytes.verdict]).toEqual(['admit', 'admit'])
  const exact = BigInt(countBody(BODY).tokens)
  expect(counted.reserved).toBeGreaterThan(exact)
  expect(counted.reserved).toBeLessThan(exact + exact / 10n + 150n)
  expect(counted.reserved).toBeLessThan(byBytes.reserved)
})

it('leaves the bound by bytes where it gives up, or there is none', async () => {
  const byBytes = await reserve(policy('Bytes'), 'bytes', null)
  for (const tokens of [counter('gives up'), null]) {
    expect(await reserve(policy('Tokenizer'), 'tokenizer', tokens)).toEqual(byBytes)
  }
})

it('gives way to a stricter policy that binds, and only to one that does', async () => {
  const byBytes = await reserve(policy('Bytes'), 'bytes', null)
  const both = `${policy('Tokenizer')}---${policy('Bytes')}`
  expect(await reserve(both, 'tokenizer', counter('counts'))).toEqual(byBytes)
  const other = `${policy('Tokenizer')}---${policy('Strict', '[other-*]')}`
  expect((await reserve(other, 'tokenizer', counter('counts'))).reserved).toBeLessThan(byBytes.reserved)
})

it('sees a compressed body as it was before', async () => {
  const tokens = counter('counts')
  await reserve(policy('Tokenizer'), 'tokenizer', tokens, brotliCompressSync(BODY), { 'content-encoding': 'br' })
  expect(tokens.seen).toEqual([BODY.toString()])
})

it('is not asked for forms, or for what cannot be read', async () => {
  const tokens = counter('counts')
  const form = Buffer.from('--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--b--\r\n')
  const type = { 'content-type': 'multipart/form-data; boundary=b' }
  await reserve(policy('Tokenizer'), 'tokenizer', tokens, form, type, '/v1/audio/transcriptions')
  await reserve(policy('Tokenizer'), 'tokenizer', tokens, Buffer.from('{"model":'))
  expect(tokens.seen).toEqual([])
  expect(countBody(Buffer.from('')).rest).toEqual(NO_TEXT)
})
