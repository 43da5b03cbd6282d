// `data:` URLs by their head alone: what they hold and how large it is. Decodes no more of a payload than tells an image's size.
import type { MediaPart } from '../core/call.ts'
import { CAPTURE_BYTES_MAX } from '../limits.ts'
import { type ImageSize, imageSize } from './image-size.ts'
import type { Scalar } from './json-place.ts'

/** Bytes to keep of a value that may be an image: its dimensions may stand behind a profile and a thumbnail. */
export const IMAGE_HEAD: number = CAPTURE_BYTES_MAX

export interface Payload {
  /** Null where the media type does not tell. */
  readonly kind: MediaPart['kind'] | null
  readonly bytes: number
  /** Of an image, where its head tells it. */
  readonly size: ImageSize | null
}

/** The payload of a `data:` URL whose head was kept; null for any other text. */
export function dataUrl({ kind, text, bytes }: Scalar): Payload | null {
  if (kind !== 'string') return null
  const head = /^data:([a-z]+)\/[^,]{0,200},/i.exec(text)
  if (head === null) return /^data:/i.test(text) ? { kind: null, bytes, size: null } : null
  const encoded = bytes - head[0].length
  const isBase64 = /;base64,$/i.test(head[0])
  const media = KINDS.get((head[1] ?? '').toLowerCase()) ?? null
  const size = isBase64 && media === 'image' ? imageSize(text, head[0].length) : null
  return { kind: media, bytes: isBase64 ? Math.ceil((encoded * 3) / 4) : encoded, size }
}

const KINDS: ReadonlyMap<string, MediaPart['kind']> = new Map([
  ['image', 'image'],
  ['audio', 'audio'],
  ['video', 'video'],
  ['application', 'document'],
  ['text', 'document'],
])
