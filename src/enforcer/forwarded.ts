// What x-forwarded-client-cert says of the client's certificate. What comes before the element of the nearest proxy may be of the client's
// own making and is never looked at.

/**
 * The first URI of the last element, which the nearest proxy wrote (Envoy's docs of x-forwarded-client-cert); null where it has none.
 * `lines` are the header's, in their order.
 */
export function forwardedUri(lines: readonly string[]): string | null {
  const pair = pairsOf(lastElement(lines.join(','))).find(one => /^\s*uri=/i.test(one))
  return pair === undefined ? null : unquoted(pair.slice(pair.indexOf('=') + 1)) || null
}

/** Read from its end, where no quote is open: a quote that a client left open before it changes nothing. */
function lastElement(text: string): string {
  let isQuoted = false
  for (let at = text.length - 1; at >= 0; at -= 1) {
    if (text[at] === '"' && !isEscaped(text, at)) isQuoted = !isQuoted
    else if (text[at] === ',' && !isQuoted) return text.slice(at + 1)
  }
  return text
}

/** Parts between semicolons outside of quotes. */
function pairsOf(element: string): readonly string[] {
  const pairs: string[] = []
  let [from, isQuoted] = [0, false]
  for (let at = 0; at < element.length; at += 1) {
    if (element[at] === '"' && !isEscaped(element, at)) isQuoted = !isQuoted
    else if (element[at] === ';' && !isQuoted) {
      pairs.push(element.slice(from, at))
      from = at + 1
    }
  }
  return [...pairs, element.slice(from)]
}

const unquoted = (value: string): string =>
  value
    .trim()
    .replace(/^"(.*)"$/s, '$1')
    .replace(/\\(.)/gs, '$1')

/** By an odd number of backslashes: a backslash may itself be escaped. */
function isEscaped(text: string, at: number): boolean {
  let first = at
  while (text[first - 1] === '\\') first -= 1
  return (at - first) % 2 === 1
}
