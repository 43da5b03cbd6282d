// The status of an object, as the CRDs describe it: its shape, how it is read back, and what counts as another one. Computes none.

export type ConditionStatus = 'True' | 'False' | 'Unknown'

export interface Condition {
  readonly type: 'Accepted' | 'ResolvedRefs' | 'Programmed' | 'Exhausted' | 'PartitionsFull'
  readonly status: ConditionStatus
  readonly reason: string
  readonly message: string
  readonly observedGeneration: number
  readonly lastTransitionTime: string
}

export interface AncestorRef {
  readonly group: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly sectionName?: string
}

export interface AncestorStatus {
  readonly ancestorRef: AncestorRef
  readonly controllerName: string
  readonly conditions: readonly Condition[]
}

/** A snapshot: amounts are decimals in the limit's unit. */
export interface LimitStatus {
  readonly name: string
  readonly unit: string
  readonly state: 'OK' | 'Warning' | 'Exhausted'
  readonly amount: string
  readonly spent: string
  readonly reserved: string
  /** Absent for partitioned limits: each partition has its own. */
  readonly remaining?: string
  /** Absent where nothing was charged beyond what was reserved. */
  readonly overrun?: string
  /** The highest percentage of the amount that was crossed, of those that the limit warns at, and of 100. */
  readonly crossedPercent?: number
  readonly windowStart?: string
  readonly resetTime?: string
  readonly partitions?: number
  readonly exhaustedPartitions?: number
  /** There: values beyond `maxPartitions` share one partition. */
  readonly sharesPartition?: true
}

/** The limit that is used most, in a few words, for a table of many objects. */
export interface Summary {
  readonly limit: string
  readonly spent: string
  readonly resetTime?: string
}

export interface ObjectStatus {
  readonly observedGeneration: number
  readonly conditions: readonly Condition[]
  readonly ancestors?: readonly AncestorStatus[]
  readonly limits?: readonly LimitStatus[]
  readonly summary?: Summary
  /** When the figures were read. */
  readonly snapshotTime?: string
}

/** A status as the API serves it; of an object that has none, an empty one. The schema holds its parts. */
export function statusIn(value: unknown): ObjectStatus {
  const status = (typeof value === 'object' && value !== null ? value : {}) as Partial<ObjectStatus>
  return { ...status, observedGeneration: status.observedGeneration ?? 0, conditions: status.conditions ?? [] }
}

/** Whether two statuses say the same, figures included; when they were read makes no difference. */
export const sameStatus = (a: ObjectStatus, b: ObjectStatus): boolean => same(a, b, WHEN)

/** Whether two statuses differ in nothing but figures: what would be seen a little later as well. */
export const sameButFigures = (a: ObjectStatus, b: ObjectStatus): boolean => same(a, b, FIGURES)

const WHEN: ReadonlySet<string> = new Set(['snapshotTime'])
const FIGURES: ReadonlySet<string> = new Set([
  ...WHEN,
  ...['summary', 'spent', 'reserved', 'remaining', 'overrun', 'partitions', 'exhaustedPartitions'],
])

/** Whether two values of JSON are equal but for some fields, in whatever order their fields are: servers keep none. */
function same(a: unknown, b: unknown, without: ReadonlySet<string>): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const [one, two] = [a as Readonly<Record<string, unknown>>, b as Readonly<Record<string, unknown>>]
  const isIn = (key: string): boolean => without.has(key) || (Object.hasOwn(two, key) && same(one[key], two[key], without))
  return Object.keys(one).every(isIn) && Object.keys(two).every(key => without.has(key) || Object.hasOwn(one, key))
}

/** An instant as the API writes it: whole seconds. */
export const instantText = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`
