// Newline-delimited JSON, cut anywhere: one scanner over one document a line. Holds nothing back; knows no format.
import { JsonScanner } from './json.ts'
import type { Place } from './json-place.ts'
import type { EventReader } from './sse-scan.ts'

const LF = 0x0a

/** Scans lines: `push` any number of pieces, then `end`, which reads a last line without its line feed. Empty lines mean nothing. */
export class NdjsonScan {
  readonly #scanner: JsonScanner
  readonly #reader: EventReader
  /** Bytes of the open line. */
  #bytes = 0
  #over = false

  /** `root` is the place of every line. */
  constructor(root: Place, reader: EventReader) {
    this.#scanner = new JsonScanner(root)
    this.#reader = reader
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
    if (bytes.length === 0 || this.#over) return
    if (this.#bytes === 0) this.#over = !this.#reader.eventBegins()
    if (this.#over) return
    this.#bytes += bytes.length
    this.#scanner.push(bytes)
  }

  #endLine(): void {
    if (this.#bytes === 0) return
    // One that is cut is no noise.
    if (this.#scanner.fault !== null) this.#reader.eventUnread(this.#bytes)
    this.#scanner.end()
    this.#scanner.reset()
    this.#bytes = 0
    this.#reader.eventEnds()
  }
}
