// The few operations of Istio's EnvoyFilter that deploy/istio uses, done on a bootstrap; any other is an error. Istio itself is not run here.
import { connectionManager, type EnvoyConfig } from './envoy.ts'

interface Patch {
  readonly applyTo: string
  readonly match: {
    readonly context: string
    readonly cluster?: { readonly service: string }
    readonly routeConfiguration?: { readonly vhost: { readonly route: { readonly name: string } } }
    readonly listener?: { readonly filterChain: { readonly filter: { readonly subFilter?: { readonly name: string } } } }
  }
  readonly patch: { readonly operation: string; readonly value: Record<string, unknown> }
}

export interface EnvoyFilter {
  readonly kind: string
  readonly spec: { readonly configPatches: readonly Patch[] }
}

export function applyEnvoyFilter(config: EnvoyConfig, { spec }: EnvoyFilter): void {
  for (const patch of spec.configPatches) apply(config, patch)
}

function apply(config: EnvoyConfig, { applyTo, match, patch }: Patch): void {
  const manager = connectionManager(config)
  const hosts = manager.route_config.virtual_hosts
  const { operation, value } = patch
  if (match.context !== 'GATEWAY') throw new Error(`no patch of ${match.context} is known here`)
  if (applyTo === 'HTTP_FILTER' && operation === 'INSERT_BEFORE') {
    const before = match.listener?.filterChain.filter.subFilter?.name
    const at = manager.http_filters.findIndex(({ name }) => name === before)
    if (at < 0) throw new Error(`there is no filter ${before}`)
    manager.http_filters.splice(at, 0, value as unknown as (typeof manager.http_filters)[number])
    return
  }
  if (operation !== 'MERGE') throw new Error(`${applyTo} ${operation} is not known here`)
  switch (applyTo) {
    case 'HTTP_ROUTE': {
      const name = match.routeConfiguration?.vhost.route.name
      const routes = hosts.flatMap(host => host.routes).filter(route => route.name === name)
      if (routes.length === 0) throw new Error(`there is no route ${name}`)
      for (const route of routes) merge(route, value)
      return
    }
    case 'CLUSTER': {
      // The shipped bootstrap calls its clusters by the middle of the provider's name.
      const cluster = config.static_resources.clusters.find(({ name }) => `api.${name}.com` === match.cluster?.service)
      if (cluster === undefined) throw new Error(`there is no cluster of ${match.cluster?.service}`)
      merge(cluster, value)
      return
    }
    case 'VIRTUAL_HOST':
      for (const host of hosts) merge(host, value)
      return
    case 'NETWORK_FILTER':
      merge(manager, value['typed_config'] as Record<string, unknown>)
      return
    default:
      throw new Error(`${applyTo} is not known here`)
  }
}

/** As protobuf merges messages: maps by key, everything else is replaced. */
function merge(target: object, value: Readonly<Record<string, unknown>>): void {
  for (const [name, member] of Object.entries(value)) {
    const old: unknown = Reflect.get(target, name)
    const both = [old, member].every(one => typeof one === 'object' && one !== null && !Array.isArray(one))
    if (both) merge(old as object, member as Record<string, unknown>)
    else Reflect.set(target, name, member)
  }
}
