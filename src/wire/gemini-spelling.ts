// Google's APIs take each field in camelCase or in snake_case (proto3's JSON mapping). Gives a place both of its names; reads nothing.
import type { Place } from './json-place.ts'
import type { RequestFields } from './request-fields.ts'

/** The places under both spellings of their names. */
export function eitherSpelling(places: Readonly<Record<string, Place>>): Map<string, Place> {
  const both = new Map<string, Place>()
  for (const [name, place] of Object.entries(places)) {
    both.set(name, place)
    both.set(snakeCase(name), place)
  }
  return both
}

/** The same for an object that stands once in a body: a field in both spellings is refused, since readers disagree on which one counts. */
export function oneSpelling(fields: RequestFields, places: Readonly<Record<string, Place>>): Map<string, Place> {
  const seen = new Set<string>()
  const both = new Map<string, Place>()
  for (const [name, place] of Object.entries(places)) {
    const once: Place = {
      ...place,
      enter: (kind, start) => {
        if (seen.has(name)) fields.refuse(`The field "${name}" stands twice, in two spellings.`)
        seen.add(name)
        place.enter?.(kind, start)
      },
    }
    both.set(name, once)
    both.set(snakeCase(name), once)
  }
  return both
}

/** Names are few and all ours: each is spelt once a process. */
const SNAKE_CASE = new Map<string, string>()

function snakeCase(name: string): string {
  const known = SNAKE_CASE.get(name)
  if (known !== undefined) return known
  const snake = name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
  SNAKE_CASE.set(name, snake)
  return snake
}
