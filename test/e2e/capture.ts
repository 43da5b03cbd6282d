// An upstream that keeps every request as the bytes that came, and answers each with a script; it bills nothing.
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { freePort } from './child.ts'

export interface Captured {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface Capture {
  readonly port: number
  /** In the order of their arrival. */
  readonly requests: readonly Captured[]
  stop(): Promise<void>
}

/** Starts it; `answer` writes the whole answer to one request. */
export async function startCapture(answer: (request: Captured, response: ServerResponse) => void | Promise<void>): Promise<Capture> {
  const requests: Captured[] = []
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const captured = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body: Buffer.concat(pieces) }
      requests.push(captured)
      void (async () => await answer(captured, response))().catch((error: unknown) => {
        response.writeHead(500)
        response.end(String(error))
      })
    })
  })
  const port = await freePort()
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  return {
    port,
    requests,
    stop: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** An OpenAI chat answer of a few tokens with this usage, as the provider would send it: JSON, or a stream when the body asks for one. */
export function answerAsChat(request: Captured, response: ServerResponse): void {
  const asked = JSON.parse(request.body.toString()) as { stream?: boolean; stream_options?: { include_usage?: boolean } }
  if (asked.stream !== true) {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(CHAT_JSON)
    return
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const events = asked.stream_options?.include_usage === true ? [...CHAT_EVENTS, USAGE_EVENT] : CHAT_EVENTS
  response.end(`${events.join('')}data: [DONE]\n\n`)
}

export const USAGE = { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 }
const HEAD = '"id":"chatcmpl-1","created":1700000000,"model":"gpt-4o-2024-08-06"'
const CHAT_JSON = `{${HEAD},"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"one two three"},"finish_reason":"stop"}],"usage":${JSON.stringify(USAGE)}}`
const event = (choices: string, usage: string): string =>
  `data: {${HEAD},"object":"chat.completion.chunk","choices":${choices}${usage}}\n\n`
const delta = (content: string): string => event(`[{"index":0,"delta":{"content":"${content}"},"finish_reason":null}]`, '')
export const CHAT_EVENTS: readonly string[] = [
  delta('one'),
  delta(' two'),
  delta(' three'),
  event('[{"index":0,"delta":{},"finish_reason":"stop"}]', ''),
]
export const USAGE_EVENT: string = event('[]', `,"usage":${JSON.stringify(USAGE)}`)
