// Stands between one client and the API server and writes down what the client asks for. Changes nothing that passes.
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Agent, request } from 'node:https'
import type { AddressInfo } from 'node:net'

export interface Asked {
  readonly method: string
  readonly path: string
  readonly atMs: number
}

export class Recorder {
  readonly asked: Asked[] = []
  readonly #server: Server
  readonly #agent: Agent
  readonly #target: string

  private constructor(target: { readonly url: string; readonly caFile: string }) {
    this.#target = target.url
    this.#agent = new Agent({ ca: readFileSync(target.caFile), keepAlive: true })
    this.#server = createServer((from, to) => this.#pass(from, to))
  }

  static async start(target: { readonly url: string; readonly caFile: string }): Promise<Recorder> {
    const recorder = new Recorder(target)
    await new Promise<void>(resolve => recorder.#server.listen(0, '127.0.0.1', resolve))
    return recorder
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Everything but reading, and but the Lease. */
  get writes(): readonly Asked[] {
    return this.asked.filter(({ method, path }) => method !== 'GET' && !path.includes('/leases'))
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
    this.#agent.destroy()
  }

  #pass(from: IncomingMessage, to: ServerResponse): void {
    const { method = '', url: path = '' } = from
    this.asked.push({ method, path, atMs: performance.now() })
    const { host: _, connection: __, ...headers } = from.headers
    const sent = request(new URL(path, this.#target), { method, headers, agent: this.#agent }, answer => {
      to.writeHead(answer.statusCode ?? 502, answer.headers)
      to.flushHeaders()
      answer.on('error', () => to.destroy())
      answer.pipe(to)
    })
    sent.on('error', () => to.destroy())
    to.on('close', () => sent.destroy())
    from.pipe(sent)
  }
}
