// Every object that the chart can render, judged by a real API server with the real CRDs of what it attaches to.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ApiServer, kubectl, makeNamespace, startApiServer } from './api-server.ts'
import { type KubeObject, render, VARIANTS } from './chart.ts'
import { kubeTools } from './tools.ts'

const FOREIGN = ['gateway-api-crds', 'envoy-gateway-crds', 'istio-crds', 'prometheus-operator-crds', 'cert-manager-crds']

let server: ApiServer

beforeAll(async () => {
  server = await startApiServer()
  const folders = kubeTools(...FOREIGN).flatMap(folder => ['-f', folder])
  kubectl(server, ['apply', '--server-side', ...folders])
  kubectl(server, ['wait', '--for=condition=Established', '--timeout=60s', 'crd', '--all'])
  for (const namespace of ['infra', 'search', 'istio-ingress']) await makeNamespace(server.admin, namespace)
  await makeNamespace(server.admin, 'purser', { 'pod-security.kubernetes.io/enforce': 'restricted' })
  for (const name of ['default', 'purser', 'purser-controller']) kubectl(server, ['-n', 'purser', 'create', 'serviceaccount', name])
}, 180_000)
afterAll(() => server?.stop())

const judge = (objects: readonly object[]): string =>
  kubectl(
    server,
    ['apply', '--dry-run=server', '--server-side', '--validate=strict', '-f', '-'],
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
  )

/** The pod that a Deployment would make: pod security is asked of pods alone. */
const podsOf = (objects: readonly KubeObject[]): readonly object[] =>
  objects
    .filter(({ kind }) => kind === 'Deployment')
    .map(({ metadata: { name, namespace }, spec }) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace },
      spec: (spec as { template: { spec: object } }).template.spec,
    }))

describe('the API server takes what the chart renders', () => {
  it.each(Object.entries(VARIANTS))('%s', (_, values) => {
    const rendered = render(values)
    const objects = [...rendered, ...podsOf(rendered)]
    expect(judge(objects).trim().split('\n')).toHaveLength(objects.length)
  })

  it('of every kind that there is', () => {
    const kinds = new Set(Object.values(VARIANTS).flatMap(values => render(values).map(({ kind }) => kind)))
    expect([...kinds].sort()).toEqual([
      'AuthorizationPolicy',
      'BackendTLSPolicy',
      'BackendTrafficPolicy',
      'Certificate',
      'ClientTrafficPolicy',
      'ClusterRole',
      'ClusterRoleBinding',
      'ConfigMap',
      'Deployment',
      'DestinationRule',
      'EnvoyExtensionPolicy',
      'EnvoyFilter',
      'NetworkPolicy',
      'Pod',
      'PodDisruptionBudget',
      'PrometheusRule',
      'ReferenceGrant',
      'Role',
      'RoleBinding',
      'Service',
      'ServiceAccount',
      'ServiceMonitor',
      'Telemetry',
    ])
  })

  it('and not what is misspelt', () => {
    const policies = render(VARIANTS['everything'] ?? {}).filter(({ kind }) => kind === 'EnvoyExtensionPolicy')
    const objects = structuredClone(policies) as unknown as { spec: { extProc: Record<string, unknown>[] } }[]
    Object.assign(objects[0]?.spec.extProc[0] ?? {}, { faiOpen: true })
    expect(() => judge(objects)).toThrow('faiOpen')
  })

  it('and no pod with more rights', () => {
    const [pod] = structuredClone(podsOf(render(VARIANTS['trial'] ?? {}))) as { spec: { securityContext: { runAsNonRoot: boolean } } }[]
    if (pod !== undefined) pod.spec.securityContext.runAsNonRoot = false
    expect(() => judge([pod ?? {}])).toThrow('violates PodSecurity "restricted:latest"')
  })
})
