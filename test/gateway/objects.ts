// The objects that Purser ships for Envoy Gateway, and the little that differs where there is no cluster: Services and providers on loopback.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'

const SHIPPED = join(import.meta.dirname, '../../deploy/envoy-gateway')
export const FILES = ['gateway.yaml', 'attach.yaml', 'last-door.yaml', 'ext-authz.yaml'] as const
export type ShippedFile = (typeof FILES)[number]

export interface GatewayObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  spec?: unknown
}

export const shipped = (file: ShippedFile): GatewayObject[] =>
  parseAllDocuments(readFileSync(join(SHIPPED, file), 'utf8')).map(document => document.toJS() as GatewayObject)

const EG = 'gateway.envoyproxy.io'
const namespace = (name: string): GatewayObject => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })

export const KEYS = { openai: 'sk-key-of-openai', anthropic: 'sk-key-of-anthropic' } as const

/** What the shipped files expect to find: the class, the namespaces, and the Secrets as an API server would give them out. */
export const surroundings = (): GatewayObject[] => [
  namespace('llm'),
  namespace('purser'),
  secret('openai-key', `Bearer ${KEYS.openai}`),
  secret('anthropic-key', KEYS.anthropic),
]

const secret = (name: string, value: string): GatewayObject & { readonly data: unknown } => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'llm' },
  data: { credential: Buffer.from(value).toString('base64') },
})

export const gatewayClass = (parameters?: object): GatewayObject => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'GatewayClass',
  metadata: { name: 'eg' },
  spec: {
    controllerName: 'gateway.envoyproxy.io/gatewayclass-controller',
    ...(parameters === undefined ? {} : { parametersRef: parameters }),
  },
})

const backend = (name: string, space: string, port: number): GatewayObject => ({
  apiVersion: `${EG}/v1alpha1`,
  kind: 'Backend',
  metadata: { name, namespace: space },
  spec: { endpoints: [{ ip: { address: '127.0.0.1', port } }] },
})

/**
 * The same objects with every Service and provider on this machine, without TLS. Whatever they say besides is as it was shipped. Purser comes
 * into the namespace of the Gateway: without a cluster, Envoy Gateway takes no ReferenceGrant for a Backend (translate.test.ts tries it).
 */
export function onLoopback(
  objects: readonly GatewayObject[],
  ports: { readonly purser: number; readonly provider: number },
): GatewayObject[] {
  const kept = objects.filter(({ kind }) => kind !== 'BackendTLSPolicy' && kind !== 'ReferenceGrant')
  return [...kept.map(object => toBackends(object, ports.provider)), backend('purser', 'llm', ports.purser)]
}

function toBackends(object: GatewayObject, providerPort: number): GatewayObject {
  const { kind, metadata } = object
  if (kind === 'Backend') return backend(metadata.name, metadata.namespace ?? '', providerPort)
  if (kind !== 'EnvoyExtensionPolicy' && kind !== 'SecurityPolicy') return object
  return JSON.parse(JSON.stringify(object), (_, value: unknown) => {
    const isPurser = typeof value === 'object' && value !== null && 'port' in value && 'name' in value && value.name === 'purser'
    return isPurser ? { group: EG, kind: 'Backend', name: 'purser', port: value.port } : value
  }) as GatewayObject
}
