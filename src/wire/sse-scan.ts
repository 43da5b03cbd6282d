// Server-sent events of JSON, each scanned as it comes, whatever its length: an answer's last event may tell all of it again. Knows no format.
import { JsonScanner } from './json.ts'
import type { Place } from './json-place.ts'
import { type SseBlock, SseParser } from './sse.ts'

/** Hears of each event around what its places tell. */
export interface EventReader {
  /** False: this event and all after it mean nothing any more. */
  eventBegins(): boolean
  /** The event is over; the places saw as much of it as is JSON. */
  eventEnds(): void
  /** So many bytes of a long event could not be read. */
  eventUnread(bytes: number): void
}

export class EventScan {
  readonly #scanner: JsonScanner
  readonly #parser = new SseParser(block => this.#block(block))
  readonly #reader: EventReader
  /** Inside an event that is too long to be held. */
  #long = false
  #over = false

  /** `root` is the place of every event's data. */
  constructor(root: Place, reader: EventReader) {
    this.#scanner = new JsonScanner(root)
    this.#reader = reader
  }

  push(piece: Uint8Array): void {
    this.#parser.push(piece)
  }

  /** No more bytes come: what is held is the last event. */
  end(): void {
    this.#parser.end()
  }

  #block(block: SseBlock): void {
    if (block.kind === 'other' || this.#over) return
    if (block.kind === 'unread') {
      this.#longEvent(block.raw, block.last)
      return
    }
    if (!this.#begin()) return
    this.#scanner.push(block.data)
    this.#settle()
  }

  /** Its one line of data is scanned, which is all that any provider writes. */
  #longEvent(raw: Uint8Array, last: boolean): void {
    if (!this.#long) {
      if (!this.#begin()) return
      this.#long = true
      this.#scanner.push(raw.subarray(dataStart(raw)))
    } else this.#scanner.push(raw)
    if (this.#scanner.fault !== null) this.#reader.eventUnread(raw.length)
    if (!last) return
    this.#long = false
    this.#settle()
  }

  #begin(): boolean {
    this.#over = !this.#reader.eventBegins()
    this.#scanner.reset()
    return !this.#over
  }

  #settle(): void {
    this.#scanner.end()
    this.#reader.eventEnds()
  }
}

/** Where the value of the first `data` line of a block begins. */
function dataStart(raw: Uint8Array): number {
  for (let at = 0; at + 5 <= raw.length; at++) {
    const atLineStart = at === 0 || raw[at - 1] === 0x0a || raw[at - 1] === 0x0d
    if (atLineStart && DATA.every((byte, i) => raw[at + i] === byte)) return at + 5
  }
  return raw.length
}
const DATA: Uint8Array = new TextEncoder().encode('data:')
