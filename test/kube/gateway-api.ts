// The Gateway API in a test's API server: its CRDs as published, and HTTPRoutes and Gateways written short.
import { join } from 'node:path'
import { type ApiServer, kubectl } from './api-server.ts'
import { kubeTools } from './tools.ts'

const API_VERSION = 'gateway.networking.k8s.io/v1'

/** Applies the CRDs of HTTPRoute and Gateway, and waits until the server serves them. */
export function installGatewayApi(server: Pick<ApiServer, 'kubeconfig'>): void {
  const [folder = ''] = kubeTools('gateway-api-crds')
  const files = ['httproutes', 'gateways'].flatMap(plural => ['-f', join(folder, `gateway.networking.k8s.io_${plural}.yaml`)])
  kubectl(server, ['apply', '--server-side', ...files])
  kubectl(server, ['wait', '--for=condition=Established', '--timeout=30s', ...files])
}

/** A Gateway `team/NAME` with a listener for each name and port. */
export const gateway = (name: string, listeners: Readonly<Record<string, number>>): object => ({
  apiVersion: API_VERSION,
  kind: 'Gateway',
  metadata: { name, namespace: 'team' },
  spec: {
    gatewayClassName: 'any',
    listeners: Object.entries(listeners).map(([listener, port]) => ({ name: listener, port, protocol: 'HTTP' })),
  },
})

export interface RouteSetting {
  readonly parents: readonly object[]
  /** Of each rule; empty for a rule without one. Default: one rule without a name. */
  readonly rules?: readonly string[]
  readonly annotations?: Readonly<Record<string, string>>
}

/** The HTTPRoute `team/llm`. */
export const httpRoute = ({ parents, rules = [''], annotations = {} }: RouteSetting): object => ({
  apiVersion: API_VERSION,
  kind: 'HTTPRoute',
  metadata: { name: 'llm', namespace: 'team', annotations },
  spec: {
    parentRefs: parents,
    rules: rules.map(name => ({ ...(name === '' ? {} : { name }), backendRefs: [{ name: 'provider', port: 80 }] })),
  },
})
