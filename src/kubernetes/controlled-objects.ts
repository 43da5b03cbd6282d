// The objects whose status is kept: each as the API has it, what was judged of it, and its last good state. Computes no status.
import type { BudgetKey, BudgetScope } from '../core/budget.ts'
import type { DeclaredLimit } from '../core/policy.ts'
import type { InForce } from '../objects/conditions.ts'
import type { StatusKind } from '../objects/object-status.ts'
import type { Selected } from '../objects/warnings.ts'
import type { Judged, ObjectsInForce } from './objects-in-force.ts'
import type { Resource } from './policies.ts'
import { keyOf, type RawObject } from './raw-object.ts'

export interface Controlled {
  readonly kind: StatusKind
  readonly apiVersion: string
  /** Of the object itself, in the API. */
  readonly path: string
  readonly raw: RawObject
  /** What is wrong with it, as `field: what`. */
  readonly problems: readonly string[]
  readonly inForce: InForce | null
}

const NAME_LABEL = 'kubernetes.io/metadata.name'
const STATUS_KINDS: readonly string[] = ['BudgetPolicy', 'ClusterBudgetPolicy', 'AccessKey', 'ModelPriceList', 'BudgetGrant']
const isStatusKind = (kind: string): kind is StatusKind => STATUS_KINDS.includes(kind)

export class ControlledObjects {
  readonly #objects = new Map<string, Controlled>()
  readonly #namespaces = new Map<string, ReadonlyMap<string, string>>()
  readonly #defaultNamespace: string
  #selected: Selected | null = null

  /** `defaultNamespace`: of calls whose route names none, whether there is such a Namespace or not. */
  constructor(defaultNamespace: string) {
    this.#defaultNamespace = defaultNamespace
  }

  get(id: string): Controlled | undefined {
    return this.#objects.get(id)
  }

  ids(): IterableIterator<string> {
    return this.#objects.keys()
  }

  /** Takes in an object as it stands; answers its id, or null for one that has no status of ours. `judged` null: as it was judged before. */
  put(place: Resource, raw: RawObject, judged: Judged | null): string | null {
    const { kind } = place
    if (kind === 'Namespace') {
      this.#namespaces.set(raw.metadata.name, labelsOf(raw))
      this.#selected = null
    }
    if (!isStatusKind(kind)) return null
    const id = idOf(kind, keyOf(raw))
    const before = this.#objects.get(id)
    const generation = raw.metadata.generation ?? 0
    this.#objects.set(id, {
      kind,
      apiVersion: place.apiVersion,
      path: pathOf(place.path, raw),
      raw: slim(raw),
      problems: judged?.findings ?? before?.problems ?? [],
      inForce: judged === null || judged.accepted === null ? (before?.inForce ?? null) : { generation, object: judged.accepted },
    })
    if (kind === 'AccessKey' && judged !== null) this.#selected = null
    return id
  }

  /** The API has written a status: what it answered stands for the object, unless something newer was heard meanwhile. */
  written(id: string, from: RawObject, answer: RawObject): void {
    const one = this.#objects.get(id)
    if (one?.raw === from) this.#objects.set(id, { ...one, raw: slim(answer) })
  }

  remove(kind: string, key: string): string | null {
    if (kind === 'Namespace') this.#namespaces.delete(key.slice(1))
    if (kind === 'Namespace' || kind === 'AccessKey') this.#selected = null
    const id = idOf(kind, key)
    return this.#objects.delete(id) ? id : null
  }

  /** What selectors of policies choose from. */
  get selected(): Selected {
    this.#selected ??= {
      namespaces: [...new Map([[this.#defaultNamespace, new Map([[NAME_LABEL, this.#defaultNamespace]])], ...this.#namespaces]).values()],
      keys: [...this.#objects.values()].flatMap(({ inForce }) => (inForce?.object.kind === 'AccessKey' ? [inForce.object.labels] : [])),
    }
    return this.#selected
  }
}

export const idOf = (kind: string, key: string): string => `${kind} ${key}`

/** The id of the object that declares a limit. */
export function ownerOf(key: BudgetKey, declared: ReadonlyMap<BudgetKey, DeclaredLimit>): string | null {
  const policy = declared.get(key)?.policy
  return policy === undefined ? null : idOf(policy.scope, `${policy.namespace}/${policy.name}`)
}

/** The limits of an object that are in force; none for kinds that have none. */
export function limitsOf({ kind, raw: { metadata } }: Controlled, objects: ObjectsInForce): readonly DeclaredLimit[] {
  const scope: BudgetScope | null = kind === 'ModelPriceList' || kind === 'BudgetGrant' ? null : kind
  return scope === null ? [] : objects.index.limitsOf({ scope, namespace: metadata.namespace ?? '', name: metadata.name })
}

/** What is asked for again: most of what a server sends of an object is who wrote which field. */
function slim({ metadata, status }: RawObject): RawObject {
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp } = metadata
  return {
    metadata: {
      ...{ name, uid, resourceVersion, creationTimestamp },
      ...(namespace === undefined ? {} : { namespace }),
      ...(generation === undefined ? {} : { generation }),
    },
    status,
  }
}

const labelsOf = ({ metadata }: RawObject): ReadonlyMap<string, string> =>
  new Map([...Object.entries(metadata.labels ?? {}), [NAME_LABEL, metadata.name]])

/** `/apis/G/V/plural` and the object to `/apis/G/V/namespaces/NS/plural/NAME`. */
function pathOf(all: string, { metadata: { namespace, name } }: RawObject): string {
  const at = all.lastIndexOf('/')
  return `${all.slice(0, at)}${namespace === undefined ? '' : `/namespaces/${namespace}`}${all.slice(at)}/${name}`
}
