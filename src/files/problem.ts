// Problems: what is wrong with an object, where, and what is allowed, on one line. Never a key, and never more than a glimpse of a value.

/** The way to a field: names of fields and numbers of items. */
export type Path = readonly (string | number)[]

/** What is wrong at a field of one object; the place in the file is found when it is reported. */
export interface Finding {
  readonly path: Path
  readonly text: string
}

export interface Problem {
  readonly file: string
  /** From 1 on. */
  readonly line: number
  /** Kind, namespace and name, for instance `BudgetPolicy default/team`. */
  readonly object: string
  readonly field: string
  readonly text: string
}

/** All problems as lines `file:line: object: field: text`, in the order of files, lines and fields, each once. */
export function problemLines(problems: readonly Problem[]): readonly string[] {
  const sorted = [...problems].sort(
    (a, b) => compare(a.file, b.file) || a.line - b.line || compare(a.field, b.field) || compare(a.text, b.text),
  )
  return [...new Set(sorted.map(({ file, line, object, field, text }) => `${file}:${line}: ${object}: ${field}: ${text}`))]
}

/** `spec.limits[0].amount`; names that are not plain words are quoted. */
export function pathText(path: Path): string {
  const text = path.map(step => (typeof step === 'number' ? `[${step}]` : /^[\w-]+$/.test(step) ? `.${step}` : `[${quote(step)}]`)).join('')
  return text.replace(/^\./, '')
}

/** Characters of a value that a problem shows. */
export const SHOWN_MAX = 60

/** A value as JSON, cut to a glimpse, safe to print. */
export function quote(value: unknown): string {
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value))
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}… (${text.length} characters)`
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
