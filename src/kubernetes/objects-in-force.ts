// The objects of a cluster as the policies in force: each is checked by itself, and a faulty one keeps its last good state and stops no
// other. Knows no API and no time.
import type { PolicySetOptions } from '../core/compiled-policy.ts'
import { PolicyIndex } from '../core/policy-index.ts'
import type { PolicySetParts } from '../core/policy-set.ts'
import { type CheckContext, checkObject } from '../objects/check-object.ts'
import { pathText } from '../objects/finding.ts'
import { instantMs } from '../objects/instant.ts'
import type { AcceptedObject } from '../objects/objects.ts'
import { partsOf } from '../objects/parts.ts'
import { restartedLimits } from '../objects/restarts.ts'
import { type Contest, KeyClaims } from './key-claims.ts'
import { keyOf, type RawObject } from './raw-object.ts'

/** What became of an object. */
export interface Judged {
  /** What is wrong with it, as `BudgetPolicy team/budget: field: what`; empty where it is in force as it is written. */
  readonly problems: readonly string[]
  /** What its author may not expect. */
  readonly warnings: readonly string[]
  /** What is wrong with the object by itself, as `field: what`; empty where it is accepted. */
  readonly findings: readonly string[]
  /** As it was accepted; null where it is not. */
  readonly accepted: AcceptedObject | null
}

export interface Kind {
  readonly apiVersion: string
  readonly kind: string
}

export class ObjectsInForce {
  readonly index: PolicyIndex
  readonly #claims: KeyClaims
  readonly #context: CheckContext
  readonly #options: PolicySetOptions
  readonly #parts = new Map<string, PolicySetParts>()
  #namespaces = 0

  constructor(context: CheckContext, options: PolicySetOptions) {
    this.#context = context
    this.#options = options
    this.index = new PolicyIndex(options)
    this.#claims = new KeyClaims(this.index)
  }

  /** How many objects of ours are in force; namespaces are none. */
  get count(): number {
    return this.#parts.size - this.#namespaces
  }

  put(kind: Kind, raw: RawObject): Judged {
    const checked = checkObject(asWritten(kind, raw), this.#context)
    if (checked.kind === 'refused') {
      const findings = checked.findings.map(({ path, text }) => `${pathText(path)}: ${text}`)
      return { problems: findings.map(finding => `${checked.title}: ${finding}`), warnings: [], findings, accepted: null }
    }
    const createdMs = instantMs(raw.metadata.creationTimestamp)
    const version = { createdMs, generation: raw.metadata.generation ?? 0, grantMs: 0 }
    const id = idOf(kind, keyOf(raw))
    const before = this.#parts.get(id)
    const parts = partsOf([{ object: checked.object, version }])
    this.#parts.set(id, parts)
    this.#namespaces += parts.namespaces.size - (before?.namespaces.size ?? 0)
    const limitsBefore = (before?.policies ?? []).flatMap(policy => this.index.limitsOf(policy))
    // What stays is replaced in its place, so that no call between sees a policy gone.
    this.#leave(before, parts)
    for (const policy of parts.policies) this.index.put(policy)
    for (const list of parts.priceLists) this.index.putPriceList(list)
    for (const [name, labels] of parts.namespaces) this.index.putNamespace(name, labels)
    const contests = parts.accessKeys.flatMap(key => this.#claims.put(key, createdMs))
    const limitsAfter = parts.policies.flatMap(policy => this.index.limitsOf(policy))
    this.#forgetPartitions(limitsBefore, limitsAfter)
    return {
      problems: contests.map(contest => `AccessKey ${contest.key}: ${contestText(contest)}`),
      warnings: restartedLimits(limitsBefore, limitsAfter),
      findings: [],
      accepted: checked.object,
    }
  }

  /** The hashes of an AccessKey, given as namespace/name, that older ones hold. */
  contestsOf(key: string): readonly string[] {
    return this.#claims.contestsOf(key).map(contestText)
  }

  /** The AccessKeys whose contests may be others since the last one was put or removed. */
  get rivals(): readonly string[] {
    return this.#claims.touched
  }

  remove(kind: Kind, key: string): void {
    const id = idOf(kind, key)
    const before = this.#parts.get(id)
    this.#parts.delete(id)
    this.#namespaces -= before?.namespaces.size ?? 0
    const limits = (before?.policies ?? []).flatMap(policy => this.index.limitsOf(policy))
    this.#leave(before, null)
    this.#forgetPartitions(limits, [])
  }

  /** Takes out what `before` has and `after` has not. An AccessKey may lose its own limits and stay. */
  #leave(before: PolicySetParts | undefined, after: PolicySetParts | null): void {
    if (after === null || after.policies.length === 0) for (const policy of before?.policies ?? []) this.index.remove(policy)
    if (before === undefined || after !== null) return
    for (const key of before.accessKeys) this.#claims.remove(key)
    for (const list of before.priceLists) this.index.removePriceList(list.name)
    for (const name of before.namespaces.keys()) this.index.removeNamespace(name)
  }

  #forgetPartitions(before: ReturnType<PolicyIndex['limitsOf']>, after: ReturnType<PolicyIndex['limitsOf']>): void {
    const kept = new Set(after.map(limit => limit.key))
    for (const { key } of before) if (!kept.has(key)) this.#options.partitions.forget(key)
  }
}

const contestText = ({ at, holder }: Contest): string =>
  `spec.keyHashes[${at}]: is held by the older AccessKey ${holder}, so that it does not count here`

const idOf = ({ kind }: Kind, key: string): string => `${kind} ${key}`

/** Without what servers add, of which newer ones may add more; items of a list may lack their kind. */
const asWritten = ({ apiVersion, kind }: Kind, { metadata: { name, namespace, labels }, spec }: RawObject): unknown => ({
  apiVersion,
  kind,
  metadata: { name, ...(namespace === undefined ? {} : { namespace }), ...(labels === undefined ? {} : { labels }) },
  ...(kind === 'Namespace' ? {} : { spec }),
})
