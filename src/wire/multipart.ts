// An incremental reader of multipart/form-data (RFC 7578), cut anywhere: parts in, their heads and the bytes between out. Keeps no payload,
// and refuses whatever another server could read as other parts.
import { PART_HEAD_BYTES_MAX, PARTS_MAX } from '../limits.ts'
import { type PartHead, partHead } from './part-head.ts'

/** Takes the content of one part, in order; views hold only during the call. */
export interface PartSink {
  bytes(content: Uint8Array): void
  /** The part is whole. Returns what is wrong with it, null for nothing. */
  end(): string | null
}

/** `why` names what is wrong, never the content. */
export type MultipartEnd = { readonly kind: 'whole' } | { readonly kind: 'broken'; readonly why: string }

const LF = 0x0a
const CR = 0x0d
const DASH = 0x2d
const CRLF = Uint8Array.of(CR, LF)
const ENCODER = new TextEncoder()

const CONTENT = 0
const AFTER_BOUNDARY = 1
const HEAD = 2
const EPILOGUE = 3
const BROKEN = 4

/** The boundary of a `content-type`, null where it is not multipart/form-data or has none that RFC 2046 allows. */
export function boundaryOf(contentType: string | null): string | null {
  if (contentType === null || !/^\s*multipart\/form-data\s*(?:;|$)/i.test(contentType)) return null
  const found = [...contentType.matchAll(/;\s*boundary\s*=\s*(?:"([^"\\]*)"|([^\s;,"]*))/gi)]
  const boundary = found[0]?.[1] ?? found[0]?.[2] ?? ''
  return found.length === 1 && /^[\w'()+,./:=? -]{0,69}[\w'()+,./:=?-]$/.test(boundary) ? boundary : null
}

/** `push` any number of pieces, then `end`. After a fault, pieces are ignored. */
export class MultipartScanner {
  readonly #open: (head: PartHead) => PartSink | string
  /** The line feed of a delimiter and all behind it; the carriage return before it is looked for on its own. */
  readonly #delimiter: Uint8Array
  #state = CONTENT
  /** Bytes of the delimiter that matched. The body begins as if a line had just ended. */
  #matched = 1
  /** A carriage return stands before what matched, or at the end of the last piece. */
  #cr = true
  /** The line end that seems to stand before what matched is not of the content: the body, or a part's content, begins here. */
  #outside = true
  #begun = false
  #sink: PartSink | null = null
  #parts = 0
  #line = ''
  readonly #head = new Uint8Array(PART_HEAD_BYTES_MAX)
  #headLength = 0
  #why = ''

  /** `open` is told each part, and returns what takes its content, or a sentence that says why it may not be there. */
  constructor(boundary: string, open: (head: PartHead) => PartSink | string) {
    this.#delimiter = ENCODER.encode(`\n--${boundary}`)
    this.#open = open
  }

  push(piece: Uint8Array): void {
    let at = 0
    while (at < piece.length && this.#state !== BROKEN) {
      if (this.#state === CONTENT) at = this.#matched > 0 ? this.#match(piece, at) : this.#content(piece, at)
      else if (this.#state === HEAD) at = this.#headGoesOn(piece, at)
      else if (this.#state === AFTER_BOUNDARY) this.#afterBoundary(piece[at++] as number)
      else this.#epilogue(piece[at++] as number)
    }
  }

  end(): MultipartEnd {
    if (this.#state === EPILOGUE) return { kind: 'whole' }
    if (this.#state !== BROKEN) this.#break(this.#begun ? 'it ends before its last boundary' : 'it does not begin with its boundary')
    return { kind: 'broken', why: this.#why }
  }

  /** Content up to the next line feed, which may begin a delimiter. */
  #content(piece: Uint8Array, from: number): number {
    const lf = lineFeedBeforeDash(piece, from)
    if (this.#cr && lf !== from) this.#give(CRLF.subarray(0, 1))
    if (lf === piece.length) {
      this.#cr = piece[piece.length - 1] === CR
      this.#give(piece.subarray(from, this.#cr ? piece.length - 1 : piece.length))
      return piece.length
    }
    if (lf > from) this.#cr = piece[lf - 1] === CR
    this.#give(piece.subarray(from, this.#cr && lf > from ? lf - 1 : lf))
    this.#matched = 1
    return lf + 1
  }

  #match(piece: Uint8Array, from: number): number {
    const delimiter = this.#delimiter
    let at = from
    while (at < piece.length && this.#matched < delimiter.length && piece[at] === delimiter[this.#matched]) {
      at++
      this.#matched++
    }
    if (this.#matched === delimiter.length) this.#boundary()
    else if (at < piece.length) this.#mismatch()
    return at
  }

  /** What looked like a delimiter is content. It holds no second line feed, so none can begin inside it. */
  #mismatch(): void {
    if (!this.#begun) {
      this.#break('it does not begin with its boundary')
      return
    }
    if (this.#cr && !this.#outside) this.#give(CRLF.subarray(0, 1))
    this.#give(this.#delimiter.subarray(this.#outside ? 1 : 0, this.#matched))
    this.#outside = false
    this.#cr = false
    this.#matched = 0
  }

  #boundary(): void {
    if (!this.#cr || (this.#begun && this.#outside)) {
      this.#break(this.#cr ? 'a boundary follows the headers of a part at once' : 'a boundary follows a bare line feed')
      return
    }
    this.#outside = false
    const wrong = this.#sink?.end() ?? null
    this.#sink = null
    this.#begun = true
    this.#matched = 0
    this.#cr = false
    this.#line = ''
    this.#state = AFTER_BOUNDARY
    if (wrong !== null) this.#break(wrong)
  }

  #afterBoundary(byte: number): void {
    if (byte === DASH && (this.#line === '' || this.#line === '-')) this.#line += '-'
    else if (byte === CR && this.#line === '') this.#line = '\r'
    else if (byte === LF && this.#line === '\r') this.#beginHead()
    else this.#break('a line goes on after its boundary')
    if (this.#line !== '--') return
    this.#line = ''
    this.#state = EPILOGUE
  }

  #epilogue(byte: number): void {
    this.#line += byte === CR ? '\r' : byte === LF ? '\n' : 'x'
    if (!'\r\n'.startsWith(this.#line)) this.#break('something follows its last boundary')
  }

  #beginHead(): void {
    this.#parts++
    this.#headLength = 0
    this.#state = HEAD
    if (this.#parts > PARTS_MAX) this.#break(`it has more than ${PARTS_MAX} parts`)
  }

  /** Collects lines until an empty one. */
  #headGoesOn(piece: Uint8Array, from: number): number {
    for (let at = from; at < piece.length; at++) {
      if (this.#headLength === PART_HEAD_BYTES_MAX) {
        this.#break(`the headers of a part are longer than ${PART_HEAD_BYTES_MAX} bytes`)
        return piece.length
      }
      this.#head[this.#headLength++] = piece[at] as number
      if (piece[at] === LF && endsHead(this.#head, this.#headLength)) {
        this.#beginContent(partHead(this.#head.subarray(0, this.#headLength)))
        return at + 1
      }
    }
    return piece.length
  }

  #beginContent(head: PartHead | string): void {
    const sink = typeof head === 'string' ? head : this.#open(head)
    if (typeof sink === 'string') {
      this.#break(sink)
      return
    }
    this.#sink = sink
    this.#state = CONTENT
    // Servers do not agree on whether the line end of the headers is also that of a boundary.
    this.#outside = true
    this.#matched = 1
    this.#cr = true
  }

  #give(content: Uint8Array): void {
    if (content.length > 0) this.#sink?.bytes(content)
  }

  #break(why: string): void {
    if (this.#state !== BROKEN) this.#why = why
    this.#state = BROKEN
  }
}

/** The next line feed that a dash follows, or that ends the piece; else the piece's length. */
function lineFeedBeforeDash(piece: Uint8Array, from: number): number {
  const last = piece.length - 1
  for (let at = from; at <= last; at++) if (piece[at] === LF && (at === last || piece[at + 1] === DASH)) return at
  return piece.length
}

/** A head ends with an empty line; one that is nothing but an empty line has no headers. */
const endsHead = (head: Uint8Array, length: number): boolean =>
  length === 2 ? head[0] === CR : length >= 4 && head[length - 2] === CR && head[length - 3] === LF && head[length - 4] === CR
