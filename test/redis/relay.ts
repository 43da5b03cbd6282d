// Stands between a client and a Redis server: relays, falls silent, or says that the server is loading. It reads nothing that passes.
import { createServer, type Server, Socket } from 'node:net'
import { expect, vi } from 'vitest'
import { freePort } from './server.ts'

export class Relay {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #loading = false
  #asked = 0
  #port = 0
  #target: number
  readonly #pairs = new Map<Socket, Socket>()
  #held: { readonly upstream: Socket; readonly pieces: Buffer[] }[] = []

  private constructor(target: number) {
    this.#target = target
    this.#server = createServer(client => {
      this.#sockets.add(client)
      client.on('error', () => client.destroy())
      if (this.#loading) {
        client.on('data', () => {
          this.#asked += 1
          client.write('-LOADING Redis is loading the dataset in memory\r\n')
        })
        return
      }
      const upstream = new Socket()
      upstream.on('error', () => client.destroy())
      client.on('close', () => {
        this.#pairs.delete(client)
        if (!this.#held.some(held => held.upstream === upstream)) upstream.destroy()
      })
      upstream.connect(this.#target, '127.0.0.1')
      client.pipe(upstream).pipe(client)
      this.#pairs.set(client, upstream)
    })
  }

  static async start(target: number): Promise<Relay> {
    const relay = new Relay(target)
    relay.#port = await freePort()
    await new Promise<void>(resolve => relay.#server.listen(relay.#port, '127.0.0.1', resolve))
    return relay
  }

  get url(): string {
    return `redis://127.0.0.1:${this.#port}`
  }

  /** The sockets of now swallow everything; new ones work. */
  deafen(): void {
    for (const socket of this.#sockets) {
      socket.unpipe()
      socket.resume()
    }
  }

  /** What comes on the sockets of now is kept back, and so are they, even when their clients are gone; new ones work. */
  hold(): void {
    for (const [client, upstream] of this.#pairs) {
      const held = { upstream, pieces: [] as Buffer[] }
      this.#held.push(held)
      client.unpipe(upstream)
      upstream.unpipe(client)
      upstream.resume()
      client.on('data', piece => void held.pieces.push(piece)).resume()
    }
  }

  /** Sends on what was kept back; resolves when the server has answered all of it. Answers how many bytes it was. */
  async deliver(): Promise<number> {
    let bytes = 0
    for (const { upstream, pieces } of this.#held.splice(0)) {
      const kept = Buffer.concat(pieces)
      bytes += kept.length
      if (kept.length > 0) {
        const answered = new Promise(resolve => upstream.once('data', resolve))
        upstream.write(kept)
        await answered
      }
      upstream.destroy()
    }
    return bytes
  }

  /** Hangs up, and leads to another server from now on: a promotion as a client sees it. */
  point(target: number): void {
    this.#target = target
    for (const socket of this.#sockets) socket.destroy()
  }

  /** From now on new sockets hear that the server is loading. */
  load(): void {
    this.#loading = true
  }

  /** Resolves when so many questions were put off. */
  async asked(times: number): Promise<void> {
    await vi.waitFor(() => expect(this.#asked).toBeGreaterThanOrEqual(times), { timeout: 5_000, interval: 20 })
  }

  /** Hangs up on those, and relays again. */
  loaded(): void {
    this.#loading = false
    for (const socket of this.#sockets) socket.destroy()
  }

  async stop(): Promise<void> {
    for (const { upstream } of this.#held) upstream.destroy()
    for (const socket of this.#sockets) socket.destroy()
    await new Promise(resolve => this.#server.close(resolve))
  }
}
