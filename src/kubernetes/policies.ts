// The Kubernetes API as a source of policies: every kind watched, each change in force as soon as it is read. While the API is away, what
// was read last stays in force.
import { PartitionRegistry } from '../core/partition.ts'
import type { PolicyName, PolicySet } from '../core/policy.ts'
import type { TargetFacts } from '../core/target-facts.ts'
import { PROBLEMS_TOLD_MAX } from '../limits.ts'
import { GROUP_VERSION } from '../objects/crd-schema.ts'
import { policySetOptions } from '../objects/set-options.ts'
import type { Clock, PolicyChange, PolicySource, Random } from '../ports.ts'
import { type Api, connectCluster } from './api.ts'
import { type Judged, type Kind, ObjectsInForce } from './objects-in-force.ts'
import { keyOf, meaningOf, type RawObject } from './raw-object.ts'
import { Reflector } from './reflector.ts'
import { RouteWatch } from './route-watch.ts'

export interface ClusterOptions {
  readonly clock: Clock
  readonly random: Random
  /** Request headers that policies may select by. */
  readonly trustedHeaders: readonly string[]
  /** Default: the cluster that this process's configuration names. */
  readonly api?: Api
  /** For how long the server may be silent, in ms. Default: as limits.ts says. */
  readonly idleMs?: number
  /** Told of every object as it stands, after it is in force. */
  readonly observer?: ClusterObserver
}

export interface ClusterObserver {
  /** `judged` is null where nothing that counts is another than before: a status was written, or an annotation. */
  put(resource: Resource, object: RawObject, judged: Judged | null): void
  removed(resource: Resource, key: string): void
}

export interface ClusterPolicySource extends PolicySource {
  /** Resolves when every kind was read once; before, nothing binds. */
  readonly synced: Promise<void>
  /** The partitions seen: tell it at start what the ledger knows. */
  readonly partitions: PartitionRegistry
  /** What the targets of a policy come to by now; null where no such policy is in force. */
  targetFacts(policy: PolicyName): TargetFacts | null
  /** Calls `listener` after changes of routes, Gateways or namespaces, soon after they are in force: what targets come to may have changed. */
  onRoutes(listener: () => void): void
  /** What stands behind {@link PolicySource.current}. */
  readonly objects: ObjectsInForce
}

/** A kind, and where its objects are in the API. */
export interface Resource extends Kind {
  readonly path: string
}

const ours = (kind: string, plural: string): Resource => ({ apiVersion: GROUP_VERSION, kind, path: `/apis/${GROUP_VERSION}/${plural}` })

const RESOURCES: readonly Resource[] = [
  { apiVersion: 'v1', kind: 'Namespace', path: '/api/v1/namespaces' },
  ours('ModelPriceList', 'modelpricelists'),
  ours('ClusterBudgetPolicy', 'clusterbudgetpolicies'),
  ours('BudgetPolicy', 'budgetpolicies'),
  ours('AccessKey', 'accesskeys'),
  ours('BudgetGrant', 'budgetgrants'),
]

/** Begins to watch. Throws where no cluster is known; one that cannot be reached is waited for. */
export function watchCluster(options: ClusterOptions): ClusterPolicySource {
  return new WatchedCluster(options)
}

/** For how long changes are gathered before they are told of, in ms; they are in force before that. */
const TELL_AFTER_MS = 100

class WatchedCluster implements ClusterPolicySource {
  readonly partitions = new PartitionRegistry()
  readonly synced: Promise<void>
  readonly #api: Api
  readonly objects: ObjectsInForce
  readonly #observer: ClusterObserver | null
  /** Of objects of ours, by kind and key: what of them counted when they were seen last. */
  readonly #meanings = new Map<string, string>()
  readonly #reflectors: readonly (Reflector | RouteWatch)[]
  readonly #listeners: ((change: PolicyChange) => void)[] = []
  readonly #routeListeners: (() => void)[] = []
  /** The paths of what is not heard of. */
  readonly #away = new Set<string>()
  readonly #toldWhy = new Set<string>()
  #untold: { changes: number; problems: string[]; warnings: string[] } = { changes: 0, problems: [], warnings: [] }
  #telling: NodeJS.Timeout | null = null
  #tellingRoutes: NodeJS.Timeout | null = null
  #isSynced = false

  constructor({ clock, random, trustedHeaders, api = connectCluster(), idleMs, observer }: ClusterOptions) {
    this.#api = api
    this.#observer = observer ?? null
    const trusted = trustedHeaders.map(header => header.toLowerCase())
    // Objects of a cluster always name their namespace.
    const context = { trustedHeaders: trusted, defaultNamespace: 'default' }
    this.objects = new ObjectsInForce(context, policySetOptions(this.partitions), () => clock.wallMs())
    const shared = { api, clock, random, ...(idleMs === undefined ? {} : { idleMs }) }
    this.#reflectors = [
      ...RESOURCES.map(resource => new Reflector({ ...shared, path: resource.path, told: this.#toldOf(resource) })),
      new RouteWatch({
        ...shared,
        routes: this.objects.index.routes,
        changed: () => this.#routesChanged(),
        away: (path, why) => this.#isAway(path, why),
        back: path => this.#isBack(path),
      }),
    ]
    this.synced = Promise.all(this.#reflectors.map(one => one.synced)).then(() => {
      this.#isSynced = true
      this.#tell()
    })
  }

  current(): PolicySet {
    return this.objects.index
  }

  onChange(listener: (change: PolicyChange) => void): void {
    this.#listeners.push(listener)
  }

  targetFacts(policy: PolicyName): TargetFacts | null {
    return this.objects.index.targetFacts(policy)
  }

  onRoutes(listener: () => void): void {
    this.#routeListeners.push(listener)
  }

  async close(): Promise<void> {
    for (const timer of [this.#telling, this.#tellingRoutes]) if (timer !== null) clearTimeout(timer)
    await Promise.all(this.#reflectors.map(reflector => reflector.stop()))
    this.#api.close()
  }

  #toldOf(resource: Resource): ConstructorParameters<typeof Reflector>[0]['told'] {
    return {
      put: object => this.#put(resource, object),
      removed: key => {
        this.#meanings.delete(`${resource.kind} ${key}`)
        this.objects.remove(resource, key)
        this.#changed(resource, { problems: [], warnings: [] })
        this.#observer?.removed(resource, key)
      },
      away: why => this.#isAway(resource.path, why),
      back: () => this.#isBack(resource.path),
    }
  }

  #isAway(path: string, why: string): void {
    this.#away.add(path)
    // A dead server fails for every kind alike, and for a long time.
    if (this.#toldWhy.has(why) || this.#toldWhy.size >= PROBLEMS_TOLD_MAX) return
    this.#toldWhy.add(why)
    this.#say({ kind: 'away', why: `${path}: ${why}` })
  }

  #isBack(path: string): void {
    if (!this.#away.delete(path) || this.#away.size > 0) return
    this.#toldWhy.clear()
    this.#say({ kind: 'back' })
  }

  #routesChanged(): void {
    if (this.#routeListeners.length === 0) return
    this.#tellingRoutes ??= setTimeout(() => {
      this.#tellingRoutes = null
      for (const listener of this.#routeListeners) listener()
    }, TELL_AFTER_MS).unref()
  }

  /** Statuses of ours are written often, and each writing of one is a change to a watch: it must cost a replica nothing. */
  #put(resource: Resource, object: RawObject): void {
    const id = `${resource.kind} ${keyOf(object)}`
    const meaning = resource.apiVersion === GROUP_VERSION ? meaningOf(object) : null
    if (meaning !== null && this.#meanings.get(id) === meaning) {
      this.#observer?.put(resource, object, null)
      return
    }
    if (meaning !== null) this.#meanings.set(id, meaning)
    const judged = this.objects.put(resource, object)
    this.#changed(resource, judged)
    this.#observer?.put(resource, object, judged)
  }

  #changed({ kind }: Resource, { problems, warnings }: Pick<Judged, 'problems' | 'warnings'>): void {
    if (kind === 'Namespace') this.#routesChanged()
    // Namespaces change often, and seldom in their labels.
    this.#untold.changes += problems.length === 0 && kind !== 'Namespace' ? 1 : 0
    this.#untold.problems.push(...problems)
    this.#untold.warnings.push(...warnings)
    if (this.#isSynced) this.#telling ??= setTimeout(() => this.#tell(), TELL_AFTER_MS).unref()
  }

  /** A roll-out of a thousand objects is told of in few lines. */
  #tell(): void {
    if (this.#telling !== null) clearTimeout(this.#telling)
    this.#telling = null
    const { changes, problems, warnings } = this.#untold
    this.#untold = { changes: 0, problems: [], warnings: [] }
    if (changes > 0)
      this.#say({ kind: 'accepted', objects: this.objects.count, warnings: few([...warnings, ...this.objects.idleGrants()]) })
    if (problems.length > 0) this.#say({ kind: 'refused', problems: few(problems) })
  }

  #say(change: PolicyChange): void {
    for (const listener of this.#listeners) listener(change)
  }
}

const few = (lines: readonly string[]): readonly string[] =>
  lines.length <= PROBLEMS_TOLD_MAX ? lines : [...lines.slice(0, PROBLEMS_TOLD_MAX), `and ${lines.length - PROBLEMS_TOLD_MAX} more`]
