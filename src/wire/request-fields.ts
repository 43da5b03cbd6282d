// Places for the fields that bound a call: each checks its value's type and shape, and names the field that is wrong. Keeps no content.
import { MODEL_NAME_CHARS_MAX } from '../limits.ts'
import type { Place, Scalar, Span } from './json-place.ts'

/** No model has a bound near this; a larger number is a mistake or an attack. */
const COUNT_MAX = 2n ** 53n - 1n
const COUNT_DIGITS_MAX = 24

/** The fields of one request body, and the first thing that is wrong with any of them. */
export class RequestFields {
  /** A sentence for the client; null while nothing is wrong. */
  problem: string | null = null

  refuse(sentence: string): void {
    this.problem ??= sentence
  }

  /** A whole number, 0 or more; null is absence, told to `absent`. */
  count(name: string, found: (value: bigint, span: Span) => void, absent?: (span: Span) => void): Place {
    return this.#scalar(name, 'a whole number, 0 or more', COUNT_DIGITS_MAX, scalar => {
      if (scalar.kind === 'null') absent?.(scalar)
      const value = scalar.kind === 'number' ? wholeNumber(scalar) : null
      if (value !== null) found(value, scalar)
      return value !== null || scalar.kind === 'null'
    })
  }

  /** true or false; null is absence. */
  flag(name: string, found: (value: boolean, span: Span) => void): Place {
    return this.#scalar(name, 'true or false', 0, scalar => {
      if (scalar.kind === 'true' || scalar.kind === 'false') found(scalar.kind === 'true', scalar)
      return scalar.kind === 'true' || scalar.kind === 'false' || scalar.kind === 'null'
    })
  }

  /** A name of at most MODEL_NAME_CHARS_MAX bytes that is not empty; null is absence. */
  word(name: string, found: (text: string, span: Span) => void): Place {
    return this.#scalar(name, `a text of 1 to ${MODEL_NAME_CHARS_MAX} bytes`, MODEL_NAME_CHARS_MAX, scalar => {
      const fits = scalar.kind === 'string' && scalar.bytes > 0 && scalar.bytes <= MODEL_NAME_CHARS_MAX
      if (fits) found(scalar.text, scalar)
      return fits || scalar.kind === 'null'
    })
  }

  #scalar(name: string, shape: string, keep: number, read: (scalar: Scalar) => boolean): Place {
    const refuse = (): void => this.refuse(`The field "${name}" must be ${shape}.`)
    return {
      keep,
      measure: null,
      enter: kind => {
        if (kind === 'object' || kind === 'array') refuse()
      },
      scalar: scalar => {
        if (!read(scalar)) refuse()
      },
    }
  }
}

/** Null for a number with a fraction, an exponent, a sign, or more than any count can be. `100.0` is one hundred. */
function wholeNumber({ text, bytes }: Scalar): bigint | null {
  if (bytes > COUNT_DIGITS_MAX) return null
  const digits = /^(\d+)(?:\.0+)?$/.exec(text)?.[1]
  if (digits === undefined) return null
  const value = BigInt(digits)
  return value <= COUNT_MAX ? value : null
}
