// What of a JSON body a tokenizer should see: its text up to a bound, without payloads, and with \u escapes undone. Counts bytes, not tokens.
import { NO_TEXT, type TextSize } from '../core/call.ts'
import { TOKENIZED_BYTES_MAX } from '../limits.ts'

/** A run of base64 characters that is longer than this is a payload, not a word. */
const PAYLOAD_MIN = 1_024

export interface BodyText {
  readonly text: string
  /** Bytes of the payloads left out of it. */
  readonly payloads: number
  /** What is beyond TOKENIZED_BYTES_MAX, by class of byte. */
  readonly rest: TextSize
}

/** One pass over the bytes. Escapes that a JSON writer may choose (`\u00e9`, `\/`) are undone, those that it must write stay. */
export function bodyText(body: Uint8Array): BodyText {
  const kept: Uint8Array[] = []
  let keptBytes = 0
  let payloads = 0
  let rest = NO_TEXT
  const keep = (from: number, to: number): void => {
    if (from === to) return
    const room = charStart(body, Math.min(to, from + TOKENIZED_BYTES_MAX - keptBytes), from)
    kept.push(body.subarray(from, room))
    keptBytes += room - from
    if (room < to) rest = sum(rest, sizeOf(body, room, to))
  }
  let from = 0
  for (let at = 0; at < body.length; ) {
    const end = runEnd(body, at)
    if (end - at > PAYLOAD_MIN) {
      keep(from, at)
      payloads += payloadBytes(body, at, end)
      from = end
    }
    at = Math.max(end, at + 1)
  }
  keep(from, body.length)
  return { text: unescaped(new TextDecoder().decode(joined(kept, keptBytes))), payloads, rest }
}

const BASE64: Uint8Array = Uint8Array.from({ length: 256 }, (_, code) => (/[A-Za-z0-9+/=_-]/.test(String.fromCharCode(code)) ? 1 : 0))
const SLASH = 0x2f
const BACKSLASH = 0x5c

/** Where a run of base64 that begins at `at` ends, `\/` for a slash among it. */
function runEnd(body: Uint8Array, at: number): number {
  let end = at
  while (end < body.length) {
    if (BASE64[body[end] as number] === 1) end++
    else if (body[end] === BACKSLASH && body[end + 1] === SLASH) end += 2
    else break
  }
  return end
}

function payloadBytes(body: Uint8Array, from: number, to: number): number {
  let bytes = 0
  for (let at = from; at < to; at++) if (body[at] !== BACKSLASH) bytes++
  return bytes
}

/** `at`, or the start of the character that it would cut. */
function charStart(body: Uint8Array, at: number, from: number): number {
  let start = at
  while (start > from && start < body.length && ((body[start] as number) & 0xc0) === 0x80) start--
  return start
}

/** A text by class of byte, as the scanner counts it. */
function sizeOf(body: Uint8Array, from: number, to: number): TextSize {
  const size: { -readonly [Class in keyof TextSize]: number } = { ...NO_TEXT }
  for (let at = from; at < to; at++) {
    const byte = body[at] as number
    const low = byte | 0x20
    if (byte >= 0x80) size.high++
    else if (low >= 0x61 && low <= 0x7a) size.letters++
    else if (byte >= 0x30 && byte <= 0x39) size.digits++
    else if (byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)) size.spaces++
    else size.marks++
  }
  size.dense = denseBytes(body, from, to)
  return size
}

/** Bytes in runs of more than 24 letters, digits and base64's marks, as the scanner counts them. */
function denseBytes(body: Uint8Array, from: number, to: number): number {
  let dense = 0
  for (let at = from; at < to; ) {
    const end = Math.min(to, runEnd(body, at))
    if (end - at > 24) dense += end - at
    at = Math.max(end, at + 1)
  }
  return dense
}

function sum(one: TextSize, other: TextSize): TextSize {
  const { letters, digits, spaces, marks, high, dense } = one
  return {
    letters: letters + other.letters,
    digits: digits + other.digits,
    spaces: spaces + other.spaces,
    marks: marks + other.marks,
    high: high + other.high,
    dense: dense + other.dense,
  }
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** An escaped backslash is met whole, so that what follows it is no escape. */
const unescaped = (text: string): string =>
  text.includes('\\')
    ? text.replace(/\\(?:u([0-9a-fA-F]{4})|.)/g, (whole, hex: string | undefined) => {
        if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
        return whole === '\\/' ? '/' : whole
      })
    : text
