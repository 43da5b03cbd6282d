// A proxy's configuration as the rules look at it: filter chains with their routes, and clusters. From a bootstrap, a config dump or what
// egctl writes; it judges nothing.
import { Setting } from './setting.ts'

export interface Setup {
  readonly chains: readonly Chain[]
  readonly clusters: ReadonlyMap<string, Setting>
}

/** One HTTP connection manager of one listener. */
export interface Chain {
  /** As the listener is called. */
  readonly name: string
  readonly listener: Setting
  readonly manager: Setting
  readonly filters: readonly Filter[]
  readonly routes: readonly Route[]
  /** False where the routes come from elsewhere and are not in what was read. */
  readonly routesKnown: boolean
}

export interface Filter {
  readonly name: string
  /** The message of its configuration: `ExternalProcessor`, `RBAC`, … */
  readonly type: string
  readonly config: Setting
  /** Off unless a route turns it on. */
  readonly disabled: boolean
  readonly position: number
}

/** A route that leads to a cluster; one with several clusters is as many of these. */
export interface Route {
  readonly name: string
  readonly action: Setting
  readonly route: Setting
  readonly host: Setting
  readonly cluster: string
  /** `typed_per_filter_config` from the most specific to the most general. */
  readonly overrides: readonly Setting[]
}

/** Null where the document is no configuration of Envoy's that is known here. */
export function readSetup(document: unknown): Setup | null {
  const root = new Setting(document)
  const dumps = dumpsOf(root)
  const bootstrap = root.at('static_resources')
  if (dumps.length === 0 && !bootstrap.isSet) return null
  const listeners = dumps.length > 0 ? dumps.flatMap(listenersOf) : bootstrap.at('listeners').list()
  const clusters = dumps.length > 0 ? dumps.flatMap(clustersOf) : bootstrap.at('clusters').list()
  const routes = new Map(dumps.flatMap(routesOf).map(table => [table.at('name').text() ?? '', table]))
  return {
    chains: listeners.flatMap(listener => chainsOf(listener, routes)),
    clusters: new Map(clusters.map(cluster => [cluster.at('name').text() ?? '', cluster])),
  }
}

/** `/config_dump` has them at its top, `egctl x translate` one set a gateway under `xds`. */
function dumpsOf(root: Setting): readonly Setting[] {
  const gateways = root.at('xds').entries()
  return [root, ...gateways.map(([, gateway]) => gateway)].flatMap(holder => holder.at('configs').list())
}

const listenersOf = (dump: Setting): Setting[] => [
  ...dump
    .at('static_listeners')
    .list()
    .map(entry => entry.at('listener')),
  ...dump
    .at('dynamic_listeners')
    .list()
    .map(entry => entry.at('active_state', 'listener'))
    .filter(listener => listener.isSet),
]

const clustersOf = (dump: Setting): Setting[] =>
  [...dump.at('static_clusters').list(), ...dump.at('dynamic_active_clusters').list()].map(entry => entry.at('cluster'))

const routesOf = (dump: Setting): Setting[] =>
  [...dump.at('static_route_configs').list(), ...dump.at('dynamic_route_configs').list()].map(entry => entry.at('route_config'))

function chainsOf(listener: Setting, tables: ReadonlyMap<string, Setting>): Chain[] {
  const name = listener.at('name').text() ?? '(without a name)'
  const chains = [...listener.at('filter_chains').list(), listener.at('default_filter_chain')]
  return chains
    .flatMap(chain => chain.at('filters').list())
    .map(filter => filter.at('typed_config'))
    .filter(config => config.type() === 'HttpConnectionManager')
    .map(manager => {
      const inline = manager.at('route_config')
      const table = inline.isSet ? inline : tables.get(manager.at('rds', 'route_config_name').text() ?? '')
      return {
        name,
        listener,
        manager,
        filters: filtersOf(manager),
        routes: table === undefined ? [] : tableOf(table),
        routesKnown: table !== undefined,
      }
    })
}

const filtersOf = (manager: Setting): Filter[] =>
  manager
    .at('http_filters')
    .list()
    .map((filter, position) => ({
      name: filter.at('name').text() ?? '',
      type: filter.at('typed_config').type(),
      config: filter.at('typed_config'),
      disabled: filter.at('disabled').on(),
      position,
    }))

function tableOf(table: Setting): Route[] {
  return table
    .at('virtual_hosts')
    .list()
    .flatMap(host =>
      host
        .at('routes')
        .list()
        .flatMap((route, index) => targetsOf(route, host, table, `${host.at('name').text() ?? ''}[${index}]`)),
    )
}

function targetsOf(route: Setting, host: Setting, table: Setting, place: string): Route[] {
  const action = route.at('route')
  // A redirect or a direct response calls nobody.
  if (!action.isSet) return []
  const name = route.at('name').text() ?? place
  const above = [route, host, table].map(level => level.at('typed_per_filter_config'))
  const to = (cluster: string, overrides: readonly Setting[]): Route => ({ name, action, route, host, cluster, overrides })
  const weighted = action.at('weighted_clusters', 'clusters').list()
  if (weighted.length === 0) return [to(action.at('cluster').text() ?? '', above)]
  return weighted.map(one => to(one.at('name').text() ?? '', [one.at('typed_per_filter_config'), ...above]))
}

/** Whether a filter works on a route, and what the route changes about it. */
export function onRoute(filter: Filter, route: Route): { readonly on: boolean; readonly changes: readonly Setting[] } {
  const found = route.overrides
    .map(level => level.entries().find(([name]) => name === filter.name)?.[1])
    .filter(entry => entry !== undefined)
  const [nearest] = found
  if (nearest === undefined) return { on: !filter.disabled, changes: [] }
  const changes = found.map(entry => (entry.type() === 'FilterConfig' ? entry.at('config') : entry))
  const off =
    nearest.at('disabled').on() || nearest.at('config', 'disabled').on() || (nearest.type() === 'RBACPerRoute' && !nearest.at('rbac').isSet)
  return { on: !off, changes }
}
