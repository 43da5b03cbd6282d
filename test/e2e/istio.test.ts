// The EnvoyFilter that Purser ships for Istio, its patches done on a gateway's bare configuration in a real Envoy: judged, charged, keys put in.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { examine } from '../../src/doctor/doctor.ts'
import { type Answer, call } from './call.ts'
import { connectionManager, type Envoy, type EnvoyConfig } from './envoy.ts'
import { applyEnvoyFilter, type EnvoyFilter } from './envoy-filter.ts'
import { accessKey, budgetPolicy, KEY } from './policies.ts'
import { CHAT_PATH, chatBody, startTestProvider, type TestProvider } from './provider.ts'
import { until } from './until.ts'
import { nano, rowOf, settled, startWorld, type World } from './world.ts'

const SHIPPED = join(import.meta.dirname, '../../deploy/istio/ext-proc.yaml')
const SECRETS = { openai: 'sk-key-of-openai', anthropic: 'sk-key-of-anthropic' }
const CLUSTER = 'outbound|9002||purser.purser.svc.cluster.local'

let provider: TestProvider
let world: World
let envoy: Envoy
let keys = ''

beforeAll(async () => {
  keys = mkdtempSync(join(tmpdir(), 'purser-keys-'))
  for (const [name, secret] of Object.entries(SECRETS)) {
    const type = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret'
    const resources = [{ '@type': type, name: `${name}-key`, generic_secret: { secret: { inline_string: secret } } }]
    writeFileSync(join(keys, `${name}-key.yaml`), JSON.stringify({ resources }))
  }
  provider = await startTestProvider()
  world = await startWorld({
    ledger: 'sqlite',
    replicas: 1,
    objects: [budgetPolicy('dollars', { limits: [{ name: 'all', unit: 'USD', amount: '0.02', window: { lifetime: {} } }] }), accessKey([])],
    providerPort: provider.port,
    purser: { flags: ['--require-key'] },
    envoy: { edit: asIstio },
  })
  envoy = world.envoy
})

afterAll(async () => {
  await world?.stop()
  await provider?.stop()
  rmSync(keys, { recursive: true, force: true })
})

/** What Istio would have of the gateway by itself, and then what ext-proc.yaml makes of it. */
function asIstio(config: EnvoyConfig): void {
  const manager = connectionManager(config)
  manager.http_filters = manager.http_filters.filter(({ name }) => name === 'envoy.filters.http.router')
  for (const name of [
    'stream_idle_timeout',
    'request_timeout',
    'request_headers_timeout',
    'path_with_escaped_slashes_action',
    'merge_slashes',
  ])
    Reflect.deleteProperty(manager, name)
  for (const host of manager.route_config.virtual_hosts) {
    Reflect.deleteProperty(host, 'request_body_buffer_limit')
    for (const route of host.routes) delete route.typed_per_filter_config
  }
  const text = readFileSync(SHIPPED, 'utf8').replaceAll(CLUSTER, 'purser').replaceAll('/etc/purser', keys)
  const filter = parseAllDocuments(text)
    .map(document => document.toJS() as EnvoyFilter)
    .find(({ kind }) => kind === 'EnvoyFilter')
  if (filter === undefined) throw new Error('deploy/istio/ext-proc.yaml has no EnvoyFilter')
  applyEnvoyFilter(config, filter)
  // As every proxy of Istio's has one.
  Object.assign(config, { node: { id: 'gateway', cluster: 'istio-ingress' } })
}

const JSON_TYPE = { 'content-type': 'application/json' }
const chat = (stream: boolean, key = KEY): Promise<Answer> =>
  call({ port: envoy.port, path: CHAT_PATH, headers: { ...JSON_TYPE, authorization: `Bearer ${key}` }, body: chatBody(600, stream) })

describe('the EnvoyFilter for Istio', () => {
  it('judges and charges calls exactly, and puts in the key of each provider', async () => {
    const answers = [
      await chat(false),
      await chat(true),
      await call({
        port: envoy.port,
        path: '/v1/messages',
        headers: { ...JSON_TYPE, 'x-api-key': KEY },
        body: '{"model":"claude-haiku-4-5","max_tokens":600,"messages":[{"role":"user","content":"Hello"}]}',
      }),
    ]
    expect(answers.map(({ status, end }) => [status, end])).toEqual(answers.map(() => [200, 'whole']))
    const row = rowOf(await settled(world.purser, 10_000), 'dollars')
    expect([nano(row.spent), nano(row.suspense)]).toEqual([await provider.billed(), 0n])
    expect([...(await provider.keys())].toSorted()).toEqual(Object.values(SECRETS).toSorted())
  })

  it('hands refusals on, takes long prompts, and lets nobody in without a key', async () => {
    expect((await chat(false, 'sk-of-somebody')).status).toBe(401)
    const body = JSON.stringify({ model: 'gpt-4o', max_tokens: 1, messages: [{ role: 'user', content: 'a word '.repeat(300_000) }] })
    const long = await call({ port: envoy.port, path: CHAT_PATH, headers: { ...JSON_TYPE, authorization: `Bearer ${KEY}` }, body })
    // 2 MB reach Purser, and cost more than there is.
    expect([long.status, long.headers['x-purser-reason']]).toEqual([403, 'never-fits'])
  })

  it('is sound in the eyes of the doctor', async () => {
    const dump: unknown = await (await fetch(`http://127.0.0.1:${envoy.adminPort}/config_dump`)).json()
    // Providers on this machine need no TLS here, and are found on loopback.
    expect(examine(dump)?.findings).toEqual([])
  })

  it('shuts out everybody while Purser is away', async () => {
    await world.purser.child.end('SIGKILL')
    await until('Envoy to notice', 10_000, envoy.child, async () => (await chat(false)).status === 503)
  })
})
