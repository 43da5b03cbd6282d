// YAML and JSON text to plain values that remember the lines they came from. Knows nothing of what the values mean.
import { Composer, type Document, isMap, isNode, isPair, isScalar, LineCounter, type Node, Parser } from 'yaml'
import { type Path, quote } from '../objects/finding.ts'

/** One document of a file. */
export interface SourceDocument {
  readonly file: string
  /** From 1 on. */
  readonly number: number
  readonly value: unknown
  /** The line of a field; of the closest field around it where there is none. */
  lineOf(path: Path): number
  /** A scalar as it was written, null where the field is no scalar. */
  writtenAt(path: Path): string | null
}

export type ReadDocument =
  | { readonly kind: 'document'; readonly document: SourceDocument }
  | { readonly kind: 'faulty'; readonly number: number; readonly line: number; readonly why: string }

/** Reads the documents of `text` one by one, so that a caller can do other work between them. Empty documents are left out. */
export function* readDocuments(file: string, text: string): Generator<ReadDocument> {
  const source = text.replace(/^\uFEFF/, '')
  const lines = new LineCounter()
  const lineAt = (offset: number): number => Math.max(1, lines.linePos(offset).line)
  const composer = new Composer({ lineCounter: lines, uniqueKeys: true, stringKeys: true, resolveKnownTags: false, prettyErrors: false })
  let number = 0
  try {
    for (const document of composer.compose(new Parser(lines.addNewLine).parse(source), true, source.length)) {
      number += 1
      const faults = [...document.errors, ...document.warnings]
      for (const fault of faults)
        yield faulty(number, lineAt(fault.pos[0]), fault.code === 'DUPLICATE_KEY' ? twice(source, fault.pos[0]) : fault.message)
      const read = faults.length === 0 ? readDocument(file, number, document, lineAt) : null
      if (read !== null) yield read
    }
  } catch (error) {
    // Only the parser's own recursion can end here.
    yield faulty(number + 1, 1, error instanceof RangeError ? 'nested too deeply' : String(error))
  }
}

function readDocument(file: string, number: number, document: Document.Parsed, lineAt: (offset: number) => number): ReadDocument | null {
  const start = document.contents?.range?.[0] ?? 0
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    return faulty(number, lineAt(start), error instanceof Error ? error.message : String(error))
  }
  if (value === null) return null
  return {
    kind: 'document',
    document: {
      file,
      number,
      value,
      lineOf: path => lineAt(offsetOf(document, path) ?? start),
      writtenAt: path => {
        const node = document.getIn(path, true)
        return isScalar(node) ? (node.source ?? null) : null
      },
    },
  }
}

const twice = (source: string, offset: number): string =>
  `${quote(/^[^:\n]{0,256}/.exec(source.slice(offset, offset + 256))?.[0] ?? '')} is there twice; allowed: each field once`

const faulty = (number: number, line: number, why: string): ReadDocument => ({
  kind: 'faulty',
  number,
  line,
  why: why.split('\n')[0] ?? why,
})

/** Where the field's name stands, or the item begins; else the same of the closest field around it. */
function offsetOf(document: Document.Parsed, path: Path): number | null {
  for (let length = path.length; length > 0; length -= 1) {
    const around = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true)
    const step = path[length - 1]
    if (isMap(around)) {
      const pair = around.items.find(item => isPair(item) && isScalar(item.key) && item.key.value === step)
      if (pair !== undefined && isNode(pair.key)) return startOf(pair.key)
    }
    const node = document.getIn(path.slice(0, length), true)
    if (isNode(node)) return startOf(node)
  }
  return null
}

const startOf = (node: Node): number | null => node.range?.[0] ?? null
