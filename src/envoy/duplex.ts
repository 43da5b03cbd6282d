// Bodies in FULL_DUPLEX_STREAMED, where the proxy sends without waiting and gets back from us all that goes on. Decides nothing.
import { BODY_BYTES_MAX, DUPLEX_PIECE_BYTES_MAX } from '../limits.ts'
import type { ProcessingResponse } from './protos.ts'

/** A request's body, kept until it is whole. */
export class KeptBody {
  readonly #pieces: Uint8Array[] = []
  #bytes = 0

  /** False where it is longer than any body may be: what came before is let go. */
  push(piece: Uint8Array): boolean {
    this.#bytes += piece.length
    if (this.#bytes > BODY_BYTES_MAX) this.#pieces.length = 0
    else if (piece.length > 0) this.#pieces.push(piece)
    return this.#bytes <= BODY_BYTES_MAX
  }

  whole(): Uint8Array {
    const [only] = this.#pieces
    return this.#pieces.length === 1 && only !== undefined ? only : Buffer.concat(this.#pieces)
  }
}

/** The bytes as replies, in pieces that the proxy takes; `endOfStream` on the last. */
export function* streamed(
  part: 'requestBody' | 'responseBody',
  body: Uint8Array,
  endOfStream: boolean,
): IterableIterator<ProcessingResponse> {
  let at = 0
  do {
    const piece = body.subarray(at, at + DUPLEX_PIECE_BYTES_MAX)
    at += piece.length
    yield { [part]: { response: { bodyMutation: { streamedResponse: { body: piece, endOfStream: endOfStream && at >= body.length } } } } }
  } while (at < body.length)
}
