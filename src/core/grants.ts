// Grants: dated increases of a limit. What a limit amounts to at an instant, and under which version, the same on every replica and without
// anybody writing anything when one begins or ends. Outlives every policy set; is told the time.
import { type LimitVersion, type Unit, unitPlaces } from './budget.ts'
import type { BoundLimit, DeclaredLimit, Limit, Policy, PolicyName } from './policy.ts'
import type { ShareBook, SharedBy } from './shares.ts'
import type { ObjectName } from './subject.ts'
import { windowText } from './window.ts'

export interface Grant extends ObjectName {
  readonly policy: PolicyName
  readonly limit: string
  /** The one partition that is increased, a value a selector; null for every partition. */
  readonly partition: readonly string[] | null
  /** In billionths of the limit's unit, which only the limit knows. */
  readonly billionths: bigint
  readonly createdMs: number
  /** Counts from `startsMs` on and no more from `expiresMs` on. */
  readonly startsMs: number
  readonly expiresMs: number
}

/** What may increase one limit: its grants, of these namespaces only; of any for null. */
export interface Granted {
  readonly grants: LimitGrants
  readonly from: readonly string[] | null
}

/** One partition's part of a budget that several share. */
export interface Share extends SharedBy {
  readonly book: ShareBook
}

/** A limit as it stands at an instant. */
export interface LimitAt {
  readonly amount: bigint
  readonly version: LimitVersion
}

/** Amounts above this are cut to it: what a ledger counts exactly. */
const AMOUNT_TOP = 10n ** 18n
const BILLION = 10n ** 9n
/** How long after its end a grant that was taken away may still be believed in by a replica that has not heard of it. */
const REMEMBER_MS = 600_000
const WITHDRAWN_MAX = 100

/** A limit of a policy set: its amount for a partition (empty for none) at an instant, and the version that it has with its grants. */
export function limitAt({ limit, version, granted }: Granting, partition: readonly string[], nowMs: number): LimitAt {
  const { grants, from } = granted
  const grantMs = grants.version(nowMs)
  if (grantMs === 0) return { amount: limit.amount, version }
  let amount = limit.amount
  for (const grant of grants.current(nowMs)) {
    if (isOf(grant, partition) && (from === null || from.includes(grant.namespace))) amount += inUnit(grant, limit.unit) ?? 0n
  }
  return { amount: amount > AMOUNT_TOP ? AMOUNT_TOP : amount, version: { ...version, grantMs } }
}

/** A limit as it binds a call at an instant: the amount of its budget, or of its partition's share of one. */
export function boundAt(bound: BoundLimit, nowMs: number): LimitAt {
  if (bound.share === null) return limitAt(bound, bound.partition, nowMs)
  return bound.share.book.shareAt(bound.share, windowText(bound.window(nowMs)), limitAt(bound, [], nowMs), nowMs)
}

/** A declared limit with the amount that it has at an instant; of its partitions, those with a grant of their own have more. */
export const declaredAt = (declared: DeclaredLimit, nowMs: number): DeclaredLimit => ({
  ...declared,
  limit: { ...declared.limit, amount: limitAt(declared, [], nowMs).amount },
})

/** Whether a limit has one budget under its own key: it is not partitioned, or its partitions share it. */
export const isOneBudget = ({ limit }: Pick<Granting, 'limit'>): boolean => limit.partitionBy.length === 0 || limit.fairShare

/** What {@link limitAt} has to know. */
interface Granting {
  readonly limit: Limit
  readonly version: LimitVersion
  readonly granted: Granted
}

/** Whoever may write grants in a namespace increases its limits; those of the whole cluster, and of experiments, only where it is said. */
export const grantedTo = (policy: Policy, limit: Limit, book: GrantBook): Granted => ({
  grants: book.of(policy, limit.name),
  from: policy.grantNamespaces,
})

/** The grants of one limit. */
export class LimitGrants {
  readonly #grants = new Map<string, Grant>()
  /** Those that were taken away: replicas that have not heard of that yet still bring their instants. */
  #withdrawn: readonly Grant[] = []
  /** When one was last seen to go or to change. */
  #changedMs = 0

  /** Those that count at an instant. */
  current(nowMs: number): readonly Grant[] {
    return [...this.#grants.values()].filter(grant => grant.startsMs <= nowMs && nowMs < grant.expiresMs)
  }

  put(grant: Grant, nowMs: number): void {
    const name = nameOf(grant)
    const before = this.#grants.get(name)
    if (before !== undefined && sameGrant(before, grant)) return
    if (before !== undefined) this.#withdraw(before, nowMs)
    this.#grants.set(name, grant)
  }

  remove(grant: ObjectName, nowMs: number): void {
    const before = this.#grants.get(nameOf(grant))
    if (before === undefined) return
    this.#withdraw(before, nowMs)
    this.#grants.delete(nameOf(grant))
  }

  /** Where no grant is left, nobody misses it. */
  get isEmpty(): boolean {
    return this.#grants.size === 0 && this.#withdrawn.length === 0
  }

  #withdraw(grant: Grant, nowMs: number): void {
    const kept = this.#withdrawn.filter(one => one.expiresMs + REMEMBER_MS > nowMs).slice(-WITHDRAWN_MAX)
    this.#withdrawn = [...kept, grant]
    this.#changedMs = Math.max(nowMs, this.#changedMs)
  }

  /**
   * The newest instant at which a grant was created, changed, began, ended or went, in thousandths of a ms: API servers tell the second of
   * a creation only, so the number of such events is added, and another grant makes a newer version in whatever order replicas hear of them.
   */
  version(nowMs: number): number {
    // Most limits never had one, and every line of every call asks.
    if (this.isEmpty) return 0
    const { newestMs, count } = this.#events(nowMs)
    return newestMs * 1_000 + Math.min(count, 999)
  }

  #events(nowMs: number): { readonly newestMs: number; readonly count: number } {
    const events = [...this.#grants.values(), ...this.#withdrawn].flatMap(grant => eventsOf(grant, nowMs))
    const newestMs = events.reduce((newest, ms) => Math.max(newest, ms), this.#changedMs)
    return { newestMs, count: events.length + this.#withdrawn.length }
  }
}

/** When what has happened to a grant by now happened, in ms. */
const eventsOf = ({ createdMs, startsMs, expiresMs }: Grant, nowMs: number): readonly number[] => [
  createdMs,
  ...[startsMs, expiresMs].filter(ms => ms <= nowMs),
]

/** Every grant that is known, by the limit that it increases. */
export class GrantBook {
  readonly #limits = new Map<string, LimitGrants>()
  readonly #all = new Map<string, Grant>()

  /** The grants of a limit, those to come included. */
  of(policy: PolicyName, limit: string): LimitGrants {
    const id = limitId(policy, limit)
    const known = this.#limits.get(id)
    if (known !== undefined) return known
    const fresh = new LimitGrants()
    this.#limits.set(id, fresh)
    return fresh
  }

  put(grant: Grant, nowMs: number): void {
    const before = this.#all.get(nameOf(grant))
    if (before !== undefined && limitId(before.policy, before.limit) !== limitId(grant.policy, grant.limit)) this.remove(before, nowMs)
    this.#all.set(nameOf(grant), grant)
    this.of(grant.policy, grant.limit).put(grant, nowMs)
  }

  remove(name: ObjectName, nowMs: number): void {
    const grant = this.#all.get(nameOf(name))
    if (grant === undefined) return
    this.#all.delete(nameOf(name))
    this.of(grant.policy, grant.limit).remove(grant, nowMs)
  }

  /** These and no others. */
  replace(grants: readonly Grant[], nowMs: number): void {
    const kept = new Set(grants.map(nameOf))
    for (const [name, grant] of this.#all) if (!kept.has(name)) this.remove(grant, nowMs)
    for (const grant of grants) this.put(grant, nowMs)
  }

  /** Forgets a limit that is gone, unless there are grants for it. */
  forget(policy: PolicyName, limit: string): void {
    const id = limitId(policy, limit)
    if (this.#limits.get(id)?.isEmpty === true) this.#limits.delete(id)
  }

  all(): readonly Grant[] {
    return [...this.#all.values()]
  }
}

/** Why a grant increases nothing, in a sentence; null where it will. `policy` is the one that it names, null where there is none. */
export function grantFault(grant: Grant, policy: Policy | null): string | null {
  const { scope, namespace, name } = grant.policy
  const title = `${scope} ${namespace === '' ? '' : `${namespace}/`}${name}`
  if (policy === null) return `there is no ${title}`
  const limit = policy.limits.find(one => one.name === grant.limit)
  if (limit === undefined) return `${title} has no limit ${grant.limit}`
  if (policy.grantNamespaces?.includes(grant.namespace) === false) return `${title} takes no grants from the namespace ${grant.namespace}`
  if (inUnit(grant, limit.unit) === null) return `${limit.unit} are counted whole: an amount without a fraction`
  if (limit.fairShare && grant.partition !== null) return 'the limit is shared by its partitions: only the whole of it can be increased'
  const values = grant.partition?.length ?? limit.partitionBy.length
  return values === limit.partitionBy.length
    ? null
    : `the limit has ${limit.partitionBy.length} selectors in partitionBy, and the partition ${values} values`
}

/** The amount in a limit's unit; null where the unit has no such fractions. */
function inUnit({ billionths }: Grant, unit: Unit): bigint | null {
  const parts = BILLION / 10n ** BigInt(unitPlaces(unit))
  return billionths % parts === 0n ? billionths / parts : null
}

const isOf = (grant: Grant, partition: readonly string[]): boolean =>
  grant.partition === null ||
  (grant.partition.length === partition.length && grant.partition.every((value, index) => value === partition[index]))

const sameGrant = (a: Grant, b: Grant): boolean =>
  a.billionths === b.billionths &&
  a.startsMs === b.startsMs &&
  a.expiresMs === b.expiresMs &&
  a.createdMs === b.createdMs &&
  samePartition(a, b)

const samePartition = (a: Grant, b: Grant): boolean => JSON.stringify(a.partition) === JSON.stringify(b.partition)

const nameOf = ({ namespace, name }: ObjectName): string => `${namespace}/${name}`

const limitId = ({ scope, namespace, name }: PolicyName, limit: string): string => `${scope} ${namespace}/${name} ${limit}`
