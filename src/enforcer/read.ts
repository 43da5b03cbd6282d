// A whole request body through a format's reader, in slices, so that no body holds the event loop; decoded first where it is compressed.
import { setImmediate as turn } from 'node:timers/promises'
import { BODY_BYTES_MAX, SCAN_SLICE_BYTES } from '../limits.ts'
import type { CallReader, ReadResult } from '../wire/format.ts'
import { isIdentity, openDecoder } from './decode.ts'

export type BodyRead =
  /** `plain`: the bytes that were read, decompressed. */
  | (Extract<ReadResult, { kind: 'call' }> & { readonly plain: Uint8Array })
  | Exclude<ReadResult, { kind: 'call' }>
  | { readonly kind: 'too-large'; readonly why: string }

/** Bodies of up to one slice are read at once, without giving up the event loop. */
export async function readBody(reader: CallReader, body: Uint8Array, encoding: string | null): Promise<BodyRead> {
  if (body.length > BODY_BYTES_MAX) return { kind: 'too-large', why: `The body is over ${BODY_BYTES_MAX} bytes.` }
  const plain = isIdentity(encoding) ? body : await inflate(body, encoding ?? '')
  if (!(plain instanceof Uint8Array)) return plain
  for (let at = 0; at < plain.length; at += SCAN_SLICE_BYTES) {
    if (at > 0) await turn()
    reader.push(plain.subarray(at, at + SCAN_SLICE_BYTES))
  }
  const read = reader.end()
  return read.kind === 'call' ? { ...read, plain } : read
}

async function inflate(body: Uint8Array, encoding: string): Promise<Uint8Array | BodyRead> {
  const pieces: Uint8Array[] = []
  const decoder = openDecoder(encoding, piece => pieces.push(piece))
  if (decoder === null) return { kind: 'unreadable', why: 'The content-encoding is not one of gzip, deflate, br, zstd.' }
  decoder.push(body)
  const decoded = await decoder.end()
  if (decoded === 'corrupt') return { kind: 'unreadable', why: 'The body is not what its content-encoding says.' }
  if (decoded === 'too-large') return { kind: 'too-large', why: 'The body is too large once it is decompressed.' }
  return Buffer.concat(pieces)
}
