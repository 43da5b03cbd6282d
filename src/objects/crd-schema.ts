// The schemas of record: reads the CRDs of the chart and turns each into a check of plain values. The chart's text is the only schema.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv, type ErrorObject } from 'ajv'
import { parse } from 'yaml'
import { assert } from '../core/assert.ts'
import { isInstant } from './instant.ts'
import { METADATA } from './metadata-schema.ts'

/** The part of a structural schema that is read besides the check itself. */
export interface StructuralSchema {
  readonly type?: string
  readonly pattern?: string
  readonly properties?: Readonly<Record<string, StructuralSchema>>
  readonly additionalProperties?: StructuralSchema
  readonly items?: StructuralSchema
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map'
  readonly 'x-kubernetes-list-map-keys'?: readonly string[]
  readonly 'x-kubernetes-validations'?: readonly { readonly rule: string; readonly message: string; readonly fieldPath?: string }[]
}

export interface ObjectKind {
  readonly kind: string
  readonly namespaced: boolean
  readonly schema: StructuralSchema
  /** All that is wrong by the schema. Fills in the schema's defaults where fields are missing. */
  check(value: unknown): readonly ErrorObject[]
}

export const GROUP_VERSION = 'purser.dev/v1alpha1'
const CRDS = join(import.meta.dirname, '../../charts/purser/crds')

let kinds: ReadonlyMap<string, ObjectKind> | null = null

/** The kinds of the chart by name; read and compiled at the first call. Throws where the chart is not there. */
export function objectKinds(): ReadonlyMap<string, ObjectKind> {
  kinds ??= new Map(
    readdirSync(CRDS)
      .filter(file => file.endsWith('.yaml'))
      .sort()
      .map(file => compileKind(parse(readFileSync(join(CRDS, file), 'utf8'))))
      .map(kind => [kind.kind, kind]),
  )
  return kinds
}

interface Crd {
  readonly spec: {
    readonly group: string
    readonly scope: 'Namespaced' | 'Cluster'
    readonly names: { readonly kind: string }
    readonly versions: readonly { readonly name: string; readonly schema: { readonly openAPIV3Schema: StructuralSchema } }[]
  }
}

function compileKind(crd: Crd): ObjectKind {
  const { group, scope, names, versions } = crd.spec
  const version = versions.find(({ name }) => `${group}/${name}` === GROUP_VERSION)
  assert(version !== undefined, `the CRD of ${names.kind} has the version ${GROUP_VERSION}`)
  const schema = version.schema.openAPIV3Schema
  const closed = closedSchema({ ...schema, properties: { ...schema.properties, metadata: {} } })
  closed['properties'] = { ...(closed['properties'] as object), metadata: METADATA }
  closed['required'] = [...((closed['required'] ?? []) as string[]), 'metadata']
  const validate = newAjv().compile(closed)
  return {
    kind: names.kind,
    namespaced: scope === 'Namespaced',
    schema,
    check: value => (validate(value) ? [] : (validate.errors ?? [])),
  }
}

/** The check of a v1 Namespace: only its name and labels matter here. */
export function compileNamespaceCheck(): ObjectKind['check'] {
  const unread = {}
  const properties = { apiVersion: unread, kind: unread, metadata: METADATA, spec: unread, status: unread }
  const validate = newAjv().compile({ type: 'object', required: ['metadata'], properties, additionalProperties: false })
  return value => (validate(value) ? [] : (validate.errors ?? []))
}

function newAjv(): Ajv {
  const ajv = new Ajv({
    allErrors: true,
    verbose: true,
    useDefaults: true,
    strict: true,
    allowMatchingProperties: false,
    strictTypes: false,
  })
  return ajv.addFormat('date-time', isInstant)
}

/** The schema as JSON Schema that refuses fields it does not name; Kubernetes' own keywords are checked elsewhere. */
function closedSchema(schema: StructuralSchema): Record<string, unknown> {
  const closed: Record<string, unknown> = {}
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword.startsWith('x-kubernetes-') || keyword === 'description') continue
    if (keyword === 'format' && value !== 'date-time') continue
    closed[keyword] = value
  }
  if (schema['x-kubernetes-list-type'] === 'set') closed['uniqueItems'] = true
  if (schema.items !== undefined) closed['items'] = closedSchema(schema.items)
  if (schema.type !== 'object') return closed
  closed['properties'] = Object.fromEntries(
    Object.entries(schema.properties ?? {}).map(([name, property]) => [name, closedSchema(property)]),
  )
  closed['additionalProperties'] = schema.additionalProperties === undefined ? false : closedSchema(schema.additionalProperties)
  return closed
}
