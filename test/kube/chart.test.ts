// The chart before it meets a cluster: what it refuses, what it renders, and that what it says twice is said the same.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { parseControlConfig } from '../../src/cli/control-config.ts'
import { FLAGS, parseConfig } from '../../src/config.ts'
import { CHART, helm, type KubeObject, object, ROOT, render, template, VARIANTS } from './chart.ts'
import { kubeTools } from './tools.ts'

const everything = VARIANTS['everything'] ?? {}
const trial = VARIANTS['trial'] ?? {}
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'purser-chart-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Container {
  readonly name: string
  readonly image: string
  readonly args: readonly string[]
  readonly env: readonly { readonly name: string; readonly value?: string }[]
  readonly securityContext: object
  readonly volumeMounts?: readonly { readonly mountPath: string; readonly readOnly: boolean }[]
}
interface EnvoyFilterSpec {
  readonly configPatches: readonly { readonly applyTo: string; readonly patch: { readonly value: object } }[]
}
interface PodSpec {
  readonly containers: readonly Container[]
  readonly terminationGracePeriodSeconds: number
}
const podOf = (one: KubeObject): PodSpec =>
  one.kind === 'Pod' ? (one.spec as PodSpec) : (one.spec as { template: { spec: PodSpec } }).template.spec
const serving = (objects: readonly KubeObject[], name = 'purser'): Container => {
  const [container] = podOf(object(objects, 'Deployment', name)).containers
  if (container === undefined) throw new Error(`${name} has no container`)
  return container
}

describe('helm lint', () => {
  it.each(Object.entries(VARIANTS))('%s', (_, values) => {
    const { status, stdout, stderr } = helm(['lint', CHART, '--strict', '--quiet', '--values', '-'], { input: JSON.stringify(values) })
    expect(status, stdout + stderr).toBe(0)
  })
})

describe('values that are refused', () => {
  it.each<[string, object, string]>([
    ['a typo at the top', { ...trial, enforcers: {} }, "additional properties 'enforcers' not allowed"],
    ['a typo further down', { ...trial, enforcer: { replica: 3 } }, "additional properties 'replica' not allowed"],
    ['a webhook without its secret', { ...trial, enforcer: { webhook: { url: 'https://a' } } }, 'enforcer.webhook.secret is needed'],
    ['a typo in a list', { ...trial, attach: { envoyGateway: { targets: [{ namespace: 'a', nme: 'b' }] } } }, "missing property 'name'"],
    ['no ledger', {}, 'exactly one of redis.url, redis.urlSecret.name and redis.dev.enabled'],
    ['two ledgers', { redis: { url: 'redis://a', dev: { enabled: true } } }, 'exactly one of redis.url'],
    ['a password in the open', { redis: { url: 'redis://user:password@a' } }, "at '/redis/url'"],
    [
      'a password for nothing',
      { redis: { urlSecret: { name: 'a' }, passwordSecret: { name: 'b' } } },
      'redis.passwordSecret goes with redis.url',
    ],
    ['a CA for a Redis without TLS', { redis: { url: 'redis://a', tls: { secret: 'b' } } }, 'an address that begins with rediss'],
    [
      'a client certificate from nowhere',
      { redis: { url: 'rediss://a', tls: { clientCertificate: true } } },
      'redis.tls.secret, which is not set',
    ],
    ['TLS without a certificate', { ...trial, tls: { enabled: true } }, 'tls.enabled needs a certificate'],
    ['a certificate from nobody', { ...trial, tls: { enabled: true, certificate: { enabled: true } } }, 'says which issuer'],
    ['a certificate for nothing', { ...trial, tls: { certificate: { enabled: true, issuerRef: { name: 'ca' } } } }, 'is for tls.enabled'],
    ['no replica', { ...trial, enforcer: { replicas: 0 } }, "at '/enforcer/replicas'"],
  ])('%s', (_, values, words) => {
    const { status, stderr } = template(values)
    expect(stderr).toContain(words)
    expect(status).not.toBe(0)
  })
})

describe('what serve and control are told', () => {
  it.each(Object.entries(VARIANTS))('%s: serve takes its flags', (_, values) => {
    const { args, env } = serving(render(values))
    expect(args[0]).toBe('serve')
    const given = Object.fromEntries(env.map(({ name, value }) => [name, value ?? 'redis://from-a-secret']))
    const config = parseConfig(args.slice(1), given)
    expect(config).toMatchObject({
      policies: 'kubernetes',
      grpcListen: expect.stringMatching(/:9002$/),
      httpListen: expect.stringMatching(/:9003$/),
    })
  })

  it('passes every value on', () => {
    const { args, env, volumeMounts } = serving(render(everything))
    const config = parseConfig(args.slice(1), Object.fromEntries(env.map(({ name, value }) => [name, value ?? ''])))
    expect(config).toMatchObject({
      ledger: 'redis://a',
      ledgerStreamMax: 1000,
      grpcListen: '[::]:9002',
      defaultNamespace: 'llm',
      requireKey: true,
      unbudgeted: 'deny',
      trustedHeaders: ['x-team', 'x-user'],
      trustXfcc: true,
      jwtPayloadKey: 'main',
      httpTokenFile: '/etc/purser/http-token/token',
      webhookUrl: 'https://alerts.example/purser',
      webhookSecretFile: '/etc/purser/webhook/secret',
      grpcTlsCert: '/etc/purser/grpc-tls/tls.crt',
      grpcTlsKey: '/etc/purser/grpc-tls/tls.key',
      grpcTlsClientCa: '/etc/purser/grpc-client-ca/ca.crt',
    })
    // Whole folders, for a file that is mounted alone never changes.
    expect(volumeMounts?.map(({ mountPath }) => mountPath)).toEqual(
      ['grpc-client-ca', 'grpc-tls', 'http-token', 'webhook'].map(name => `/etc/purser/${name}`),
    )
  })

  it('gives pods as long as they drain, and ten seconds more', () => {
    const values = { ...trial, enforcer: { drainSeconds: 120 } }
    expect(podOf(object(render(values), 'Deployment', 'purser')).terminationGracePeriodSeconds).toBe(130)
    expect(podOf(object(render(trial), 'Deployment', 'purser')).terminationGracePeriodSeconds).toBe(
      Number(FLAGS['drain-seconds']?.value) + 10,
    )
  })

  it('tells control what the enforcers are told of the same things', () => {
    const objects = render(everything)
    const [controller, enforcer] = [serving(objects, 'purser-controller'), serving(objects)]
    const own = ['control', '--lease-namespace=purser']
    expect(controller.args).toEqual(expect.arrayContaining(own))
    expect(parseControlConfig(controller.args.slice(1), { PURSER_LEDGER: 'redis://a' })).toMatchObject({
      httpListen: '[::]:9003',
      leaseNamespace: 'purser',
      trustedHeaders: ['x-team', 'x-user'],
      defaultNamespace: 'llm',
    })
    const shared = controller.args.filter(flag => !own.includes(flag))
    expect(enforcer.args).toEqual(expect.arrayContaining(shared))
    expect(controller.image).toBe(enforcer.image)
    expect(controller.image).toBe(`registry.example/purser@sha256:${'a'.repeat(64)}`)
  })
})

describe('every pod', () => {
  it.each(Object.entries(VARIANTS))('%s: has a read-only root, and no more rights than it needs', (_, values) => {
    const pods = render(values).filter(({ kind }) => kind === 'Deployment' || kind === 'Pod')
    expect(pods.length).toBeGreaterThanOrEqual(3)
    for (const container of pods.flatMap(pod => podOf(pod).containers)) {
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      })
      for (const mount of container.volumeMounts ?? []) expect(mount.readOnly).toBe(true)
    }
  })
})

describe('what is said twice is said the same', () => {
  const rulesOf = (objects: readonly KubeObject[]): ReadonlyMap<string, unknown> =>
    new Map(
      objects.flatMap(one =>
        'rules' in one && (one.kind === 'ClusterRole' || one.kind === 'Role')
          ? [[`${one.kind} ${one.metadata.name}`, one.rules] as const]
          : [],
      ),
    )

  it('the rights, in deploy/kubernetes/rbac.yaml', () => {
    const text = readFileSync(join(ROOT, 'deploy/kubernetes/rbac.yaml'), 'utf8')
    const plain = rulesOf(parseAllDocuments(text).map(document => document.toJS() as KubeObject))
    const chart = rulesOf(render(trial))
    expect([...plain.keys()].sort()).toEqual(['ClusterRole purser', 'ClusterRole purser-controller', 'Role purser-controller'])
    for (const [role, rules] of plain) expect(rules, role).toEqual(chart.get(role))
  })

  it('the filter and the cluster, in deploy/envoy/default.yaml', () => {
    const envoy = parse(readFileSync(join(ROOT, 'deploy/envoy/default.yaml'), 'utf8')).static_resources
    const filters = envoy.listeners[0].filter_chains[0].filters[0].typed_config.http_filters as { name: string }[]
    const [extProc] = filters.filter(({ name }) => name === 'envoy.filters.http.ext_proc')
    const snippet = (
      object(render({ ...trial, attach: { snippet: true } }), 'ConfigMap', 'purser-envoy') as unknown as { data: Record<string, string> }
    ).data
    const [ours, lastDoor] = parse(snippet['filters.yaml'] ?? '')
    expect(ours).toEqual(extProc)
    expect(JSON.stringify(lastDoor)).toContain(
      '{"value_matchers":[{"string_match":{"exact":"admitted"}},{"string_match":{"exact":"unmetered"}}]}',
    )
    const [cluster] = envoy.clusters.filter(({ name }: { name: string }) => name === 'purser')
    const address = { socket_address: { address: 'purser.purser.svc.cluster.local', port_value: 9002 } }
    cluster.load_assignment.endpoints = [{ lb_endpoints: [{ endpoint: { address } }] }]
    expect(parse(snippet['cluster.yaml'] ?? '')).toEqual(cluster)
  })

  it('the filter, in the EnvoyFilter', () => {
    const objects = render(everything)
    const { configPatches } = object(objects, 'EnvoyFilter', 'purser').spec as EnvoyFilterSpec
    const snippet = (object(objects, 'ConfigMap', 'purser-envoy') as unknown as { data: Record<string, string> }).data
    const filters = structuredClone(parse(snippet['filters.yaml'] ?? ''))
    for (const filter of filters) filter.name += '/purser'
    filters[0].typed_config.grpc_service.envoy_grpc.cluster_name = 'outbound|9002||purser.purser.svc.cluster.local'
    filters[0].typed_config.grpc_service.initial_metadata = [{ key: 'x-purser-namespace', value: 'search' }]
    expect(configPatches.filter(({ applyTo }) => applyTo === 'HTTP_FILTER').map(({ patch }) => patch.value)).toEqual(filters)
  })

  const inDeploy = (file: string): readonly KubeObject[] =>
    parseAllDocuments(readFileSync(join(ROOT, 'deploy', file), 'utf8')).map(document => document.toJS() as KubeObject)

  it('what attaches Envoy Gateway, in deploy/envoy-gateway', () => {
    const chart = render({ ...trial, attach: { envoyGateway: { targets: [{ namespace: 'llm', name: 'llm' }] } } })
    const plain = inDeploy('envoy-gateway/attach.yaml')
    expect(plain.map(({ kind }) => kind)).toContain('EnvoyExtensionPolicy')
    for (const { kind, spec } of plain) expect(chart.find(one => one.kind === kind)?.spec, kind).toEqual(spec)
  })

  it('what attaches Istio, in deploy/istio', () => {
    const gateways = [{ namespace: 'istio-ingress', selector: { istio: 'ingressgateway' } }]
    const chart = render({ ...trial, attach: { istio: { gateways, extAuthzGateways: gateways } } })
    // There the providers' keys are put in as well, at routes and clusters that only it knows.
    const shared = ({ kind, spec }: KubeObject): unknown =>
      kind === 'EnvoyFilter'
        ? new Set(
            (spec as EnvoyFilterSpec).configPatches
              .filter(({ applyTo }) => !['CLUSTER', 'HTTP_ROUTE'].includes(applyTo))
              .map(({ patch }) => patch),
          )
        : spec
    for (const plain of ['istio/ext-proc.yaml', 'istio/ext-authz.yaml'].flatMap(inDeploy)) {
      const ours = chart.find(one => one.kind === plain.kind)
      expect(ours === undefined ? null : shared(ours), plain.kind).toEqual(shared(plain))
    }
  })

  it('the alerts and the dashboard, in deploy', () => {
    const objects = render(everything)
    expect(object(objects, 'PrometheusRule', 'purser').spec).toEqual(
      parse(readFileSync(join(ROOT, 'deploy/prometheus/rules.yaml'), 'utf8')),
    )
    const { data } = object(objects, 'ConfigMap', 'purser-dashboard') as unknown as { data: Record<string, string> }
    expect(JSON.parse(data['purser.json'] ?? '')).toEqual(JSON.parse(readFileSync(join(ROOT, 'deploy/grafana/purser.json'), 'utf8')))
  })

  it('the values, in the README of the chart', () => {
    const [helmDocs = ''] = kubeTools('helm-docs')
    const { status, stdout, stderr } = spawnSync(helmDocs, ['--dry-run', '--chart-search-root', CHART], { encoding: 'utf8' })
    expect(status, stderr).toBe(0)
    expect(readFileSync(join(CHART, 'README.md'), 'utf8'), 'run: make chart-readme').toBe(stdout)
  })

  it('the version', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
    expect(parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8'))).toMatchObject({ version, appVersion: version })
  })
})

describe('metrics', () => {
  it('are those that a replica has, in every alert and every panel', () => {
    const source =
      readFileSync(join(ROOT, 'src/telemetry/metrics.ts'), 'utf8') + readFileSync(join(ROOT, 'src/telemetry/budget-gauges.ts'), 'utf8')
    const known = [...source.matchAll(/name: '((?:purser|gen_ai)_[a-z_]+)'/g)].map(([, name]) => name)
    known.push(...['limit', 'spent', 'reserved', 'suspense'].map(part => `purser_budget_${part}`), 'purser_process_resident_memory_bytes')
    const files = ['deploy/prometheus/rules.yaml', 'deploy/grafana/purser.json'].map(file => readFileSync(join(ROOT, file), 'utf8'))
    const used = files.flatMap(text =>
      [...text.matchAll(/\b(?:purser|gen_ai_client)_[a-z_]+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, '')),
    )
    expect(used.length).toBeGreaterThan(30)
    for (const name of new Set(used)) expect(known, name).toContain(name)
  })
})

describe('the programs that it is for take it', () => {
  it.each([
    ['the snippet', 'purser'],
    ['the EnvoyFilter', 'outbound|9002||purser.purser.svc.cluster.local'],
  ])('envoy: %s', (what, clusterName) => {
    const objects = render({ ...everything, tls: { enabled: false } })
    const { data } = object(objects, 'ConfigMap', 'purser-envoy') as unknown as { data: Record<string, string> }
    const { configPatches } = object(objects, 'EnvoyFilter', 'purser').spec as EnvoyFilterSpec
    const ofFilter = configPatches.filter(({ applyTo }) => applyTo === 'HTTP_FILTER').map(({ patch }) => patch.value)
    const bootstrap = parse(readFileSync(join(ROOT, 'deploy/envoy/default.yaml'), 'utf8'))
    const { listeners, clusters } = bootstrap.static_resources
    const manager = listeners[0].filter_chains[0].filters[0].typed_config
    const filters = what === 'the snippet' ? parse(data['filters.yaml'] ?? '') : ofFilter
    manager.http_filters = [...filters, manager.http_filters.at(-1)]
    if (what === 'the EnvoyFilter') {
      const [connection, host] = configPatches.filter(({ applyTo }) => applyTo !== 'HTTP_FILTER').map(({ patch }) => patch.value)
      Object.assign(manager, (connection as { typed_config: object }).typed_config)
      Object.assign(manager.route_config.virtual_hosts[0], host)
    }
    const cluster = parse(data['cluster.yaml'] ?? '')
    bootstrap.static_resources.clusters = [...clusters.slice(1), { ...cluster, name: clusterName }]
    const file = join(folder, 'envoy.json')
    writeFileSync(file, JSON.stringify(bootstrap))
    const envoy = execFileSync(join(ROOT, 'scripts/envoy'), { encoding: 'utf8' }).trim()
    const { status, stderr, stdout } = spawnSync(envoy, ['--mode', 'validate', '--config-path', file, '--log-level', 'error'], {
      encoding: 'utf8',
    })
    expect(status, stderr + stdout).toBe(0)
  })
})

it('helm package holds every file that a template reads', () => {
  expect(helm(['package', CHART, '--destination', folder])).toMatchObject({ status: 0 })
  const [archive = ''] = readdirSync(folder).filter(file => file.endsWith('.tgz'))
  writeFileSync(join(folder, 'values.json'), JSON.stringify(everything))
  const packed = helm(['template', 'purser', join(folder, archive), '--namespace', 'purser', '--values', join(folder, 'values.json')])
  expect(packed.stdout).toBe(template(everything).stdout)
})
