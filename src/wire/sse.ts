// An incremental parser of server-sent events (WHATWG HTML, section 9.2), cut anywhere, and a sieve that takes single events out. Knows no format.
import { SSE_EVENT_BYTES_MAX } from '../limits.ts'
import { type LineSpan, readEvent } from './sse-lines.ts'

/**
 * One block of a stream, up to and with its blank line. `raw` and `data` are views that hold only during the call; `start` and `end`
 * are bytes of the whole stream, end exclusive. Every byte of the stream is in the `raw` of exactly one block, in order.
 */
export type SseBlock = { readonly raw: Uint8Array; readonly start: number; readonly end: number } & (
  | {
      readonly kind: 'event'
      /** The `event` field, empty where there is none. */
      readonly name: string
      /** The `data` lines joined by line feeds: as bytes, ready for a scanner. */
      readonly data: Uint8Array
    }
  /** Comments, blank lines, fields without any `data`: they mean nothing to a reader of events. */
  | { readonly kind: 'other' }
  /** A part of an event longer than SSE_EVENT_BYTES_MAX, as it came; `last` ends it. Its fields are not read. */
  | { readonly kind: 'unread'; readonly last: boolean }
)

const LF = 0x0a
const CR = 0x0d

/** Splits pieces into blocks: `push` any number of pieces, then `end`, which reads a last event without its blank line. */
export class SseParser {
  readonly #onBlock: (block: SseBlock) => void
  #held = new Uint8Array(4_096)
  #heldLength = 0
  /** Bytes of the stream before the block that is open. */
  #start = 0
  #lineEmpty = true
  /** The last line of the open block that is not empty. */
  readonly #line: LineSpan = { start: -1, end: -1 }
  /** The last byte was a CR: an LF after it belongs to it. */
  #afterCr = false
  /** That CR ended a block. */
  #crEnds = false
  #skipping = false

  constructor(onBlock: (block: SseBlock) => void) {
    this.#onBlock = onBlock
  }

  /** Bytes of the open block that wait for its end: what a client has not seen where events are taken out. */
  get held(): number {
    return this.#heldLength
  }

  push(piece: Uint8Array): void {
    let from = 0
    for (let at = 0; at < piece.length; at++) {
      const byte = piece[at] as number
      // Most bytes are neither: a loop of their own keeps all else out of it.
      if (byte > CR) {
        if (this.#afterCr && this.#crEnds) from = this.#block(piece, from, at)
        this.#afterCr = false
        this.#lineBegins(this.#heldLength + at - from)
        while (at + 1 < piece.length && (piece[at + 1] as number) > CR) at++
        continue
      }
      if (this.#afterCr) {
        this.#afterCr = false
        if (byte === LF) {
          if (this.#crEnds) from = this.#block(piece, from, at + 1)
          continue
        }
        if (this.#crEnds) from = this.#block(piece, from, at)
      }
      const blank = at === from && this.#isFresh ? blankLines(piece, at) : at
      if (blank > at) {
        from = this.#block(piece, from, blank)
        at = blank - 1
        continue
      }
      if (byte !== LF && byte !== CR) {
        this.#lineBegins(this.#heldLength + at - from)
        continue
      }
      if (!this.#lineEmpty) this.#line.end = this.#heldLength + at - from
      if (byte === CR) {
        this.#afterCr = true
        this.#crEnds = this.#lineEmpty
      } else if (this.#lineEmpty) from = this.#block(piece, from, at + 1)
      this.#lineEmpty = true
    }
    if (from < piece.length) this.#wait(piece.subarray(from))
  }

  /** Unless it began before. `at`: in the open block. */
  #lineBegins(at: number): void {
    if (!this.#lineEmpty) return
    this.#lineEmpty = false
    this.#line.start = at
  }

  /** Whether the open block has no bytes yet. */
  get #isFresh(): boolean {
    return this.#heldLength === 0 && !this.#skipping
  }

  /** The stream is whole: what is held is its last block. */
  end(): void {
    if (!this.#lineEmpty) this.#line.end = this.#heldLength
    if (this.#heldLength > 0 || this.#skipping) this.#block(new Uint8Array(0), 0, 0)
  }

  /** Tells the open block, which ends before `to`; returns where the next one begins. */
  #block(piece: Uint8Array, from: number, to: number): number {
    const raw = this.#heldLength === 0 ? piece.subarray(from, to) : this.#append(piece.subarray(from, to))
    this.#heldLength = 0
    this.#crEnds = false
    this.#lineEmpty = true
    const start = this.#start
    const end = start + raw.length
    this.#start = end
    const tell = this.#onBlock
    if (this.#skipping || raw.length > SSE_EVENT_BYTES_MAX) tell({ kind: 'unread', last: true, raw, start, end })
    else {
      const event = readEvent(raw, start === 0, this.#line)
      if (event === null) tell({ kind: 'other', raw, start, end })
      else tell({ kind: 'event', name: event.name, data: event.data, raw, start, end })
    }
    this.#skipping = false
    this.#line.start = -1
    return to
  }

  #wait(rest: Uint8Array): void {
    if (!this.#skipping && this.#heldLength + rest.length <= SSE_EVENT_BYTES_MAX) {
      this.#append(rest)
      return
    }
    const raw = this.#heldLength === 0 ? rest : this.#append(rest)
    this.#heldLength = 0
    this.#skipping = true
    const start = this.#start
    this.#start += raw.length
    const tell = this.#onBlock
    tell({ kind: 'unread', last: false, raw, start, end: this.#start })
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

/** Where a run of blank lines ends: one block, since there may be a million. The piece's last CR may be half of an end of line. */
function blankLines(piece: Uint8Array, from: number): number {
  let to = from
  while (to < piece.length && (piece[to] === LF || piece[to] === CR)) to++
  return to === piece.length && piece[to - 1] === CR ? to - 1 : to
}

/** Reads a stream for a meter: `read` sees every block; where `hide` is on, an event that it calls `drop` never reaches the client. */
export class SseSieve {
  readonly #parser: SseParser
  readonly #hide: boolean
  /** Bytes of the stream before the piece at hand. */
  #pieceStart = 0
  /** What passes of the block that began before the piece, null where there is none. */
  #head: Uint8Array | null = null
  /** Where in the piece the blocks after that one begin, and where the last whole one ends. */
  #from = 0
  #to = 0
  /** Spans of the piece that do not pass, in order; those that touch are one. */
  #cuts: { from: number; to: number }[] = []

  constructor(read: (block: SseBlock) => 'pass' | 'drop', hide: boolean) {
    this.#hide = hide
    this.#parser = new SseParser(block => {
      const verdict = read(block)
      if (hide) this.#keep(block, verdict === 'drop')
    })
  }

  /** What the client gets for this piece: null for the same bytes. Only bytes of an unfinished event are held back, only while hiding. */
  push(piece: Uint8Array): Uint8Array | null {
    this.#parser.push(piece)
    return this.#hide ? this.#out(piece) : null
  }

  /** What was still held back, null for nothing. */
  end(): Uint8Array | null {
    this.#parser.end()
    const rest = this.#hide ? this.#out(new Uint8Array(0)) : null
    return rest === null || rest.length === 0 ? null : rest
  }

  #keep({ raw, start, end }: SseBlock, drop: boolean): void {
    const from = start - this.#pieceStart
    this.#to = end - this.#pieceStart
    if (from < 0) {
      this.#head = drop ? new Uint8Array(0) : raw.slice()
      this.#from = this.#to
    } else if (drop) {
      const last = this.#cuts.at(-1)
      if (last !== undefined && last.to === from) last.to = this.#to
      else this.#cuts.push({ from, to: this.#to })
    }
  }

  #out(piece: Uint8Array): Uint8Array | null {
    const head = this.#head
    const cuts = this.#cuts
    const [from, to] = [this.#from, this.#to]
    this.#head = null
    this.#cuts = []
    this.#from = 0
    this.#to = 0
    this.#pieceStart += piece.length
    if (head === null && cuts.length === 0 && to === piece.length) return null
    const parts = head === null ? [] : [head]
    let at = from
    for (const cut of [...cuts, { from: to, to }]) {
      parts.push(piece.subarray(at, cut.from))
      at = cut.to
    }
    return joined(parts)
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}
