// Where a scan stands in a document: the open objects and arrays, the place of the next value, and keys seen twice. Reads no bytes.
import { assert } from '../core/assert.ts'
import { JSON_DEPTH_MAX } from '../limits.ts'
import type { Measure, Place } from './json-place.ts'

/** Members of the outermost object whose keys are remembered to find duplicates; no API has a tenth of it. */
const TOP_MEMBERS_MAX = 1_024

/** One open object or array. Frames are made once a depth and used again. */
export class Frame {
  array = false
  start = 0
  count = 0
  place: Place | null = null
  measure: Measure | null = null
  /** A list, because it is short: places name a dozen keys, and the outermost object has at most TOP_MEMBERS_MAX. */
  readonly seen: string[] = []
}

export class JsonPath {
  /** The place of the value that comes next, and where it is counted. */
  place: Place | null
  measure: Measure | null
  /** Open objects and arrays. */
  depth = 0
  readonly #root: Place
  readonly #frames: Frame[] = []

  constructor(root: Place) {
    this.#root = root
    this.place = root
    this.measure = root.measure ?? null
  }

  reset(): void {
    this.depth = 0
    this.place = this.#root
    this.measure = this.#root.measure ?? null
  }

  top(): Frame {
    const frame = this.#frames[this.depth - 1]
    assert(frame !== undefined, 'a value that ends or goes on is inside an open one')
    return frame
  }

  /** What structure is counted into here, null where only text is, or nothing. */
  get counted(): Measure['tally'] | null {
    return this.measure?.mode === 'json' ? this.measure.tally : null
  }

  /** Bytes of the value's text to keep. */
  get keep(): number {
    return this.place?.scalar === undefined ? 0 : (this.place.keep ?? 256)
  }

  /** Counts quotes or brackets of the value. */
  countMarks(marks: number): void {
    const { counted } = this
    if (counted !== null) counted.marks += marks
  }

  /** Counts a literal. */
  countLetters(letters: number): void {
    const { counted } = this
    if (counted !== null) counted.letters += letters
  }

  /** Counts a comma of the open object or array. */
  countComma(): void {
    const { measure } = this.top()
    if (measure?.mode === 'json') measure.tally.marks++
  }

  /** Counts a key's quotes and colon; returns what its text is counted into. */
  countKey(): Measure['tally'] | null {
    const { measure } = this.top()
    if (measure?.mode !== 'json') return null
    measure.tally.marks += 3
    return measure.tally
  }

  /** Opens an object or array at the place of the value; false where it would be one too deep. */
  enter(array: boolean, start: number): boolean {
    if (this.depth >= JSON_DEPTH_MAX) return false
    this.place?.enter?.(array ? 'array' : 'object', start)
    this.countMarks(2)
    const frame = this.#frames[this.depth] ?? new Frame()
    this.#frames[this.depth++] = frame
    frame.array = array
    frame.start = start
    frame.count = 0
    frame.place = this.place
    frame.measure = this.measure
    if (frame.seen.length > 0) frame.seen.length = 0
    return true
  }

  leave(end: number): void {
    const frame = this.top()
    this.depth--
    frame.place?.leave?.({ start: frame.start, end, count: frame.count })
  }

  /** The next value is an item of the open array. */
  item(): void {
    const frame = this.top()
    frame.count++
    this.#settle(frame, frame.place?.items ?? null)
  }

  /** Whether the text of keys is needed here. */
  get readsKeys(): boolean {
    return this.depth === 1 || this.top().place?.members !== undefined
  }

  /**
   * The next value is the member `key` of the open object; null for a key too long to be named. Returns what is wrong with that:
   * readers disagree on which of two equal keys counts, and some (Go's among them) take keys for equal that differ in case.
   */
  member(key: string | null): string | null {
    const frame = this.top()
    frame.count++
    const place = key === null ? undefined : frame.place?.members?.get(key)
    this.#settle(frame, place ?? frame.place?.others ?? null)
    if (key === null || (place === undefined && this.depth > 1)) return null
    if (place === undefined && !isLowerCase(key) && frame.place?.members?.has(key.toUpperCase().toLowerCase()))
      return 'a key differs from a known one only in its case'
    if (frame.seen.includes(key)) return 'a key stands twice in its object'
    if (frame.seen.length >= TOP_MEMBERS_MAX) return `the outermost object has more than ${TOP_MEMBERS_MAX} members`
    frame.seen.push(key)
    return null
  }

  #settle(frame: Frame, place: Place | null): void {
    this.place = place
    this.measure = place?.measure === undefined ? frame.measure : place.measure
  }
}

/** Whether a key is of the characters of all known ones: then it differs from none of them by its case alone. */
function isLowerCase(key: string): boolean {
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i)
    if ((code < 0x61 || code > 0x7a) && code !== 0x5f && (code < 0x30 || code > 0x39)) return false
  }
  return true
}
