// Base64 (RFC 4648, either alphabet) from bytes to bytes, as the chunks of a model's stream carry their JSON. Knows no format.

const DIGITS: Int8Array = new Int8Array(256).fill(-1)
for (const [value, char] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].entries()) {
  DIGITS[char.charCodeAt(0)] = value
}
DIGITS['-'.charCodeAt(0)] = 62
DIGITS['_'.charCodeAt(0)] = 63
const PAD = 0x3d

/** The bytes that `encoded` stands for, with or without padding; null for anything else than base64. */
export function decodeBase64(encoded: Uint8Array): Uint8Array | null {
  let length = encoded.length
  while (length > 0 && encoded.length - length < 2 && encoded[length - 1] === PAD) length--
  if (length % 4 === 1) return null
  const decoded = new Uint8Array(Math.floor((length * 3) / 4))
  let bits = 0
  let held = 0
  let written = 0
  for (let at = 0; at < length; at++) {
    const digit = DIGITS[encoded[at] as number] as number
    if (digit < 0) return null
    held = ((held << 6) | digit) & 0xffffff
    bits += 6
    if (bits >= 8) {
      bits -= 8
      decoded[written++] = (held >> bits) & 0xff
    }
  }
  return decoded
}
