// One object checked whole: schema, rules and fields; everything that is wrong is found, or it is accepted. Looks at no other object,
// and does not know where it comes from.
import { compileNamespaceCheck, GROUP_VERSION, type ObjectKind, objectKinds } from './crd-schema.ts'
import { type FieldContext, fieldFault } from './field-rules.ts'
import { type Finding, type Path, quote } from './finding.ts'
import type { AcceptedObject, BudgetSpec, Metadata } from './objects.ts'
import { duplicateFindings, ruleFindings, walkSchema } from './schema-rules.ts'
import { findingOf } from './sentences.ts'

export interface CheckContext extends FieldContext {
  readonly defaultNamespace: string
}

export type CheckedObject =
  | { readonly kind: 'accepted'; readonly object: AcceptedObject; readonly title: string }
  /** `title` is null for what is no object at all. */
  | { readonly kind: 'refused'; readonly findings: readonly Finding[]; readonly title: string | null }

/** A scalar as it was written, where that is known and it is one. */
export type WrittenAt = (path: Path) => string | null

const UNSUPPORTED_KINDS: readonly string[] = ['BudgetGrant']

/** Checks one object against the schema of its kind and the rules of this version. Fills in the defaults of the schema. */
export function checkObject(value: unknown, context: CheckContext, writtenAt: WrittenAt = () => null): CheckedObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const text = `${quote(value)} is not an object; allowed: apiVersion, kind, metadata and spec`
    return { kind: 'refused', title: null, findings: [{ path: [], text }] }
  }
  const root = value as Readonly<Record<string, unknown>>
  const known = kindOf(root)
  if (known.kind === 'unknown') return { kind: 'refused', title: titleOf(root, context, true), findings: [known.finding] }
  const title = titleOf(root, context, known.namespaced)
  const findings =
    known.schema === null
      ? known.check(root).map(error => findingOf(error, root, writtenAt))
      : allFindings(known.schema, root, context, writtenAt)
  if (findings.length > 0) return { kind: 'refused', title, findings }
  return { kind: 'accepted', object: accepted(root, known, context), title }
}

type KnownKind =
  | { readonly kind: 'known'; readonly namespaced: boolean; readonly schema: ObjectKind | null; readonly check: ObjectKind['check'] }
  | { readonly kind: 'unknown'; readonly finding: Finding }

let namespaceCheck: ObjectKind['check'] | null = null

function kindOf(root: Readonly<Record<string, unknown>>): KnownKind {
  const { apiVersion, kind } = root
  const unknown = (field: string, text: string): KnownKind => ({ kind: 'unknown', finding: { path: [field], text } })
  if (typeof apiVersion !== 'string') return unknown('apiVersion', `is missing; allowed: ${GROUP_VERSION}`)
  if (typeof kind !== 'string') return unknown('kind', `is missing; allowed: ${[...objectKinds().keys()].join(', ')}`)
  if (apiVersion === 'v1' && kind === 'Namespace') {
    namespaceCheck ??= compileNamespaceCheck()
    return { kind: 'known', namespaced: false, schema: null, check: namespaceCheck }
  }
  if (apiVersion !== GROUP_VERSION) {
    const ours = apiVersion.split('/')[0] === GROUP_VERSION.split('/')[0]
    const what = ours
      ? `${quote(apiVersion)} is not a version of Purser's objects`
      : `${quote(apiVersion)} ${quote(kind)} is not an object of Purser`
    return unknown('apiVersion', `${what}; allowed: ${GROUP_VERSION}${ours ? '' : ', and v1 Namespace'}`)
  }
  const schema = objectKinds().get(kind)
  if (schema === undefined)
    return unknown('kind', `${quote(kind)} is not a kind of ${GROUP_VERSION}; allowed: ${[...objectKinds().keys()].join(', ')}`)
  return { kind: 'known', namespaced: schema.namespaced, schema, check: schema.check }
}

function allFindings(
  kind: ObjectKind,
  root: Readonly<Record<string, unknown>>,
  context: CheckContext,
  writtenAt: WrittenAt,
): readonly Finding[] {
  const findings = kind.check(root).map(error => findingOf(error, root, writtenAt))
  const faulty = findings.map(({ path }) => path)
  walkSchema(kind.schema, root, (schema, value, path, place) => {
    const fault = fieldFault(place, value, context)
    if (fault !== null && !faulty.some(other => isWithin(path, other))) findings.push({ path, text: fault })
    findings.push(...duplicateFindings(schema, value, path))
    // A rule speaks of values of the right shape only.
    if (!faulty.some(other => isWithin(other, path) || isWithin(path, other))) findings.push(...ruleFindings(schema, value, path))
  })
  if (UNSUPPORTED_KINDS.includes(kind.kind))
    findings.push({ path: ['kind'], text: `${kind.kind} objects are not supported yet; leave it out` })
  const namespace = (root['metadata'] as Partial<Metadata> | undefined)?.namespace
  if (kind.kind === 'BudgetPolicy' && findings.length === 0)
    findings.push(...foreignRoutes(root['spec'] as BudgetSpec, namespace ?? context.defaultNamespace))
  if (!kind.namespaced && namespace !== undefined)
    findings.push({ path: ['metadata', 'namespace'], text: `a ${kind.kind} is in no namespace; leave it out` })
  return findings
}

/** A policy of a namespace must not have others' budgets charged for its calls. */
function foreignRoutes({ steering = [] }: BudgetSpec, own: string): readonly Finding[] {
  return steering.flatMap(({ route: { namespace } }, index) => {
    if (namespace === undefined || namespace === own) return []
    const text = `${quote(namespace)} is another namespace; allowed: ${own}, or a ClusterBudgetPolicy, which may name any`
    return [{ path: ['spec', 'steering', index, 'route', 'namespace'], text }]
  })
}

/** Whether `path` is `around` or inside of it. */
const isWithin = (path: Path, around: Path): boolean => around.every((step, index) => path[index] === step)

function accepted(root: Readonly<Record<string, unknown>>, known: { namespaced: boolean }, context: CheckContext): AcceptedObject {
  const { name, namespace, labels } = root['metadata'] as Metadata
  return {
    kind: root['kind'],
    name,
    namespace: known.namespaced ? (namespace ?? context.defaultNamespace) : '',
    labels: new Map(Object.entries(labels ?? {})),
    spec: root['spec'],
  } as AcceptedObject
}

/** `BudgetPolicy default/team`, as far as the parts are there. */
function titleOf(root: Readonly<Record<string, unknown>>, context: CheckContext, namespaced: boolean): string {
  const metadata = (typeof root['metadata'] === 'object' ? root['metadata'] : null) as Partial<Metadata> | null
  const name = typeof metadata?.name === 'string' ? metadata.name : '(no name)'
  const namespace = typeof metadata?.namespace === 'string' ? metadata.namespace : context.defaultNamespace
  const kind = typeof root['kind'] === 'string' ? root['kind'] : 'object'
  const plain = [kind, namespace, name].map(part => (/^[\w.()/ -]{1,253}$/.test(part) ? part : quote(part)))
  return namespaced ? `${plain[0]} ${plain[1]}/${plain[2]}` : `${plain[0]} ${plain[2]}`
}
