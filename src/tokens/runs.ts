// Cuts text where a tokenizer would take the square of its length: long runs of one kind of character. Counts nothing.

/** UTF-16 units of one class that a tokenizer is given at once; beyond it a hostile run costs seconds. */
const RUN_MAX = 256

/**
 * The pieces of a text, in order and whole, none with a longer run than RUN_MAX of blanks, digits, letters (all of 0x80 and above
 * among them) or other marks; no surrogate pair is cut. The pieces have at least as many tokens as the text, but for a few.
 */
export function cutRuns(text: string): readonly string[] {
  const pieces: string[] = []
  let from = 0
  let kind = -1
  let run = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    const own = code < 0x80 ? (CLASS[code] as number) : LETTER
    if (own !== kind) {
      kind = own
      run = 1
    } else if (++run > RUN_MAX && !isPair(text.charCodeAt(at - 1), code)) {
      pieces.push(text.slice(from, at))
      from = at
      run = 1
    }
  }
  if (from < text.length) pieces.push(from === 0 ? text : text.slice(from))
  return pieces
}

/** Whether two units are one character; half of one, as an escape can write it, is a character of its own. */
const isPair = (high: number, low: number): boolean => (high & 0xfc00) === 0xd800 && (low & 0xfc00) === 0xdc00

const LETTER = 2
const CLASS: Uint8Array = Uint8Array.from({ length: 0x80 }, (_, code) => {
  const char = String.fromCharCode(code)
  return /\s/.test(char) ? 0 : /\d/.test(char) ? 1 : /[A-Za-z]/.test(char) ? LETTER : 3
})
