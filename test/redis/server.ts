// A real Redis server for one test file: on a free port, in a folder of its own, gone afterwards. It never touches another server.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'

const SCRIPT = join(import.meta.dirname, '../../scripts/redis-server')
const START_MS = 10_000

/** The path of a redis-server; fetched into the user's cache where the machine has none. */
export function redisServerPath(): string {
  return execFileSync(SCRIPT, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], timeout: 120_000 }).trim()
}

export class RedisServer {
  readonly port: number
  readonly #folder: string
  readonly #args: readonly string[]
  #process: ChildProcess | null = null

  private constructor(port: number, folder: string, args: readonly string[]) {
    this.port = port
    this.#folder = folder
    this.#args = args
  }

  /** Starts a server that answers; `args` are appended to its command line, for instance `['--maxmemory-policy', 'allkeys-lru']`. */
  static async start(args: readonly string[] = []): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), mkdtempSync(join(tmpdir(), 'purser-redis-')), args)
    await server.up()
    return server
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** Starts it (again), on the same port with the same files. */
  async up(): Promise<void> {
    const fixed = ['--port', `${this.port}`, '--bind', '127.0.0.1', '--dir', this.#folder, '--save', '', '--maxmemory-policy', 'noeviction']
    const child = spawn(redisServerPath(), [...fixed, ...this.#args], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process = child
    await new Promise<void>((resolve, reject) => {
      let said = ''
      const late = setTimeout(() => reject(new Error(`redis-server did not start within ${START_MS} ms: ${said}`)), START_MS)
      child.once('error', reject)
      child.once('exit', code => reject(new Error(`redis-server ended with ${code}: ${said}`)))
      const listen = (chunk: Buffer): void => {
        said += chunk.toString()
        if (!said.includes('Ready to accept connections')) return
        clearTimeout(late)
        resolve()
      }
      child.stdout?.on('data', listen)
      child.stderr?.on('data', listen)
    })
    child.removeAllListeners('exit')
  }

  /** kill -9, as a crash: resolves when the process is gone. */
  async kill(): Promise<void> {
    const child = this.#process
    if (child === null) return
    this.#process = null
    const gone = new Promise<void>(resolve => child.once('exit', () => resolve()))
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGCONT')
    child.kill('SIGKILL')
    await gone
  }

  /** Answers nothing and keeps every connection, until {@link thaw}. */
  freeze(): void {
    this.#process?.kill('SIGSTOP')
  }

  thaw(): void {
    this.#process?.kill('SIGCONT')
  }

  /** One command on a connection of its own. */
  async command(name: string, ...args: string[]): Promise<unknown> {
    const redis = new Redis({ port: this.port, host: '127.0.0.1', lazyConnect: true, protocol: 2 })
    try {
      await redis.connect()
      return await redis.call(name, ...args)
    } finally {
      redis.disconnect()
    }
  }

  async stop(): Promise<void> {
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => (typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port'))))
    })
  })
}
