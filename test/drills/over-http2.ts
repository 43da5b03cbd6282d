// A call over HTTP/2, in the words of one over HTTP/1.1.
import type { ClientHttp2Stream } from 'node:http2'
import type { Answer } from '../e2e/call.ts'
import { CHAT_PATH } from '../e2e/provider.ts'
import { HANGS_MS, type Stage } from './stage.ts'

/** One call over HTTP/2; `send` sends the body, and after it trailers where `waitForTrailers`. */
export async function overHttp2(
  stage: Stage,
  drill: string,
  send: (stream: ClientHttp2Stream) => void,
  waitForTrailers = false,
): Promise<Answer> {
  const session = await stage.http2()
  const started = performance.now()
  try {
    return await new Promise(resolve => {
      const stream = session.request(
        { ':method': 'POST', ':path': CHAT_PATH, ...stage.headersOf(drill) },
        { waitForTrailers, endStream: false },
      )
      let [status, body] = [0, '']
      let headers: Record<string, string> = {}
      const over = (end: Answer['end']): void => {
        const totalMs = performance.now() - started
        resolve({ status, headers, body, end, totalMs, headMs: totalMs, firstByteMs: totalMs, pieceMs: [] })
      }
      stream.setTimeout(HANGS_MS, () => stream.close())
      stream.on('response', head => {
        status = Number(head[':status'])
        headers = Object.fromEntries(Object.entries(head).map(([name, value]) => [name, String(value)]))
      })
      stream.setEncoding('utf8')
      stream.on('data', piece => {
        body += piece
      })
      stream.on('end', () => over('whole'))
      stream.on('error', () => over('cut'))
      stream.on('close', () => over('cut'))
      send(stream)
    })
  } finally {
    session.destroy()
  }
}
