// The HTTPRoutes and Gateways of a cluster, as far as policies ask about them, changed one object at a time. Knows no policies, and not
// whether a Gateway takes a route: what a route asks for is enough to bind its calls.
import type { Attachment, ObjectName } from './subject.ts'

/** An HTTPRoute (gateway.networking.k8s.io/v1). */
export interface HttpRoute extends ObjectName {
  readonly parents: readonly ParentRef[]
  /** Of each rule in their order; empty where a rule has none. */
  readonly ruleNames: readonly string[]
  /** The provider behind it, by its annotation. */
  readonly provider: string | null
}

/** What a route asks to be attached to. A ListenerSet belongs to a Gateway that its name does not tell. */
export interface ParentRef extends ObjectName {
  readonly kind: 'Gateway' | 'ListenerSet'
  /** A listener; null: any. */
  readonly section: string | null
  readonly port: number | null
}

export interface Gateway extends ObjectName {
  readonly listeners: readonly { readonly name: string; readonly port: number }[]
}

/** What can be asked of the routes that are known. */
export interface Routes {
  /** Whether every route of the cluster is here; false where nobody watches them. */
  readonly complete: boolean
  route(name: ObjectName): HttpRoute | null
  gateway(name: ObjectName): Gateway | null
  /** The Gateways of this name, in whichever namespace. */
  gateways(name: string): readonly Gateway[]
  /** The routes of a namespace; null: all of them. */
  all(namespace: string | null): readonly HttpRoute[]
}

export class RouteTable implements Routes {
  complete = false
  readonly #routes = new Map<string, Map<string, HttpRoute>>()
  /** By name, then by namespace. */
  readonly #gateways = new Map<string, Map<string, Gateway>>()

  route({ namespace, name }: ObjectName): HttpRoute | null {
    return this.#routes.get(namespace)?.get(name) ?? null
  }

  gateway({ namespace, name }: ObjectName): Gateway | null {
    return this.#gateways.get(name)?.get(namespace) ?? null
  }

  gateways(name: string): readonly Gateway[] {
    return [...(this.#gateways.get(name)?.values() ?? [])]
  }

  all(namespace: string | null): readonly HttpRoute[] {
    if (namespace !== null) return [...(this.#routes.get(namespace)?.values() ?? [])]
    return [...this.#routes.values()].flatMap(shelf => [...shelf.values()])
  }

  putRoute(route: HttpRoute): void {
    putIn(this.#routes, route.namespace, route.name, route)
  }

  removeRoute({ namespace, name }: ObjectName): void {
    removeFrom(this.#routes, namespace, name)
  }

  putGateway(gateway: Gateway): void {
    putIn(this.#gateways, gateway.name, gateway.namespace, gateway)
  }

  removeGateway({ namespace, name }: ObjectName): void {
    removeFrom(this.#gateways, name, namespace)
  }
}

/**
 * The Gateways that a route may be called through, each with the listeners that it names; null: any Gateway, because a ListenerSet does not
 * tell its own. Two references to one Gateway are two attachments.
 */
export function attachmentsOf(route: HttpRoute, routes: Routes): readonly Attachment[] | null {
  if (route.parents.some(parent => parent.kind === 'ListenerSet')) return null
  return route.parents.map(parent => ({ namespace: parent.namespace, name: parent.name, sections: sectionsOf(parent, routes) }))
}

/** A port is that of all listeners that have it; one that none has tells nothing. */
function sectionsOf(parent: ParentRef, routes: Routes): readonly string[] | null {
  if (parent.section !== null) return [parent.section]
  if (parent.port === null) return null
  const named = routes.gateway(parent)?.listeners.filter(({ port }) => port === parent.port) ?? []
  return named.length === 0 ? null : named.map(({ name }) => name)
}

function putIn<Value>(shelves: Map<string, Map<string, Value>>, shelf: string, key: string, value: Value): void {
  const known = shelves.get(shelf)
  if (known === undefined) shelves.set(shelf, new Map([[key, value]]))
  else known.set(key, value)
}

/** Without leaving an empty shelf. */
function removeFrom<Value>(shelves: Map<string, Map<string, Value>>, shelf: string, key: string): void {
  const known = shelves.get(shelf)
  known?.delete(key)
  if (known?.size === 0) shelves.delete(shelf)
}
