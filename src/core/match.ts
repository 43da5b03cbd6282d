// Matching: whether a policy covers a namespace, a subject, and a call. Compiled once a policy; asked once a call.
import { assertNever } from './assert.ts'
import { compileGlobs, type GlobSet } from './glob.ts'
import type { LabelSelector, Match, Policy, TargetRef } from './policy.ts'
import { type ObjectName, type Selector, type Subject, selectValues } from './subject.ts'

/** What permissions and `match` are asked about a call. `provider` null: not known. */
export interface CallNames {
  readonly models: readonly string[]
  readonly provider: string | null
  readonly endpoint: string
}

/** A policy's conditions, compiled. */
export interface Matcher {
  /** Targets, subjects and the AccessKey's labels: all that is known before the body is read. Namespaces are the caller's business. */
  coversSubject(subject: Subject): boolean
  coversModel(model: string): boolean
  coversProvider(provider: string | null): boolean
}

const ANYTHING = (): boolean => true

/** Compiles the conditions of `policy`; an empty stanza covers everything. */
export function compileMatcher(policy: Policy): Matcher {
  const { match, targets } = policy
  const entries = match.subjects.map(compileEntry)
  const models = compileStanza(match.models)
  const providers = compileStanza(match.providers)
  return {
    coversSubject: subject =>
      (targets.length === 0 || targets.some(target => isTarget(target, policy, subject))) &&
      (match.accessKeyLabels === null ||
        (subject.accessKey !== null && selectorMatches(match.accessKeyLabels, subject.accessKey.labels))) &&
      (entries.length === 0 || entries.some(covers => covers(subject))),
    coversModel: models,
    // A provider that is not known may be any of them: what would bind if it were known binds.
    coversProvider: provider => provider === null || providers(provider),
  }
}

/** Kubernetes' meaning of a label selector: all of `matchLabels` and of `matchExpressions` must hold; an empty one matches everything. */
export function selectorMatches(selector: LabelSelector, labels: ReadonlyMap<string, string>): boolean {
  for (const [key, value] of selector.matchLabels) if (labels.get(key) !== value) return false
  return selector.matchExpressions.every(({ key, operator, values }) => {
    const value = labels.get(key)
    switch (operator) {
      case 'In':
        return value !== undefined && values.includes(value)
      case 'NotIn':
        return value === undefined || !values.includes(value)
      case 'Exists':
        return value !== undefined
      case 'DoesNotExist':
        return value === undefined
      default:
        return assertNever(operator)
    }
  })
}

const compileStanza = (globs: readonly string[]): GlobSet => (globs.length === 0 ? ANYTHING : compileGlobs(globs, 'ignore-case'))

/** One entry of `match.subjects`: any selected value suffices; without `values`, that there is one. */
function compileEntry(entry: Match['subjects'][number]): (subject: Subject) => boolean {
  const selector: Selector = entry.selector
  const covers = entry.values.length === 0 ? ANYTHING : compileGlobs(entry.values, 'exact')
  return subject => selectValues(subject, selector).some(covers)
}

/**
 * Targets are of the policy's namespace; those of a cluster-scoped policy may be in any. What cannot be told (which rule, which listener,
 * which Gateway) may be the target: the policy binds.
 */
function isTarget(target: TargetRef, policy: Policy, { route, gateways }: Subject): boolean {
  const isNamed = ({ namespace, name }: ObjectName): boolean =>
    name === target.name && (policy.scope === 'ClusterBudgetPolicy' || namespace === policy.namespace)
  const isSection = (sections: readonly string[] | null): boolean =>
    target.section === null || sections === null || sections.includes(target.section)
  if (target.kind === 'HTTPRoute') return isNamed(route) && isSection(route.rule === null ? null : [route.rule])
  return gateways === null || gateways.some(gateway => isNamed(gateway) && isSection(gateway.sections))
}
