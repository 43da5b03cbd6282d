// Stands between a client and the API server, so that a test can take the server away from the client alone. Reads nothing that passes.
import { type AddressInfo, createServer, type Server, Socket } from 'node:net'

export class Relay {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #isCut = false

  private constructor(target: number) {
    this.#server = createServer(client => {
      const upstream = new Socket()
      for (const socket of [client, upstream]) {
        this.#sockets.add(socket)
        socket.on('close', () => this.#sockets.delete(socket))
      }
      client.on('error', () => upstream.destroy())
      upstream.on('error', () => client.destroy())
      if (this.#isCut) {
        client.resetAndDestroy()
        return
      }
      upstream.connect(target, '127.0.0.1')
      client.pipe(upstream).pipe(client)
    })
  }

  static async start(target: number): Promise<Relay> {
    const relay = new Relay(target)
    await new Promise<void>(resolve => relay.#server.listen(0, '127.0.0.1', resolve))
    return relay
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Every connection is reset, and every new one. */
  cut(): void {
    this.#isCut = true
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  /** The connections of now stay open, and nothing passes through them any more; new ones work. */
  deafen(): void {
    for (const socket of this.#sockets) {
      socket.unpipe()
      socket.resume()
    }
  }

  mend(): void {
    this.#isCut = false
  }

  async stop(): Promise<void> {
    this.cut()
    await new Promise(resolve => this.#server.close(resolve))
  }
}
