// What tests change in the configurations of `deploy/envoy`: which replica does which half, and what stands behind Purser.
import { parse } from 'yaml'
import { connectionManager, type EnvoyConfig, setServers } from './envoy.ts'

type Filter = ReturnType<typeof connectionManager>['http_filters'][number]
type Cluster = EnvoyConfig['static_resources']['clusters'][number]

/** The first replica judges, the second settles and hears the log. */
export function inHalves(config: EnvoyConfig): void {
  const purser = clusterOf(config, 'purser')
  const [judges, settles] = portsOf(purser)
  if (judges === undefined || settles === undefined) throw new Error('two halves are two replicas')
  const other = structuredClone(purser)
  other.name = 'purser-settle'
  setServers(purser, [judges])
  setServers(other, [settles])
  config.static_resources.clusters.push(other)
  const manager = connectionManager(config)
  for (const each of [...manager.http_filters.filter(({ name }) => name === 'purser.settle'), ...(manager.access_log ?? [])]) {
    turn(each, 'purser-settle')
  }
}

/** The settling filter of `split.yaml` behind `ext_authz`. */
export function settledByExtProc(config: EnvoyConfig): void {
  addFilter(
    config,
    parse(`
      name: purser.settle
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor
        observability_mode: true
        failure_mode_allow: true
        deferred_close_timeout: 5s
        grpc_service: { envoy_grpc: { cluster_name: purser } }
        processing_mode: { request_header_mode: SKIP, request_body_mode: NONE, response_header_mode: SEND, response_body_mode: STREAMED }
        response_attributes: [response.code_details, response.flags, upstream.request_attempt_count]
        metadata_options: { forwarding_namespaces: { untyped: [envoy.filters.http.ext_authz] } }
    `) as Filter,
  )
}

/** A filter behind Purser that answers by itself where the client asks for it (`x-envoy-fault-abort-request: 503`). */
export function deniedLater(config: EnvoyConfig): void {
  addFilter(
    config,
    parse(`
      name: envoy.filters.http.fault
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault
        abort: { header_abort: {}, percentage: { numerator: 100 } }
    `) as Filter,
  )
}

/** What listens behind `/v1/messages`; port 1 for nobody. */
export function sendAnthropicTo(config: EnvoyConfig, port: number): void {
  setServers(clusterOf(config, 'anthropic'), [port])
}

/** One connection to the provider: calls beyond wait for it. */
export function withOneConnection(config: EnvoyConfig): void {
  clusterOf(config, 'openai').circuit_breakers = { thresholds: [{ max_connections: 1, max_pending_requests: 1000 }] }
}

/** Other body modes for the one filter of `default.yaml`; full duplex needs trailers to be sent. */
export function withBodyModes(config: EnvoyConfig, request: string, response: string): void {
  const filter = connectionManager(config).http_filters.find(({ name }) => name === 'envoy.filters.http.ext_proc')
  const modes = { ...(filter?.typed_config['processing_mode'] as object), request_body_mode: request, response_body_mode: response }
  const trailers = request === 'FULL_DUPLEX_STREAMED' ? { request_trailer_mode: 'SEND', response_trailer_mode: 'SEND' } : {}
  if (filter !== undefined) filter.typed_config['processing_mode'] = { ...modes, ...trailers }
}

/** The same under `/retried`, where Envoy makes attempts again that the provider may have read, and does not say otherwise. */
export function addRetriedRoute(config: EnvoyConfig): void {
  for (const { routes } of connectionManager(config).route_config.virtual_hosts) {
    const route = structuredClone(routes.find(({ name }) => name === 'openai'))
    if (route === undefined) throw new Error('there is no route openai')
    route.name = 'retried'
    route.match = { prefix: '/retried' }
    route.route = { ...route.route, retry_policy: { retry_on: 'reset', num_retries: 2 } }
    turn(route, null)
    routes.unshift(route)
  }
}

/** A route under `/unjudged` where Purser and the second lock are switched off, as docs/envoy.md has it. */
export function addUnjudgedRoute(config: EnvoyConfig, filter: string, perRoute: string): void {
  const rbac = { '@type': 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBACPerRoute' }
  const off = { '@type': `type.googleapis.com/envoy.extensions.filters.http.${perRoute}`, disabled: true }
  for (const { routes } of connectionManager(config).route_config.virtual_hosts) {
    const route = structuredClone(routes.find(({ name }) => name === 'openai'))
    if (route === undefined) throw new Error('there is no route openai')
    route.match = { prefix: '/unjudged' }
    route.typed_per_filter_config = { [filter]: off, 'envoy.filters.http.rbac': rbac }
    routes.unshift({ ...route, name: 'unjudged' })
  }
}

export function withoutLog(config: EnvoyConfig): void {
  delete connectionManager(config).access_log
}

function addFilter(config: EnvoyConfig, filter: Filter): void {
  const { http_filters: filters } = connectionManager(config)
  filters.splice(filters.length - 1, 0, filter)
}

function clusterOf(config: EnvoyConfig, name: string): Cluster {
  const found = config.static_resources.clusters.find(cluster => cluster.name === name)
  if (found === undefined) throw new Error(`there is no cluster ${name}`)
  return found
}

const portsOf = (cluster: Cluster): number[] =>
  cluster.load_assignment.endpoints[0]?.lb_endpoints.map(({ endpoint }) => endpoint.address.socket_address.port_value) ?? []

/** Points every gRPC service in `value` to a cluster; for null, takes the word about retries away instead. */
function turn(value: unknown, cluster: string | null): void {
  if (typeof value !== 'object' || value === null) return
  if (Array.isArray(value)) {
    const told = value.findIndex(each => (each as { key?: string } | null)?.key === 'x-purser-retries')
    if (cluster === null && told >= 0) value.splice(told, 1)
  }
  for (const [name, member] of Object.entries(value)) {
    if (cluster !== null && name === 'cluster_name' && member === 'purser') Reflect.set(value, name, cluster)
    else if (cluster === null && name === 'x-purser-retries') Reflect.deleteProperty(value, name)
    else turn(member, cluster)
  }
}
