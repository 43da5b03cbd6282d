// A primary with replicas under three real Sentinels, for one test file; gone afterwards.
import { expect, vi } from 'vitest'
import { RedisServer, startAll } from './server.ts'

const NAME = 'purser-primary'
const SENTINELS = 3
/** How long a primary must be silent before the Sentinels count it as down. */
const DOWN_AFTER_MS = 1_000
const SOON = { timeout: 20_000, interval: 100 }

export class Sentinels {
  readonly servers: readonly RedisServer[]
  readonly sentinels: readonly RedisServer[]

  private constructor(servers: readonly RedisServer[], sentinels: readonly RedisServer[]) {
    this.servers = servers
    this.sentinels = sentinels
  }

  /** Resolves when all Sentinels know each other and all replicas follow. */
  static async start(replicas: number): Promise<Sentinels> {
    const primary = await RedisServer.start(REPLICATION)
    const following = [...REPLICATION, '--replicaof', `127.0.0.1 ${primary.port}`]
    const watch = [
      `sentinel monitor ${NAME} 127.0.0.1 ${primary.port} 2`,
      `sentinel down-after-milliseconds ${NAME} ${DOWN_AFTER_MS}`,
      `sentinel failover-timeout ${NAME} 1500`,
    ]
    let others: readonly RedisServer[] = []
    try {
      others = await startAll([
        ...Array.from({ length: replicas }, () => RedisServer.start(following)),
        ...Array.from({ length: SENTINELS }, () => RedisServer.startSentinel(watch)),
      ])
      const group = new Sentinels([primary, ...others.slice(0, replicas)], others.slice(replicas))
      await group.settled()
      return group
    } catch (error) {
      await Promise.all([primary, ...others].map(server => server.stop()))
      throw error
    }
  }

  get url(): string {
    return `redis+sentinel://${this.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${NAME}`
  }

  /** The server that the Sentinels name. */
  async primary(): Promise<RedisServer> {
    const named = (await this.sentinels[0]?.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)) as readonly string[]
    const server = this.servers.find(({ port }) => `${port}` === named[1])
    if (server === undefined) throw new Error(`the Sentinels name a stranger: ${named.join(':')}`)
    return server
  }

  /** The server that they all name, when no failover is under way any more. */
  async agreed(): Promise<RedisServer> {
    await vi.waitFor(() => this.#agree(0), SOON)
    return this.primary()
  }

  /** Has the primary changed in good order. */
  async failOver(): Promise<void> {
    await this.sentinels[0]?.command('SENTINEL', 'FAILOVER', NAME)
  }

  /** Brings back what is dead or stopped, as a replica of the primary; a Sentinel would take ten seconds for it. */
  async heal(): Promise<void> {
    for (const server of this.servers) {
      server.thaw()
      if (!server.isUp) await server.up()
    }
    const primary = await this.agreed()
    for (const server of this.servers) {
      if (server !== primary) await server.command('REPLICAOF', '127.0.0.1', `${primary.port}`)
    }
    await this.settled()
  }

  /** Resolves when every Sentinel sees the others and all replicas, and these follow the primary. */
  async settled(): Promise<void> {
    const replicas = this.servers.length - 1
    await vi.waitFor(async () => {
      await this.#agree(replicas)
      const said = String(await (await this.primary()).command('INFO', 'replication'))
      expect(said.match(/state=online/g)?.length).toBe(replicas)
    }, SOON)
  }

  /** No failover is under way, and all name the same primary, with so many replicas at least. */
  async #agree(replicas: number): Promise<void> {
    const primary = await this.primary()
    for (const sentinel of this.sentinels) {
      const fields = fieldsOf((await sentinel.command('SENTINEL', 'MASTER', NAME)) as readonly string[])
      expect(fields).toMatchObject({ flags: 'master', port: `${primary.port}`, 'num-other-sentinels': `${SENTINELS - 1}` })
      expect(Number(fields['num-slaves'])).toBeGreaterThanOrEqual(replicas)
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.sentinels, ...this.servers].map(server => server.stop()))
  }
}

/** A replica is served at once instead of after five seconds. */
const REPLICATION = ['--repl-diskless-sync-delay', '0']

const fieldsOf = (flat: readonly string[]): Record<string, string> =>
  Object.fromEntries(Array.from({ length: flat.length / 2 }, (_, index) => [flat[2 * index], flat[2 * index + 1]]))
