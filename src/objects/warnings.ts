// Warnings: objects that are valid and yet cannot do what their author surely meant. Never a reason to refuse them.
import { selectorMatches } from '../core/match.ts'
import type { CheckContext } from './check-object.ts'
import { instantMs } from './instant.ts'
import type { AcceptedObject, BudgetSpec, LabelSelectorField } from './objects.ts'

export interface WarnOptions extends CheckContext {
  /** For keys that have expired. */
  readonly nowMs: number
}

export interface Warning<Of> {
  readonly of: Of
  readonly text: string
}

/** What is doubtful about objects that stand together, each as `field: what`. */
export function warningsOf<Of extends { readonly object: AcceptedObject }>(
  all: readonly Of[],
  options: WarnOptions,
): readonly Warning<Of>[] {
  const selected = {
    namespaces: [...knownNamespaces(all, options.defaultNamespace).values()],
    keys: all.filter(one => one.object.kind === 'AccessKey').map(one => one.object.labels),
  }
  return all.flatMap(of => {
    const { object } = of
    const texts =
      object.kind === 'BudgetPolicy' || object.kind === 'ClusterBudgetPolicy'
        ? [...emptySelectors(object.spec, selected), ...ofSubstance(object.spec), ...ofHeaders(object.spec, options)]
        : object.kind === 'AccessKey'
          ? [...ofExpiry(object.spec, options.nowMs), ...ofHeaders(object.spec, options)]
          : []
    return texts.map(text => ({ of, text }))
  })
}

type Labels = ReadonlyMap<string, string>

/** What selectors choose from: the labels of everything that there is. */
export interface Selected {
  readonly namespaces: readonly Labels[]
  readonly keys: readonly Labels[]
}

/** Selectors that choose nothing, as `field: what`. */
export function* emptySelectors({ namespaceSelector, match }: BudgetSpec, { namespaces, keys }: Selected): Generator<string> {
  if (namespaceSelector !== undefined && !namespaces.some(matcherOf(namespaceSelector)))
    yield 'spec.namespaceSelector: no known namespace has these labels, so that it binds nothing; namespaces are known by v1 Namespace objects'
  const keySelector = match?.accessKeySelector
  if (keySelector !== undefined && !keys.some(matcherOf(keySelector)))
    yield 'spec.match.accessKeySelector: no AccessKey has these labels, so that it binds nothing'
}

function knownNamespaces(all: readonly { readonly object: AcceptedObject }[], defaultNamespace: string): ReadonlyMap<string, Labels> {
  const names = new Set([defaultNamespace, ...all.map(({ object }) => object.namespace).filter(name => name !== '')])
  const known = new Map<string, Labels>([...names].map(name => [name, new Map()]))
  for (const { object } of all) if (object.kind === 'Namespace') known.set(object.name, object.labels)
  return new Map([...known].map(([name, labels]) => [name, new Map([...labels, ['kubernetes.io/metadata.name', name]])]))
}

function matcherOf(field: LabelSelectorField): (labels: Labels) => boolean {
  const selector = {
    matchLabels: new Map(Object.entries(field.matchLabels ?? {})),
    matchExpressions: (field.matchExpressions ?? []).map(one => ({ ...one, values: one.values ?? [] })),
  }
  return labels => selectorMatches(selector, labels)
}

function* ofSubstance(spec: BudgetSpec): Generator<string> {
  if ([spec.limits, spec.permissions, spec.reservation, spec.steering, spec.waste].every(part => part === undefined))
    yield 'spec: declares neither limits nor permissions nor reservation, so that it only makes its calls known'
  const gateway = spec.targetRefs?.find(target => target.kind === 'Gateway')
  if (gateway !== undefined)
    yield `spec.targetRefs: binds only calls that are known to come through the Gateway ${gateway.name}: by its HTTPRoutes with --policies kubernetes, by Envoy Gateway's virtual hosts, or by the initial metadata x-purser-gateway`
  const section = spec.targetRefs?.find(target => target.sectionName !== undefined)
  if (section !== undefined)
    yield `spec.targetRefs: where it is not known, as in a folder without Kubernetes, all of the ${section.kind} ${section.name} is bound, not only ${section.sectionName}`
}

/** Only where it is not known which headers are trusted; where it is, an untrusted one is a problem. */
function* ofHeaders(spec: Pick<BudgetSpec, 'match' | 'limits'>, { trustedHeaders }: CheckContext): Generator<string> {
  if (trustedHeaders !== null) return
  const selectors = [...(spec.match?.subjects ?? []), ...(spec.limits ?? []).flatMap(limit => limit.partitionBy ?? [])]
  const headers = new Set(selectors.flatMap(({ header }) => (header === undefined ? [] : [header.toLowerCase()])))
  for (const header of headers)
    yield `spec: selects by the header ${header}, which serve must be told to trust: --trusted-headers ${header}`
}

function* ofExpiry({ expiresAt, disabled }: { readonly expiresAt?: string; readonly disabled: boolean }, nowMs: number): Generator<string> {
  if (disabled) yield 'spec.disabled: calls with this key are refused'
  else if (expiresAt !== undefined && instantMs(expiresAt) <= nowMs)
    yield `spec.expiresAt: calls with this key are refused since ${expiresAt}`
}
