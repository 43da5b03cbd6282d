// Width and height of an image from the head of its base64 text: PNG, JPEG, GIF, WebP. Decodes only the bytes that say so; judges nothing else.

export interface ImageSize {
  readonly width: number
  readonly height: number
}

/**
 * The dimensions in pixels that the payload beginning at `from` declares. `base64` may be cut: it is the head of a payload. Null for any
 * other kind of image, for a head that ends too early, for a side of 0, and for any character that a lenient decoder would skip
 * before the dimensions: what it would read there is not what we read.
 */
export function imageSize(base64: string, from = 0): ImageSize | null {
  const head = new Base64Head(base64, from)
  const size = sizeIn(head)
  if (size === null || head.ended) return null
  return size.width > 0 && size.height > 0 ? size : null
}

function sizeIn(head: Base64Head): ImageSize | null {
  switch (head.byte(0)) {
    case 0x89:
      return head.is(1, 'PNG\r\n\x1a\n') && head.is(12, 'IHDR') ? { width: head.big(16, 4), height: head.big(20, 4) } : null
    case 0x47:
      return head.is(1, 'IF8') ? { width: head.little(6, 2), height: head.little(8, 2) } : null
    case 0x52:
      return head.is(1, 'IFF') && head.is(8, 'WEBP') ? webpSize(head) : null
    case 0xff:
      return head.byte(1) === 0xd8 ? jpegSize(head) : null
    default:
      return null
  }
}

/** The three kinds of a first chunk (RFC 9649): lossy, lossless, extended. */
function webpSize(head: Base64Head): ImageSize | null {
  if (head.is(12, 'VP8X')) return { width: head.little(24, 3) + 1, height: head.little(27, 3) + 1 }
  if (head.is(12, 'VP8L') && head.byte(20) === 0x2f) {
    const bits = head.little(21, 4)
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 }
  }
  const lossy = head.is(12, 'VP8 ') && head.byte(23) === 0x9d && head.byte(24) === 0x01 && head.byte(25) === 0x2a
  return lossy ? { width: head.little(26, 2) & 0x3fff, height: head.little(28, 2) & 0x3fff } : null
}

/** Walks the segments to the start of the frame (T.81, annex B); a scan or an end before it is no image that we read. */
function jpegSize(head: Base64Head): ImageSize | null {
  let at = 2
  while (!head.ended && head.byte(at) === 0xff) {
    const marker = head.byte(at + 1)
    if (marker === 0xff) at++
    else if (isFrame(marker)) return { height: head.big(at + 5, 2), width: head.big(at + 7, 2) }
    else if (marker >= 0xd0 && marker <= 0xda) return null
    else {
      const length = head.big(at + 2, 2)
      if (length < 2) return null
      at += 2 + length
    }
  }
  return null
}

/** SOF0 to SOF15 without the three markers in between that are none. */
const isFrame = (marker: number): boolean => marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc

/** Six bits a character of both alphabets (RFC 4648); -1 for all others. */
const SIX_BITS: Int8Array = Int8Array.from({ length: 128 }, (_, code) => {
  const at = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'.indexOf(String.fromCharCode(code))
  return at >= 0 ? at : code === 0x2d ? 62 : code === 0x5f ? 63 : -1
})

/** Single bytes of a base64 text by their index. Every character up to the last byte that was read is checked, once. */
class Base64Head {
  /** Whether a byte was asked for that is not there, or not reachable past a character that is not base64. */
  ended = false
  readonly #text: string
  readonly #from: number
  #checked: number

  constructor(text: string, from: number) {
    this.#text = text
    this.#from = from
    this.#checked = from
  }

  byte(index: number): number {
    const at = this.#from + Math.floor((index * 4) / 3)
    if (this.ended || !this.#check(at + 2)) {
      this.ended = true
      return 0
    }
    const shift = (index % 3) * 2 + 2
    return ((this.#bits(at) << shift) | (this.#bits(at + 1) >> (6 - shift))) & 0xff
  }

  big(index: number, count: number): number {
    let value = 0
    for (let i = 0; i < count; i++) value = value * 256 + this.byte(index + i)
    return value
  }

  little(index: number, count: number): number {
    let value = 0
    for (let i = count - 1; i >= 0; i--) value = value * 256 + this.byte(index + i)
    return value
  }

  is(index: number, text: string): boolean {
    for (let i = 0; i < text.length; i++) if (this.byte(index + i) !== text.charCodeAt(i)) return false
    return true
  }

  #bits(at: number): number {
    return SIX_BITS[this.#text.charCodeAt(at)] ?? -1
  }

  #check(end: number): boolean {
    if (end > this.#text.length) return false
    while (this.#checked < end) {
      if (this.#bits(this.#checked) < 0) return false
      this.#checked++
    }
    return true
  }
}
