// Where a call came in: its route, the rule of it, and the Gateways that it may have come through. Says "not known" rather than guess.
import { attachmentsOf, type HttpRoute, type Routes } from '../core/route-table.ts'
import type { Attachment, CalledRoute, ObjectName, Subject } from '../core/subject.ts'
import type { RequestInfo } from './exchange.ts'

export interface Arrival extends Pick<Subject, 'route' | 'gateways'> {
  /** The provider behind the route, as its operator says. */
  readonly provider: string | null
}

type Told = Pick<RequestInfo, 'routeName' | 'purser'>

/** `routes`: those of the cluster, where they are watched. */
export function arrivalOf({ routeName, purser }: Told, routes: Routes, defaultNamespace: string): Arrival {
  const [spelt, namespace = '', name = '', rule] = GATEWAY_API_ROUTE.exec(routeName ?? '') ?? []
  const named = spelt === undefined ? { namespace: purser.namespace ?? defaultNamespace, name: routeName ?? '' } : { namespace, name }
  const known = routes.route(named)
  return {
    route: { ...named, rule: ruleName(known, rule) },
    gateways: gatewaysOf(known === null ? unknownGateways(spelt, routes) : attachmentsOf(known, routes), purser, defaultNamespace),
    provider: purser.provider ?? known?.provider ?? null,
  }
}

/** Envoy Gateway's name of a route: of the HTTPRoute, and the number of the rule in it (its docs and xDS; `internal/gatewayapi/route.go`). */
const GATEWAY_API_ROUTE = /^httproute\/([^/]+)\/([^/]+)(?:\/rule\/(\d{1,4})(?:\/|$))?/

/** A number that the HTTPRoute has no rule for is of another state of it than the one that is known. */
function ruleName(route: HttpRoute | null, number: string | undefined): CalledRoute['rule'] {
  return number === undefined ? null : (route?.ruleNames[Number(number)] ?? null)
}

/** An HTTPRoute that was not heard of yet, or no longer, may be attached anywhere; other routes are attached to nothing. */
const unknownGateways = (spelt: string | undefined, routes: Routes): readonly Attachment[] | null =>
  spelt !== undefined && routes.complete ? null : []

/** What the operator says of the Gateway counts, and what the route says of that Gateway's listeners. */
function gatewaysOf(
  attached: readonly Attachment[] | null,
  { gateway }: RequestInfo['purser'],
  defaultNamespace: string,
): readonly Attachment[] | null {
  if (gateway === null) return attached
  const told = objectName(gateway, defaultNamespace)
  const there = (attached ?? []).filter(one => one.namespace === told.namespace && one.name === told.name)
  return there.length === 0 ? [{ ...told, sections: null }] : there
}

function objectName(text: string, defaultNamespace: string): ObjectName {
  const [namespace = '', name] = text.split('/')
  return name === undefined ? { namespace: defaultNamespace, name: namespace } : { namespace, name }
}
