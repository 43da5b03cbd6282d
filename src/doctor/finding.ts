// What the doctor says of one thing that is not as it should be: where, what, why it matters, and the fix. Findings that are alike are told once.

/** `wrong`: money, calls or answers are lost so. `note`: it works, and could be better. */
export type Grade = 'wrong' | 'note'

export interface Finding {
  /** A short name of the rule, for tests. */
  readonly rule: string
  readonly grade: Grade
  readonly where: string
  readonly what: string
  readonly why: string
  readonly fix: string
}

const PLACES_TOLD = 3

/** The findings as text: what is wrong first, each with all its places. */
export function findingsText(findings: readonly Finding[]): string {
  const alike = Map.groupBy(findings, ({ grade, what, fix }) => JSON.stringify([grade, what, fix]))
  const groups = [...alike.values()].toSorted((a, b) => rank(a) - rank(b))
  return groups.map(group => text(group)).join('')
}

const rank = ([first]: readonly Finding[]): number => (first?.grade === 'wrong' ? 0 : 1)

function text(group: readonly Finding[]): string {
  const [first] = group
  if (first === undefined) return ''
  const places = [...new Set(group.map(({ where }) => where))]
  const more = places.length > PLACES_TOLD ? ` and ${places.length - PLACES_TOLD} more` : ''
  const where = places.slice(0, PLACES_TOLD).join(', ') + more
  return `${first.grade.padEnd(6)} ${where}\n       ${first.what}\n       Why: ${first.why}\n       Fix: ${first.fix}\n\n`
}
