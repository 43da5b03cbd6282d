// Keys through a real Envoy: what a hostile client with one key can get through, and whose budget it is charged to. Grants, warnings and
// experiments as they are used.
import { execFileSync } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { call } from './call.ts'
import { answerAsChat, type Capture, startCapture } from './capture.ts'
import { budgetPolicy } from './policies.ts'
import { until } from './until.ts'
import { nano, settled, startWorld, type World } from './world.ts'

const PURSER = join(import.meta.dirname, '../../bin/purser')
/** What one answered call costs: 9 tokens in and 3 out, at the prices of the model that answers, gpt-4o. */
const COST = 9n * 2_500n + 3n * 10_000n

interface MadeKey {
  readonly key: string
  readonly object: unknown
}

/** A key as people make it. */
function newKey(name: string, ...flags: readonly string[]): MadeKey {
  const [key = '', object = ''] = execFileSync(PURSER, ['key', 'new', ...(flags.includes('--experiment') ? [] : [name]), ...flags], {
    encoding: 'utf8',
  }).split('\n---\n')
  return { key, object: parse(object) }
}

const limits = ['--limit', 'own=1/lifetime']
const ada = newKey('ada', '--user', 'ada', '--models', 'gpt-4o-mini', '--endpoints', 'chat/completions', ...limits)
const bob = newKey('bob', '--user', 'bob', ...limits)
const tried = newKey('', '--experiment', 'tried', '--budget', '5', '--for', '7d')
const wild = newKey('', '--experiment', 'wild', '--budget', '50', '--for', '7d')

const users = (amount = '1'): unknown =>
  budgetPolicy('users', {
    limits: [
      { name: 'each', unit: 'USD', amount, window: { lifetime: {} }, partitionBy: [{ attribute: 'user' }] },
      { name: 'calls', unit: 'Requests', amount: '10', window: { calendar: 'Year' }, warnAtPercent: [20, 50] },
    ],
    response: { exposeBalance: true },
  })
const bounds = {
  apiVersion: 'purser.dev/v1alpha1',
  kind: 'ClusterBudgetPolicy',
  metadata: { name: 'organisation' },
  spec: { experiments: { maxAmount: '10', maxDuration: '240h', maxOpen: 2 } },
}
const grant = (startsInMs: number, endsInMs: number): unknown => ({
  apiVersion: 'purser.dev/v1alpha1',
  kind: 'BudgetGrant',
  metadata: { name: 'more', namespace: 'default' },
  spec: {
    policyRef: { kind: 'BudgetPolicy', name: 'users', limit: 'each', partition: ['bob'] },
    amount: '1',
    startsAt: new Date(Date.now() + startsInMs).toISOString(),
    expiresAt: new Date(Date.now() + endsInMs).toISOString(),
    reason: 'test',
  },
})
const objects = (...more: readonly unknown[]): unknown[] => [bounds, ada.object, bob.object, tried.object, wild.object, ...more]

const SECRET = Buffer.alloc(32, 3).toString('base64')
const folder = mkdtempSync(join(tmpdir(), 'purser-secret-'))
let capture: Capture
let hook: Capture
let world: World

beforeAll(async () => {
  capture = await startCapture(answerAsChat)
  hook = await startCapture((_, response) => {
    response.writeHead(hook.requests.length === 1 ? 503 : 204)
    response.end()
  })
  writeFileSync(join(folder, 'secret'), `whsec_${SECRET}\n`)
  world = await startWorld({
    ledger: 'sqlite',
    replicas: 1,
    objects: objects(users()),
    providerPort: capture.port,
    purser: {
      flags: ['--require-key', '--webhook-url', `http://127.0.0.1:${hook.port}/hook`, '--webhook-secret-file', join(folder, 'secret')],
    },
  })
})

afterAll(async () => {
  await world?.stop()
  await capture?.stop()
  await hook?.stop()
  rmSync(folder, { recursive: true })
})

const MESSAGES = '"max_tokens":5,"messages":[{"role":"user","content":"hi"}]'
const MINI = `{"model":"gpt-4o-mini",${MESSAGES}}`
const BIG = `{"model":"gpt-4o",${MESSAGES}}`
const json = { 'content-type': 'application/json' }
const bearer = (key: string) => ({ ...json, authorization: `Bearer ${key}` })

/** Over HTTP/1.1 as bytes, so that nothing is put right on the way. Answers the statuses of all that came back. */
function raw(bytes: string | Buffer): Promise<readonly number[]> {
  return new Promise(resolve => {
    let text = ''
    const socket = connect(world.envoy.port, '127.0.0.1', () => socket.write(bytes))
    const done = (): void => {
      socket.destroy()
      resolve([...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status)))
    }
    socket.on('data', piece => {
      text += piece.toString('latin1')
    })
    socket.on('close', done)
    socket.on('error', done)
    // Both requests of a pipeline are answered by then, or will not be.
    socket.setTimeout(1_500, done)
  })
}

const head = (lines: readonly string[], path = '/v1/chat/completions'): string =>
  [`POST ${path} HTTP/1.1`, 'host: gateway', 'content-type: application/json', ...lines, '', ''].join('\r\n')
const chunked = (...pieces: readonly string[]): string =>
  [...pieces, ''].map(piece => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('')

/** Over HTTP/2. */
function http2(
  headers: Readonly<Record<string, string | readonly string[]>>,
  body: string,
): Promise<{ status: number; reason: string | null }> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(`http://127.0.0.1:${world.envoy.port}`)
    session.on('error', reject)
    const stream = session.request({ ':method': 'POST', ':path': '/v1/chat/completions', ...headers } as Record<string, string>)
    let found = { status: 0, reason: null as string | null }
    stream.on('response', answer => {
      found = { status: Number(answer[':status']), reason: (answer['x-purser-reason'] as string | undefined) ?? null }
    })
    stream.on('error', () => {})
    stream.resume()
    stream.on('close', () => {
      session.close()
      resolve(found)
    })
    stream.end(body)
  })
}

const own = `authorization: Bearer ${ada.key}`
const length = (body: string): string => `content-length: ${Buffer.byteLength(body)}`

describe('a client that has one key', () => {
  it.each([
    ['a permitted model', bearer(ada.key), MINI, 200, null],
    ['another model', bearer(ada.key), BIG, 403, 'model-forbidden'],
    ['another model in escapes', bearer(ada.key), `{"model":"gpt\\u002d4o",${MESSAGES}}`, 403, 'model-forbidden'],
    ['two models', bearer(ada.key), `{"model":"gpt-4o-mini","model":"gpt-4o",${MESSAGES}}`, 400, 'unreadable'],
    ['two models, one escaped', bearer(ada.key), `{"model":"gpt-4o-mini","\\u006dodel":"gpt-4o",${MESSAGES}}`, 400, 'unreadable'],
    ['a fallback', bearer(ada.key), `{"model":"gpt-4o-mini","models":["gpt-4o"],${MESSAGES}}`, 403, 'model-forbidden'],
    ['another model, zipped', { ...bearer(ada.key), 'content-encoding': 'gzip' }, gzipSync(BIG), 403, 'model-forbidden'],
    ['another model as text', { ...bearer(ada.key), 'content-type': 'text/plain' }, BIG, 403, 'model-forbidden'],
    ['a key besides', { ...bearer(ada.key), 'x-api-key': bob.key }, MINI, 401, 'two-keys'],
    ['a key joined to its own', { ...json, authorization: `Bearer ${ada.key}, Bearer ${bob.key}` }, MINI, 401, 'two-keys'],
    ['a key joined by a comma', { ...json, 'x-api-key': `${ada.key},${bob.key}` }, MINI, 401, 'two-keys'],
    ['a key under no scheme, and its own', { ...json, authorization: bob.key, 'api-key': ada.key }, MINI, 401, 'two-keys'],
    ['another scheme', { ...json, authorization: `Token ${ada.key}` }, BIG, 403, 'model-forbidden'],
    ['its key twice', { ...bearer(ada.key), 'x-api-key': ada.key }, BIG, 403, 'model-forbidden'],
    [
      'the attributes of another',
      {
        ...bearer(ada.key),
        user: 'bob',
        'x-user': 'bob',
        'x-purser-user': 'bob',
        'x-purser-namespace': 'other',
        'x-purser-provider': 'azure',
      },
      MINI,
      200,
      null,
    ],
  ])('sends %s over HTTP/1.1 and HTTP/2', async (_, headers, body, status, reason) => {
    const answer = await call({ port: world.envoy.port, path: '/v1/chat/completions', headers, body })
    expect([answer.status, answer.headers['x-purser-reason'] ?? null], answer.body).toEqual([status, reason])
    if (typeof body !== 'string') return
    expect(await http2(headers, body)).toEqual({ status, reason })
  })

  it.each([
    ['in the query', `/v1/chat/completions?key=${bob.key}`],
    ['in the query, escaped', `/v1/chat/completions?api_key=%70sk_${bob.key.slice(4)}`],
  ])('sends another key %s', async (_, path) => {
    const answer = await call({ port: world.envoy.port, path, headers: bearer(ada.key), body: MINI })
    expect([answer.status, answer.headers['x-purser-reason']]).toEqual([401, 'key-in-url'])
  })

  it.each([
    ['two keys in two headers of one name', `${head([own, `authorization: Bearer ${bob.key}`, length(MINI)])}${MINI}`, [401]],
    ['a body longer than it says', `${head([own, 'content-length: 20'])}${BIG}`, [400, 400]],
    ['two lengths', `${head([own, length(MINI), 'content-length: 5'])}${MINI}`, []],
    ['a length and chunks', `${head([own, length(MINI), 'transfer-encoding: chunked'])}${chunked(BIG)}`, []],
    ['chunks of another model', `${head([own, 'transfer-encoding: chunked'])}${chunked(BIG.slice(0, 14), BIG.slice(14))}`, [403]],
    ['chunks of a permitted model', `${head([own, 'transfer-encoding: chunked'])}${chunked(MINI.slice(0, 14), MINI.slice(14))}`, [200]],
    ['a chunk of a negative size', `${head([own, 'transfer-encoding: chunked'])}-5\r\n${BIG}\r\n0\r\n\r\n`, []],
    [
      'two requests at once, the second of another model',
      `${head([own, length(MINI)])}${MINI}${head([own, length(BIG)])}${BIG}`,
      [200, 403],
    ],
    ['a line break in its key', `${head([`authorization: Bearer ${ada.key}\rx-api-key: ${bob.key}`, length(MINI)])}${MINI}`, [401]],
    ['another endpoint behind dots', `${head([own, length(BIG)], '/v1/chat/completions/../embeddings')}${BIG}`, [403]],
    ['another endpoint under two slashes', `${head([own, length(BIG)], '//v1//embeddings')}${BIG}`, [403]],
    ['an endpoint of another host', `${head([own, length(BIG)], 'http://api.anthropic.com/v1/messages')}${BIG}`, [403]],
  ])('sends %s', async (_, bytes, statuses) => {
    // What Envoy cannot parse it answers with 400, or with the end of the connection.
    const got = await raw(bytes)
    expect(got.filter(status => status !== 400)).toEqual(statuses.filter(status => status !== 400))
  })

  it('got through what its key permits and nothing else, charged to itself alone, and no key reached the provider', async () => {
    expect(capture.requests.length).toBe(6)
    for (const { path, body, headers } of capture.requests) {
      expect([path, (JSON.parse(body.toString()) as { model: string }).model]).toEqual(['/v1/chat/completions', 'gpt-4o-mini'])
      expect(JSON.stringify(headers)).not.toContain('psk_')
    }
    const rows = await settled(world.purser, 10_000)
    const spent = rows.filter(row => row.unit === 'USD').map(row => [row.policy, row.partition, nano(row.spent)])
    expect(spent.filter(([, , sum]) => sum !== 0n).toSorted()).toEqual([
      ['ada', null, 6n * COST],
      ['users', 'ada', 6n * COST],
    ])
  })
})

describe('warnings', () => {
  it('reach the metric, the log without names, the answers and the webhook, which is tried again', async () => {
    await until('two warnings at the webhook', 20_000, world.purser.child, async () => hook.requests.length >= 3)
    const events = hook.requests.map(({ body }) => JSON.parse(body.toString()) as { id: string; data: { percent: number } })
    expect([...new Set(events.map(({ id, data }) => `${data.percent} ${id}`))].map(one => one.split(' ')[0]).toSorted()).toEqual([
      '20',
      '50',
    ])
    for (const { headers, body } of hook.requests) {
      const content = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
      const signature = createHmac('sha256', Buffer.from(SECRET, 'base64')).update(content).digest('base64')
      expect(headers['webhook-signature']).toBe(`v1,${signature}`)
    }
    expect(await world.purser.metric('purser_budget_warnings_total', { limit: 'calls' })).toBe(2)
    const answer = await call({ port: world.envoy.port, path: '/v1/chat/completions', headers: bearer(bob.key), body: MINI })
    expect([answer.status, answer.headers['x-purser-warning']]).toEqual([200, 'default/users/calls 50%'])
    expect((await world.purser.budgets()).filter(row => row.key.startsWith('Warning'))).toEqual([])
  })
})

describe('a grant', () => {
  const rowOf = async (partition: string): Promise<readonly [string, bigint] | null> => {
    const row = (await world.purser.budgets()).find(one => one.limit === 'each' && one.partition === partition)
    return row === undefined ? null : [row.amount, nano(row.spent)]
  }
  it('begins and ends by itself, for the partition that it names, and keeps what was spent', async () => {
    const ask = async (key: string): Promise<number> =>
      (await call({ port: world.envoy.port, path: '/v1/chat/completions', headers: bearer(key), body: MINI })).status
    world.policies.write('policies.yaml', objects(users(), grant(3_000, 6_000)))
    await world.purser.child.line(line => line.includes('"msg":"policies changed"'), 15_000)
    expect((await rowOf('bob'))?.[0]).toBe('1')
    await until('the grant to begin', 15_000, world.purser.child, async () => (await rowOf('bob'))?.[0] === '2')
    expect((await rowOf('ada'))?.[0]).toBe('1')
    expect(await ask(bob.key)).toBe(200)
    await settled(world.purser, 10_000)
    await until('the grant to end', 15_000, world.purser.child, async () => (await rowOf('bob'))?.[0] === '1')
    expect((await rowOf('bob'))?.[1]).toBe(2n * COST)
    expect(await ask(bob.key)).toBe(200)
    await settled(world.purser, 10_000)
    expect(await rowOf('bob')).toEqual(['1', 3n * COST])
  })
})

describe('experiments', () => {
  it('work within their bounds, and are no keys beyond them', async () => {
    const ask = (key: string) => call({ port: world.envoy.port, path: '/v1/chat/completions', headers: bearer(key), body: MINI })
    expect((await ask(tried.key)).status).toBe(200)
    const refused = await ask(wild.key)
    expect([refused.status, refused.headers['x-purser-reason']]).toEqual([401, 'key-not-accepted'])
    expect(refused.body).toContain('it may spend $50, and $10 is the most')
  })
})
