// Problems: findings with the place in a file where they were made, as lines. Never a key, and never more than a glimpse of a value.
import { type Path, pathText } from '../objects/finding.ts'
import type { SourceDocument } from './yaml-objects.ts'

export interface Problem {
  readonly file: string
  /** From 1 on. */
  readonly line: number
  /** Kind, namespace and name, for instance `BudgetPolicy default/team`. */
  readonly object: string
  readonly field: string
  readonly text: string
}

/** The problem of one object at a field of its document. */
export function problemAt(document: SourceDocument, object: string, path: Path, text: string): Problem {
  return { file: document.file, line: document.lineOf(path), object, field: pathText(path), text }
}

/** A problem of a file as a whole. */
export const fileProblem = (file: string, text: string): Problem => ({ file, line: 1, object: 'file', field: '(root)', text })

/** All problems as lines `file:line: object: field: text`, in the order of files, lines and fields, each once. */
export function problemLines(problems: readonly Problem[]): readonly string[] {
  const sorted = [...problems].sort(
    (a, b) => compare(a.file, b.file) || a.line - b.line || compare(a.field, b.field) || compare(a.text, b.text),
  )
  return [...new Set(sorted.map(({ file, line, object, field, text }) => `${file}:${line}: ${object}: ${field}: ${text}`))]
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
