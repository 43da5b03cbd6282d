// Short ASCII texts, put together from their bytes once and then remembered: the same few keys and words come again and again.

/** Longer texts are decoded: by hand, short ones take a tenth of that time. */
export const SHORT = 24
/** Texts remembered while one document, or one stream of them, is scanned; one with the same slot takes the place of another. */
const REMEMBERED = 256

export class ShortTexts {
  readonly #known: string[] = []

  /** The text of at most SHORT bytes; null where one of them is not ASCII. */
  text(bytes: Uint8Array, from: number, to: number): string | null {
    const slot = slotOf(bytes, from, to)
    const known = this.#known[slot]
    if (known !== undefined && isText(known, bytes, from, to)) return known
    let text = ''
    for (let at = from; at < to; at++) {
      const byte = bytes[at] as number
      if (byte >= 0x80) return null
      text += String.fromCharCode(byte)
    }
    this.#known[slot] = text
    return text
  }
}

/** Told by the length and three bytes, which keys of one document seldom share. */
function slotOf(bytes: Uint8Array, from: number, to: number): number {
  if (from === to) return 0
  const first = bytes[from] as number
  const middle = bytes[(from + to) >> 1] as number
  const last = bytes[to - 1] as number
  return ((to - from) * 17 + first * 31 + middle * 7 + last) % REMEMBERED
}

function isText(text: string, bytes: Uint8Array, from: number, to: number): boolean {
  if (text.length !== to - from) return false
  for (let at = from; at < to; at++) if (text.charCodeAt(at - from) !== bytes[at]) return false
  return true
}
