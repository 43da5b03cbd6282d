// The Kubernetes API as this room speaks it: one request, one streamed answer. Nothing is retried here, and nothing is understood.
import { type ClientRequest, type IncomingMessage, Agent as PlainAgent, request as plainRequest } from 'node:http'
import { Agent, type RequestOptions, request } from 'node:https'
import { KubeConfig } from '@kubernetes/client-node'

/** How long a connection may be silent before the kernel asks whether the other end is there. */
const KEEPALIVE_MS = 30_000

export interface ApiAnswer {
  readonly status: number
  /** What the server asks for before the next attempt. */
  readonly retryAfterMs: number | null
  /** Ends with an error where the connection breaks, falls silent, or the request is aborted. */
  readonly body: AsyncIterable<Buffer>
}

export interface GetOptions {
  /** For how long the connection may be silent, in ms. */
  readonly idleMs: number
  readonly signal: AbortSignal
}

/** What a request that writes carries. */
export interface Written {
  readonly method: 'PATCH' | 'POST' | 'PUT'
  /** Its media type; the body is JSON whatever it is called. */
  readonly type: 'application/json' | 'application/apply-patch+yaml'
  readonly body: unknown
}

export interface Api {
  /** Rejects where there is no answer at all. */
  get(path: string, options: GetOptions): Promise<ApiAnswer>
  /** Rejects where there is no answer at all: then it is not known whether it was written. */
  send(path: string, written: Written, options: GetOptions): Promise<ApiAnswer>
  /** The next request reads address, CA and credentials anew: a token may have been replaced, a certificate exchanged. */
  renew(): void
  close(): void
}

/** The API of the cluster that `load` names. Throws what `load` throws. */
export function connectCluster(load: () => KubeConfig = loadCluster): Api {
  return new ClusterApi(load)
}

/** The cluster of KUBECONFIG, of ~/.kube/config, or the one that this process runs in. Throws where there is none. */
function loadCluster(): KubeConfig {
  const config = new KubeConfig()
  config.loadFromDefault()
  const cluster = config.getCurrentCluster()
  // What the library makes up where it found nothing.
  if (cluster === null || (cluster.name === 'cluster' && cluster.server === 'http://localhost:8080'))
    throw new Error('no Kubernetes cluster is known: set KUBECONFIG, or run in a pod with a ServiceAccount')
  return config
}

class ClusterApi implements Api {
  readonly #load: () => KubeConfig
  readonly #agents = { plain: new PlainAgent({ keepAlive: true }), secure: new Agent({ keepAlive: true }) }
  #config: KubeConfig
  #stale = false

  constructor(load: () => KubeConfig) {
    this.#load = load
    this.#config = load()
  }

  get(path: string, options: GetOptions): Promise<ApiAnswer> {
    return this.#ask(path, null, options)
  }

  send(path: string, written: Written, options: GetOptions): Promise<ApiAnswer> {
    return this.#ask(path, written, options)
  }

  async #ask(path: string, written: Written | null, { idleMs, signal }: GetOptions): Promise<ApiAnswer> {
    const [url, prepared] = await this.#prepare(path)
    const isPlain = url.protocol === 'http:'
    const body = written === null ? '' : JSON.stringify(written.body)
    const more = written === null ? {} : { 'content-type': written.type, 'content-length': String(Buffer.byteLength(body)) }
    const options = { ...prepared, headers: { ...prepared.headers, ...more }, method: written?.method ?? 'GET', timeout: idleMs, signal }
    return new Promise((resolve, reject) => {
      const sent: ClientRequest = (isPlain ? plainRequest : request)(url, options)
      let answer: IncomingMessage | null = null
      sent.on('socket', socket => socket.setKeepAlive(true, KEEPALIVE_MS))
      sent.on('timeout', () => (answer ?? sent).destroy(new Error(`the server was silent for ${idleMs} ms`)))
      sent.on('error', reject)
      sent.on('response', got => {
        answer = got
        resolve({ status: got.statusCode ?? 0, retryAfterMs: retryAfterMs(got.headers['retry-after']), body: got })
      })
      sent.end(body)
    })
  }

  renew(): void {
    this.#stale = true
  }

  close(): void {
    this.#agents.plain.destroy()
    this.#agents.secure.destroy()
  }

  async #prepare(path: string): Promise<readonly [URL, RequestOptions & { headers: Record<string, string> }]> {
    if (this.#stale) {
      this.#stale = false
      // A file that is being replaced may be unreadable for a moment: what was known last is as good as nothing then, or better.
      this.#config = this.#loaded() ?? this.#config
    }
    const cluster = this.#config.getCurrentCluster()
    const server = cluster?.server ?? ''
    const options: RequestOptions = { headers: {} }
    await this.#config.applyToHTTPSOptions(options)
    if (cluster?.proxyUrl === undefined) options.agent = server.startsWith('http:') ? this.#agents.plain : this.#agents.secure
    return [new URL(`${server.replace(/\/$/, '')}${path}`), { ...options, headers: headersOf(options) }]
  }

  #loaded(): KubeConfig | null {
    try {
      return this.#load()
    } catch {
      return null
    }
  }
}

/** Tokens in files often end with a line break, which no header may have. */
function headersOf({ headers }: RequestOptions): Record<string, string> {
  const given = Object.entries(headers ?? {}).map(([name, value]) => [name, String(value).trim()])
  return { ...Object.fromEntries(given), accept: 'application/json' }
}

/** Seconds, as the API server writes it; a date is not understood. */
const retryAfterMs = (text: string | undefined): number | null =>
  text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) * 1_000 : null
