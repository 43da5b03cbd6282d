// A provider with odd manners: early answers, trailers, compressed answers, attempts that fail. It bills 100 tokens in and 50 out for each
// answer of 200, whoever reads it.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { freePort } from '../e2e/child.ts'

/** What `x-odd` may ask for. */
export type Odd =
  | 'plain'
  | 'early'
  | 'early-refusal'
  | 'early-hang-up'
  | 'hints'
  | 'half'
  | 'json-trailers'
  | 'stream-trailers'
  | 'flaky'
  | Coding
  | `${Coding}-stream`

export interface Upstream {
  readonly port: number
  /** In nano-USD, for the calls of one `x-fake-tag`. */
  billedFor(tag: string): bigint
  /** Calls of one `x-fake-tag` that came, answered or not. */
  callsOf(tag: string): number
  stop(): Promise<void>
}

const COST = 100n * 2_500n + 50n * 10_000n
const HEAD = '"id":"chatcmpl-odd","created":1700000000,"model":"gpt-4o-2024-08-06"'
const USAGE = '"usage":{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150}'
const MESSAGE = `{"index":0,"message":{"role":"assistant","content":"${'word '.repeat(50)}"},"finish_reason":"stop"}`
const JSON_ANSWER = `{${HEAD},"object":"chat.completion","choices":[${MESSAGE}],${USAGE}}`
const EVENTS = [
  ...Array.from(
    { length: 50 },
    () => `data: {${HEAD},"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}\n\n`,
  ),
  `data: {${HEAD},"object":"chat.completion.chunk","choices":[],${USAGE}}\n\n`,
  'data: [DONE]\n\n',
]

type Coding = 'gzip' | 'br' | 'zstd' | 'deflate'
/** The codings of HTTP that Node has. */
export const CODERS: Readonly<Record<Coding, (text: string) => Buffer>> = {
  gzip: gzipSync,
  br: brotliCompressSync,
  zstd: zstdCompressSync,
  deflate: deflateSync,
}
type Manner = (request: IncomingMessage, response: ServerResponse, attempt: number) => void

const json = { 'content-type': 'application/json', 'x-request-id': 'req_odd' }
const sse = { 'content-type': 'text/event-stream', 'x-request-id': 'req_odd' }

const whenRead =
  (then: Manner): Manner =>
  (request, response, attempt) => {
    request.resume().on('end', () => then(request, response, attempt))
  }
const coded = (coding: Coding): Manner =>
  whenRead((_, response) => {
    response.writeHead(200, { ...json, 'content-encoding': coding }).end(CODERS[coding](JSON_ANSWER))
  })
const codedStream = (coding: Coding): Manner =>
  whenRead((_, response) => {
    response.writeHead(200, { ...sse, 'content-encoding': coding })
    const whole = CODERS[coding](EVENTS.join(''))
    // In pieces that are cut anywhere, as a network cuts them.
    for (let at = 0; at < whole.length; at += 37) response.write(whole.subarray(at, at + 37))
    response.end()
  })

const MANNERS: Readonly<Record<Odd, Manner>> = {
  plain: whenRead((_, response) => void response.writeHead(200, json).end(JSON_ANSWER)),
  /** The whole answer at the first sight of the request; its body is read afterwards. */
  early: (request, response) => {
    response.writeHead(200, json).end(JSON_ANSWER)
    request.resume()
  },
  /** Too large, said at once. */
  'early-refusal': (request, response) => {
    response.writeHead(413, json).end('{"error":{"message":"too large"}}')
    request.resume()
  },
  'early-hang-up': request => void request.socket.resetAndDestroy(),
  half: whenRead((_, response) => {
    response.writeHead(200, { ...json, 'content-length': Buffer.byteLength(JSON_ANSWER) })
    response.write(JSON_ANSWER.slice(0, JSON_ANSWER.length >> 1))
    setTimeout(() => response.socket?.destroy(), 200)
  }),
  hints: whenRead((_, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload' })
    response.writeHead(200, json).end(JSON_ANSWER)
  }),
  'json-trailers': whenRead((_, response) => {
    response.writeHead(200, { ...json, trailer: 'x-checksum' })
    response.write(JSON_ANSWER)
    response.addTrailers({ 'x-checksum': 'abc' })
    response.end()
  }),
  'stream-trailers': whenRead((_, response) => {
    response.writeHead(200, { ...sse, trailer: 'x-checksum' })
    for (const event of EVENTS) response.write(event)
    response.addTrailers({ 'x-checksum': 'abc' })
    response.end()
  }),
  /** Fails the first attempt of a call after it has read it, and answers the next. */
  flaky: whenRead((_, response, attempt) => {
    if (attempt === 1) response.writeHead(503, json).end('{"error":{"message":"overloaded"}}')
    else response.writeHead(200, json).end(JSON_ANSWER)
  }),
  gzip: coded('gzip'),
  br: coded('br'),
  zstd: coded('zstd'),
  deflate: coded('deflate'),
  'gzip-stream': codedStream('gzip'),
  'br-stream': codedStream('br'),
  'zstd-stream': codedStream('zstd'),
  'deflate-stream': codedStream('deflate'),
}

export async function startUpstream(): Promise<Upstream> {
  const answered = new Map<string, number>()
  const calls = new Map<string, number>()
  const server = createServer((request, response) => {
    const [odd, tag] = [String(request.headers['x-odd'] ?? 'plain'), String(request.headers['x-fake-tag'] ?? '')]
    const attempt = (calls.get(tag) ?? 0) + 1
    calls.set(tag, attempt)
    // Also where it was cut: who generates an answer bills it.
    response.once('close', () => {
      if (response.statusCode === 200) answered.set(tag, (answered.get(tag) ?? 0) + 1)
    })
    if (isOdd(odd)) MANNERS[odd](request, response, attempt)
    else response.writeHead(400, json).end(`{"error":{"message":"there are no manners ${odd}"}}`)
  })
  const port = await freePort()
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  return {
    port,
    billedFor: tag => BigInt(answered.get(tag) ?? 0) * COST,
    callsOf: tag => calls.get(tag) ?? 0,
    stop: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const isOdd = (word: string): word is Odd => Object.hasOwn(MANNERS, word)
