// The schemas' rules that are not JSON Schema, in code: each CEL rule of the CRDs has its equivalent here, under the rule's own text, and
// speaks with the rule's own message. A CRD with a rule that is unknown here cannot be loaded.
import { assert } from '../core/assert.ts'
import { isTimeZone } from '../core/window.ts'
import type { StructuralSchema } from './crd-schema.ts'
import { type Finding, type Path, pathText, quote } from './finding.ts'
import { durationMs, instantMs } from './instant.ts'

type Self = Readonly<Record<string, unknown>>

const AMOUNT = /^[0-9]{1,12}([.][0-9]{1,6})?$/
const DURATION = /^([0-9]{1,5}(h|m|s|ms)){1,4}$/

const has = (self: Self, ...names: readonly string[]): number => names.filter(name => self[name] !== undefined).length

/** Counts have no fraction, and USD a bound. `unless`: how the rules begin of a field that may be left out. */
const rulesOfAmount = (field: string, unless: string): Readonly<Record<string, (self: Self) => boolean>> => ({
  [`self.unit == 'USD'${unless} || !self.${field}.contains('.')`]: self => self['unit'] === 'USD' || !String(self[field]).includes('.'),
  // Six places of a billion are exact in a double, so that the comparison is.
  [`self.unit != 'USD'${unless} || !self.${field}.matches('^[0-9]{1,12}([.][0-9]{1,6})?$') || double(self.${field}) <= 1000000000.0`]:
    self => self['unit'] !== 'USD' || !AMOUNT.test(String(self[field])) || Number(self[field]) <= 1_000_000_000,
})

/** CEL rule -> whether it holds of a value that fits the schema. */
export const RULES: Readonly<Record<string, (self: Self) => boolean>> = {
  '(has(self.calendar) ? 1 : 0) + (has(self.sliding) ? 1 : 0) + (has(self.lifetime) ? 1 : 0) + (has(self.inFlight) ? 1 : 0) == 1': self =>
    has(self, 'calendar', 'sliding', 'lifetime', 'inFlight') === 1,
  '!has(self.timeZone) || has(self.calendar)': self => has(self, 'timeZone') === 0 || has(self, 'calendar') === 1,
  "!has(self.anchorDay) || (has(self.calendar) && self.calendar in ['Month', 'Quarter', 'Year'])": self =>
    has(self, 'anchorDay') === 0 || ['Month', 'Quarter', 'Year'].includes(String(self['calendar'])),
  '(has(self.attribute) ? 1 : 0) + (has(self.jwtClaim) ? 1 : 0) + (has(self.serviceAccount) ? 1 : 0) + (has(self.header) ? 1 : 0) + (has(self.route) ? 1 : 0) + (has(self.accessKey) ? 1 : 0) == 1':
    self => has(self, 'attribute', 'jwtClaim', 'serviceAccount', 'header', 'route', 'accessKey') === 1,
  ...rulesOfAmount('amount', ''),
  ...rulesOfAmount('allowUpTo', ' || !has(self.allowUpTo)'),
  "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)": self =>
    ['In', 'NotIn'].includes(String(self['operator'])) === (Array.isArray(self['values']) && self['values'].length > 0),
  "self.all(name, size(name) <= 63 && name.matches('^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$'))": self =>
    Object.keys(self).every(name => name.length <= 63 && /^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$/.test(name)),
  "!('user' in self) && !('team' in self)": self => has(self, 'user', 'team') === 0,
  '!has(self.startsAt) || self.startsAt < self.expiresAt': self =>
    has(self, 'startsAt') === 0 || instantMs(String(self['startsAt'])) < instantMs(String(self['expiresAt'])),
  "self.matches('^[0-9]{1,12}([.][0-9]{1,6})?$')": self => AMOUNT.test(String(self)),
  "self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$')": self => DURATION.test(String(self)),
  "!self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') || (duration(self) >= duration('1s') && duration(self) <= duration('744h'))": self =>
    !DURATION.test(String(self)) || (durationMs(String(self)) >= 1_000 && durationMs(String(self)) <= 744 * 3_600_000),
  "!self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') || (duration(self) >= duration('100ms') && duration(self) <= duration('1500ms'))": self =>
    !DURATION.test(String(self)) || (durationMs(String(self)) >= 100 && durationMs(String(self)) <= 1_500),
  "!self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') || (duration(self) >= duration('1s') && duration(self) <= duration('24h'))": self =>
    !DURATION.test(String(self)) || (durationMs(String(self)) >= 1_000 && durationMs(String(self)) <= 24 * 3_600_000),
  "!self.matches('^[A-Za-z][A-Za-z0-9_+/-]*$') || (self != 'Local' && timestamp('2026-01-01T00:00:00Z').getFullYear(self) > 2000)": self =>
    isTimeZone(String(self)),
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
    if (holds(value as Self)) continue
    const text = typeof value === 'object' ? message : `${quote(value)}: ${message}`
    broken.push({ path: fieldPath === undefined ? path : [...path, fieldPath.slice(1)], text })
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
