// Counts text by class of byte in one pass, for the bound on the tokens it can become. Keeps numbers, never text.
import type { TextSize } from '../core/call.ts'

/** What a byte of a string's content is. `JOINER` marks (`+ / - _`) do not end a dense run: base64 has them within. */
export const LETTER = 0
export const DIGIT = 1
export const JOINER = 2
export const SPACE = 3
export const MARK = 4
export const HIGH = 5
/** Bytes that a JSON string may not hold as they are: the quote, the backslash, control characters. */
export const STOP = 6

/** A run of letters, digits and joiners that is longer than this is dense. */
export const DENSE_RUN = 24

/** The class of each byte inside a JSON string. */
export const STRING_CLASS: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  const char = String.fromCharCode(byte)
  if (byte >= 0x80) return HIGH
  if (byte < 0x20 || char === '"' || char === '\\') return STOP
  if (/[A-Za-z]/.test(char)) return LETTER
  if (/[0-9]/.test(char)) return DIGIT
  if (/[-+/_]/.test(char)) return JOINER
  return char === ' ' ? SPACE : MARK
})

/** A sum of {@link TextSize}, growing. Counters are public so that a scanner's inner loop can add to them in bulk. */
export class TextTally {
  letters = 0
  digits = 0
  spaces = 0
  marks = 0
  high = 0
  dense = 0

  /** Counts one character by its code point, as the bytes that it is in UTF-8. Dense runs are the caller's business. */
  addCodePoint(code: number): void {
    if (code >= 0x80) this.high += code < 0x800 ? 2 : code < 0x1_0000 ? 3 : 4
    else if (code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d) this.spaces += 1
    else if (code >= 0x30 && code <= 0x39) this.digits += 1
    else if ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a) this.letters += 1
    else this.marks += 1
  }

  /** Counts bytes that could not be read, and may all be text: as the densest that there is. */
  addUnread(bytes: number): void {
    this.letters += bytes
    this.dense += bytes
  }

  size(): TextSize {
    const { letters, digits, spaces, marks, high, dense } = this
    return { letters, digits, spaces, marks, high, dense }
  }
}
