// Findings: what is wrong with an object, where, and what is allowed. Never a key, and never more than a glimpse of a value.

/** The way to a field: names of fields and numbers of items. */
export type Path = readonly (string | number)[]

/** What is wrong at a field of one object; where the object lies is found when it is reported. */
export interface Finding {
  readonly path: Path
  readonly text: string
}

/** `spec.limits[0].amount`, or `(root)`; names that are not plain words are quoted. */
export function pathText(path: Path): string {
  if (path.length === 0) return '(root)'
  const text = path.map(step => (typeof step === 'number' ? `[${step}]` : /^[\w-]+$/.test(step) ? `.${step}` : `[${quote(step)}]`)).join('')
  return withoutKeys(text.replace(/^\./, ''))
}

/** Characters of a value that a problem shows. */
export const SHOWN_MAX = 60

/** A value as JSON, cut to a glimpse, safe to print; what looks like a key of ours is left out. */
export function quote(value: unknown): string {
  const written = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value))
  const text = withoutKeys(written)
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}… (${text.length} characters)`
}

/** Text without what looks like a key of ours. */
export const withoutKeys = (text: string): string => text.replace(/psk_[A-Za-z0-9_-]+/g, 'psk_(not shown)')
