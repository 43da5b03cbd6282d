// What the targets of a policy come to in a cluster: which routes it binds, through which Gateways, and which targets are nothing. For its
// status only; what binds a call is found by matching the call.
import type { Policy, TargetRef } from './policy.ts'
import { attachmentsOf, type HttpRoute, type Routes } from './route-table.ts'
import type { ObjectName } from './subject.ts'

/** An HTTPRoute or Gateway, or the rule or listener of it that is called `section`. */
export interface Section extends ObjectName {
  readonly section: string | null
}

export interface TargetFacts {
  /** The HTTPRoutes whose calls it binds by their namespace; calls that it binds by their AccessKey come in by any. Each once. */
  readonly routes: readonly Section[]
  /** The Gateways that it binds calls through: its targets, and those that targeted routes are attached to. Each once. */
  readonly gateways: readonly Section[]
  readonly unresolved: readonly UnresolvedTarget[]
}

export interface UnresolvedTarget {
  /** Its place in `targetRefs`. */
  readonly at: number
  readonly target: TargetRef
  /** A reason of the condition `Accepted` (Gateway API, GEP-713). */
  readonly reason: 'TargetNotFound'
  readonly message: string
}

/** `isSelected`: whether a cluster-scoped policy selects a namespace. Looks at the routes of the policy's namespace, or at all of them. */
export function targetFacts(policy: Policy, routes: Routes, isSelected: (namespace: string) => boolean): TargetFacts {
  const isClusterWide = policy.scope === 'ClusterBudgetPolicy'
  const candidates = routes.all(isClusterWide ? null : policy.namespace).filter(route => !isClusterWide || isSelected(route.namespace))
  if (policy.targets.length === 0) return { ...bound(candidates, null, routes), unresolved: [] }
  const resolved = policy.targets.map(target => resolve(target, policy, candidates, routes))
  return {
    routes: eachOnce(resolved.flatMap(one => one.routes)),
    gateways: eachOnce(resolved.flatMap(one => one.gateways)),
    unresolved: resolved.flatMap(({ fault }, at) => {
      const target = policy.targets[at]
      return fault === null || target === undefined ? [] : [{ at, target, reason: 'TargetNotFound' as const, message: fault }]
    }),
  }
}

interface Resolved {
  readonly routes: readonly Section[]
  readonly gateways: readonly Section[]
  readonly fault: string | null
}

function resolve(target: TargetRef, policy: Policy, candidates: readonly HttpRoute[], routes: Routes): Resolved {
  if (!routes.complete) return missing(`The ${target.kind} ${target.name} is not known: the Gateway API is not installed in this cluster.`)
  const isClusterWide = policy.scope === 'ClusterBudgetPolicy'
  const where = isClusterWide ? 'any namespace that the policy selects' : `the namespace ${policy.namespace}`
  const { section } = target
  if (target.kind === 'HTTPRoute') {
    const named = candidates.filter(route => route.name === target.name)
    if (named.length === 0) return missing(`There is no HTTPRoute ${target.name} in ${where}.`)
    const ruled = named.filter(route => section === null || route.ruleNames.includes(section))
    if (ruled.length === 0) return missing(`No rule of the HTTPRoute ${target.name} has the name ${section}.`)
    return { ...bound(ruled, section, routes), fault: null }
  }
  const isTarget = ({ namespace, name }: ObjectName): boolean => name === target.name && (isClusterWide || namespace === policy.namespace)
  const through = candidates.filter(
    route =>
      attachmentsOf(route, routes)?.some(
        one => isTarget(one) && (section === null || one.sections === null || one.sections.includes(section)),
      ) ?? true,
  )
  const named = routes.gateways(target.name).filter(isTarget)
  if (named.length === 0) return missing(`There is no Gateway ${target.name} in ${isClusterWide ? 'any namespace' : where}.`)
  const listening = named.filter(({ listeners }) => section === null || listeners.some(listener => listener.name === section))
  if (listening.length === 0) return missing(`No listener of the Gateway ${target.name} has the name ${section}.`)
  return { routes: through.map(of(null)), gateways: listening.map(of(section)), fault: null }
}

const missing = (fault: string): Resolved => ({ routes: [], gateways: [], fault })

/** These routes, and the Gateways that they name as their parents. */
function bound(found: readonly HttpRoute[], section: string | null, routes: Routes): Omit<TargetFacts, 'unresolved'> {
  const gateways = found.flatMap(route => attachmentsOf(route, routes) ?? [])
  return { routes: found.map(of(section)), gateways: eachOnce(gateways.map(of(null))) }
}

const of =
  (section: string | null) =>
  ({ namespace, name }: ObjectName): Section => ({ namespace, name, section })

function eachOnce(sections: readonly Section[]): readonly Section[] {
  return [...new Map(sections.map(one => [`${one.namespace}/${one.name}/${one.section ?? ''}`, one])).values()]
}
