// A real Cluster of three primaries and a replica each, for one test file; gone afterwards. It can lose nodes and move slots.
import { expect, vi } from 'vitest'
import { freePort, RedisServer, type ServerOptions } from './server.ts'

const PRIMARIES = 3
const SLOTS = 16_384
/** How long a node must be silent before the others count it as failed. */
export const NODE_TIMEOUT_MS = 1_000
const SOON = { timeout: 20_000, interval: 50 }

export class Cluster {
  readonly nodes: readonly RedisServer[]

  private constructor(nodes: readonly RedisServer[]) {
    this.nodes = nodes
  }

  /** Resolves when every node knows all others, all slots are served and all replicas follow. */
  static async start(options: ServerOptions = {}): Promise<Cluster> {
    const nodes = await Promise.all(
      Array.from({ length: 2 * PRIMARIES }, async (_, index) => {
        const bus = await freePort()
        const node = await RedisServer.start([...FIXED, '--cluster-port', `${bus}`], options)
        await node.command('CLUSTER', 'SET-CONFIG-EPOCH', `${index + 1}`)
        return { node, bus }
      }),
    )
    const cluster = new Cluster(nodes.map(({ node }) => node))
    const [first, ...others] = nodes
    for (const { node } of others) await node.command('CLUSTER', 'MEET', '127.0.0.1', `${first?.node.port}`, `${first?.bus}`)
    for (const [index, node] of cluster.nodes.slice(0, PRIMARIES).entries()) {
      const from = Math.floor((index * SLOTS) / PRIMARIES)
      await node.command('CLUSTER', 'ADDSLOTSRANGE', `${from}`, `${Math.floor(((index + 1) * SLOTS) / PRIMARIES) - 1}`)
    }
    await cluster.#all(async node => expect(await node.command('CLUSTER', 'INFO')).toContain(`cluster_known_nodes:${2 * PRIMARIES}`))
    for (const [index, node] of cluster.nodes.slice(PRIMARIES).entries()) {
      await node.command('CLUSTER', 'REPLICATE', String(await cluster.nodes[index]?.command('CLUSTER', 'MYID')))
    }
    await cluster.settled()
    return cluster
  }

  get url(): string {
    return `redis+cluster://${this.nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`
  }

  /** Resolves when all nodes that live agree that all is well, and every replica follows. */
  async settled(): Promise<void> {
    await this.#all(async node => {
      expect(await node.command('CLUSTER', 'INFO')).toContain('cluster_state:ok')
      const said = String(await node.command('INFO', 'replication'))
      expect(said).toMatch(/role:master|master_link_status:up/)
    })
  }

  /** The primary that serves a key, as the first other node that answers sees it. */
  async ownerOf(key: string): Promise<RedisServer> {
    for (const node of this.nodes) {
      const ranges = await node.command('CLUSTER', 'SLOTS').catch(() => null)
      if (!Array.isArray(ranges)) continue
      const slot = Number(await node.command('CLUSTER', 'KEYSLOT', key))
      const range = ranges.find(([from, to]) => Number(from) <= slot && slot <= Number(to))
      const owner = this.nodes.find(({ port }) => port === Number(range?.[2]?.[1]))
      if (owner !== undefined) return owner
    }
    throw new Error('no node of the Cluster answers')
  }

  /** Another primary than the one that serves the key. */
  async otherThan(key: string): Promise<RedisServer> {
    const owner = await this.ownerOf(key)
    for (const node of this.nodes) {
      if (node !== owner && String(await node.command('ROLE')).startsWith('master')) return node
    }
    throw new Error('there is one primary only')
  }

  /** Moves the slot of a key, key by key, as resharding does; `pause` comes between any two of its steps. */
  async moveSlot(key: string, to: RedisServer, pause: () => Promise<void>): Promise<void> {
    const from = await this.ownerOf(key)
    const slot = String(await from.command('CLUSTER', 'KEYSLOT', key))
    const [fromId, toId] = [String(await from.command('CLUSTER', 'MYID')), String(await to.command('CLUSTER', 'MYID'))]
    await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId)
    await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId)
    await pause()
    for (;;) {
      const keys = (await from.command('CLUSTER', 'GETKEYSINSLOT', slot, '4')) as readonly string[]
      if (keys.length === 0) break
      await from.command('MIGRATE', '127.0.0.1', `${to.port}`, '', '0', '5000', 'KEYS', ...keys)
      await pause()
    }
    for (const node of [to, from]) await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', toId)
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map(node => node.stop()))
  }

  async #all(holds: (node: RedisServer) => Promise<void>): Promise<void> {
    await vi.waitFor(async () => {
      await Promise.all(this.nodes.filter(node => node.isUp).map(holds))
    }, SOON)
  }
}

const FIXED = [
  ...['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf', '--cluster-node-timeout', `${NODE_TIMEOUT_MS}`],
  ...['--repl-diskless-sync-delay', '0'],
]
