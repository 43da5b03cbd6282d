// A real Redis (or Valkey) server for one test file: on a free port, in a folder of its own, gone afterwards. It never touches another server.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'

const START_MS = 10_000
const STARTED = /Ready to accept connections|Sentinel ID is/

export interface ServerOptions {
  readonly program?: 'redis-server' | 'valkey-server'
  readonly isClusterNode?: boolean
  /** PEM files: the server speaks TLS alone, and asks its clients for a certificate that this CA signed. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string }
  /** Beside this process's environment. */
  readonly env?: Readonly<Record<string, string>>
}

export class RedisServer {
  readonly port: number
  /** Where other nodes of a Cluster talk to it. */
  readonly busPort: number
  readonly #program: string
  readonly #folder: string
  readonly #args: readonly string[]
  readonly #tls: NonNullable<ServerOptions['tls']> | null
  readonly #env: Readonly<Record<string, string>>
  #process: ChildProcess | null = null

  private constructor(
    ports: { readonly port: number; readonly busPort: number },
    folder: string,
    args: readonly string[],
    { program = 'redis-server', tls, env = {} }: ServerOptions,
  ) {
    this.port = ports.port
    this.busPort = ports.busPort
    this.#program = serverPath(program)
    this.#folder = folder
    this.#args = args
    this.#tls = tls ?? null
    this.#env = env
  }

  /** Starts a server that answers; `args` are appended to its command line, for instance `['--maxmemory-policy', 'allkeys-lru']`. */
  static start(args: readonly string[] = [], options: ServerOptions = {}): Promise<RedisServer> {
    return RedisServer.#start(options, (port, busPort, folder) => {
      const { tls, isClusterNode = false } = options
      const plain = ['--port', `${tls === undefined ? port : 0}`, '--bind', '127.0.0.1', '--dir', folder, '--save', '']
      const secure =
        tls === undefined
          ? []
          : ['--tls-port', `${port}`, '--tls-ca-cert-file', tls.ca, '--tls-cert-file', tls.cert, '--tls-key-file', tls.key]
      const cluster = isClusterNode ? ['--cluster-enabled', 'yes', '--cluster-port', `${busPort}`] : []
      return [...plain, ...secure, ...cluster, '--maxmemory-policy', 'noeviction', ...args]
    })
  }

  /** Starts a Sentinel with these lines in its configuration, which it rewrites. */
  static startSentinel(lines: readonly string[]): Promise<RedisServer> {
    return RedisServer.#start({}, (port, _, folder) => {
      const file = join(folder, 'sentinel.conf')
      writeFileSync(file, [`port ${port}`, 'bind 127.0.0.1', `dir ${folder}`, ...lines, ''].join('\n'))
      return [file, '--sentinel']
    })
  }

  /** A port that was free may be taken a moment later, by a connection of another server: then others are tried. */
  static async #start(
    options: ServerOptions,
    argsOf: (port: number, busPort: number, folder: string) => readonly string[],
  ): Promise<RedisServer> {
    for (let tries = 1; ; tries++) {
      const [port, busPort, folder] = [await freePort(), await freePort(), mkdtempSync(join(tmpdir(), 'purser-redis-'))]
      const server = new RedisServer({ port, busPort }, folder, argsOf(port, busPort, folder), options)
      try {
        await server.up()
        return server
      } catch (error) {
        await server.stop()
        if (tries === 5 || !/Address already in use|Failed listening/i.test(String(error))) throw error
      }
    }
  }

  /** Null while it is down. */
  get pid(): number | null {
    return this.#process?.pid ?? null
  }

  get url(): string {
    return `redis${this.#tls === null ? '' : 's'}://127.0.0.1:${this.port}`
  }

  get isUp(): boolean {
    return this.#process !== null
  }

  /** Starts it (again), on the same port with the same files. */
  async up(): Promise<void> {
    const child = spawn(this.#program, this.#args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...this.#env } })
    this.#process = child
    await new Promise<void>((resolve, reject) => {
      let said = ''
      const late = setTimeout(() => reject(new Error(`${this.#program} did not start within ${START_MS} ms: ${said}`)), START_MS)
      child.once('error', reject)
      child.once('exit', code => reject(new Error(`${this.#program} ended with ${code}: ${said}`)))
      const listen = (chunk: Buffer): void => {
        said += chunk.toString()
        if (!STARTED.test(said)) return
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
    const tls =
      this.#tls === null ? {} : { tls: { cert: readFileSync(this.#tls.cert), key: readFileSync(this.#tls.key), rejectUnauthorized: false } }
    const redis = new Redis({ port: this.port, host: '127.0.0.1', lazyConnect: true, protocol: 2, retryStrategy: null, ...tls })
    redis.on('error', () => {}) // what went wrong is thrown below
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

/** Starts several at once: all of them, or none is left behind. */
export async function startAll(starting: readonly Promise<RedisServer>[]): Promise<RedisServer[]> {
  const ended = await Promise.allSettled(starting)
  const servers = ended.flatMap(end => (end.status === 'fulfilled' ? [end.value] : []))
  const failed = ended.find(end => end.status === 'rejected')
  if (failed === undefined) return servers
  await Promise.all(servers.map(server => server.stop()))
  throw failed.reason
}

/** Fetched into the user's cache where the machine has none. */
function serverPath(program: 'redis-server' | 'valkey-server'): string {
  const script = join(import.meta.dirname, '../../scripts', program)
  return execFileSync(script, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], timeout: 120_000 }).trim()
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
