// The nodes of a Redis Cluster, and which of them to call next. All keys of a ledger share one slot, so one socket to that slot's primary is
// all it takes: whoever else is called says MOVED. A redirect is a new connection, because every server is inspected before it is used.
import { createConnection, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { AbstractConnector } from 'ioredis'
import { nodeText, type RedisNode } from './address.ts'

const LEARNED_MAX = 64 // more nodes than any other view of a Cluster needs, to find one that lives

export class ClusterNodes {
  readonly #seeds: readonly RedisNode[]
  #learned: readonly RedisNode[] = []
  #pointedAt: RedisNode | null = null
  #last: RedisNode | null = null
  #turn = 0

  constructor(seeds: readonly RedisNode[]) {
    this.#seeds = seeds
  }

  /** The node that was named last, else every known one in turn. */
  next(): RedisNode {
    const known = this.#known()
    const node = this.#pointedAt ?? known[this.#turn++ % known.length]
    if (node === undefined) throw new Error('a Cluster has a node')
    this.#pointedAt = null
    this.#last = node
    return node
  }

  /** Takes the node that `MOVED 3999 127.0.0.1:6381` names; one without a host is on that of the node that said it. */
  moved(message: string): void {
    const [, host, port] = /^MOVED \d+ (.*):(\d{1,5})\b/.exec(message) ?? []
    if (host === undefined || this.#last === null) return
    this.#pointedAt = { host: isHost(host) ? host : this.#last.host, port: Number(port) }
  }

  /** Takes the answer of CLUSTER SLOTS: a Cluster outlives the nodes that its address names. */
  learn(slots: unknown): void {
    const ranges = Array.isArray(slots) ? (slots as unknown[]) : []
    const nodes = ranges.flatMap(range => (Array.isArray(range) ? (range.slice(2) as unknown[]) : []))
    const found = nodes.flatMap(node => {
      const [host, port] = Array.isArray(node) ? (node as unknown[]) : []
      return typeof host === 'string' && isHost(host) ? [{ host, port: Number(port) }] : []
    })
    this.#learned = found.slice(0, LEARNED_MAX)
  }

  #known(): readonly RedisNode[] {
    const all = [...this.#seeds, ...this.#learned]
    return [...new Map(all.map(node => [nodeText(node), node])).values()]
  }
}

/** A connector of the client that asks `nodes` where to go, each time anew. */
export function connectorTo(
  nodes: ClusterNodes,
  disconnectMs: number,
  tls: ((host: string) => ConnectionOptions) | null,
): new () => AbstractConnector {
  return class extends AbstractConnector {
    constructor() {
      super(disconnectMs)
    }

    override async connect(): Promise<Socket> {
      this.connecting = true
      const { host, port } = nodes.next()
      const stream = tls === null ? createConnection({ host, port }) : connectTls({ ...tls(host), host, port })
      stream.once('error', error => {
        this.firstError = error
      })
      this.stream = stream
      return stream
    }
  }
}

/** A node may not know its own address, or be told to say none. */
const isHost = (text: string): boolean => text !== '' && text !== '?'
