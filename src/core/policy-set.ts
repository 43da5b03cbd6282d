// The policy set: policies compiled and indexed by namespace, so that a call looks at those that could bind it and at no other.
import { assert, assertNever } from './assert.ts'
import { type BudgetKey, budgetKey, partitionKey } from './budget.ts'
import { type CallNames, compileMatcher, type Matcher, selectorMatches } from './match.ts'
import { type PartitionRegistry, partitionOf, type Sha256 } from './partition.ts'
import type {
  AccessKey,
  Binding,
  BoundLimit,
  DeclaredLimit,
  Limit,
  Policy,
  PolicyName,
  PolicySet,
  PriceList,
  SubjectBinding,
} from './policy.ts'
import { compilePermissions, mergeRules, type PermissionCheck, policyName } from './rules.ts'
import { NO_VALUE, OTHER_VALUE, type Subject } from './subject.ts'
import { windowClock } from './window.ts'

/** What a set is made of. Policies of scope `AccessKey` carry the name of their key. Names are unique within scope and namespace. */
export interface PolicySetParts {
  readonly policies: readonly Policy[]
  readonly accessKeys: readonly AccessKey[]
  readonly priceLists: readonly PriceList[]
  /** Labels of the known namespaces; every namespace has `kubernetes.io/metadata.name` besides. */
  readonly namespaces: ReadonlyMap<string, ReadonlyMap<string, string>>
}

export interface PolicySetOptions {
  readonly sha256: Sha256
  readonly partitions: PartitionRegistry
  /** Longer partition values are kept as their SHA-256. */
  readonly partitionBytesMax: number
}

interface CompiledLimit {
  readonly limit: Limit
  /** The key without a partition. */
  readonly key: BudgetKey
  bind(subject: Subject): BoundLimit
}

interface CompiledPolicy {
  readonly policy: Policy
  readonly name: PolicyName
  readonly order: number
  readonly matcher: Matcher
  readonly lacks: PermissionCheck
  readonly limits: readonly CompiledLimit[]
}

const NAMES_REMEMBERED_MAX = 1_024
const NAMESPACE_NAME_LABEL = 'kubernetes.io/metadata.name'

/** Compiles a set; the answer does not depend on the order of the parts. Duplicate names and key hashes are programmer errors. */
export function compilePolicySet(parts: PolicySetParts, options: PolicySetOptions): PolicySet {
  const compiled = [...parts.policies].sort(byName).map((policy, order) => compilePolicy(policy, order, options))
  compiled.forEach(({ policy }, order) => {
    const before = compiled[order - 1]
    assert(before === undefined || byName(before.policy, policy) !== 0, `one ${policy.scope} ${policy.namespace}/${policy.name}`)
  })
  const candidates = indexByNamespace(compiled, parts.namespaces)
  const ofKeys = new Map(compiled.filter(isOfKey).map(one => [`${one.policy.namespace}/${one.policy.name}`, one]))
  const keys = new Map(parts.accessKeys.flatMap(key => key.keyHashes.map(hash => [hash, key] as const)))
  assert(keys.size === parts.accessKeys.reduce((count, key) => count + key.keyHashes.length, 0), 'a key hash is held once')
  const declared = compiled.flatMap(one => one.limits.map(limit => declaredLimit(one, limit)))
  return {
    priceLists: [...parts.priceLists].sort((a, b) => b.priority - a.priority || compareText(a.name, b.name)),
    keyByHash: hash => keys.get(hash) ?? null,
    declared: () => declared,
    bindSubject: subject => {
      const { accessKey } = subject
      const found = candidates(subject.route.namespace, accessKey?.namespace ?? null).filter(one => one.matcher.coversSubject(subject))
      const own = accessKey === null ? undefined : ofKeys.get(`${accessKey.namespace}/${accessKey.name}`)
      return bindingOf(own === undefined ? found : [...found, own], subject)
    },
  }
}

const isOfKey = ({ policy }: CompiledPolicy): boolean => policy.scope === 'AccessKey'

/** The policies, AccessKeys' apart, that could bind in either of two namespaces, each once and in order. */
function indexByNamespace(
  compiled: readonly CompiledPolicy[],
  namespaces: PolicySetParts['namespaces'],
): (route: string, key: string | null) => readonly CompiledPolicy[] {
  const clusterWide = compiled.filter(({ policy }) => policy.scope === 'ClusterBudgetPolicy')
  const local = Map.groupBy(
    compiled.filter(({ policy }) => policy.scope === 'BudgetPolicy'),
    ({ policy }) => policy.namespace,
  )
  const lookUp = (namespace: string): readonly CompiledPolicy[] => {
    const labels = new Map([...(namespaces.get(namespace) ?? []), [NAMESPACE_NAME_LABEL, namespace]])
    const selected = clusterWide.filter(
      ({ policy }) => policy.namespaceSelector === null || selectorMatches(policy.namespaceSelector, labels),
    )
    return [...selected, ...(local.get(namespace) ?? [])]
  }
  const remembered = new Map<string, readonly CompiledPolicy[]>()
  const ofNamespace = (namespace: string): readonly CompiledPolicy[] => {
    const known = remembered.get(namespace)
    if (known !== undefined) return known
    // Names come with calls: forgetting all of them now and then bounds what a stranger can make us remember.
    if (remembered.size >= NAMES_REMEMBERED_MAX) remembered.clear()
    const found = lookUp(namespace)
    remembered.set(namespace, found)
    return found
  }
  return (route, key) => {
    const ofRoute = ofNamespace(route)
    if (key === null || key === route) return ofRoute
    return [...new Set([...ofRoute, ...ofNamespace(key)])].sort((a, b) => a.order - b.order)
  }
}

function compilePolicy(policy: Policy, order: number, options: PolicySetOptions): CompiledPolicy {
  const matcher = compileMatcher(policy)
  return {
    policy,
    name: policyName(policy),
    order,
    matcher,
    lacks: policy.audit ? () => null : compilePermissions(policy.permissions, matcher),
    limits: policy.limits.map(limit => compileLimit(policy, limit, options)),
  }
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

function bindingOf(compiled: readonly CompiledPolicy[], subject: Subject): SubjectBinding {
  const policies = compiled.map(one => one.policy)
  const rules = mergeRules(policies)
  return {
    policies,
    rules,
    bind: call => {
      const binding = compiled.filter(one => coversCall(one.matcher, call))
      const same = binding.length === compiled.length
      const bound = same ? policies : binding.map(one => one.policy)
      return {
        policies: bound,
        limits: binding.flatMap(one => one.limits.map(limit => limit.bind(subject))),
        rules: same ? rules : mergeRules(bound),
        forbidden: firstForbidden(binding, call),
      }
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

const declaredLimit = ({ policy, name }: CompiledPolicy, { limit, key }: CompiledLimit): DeclaredLimit => ({
  policy: name,
  limit,
  key,
  version: policy.version,
})

/** Widest scope first, then by name: the order in which limits are listed and policies explain themselves. */
function byName(a: Policy, b: Policy): number {
  return scopeRank(a.scope) - scopeRank(b.scope) || compareText(a.namespace, b.namespace) || compareText(a.name, b.name)
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
