// An incremental parser of AWS event streams (application/vnd.amazon.eventstream), cut anywhere: one frame at a time, checked. Knows no format.
import { SSE_EVENT_BYTES_MAX } from '../limits.ts'
import { type FrameContent, frameLength, PRELUDE_BYTES, readFrame } from './event-stream-frame.ts'

/** A frame, as a view that holds only during the call. Every byte of the stream is in the `raw` of exactly one frame, in order. */
export type EventFrame = { readonly raw: Uint8Array } & (
  | FrameContent
  /**
   * Bytes that are not read: of a frame longer than SSE_EVENT_BYTES_MAX, with a wrong checksum, or cut at the end; and all there is
   * after a prelude that cannot be, since nothing tells where the next frame begins. `last` ends a frame.
   */
  | { readonly kind: 'unread'; readonly last: boolean }
)

/** Source of the encoding: AWS, "Event stream encoding": u32 length | u32 length of headers | u32 CRC | headers | payload | u32 CRC. */
export class EventStreamParser {
  readonly #onFrame: (frame: EventFrame) => void
  #held = new Uint8Array(4_096)
  #heldLength = 0
  /** The length of the open frame, 0 before its prelude is whole. */
  #size = 0
  /** Bytes of a frame too long that are still to come. */
  #skip = 0
  #lost = false

  constructor(onFrame: (frame: EventFrame) => void) {
    this.#onFrame = onFrame
  }

  push(piece: Uint8Array): void {
    let at = 0
    while (at < piece.length) at = this.#step(piece, at)
  }

  /** The stream is whole: what is held is a frame that was cut. */
  end(): void {
    if (this.#heldLength > 0) this.#passOn(this.#held.subarray(0, this.#heldLength), true)
    this.#heldLength = 0
    this.#lost = true
  }

  #step(piece: Uint8Array, at: number): number {
    const left = piece.length - at
    if (this.#lost) {
      this.#passOn(piece.subarray(at), false)
      return piece.length
    }
    if (this.#skip > 0) {
      const skipped = Math.min(this.#skip, left)
      this.#skip -= skipped
      this.#passOn(piece.subarray(at, at + skipped), this.#skip === 0)
      return at + skipped
    }
    const wanted = (this.#size === 0 ? PRELUDE_BYTES : this.#size) - this.#heldLength
    const held = this.#append(piece.subarray(at, at + Math.min(wanted, left)))
    if (left < wanted) return piece.length
    if (this.#size === 0) this.#open(held)
    else this.#close(held)
    return at + wanted
  }

  /** A prelude is whole. */
  #open(prelude: Uint8Array): void {
    const size = frameLength(prelude)
    if (size !== null && size <= SSE_EVENT_BYTES_MAX) {
      this.#size = size
      return
    }
    this.#heldLength = 0
    if (size === null) this.#lost = true
    else this.#skip = size - prelude.length
    this.#passOn(prelude, false)
  }

  #close(raw: Uint8Array): void {
    this.#heldLength = 0
    this.#size = 0
    const content = readFrame(raw)
    if (content === null) this.#passOn(raw, true)
    else this.#onFrame({ ...content, raw })
  }

  #passOn(raw: Uint8Array, last: boolean): void {
    this.#onFrame({ kind: 'unread', last, raw })
  }

  /** What is held, with `bytes` behind it. */
  #append(bytes: Uint8Array): Uint8Array {
    const length = this.#heldLength + bytes.length
    if (length > this.#held.length) {
      const grown = new Uint8Array(Math.max(length, this.#held.length * 2))
      grown.set(this.#held.subarray(0, this.#heldLength))
      this.#held = grown
    }
    this.#held.set(bytes, this.#heldLength)
    this.#heldLength = length
    return this.#held.subarray(0, length)
  }
}
