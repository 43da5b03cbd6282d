// Newline-delimited JSON, cut anywhere: one scanner over one document a line. Holds nothing back; knows no format.
import { JsonScanner } from './json.ts'
import type { Place } from './json-place.ts'

const LF = 0x0a

/** Scans lines: `push` any number of pieces, then `end`, which reads a last line without its line feed. Empty lines mean nothing. */
export class NdjsonScanner {
  readonly #scanner: JsonScanner
  readonly #onLine: (noise: boolean, bytes: number) => void
  /** Bytes of the open line. */
  #bytes = 0

  /** `onLine` hears of each line that ended: whether it was no JSON (a cut one is not noise), and its size. */
  constructor(root: Place, onLine: (noise: boolean, bytes: number) => void) {
    this.#scanner = new JsonScanner(root)
    this.#onLine = onLine
  }

  push(piece: Uint8Array): void {
    let from = 0
    for (;;) {
      const at = piece.indexOf(LF, from)
      this.#scan(piece.subarray(from, at < 0 ? piece.length : at))
      if (at < 0) return
      this.#endLine()
      from = at + 1
    }
  }

  end(): void {
    this.#endLine()
  }

  #scan(bytes: Uint8Array): void {
    this.#bytes += bytes.length
    this.#scanner.push(bytes)
  }

  #endLine(): void {
    if (this.#bytes === 0) return
    const noise = this.#scanner.fault !== null
    this.#scanner.end()
    const bytes = this.#bytes
    this.#scanner.reset()
    this.#bytes = 0
    this.#onLine(noise, bytes)
  }
}
