// A subject: who asks. Everything that policies may select by, taken from the request once. Never a key, only its SHA-256.

export interface ObjectName {
  readonly namespace: string
  readonly name: string
}

/** The route of a call. */
export interface CalledRoute extends ObjectName {
  /** The name of its rule, empty where that has none; null where it is not known which rule it was. */
  readonly rule: string | null
}

/** A Gateway that a call may have come through. */
export interface Attachment extends ObjectName {
  /** The listeners that it may have come in by; null: any of them. */
  readonly sections: readonly string[] | null
}

export interface Subject {
  /** The route that the call came in by, where it has a name; its namespace's policies bind. */
  readonly route: CalledRoute
  /** The Gateways that the call may have come through; null where it may be any of them. */
  readonly gateways: readonly Attachment[] | null
  /** The AccessKey that the credential is, where one holds it; its namespace's policies bind too. */
  readonly accessKey: (ObjectName & { readonly labels: ReadonlyMap<string, string> }) | null
  /** `sha256:…` of the credential, null where there is none. */
  readonly credential: string | null
  /** Named attributes of the AccessKey: `user`, `team` and its own. */
  readonly attributes: ReadonlyMap<string, string>
  /** The verified claims, by top-level name; a string, number or boolean as text, lists as their members. */
  readonly claims: ReadonlyMap<string, readonly string[]>
  /** The SPIFFE id or `namespace/name` of a service account. */
  readonly serviceAccount: string | null
  /** Only the headers named in `--trusted-headers`, lower-case. */
  readonly headers: ReadonlyMap<string, string>
}

/**
 * The subject as everybody sees it but the namespace of its AccessKey: attributes are that namespace's word, and anybody may write any
 * value into keys of their own, so each carries the namespace in front.
 */
export function withGivenAttributes(subject: Subject): Subject {
  if (subject.accessKey === null) return subject
  const { namespace } = subject.accessKey
  const given = [...subject.attributes].map(([name, value]) => [name, value === '' ? '' : `${namespace}/${value}`] as const)
  return { ...subject, attributes: new Map(given) }
}

export type Selector =
  | { readonly kind: 'attribute'; readonly name: string }
  | { readonly kind: 'jwtClaim'; readonly name: string }
  | { readonly kind: 'serviceAccount' }
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'route'; readonly field: 'namespace' | 'name' }
  | { readonly kind: 'accessKey' }

/** The partition of a call that has no value for a selector. */
export const NO_VALUE = '(none)'
/** The partition that values beyond `maxPartitions` share. */
export const OTHER_VALUE = '(other)'

/** The values of a selector for a subject; empty where it has none. Only claims can have several. */
export function selectValues(subject: Subject, selector: Selector): readonly string[] {
  switch (selector.kind) {
    case 'attribute':
      return present(subject.attributes.get(selector.name))
    case 'jwtClaim':
      return (subject.claims.get(selector.name) ?? []).filter(value => value !== '')
    case 'serviceAccount':
      return present(subject.serviceAccount ?? undefined)
    case 'header':
      return present(subject.headers.get(selector.name))
    case 'route':
      return present(selector.field === 'name' ? subject.route.name : subject.route.namespace)
    case 'accessKey':
      return subject.accessKey === null
        ? present(subject.credential ?? undefined)
        : [`${subject.accessKey.namespace}/${subject.accessKey.name}`]
  }
}

const present = (value: string | undefined): readonly string[] => (value === undefined || value === '' ? [] : [value])
