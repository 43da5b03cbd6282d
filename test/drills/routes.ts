// What the drills add to the shipped configuration of Envoy: routes to odd upstreams, that a call chooses by a header.
import { connectionManager, type EnvoyConfig } from '../e2e/envoy.ts'

/** Ports of the upstreams that the added routes lead to. */
export interface Upstreams {
  readonly odd: number
  readonly nobody: number
}

interface Overridden {
  readonly typed_per_filter_config: {
    readonly 'envoy.filters.http.ext_proc': { readonly overrides: { grpc_initial_metadata: { readonly key: string }[] } }
  }
}

/**
 * The shipped configuration, and routes that a drill chooses by `x-route`. A replica that was put out for a failure comes back at once:
 * in the shipped one it takes five seconds and more with each time, and drills would wait for it.
 */
export function forDrills(config: EnvoyConfig, { odd, nobody }: Upstreams): void {
  const clusters = config.static_resources.clusters as unknown as Record<string, unknown>[]
  const purser = clusters.find(cluster => cluster['name'] === 'purser')
  Object.assign((purser?.['outlier_detection'] as object | undefined) ?? {}, { base_ejection_time: '0.1s', interval: '0.1s' })
  const like = clusters.find(cluster => cluster['name'] === 'openai')
  const cluster = (name: string, ports: readonly number[]): unknown => ({
    ...like,
    name,
    type: 'STATIC',
    dns_lookup_family: undefined,
    lb_policy: 'ROUND_ROBIN',
    load_assignment: {
      cluster_name: name,
      endpoints: [
        {
          lb_endpoints: ports.map(port => ({ endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } } })),
        },
      ],
    },
  })
  clusters.push(...([cluster('odd', [odd]), cluster('nobody', [nobody])] as Record<string, unknown>[]))
  const [host] = connectionManager(config).route_config.virtual_hosts
  const open = host?.routes.find(route => route.name === 'openai') as Record<string, unknown> | undefined
  const action = open?.['route'] as object | undefined
  const route = (name: string, more: object): unknown => ({
    ...open,
    name: `drill-${name}`,
    match: { prefix: '/', headers: [{ name: 'x-route', string_match: { exact: name } }] },
    route: { ...action, ...more },
  })
  // Its attempts may all have been read, so it must not say that they were not.
  const retries = structuredClone(route('retries', { cluster: 'odd', retry_policy: { retry_on: '5xx', num_retries: 2 } })) as Overridden
  const { overrides } = retries.typed_per_filter_config['envoy.filters.http.ext_proc']
  overrides.grpc_initial_metadata = overrides.grpc_initial_metadata.filter(({ key }) => key !== 'x-purser-retries')
  host?.routes.unshift(
    ...([
      route('odd', { cluster: 'odd' }),
      route('nobody', { cluster: 'nobody' }),
      route('timeout', { timeout: '1s' }),
      retries,
    ] as (typeof host.routes)[number][]),
  )
}
