// Objects as the API serves them, as far as this room looks into them by itself; what they mean is told by objects/.

export interface RawObject {
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly uid: string
    readonly resourceVersion: string
    readonly generation?: number
    readonly creationTimestamp: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec?: unknown
  /** What the controller wrote; no replica looks at it. */
  readonly status?: unknown
}

/** What of an object counts for whoever enforces it: a status that was written, or another annotation, changes nothing. */
export const meaningOf = ({ metadata: { uid, generation, labels } }: RawObject): string =>
  JSON.stringify([uid, generation ?? null, labels ?? {}])

/** The name of an object within its kind: namespace/name, or /name where it is in none. */
export const keyOf = ({ metadata: { namespace, name } }: RawObject): string => `${namespace ?? ''}/${name}`

/** What the API server writes into every object is there; anything else is no object. */
export function isRawObject(value: unknown): value is RawObject {
  const { metadata } = (value ?? {}) as { metadata?: Partial<RawObject['metadata']> }
  return typeof metadata === 'object' && metadata !== null && [metadata.name, metadata.uid, metadata.resourceVersion].every(isText)
}

const isText = (value: unknown): boolean => typeof value === 'string'
