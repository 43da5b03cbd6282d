// Every option of the Redis client, spelt out for each kind of address: no default of the client decides anything. It connects to nothing.
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { type ConnectionOptions, createSecureContext } from 'node:tls'
import type { RedisOptions } from 'ioredis'
import { LEDGER_TIMEOUT_MS } from '../limits.ts'
import type { RedisAddress } from './address.ts'
import { type ClusterNodes, connectorTo } from './cluster-nodes.ts'

/** PEM files; null for none. They are read anew for every connection: certificates are renewed while we run. */
export interface TlsFiles {
  readonly ca: string | null
  readonly cert: string | null
  readonly key: string | null
}

export const RECONNECT_MS = 250
const CONNECT_MS = 500 // a host that is gone without a word costs this much before the next is tried
const DISCONNECT_MS = 100 // a socket that is given up is not waited for
const SENTINEL_AGAIN_MS = 1_000 // until a Sentinel that stopped telling of failovers is listened to again

type ClientOptions = RedisOptions & { replyMapping: 'legacy' }

/** Made for money: nothing waits for a connection, nothing is sent twice behind our back, every command ends. */
export function clientOptions(address: RedisAddress, files: TlsFiles, nodes: ClusterNodes): ClientOptions {
  const tls = (host: string | null): ConnectionOptions => tlsOptions(files, host)
  switch (address.kind) {
    case 'single':
      return { ...common(address), ...address.node, db: address.db, ...(address.tls ? { tls: tls(address.node.host) } : {}) }
    case 'cluster':
      // The connector makes the socket; `tls` says here only that it is ready when it is secure.
      return {
        ...common(address),
        db: 0,
        Connector: connectorTo(nodes, DISCONNECT_MS, address.tls ? tls : null),
        ...(address.tls ? { tls: {} } : {}),
      }
    case 'sentinel':
      return {
        ...common(address),
        db: address.db,
        name: address.primary,
        role: 'master',
        sentinels: [...address.sentinels],
        ...(address.sentinelUsername === null ? {} : { sentinelUsername: address.sentinelUsername }),
        ...(address.sentinelPassword === null ? {} : { sentinelPassword: address.sentinelPassword }),
        sentinelCommandTimeout: LEDGER_TIMEOUT_MS,
        sentinelRetryStrategy: () => RECONNECT_MS,
        sentinelReconnectStrategy: () => SENTINEL_AGAIN_MS,
        sentinelMaxConnections: 10,
        updateSentinels: true,
        failoverDetector: true, // an old primary may live on, cut off from everything but us
        enableTLSForSentinelMode: address.tls,
        ...(address.tls ? { tls: tls(null), sentinelTLS: tls(null) } : {}),
      }
  }
}

/** @throws Error naming the file that cannot be read or used. */
export function checkTlsFiles(files: TlsFiles): void {
  const { ca, cert, key } = tlsOptions(files, null)
  try {
    createSecureContext({ ca, cert, key })
  } catch (fault) {
    const names = Object.values(files).filter(name => name !== null)
    throw new Error(`the TLS files ${names.join(', ')} of the ledger cannot be used: ${fault instanceof Error ? fault.message : fault}`)
  }
}

function common(address: RedisAddress): ClientOptions {
  return {
    family: 0,
    ...(address.username === null ? {} : { username: address.username }),
    ...(address.password === null ? {} : { password: address.password }),
    protocol: 2, // scripts answer the same in both, and 2 needs no greeting
    replyMapping: 'legacy',
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    disconnectTimeout: DISCONNECT_MS,
    commandTimeout: LEDGER_TIMEOUT_MS,
    reconnectOnError: null, // the connection sees for itself which errors mean another server
    maxRetriesPerRequest: 0, // a lost socket ends what was under way on it at once
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    enableAutoPipelining: false,
    enableReadyCheck: false, // the inspection sees for itself whether the server is loading
    keepAlive: 10_000,
    noDelay: true,
    connectionName: 'purser',
    disableClientInfo: true,
    readOnly: false,
    stringNumbers: true,
  }
}

function tlsOptions(files: TlsFiles, host: string | null): ConnectionOptions {
  return {
    get ca() {
      return pem(files.ca, 'CA')
    },
    get cert() {
      return pem(files.cert, 'certificate')
    },
    get key() {
      return pem(files.key, 'key')
    },
    rejectUnauthorized: true, // and so is the name in the certificate held to the host's
    minVersion: 'TLSv1.2',
    ...(host === null || isIP(host) !== 0 ? {} : { servername: host }),
  }
}

function pem(path: string | null, what: string): Buffer | undefined {
  try {
    return path === null ? undefined : readFileSync(path)
  } catch (fault) {
    throw new Error(`cannot read the TLS ${what} of the ledger, ${path}: ${fault instanceof Error ? fault.message : fault}`)
  }
}
