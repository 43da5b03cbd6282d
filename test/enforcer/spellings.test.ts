// Spellings: whatever way a client writes a model, a provider or an endpoint, it gets no call through that its key does not permit.
import { describe, expect, it } from 'vitest'
import type { Reason } from '../../src/core/verdict.ts'
import { sha256 } from '../../src/enforcer/identify.ts'
import { Lifecycle } from '../../src/enforcer/lifecycle.ts'
import { request } from './requests.ts'
import { openWorld, type World } from './world.ts'

const KEY = `psk_${'k'.repeat(43)}`

const ALIASES = `
---
apiVersion: purser.dev/v1alpha1
kind: ModelPriceList
metadata: {name: names}
spec:
  aliases:
  - {name: our-gpt, provider: azure, model: gpt-4o-mini}
  - {name: big-gpt, provider: azure, model: gpt-4o}
  - {name: both, provider: azure, model: gpt-4o-mini}
  - {name: Both, provider: openai, model: gpt-4o}
`

const world = (permissions: string, limits = '[{name: all, unit: Requests, amount: "1000", window: {lifetime: {}}}]', rest = '{}') =>
  openWorld(`
apiVersion: purser.dev/v1alpha1
kind: AccessKey
metadata: {name: k}
spec:
  keyHashes: ['${sha256(KEY)}']
  limits: ${limits}
  permissions: ${permissions}
  reservation: ${rest}
${ALIASES}`)

interface Asked {
  readonly path?: string
  readonly body?: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly provider?: string
}

const MESSAGES = '"max_tokens":5,"messages":[]'
const chat = (model: string): Asked => ({ body: `{"model":${JSON.stringify(model)},${MESSAGES}}` })
const raw = (fields: string): Asked => ({ body: `{${fields},${MESSAGES}}` })
const at = (path: string, body = `{${MESSAGES}}`, more: Partial<Asked> = {}): Asked => ({ path, body, ...more })
const CONVERSE = '{"messages":[],"inferenceConfig":{"maxTokens":5}}'
const CONTENTS = '{"contents":[],"generationConfig":{"maxOutputTokens":5}}'

/** `passes`, or the reason of the refusal. */
async function ask({ enforcer }: World, { path = '/v1/chat/completions', body, method = 'POST', headers = {}, provider }: Asked) {
  const exchange = new Lifecycle(enforcer)
  const info = request({
    method,
    path,
    headers: { 'x-api-key': KEY, ...headers },
    endOfStream: body === undefined,
    purser: { namespace: null, provider: provider ?? null, gateway: null },
  })
  const head = exchange.requestHeaders(info)
  if (head.kind === 'refuse') return head.refusal.reason
  if (head.kind !== 'read-body') return 'passes'
  const verdict = await exchange.requestBody(Buffer.from(body ?? ''))
  exchange.closed(false)
  await enforcer.settler.drain(1_000)
  return verdict.kind === 'refuse' ? verdict.refusal.reason : 'passes'
}

type Row = readonly [asked: Asked, expected: Reason | 'passes']

/** Allowed are gpt-4o-mini and one Claude; nothing else is. */
const MODELS: readonly Row[] = [
  [chat('gpt-4o-mini'), 'passes'],
  [chat('GPT-4o-Mini'), 'passes'],
  [raw('"model":"gpt-4o\\u002dmini"'), 'passes'],
  [raw('"mod\\u0065l":"gpt-4o-mini"'), 'passes'],
  [chat('our-gpt'), 'passes'],
  [{ ...chat('both'), provider: 'azure' }, 'passes'],
  [chat('gpt-4o'), 'model-forbidden'],
  [chat('gpt-4o-mini-2024-07-18'), 'model-forbidden'],
  [chat('gpt-4o-mini '), 'model-forbidden'],
  [chat(' gpt-4o-mini'), 'model-forbidden'],
  [chat('gpt-4o-mini\u0000'), 'model-forbidden'],
  [chat('gpt-4o-mini\n'), 'model-forbidden'],
  [chat('gpt-4o-mini/../gpt-4o'), 'model-forbidden'],
  [chat('gpt-4o-mini,gpt-4o'), 'model-forbidden'],
  [chat('ｇｐｔ-4o-mini'), 'model-forbidden'],
  [chat('gpt-4o-m\u0131ni'), 'model-forbidden'],
  [chat('gpt\u20114o\u2011mini'), 'model-forbidden'],
  [chat('gpt-4o-mini\u200b'), 'model-forbidden'],
  [chat('openai/gpt-4o-mini'), 'model-forbidden'],
  [chat('openai/gpt-4o'), 'model-forbidden'],
  [chat('azure/gpt-4o-mini'), 'model-forbidden'],
  [chat('gpt-4o-mini:online'), 'model-forbidden'],
  [chat('gpt-4o-mini:free'), 'model-forbidden'],
  [chat('ft:gpt-4o-mini:acme::1'), 'model-forbidden'],
  [chat('big-gpt'), 'model-forbidden'],
  [chat('both'), 'model-forbidden'],
  [{ ...chat('both'), provider: 'openai' }, 'model-forbidden'],
  [raw('"model":"gpt-4o\\u002d"'), 'model-forbidden'],
  [raw('"model":"\\u0067pt-4o"'), 'model-forbidden'],
  [raw('"model":"gpt-4o-mini","model":"gpt-4o"'), 'unreadable'],
  [raw('"model":"gpt-4o","model":"gpt-4o-mini"'), 'unreadable'],
  [raw('"model":"gpt-4o-mini","mod\\u0065l":"gpt-4o"'), 'unreadable'],
  [raw('"model":"gpt-4o-mini","Model":"gpt-4o"'), 'unreadable'],
  [raw('"model":["gpt-4o-mini","gpt-4o"]'), 'unreadable'],
  [raw('"model":{"name":"gpt-4o"}'), 'unreadable'],
  [raw('"messages":[],"models":["gpt-4o"]'), 'unreadable'],
  [raw('"model":"gpt-4o-mini","models":["gpt-4o"]'), 'model-forbidden'],
  [raw('"models":["gpt-4o"],"model":"gpt-4o-mini"'), 'model-forbidden'],
  [raw('"model":"gpt-4o-mini","models":["gpt-4o-mini","openai/gpt-4o"]'), 'model-forbidden'],
  [raw('"model":"gpt-4o-mini","models":["gpt-4o-mini"]'), 'passes'],
  // Azure: the deployment of the path, whatever the body says.
  [at('/openai/deployments/gpt-4o-mini/chat/completions', `{"model":"gpt-4o",${MESSAGES}}`), 'passes'],
  [at('/openai/deployments/our-gpt/chat/completions'), 'passes'],
  [at('/openai/deployments/big-gpt/chat/completions', `{"model":"gpt-4o-mini",${MESSAGES}}`), 'model-forbidden'],
  [at('/openai/deployments/gpt-4o%2Dmini/chat/completions'), 'passes'],
  [at('/openai/deployments/gpt-4o/chat/completions?model=gpt-4o-mini', `{"model":"gpt-4o-mini",${MESSAGES}}`), 'model-forbidden'],
  [at('/openai/deployments/gpt-4o-mini%2F..%2Fgpt-4o/chat/completions'), 'model-forbidden'],
  [at('//openai//deployments//gpt-4o//chat//completions'), 'unreadable'],
  // Bedrock: ids, inference profiles, ARNs.
  [at('/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse', CONVERSE), 'passes'],
  [at('/model/anthropic.claude-3-haiku-20240307-v1:0/converse', CONVERSE), 'passes'],
  [at('/model/us.anthropic.claude-3-haiku-20240307-v1:0/converse', CONVERSE), 'model-forbidden'],
  [at('/model/anthropic.claude-3-opus-20240229-v1:0/converse', CONVERSE), 'model-forbidden'],
  [at('/model/arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-opus-20240229-v1:0/converse', CONVERSE), 'model-forbidden'],
  [
    at('/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.anthropic.claude-3-haiku-20240307-v1%3A0/converse', CONVERSE),
    'model-forbidden',
  ],
  [at('/model/anthropic.claude-3-haiku-20240307-v1:0%00/converse', CONVERSE), 'model-forbidden'],
  [at('/model/anthropic.claude-3-haiku-20240307-v1%ZZ/converse', CONVERSE), 'unreadable'],
  // Gemini and Vertex.
  [at('/v1beta/models/gemini-2.5-flash:generateContent', CONTENTS), 'model-forbidden'],
  [at('/v1beta/models/gpt-4o-mini:generateContent', CONTENTS.replace('{', '{"model":"models/gemini-2.5-pro",')), 'passes'],
  [at('/v1beta/models/gemini-2.5-pro%3AgenerateContent', CONTENTS), 'model-forbidden'],
  [
    at('/v1/projects/p/locations/global/publishers/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse', CONTENTS),
    'model-forbidden',
  ],
  [at('/v1beta/tunedModels/gemini-2.5-pro:generateContent', CONTENTS), 'model-forbidden'],
  [
    at('/v1/projects/p/locations/global/publishers/anthropic/models/claude-opus-4:rawPredict', `{"model":"gpt-4o-mini",${MESSAGES}}`),
    'model-forbidden',
  ],
  // Anthropic: fallbacks and advisors may answer too.
  [at('/v1/messages', `{"model":"gpt-4o-mini","fallbacks":[{"model":"claude-opus-4"}],${MESSAGES}}`), 'model-forbidden'],
]

describe('models, where two are allowed', () => {
  const permissions = '{models: {allow: [gpt-4o-mini, anthropic.claude-3-haiku-20240307-v1:0]}}'
  it('are written in sixty ways and more', () => expect(MODELS.length).toBeGreaterThanOrEqual(60))
  it.each(MODELS)('%j: %s', async (asked, expected) => {
    expect(await ask(await world(permissions), asked)).toBe(expected)
  })
})

/** Denied is gpt-4o under every name that is the same model's. */
describe('models, where one is denied', () => {
  it.each([
    [chat('gpt-4o'), 'model-forbidden'],
    [chat('GPT-4O'), 'model-forbidden'],
    [chat(' gpt-4o '), 'model-forbidden'],
    [chat('openai/gpt-4o'), 'model-forbidden'],
    [chat('openrouter/openai/gpt-4o'), 'model-forbidden'],
    [chat('openai/gpt-4o:online'), 'model-forbidden'],
    [chat('gpt-4o:nitro'), 'model-forbidden'],
    [chat('models/gpt-4o'), 'model-forbidden'],
    [chat('big-gpt'), 'model-forbidden'],
    [chat('azure/BIG-GPT'), 'model-forbidden'],
    [chat('both'), 'model-forbidden'],
    [at('/openai/deployments/big-gpt/chat/completions'), 'model-forbidden'],
    [raw('"model":"gpt-4o-mini","models":["openai/gpt-4o"]'), 'model-forbidden'],
    [chat('gpt-4o-mini'), 'passes'],
    [chat('our-gpt'), 'passes'],
  ] satisfies Row[])('%j: %s', async (asked, expected) => {
    expect(await ask(await world('{models: {deny: [gpt-4o]}}'), asked)).toBe(expected)
  })

  it('count in the limits that are written for them', async () => {
    const limited = await openWorld(`
apiVersion: purser.dev/v1alpha1
kind: BudgetPolicy
metadata: {name: p}
spec:
  match: {models: [gpt-4o]}
  limits: [{name: few, unit: Requests, amount: "10", window: {lifetime: {}}}]
---
apiVersion: purser.dev/v1alpha1
kind: AccessKey
metadata: {name: k}
spec: {keyHashes: ['${sha256(KEY)}']}
${ALIASES}`)
    for (const model of ['gpt-4o', 'openai/gpt-4o', 'big-gpt', 'GPT-4o:floor', 'gpt-4o-mini']) {
      const exchange = new Lifecycle(limited.enforcer)
      exchange.requestHeaders(request({ headers: { 'x-api-key': KEY } }))
      const { body = '' } = chat(model)
      expect((await exchange.requestBody(Buffer.from(body))).kind, model).toBe(model === 'gpt-4o-mini' ? 'pass' : 'admit')
    }
  })
})

describe('providers, where OpenAI alone is allowed', () => {
  it.each([
    [chat('gpt-4o'), 'passes'],
    [{ ...chat('gpt-4o'), provider: 'OpenAI' }, 'passes'],
    [{ ...chat('gpt-4o'), provider: 'azure' }, 'provider-forbidden'],
    [chat('claude-3-opus-20240229'), 'provider-forbidden'],
    [chat('our-gpt'), 'provider-forbidden'],
    [chat('nobody-knows-this'), 'provider-forbidden'],
    [{ ...chat('claude-3-opus-20240229'), headers: { 'x-purser-provider': 'openai' } }, 'provider-forbidden'],
    [{ ...chat('claude-3-opus-20240229'), headers: { host: 'api.openai.com' } }, 'provider-forbidden'],
    [at('/v1/messages', `{"model":"gpt-4o",${MESSAGES}}`), 'provider-forbidden'],
    [at('/openai/deployments/gpt-4o/chat/completions'), 'provider-forbidden'],
    [at('/model/gpt-4o/converse', CONVERSE), 'provider-forbidden'],
    [at('/v1beta/models/gpt-4o:generateContent', CONTENTS), 'provider-forbidden'],
  ] satisfies Row[])('%j: %s', async (asked, expected) => {
    expect(await ask(await world('{providers: {allow: [openai]}}'), asked)).toBe(expected)
  })
})

const EMBED = '{"model":"text-embedding-3-small","input":"x"}'
const GPT = `{"model":"gpt-4o",${MESSAGES}}`

describe('endpoints, where chats alone are allowed', () => {
  it.each([
    [at('/v1/chat/completions', GPT), 'passes'],
    [at('/v1/chat/completions/', GPT), 'passes'],
    [at('//v1//chat///completions', GPT), 'passes'],
    [at('/v1/chat/completions?x=/v1/embeddings', GPT), 'passes'],
    [at('/v1/embeddings', EMBED), 'endpoint-forbidden'],
    [at('/v1/embeddings/', EMBED), 'endpoint-forbidden'],
    [at('/v1//embeddings', EMBED), 'endpoint-forbidden'],
    [at('/v1/embeddings?path=/chat/completions', EMBED), 'endpoint-forbidden'],
    [at('/v1/responses', '{"model":"gpt-4o","max_output_tokens":5,"input":"x"}'), 'endpoint-forbidden'],
    [at('/v1/chat/completions/../embeddings', EMBED), 'endpoint-forbidden'],
    [at('/v1/chat/completions/%2e%2e/embeddings', EMBED), 'endpoint-forbidden'],
    [at('/v1/embeddings/..%2fchat/completions', EMBED), 'endpoint-forbidden'],
    [at('/v1/embeddings/%2E./chat/completions', GPT), 'endpoint-forbidden'],
    [at('/v1\\embeddings', EMBED), 'endpoint-forbidden'],
    [at('/v1/%65mbeddings', EMBED), 'endpoint-forbidden'],
    [at('/v1/EMBEDDINGS', EMBED), 'endpoint-forbidden'],
    [at('/v1/embeddings%2f', EMBED), 'endpoint-forbidden'],
    [at('/v1/chat/completions', GPT, { headers: { 'x-http-method-override': 'GET' } }), 'endpoint-forbidden'],
    [at('/v1/moderations', '{"input":"x"}'), 'endpoint-forbidden'],
    [at('/v1/messages/count_tokens', GPT), 'endpoint-forbidden'],
    [{ path: '/v1/models', method: 'GET' }, 'endpoint-forbidden'],
    [{ path: '/v1/files/file-1/content', method: 'GET' }, 'endpoint-forbidden'],
    [{ path: '/v1/responses/resp_1', method: 'DELETE' }, 'endpoint-forbidden'],
    [{ path: '/v1/realtime?model=gpt-4o', method: 'GET', headers: { upgrade: 'websocket' } }, 'endpoint-forbidden'],
    [{ path: '/v1/none/such', method: 'POST', body: GPT }, 'endpoint-forbidden'],
    [{ path: '/v1/models', method: 'OPTIONS' }, 'passes'],
  ] satisfies Row[])('%j: %s', async (asked, expected) => {
    // Even where endpoints that are not known may pass otherwise.
    expect(await ask(await world('{endpoints: {allow: [chat/completions]}}', undefined, '{onUnknownEndpoint: Allow}'), asked)).toBe(
      expected,
    )
  })
})

describe('what cannot be read', () => {
  const allowing = '{onUnknownEndpoint: Allow, onUnreadable: Allow}'
  it.each([
    [raw('"model":"gpt-4o-mini","model":"gpt-4o"'), 'unreadable'],
    [at('/v1/none/such', GPT), 'endpoint-forbidden'],
    [{ path: '/v1/realtime?model=gpt-4o', method: 'GET', headers: { upgrade: 'websocket' } }, 'endpoint-forbidden'],
    [{ path: '/v1/models', method: 'GET' }, 'passes'],
  ] satisfies Row[])('does not pass a key that may use some models only: %j', async (asked, expected) => {
    expect(await ask(await world('{models: {allow: [gpt-4o-mini]}}', undefined, allowing), asked)).toBe(expected)
  })
  it.each([raw('"model":"gpt-4o-mini","model":"gpt-4o"'), at('/v1/none/such', GPT)])(
    'passes one that may use all, where a policy lets it',
    async asked => {
      expect(await ask(await world('{}', undefined, allowing), asked)).toBe('passes')
    },
  )
})
