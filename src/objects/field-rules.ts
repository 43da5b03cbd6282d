// Rules of single fields that no schema holds: trusted headers, and what this version does not enforce yet.
import { quote } from './finding.ts'

export interface FieldContext {
  /** Lower-case; null where it is not known which headers the server trusts. */
  readonly trustedHeaders: readonly string[] | null
}

/** What is wrong with the value at `place` (for instance `spec.limits[].fairShare`), or null. */
export function fieldFault(place: string, value: unknown, context: FieldContext): string | null {
  const rule = Object.hasOwn(PLACES, place) ? PLACES[place] : undefined
  return rule === undefined ? null : rule(value, context)
}

type FieldRule = (value: unknown, context: FieldContext) => string | null

const unsupported =
  (refused: unknown, allowed: string): FieldRule =>
  value =>
    value === refused ? `${typeof value === 'string' ? value : quote(value)} is not supported yet; allowed: ${allowed}` : null

const trustedHeader: FieldRule = (value, { trustedHeaders }) => {
  if (typeof value !== 'string' || trustedHeaders === null || trustedHeaders.includes(value.toLowerCase())) return null
  const allowed =
    trustedHeaders.length === 0 ? 'none are trusted; name it in --trusted-headers' : `${trustedHeaders.join(', ')} (--trusted-headers)`
  return `${quote(value)} is not a trusted header; allowed: ${allowed}`
}

/** Places of headers that policies select by. */
export const HEADER_PLACES: readonly string[] = ['spec.limits[].partitionBy[].header', 'spec.match.subjects[].header']

const PLACES: Readonly<Record<string, FieldRule>> = {
  ...Object.fromEntries(HEADER_PLACES.map(place => [place, trustedHeader])),
  'spec.limits[].fairShare': unsupported(true, 'false'),
}
