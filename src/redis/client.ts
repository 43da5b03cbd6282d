// The client that a connection speaks through: what is used of one, and the real one. It decides nothing by itself.
import { Redis } from 'ioredis'
import type { RedisAddress } from './address.ts'
import { clientOptions, type TlsFiles } from './client-options.ts'
import type { ClusterNodes } from './cluster-nodes.ts'
import { FlatCommand } from './flat-command.ts'

export interface RedisClient {
  /** `ready` while commands may be sent; `end` when it does not connect again by itself. */
  readonly status: string
  on(event: 'ready' | 'close' | 'end', heard: () => void): unknown
  on(event: 'error', heard: (error: Error) => void): unknown
  connect(): Promise<unknown>
  /** `again`: gives up the socket for a new one; otherwise for good. */
  disconnect(again?: boolean): void
  /** Rejects with the server's error, with `Command timed out`, or with a word on its socket. */
  send(name: string, args: readonly string[]): Promise<unknown>
}

interface ClientParts {
  readonly address: RedisAddress
  readonly tls: TlsFiles
  readonly nodes: ClusterNodes
  /** How long it waits before it connects again, ms; asked once a try. */
  readonly delayMs: () => number
}

/** Makes a client that is not connected yet. */
export type OpenClient = (parts: ClientParts) => RedisClient

export const openIoredis: OpenClient = ({ address, tls, nodes, delayMs }) =>
  new Ioredis({ ...clientOptions(address, tls, nodes), retryStrategy: delayMs })

class Ioredis extends Redis implements RedisClient {
  send(name: string, args: readonly string[]): Promise<unknown> {
    return this.sendCommand(new FlatCommand(name, [...args], { replyEncoding: 'utf8' })) as Promise<unknown>
  }
}
