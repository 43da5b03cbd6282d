// The schemas' rules that are not JSON Schema, in code: each CEL rule of the CRDs has its equivalent here, under the rule's own text, and
// speaks with the rule's own message. A CRD with a rule that is unknown here cannot be loaded.
import { assert } from '../core/assert.ts'
import type { StructuralSchema } from './crd-schema.ts'
import { durationMs, instantMs } from './instant.ts'
import { type Finding, type Path, pathText, quote } from './problem.ts'

type Self = Readonly<Record<string, unknown>>

const has = (self: Self, ...names: readonly string[]): number => names.filter(name => self[name] !== undefined).length
const amountOf = (self: Self): number => Number(self['amount'])

/** CEL rule -> whether it holds of a value that fits the schema. */
export const RULES: Readonly<Record<string, (self: Self) => boolean>> = {
  '(has(self.calendar) ? 1 : 0) + (has(self.sliding) ? 1 : 0) + (has(self.lifetime) ? 1 : 0) + (has(self.inFlight) ? 1 : 0) == 1': self =>
    has(self, 'calendar', 'sliding', 'lifetime', 'inFlight') === 1,
  '!has(self.timeZone) || has(self.calendar)': self => has(self, 'timeZone') === 0 || has(self, 'calendar') === 1,
  "!has(self.anchorDay) || (has(self.calendar) && self.calendar in ['Month', 'Quarter', 'Year'])": self =>
    has(self, 'anchorDay') === 0 || ['Month', 'Quarter', 'Year'].includes(String(self['calendar'])),
  "!has(self.sliding) || (duration(self.sliding) >= duration('1s') && duration(self.sliding) <= duration('744h'))": self => {
    const ms = has(self, 'sliding') === 0 ? 1_000 : durationMs(String(self['sliding']))
    return ms >= 1_000 && ms <= 744 * 3_600_000
  },
  '(has(self.attribute) ? 1 : 0) + (has(self.jwtClaim) ? 1 : 0) + (has(self.serviceAccount) ? 1 : 0) + (has(self.header) ? 1 : 0) + (has(self.route) ? 1 : 0) + (has(self.accessKey) ? 1 : 0) == 1':
    self => has(self, 'attribute', 'jwtClaim', 'serviceAccount', 'header', 'route', 'accessKey') === 1,
  "self.unit == 'USD' || !self.amount.contains('.')": self => self['unit'] === 'USD' || !String(self['amount']).includes('.'),
  // Six places of a billion are exact in a double, so that the comparison is.
  "self.unit != 'USD' || double(self.amount) <= 1000000000.0": self => self['unit'] !== 'USD' || amountOf(self) <= 1_000_000_000,
  "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)": self =>
    ['In', 'NotIn'].includes(String(self['operator'])) === (Array.isArray(self['values']) && self['values'].length > 0),
  "!('user' in self) && !('team' in self)": self => has(self, 'user', 'team') === 0,
  '!has(self.startsAt) || self.startsAt < self.expiresAt': self =>
    has(self, 'startsAt') === 0 || instantMs(String(self['startsAt'])) < instantMs(String(self['expiresAt'])),
  // A file has no earlier state of an object.
  'self == oldSelf': () => true,
}

/** Told of every value that the schema describes, with the way to it and its kind of place, for instance `spec.limits[].name`. */
export type Visit = (schema: StructuralSchema, value: unknown, path: Path, place: string) => void

/** Walks `value` along `schema`, parents first. Values that are not of the schema's shape are visited and not entered. */
export function walkSchema(schema: StructuralSchema, value: unknown, visit: Visit, path: Path = [], place = ''): void {
  visit(schema, value, path, place)
  if (Array.isArray(value)) {
    if (schema.items === undefined) return
    for (const [index, item] of value.entries()) walkSchema(schema.items, item, visit, [...path, index], `${place}[]`)
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, inner] of Object.entries(value)) {
      const described = schema.properties === undefined ? schema.additionalProperties : ownProperty(schema.properties, name)
      if (described !== undefined) walkSchema(described, inner, visit, [...path, name], place === '' ? name : `${place}.${name}`)
    }
  }
}

/** What the schema's own rules say of one value; it must fit the rest of its schema. */
export function ruleFindings(schema: StructuralSchema, value: unknown, path: Path): readonly Finding[] {
  const broken: Finding[] = []
  for (const { rule, message, fieldPath } of schema['x-kubernetes-validations'] ?? []) {
    const holds = RULES[rule]
    assert(holds !== undefined, `the rule of the CRD has its equivalent in code: ${rule}`)
    if (!holds(value as Self)) broken.push({ path: fieldPath === undefined ? path : [...path, fieldPath.slice(1)], text: message })
  }
  return broken
}

/** A list that is a map by a key has each key once; said of values of any shape. */
export function duplicateFindings(schema: StructuralSchema, value: unknown, path: Path): readonly Finding[] {
  const [key] = schema['x-kubernetes-list-map-keys'] ?? []
  if (key === undefined || !Array.isArray(value)) return []
  const first = new Map<unknown, number>()
  const found: Finding[] = []
  for (const [index, item] of value.entries()) {
    if (typeof item !== 'object' || item === null || item[key] === undefined) continue
    const before = first.get(item[key])
    if (before === undefined) first.set(item[key], index)
    else
      found.push({
        path: [...path, index, key],
        text: `${quote(item[key])} is there twice, first at ${pathText([...path, before])}; allowed: each once`,
      })
  }
  return found
}

const ownProperty = <T>(properties: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(properties, name) ? properties[name] : undefined
