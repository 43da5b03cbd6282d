// An incremental, byte-level JSON scanner: pieces in, events at the places that a consumer named out. Keeps no text but what is asked for.
import { JSON_DEPTH_MAX } from '../limits.ts'
import type { JsonEnd, JsonFault } from './json-end.ts'
import { JsonNumber } from './json-number.ts'
import { JsonPath } from './json-path.ts'
import type { Place, Scalar } from './json-place.ts'
import { SHORT, ShortTexts } from './json-short.ts'
import { JsonString } from './json-string.ts'
import { plainEnd } from './plain-text.ts'

/** Keys longer than this are never one that a consumer names. */
const KEY_BYTES_MAX = 256

const VALUE = 0
const ITEM_OR_END = 1
const KEY_OR_END = 2
const KEY = 3
const COLON = 4
const AFTER = 5
const DONE = 6
const IN_STRING = 7
const IN_KEY = 8
const IN_NUMBER = 9
const IN_LITERAL = 10
const BROKEN = 11

/**
 * Scans one document: `push` any number of pieces, then `end`. After a fault, pieces are ignored.
 * Accepts what JSON.parse accepts (lone surrogate escapes too), less: invalid UTF-8, more than JSON_DEPTH_MAX levels, and
 * duplicates of keys that a place names or that stand in the outermost object.
 */
export class JsonScanner {
  readonly #path: JsonPath
  readonly #shorts = new ShortTexts()
  readonly #string = new JsonString(this.#shorts)
  readonly #number = new JsonNumber()
  #state = VALUE
  #base = 0
  #start = 0
  #literal = ''
  #matched = 0
  #fault: JsonFault | null = null

  constructor(root: Place) {
    this.#path = new JsonPath(root)
  }

  /** Null while nothing is wrong. */
  get fault(): JsonFault | null {
    return this.#fault
  }

  /** Makes ready for another document; offsets begin at 0 again. */
  reset(): void {
    this.#state = VALUE
    this.#base = 0
    this.#path.reset()
    this.#fault = null
  }

  push(piece: Uint8Array): void {
    let at = 0
    while (at < piece.length && this.#state !== BROKEN) at = this.#step(piece, at)
    this.#base += piece.length
  }

  end(): JsonEnd {
    if (this.#state === IN_NUMBER) this.#endNumber(this.#base)
    if (this.#state === DONE) return { kind: 'whole', bytes: this.#base }
    this.#fault ??= { kind: 'broken', at: this.#base, why: this.#base === 0 ? 'the body is empty' : 'the JSON ends too early' }
    this.#state = BROKEN
    return this.#fault
  }

  /** Reads what begins or goes on at `at`; returns the index to go on at. */
  #step(piece: Uint8Array, at: number): number {
    if (this.#state >= IN_STRING) return this.#goesOn(piece, at)
    const byte = piece[at] as number
    if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) return at + 1
    switch (this.#state) {
      case ITEM_OR_END:
        if (byte === 0x5d) this.#leave(at)
        else {
          this.#path.item()
          this.#value(byte, at)
        }
        break
      case VALUE:
        this.#value(byte, at)
        break
      case KEY_OR_END:
      case KEY:
        if (byte !== 0x7d || this.#state === KEY) return this.#key(piece, at)
        this.#leave(at)
        break
      case COLON:
        if (byte !== 0x3a) this.#break(this.#base + at, 'a colon was expected')
        else this.#state = VALUE
        break
      case AFTER:
        this.#after(byte, at)
        break
      default:
        this.#break(this.#base + at, 'something follows the end of the JSON')
    }
    return at + 1
  }

  #goesOn(piece: Uint8Array, at: number): number {
    if (this.#state === IN_NUMBER) return this.#numberGoesOn(piece, at)
    return this.#state === IN_LITERAL ? this.#literalGoesOn(piece, at) : this.#stringGoesOn(piece, at)
  }

  #after(byte: number, at: number): void {
    const { array } = this.#path.top()
    if (byte === 0x2c) {
      this.#path.countComma()
      this.#state = array ? VALUE : KEY
      if (array) this.#path.item()
    } else if (byte === (array ? 0x5d : 0x7d)) this.#leave(at)
    else this.#break(this.#base + at, `a comma or a closing ${array ? 'bracket' : 'brace'} was expected`)
  }

  #key(piece: Uint8Array, at: number): number {
    if (piece[at] !== 0x22) return this.#break(this.#base + at, 'a key in quotes was expected')
    this.#start = this.#base + at
    const tally = this.#path.countKey()
    const named = this.#path.readsKeys
    const end = tally === null ? plainEnd(piece, at + 1) : piece.length
    if (piece[end] === 0x22 && end - at <= SHORT + 1) {
      this.#member(named ? this.#shorts.text(piece, at + 1, end) : null)
      return end + 1
    }
    this.#string.begin(tally, named ? KEY_BYTES_MAX : 0)
    this.#state = IN_KEY
    return at + 1
  }

  #value(byte: number, at: number): void {
    const start = this.#base + at
    this.#start = start
    if (byte === 0x22) this.#beginString(start)
    else if (byte === 0x7b || byte === 0x5b) this.#enter(byte === 0x5b, start)
    else if (byte === 0x2d || (byte >= 0x30 && byte <= 0x39)) this.#beginNumber(byte, start)
    else if (byte === 0x74 || byte === 0x66 || byte === 0x6e) this.#beginLiteral(byte, start)
    else this.#break(start, 'a value was expected')
  }

  #beginString(start: number): void {
    this.#path.place?.enter?.('string', start)
    this.#path.countMarks(2)
    this.#string.begin(this.#path.measure?.tally ?? null, this.#path.keep)
    this.#state = IN_STRING
  }

  #stringGoesOn(piece: Uint8Array, at: number): number {
    const next = this.#string.read(piece, at)
    if (next < 0) return this.#break(this.#base - 1 - next, this.#string.fault ?? 'a string is not valid')
    if (this.#string.ended) {
      if (this.#state === IN_KEY) this.#endKey()
      else this.#endScalar('string', this.#base + next)
    }
    return next
  }

  #endKey(): void {
    const named = this.#path.readsKeys && this.#string.bytes <= KEY_BYTES_MAX
    this.#member(named ? this.#string.text() : null)
  }

  #member(key: string | null): void {
    const wrong = this.#path.member(key)
    if (wrong === null) this.#state = COLON
    else this.#break(this.#start, wrong)
  }

  #beginNumber(byte: number, start: number): void {
    this.#path.place?.enter?.('number', start)
    this.#string.begin(null, this.#path.keep)
    this.#number.begin()
    this.#state = IN_NUMBER
    this.#numberByte(byte)
  }

  #numberGoesOn(piece: Uint8Array, from: number): number {
    let at = from
    while (at < piece.length && JsonNumber.holds(piece[at] as number)) {
      if (!this.#numberByte(piece[at] as number)) return this.#break(this.#base + at, 'a number is not written as JSON has it')
      at++
    }
    if (at < piece.length) this.#endNumber(this.#base + at)
    return at
  }

  #numberByte(byte: number): boolean {
    this.#string.keepByte(byte)
    this.#path.counted?.addCodePoint(byte)
    return this.#number.push(byte)
  }

  #endNumber(end: number): void {
    if (this.#number.whole) this.#endScalar('number', end)
    else this.#break(end, 'a number is not written as JSON has it')
  }

  #beginLiteral(byte: number, start: number): void {
    this.#literal = byte === 0x74 ? 'true' : byte === 0x66 ? 'false' : 'null'
    this.#matched = 1
    this.#path.place?.enter?.(this.#literal as 'true' | 'false' | 'null', start)
    this.#path.countLetters(this.#literal.length)
    this.#string.begin(null, 0)
    this.#state = IN_LITERAL
  }

  #literalGoesOn(piece: Uint8Array, at: number): number {
    if (piece[at] !== this.#literal.charCodeAt(this.#matched)) return this.#break(this.#base + at, 'a value was expected')
    this.#matched++
    if (this.#matched === this.#literal.length) this.#endScalar(this.#literal as 'true' | 'false' | 'null', this.#base + at + 1)
    return at + 1
  }

  #endScalar(kind: Scalar['kind'], end: number): void {
    const place = this.#path.place
    this.#ended()
    if (place?.scalar === undefined) return
    const text = kind === 'string' || kind === 'number' ? this.#string.text() : ''
    place.scalar({ kind, text, bytes: this.#string.bytes, start: this.#start, end })
  }

  #enter(array: boolean, start: number): void {
    if (this.#path.enter(array, start)) this.#state = array ? ITEM_OR_END : KEY_OR_END
    else this.#break(start, `nested deeper than ${JSON_DEPTH_MAX} levels`)
  }

  #leave(at: number): void {
    this.#path.leave(this.#base + at + 1)
    this.#ended()
  }

  #ended(): void {
    this.#state = this.#path.depth === 0 ? DONE : AFTER
  }

  /** Returns what ends the loop over a piece. */
  #break(at: number, why: string): number {
    this.#fault ??= { kind: 'broken', at, why }
    this.#state = BROKEN
    return Number.MAX_SAFE_INTEGER
  }
}
