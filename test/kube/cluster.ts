// A whole Kubernetes but for its machines: the API server, the controllers, the scheduler, and one node whose pods kwok calls ready without
// running them. What a pod would do is not seen here.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Child, startChild } from '../e2e/child.ts'
import { until } from '../e2e/until.ts'
import { type ApiServer, kubectl, startApiServer } from './api-server.ts'
import { kubeTools } from './tools.ts'

const CONTROLLERS = [
  'clusterrole-aggregation-controller',
  'deployment-controller',
  'disruption-controller',
  'endpointslice-controller',
  'garbage-collector-controller',
  'namespace-controller',
  'node-lifecycle-controller',
  'replicaset-controller',
  'serviceaccount-controller',
]

export interface Cluster {
  readonly server: ApiServer
  stop(): Promise<void>
}

/** Resolves when its node is ready for pods. */
export async function startCluster(): Promise<Cluster> {
  const [controllers = '', scheduler = '', kwok = '', stages = ''] = kubeTools(
    'kube-controller-manager',
    'kube-scheduler',
    'kwok',
    'kwok-stages',
  )
  const server = await startApiServer()
  const children: Child[] = []
  const stop = async (): Promise<void> => {
    await Promise.all(children.map(child => child.end('SIGKILL')))
    await server.stop()
  }
  const start = (name: string, binary: string, flags: readonly string[]): void => {
    children.push(startChild(name, binary, [`--kubeconfig=${server.kubeconfig}`, ...flags]))
  }
  try {
    const quiet = ['--leader-elect=false', '--secure-port=0']
    start('kube-controller-manager', controllers, [...quiet, `--controllers=${CONTROLLERS.join(',')}`])
    start('kube-scheduler', scheduler, quiet)
    const config = join(server.folder, 'stages.yaml')
    writeFileSync(
      config,
      readdirSync(stages)
        .map(file => readFileSync(join(stages, file), 'utf8'))
        .join('\n---\n'),
    )
    start('kwok', kwok, [`--config=${config}`, '--manage-all-nodes', '--node-lease-duration-seconds=40'])
    kubectl(server, ['apply', '--server-side', '-f', '-'], JSON.stringify(NODE))
    for (const child of children.slice(-1)) {
      await until('the node to be ready', 60_000, child, async () => {
        const { body } = await server.admin.get('/api/v1/nodes/one')
        const { spec, status } = body as { spec: { taints?: unknown[] }; status?: { conditions?: { type: string; status: string }[] } }
        return spec.taints === undefined && status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true
      })
    }
    return { server, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

const NODE = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: 'one',
    annotations: { 'kwok.x-k8s.io/node': 'fake' },
    labels: { 'kubernetes.io/hostname': 'one', 'kubernetes.io/os': 'linux', 'topology.kubernetes.io/zone': 'a' },
  },
}
