// The kept head of one scalar's text, bounded, in a buffer that is used again and again.
import { CAPTURE_BYTES_MAX } from '../limits.ts'
import { SHORT, type ShortTexts } from './json-short.ts'

const ENCODER = new TextEncoder()
const DECODER = new TextDecoder('utf-8', { ignoreBOM: true })

export class KeptText {
  #bytes = new Uint8Array(256)
  #length = 0
  #keep = 0
  readonly #shorts: ShortTexts

  constructor(shorts: ShortTexts) {
    this.#shorts = shorts
  }

  /** Starts anew; `keep` bytes are kept, at most CAPTURE_BYTES_MAX. */
  begin(keep: number): void {
    this.#length = 0
    this.#keep = Math.min(keep, CAPTURE_BYTES_MAX)
  }

  get full(): boolean {
    return this.#length >= this.#keep
  }

  addSpan(piece: Uint8Array, from: number, to: number): void {
    const count = Math.min(to - from, this.#keep - this.#length)
    if (count <= 0) return
    this.#reserve(count)
    const bytes = this.#bytes
    let at = this.#length
    this.#length += count
    // A view costs more than a few bytes by hand.
    if (count > 2 * SHORT) bytes.set(piece.subarray(from, from + count), at)
    else for (let i = from; i < from + count; i++) bytes[at++] = piece[i] as number
  }

  addByte(byte: number): void {
    if (this.full) return
    this.#reserve(1)
    this.#bytes[this.#length++] = byte
  }

  addCodePoint(code: number): void {
    if (code < 0x80) this.addByte(code)
    else {
      const encoded = ENCODER.encode(String.fromCodePoint(code))
      this.addSpan(encoded, 0, encoded.length)
    }
  }

  text(): string {
    const short = this.#length <= SHORT ? this.#shorts.text(this.#bytes, 0, this.#length) : null
    return short ?? DECODER.decode(this.#bytes.subarray(0, this.#length))
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}
