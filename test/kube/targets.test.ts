// Targets of policies on a real API server, a real Envoy and a real `purser serve` that has the rights of the shipped RBAC and no others:
// what is applied with kubectl decides about the next calls.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { connectCluster } from '../../src/kubernetes/api.ts'
import { watchCluster } from '../../src/kubernetes/policies.ts'
import { systemClock, systemRandom } from '../../src/system.ts'
import { type Answer, call } from '../e2e/call.ts'
import { answerAsChat, type Capture, startCapture } from '../e2e/capture.ts'
import { connectionManager, type Envoy, startEnvoy } from '../e2e/envoy.ts'
import { keyHash } from '../e2e/policies.ts'
import { CHAT_PATH, chatBody } from '../e2e/provider.ts'
import { type Purser, startPurser } from '../e2e/purser.ts'
import { until } from '../e2e/until.ts'
import { type ApiServer, kubectl, makeNamespace, type SeededObject, startApiServer } from './api-server.ts'
import { gateway, httpRoute, installGatewayApi } from './gateway-api.ts'
import { kubeTools } from './tools.ts'

const RBAC = join(import.meta.dirname, '../../deploy/kubernetes/rbac.yaml')
const KEY = `psk_${Buffer.alloc(32, 3).toString('base64url')}`
/** As Envoy Gateway names the Envoy routes of HTTPRoute team/llm. */
const [FIRST_RULE, SECOND_RULE] = ['httproute/team/llm/rule/0/match/0/*', 'httproute/team/llm/rule/1/match/0/*']

let server: ApiServer
let capture: Capture
let purser: Purser
let envoy: Envoy

beforeAll(async () => {
  server = await startApiServer()
  for (const name of ['team', 'other', 'purser']) await makeNamespace(server.admin, name)
  kubectl(server, ['apply', '--server-side', '-f', RBAC])
  capture = await startCapture(answerAsChat)
  purser = await serve()
  envoy = await startEnvoy({
    purserPorts: [purser.grpcPort],
    providerPort: capture.port,
    edit: config => {
      const { route_config: routing, http_filters: filters } = connectionManager(config)
      for (const host of routing.virtual_hosts) {
        const [template] = host.routes
        host.routes = [FIRST_RULE, SECOND_RULE].map(name => ({
          ...(template ?? {}),
          name,
          match: { prefix: '/', headers: [{ name: 'x-take', string_match: { exact: name } }] },
          typed_per_filter_config: {},
        }))
        // As Envoy Gateway names what a listener serves.
        routing.virtual_hosts.push({ ...host, name: 'team/ai/http/listener_http', domains: ['listener.http'] })
        break
      }
      for (const { name, typed_config: filter } of filters)
        if (name.endsWith('ext_proc')) filter['request_attributes'] = ['xds.route_name', 'xds.virtual_host_name']
    },
  })
})
afterAll(async () => {
  await envoy?.stop()
  await purser?.child.end('SIGTERM')
  await capture?.stop()
  await server?.stop()
})

/** As a pod with the ServiceAccount of the shipped RBAC. */
async function serve(): Promise<Purser> {
  const path = '/api/v1/namespaces/purser/serviceaccounts/purser/token'
  const answer = await server.admin.post(path, { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} })
  const { token } = (answer.body as { status: { token: string } }).status
  const account = join(server.folder, 'account')
  writeFileSync(account, readFileSync(server.kubeconfig, 'utf8').replace(server.token, token))
  return startPurser({ policies: 'kubernetes', ledger: 'memory:', env: { KUBECONFIG: account } })
}

function apply(...objects: readonly object[]): void {
  const [binary = ''] = kubeTools('kubectl')
  const args = ['--kubeconfig', server.kubeconfig, 'apply', '--server-side', '--force-conflicts', '-f', '-']
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
  const { status, stderr } = spawnSync(binary, args, { encoding: 'utf8', input: list })
  expect(status, stderr).toBe(0)
}
const remove = (...what: readonly string[]): string => kubectl(server, ['delete', '--ignore-not-found', ...what])

const policy = (name: string, targets: readonly object[], over: object = {}, namespace = 'team'): object => ({
  apiVersion: 'purser.dev/v1alpha1',
  kind: 'BudgetPolicy',
  metadata: { name, namespace },
  // Nothing fits: whatever it binds is refused, and names it.
  spec: { targetRefs: targets, limits: [{ name: 'all', unit: 'USD', amount: '0.000001', window: { lifetime: {} } }], ...over },
})
const toGateway = (name: string, sectionName?: string) => ({ kind: 'Gateway', name, ...(sectionName === undefined ? {} : { sectionName }) })
const toRoute = (name: string, sectionName?: string) => ({ kind: 'HTTPRoute', name, ...(sectionName === undefined ? {} : { sectionName }) })

const ask = (route: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> =>
  call({
    port: envoy.port,
    path: CHAT_PATH,
    headers: { 'content-type': 'application/json', 'x-take': route, ...headers },
    body: chatBody(100, false),
  })

/** What a call meets: `passed`, or the budget or reason that it is refused by. */
async function verdictOf(route: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  const answer = await ask(route, headers)
  if (answer.status === 200) return 'passed'
  return answer.headers['x-purser-budget'] ?? answer.headers['x-purser-reason'] ?? `${answer.status} ${answer.body}`
}

let slowestMs = 0
/** Resolves when calls by the rule meet `expected`; how long that took after the change is kept for the figure at the end. */
async function becomes(route: string, expected: string, headers: Readonly<Record<string, string>> = {}): Promise<void> {
  const startedMs = performance.now()
  let last = ''
  await until(`calls by ${route} to be: ${expected}`, 20_000, purser.child, async () => {
    last = await verdictOf(route, headers)
    if (last !== expected) throw new Error(`they are: ${last}`)
    return true
  })
  slowestMs = Math.max(slowestMs, performance.now() - startedMs)
}

describe('a cluster without the Gateway API', () => {
  it('has no routes, and gets them when the API is installed', async () => {
    apply(policy('gateway', [toGateway('ai')]))
    await until('the policy to be read', 20_000, purser.child, async () => (await purser.budgets()).length === 1)
    expect(await verdictOf(FIRST_RULE)).toBe('passed')
    expect(purser.child.lines.filter(line => line.includes('not heard of'))).toEqual([])
    installGatewayApi(server)
    apply(gateway('ai', { http: 80, https: 443 }), httpRoute({ parents: [{ name: 'ai' }] }))
    await becomes(FIRST_RULE, 'team/gateway/all')
    slowestMs = 0
    remove('-n', 'team', 'bpol', 'gateway')
    await becomes(FIRST_RULE, 'passed')
  })
})

describe('a target', () => {
  beforeEach(() => {
    installGatewayApi(server)
    apply(gateway('ai', { http: 80, https: 443 }), httpRoute({ parents: [{ name: 'ai' }] }))
    onTestFinished(() => {
      remove('-n', 'team', 'bpol', '--all')
    })
  })

  it('that is a Gateway binds the routes that are attached to it, as they come and go', async () => {
    apply(policy('gateway', [toGateway('ai')]))
    await becomes(FIRST_RULE, 'team/gateway/all')
    apply(httpRoute({ parents: [{ name: 'else' }] }))
    await becomes(FIRST_RULE, 'passed')
    apply(httpRoute({ parents: [{ name: 'else' }, { name: 'ai' }] }))
    await becomes(FIRST_RULE, 'team/gateway/all')
    apply(httpRoute({ parents: [{ name: 'ai', namespace: 'other' }] }))
    await becomes(FIRST_RULE, 'passed')
    // Envoy may still know a route that is gone, or not read yet: then it may be attached to any Gateway.
    remove('-n', 'team', 'httproute', 'llm')
    await becomes(FIRST_RULE, 'team/gateway/all')
  })

  it('that is a listener binds the routes that name it, or name none', async () => {
    apply(policy('listener', [toGateway('ai', 'https')]))
    await becomes(FIRST_RULE, 'team/listener/all')
    // Where the virtual host tells the listener, nothing else is asked.
    expect(await verdictOf(FIRST_RULE, { host: 'listener.http' })).toBe('passed')
    apply(httpRoute({ parents: [{ name: 'ai', sectionName: 'http' }] }))
    await becomes(FIRST_RULE, 'passed')
    apply(httpRoute({ parents: [{ name: 'ai', port: 443 }] }))
    await becomes(FIRST_RULE, 'team/listener/all')
    apply(gateway('ai', { https: 80, http: 443 }))
    await becomes(FIRST_RULE, 'passed')
    apply(httpRoute({ parents: [{ name: 'ai', sectionName: 'https' }] }))
    await becomes(FIRST_RULE, 'team/listener/all')
  })

  it('that is a rule binds its calls and no others of the HTTPRoute', async () => {
    apply(policy('rule', [toRoute('llm', 'chat')]), httpRoute({ parents: [{ name: 'ai' }], rules: ['chat', 'images'] }))
    await becomes(FIRST_RULE, 'team/rule/all')
    await becomes(SECOND_RULE, 'passed')
    apply(httpRoute({ parents: [{ name: 'ai' }], rules: ['images', 'chat'] }))
    await becomes(FIRST_RULE, 'passed')
    await becomes(SECOND_RULE, 'team/rule/all')
    apply(httpRoute({ parents: [{ name: 'ai' }], rules: ['', ''] }))
    await becomes(SECOND_RULE, 'passed')
    apply(policy('rule', [toRoute('llm')]))
    await becomes(SECOND_RULE, 'team/rule/all')
  })
})

describe('a route', () => {
  beforeEach(() => {
    installGatewayApi(server)
    onTestFinished(() => {
      remove('-n', 'team', 'bpol', '--all')
    })
  })

  it('says by its annotation which provider is behind it', async () => {
    const permissions = { limits: [], permissions: { providers: { deny: ['groq'] } } }
    apply(policy('permitted', [], permissions), httpRoute({ parents: [{ name: 'ai' }], annotations: { 'purser.dev/provider': 'groq' } }))
    await becomes(FIRST_RULE, 'team/permitted')
    expect(await verdictOf(FIRST_RULE, { 'x-purser-provider': 'openai' })).toBe('team/permitted')
    apply(httpRoute({ parents: [{ name: 'ai' }], annotations: { 'purser.dev/provider': 'openai' } }))
    await becomes(FIRST_RULE, 'passed')
  })

  it('is bound by its own namespace and that of the AccessKey, and by no other', async () => {
    const key = { apiVersion: 'purser.dev/v1alpha1', kind: 'AccessKey', metadata: { name: 'guest', namespace: 'other' } }
    const withKey = { 'x-api-key': KEY }
    apply(httpRoute({ parents: [{ name: 'ai' }] }))
    apply({ ...key, spec: { keyHashes: [keyHash(KEY)], subject: { team: 'red' } } }, policy('theirs', [], {}, 'other'))
    await becomes(FIRST_RULE, 'other/theirs/all', withKey)
    expect(await verdictOf(FIRST_RULE)).toBe('passed')
    // A target is of its policy's namespace: this route is not.
    apply(policy('theirs', [toRoute('llm')], {}, 'other'))
    await becomes(FIRST_RULE, 'passed', withKey)
    remove('-n', 'other', 'bpol', 'theirs')

    const limits = [{ name: 'teams', unit: 'USD', amount: '5', window: { lifetime: {} }, partitionBy: [{ attribute: 'team' }] }]
    const spec = { targetRefs: [toGateway('ai')], namespaceSelector: { matchLabels: { ai: 'yes' } }, limits }
    apply({ apiVersion: 'purser.dev/v1alpha1', kind: 'ClusterBudgetPolicy', metadata: { name: 'organisation' }, spec })
    onTestFinished(() => {
      remove('cbpol', '--all')
    })
    const partitionsAfterACall = async (): Promise<string[]> => {
      expect(await verdictOf(FIRST_RULE, withKey)).toBe('passed')
      return (await purser.budgets()).filter(row => row.policy === 'organisation').flatMap(row => row.partition as string[])
    }
    const label = (namespace: string, text: string): string => kubectl(server, ['label', '--overwrite', 'namespace', namespace, text])
    label('team', 'ai=yes')
    await until('a budget of the guest', 20_000, purser.child, async () => (await partitionsAfterACall()).includes('other/red'))
    expect(await partitionsAfterACall()).toEqual(['other/red'])
    label('other', 'purser.dev/trusted-subjects=true')
    await until('a budget of the trusted guest', 20_000, purser.child, async () => (await partitionsAfterACall()).includes('red'))
  })
})

describe('two thousand routes', () => {
  it('are read at the start, and each change tells what targets come to', async () => {
    console.log(`the slowest change was in force ${Math.round(slowestMs)} ms after kubectl had applied it`)
    installGatewayApi(server)
    const before = await measured()
    await server.seed(routes(2_000))
    // The server itself has to read them first.
    await measured()
    const after = await measured()
    const [ms, mib, cpuMs] = [after.readyMs - before.readyMs, after.mib - before.mib, after.cpuMs - before.cpuMs]
    console.log(`2,000 HTTPRoutes: ready ${ms} ms later, with ${mib} MiB and ${cpuMs} ms of CPU more`)

    const spec = { targetRefs: [toGateway('ai')], permissions: {} }
    const metadata = { name: 'everywhere' }
    apply({ apiVersion: 'purser.dev/v1alpha1', kind: 'ClusterBudgetPolicy', metadata, spec }, gateway('ai', { http: 80 }))
    const config = new KubeConfig()
    config.loadFromFile(server.kubeconfig)
    const api = connectCluster(() => config)
    const source = watchCluster({ clock: systemClock, random: systemRandom, trustedHeaders: [], api })
    onTestFinished(() => source.close())
    let told = 0
    source.onRoutes(() => {
      told += 1
    })
    await source.synced
    const facts = () => source.targetFacts({ scope: 'ClusterBudgetPolicy', namespace: '', name: 'everywhere' })
    const attached = (): number => facts()?.routes.filter(({ name }) => name.startsWith('route-')).length ?? 0
    expect(attached()).toBe(2_000)
    expect(facts()).toMatchObject({ gateways: [{ namespace: 'team', name: 'ai', section: null }], unresolved: [] })
    await until('the routes to be told of', 20_000, null, async () => told > 0)
    told = 0
    kubectl(server, ['delete', '-n', 'ns-7', 'httproute', 'route-7'])
    // What was read at the start may still be told of as well.
    await until('the change to be told of', 20_000, null, async () => told > 0 && attached() === 1_999)
  })
})

interface Measured {
  readonly readyMs: number
  readonly mib: number
  readonly cpuMs: number
}

async function measured(): Promise<Measured> {
  const startedMs = performance.now()
  const another = await serve()
  const readyMs = Math.round(performance.now() - startedMs)
  const found = { readyMs, mib: Math.round(another.rss() / 1_048_576), cpuMs: another.cpuMs() }
  expect(await another.child.end('SIGTERM')).toBe(0)
  return found
}

/** With the status that a gateway writes, which is most of an HTTPRoute. */
function routes(count: number): readonly SeededObject[] {
  const condition = (type: string) => ({
    type,
    status: 'True',
    reason: type,
    message: 'Route is accepted, and its references are resolved',
    observedGeneration: 1,
    lastTransitionTime: '2026-01-01T00:00:00Z',
  })
  return Array.from({ length: count }, (_, index) => ({
    apiVersion: 'gateway.networking.k8s.io/v1',
    resource: 'httproutes',
    kind: 'HTTPRoute',
    namespace: `ns-${index % 200}`,
    name: `route-${index}`,
    spec: {
      parentRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', namespace: 'infra', name: 'ai', sectionName: 'https' }],
      hostnames: [`route-${index}.example.com`],
      rules: ['chat', 'embeddings', 'images'].map(name => ({
        name,
        matches: [{ path: { type: 'PathPrefix', value: `/v1/${name}` } }],
        backendRefs: [{ group: '', kind: 'Service', name: `provider-${index}`, port: 443, weight: 1 }],
      })),
    },
    status: {
      parents: ['a', 'b'].map(name => ({
        controllerName: `example.com/${name}`,
        parentRef: { name: 'ai', namespace: 'infra' },
        conditions: ['Accepted', 'ResolvedRefs'].map(condition),
      })),
    },
  }))
}
