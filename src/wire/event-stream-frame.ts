// One whole frame of an AWS event stream: its checksum, its headers, its payload. Keeps nothing; splits no stream.
import { crc32 } from './event-stream-crc.ts'

/** Two lengths and a checksum before the headers, another checksum behind the payload. */
export const PRELUDE_BYTES = 12
const CLOSING_BYTES = 4
/** The largest header block that the encoding allows (AWS event stream encoding, 128 KiB). */
const HEADERS_BYTES_MAX = 131_072

export interface FrameContent {
  /** `exception` for AWS's exceptions and errors alike: the stream ends with them. */
  readonly kind: 'event' | 'exception'
  /** The event's, exception's or error's name, empty where the frame has none. */
  readonly name: string
  readonly payload: Uint8Array
}

/** The length of the frame that a prelude opens; null where its lengths cannot be or its checksum is wrong. */
export function frameLength(prelude: Uint8Array): number | null {
  const total = uint32(prelude, 0)
  const headers = uint32(prelude, 4)
  if (crc32(prelude, 0, 8) !== uint32(prelude, 8)) return null
  return headers <= HEADERS_BYTES_MAX && total >= PRELUDE_BYTES + headers + CLOSING_BYTES ? total : null
}

/** Reads a whole frame whose prelude was checked; null where its checksum or its headers are wrong. */
export function readFrame(raw: Uint8Array): FrameContent | null {
  const closing = raw.length - CLOSING_BYTES
  if (crc32(raw, 0, closing) !== uint32(raw, closing)) return null
  const payload = PRELUDE_BYTES + uint32(raw, 4)
  const headers = textHeaders(raw, PRELUDE_BYTES, payload)
  if (headers === null) return null
  const type = headers.get(':message-type') ?? 'event'
  const name = headers.get(':event-type') ?? headers.get(':exception-type') ?? headers.get(':error-code') ?? ''
  return { kind: type === 'event' ? 'event' : 'exception', name, payload: raw.subarray(payload, closing) }
}

/** Bytes of a header's value by its type; -1: two bytes of length come first. Types: true, false, byte, short, int, long, bytes, string, timestamp, uuid. */
const VALUE_BYTES = [0, 0, 1, 2, 4, 8, -1, -1, 8, 16]
const STRING = 7
const DECODER = new TextDecoder()

/** The headers whose values are strings; null where the block is broken. */
function textHeaders(raw: Uint8Array, from: number, to: number): ReadonlyMap<string, string> | null {
  const found = new Map<string, string>()
  let at = from
  while (at < to) {
    const nameEnd = at + 1 + (raw[at] as number)
    const type = raw[nameEnd] as number
    const fixed = VALUE_BYTES[type]
    if (nameEnd >= to || fixed === undefined) return null
    const start = fixed < 0 ? nameEnd + 3 : nameEnd + 1
    const end = start + (fixed < 0 ? uint16(raw, nameEnd + 1) : fixed)
    if (end > to) return null
    if (type === STRING) found.set(DECODER.decode(raw.subarray(at + 1, nameEnd)), DECODER.decode(raw.subarray(start, end)))
    at = end
  }
  return found
}

const uint16 = (bytes: Uint8Array, at: number): number => ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
const uint32 = (bytes: Uint8Array, at: number): number => ((uint16(bytes, at) << 16) | uint16(bytes, at + 2)) >>> 0
