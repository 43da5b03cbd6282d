// The fingerprint of a request: the SHA-256 of who asks, where, which models, and of the body without the white space that means nothing in
// JSON. One pass over the bytes, no parsing; nothing of them is kept.
import { createHash, type Hash } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import type { Call } from '../core/call.ts'
import type { Subject } from '../core/subject.ts'
import { SCAN_SLICE_BYTES } from '../limits.ts'
import type { MeteredRequest } from './request.ts'

const [OPENING_BRACE, QUOTE, BACKSLASH] = [0x7b, 0x22, 0x5c]

/** `body`: decompressed. One of up to one slice is read at once, without giving up the event loop. */
export async function fingerprintOf(
  { subject, head }: Pick<MeteredRequest, 'subject' | 'head'>,
  { models }: Call,
  body: Uint8Array,
): Promise<string> {
  const hash = createHash('sha256')
  hash.update(`${JSON.stringify([whoAsks(subject), head.path, models])}\n`)
  const squeeze = body.find(byte => byte > 0x20) === OPENING_BRACE ? squeezer(hash, body.length) : hash.update.bind(hash)
  for (let at = 0; at < body.length; at += SCAN_SLICE_BYTES) {
    if (at > 0) await turn()
    squeeze(body.subarray(at, at + SCAN_SLICE_BYTES))
  }
  return hash.digest('base64')
}

/** All that tells one caller from another; a token that is renewed makes another. */
const whoAsks = ({ route, accessKey, credential, serviceAccount, claims, headers }: Subject): unknown => [
  [route.namespace, route.name],
  accessKey === null ? credential : [accessKey.namespace, accessKey.name],
  serviceAccount,
  [claims.get('iss') ?? null, claims.get('sub') ?? null],
  [...headers],
]

/** Spaces, tabs and line ends outside of strings are left out (RFC 8259, section 2). */
function squeezer(hash: Hash, length: number): (slice: Uint8Array) => void {
  const kept = new Uint8Array(Math.min(length, SCAN_SLICE_BYTES))
  let [inString, escaped] = [false, false]
  return slice => {
    let size = 0
    for (const byte of slice) {
      if (inString) {
        if (escaped) escaped = false
        else if (byte === BACKSLASH) escaped = true
        else if (byte === QUOTE) inString = false
      } else if (byte === QUOTE) inString = true
      else if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) continue
      kept[size++] = byte
    }
    hash.update(kept.subarray(0, size))
  }
}
