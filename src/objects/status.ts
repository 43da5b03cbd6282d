// The status of an object, as the CRDs describe it: its shape, how it is read back, and what counts as another one. Computes none.

export type ConditionStatus = 'True' | 'False' | 'Unknown'

export interface Condition {
  readonly type: 'Accepted' | 'ResolvedRefs' | 'Programmed' | 'Exhausted'
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
export const sameStatus = (a: ObjectStatus, b: ObjectStatus): boolean => textOf(a, WHEN) === textOf(b, WHEN)

/** Whether two statuses differ in nothing but figures: what would be seen a little later as well. */
export const sameButFigures = (a: ObjectStatus, b: ObjectStatus): boolean => textOf(a, FIGURES) === textOf(b, FIGURES)

const WHEN: ReadonlySet<string> = new Set(['snapshotTime'])
const FIGURES: ReadonlySet<string> = new Set([
  ...WHEN,
  ...['summary', 'spent', 'reserved', 'remaining', 'overrun', 'partitions', 'exhaustedPartitions'],
])

/** As text, without some fields, in an order of its own: servers keep none. */
const textOf = (status: ObjectStatus, without: ReadonlySet<string>): string =>
  JSON.stringify(status, (key, value: unknown) =>
    without.has(key)
      ? undefined
      : typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
        : value,
  )

/** An instant as the API writes it: whole seconds. */
export const instantText = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`
