// Content-encoding to bytes, as they stream, bounded. Inflating runs on zlib's own threads; a bomb stops at the bound.
import type { Transform } from 'node:stream'
import { constants, createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import { INFLATED_BYTES_MAX } from '../limits.ts'

/** `too-large` beyond the bound, `corrupt` where it is not what it says; a cut stream is `whole`: all that came was given. */
export type Decoded = 'whole' | 'too-large' | 'corrupt'

export interface Decoder {
  push(piece: Uint8Array): void
  /** No more bytes come; resolves when all that came was given to `onPiece`. */
  end(): Promise<Decoded>
}

/** A decoder for a content-encoding, null for one that is not known. `identity` and absence need none: ask {@link isIdentity}. */
export function openDecoder(encoding: string, onPiece: (piece: Uint8Array) => void): Decoder | null {
  const stream = inflater(encoding.trim().toLowerCase())
  if (stream === null) return null
  let size = 0
  let ended: Decoded | null = null
  const { promise, resolve } = Promise.withResolvers<Decoded>()
  const finish = (how: Decoded): void => {
    if (ended !== null) return
    ended = how
    resolve(how)
    stream.destroy()
  }
  stream.on('data', (piece: Uint8Array) => {
    size += piece.length
    if (size > INFLATED_BYTES_MAX) finish('too-large')
    else if (ended === null) onPiece(piece)
  })
  stream.on('end', () => finish('whole'))
  stream.on('error', () => finish('corrupt'))
  return {
    push: piece => {
      if (ended === null) stream.write(piece)
    },
    end: () => {
      if (ended === null) stream.end()
      return promise
    },
  }
}

export const isIdentity = (encoding: string | null): boolean => encoding === null || /^\s*(identity)?\s*$/i.test(encoding)

/** The names of RFC 9110 section 8.4.1 and RFC 8878; a cut stream gives what it had (sync flush at its end). */
function inflater(encoding: string): Transform | null {
  switch (encoding) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip({ finishFlush: constants.Z_SYNC_FLUSH })
    case 'deflate':
      return createInflate({ finishFlush: constants.Z_SYNC_FLUSH })
    case 'br':
      return createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH })
    case 'zstd':
      return createZstdDecompress({ finishFlush: constants.ZSTD_e_flush })
    default:
      return null
  }
}
