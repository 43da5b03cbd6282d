// A place in a JSON document: what a consumer wants to hear of the values that stand there. Types only, and how places are joined to a tree.
import type { TextTally } from './text-tally.ts'

export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'true' | 'false' | 'null'

/** Bytes of the whole document, end exclusive. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** A string, number, boolean or null that ended. */
export interface Scalar extends Span {
  readonly kind: Exclude<JsonKind, 'object' | 'array'>
  /** A string's decoded text or a number's literal, cut at `keep` bytes of the place; empty for the others. */
  readonly text: string
  /** Bytes of the whole decoded text or literal. `bytes > keep` means that `text` was cut. */
  readonly bytes: number
}

/**
 * What a consumer wants at one place of a document. Every part is optional; what no place names is validated and skipped.
 * Places are made once per scan, as a tree of literals whose handlers close over the consumer's state.
 */
export interface Place {
  /** The places of an object's members by key. Each of these keys may stand once in its object, else the document is broken. */
  readonly members?: ReadonlyMap<string, Place>
  /** The place of all members that `members` does not name. */
  readonly others?: Place
  /** The place of an array's items. */
  readonly items?: Place
  /** Bytes of a scalar's text to keep, 256 unless told, at most CAPTURE_BYTES_MAX. */
  readonly keep?: number
  /** Where text here and below is counted, unless a place below says otherwise; null: not counted from here on. */
  readonly measure?: Measure | null
  /** A value begins here. */
  enter?(kind: JsonKind, start: number): void
  /** A scalar ended here. */
  scalar?(scalar: Scalar): void
  /** An object or array ended here; `count` is the number of its members or items. */
  leave?(span: Span & { readonly count: number }): void
}

/** `text`: contents of string values only. `json`: also keys, numbers, literals and punctuation (as marks), but no blanks between them. */
export interface Measure {
  readonly tally: TextTally
  readonly mode: 'text' | 'json'
}

/** Short for the `members` of a place: `places`, and of `base`, which is made once for all documents, what they leave out. */
export function members(places: Readonly<Record<string, Place>>, base?: ReadonlyMap<string, Place>): ReadonlyMap<string, Place> {
  const map = new Map(base)
  // Made for every request: no list of pairs in between.
  for (const key in places) {
    const place = places[key]
    if (place !== undefined) map.set(key, place)
  }
  return map
}
