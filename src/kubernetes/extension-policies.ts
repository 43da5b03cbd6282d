// Envoy Gateway's EnvoyExtensionPolicies, watched where the cluster has them: one that stands in the place of Purser's takes its calls away.
// Reads only what Envoy Gateway itself says of them.
import { ABSENT_LOOK_MS } from '../limits.ts'
import type { Bypass } from '../objects/conditions.ts'
import type { Clock, Random } from '../ports.ts'
import type { Api } from './api.ts'
import { keyOf, type RawObject } from './raw-object.ts'
import { Reflector } from './reflector.ts'

const PATH = '/apis/gateway.envoyproxy.io/v1alpha1/envoyextensionpolicies'

export interface ExtensionPoliciesOptions {
  readonly api: Api
  readonly clock: Clock
  readonly random: Random
  /** What is displaced is another now. */
  changed(): void
  /** They are not watched, although the cluster has them: why. Told again with each attempt. */
  away(why: string): void
}

export class ExtensionPolicies {
  /** Those that send calls to Purser, by namespace/name. */
  readonly #ours = new Map<string, RawObject>()
  readonly #reflector: Reflector
  #bypasses: readonly Bypass[] = []

  constructor({ api, clock, random, changed, away }: ExtensionPoliciesOptions) {
    const update = (): void => {
      const next = bypassesAmong([...this.#ours.values()])
      const isSame = JSON.stringify(next) === JSON.stringify(this.#bypasses)
      this.#bypasses = next
      if (!isSame) changed()
    }
    const told = {
      put: (object: RawObject) => {
        if (sendsToPurser(object)) this.#ours.set(keyOf(object), object)
        else this.#ours.delete(keyOf(object))
        update()
      },
      removed: (key: string) => {
        if (this.#ours.delete(key)) update()
      },
      away,
      back: () => {},
    }
    this.#reflector = new Reflector({ api, clock, random, path: PATH, told, absentLookMs: ABSENT_LOOK_MS })
  }

  all(): readonly Bypass[] {
    return this.#bypasses
  }

  stop(): Promise<void> {
    return this.#reflector.stop()
  }
}

/** Where policies that send calls to Purser are displaced, by what Envoy Gateway says of them, and no other of them takes their place. */
export function bypassesAmong(ours: readonly RawObject[]): readonly Bypass[] {
  const covered = new Set(ours.flatMap(routesTargeted))
  return ours.flatMap(object => {
    const displaced = keyOf(object)
    const messages = overriddenMessages(object)
    if (messages.length === 0) return []
    const named = messages.map(routesNamed)
    // Where listeners are named, their routes are not.
    if (named.includes(null)) return [{ displaced, routes: [] }]
    const routes = [...new Set(named.flatMap(some => some ?? []))].filter(route => !covered.has(route)).sort()
    return routes.length === 0 ? [] : [{ displaced, routes }]
  })
}

interface Condition {
  readonly type?: string
  readonly status?: string
  readonly message?: string
}

function overriddenMessages({ status }: RawObject): readonly string[] {
  const { ancestors } = (status ?? {}) as { ancestors?: readonly { readonly conditions?: readonly Condition[] }[] }
  const conditions = (ancestors ?? []).flatMap(ancestor => ancestor.conditions ?? [])
  return conditions.flatMap(one => (one.type === 'Overridden' && one.status === 'True' ? [one.message ?? ''] : []))
}

/** Of "… for these routes: [default/llm team/chat]"; null where it does not name routes, or not routes alone. */
function routesNamed(message: string): readonly string[] | null {
  const list = /these routes: \[([^\]]*)\]/.exec(message)?.[1]
  return list === undefined || message.includes('these listeners') ? null : list.split(/\s+/).filter(route => route !== '')
}

interface Target {
  readonly kind?: string
  readonly name?: string
}

function routesTargeted({ metadata, spec }: RawObject): readonly string[] {
  const { targetRef, targetRefs } = (spec ?? {}) as { targetRef?: Target; targetRefs?: readonly Target[] }
  return [...(targetRefs ?? []), ...(targetRef === undefined ? [] : [targetRef])]
    .filter(({ kind }) => kind === 'HTTPRoute')
    .map(({ name }) => `${metadata.namespace ?? ''}/${name ?? ''}`)
}

interface ExtProc {
  readonly backendRefs?: readonly { readonly name?: unknown }[]
  readonly metadata?: { readonly writableNamespaces?: readonly unknown[] }
}

/** It has the label of the chart, or an external processor that is called after Purser or may write Purser's metadata. */
export function sendsToPurser({ metadata: { labels }, spec }: RawObject): boolean {
  if (labels?.['app.kubernetes.io/name'] === 'purser') return true
  const { extProc } = (spec ?? {}) as { extProc?: readonly ExtProc[] }
  return (extProc ?? []).some(
    ({ backendRefs, metadata }) =>
      (backendRefs ?? []).some(({ name }) => typeof name === 'string' && name.includes('purser')) ||
      metadata?.writableNamespaces?.includes('purser') === true,
  )
}
