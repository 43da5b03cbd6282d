// HTTPRoutes and Gateways as the API serves them to what policies ask of them; the rest is dropped, for clusters have thousands. The API
// server holds them to their own schema: what is not as it says is taken for absent.
import type { Gateway, HttpRoute, ParentRef } from '../core/route-table.ts'
import type { RawObject } from './raw-object.ts'

export const GATEWAY_API = 'gateway.networking.k8s.io'

/** Names the provider behind a route. */
const PROVIDER_ANNOTATION = 'purser.dev/provider'

export function httpRouteOf({ metadata, spec }: RawObject): HttpRoute {
  const { name, namespace = '', annotations } = metadata
  const { parentRefs, rules } = fields(spec)
  return {
    namespace,
    name,
    parents: items(parentRefs).flatMap(one => parentOf(one, namespace)),
    ruleNames: items(rules).map(rule => text(rule['name']) ?? ''),
    provider: text(annotations?.[PROVIDER_ANNOTATION]?.trim()),
  }
}

export function gatewayOf({ metadata, spec }: RawObject): Gateway {
  const { name, namespace = '' } = metadata
  const listeners = items(fields(spec)['listeners'])
  return { namespace, name, listeners: listeners.map(one => ({ name: text(one['name']) ?? '', port: port(one['port']) ?? 0 })) }
}

/** Of ParentReference's kinds those that take calls from outside; a Service is a parent inside of a mesh. */
function parentOf(reference: Fields, routeNamespace: string): readonly ParentRef[] {
  const { group = GATEWAY_API, kind = 'Gateway', namespace, name, sectionName } = reference
  if (group !== GATEWAY_API || (kind !== 'Gateway' && kind !== 'ListenerSet')) return []
  return [
    {
      kind,
      namespace: text(namespace) ?? routeNamespace,
      name: text(name) ?? '',
      section: text(sectionName),
      port: port(reference['port']),
    },
  ]
}

type Fields = Readonly<Record<string, unknown>>

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)
const fields = (value: unknown): Fields => (isFields(value) ? value : {})
const items = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.map(fields) : [])
const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null)
const port = (value: unknown): number | null => (typeof value === 'number' && Number.isInteger(value) ? value : null)
