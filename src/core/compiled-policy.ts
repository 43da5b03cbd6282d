// One policy, compiled: what it covers, its limits with their keys, and what several of them mean for a call. Knows no other policies.
import { assertNever } from './assert.ts'
import { type BudgetKey, budgetKey, partitionKey } from './budget.ts'
import { mergeConcessions } from './concessions.ts'
import { type CallNames, compileMatcher, type Matcher } from './match.ts'
import { type PartitionRegistry, partitionOf, type Sha256 } from './partition.ts'
import type { Binding, BoundLimit, DeclaredLimit, Limit, Policy, PolicyName, SubjectBinding } from './policy.ts'
import { compilePermissions, mergeRules, type PermissionCheck, policyName } from './rules.ts'
import { NO_VALUE, OTHER_VALUE, type Subject, withGivenAttributes } from './subject.ts'
import { windowClock } from './window.ts'

export interface PolicySetOptions {
  readonly sha256: Sha256
  readonly partitions: PartitionRegistry
  /** Longer partition values are kept as their SHA-256. */
  readonly partitionBytesMax: number
}

export interface CompiledPolicy {
  readonly policy: Policy
  readonly name: PolicyName
  readonly matcher: Matcher
  readonly lacks: PermissionCheck
  readonly limits: readonly CompiledLimit[]
  /** The same policy, enforced, where it only audits. */
  readonly enforced: CompiledPolicy | null
}

export interface CompiledLimit {
  readonly limit: Limit
  /** The key without a partition. */
  readonly key: BudgetKey
  bind(subject: Subject): BoundLimit
}

export function compilePolicy(policy: Policy, options: PolicySetOptions): CompiledPolicy {
  const matcher = compileMatcher(policy)
  return {
    policy,
    name: policyName(policy),
    matcher,
    lacks: policy.audit ? () => null : compilePermissions(policy.permissions, matcher),
    limits: policy.limits.map(limit => compileLimit(policy, limit, options)),
    enforced: policy.audit ? compilePolicy({ ...policy, audit: false }, options) : null,
  }
}

/** Its limits as declared. */
export const declaredLimits = ({ policy, name, limits }: CompiledPolicy): readonly DeclaredLimit[] =>
  limits.map(({ limit, key }) => ({ policy: name, limit, key, version: policy.version }))

/** A policy that covers a subject; by which of its routes, where it may take two. */
export interface Covering {
  readonly compiled: CompiledPolicy
  readonly subject: Subject
}

/** What these policies mean for their subject and its calls. `at`: see `SubjectBinding`. */
export function bindingOf(covering: readonly Covering[], at: SubjectBinding['at']): SubjectBinding {
  const policies = covering.map(({ compiled }) => compiled.policy)
  const rules = mergeRules(policies)
  const concessions = mergeConcessions(policies)
  return {
    policies,
    rules,
    at,
    bind: call => {
      const binding = covering.filter(({ compiled }) => coversCall(compiled.matcher, call))
      const same = binding.length === covering.length
      const bound = same ? policies : binding.map(({ compiled }) => compiled.policy)
      return {
        policies: bound,
        limits: binding.flatMap(({ compiled, subject }) => compiled.limits.map(limit => limit.bind(subject))),
        rules: same ? rules : mergeRules(bound),
        concessions: same ? concessions : mergeConcessions(bound),
        forbidden: firstForbidden(
          binding.map(({ compiled }) => compiled),
          call,
        ),
      }
    },
    asEnforced: policies.some(policy => policy.audit)
      ? () =>
          bindingOf(
            covering.map(({ compiled, subject }) => ({ compiled: compiled.enforced ?? compiled, subject })),
            at,
          )
      : null,
  }
}

/** The subject as the limits of a policy see it. `isTrusted`: whether all take its attributes as they are. */
export function seenBy(subject: Subject, isTrusted: boolean): (policy: Policy) => Subject {
  let given: Subject | null = isTrusted ? subject : null
  return ({ namespace }) => {
    if (subject.accessKey === null || namespace === subject.accessKey.namespace) return subject
    given ??= withGivenAttributes(subject)
    return given
  }
}

/** Widest scope first, then by name: the order in which limits are listed and policies explain themselves. */
export function byName({ name: a }: { readonly name: PolicyName }, { name: b }: { readonly name: PolicyName }): number {
  return scopeRank(a.scope) - scopeRank(b.scope) || compareText(a.namespace, b.namespace) || compareText(a.name, b.name)
}

function compileLimit(policy: Policy, limit: Limit, { partitions, sha256, partitionBytesMax }: PolicySetOptions): CompiledLimit {
  const { scope, namespace, name, version, response } = policy
  const limitKey = budgetKey({ scope, namespace, policy: name, limit: limit.name, unit: limit.unit, window: limit.window, partition: [] })
  const window = windowClock(limit.window)
  const bound = (key: BudgetKey, partition: readonly string[]): BoundLimit => ({
    key,
    policy: { scope, namespace, name },
    limit,
    partition,
    version,
    hard: !policy.audit,
    response,
    window,
  })
  const whole = bound(limitKey, [])
  if (limit.partitionBy.length === 0) return { limit, key: whole.key, bind: () => whole }
  const shared = (value: string): BoundLimit => {
    const partition = limit.partitionBy.map(() => value)
    return bound(partitionKey(limitKey, partition), partition)
  }
  const [others, nones] = [shared(OTHER_VALUE), shared(NO_VALUE)]
  return {
    limit,
    key: whole.key,
    bind: subject => {
      const partition = partitionOf(subject, limit.partitionBy, partitionBytesMax, sha256)
      if (partition.every(value => value === NO_VALUE)) return nones
      const key = partitionKey(limitKey, partition)
      return partitions.admit(whole.key, key, limit.maxPartitions) ? bound(key, partition) : others
    },
  }
}

/** A limit binds if any model that may answer is covered; a call that names none may be of any model. */
const coversCall = (matcher: Matcher, { models, provider }: CallNames): boolean =>
  matcher.coversProvider(provider) && (models.length === 0 || models.some(matcher.coversModel))

function firstForbidden(binding: readonly CompiledPolicy[], call: CallNames): Binding['forbidden'] {
  for (const one of binding) {
    const lacking = one.lacks(call)
    if (lacking !== null) return { ...lacking, policy: one.name }
  }
  return null
}

function scopeRank(scope: Policy['scope']): number {
  switch (scope) {
    case 'ClusterBudgetPolicy':
      return 0
    case 'BudgetPolicy':
      return 1
    case 'AccessKey':
      return 2
    default:
      return assertNever(scope)
  }
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
