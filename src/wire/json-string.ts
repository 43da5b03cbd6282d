// Reads the content of one JSON string, cut anywhere: checks UTF-8 and escapes, counts by class, keeps a bounded head. Knows no structure.
import { KeptText } from './json-kept.ts'
import type { ShortTexts } from './json-short.ts'
import { PlainText, plainEnd } from './plain-text.ts'
import { HIGH, JOINER, STRING_CLASS, TextTally } from './text-tally.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const REPLACEMENT = 0xfffd
/** Where no one counts: what little is counted all the same goes here. */
const UNCOUNTED: TextTally = new TextTally()

/** One reader serves one string after another: `begin`, then `read` until it says where the string ended. */
export class JsonString {
  /** Decoded bytes so far; a lone surrogate counts as the replacement character. */
  bytes = 0
  /** What is wrong with the string, null while nothing is. */
  fault: string | null = null
  /** Whether the closing quote was read: also where it was the last byte of a piece. */
  ended = false

  #tally = UNCOUNTED
  readonly #kept: KeptText
  readonly #plainText = new PlainText()
  /** Continuation bytes still due, and what the next one may be (RFC 3629, table 3-7 of Unicode). */
  #due = 0
  #low = 0x80
  #top = 0xbf
  /** 0: none; 1: after the backslash; 2 to 5: hex digits still due, plus one. */
  #escape = 0
  #hex = 0
  /** A high surrogate that waits for its low one, 0 for none. */
  #surrogate = 0

  constructor(shorts: ShortTexts) {
    this.#kept = new KeptText(shorts)
  }

  /** Starts a string whose opening quote was read. `keep` is the bytes of decoded text to keep, at most CAPTURE_BYTES_MAX. */
  begin(tally: TextTally | null, keep: number): void {
    this.bytes = 0
    this.fault = null
    this.ended = false
    this.#tally = tally ?? UNCOUNTED
    this.#kept.begin(keep)
    this.#plainText.begin()
    this.#due = 0
    this.#escape = 0
    this.#surrogate = 0
  }

  /** Reads from `from`. Returns the index after the closing quote; the piece's length where it was not reached; -1 - index of a fault. */
  read(piece: Uint8Array, from: number): number {
    let at = from
    while (at < piece.length) {
      if (this.#escape !== 0) {
        if (!this.#escaped(piece[at] as number)) return -1 - at
        at++
        continue
      }
      at = this.#plain(piece, at)
      if (at < 0 || at === piece.length) return at
      const byte = piece[at] as number
      if (byte === BACKSLASH) this.#escape = 1
      else if (byte === QUOTE) return this.#close(at + 1)
      else return this.#fail('a control character inside a string', at)
      at++
    }
    return at
  }

  /** The kept head of the decoded text; whole if `bytes` is at most what was asked to be kept. */
  text(): string {
    return this.#kept.text()
  }

  /** Keeps one byte of a number, which shares the buffer. */
  keepByte(byte: number): void {
    this.bytes++
    this.#kept.addByte(byte)
  }

  #plain(piece: Uint8Array, from: number): number {
    let at = from
    if (this.#due !== 0) {
      at = this.#continue(piece, at)
      if (at < 0 || at === piece.length) return at
    }
    if (this.#surrogate !== 0 && piece[at] !== BACKSLASH) this.#emitLone()
    const start = at
    for (;;) {
      at = this.#tally === UNCOUNTED ? plainEnd(piece, at) : this.#plainText.count(piece, at, this.#tally)
      const high = at
      while (at < piece.length && (piece[at] as number) >= 0x80) {
        at = this.#lead(piece, at)
        if (at < 0) return at
      }
      if (at === high) break
      this.#tally.high += at - high
      this.#plainText.endRun(this.#tally)
    }
    this.bytes += at - start
    if (!this.#kept.full) this.#kept.addSpan(piece, start, at)
    return at
  }

  /** Reads a lead byte and those of its continuation bytes that are here; returns the index after them. */
  #lead(piece: Uint8Array, at: number): number {
    const byte = piece[at] as number
    if (byte < 0xc2 || byte > 0xf4) return this.#fail('not valid UTF-8', at)
    this.#due = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3
    this.#low = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80
    this.#top = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf
    return this.#rest(piece, at + 1)
  }

  #rest(piece: Uint8Array, from: number): number {
    let at = from
    for (; this.#due > 0 && at < piece.length; at++) {
      const byte = piece[at] as number
      if (byte < this.#low || byte > this.#top) return this.#fail('not valid UTF-8', at)
      this.#due--
      this.#low = 0x80
      this.#top = 0xbf
    }
    return at
  }

  /** The continuation of a character that the last piece cut. */
  #continue(piece: Uint8Array, from: number): number {
    const at = this.#rest(piece, from)
    if (at < 0) return at
    this.#tally.high += at - from
    this.bytes += at - from
    if (!this.#kept.full) this.#kept.addSpan(piece, from, at)
    return at
  }

  #escaped(byte: number): boolean {
    if (this.#escape > 1) return this.#hexDigit(byte)
    if (byte === 0x75) {
      this.#escape = 5
      this.#hex = 0
      return true
    }
    const code = SIMPLE_ESCAPES.get(byte)
    if (code === undefined) return this.#refuse('an escape that JSON does not have')
    this.#escape = 0
    if (this.#surrogate !== 0) this.#emitLone()
    this.#emit(code)
    return true
  }

  #hexDigit(byte: number): boolean {
    const low = byte | 0x20
    const digit = byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : low >= 0x61 && low <= 0x66 ? low - 0x57 : -1
    if (digit < 0) return this.#refuse('an escape \\u without four hex digits')
    this.#hex = this.#hex * 16 + digit
    this.#escape--
    if (this.#escape > 1) return true
    this.#escape = 0
    this.#unit(this.#hex)
    return true
  }

  /** One UTF-16 unit of a \u escape. */
  #unit(unit: number): void {
    if (unit >= 0xdc00 && unit <= 0xdfff && this.#surrogate !== 0) {
      const code = 0x1_0000 + (this.#surrogate - 0xd800) * 0x400 + (unit - 0xdc00)
      this.#surrogate = 0
      this.#emit(code)
      return
    }
    if (this.#surrogate !== 0) this.#emitLone()
    if (unit >= 0xd800 && unit <= 0xdbff) this.#surrogate = unit
    else this.#emit(unit >= 0xdc00 && unit <= 0xdfff ? REPLACEMENT : unit)
  }

  #emitLone(): void {
    this.#surrogate = 0
    this.#emit(REPLACEMENT)
  }

  #emit(code: number): void {
    this.#tally.addCodePoint(code)
    const kind = code < 0x80 ? (STRING_CLASS[code] as number) : HIGH
    if (kind <= JOINER) this.#plainText.goOn()
    else this.#plainText.endRun(this.#tally)
    const count = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x1_0000 ? 3 : 4
    this.bytes += count
    if (!this.#kept.full) this.#kept.addCodePoint(code)
  }

  #close(next: number): number {
    if (this.#surrogate !== 0) this.#emitLone()
    this.#plainText.endRun(this.#tally)
    this.ended = true
    return next
  }

  #refuse(why: string): false {
    this.fault = why
    return false
  }

  #fail(why: string, at: number): number {
    this.fault = why
    return -1 - at
  }
}

/** The byte after a backslash -> the character that it stands for. */
const SIMPLE_ESCAPES: ReadonlyMap<number, number> = new Map([
  [0x22, 0x22],
  [0x5c, 0x5c],
  [0x2f, 0x2f],
  [0x62, 0x08],
  [0x66, 0x0c],
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
])
