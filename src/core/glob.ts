// Globs: `*` stands for any run of characters, the empty one and `/` included; nothing else is special. Compiled once, matched in
// one pass from left to right, so that no name, however hostile, makes matching slow.

/** Says whether a text matches any of the globs it was compiled from. */
export type GlobSet = (text: string) => boolean

export type GlobCase = 'exact' | 'ignore-case'

/** Compiles `globs` to one question; an empty list matches nothing. `ignore-case` compares lower-cased texts. */
export function compileGlobs(globs: readonly string[], letterCase: GlobCase): GlobSet {
  const spelt = letterCase === 'exact' ? globs : globs.map(glob => glob.toLowerCase())
  if (spelt.some(glob => /^\*+$/.test(glob))) return () => true
  const literals = new Set(spelt.filter(glob => !glob.includes('*')))
  const patterns = spelt.filter(glob => glob.includes('*')).map(compilePattern)
  return text => {
    const asked = letterCase === 'exact' ? text : text.toLowerCase()
    return literals.has(asked) || patterns.some(matches => matches(asked))
  }
}

/** Every part is found at its first place after the part before it: what is left for the later parts is then the longest. */
function compilePattern(glob: string): GlobSet {
  const parts = glob.split('*')
  const head = parts[0] ?? ''
  const tail = parts.at(-1) ?? ''
  const middle = parts.slice(1, -1).filter(part => part !== '')
  const shortest = head.length + tail.length
  return text => {
    if (text.length < shortest || !text.startsWith(head) || !text.endsWith(tail)) return false
    const end = text.length - tail.length
    let at = head.length
    for (const part of middle) {
      const found = text.indexOf(part, at)
      if (found < 0 || found + part.length > end) return false
      at = found + part.length
    }
    return true
  }
}
