// Sentences: a schema's complaint in words that say what is wrong and what is allowed. Never shows what may be a key.
import type { ErrorObject } from 'ajv'
import { type Finding, type Path, quote, SHOWN_MAX } from './finding.ts'
import { LABEL_VALUE_PATTERN, NAMESPACE_PATTERN, OBJECT_NAME_PATTERN } from './metadata-schema.ts'

/** What a pattern of the schemas is called, and an example or two that it allows. */
const HINTS: Readonly<Record<string, { readonly what: string; readonly allowed: string }>> = {
  '^[0-9]{1,12}(\\.[0-9]{1,6})?$': { what: 'an amount', allowed: 'a string such as "500" or "0.25"' },
  '^[0-9]{1,7}(\\.[0-9]{1,6})?$': { what: 'a price', allowed: 'a string such as "1.25", in USD for a million tokens' },
  '^([0-9]{1,5}(h|m|s|ms)){1,4}$': { what: 'a duration', allowed: 'a string such as "90s", "1m" or "24h"' },
  '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$': { what: 'a name', allowed: 'lower-case letters, digits, - and .' },
  '^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$': { what: "an attribute's name", allowed: 'letters, digits, -, _ and .' },
  '^[A-Za-z][A-Za-z0-9_+/-]*$': { what: 'a time zone', allowed: 'an IANA name such as UTC or America/New_York' },
  "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$": { what: "a header's name", allowed: 'a name such as x-team' },
  '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$': {
    what: 'an instant',
    allowed: 'RFC 3339, such as "2027-01-31T00:00:00Z"',
  },
  '^sha256:[0-9a-f]{64}$': { what: 'the SHA-256 of a key', allowed: 'sha256: and 64 lower-case hex digits' },
  '^[^\\x00-\\x1f\\x7f*]+$': { what: 'one name', allowed: 'a whole name, without *' },
  '^[^\\x00-\\x1f\\x7f]+$': { what: 'one line of text', allowed: 'text without line breaks and control characters' },
  [OBJECT_NAME_PATTERN]: { what: 'a name', allowed: 'lower-case letters, digits, - and .' },
  [NAMESPACE_PATTERN]: { what: 'a name', allowed: 'lower-case letters, digits and -' },
  [LABEL_VALUE_PATTERN]: { what: "a label's value", allowed: 'letters, digits, -, _ and .' },
}

export const hasHint = (pattern: string): boolean => HINTS[pattern] !== undefined

/** The finding that `error` stands for. `written` gives a scalar as the file has it. */
export function findingOf(error: ErrorObject, root: unknown, written: (path: Path) => string | null): Finding {
  const path = pathOf(error.instancePath, root)
  const parameter = error.params as Readonly<Record<string, unknown>>
  if (error.keyword === 'additionalProperties') {
    const known = Object.keys((error.parentSchema as { properties?: object })?.properties ?? {}).sort()
    const allowed = known.length === 0 ? 'none, written as {}' : known.join(', ')
    return { path: [...path, String(parameter['additionalProperty'])], text: `is not a field here; allowed: ${allowed}` }
  }
  if (error.keyword === 'required') {
    const name = String(parameter['missingProperty'])
    return { path: [...path, name], text: `is missing; ${needed(error, name)}` }
  }
  return { path, text: sentence(error, parameter, shown(error, written(path))) }
}

function sentence({ keyword, parentSchema, data }: ErrorObject, parameter: Readonly<Record<string, unknown>>, value: string): string {
  const schema = (parentSchema ?? {}) as Readonly<Record<string, unknown>>
  const pattern = typeof schema['pattern'] === 'string' ? schema['pattern'] : null
  const hint = pattern === null ? undefined : HINTS[pattern]
  switch (keyword) {
    case 'type':
      if (hint === undefined || (typeof data === 'number' && new RegExp(pattern ?? '', 'u').test(String(data))))
        return `${value} is ${typeName(data)}, not ${article(String(parameter['type']))}; allowed: ${hint?.allowed ?? allowedBy(schema)}`
      return `${value} is not ${hint.what}; allowed: ${hint.allowed}`
    case 'pattern':
      return `${value} is not ${hint?.what ?? 'of the right form'}; allowed: ${hint?.allowed ?? `text that matches ${pattern}`}`
    case 'enum':
      return `${value} is not allowed; allowed: ${(parameter['allowedValues'] as unknown[]).join(', ')}`
    case 'minimum':
    case 'maximum':
      return `${value} is out of range; allowed: ${allowedBy(schema)}`
    case 'format':
      return `${value} is not an instant; allowed: RFC 3339, such as "2027-01-31T00:00:00Z"`
    case 'maxLength':
    case 'minLength':
      return `${value} is too ${keyword === 'maxLength' ? 'long' : 'short'}; allowed: ${schema['minLength'] ?? 0} to ${schema['maxLength'] ?? 'any number of'} characters`
    case 'maxItems':
    case 'minItems':
    case 'maxProperties':
      return `has ${keyword === 'minItems' ? 'fewer' : 'more'} entries than allowed; allowed: ${schema['minItems'] ?? 0} to ${schema['maxItems'] ?? schema['maxProperties'] ?? 'any number'}`
    case 'uniqueItems':
      return `has the same entry twice (${[parameter['i'], parameter['j']].sort().join(' and ')}); allowed: each once`
    default:
      return `${value} is refused by the schema (${keyword})`
  }
}

/** A glimpse of the value; never of one that stands where a key might. */
function shown({ instancePath, data }: ErrorObject, written: string | null): string {
  if (instancePath.startsWith('/spec/keyHashes')) return 'the value (not shown)'
  if (typeof data === 'number') return (written ?? String(data)).slice(0, SHOWN_MAX)
  if (typeof data === 'object' && data !== null) return Array.isArray(data) ? 'a list' : 'an object'
  return quote(data)
}

function allowedBy(schema: Readonly<Record<string, unknown>>): string {
  if (Array.isArray(schema['enum'])) return schema['enum'].join(', ')
  const { minimum, maximum, type } = schema
  if (minimum !== undefined && maximum !== undefined) return `${type === 'integer' ? 'whole numbers from ' : ''}${minimum} to ${maximum}`
  return article(String(type))
}

function needed({ parentSchema }: ErrorObject, name: string): string {
  const properties = (parentSchema as { properties?: Record<string, Record<string, unknown>> } | undefined)?.properties
  const schema = properties?.[name]
  if (schema === undefined) return 'it is required'
  const hint = typeof schema['pattern'] === 'string' ? HINTS[schema['pattern']] : undefined
  return `allowed: ${hint?.allowed ?? allowedBy(schema)}`
}

const ARTICLES: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  array: 'a list',
  null: 'nothing',
}
const article = (type: string): string => ARTICLES[type] ?? type
const typeName = (value: unknown): string =>
  value === null ? 'nothing' : Array.isArray(value) ? 'a list' : typeof value === 'boolean' ? 'a boolean' : article(typeof value)

/** A JSON pointer as a path; a step into a list is a number. */
function pathOf(pointer: string, root: unknown): Path {
  let at = root
  return pointer
    .split('/')
    .slice(1)
    .map(step => {
      const name = step.replaceAll('~1', '/').replaceAll('~0', '~')
      const key = Array.isArray(at) ? Number(name) : name
      at = (at as Record<string | number, unknown> | undefined)?.[key]
      return key
    })
}
