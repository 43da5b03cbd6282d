// The HTTP side: health, readiness and metrics for anyone, /v1 for loopback or whoever brings the token. Serves no traffic of models.
import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { budgetsPage, reservationsPage, type V1 } from './v1.ts'

/** What is told to anyone. */
export interface HealthParts {
  /** Null when ready, else why not. */
  notReady(): string | null
  /** The exposition format of Prometheus and its content type. */
  metrics(): Promise<{ readonly contentType: string; readonly body: string }>
}

export interface HttpParts extends V1, HealthParts {
  /** The bearer token of /v1 for callers that are not on loopback; null for none. */
  readonly token: string | null
}

interface Reply {
  readonly status: number
  readonly contentType: string
  readonly body: string
}

const json = (status: number, value: unknown): Reply => ({ status, contentType: 'application/json', body: `${JSON.stringify(value)}\n` })
const text = (status: number, body: string): Reply => ({ status, contentType: 'text/plain; charset=utf-8', body: `${body}\n` })

/** Listens on `host:port` (port 0 for a free one); resolves once it does, rejects where it cannot. */
export const startHttpServer = (parts: HttpParts, host: string, port: number): Promise<Server> =>
  listen(request => answer(parts, parts, request), host, port)

/** The same without /v1. */
export const startHealthServer = (parts: HealthParts, host: string, port: number): Promise<Server> =>
  listen(request => answer(parts, null, request), host, port)

async function listen(answered: (request: IncomingMessage) => Promise<Reply>, host: string, port: number): Promise<Server> {
  const server = createServer((request, response) => {
    void answered(request).then(
      reply => send(response, reply),
      () => send(response, json(500, { error: 'internal error' })),
    )
  })
  server.requestTimeout = 10_000
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen(port, host, resolve)
  await promise
  return server
}

async function answer(parts: HealthParts, v1: HttpParts | null, request: IncomingMessage): Promise<Reply> {
  const url = URL.canParse(request.url ?? '', 'http://purser') ? new URL(request.url ?? '', 'http://purser') : null
  if (url === null) return json(400, { error: 'the request target is not a path' })
  if (request.method !== 'GET' && request.method !== 'HEAD') return json(405, { error: 'only GET and HEAD are served here' })
  switch (url.pathname) {
    case '/healthz':
      return text(200, 'ok')
    case '/readyz': {
      const why = parts.notReady()
      return why === null ? text(200, 'ready') : text(503, why)
    }
    case '/metrics':
      return { status: 200, ...(await parts.metrics()) }
    case '/v1/budgets':
    case '/v1/reservations': {
      if (v1 === null) break
      if (!mayRead(request, v1.token)) return json(401, { error: 'from here /v1 needs the bearer token of --http-token-file' })
      const page = await (url.pathname === '/v1/budgets' ? budgetsPage : reservationsPage)(v1, url.searchParams)
      return json(page.status, page.value)
    }
  }
  const more = v1 === null ? '' : ' /v1/budgets /v1/reservations'
  return json(404, { error: `served here: /healthz /readyz /metrics${more}` })
}

function send(response: ServerResponse, { status, contentType, body }: Reply): void {
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body), 'cache-control': 'no-store' })
  response.end(response.req.method === 'HEAD' ? '' : body)
}

const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/

function mayRead(request: IncomingMessage, token: string | null): boolean {
  if (LOOPBACK.test(request.socket.remoteAddress ?? '')) return true
  const sent = /^bearer\s+(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
  return token !== null && sent !== undefined && timingSafeEqual(digest(sent), digest(token))
}

const digest = (value: string): Buffer => createHash('sha256').update(value).digest()
