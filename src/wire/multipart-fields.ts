// The fields of a form that bound a call: each is checked, may stand once, and is named where it is wrong. Keeps words, counts and sizes only.
import { MODEL_NAME_CHARS_MAX } from '../limits.ts'
import type { CallDraft } from './call-draft.ts'
import type { CallReader, ReadResult } from './format.ts'
import { boundaryOf, MultipartScanner, type PartSink } from './multipart.ts'
import type { PartHead } from './part-head.ts'
import { RawText } from './raw-text.ts'

/** What a field of a form is. `word`s may stand once; of the others, any number. */
export type FormField =
  | { readonly kind: 'word'; found(text: string): string | null }
  | { readonly kind: 'prompt' }
  | { readonly kind: 'payload'; found(bytes: number): unknown }
  | { readonly kind: 'not-read' }

export interface FormShape {
  readonly draft: CallDraft
  /** By the field's name, without the brackets that mark a list. */
  readonly fields: Readonly<Record<string, FormField>>
  /** A part of any other name. */
  others(isFile: boolean): FormField
  /** What the whole form comes to. */
  complete(): ReadResult
}

/** `contentType` is the request's. */
export function openFormReader(contentType: string | null, shape: FormShape): CallReader {
  const boundary = boundaryOf(contentType)
  const seen = new Set<string>()
  const known = new Map(Object.entries(shape.fields))
  const open = (head: PartHead): PartSink | string => {
    const name = head.name.replace(/\[\d{0,3}\]$/, '')
    const field = known.get(name) ?? shape.others(head.isFile)
    if (!known.has(name) && known.has(name.trim().toLowerCase())) return 'a field differs from a known one only in its case'
    if (field.kind === 'word' && seen.has(name)) return `the field "${name}" stands twice`
    if (field.kind === 'word' && head.isFile) return `the field "${name}" must be a text`
    seen.add(name)
    return sinkOf(name, field, shape.draft)
  }
  const scanner = boundary === null ? null : new MultipartScanner(boundary, open)
  return {
    push: piece => scanner?.push(piece),
    end: () => {
      const end = scanner?.end() ?? { kind: 'broken', why: 'its content-type names no boundary' }
      if (end.kind === 'broken') return { kind: 'unreadable', why: `The body is not a form that can be read: ${end.why}.` }
      return shape.complete()
    },
  }
}

/** A whole number, 0 or more. */
export function countField(name: string, found: (value: bigint) => void): FormField {
  return {
    kind: 'word',
    found: text => {
      if (!/^\d{1,15}$/.test(text)) return `the field "${name}" must be a whole number, 0 or more`
      found(BigInt(text))
      return null
    },
  }
}

/** Any short text; an empty one is absence. */
export function wordField(found: (text: string) => void): FormField {
  return {
    kind: 'word',
    found: text => {
      if (text !== '') found(text)
      return null
    },
  }
}

function sinkOf(name: string, field: FormField, draft: CallDraft): PartSink {
  const fine = (): null => null
  switch (field.kind) {
    case 'word': {
      const word = new Word()
      return {
        bytes: content => word.add(content),
        end: () => {
          const text = word.text()
          return text === null ? `the field "${name}" must be a text of at most ${MODEL_NAME_CHARS_MAX} bytes` : field.found(text)
        },
      }
    }
    case 'prompt': {
      const text = new RawText(draft.text)
      draft.items++
      return { bytes: content => text.add(content), end: fine }
    }
    case 'payload': {
      let size = 0
      const end = (): null => {
        field.found(size)
        return null
      }
      return { bytes: content => (size += content.length), end }
    }
    case 'not-read':
      return { bytes: fine, end: fine }
  }
}

/** One short text. */
class Word {
  readonly #bytes = new Uint8Array(MODEL_NAME_CHARS_MAX)
  #length = 0
  #over = false

  add(content: Uint8Array): void {
    const room = MODEL_NAME_CHARS_MAX - this.#length
    if (content.length > room) this.#over = true
    this.#bytes.set(content.subarray(0, room), this.#length)
    this.#length += Math.min(content.length, room)
  }

  /** Null where it is too long, is not UTF-8, or holds control characters. */
  text(): string | null {
    if (this.#over) return null
    try {
      const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.#bytes.subarray(0, this.#length))
      return /\p{Cc}/u.test(text) ? null : text
    } catch {
      return null
    }
  }
}
