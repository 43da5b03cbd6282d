// What a policy is attached to in its cluster, as its status tells it: the Gateways and routes that it binds, and targets that lead nowhere.
import type { Section, TargetFacts } from '../core/target-facts.ts'
import type { AncestorRef } from './status.ts'

export interface Attachment {
  /** The Gateways first. */
  readonly ancestors: readonly AncestorRef[]
  /** namespace/name of the HTTPRoutes whose calls are bound. */
  readonly routes: readonly string[]
  /** Targets that are not there, as `field: what`. */
  readonly unresolved: readonly string[]
}

export const NOT_ATTACHED: Attachment = { ancestors: [], routes: [], unresolved: [] }

export const attachmentOf = ({ gateways, routes, unresolved }: TargetFacts): Attachment => ({
  ancestors: [...gateways.map(refOf('Gateway')), ...routes.map(refOf('HTTPRoute'))],
  routes: routes.map(({ namespace, name }) => `${namespace}/${name}`),
  unresolved: unresolved.map(({ at, message }) => `spec.targetRefs[${at}]: ${message}`),
})

const refOf =
  (kind: 'Gateway' | 'HTTPRoute') =>
  ({ namespace, name, section }: Section): AncestorRef => ({
    ...{ group: 'gateway.networking.k8s.io', kind, namespace, name },
    ...(section === null ? {} : { sectionName: section }),
  })
