// The grammar of a JSON number (RFC 8259, section 6), one byte at a time. Keeps nothing but where in the grammar it is.

const SIGN = 0
const START = 1
const ZERO = 2
const WHOLE = 3
const POINT = 4
const FRACTION = 5
const EXPONENT = 6
const EXPONENT_SIGN = 7
const POWER = 8

export class JsonNumber {
  #state = START

  /** Whether `byte` can be part of a number at all; the first that cannot ends it. */
  static holds(byte: number): boolean {
    return (byte >= 0x30 && byte <= 0x39) || byte === 0x2e || byte === 0x2d || byte === 0x2b || byte === 0x65 || byte === 0x45
  }

  begin(): void {
    this.#state = START
  }

  /** Whether what came so far is a number. */
  get whole(): boolean {
    return this.#state === ZERO || this.#state === WHOLE || this.#state === FRACTION || this.#state === POWER
  }

  /** Takes the next byte; false if the grammar has no such byte here. */
  push(byte: number): boolean {
    const next = byte >= 0x30 && byte <= 0x39 ? this.#digit(byte) : this.#mark(byte)
    if (next < 0) return false
    this.#state = next
    return true
  }

  #digit(byte: number): number {
    switch (this.#state) {
      case START:
      case SIGN:
        return byte === 0x30 ? ZERO : WHOLE
      case ZERO:
        return -1
      case WHOLE:
        return WHOLE
      case POINT:
      case FRACTION:
        return FRACTION
      default:
        return POWER
    }
  }

  #mark(byte: number): number {
    const state = this.#state
    if (byte === 0x2d && state === START) return SIGN
    if (byte === 0x2e && (state === ZERO || state === WHOLE)) return POINT
    if ((byte | 0x20) === 0x65 && (state === ZERO || state === WHOLE || state === FRACTION)) return EXPONENT
    if ((byte === 0x2d || byte === 0x2b) && state === EXPONENT) return EXPONENT_SIGN
    return -1
  }
}
