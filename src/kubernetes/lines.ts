// Lines of a stream of bytes: what a watch sends, one event a line. Never holds more than one line and one chunk.

/** Yields each line without its end, as text. Throws where one is longer than `bytesMax`. What comes after the last line end is dropped. */
export async function* linesOf(stream: AsyncIterable<Buffer>, bytesMax: number): AsyncGenerator<string> {
  let parts: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream) {
    let from = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      parts.push(chunk.subarray(from, end))
      yield Buffer.concat(parts).toString('utf8')
      parts = []
      bytes = 0
      from = end + 1
    }
    bytes += chunk.length - from
    if (bytes > bytesMax) throw new Error(`a line is longer than ${bytesMax} bytes`)
    parts.push(chunk.subarray(from))
  }
}
