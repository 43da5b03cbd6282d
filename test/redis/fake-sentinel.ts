// A Sentinel that only plays one: it names a primary when it is let, and tells of a failover when it is asked to. It watches nothing.
import { createServer, type Server, type Socket } from 'node:net'
import { expect, vi } from 'vitest'

export class FakeSentinel {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #listeners = new Set<Socket>()
  #held: (() => void)[] | null = null
  #port = 0

  private constructor(primaryPort: number) {
    this.#server = createServer(socket => {
      this.#sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => this.#listeners.delete(socket))
      socket.on('data', chunk => {
        const said = chunk.toString().toLowerCase()
        // The client introduces itself and asks in one go: an answer for each of the commands before the one that matters.
        for (const _ of said.matchAll(/\r\nsetinfo\r\n/g)) socket.write('+OK\r\n')
        if (said.includes('get-master-addr-by-name'))
          this.#name(() => socket.write(`*2\r\n$9\r\n127.0.0.1\r\n$${`${primaryPort}`.length}\r\n${primaryPort}\r\n`))
        if (said.includes('\r\nsentinels\r\n')) socket.write('*0\r\n')
        if (!said.includes('subscribe')) return
        socket.write('*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n')
        this.#listeners.add(socket)
      })
    })
  }

  static async start(primaryPort: number): Promise<FakeSentinel> {
    const sentinel = new FakeSentinel(primaryPort)
    await new Promise<void>(resolve => sentinel.#server.listen(0, '127.0.0.1', resolve))
    const address = sentinel.#server.address()
    sentinel.#port = typeof address === 'object' && address !== null ? address.port : 0
    return sentinel
  }

  get url(): string {
    return `redis+sentinel://127.0.0.1:${this.#port}/p`
  }

  /** Resolves when a client listens for failovers. */
  async listenedTo(): Promise<void> {
    await vi.waitFor(() => expect(this.#listeners.size).toBeGreaterThan(0), { timeout: 5_000, interval: 5 })
  }

  /** Names nobody from now on; resolves when somebody has asked. */
  async hold(): Promise<void> {
    const held: (() => void)[] = []
    this.#held = held
    await vi.waitFor(() => expect(held.length).toBeGreaterThan(0), { timeout: 5_000, interval: 5 })
  }

  /** Tells all that listen of a failover. */
  announce(): void {
    const word = 'p 127.0.0.1 1 127.0.0.1 2'
    for (const socket of this.#listeners) socket.write(`*3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$${word.length}\r\n${word}\r\n`)
  }

  /** Names the primary again, also to those that asked meanwhile. */
  letGo(): void {
    const held = this.#held ?? []
    this.#held = null
    for (const answer of held) answer()
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise(resolve => this.#server.close(resolve))
  }

  #name(answer: () => void): void {
    if (this.#held === null) answer()
    else this.#held.push(answer)
  }
}
