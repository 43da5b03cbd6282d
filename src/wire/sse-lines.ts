// The lines of one server-sent event: its name and its data, as bytes. Keeps nothing from one event to the next.

const LF = 0x0a
const CR = 0x0d
const COLON = 0x3a
const SPACE = 0x20
const NAMES = new TextDecoder()

/** `[DONE]`, the end mark of OpenAI's streams. */
export const isDone = (bytes: Uint8Array): boolean => bytes.length === DONE.length && DONE.every((byte, i) => bytes[i] === byte)
const DONE: Uint8Array = new TextEncoder().encode('[DONE]')

/** Bytes of a block, without the end of the line. */
export interface LineSpan {
  start: number
  end: number
}

/**
 * Reads a whole block. Null where it has no `data` line. `first`: it opens the stream, so a byte order mark may stand before it. `last`:
 * the last line that is not empty, as it was found already: in nearly every event it is the longest by far.
 */
export function readEvent(raw: Uint8Array, first: boolean, last: LineSpan): { kind: 'event'; name: string; data: Uint8Array } | null {
  let name = ''
  let data: Uint8Array | null = null
  let joined: DataLines | null = null
  let at = first && raw[0] === 0xef && raw[1] === 0xbb && raw[2] === 0xbf ? 3 : 0
  while (at < raw.length) {
    const end = at === last.start ? last.end : lineEnd(raw, at)
    if (isField(raw, at, end, 'data')) {
      const value = fieldValue(raw, at, end, 4)
      if (data === null) data = value
      else {
        joined ??= new DataLines(raw.length, data)
        joined.add(value)
      }
    } else if (isField(raw, at, end, 'event')) name = NAMES.decode(fieldValue(raw, at, end, 5))
    at = raw[end] === CR && raw[end + 1] === LF ? end + 2 : end + 1
  }
  if (data === null) return null
  return { kind: 'event', name, data: joined === null ? data : joined.bytes() }
}

function lineEnd(raw: Uint8Array, from: number): number {
  let at = from
  while (at < raw.length && ((raw[at] as number) > CR || (raw[at] !== LF && raw[at] !== CR))) at++
  return at
}

/** Whether the line from `at` to `end` is the field `name`: the name alone, or with a colon after it. */
function isField(raw: Uint8Array, at: number, end: number, name: string): boolean {
  const after = at + name.length
  if (after > end || (after < end && raw[after] !== COLON)) return false
  for (let i = 0; i < name.length; i++) if (raw[at + i] !== name.charCodeAt(i)) return false
  return true
}

function fieldValue(raw: Uint8Array, at: number, end: number, nameLength: number): Uint8Array {
  const start = Math.min(at + nameLength + 1, end)
  return raw.subarray(raw[start] === SPACE && start < end ? start + 1 : start, end)
}

/** The `data` lines of one event, joined by line feeds as they come; they are shorter than the block that they are from. */
class DataLines {
  readonly #bytes: Uint8Array
  #length: number

  constructor(capacity: number, first: Uint8Array) {
    this.#bytes = new Uint8Array(capacity)
    this.#bytes.set(first)
    this.#length = first.length
  }

  add(line: Uint8Array): void {
    this.#bytes[this.#length] = LF
    this.#bytes.set(line, this.#length + 1)
    this.#length += line.length + 1
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }
}
