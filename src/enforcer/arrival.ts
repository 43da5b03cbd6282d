// Where a call came in: its route, the rule of it, and the Gateways that it may have come through. Says "not known" rather than guess.
import { attachmentsOf, type HttpRoute, type Routes } from '../core/route-table.ts'
import type { Attachment, CalledRoute, ObjectName, Subject } from '../core/subject.ts'
import type { RequestInfo } from './exchange.ts'

export interface Arrival extends Pick<Subject, 'route' | 'gateways'> {
  /** The provider behind the route, as its operator says. */
  readonly provider: string | null
}

type Told = Pick<RequestInfo, 'routeName' | 'virtualHost' | 'purser'>

/** `routes`: those of the cluster, where they are watched. */
export function arrivalOf({ routeName, virtualHost, purser }: Told, routes: Routes, defaultNamespace: string): Arrival {
  const [spelt, namespace = '', name = '', rule] = GATEWAY_API_ROUTE.exec(routeName ?? '') ?? []
  const named = spelt === undefined ? { namespace: purser.namespace ?? defaultNamespace, name: routeName ?? '' } : { namespace, name }
  const known = routes.route(named)
  const attached = known === null ? unknownGateways(spelt, routes) : attachmentsOf(known, routes)
  const listener = spelt === undefined ? null : listenerOf(virtualHost ?? '')
  return {
    route: { ...named, rule: ruleName(known, rule) },
    gateways: purser.gateway === null ? (listener ?? attached) : only(objectName(purser.gateway, defaultNamespace), attached),
    provider: purser.provider ?? known?.provider ?? null,
  }
}

/** Envoy Gateway's name of a route: that of the HTTPRoute, and the number of the rule in it (`irRouteName` in `internal/gatewayapi/helpers.go`). */
const GATEWAY_API_ROUTE = /^httproute\/([^/]+)\/([^/]+)(?:\/rule\/(\d{1,4})(?:\/|$))?/

/** A number that the HTTPRoute has no rule for is of another state of it than the one that is known. */
function ruleName(route: HttpRoute | null, number: string | undefined): CalledRoute['rule'] {
  return number === undefined ? null : (route?.ruleNames[Number(number)] ?? null)
}

/** An HTTPRoute that was not heard of yet, or no longer, may be attached anywhere; other routes are attached to nothing. */
const unknownGateways = (spelt: string | undefined, routes: Routes): readonly Attachment[] | null =>
  spelt !== undefined && routes.complete ? null : []

/**
 * The listener by Envoy Gateway's name of a virtual host, NAMESPACE/GATEWAY/LISTENER/HOST, with the ListenerSet's namespace and name before
 * the listener where it is of one (`irListenerName` in `internal/gatewayapi/helpers.go`); null where it is not named like that.
 */
function listenerOf(virtualHost: string): readonly Attachment[] | null {
  const parts = virtualHost.split('/')
  const [namespace = '', name = '', listener = ''] = parts
  if (parts.length === 4) return [{ namespace, name, sections: [listener] }]
  // A listener of a set is none of the Gateway's own.
  return parts.length === 6 ? [{ namespace, name, sections: [] }] : null
}

/** What the operator says of the Gateway counts, and what the route says of that Gateway's listeners. */
function only(told: ObjectName, attached: readonly Attachment[] | null): readonly Attachment[] {
  const there = (attached ?? []).filter(one => one.namespace === told.namespace && one.name === told.name)
  return there.length === 0 ? [{ ...told, sections: null }] : there
}

function objectName(text: string, defaultNamespace: string): ObjectName {
  const [namespace = '', name] = text.split('/')
  return name === undefined ? { namespace: defaultNamespace, name: namespace } : { namespace, name }
}
