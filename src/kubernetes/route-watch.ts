// The HTTPRoutes and Gateways of a cluster, watched into a table: each change counts as soon as it is read. A cluster may have no Gateway
// API, or get it later; then there are no routes, and nothing is wrong.
import { isDeepStrictEqual } from 'node:util'
import type { RouteTable } from '../core/route-table.ts'
import { ABSENT_LOOK_MS } from '../limits.ts'
import type { Clock, Random } from '../ports.ts'
import type { Api } from './api.ts'
import type { RawObject } from './raw-object.ts'
import { Reflector } from './reflector.ts'
import { GATEWAY_API, gatewayOf, httpRouteOf } from './route-objects.ts'

export interface RouteWatchOptions {
  readonly api: Api
  readonly clock: Clock
  readonly random: Random
  /** Kept as the cluster has it. */
  readonly routes: RouteTable
  /** How long the server may be silent, in ms. */
  readonly idleMs?: number
  /** Called after every change of the table; a status that a gateway writes is none. */
  changed(): void
  /** Nothing is heard of the resource at `path`: why. */
  away(path: string, why: string): void
  back(path: string): void
}

export class RouteWatch {
  /** Resolves when the routes were read once, or it is known that the cluster has none. */
  readonly synced: Promise<void>
  readonly #reflectors: readonly Reflector[]

  /** Starts at once. */
  constructor(options: RouteWatchOptions) {
    const { routes } = options
    this.#reflectors = [
      reflect(options, 'httproutes', {
        put: object => {
          const route = httpRouteOf(object)
          if (isDeepStrictEqual(routes.route(route), route)) return false
          routes.putRoute(route)
          return true
        },
        removed: name => routes.removeRoute(name),
        served: isServed => {
          routes.complete = isServed
        },
      }),
      reflect(options, 'gateways', {
        put: object => {
          const gateway = gatewayOf(object)
          if (isDeepStrictEqual(routes.gateway(gateway), gateway)) return false
          routes.putGateway(gateway)
          return true
        },
        removed: name => routes.removeGateway(name),
        served: () => {},
      }),
    ]
    this.synced = Promise.all(this.#reflectors.map(one => one.synced)).then(() => {})
  }

  /** Resolves when the table is not touched any more. */
  async stop(): Promise<void> {
    await Promise.all(this.#reflectors.map(one => one.stop()))
  }
}

interface Shelf {
  /** Whether that changed anything. */
  put(object: RawObject): boolean
  removed(name: { readonly namespace: string; readonly name: string }): void
  served(isServed: boolean): void
}

function reflect({ api, clock, random, idleMs, changed, away, back }: RouteWatchOptions, plural: string, shelf: Shelf): Reflector {
  const path = `/apis/${GATEWAY_API}/v1/${plural}`
  let wasServed: boolean | null = null
  const told: ConstructorParameters<typeof Reflector>[0]['told'] = {
    put: object => {
      if (shelf.put(object)) changed()
    },
    removed: key => {
      const [namespace = '', name = ''] = key.split('/')
      shelf.removed({ namespace, name })
      changed()
    },
    // Told with every list, also with each look for what is absent.
    served: isServed => {
      if (isServed === wasServed) return
      wasServed = isServed
      shelf.served(isServed)
      changed()
    },
    away: why => away(path, why),
    back: () => back(path),
  }
  return new Reflector({ api, clock, random, path, told, absentLookMs: ABSENT_LOOK_MS, ...(idleMs === undefined ? {} : { idleMs }) })
}
