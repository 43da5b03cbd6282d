// What a policy binds among the routes and Gateways of its cluster, and what of its own references leads nowhere. Looks at the policy alone.
import type { AcceptedObject } from './objects.ts'
import type { AncestorRef } from './status.ts'

export interface Attachment {
  readonly ancestors: readonly AncestorRef[]
  /** Each reference that is not there, as `field: what`. */
  readonly unresolved: readonly string[]
}

const GATEWAY_API = 'gateway.networking.k8s.io'

/** As the policy names them: whether they are there is not known here. */
export function ancestorsOf(object: AcceptedObject): Attachment {
  if (object.kind !== 'BudgetPolicy') return { ancestors: [], unresolved: [] }
  const { namespace } = object
  const ancestors = (object.spec.targetRefs ?? []).map(({ kind, name }) => ({ group: GATEWAY_API, kind, namespace, name }))
  return { ancestors, unresolved: [] }
}
