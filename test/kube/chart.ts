// The chart as Helm renders it, and Helm itself; values go in as JSON, objects come out.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { kubeTools } from './tools.ts'

export const ROOT: string = join(import.meta.dirname, '../..')
export const CHART: string = join(ROOT, 'charts/purser')

export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels: Readonly<Record<string, string>> }
  readonly spec: unknown
}

export interface Run {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

interface Setting {
  /** Whom it acts as, and where. */
  readonly kubeconfig?: string
  readonly input?: string
}

/** Runs Helm; it writes nothing outside the cluster. */
export function helm(args: readonly string[], { kubeconfig = '/dev/null', input = '' }: Setting = {}): Run {
  const [binary = ''] = kubeTools('helm')
  const env = { PATH: '/usr/bin:/bin', HOME: '/nonexistent', KUBECONFIG: kubeconfig }
  const { status, stdout, stderr } = spawnSync(binary, args, { encoding: 'utf8', env, input, maxBuffer: 64 * 1024 * 1024 })
  return { status, stdout, stderr }
}

/** `helm template` of release `purser` in namespace `purser`. */
export const template = (values: object, flags: readonly string[] = []): Run =>
  helm(['template', 'purser', CHART, '--namespace', 'purser', '--values', '-', ...flags], { input: JSON.stringify(values) })

/** The objects that a release would have, its test hooks among them; throws where the chart does not render. */
export function render(values: object): readonly KubeObject[] {
  const { status, stdout, stderr } = template(values)
  if (status !== 0) throw new Error(`helm template: ${stderr}`)
  return parseAllDocuments(stdout).flatMap(document => (document.contents === null ? [] : [document.toJS() as KubeObject]))
}

/** The one object of that kind and name. */
export function object(objects: readonly KubeObject[], kind: string, name: string): KubeObject {
  const found = objects.filter(one => one.kind === kind && one.metadata.name === name)
  if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} objects are ${kind}/${name}`)
  return found[0]
}

/** Values of every kind of installation; each renders objects that the others do not. */
export const VARIANTS: Readonly<Record<string, object>> = {
  trial: { redis: { dev: { enabled: true } } },
  'an address in a Secret': { redis: { urlSecret: { name: 'ledger' } } },
  'Sentinel with a password': {
    redis: { url: 'redis+sentinel://user@a:26379,b:26379/mymaster/1', passwordSecret: { name: 'redis', key: 'redis-password' } },
  },
  'Cluster over TLS': {
    redis: { url: 'rediss+cluster://a,b', tls: { secret: 'redis-tls', clientCertificate: true }, guarded: 1, ledgerName: 'other' },
  },
  'gRPC over TLS of an existing Secret': {
    redis: { url: 'redis://a' },
    tls: { enabled: true, existingSecret: 'own' },
    attach: { envoyGateway: { targets: [{ namespace: 'infra', name: 'ai' }] } },
  },
  everything: {
    redis: { url: 'redis://a' },
    image: { repository: 'registry.example/purser', digest: `sha256:${'a'.repeat(64)}`, pullSecrets: ['pull'] },
    config: { trustedHeaders: ['x-team', 'x-user'], defaultNamespace: 'llm' },
    enforcer: {
      requireKey: true,
      trustXfcc: true,
      unbudgeted: 'deny',
      jwtPayloadKey: 'main',
      httpTokenSecret: 'token',
      webhook: { url: 'https://alerts.example/purser', secret: 'webhook' },
      listenHost: '[::]',
      podLabels: { a: 'b' },
      podAnnotations: { c: 'd' },
      nodeSelector: { 'kubernetes.io/os': 'linux' },
      tolerations: [{ operator: 'Exists' }],
      affinity: { podAntiAffinity: {} },
      priorityClassName: 'system-cluster-critical',
      extraArgs: ['--ledger-stream-max=1000'],
      extraEnv: [{ name: 'NODE_OPTIONS', value: '--max-old-space-size=900' }],
      topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' }],
    },
    controller: {
      listenHost: '[::]',
      podLabels: { a: 'b' },
      podAnnotations: { c: 'd' },
      extraArgs: [],
      tolerations: [{ operator: 'Exists' }],
    },
    tls: { enabled: true, certificate: { enabled: true, issuerRef: { kind: 'ClusterIssuer', name: 'ca' } }, clientCaSecret: 'clients' },
    serviceAccount: { annotations: { e: 'f' } },
    networkPolicy: {
      gateways: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'infra' } } }],
      scrapers: [{ namespaceSelector: {} }],
      egress: [{ ports: [{ port: 6379 }] }],
    },
    metrics: { serviceMonitor: { enabled: true, labels: { g: 'h' } }, prometheusRule: { enabled: true }, dashboard: { enabled: true } },
    attach: {
      snippet: true,
      envoyGateway: {
        targets: [
          { namespace: 'infra', name: 'ai' },
          { namespace: 'search', name: 'llm', kind: 'HTTPRoute' },
        ],
      },
      istio: {
        gateways: [{ namespace: 'istio-ingress', selector: { istio: 'ingressgateway' }, budgetNamespace: 'search' }],
        extAuthzGateways: [{ namespace: 'infra', selector: { istio: 'ingressgateway' } }],
      },
    },
  },
}
