// A real Cluster of three primaries and a replica each, for one test file; gone afterwards. It can lose nodes and move slots.
import { expect, vi } from 'vitest'
import { RedisServer, type ServerOptions, startAll } from './server.ts'

const PRIMARIES = 3
const SLOTS = 16_384
/** How long a node must be silent before the others count it as failed. */
const NODE_TIMEOUT_MS = 1_000
const SOON = { timeout: 20_000, interval: 50 }

export class Cluster {
  readonly nodes: readonly RedisServer[]

  private constructor(nodes: readonly RedisServer[]) {
    this.nodes = nodes
  }

  /** Resolves when every node knows all others, all slots are served and all replicas follow. */
  static async start(options: ServerOptions = {}): Promise<Cluster> {
    const starting = Array.from({ length: 2 * PRIMARIES }, () => RedisServer.start(FIXED, { ...options, isClusterNode: true }))
    const cluster = new Cluster(await startAll(starting))
    try {
      await cluster.#create()
      return cluster
    } catch (error) {
      await cluster.stop()
      throw error
    }
  }

  get url(): string {
    return `redis+cluster://${this.nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`
  }

  /** Brings back what is dead or stopped. */
  async heal(): Promise<void> {
    for (const node of this.nodes) {
      node.thaw()
      if (!node.isUp) await node.up()
    }
    await this.settled()
  }

  /** Resolves when all nodes that live agree that all is well, and every replica follows. */
  async settled(): Promise<void> {
    await this.#all(async node => {
      expect(await node.command('CLUSTER', 'INFO')).toContain('cluster_state:ok')
      const said = String(await node.command('INFO', 'replication'))
      expect(said).toMatch(/role:master|master_link_status:up/)
    })
  }

  /** The primary that serves a key, as the first node that answers sees it. */
  async ownerOf(key: string): Promise<RedisServer> {
    return (await this.#serving(key))[0]
  }

  async replicaOf(key: string): Promise<RedisServer> {
    return (await this.#serving(key))[1]
  }

  async #serving(key: string): Promise<[RedisServer, RedisServer]> {
    for (const node of this.nodes) {
      const ranges = await within(500, node.command('CLUSTER', 'SLOTS'))
      if (!Array.isArray(ranges)) continue
      const slot = Number(await node.command('CLUSTER', 'KEYSLOT', key))
      const range = (ranges as [number, number, ...[string, number][]][]).find(([from, to]) => from <= slot && slot <= to)
      const [owner, replica] = (range?.slice(2) ?? []).map(at => this.nodes.find(({ port }) => Array.isArray(at) && port === at[1]))
      return [owner ?? node, replica ?? node]
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

  async #create(): Promise<void> {
    const [first] = this.nodes
    for (const [index, node] of this.nodes.entries()) {
      await node.command('CLUSTER', 'SET-CONFIG-EPOCH', `${index + 1}`)
      if (node !== first) await first?.command('CLUSTER', 'MEET', '127.0.0.1', `${node.port}`, `${node.busPort}`)
    }
    const [primaries, replicas] = [this.nodes.slice(0, PRIMARIES), this.nodes.slice(PRIMARIES)]
    for (const [index, node] of primaries.entries()) {
      const [from, end] = [index, index + 1].map(at => Math.floor((at * SLOTS) / PRIMARIES))
      await node.command('CLUSTER', 'ADDSLOTSRANGE', `${from}`, `${Number(end) - 1}`)
    }
    await this.#all(async node => expect(await node.command('CLUSTER', 'INFO')).toContain(`cluster_known_nodes:${2 * PRIMARIES}`))
    for (const [index, node] of replicas.entries()) {
      await node.command('CLUSTER', 'REPLICATE', String(await primaries[index]?.command('CLUSTER', 'MYID')))
    }
    await this.settled()
  }

  async #all(holds: (node: RedisServer) => Promise<void>): Promise<void> {
    await vi.waitFor(async () => {
      await Promise.all(this.nodes.filter(node => node.isUp).map(holds))
    }, SOON)
  }
}

/** Null where it fails, or takes longer. */
const within = (ms: number, answer: Promise<unknown>): Promise<unknown> =>
  Promise.race([answer.catch(() => null), new Promise(resolve => setTimeout(resolve, ms, null))])

const FIXED = [
  ...['--cluster-config-file', 'nodes.conf', '--cluster-node-timeout', `${NODE_TIMEOUT_MS}`],
  ...['--repl-diskless-sync-delay', '0'],
]
