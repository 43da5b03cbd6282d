// The policy index: policies by namespace, so that a call looks at those that could bind it and at no other, and changed one object at a
// time, so that a change costs as much as it changes. Never holds an object that was not put.
import { assert } from './assert.ts'
import { bindingOf, byName, type CompiledPolicy, compilePolicy, declaredLimits, type PolicySetOptions, seenBy } from './compiled-policy.ts'
import { selectorMatches } from './match.ts'
import type { AccessKey, DeclaredLimit, Policy, PolicyName, PolicySet, PriceList, SubjectBinding } from './policy.ts'
import { RouteTable } from './route-table.ts'
import type { ObjectName, Subject } from './subject.ts'
import { type TargetFacts, targetFacts } from './target-facts.ts'

type Labels = ReadonlyMap<string, string>

const NAMES_REMEMBERED_MAX = 1_024
const NAMESPACE_NAME_LABEL = 'kubernetes.io/metadata.name'
/** Namespaces whose AccessKeys' attributes everybody takes as they are. */
const TRUSTED_SUBJECTS_LABEL = 'purser.dev/trusted-subjects'

export class PolicyIndex implements PolicySet {
  readonly routes: RouteTable = new RouteTable()
  readonly #options: PolicySetOptions
  readonly #clusterWide = new Map<string, CompiledPolicy>()
  readonly #local = new Map<string, Map<string, CompiledPolicy>>()
  /** Of AccessKeys, by namespace/name. */
  readonly #own = new Map<string, CompiledPolicy>()
  readonly #keys = new Map<string, AccessKey>()
  readonly #namespaces = new Map<string, Labels>()
  #priceLists: readonly PriceList[] = []
  /** The policies that could bind in a namespace, in order; made when it is asked for. */
  readonly #candidates = new Map<string, readonly CompiledPolicy[]>()
  #declared: readonly DeclaredLimit[] | null = null
  #steers: boolean | null = null

  constructor(options: PolicySetOptions) {
    this.#options = options
  }

  get priceLists(): readonly PriceList[] {
    return this.#priceLists
  }

  keyByHash(hash: string): AccessKey | null {
    return this.#keys.get(hash) ?? null
  }

  declared(): readonly DeclaredLimit[] {
    this.#declared ??= [this.#clusterWide, ...this.#local.values(), this.#own]
      .flatMap(shelf => [...shelf.values()])
      .sort(byName)
      .flatMap(declaredLimits)
    return this.#declared
  }

  bindSubject(subject: Subject): SubjectBinding {
    return this.#bind([subject])
  }

  steers(): boolean {
    this.#steers ??= [this.#clusterWide, ...this.#local.values()].some(shelf =>
      [...shelf.values()].some(({ policy }) => policy.concessions.steering.length > 0),
    )
    return this.#steers
  }

  /** The subject by its own route, or by another and its own: each policy covers it by the first of them that it can. */
  #bind(ways: readonly [Subject, ...Subject[]]): SubjectBinding {
    const subject = ways[ways.length - 1] ?? ways[0]
    const { accessKey, route } = subject
    const candidates = this.#in([...ways.map(way => way.route.namespace), ...(accessKey === null ? [] : [accessKey.namespace])])
    const isTrusted = accessKey === null || this.#namespaces.get(accessKey.namespace)?.get(TRUSTED_SUBJECTS_LABEL) === 'true'
    const seen = ways.map(way => ({ way, by: seenBy(way, isTrusted) }))
    const covering = candidates.flatMap(compiled => {
      const covered = seen.find(({ way }) => compiled.matcher.coversSubject(way))
      return covered === undefined ? [] : [{ compiled, subject: covered.by(compiled.policy) }]
    })
    const own = accessKey === null ? undefined : this.#own.get(`${accessKey.namespace}/${accessKey.name}`)
    return bindingOf(own === undefined ? covering : [...covering, { compiled: own, subject: ways[0] }], ({ namespace, name }) =>
      this.#bind([{ ...subject, route: { namespace: namespace ?? route.namespace, name, rule: null } }, subject]),
    )
  }

  /** The limits of one policy; none where there is no such policy. */
  limitsOf(name: PolicyName): readonly DeclaredLimit[] {
    const compiled = this.#shelf(name)?.get(shelfName(name))
    return compiled === undefined ? [] : declaredLimits(compiled)
  }

  /** What its targets come to by now; null where there is no such policy. */
  targetFacts(name: PolicyName): TargetFacts | null {
    const policy = this.#shelf(name)?.get(shelfName(name))?.policy
    if (policy === undefined) return null
    return targetFacts(policy, this.routes, namespace => selects(policy, this.#labelsOf(namespace)))
  }

  /** Puts a policy in the place of the one of its scope, namespace and name. */
  put(policy: Policy): void {
    const shelf = this.#shelf(policy) ?? new Map<string, CompiledPolicy>()
    if (policy.scope === 'BudgetPolicy') this.#local.set(policy.namespace, shelf)
    shelf.set(shelfName(policy), compilePolicy(policy, this.#options))
    this.#forgetCandidates(policy)
  }

  remove(name: PolicyName): void {
    this.#shelf(name)?.delete(shelfName(name))
    if (name.scope === 'BudgetPolicy' && this.#local.get(name.namespace)?.size === 0) this.#local.delete(name.namespace)
    this.#forgetCandidates(name)
  }

  /** A hash is held by one key: another that holds it is a programmer error. */
  putKey(key: AccessKey): void {
    for (const hash of key.keyHashes) {
      assert(!this.#keys.has(hash), 'a key hash is held once')
      this.#keys.set(hash, key)
    }
  }

  removeKey(key: AccessKey): void {
    for (const hash of key.keyHashes) if (this.#keys.get(hash) === key) this.#keys.delete(hash)
  }

  putPriceList(list: PriceList): void {
    const others = this.#priceLists.filter(({ name }) => name !== list.name)
    this.#priceLists = [...others, list].sort((a, b) => b.priority - a.priority || (a.name < b.name ? -1 : 1))
  }

  removePriceList(name: string): void {
    this.#priceLists = this.#priceLists.filter(list => list.name !== name)
  }

  putNamespace(name: string, labels: Labels): void {
    this.#namespaces.set(name, labels)
    this.#candidates.delete(name)
  }

  removeNamespace(name: string): void {
    this.#namespaces.delete(name)
    this.#candidates.delete(name)
  }

  #shelf({ scope, namespace }: Pick<PolicyName, 'scope' | 'namespace'>): Map<string, CompiledPolicy> | undefined {
    return scope === 'ClusterBudgetPolicy' ? this.#clusterWide : scope === 'AccessKey' ? this.#own : this.#local.get(namespace)
  }

  #forgetCandidates({ scope, namespace }: Pick<PolicyName, 'scope' | 'namespace'>): void {
    this.#declared = null
    this.#steers = null
    if (scope === 'ClusterBudgetPolicy') this.#candidates.clear()
    else this.#candidates.delete(namespace)
  }

  /** The policies, AccessKeys' apart, that could bind in any of these namespaces, each once and in order. */
  #in(namespaces: readonly string[]): readonly CompiledPolicy[] {
    const [first = '', ...others] = new Set(namespaces)
    if (others.length === 0) return this.#candidatesOf(first)
    return [...new Set([first, ...others].flatMap(namespace => this.#candidatesOf(namespace)))].sort(byName)
  }

  #labelsOf(namespace: string): Labels {
    return new Map([...(this.#namespaces.get(namespace) ?? []), [NAMESPACE_NAME_LABEL, namespace]])
  }

  #candidatesOf(namespace: string): readonly CompiledPolicy[] {
    const known = this.#candidates.get(namespace)
    if (known !== undefined) return known
    // Names come with calls: forgetting all of them now and then bounds what a stranger can make us remember.
    if (this.#candidates.size >= NAMES_REMEMBERED_MAX) this.#candidates.clear()
    const labels = this.#labelsOf(namespace)
    const selected = [...this.#clusterWide.values()].filter(({ policy }) => selects(policy, labels))
    const found = [...selected, ...(this.#local.get(namespace)?.values() ?? [])].sort(byName)
    this.#candidates.set(namespace, found)
    return found
  }
}

const selects = ({ namespaceSelector }: Policy, labels: Labels): boolean =>
  namespaceSelector === null || selectorMatches(namespaceSelector, labels)

const shelfName = ({ scope, namespace, name }: ObjectName & Pick<PolicyName, 'scope'>): string =>
  scope === 'AccessKey' ? `${namespace}/${name}` : name
