// The fake provider's server: endpoints of OpenAI, Azure and Anthropic, and `/bill`, `/reset`. For tests, the demo and measurements.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answerCall, type Exchange, refuse } from './answering.ts'
import { type Api, type Asked, apiOf, keyOf, readAsked } from './asked.ts'
import { Bill, type BillReport } from './bill.ts'
import { behaviourOf, type ProviderOptions } from './settings.ts'

export interface Provider {
  /** `http://HOST:PORT` */
  readonly url: string
  readonly port: number
  bill(): BillReport
  reset(): void
  close(): Promise<void>
}

const BODY_BYTES_MAX = 64 * 1024 * 1024

/** What real providers answer with where a plain name was asked. */
const DATED: Readonly<Record<string, string>> = {
  'gpt-4o': 'gpt-4o-2024-08-06',
  'gpt-4o-mini': 'gpt-4o-mini-2024-07-18',
  'gpt-4.1': 'gpt-4.1-2025-04-14',
  'gpt-4.1-mini': 'gpt-4.1-mini-2025-04-14',
  'gpt-4.1-nano': 'gpt-4.1-nano-2025-04-14',
  'gpt-5': 'gpt-5-2025-08-07',
  'gpt-5-mini': 'gpt-5-mini-2025-08-07',
  'gpt-5-nano': 'gpt-5-nano-2025-08-07',
  'claude-sonnet-4-5': 'claude-sonnet-4-5-20250929',
  'claude-haiku-4-5': 'claude-haiku-4-5-20251001',
  'claude-3-5-haiku': 'claude-3-5-haiku-20241022',
  'claude-opus-4-5': 'claude-opus-4-5-20251101',
}
const LISTED = new Map(Object.entries(DATED).map(([listed, dated]) => [dated, listed]))

/** Listens, and answers until it is closed. HTTP/1.1 with keep-alive. */
export async function startProvider(options: ProviderOptions = {}): Promise<Provider> {
  const bill = new Bill(options.prices ?? {})
  const host = options.host ?? '127.0.0.1'
  const server = createServer((request, response) => {
    response.on('error', () => response.destroy())
    route(options, bill, request, response)
  })
  server.keepAliveTimeout = 3_600_000
  server.requestTimeout = 0
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, host, 1_024, resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://${host}:${port}`,
    port,
    bill: () => bill.read(),
    reset: () => bill.reset(),
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function route(options: ProviderOptions, bill: Bill, request: IncomingMessage, response: ServerResponse): void {
  const { pathname: path, searchParams } = new URL(request.url ?? '/', 'http://provider')
  const api = request.method === 'POST' ? apiOf(path) : null
  if (api !== null) {
    receive(options, bill, api, path, request, response)
    return
  }
  request.resume()
  const [status, body] = desk(bill, `${request.method} ${path}`, searchParams.get('calls') === '0')
  sendJson(response, status, body)
}

/** Everything that costs nothing. */
function desk(bill: Bill, asked: string, sumsOnly: boolean): readonly [number, object] {
  if (asked === 'GET /bill') return [200, sumsOnly ? { ...bill.read(), calls: [] } : bill.read()]
  if (asked === 'POST /reset') {
    bill.reset()
    return [200, {}]
  }
  if (/^GET .*\/models$/.test(asked)) {
    const models = bill.models.map(id => ({ id, object: 'model', created: 1_715_367_049, owned_by: 'system' }))
    return [200, { object: 'list', data: models }]
  }
  if (/^POST .*\/messages\/count_tokens$/.test(asked)) return [200, { input_tokens: 12 }]
  return [404, { error: { message: `Invalid URL (${asked})`, type: 'invalid_request_error', param: null, code: null } }]
}

type Way = Pick<Exchange, 'request' | 'response' | 'over'>

function receive(options: ProviderOptions, bill: Bill, api: Api, path: string, request: IncomingMessage, response: ServerResponse): void {
  const pieces: Buffer[] = []
  let bytes = 0
  request.on('data', (piece: Buffer) => {
    bytes += piece.length
    if (bytes > BODY_BYTES_MAX) request.destroy()
    else pieces.push(piece)
  })
  request.on('error', () => response.destroy())
  request.on('end', () => {
    bill.opened()
    let isOver = false
    const over = () => {
      if (!isOver) bill.closed()
      isOver = true
    }
    try {
      call(options, bill, api, path, Buffer.concat(pieces).toString('utf8'), { request, response, over })
    } catch (error) {
      sendJson(response, 400, {
        error: {
          message: error instanceof Error ? error.message : String(error),
          type: 'invalid_request_error',
          param: null,
          code: 'x-fake',
        },
      })
      over()
    }
  })
}

function call(options: ProviderOptions, bill: Bill, api: Api, path: string, text: string, way: Way): void {
  const { request, response, over } = way
  const behaviour = behaviourOf(options, request.headers)
  const asked = readAsked(api, path, text)
  if ('status' in asked) {
    refuse(response, api, asked.status, asked.message)
    over()
    return
  }
  answerCall({ ...way, asked, behaviour, key: keyOf(request.headers), model: modelOf(options, asked), bill })
}

function modelOf(options: ProviderOptions, asked: Asked): { listed: string; told: string } {
  const model = asked.azure ? (options.deployments?.[asked.model] ?? asked.model) : asked.model
  return { listed: LISTED.get(model) ?? model, told: DATED[model] ?? model }
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(`${JSON.stringify(body, null, 2)}\n`)
}
