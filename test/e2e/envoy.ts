// A real Envoy with the configuration that Purser ships, its addresses replaced; nothing else in it differs, so that what is tested is what people get.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { type Child, freePort, startChild } from './child.ts'
import { until } from './until.ts'

const ROOT = join(import.meta.dirname, '../..')

export interface Envoy {
  readonly child: Child
  readonly port: number
  readonly adminPort: number
  readonly pid: number
  /** Resolves once Envoy's own health checks count this many servers of a cluster as healthy. */
  healthy(cluster: string, count: number): Promise<void>
  /** A counter or gauge of `/stats`; 0 where it does not exist. */
  stat(name: string): Promise<number>
  stop(): Promise<void>
}

export interface EnvoySetting {
  /** Ports of the servers of the cluster `purser`; none: the ext_proc filter is taken out (Envoy alone). */
  readonly purserPorts: readonly number[]
  /** The port of a provider without TLS on this machine, which stands in for every provider of the configuration. */
  readonly providerPort: number
  /** Which of the shipped configurations, in `deploy/envoy`; unless told, `default.yaml`. */
  readonly file?: string
  /** Takes the marks away that hide what only newer Envoys know. */
  readonly newest?: boolean
  /** The folder with the keys of the providers, which Envoy is to send: what the shipped file has behind `#key`. */
  readonly keys?: string
  /** Wraps the command, for instance `['taskset', '-c', '0']`. */
  readonly launcher?: readonly string[]
  /** A last word on the parsed configuration. */
  readonly edit?: (config: EnvoyConfig) => void
}

/** The parts of the configuration that are touched here. */
export interface EnvoyConfig {
  admin: { address: Address }
  static_resources: {
    listeners: { address: Address; filter_chains: { filters: { typed_config: ConnectionManager }[] }[] }[]
    clusters: Cluster[]
  }
}
interface Address {
  socket_address: { address: string; port_value: number }
}
interface Cluster {
  name: string
  type: string
  circuit_breakers?: unknown
  transport_socket?: unknown
  load_assignment: { endpoints: { lb_endpoints: { endpoint: { address: Address } }[] }[] }
}
export interface ConnectionManager {
  access_log?: unknown[]
  http_filters: { name: string; typed_config: Record<string, unknown> }[]
  route_config: {
    virtual_hosts: {
      name: string
      domains: string[]
      routes: { name: string; match: unknown; route?: object; typed_per_filter_config?: Record<string, unknown> }[]
    }[]
  }
}

/** Starts Envoy and resolves when it serves; with Purser servers, when all of them passed a health check. */
export async function startEnvoy(setting: EnvoySetting): Promise<Envoy> {
  const [port, adminPort] = [await freePort(), await freePort()]
  const shipped = shippedConfig(setting, port, adminPort)
  const config = JSON.stringify(shipped)
  const binary = execFileSync(join(ROOT, 'scripts/envoy'), { encoding: 'utf8' }).trim()
  const [command = binary, ...args] = [...(setting.launcher ?? []), binary]
  const child = startChild('envoy', command, [
    ...args,
    '--config-yaml',
    config,
    '--concurrency',
    '1',
    '--disable-hot-restart',
    '--log-level',
    'warn',
  ])

  const admin = async (path: string): Promise<string> => await (await fetch(`http://127.0.0.1:${adminPort}${path}`)).text()
  const envoy: Envoy = {
    child,
    port,
    adminPort,
    pid: child.pid,
    async healthy(cluster, count) {
      await until(`${count} healthy servers of ${cluster}`, 30_000, child, async () => {
        const lines = (await admin('/clusters')).split('\n')
        return lines.filter(line => line.startsWith(`${cluster}::`) && line.endsWith('::health_flags::healthy')).length === count
      })
    },
    async stat(name) {
      const line = (await admin(`/stats?filter=^${name.replaceAll('.', '\\.')}$`)).trim()
      return line === '' ? 0 : Number(line.split(': ')[1])
    },
    async stop() {
      await child.end('SIGTERM', 5_000)
    },
  }
  try {
    await until('Envoy to be live', 30_000, child, async () => (await admin('/ready')).startsWith('LIVE'))
    for (const { name, load_assignment } of shipped.static_resources.clusters) {
      if (name.startsWith('purser')) await envoy.healthy(name, load_assignment.endpoints[0]?.lb_endpoints.length ?? 0)
    }
  } catch (error) {
    await envoy.stop()
    throw error
  }
  return envoy
}

function shippedConfig(setting: EnvoySetting, port: number, adminPort: number): EnvoyConfig {
  const text = readFileSync(join(ROOT, 'deploy/envoy', setting.file ?? 'default.yaml'), 'utf8')
  const { keys } = setting
  const shown = setting.newest === true ? text.replaceAll('#+ ', '') : text
  const config = parse(keys === undefined ? shown : shown.replaceAll('#key ', '').replaceAll('/etc/purser', keys)) as EnvoyConfig
  config.admin.address.socket_address.port_value = adminPort
  const [listener] = config.static_resources.listeners
  if (listener === undefined) throw new Error('deploy/envoy/default.yaml has no listener')
  listener.address.socket_address = { address: '127.0.0.1', port_value: port }
  const { clusters } = config.static_resources
  const purser = clusters.find(cluster => cluster.name === 'purser')
  if (purser === undefined) throw new Error('deploy/envoy/default.yaml has no cluster purser')
  for (const cluster of clusters) {
    if (cluster !== purser) {
      setServers(cluster, [setting.providerPort])
      delete cluster.transport_socket
    }
  }
  if (setting.purserPorts.length > 0) setServers(purser, setting.purserPorts)
  else withoutPurser(config)
  setting.edit?.(config)
  return config
}

export function connectionManager(config: EnvoyConfig): ConnectionManager {
  const found = config.static_resources.listeners[0]?.filter_chains[0]?.filters[0]?.typed_config
  if (found === undefined) throw new Error('deploy/envoy/default.yaml has no connection manager')
  return found
}

export function setServers(cluster: Cluster, ports: readonly number[]): void {
  const [endpoints] = cluster.load_assignment.endpoints
  if (endpoints === undefined) throw new Error(`deploy/envoy/default.yaml has no endpoints in the cluster ${cluster.name}`)
  cluster.type = 'STATIC'
  endpoints.lb_endpoints = ports.map(port => ({ endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } } }))
}

function withoutPurser(config: EnvoyConfig): void {
  const manager = connectionManager(config)
  manager.http_filters = manager.http_filters.filter(filter => filter.name === 'envoy.filters.http.router')
  for (const host of manager.route_config.virtual_hosts) for (const route of host.routes) delete route.typed_per_filter_config
  delete manager.access_log
  config.static_resources.clusters = config.static_resources.clusters.filter(cluster => cluster.name !== 'purser')
}
