// The address of a Redis server and every option of its client, spelt out: no default of the client decides anything. It connects to nothing.
import type { RedisOptions } from 'ioredis'
import { LEDGER_TIMEOUT_MS } from '../limits.ts'

export interface RedisAddress {
  readonly host: string
  readonly port: number
  readonly username: string | null
  readonly password: string | null
  readonly db: number
  readonly tls: boolean
}

const CONNECT_MS = 1_000
const RECONNECT_MS = 250

/**
 * Reads `redis://[user[:password]@]host[:port][/db]`, or `rediss:` for TLS.
 * @throws Error that says what is wrong; the text is not repeated, it may hold a password.
 */
export function parseRedisUrl(text: string): RedisAddress {
  const wrong = (what: string): Error => new Error(`the address of Redis ${what}; it is written redis://[user:password@]host[:port][/db]`)
  if (!URL.canParse(text)) throw wrong('is not a URL')
  const url = new URL(text)
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') throw wrong('begins with neither redis: nor rediss:')
  if (url.hostname === '') throw wrong('names no host')
  if (url.search !== '' || url.hash !== '') throw wrong('has parts that are not known (? or #)')
  const db = /^\/?$/.test(url.pathname) ? '0' : (/^\/(\d{1,4})$/.exec(url.pathname)?.[1] ?? null)
  if (db === null) throw wrong('has a path that is not the number of a database')
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 6379 : Number(url.port),
    username: decoded(url.username),
    password: decoded(url.password),
    db: Number(db),
    tls: url.protocol === 'rediss:',
  }

  function decoded(part: string): string | null {
    try {
      return part === '' ? null : decodeURIComponent(part)
    } catch {
      throw wrong('has a user or password that is not percent-encoded')
    }
  }
}

/** Made for money: nothing waits for a connection, nothing is sent twice behind our back, every command ends. */
export function redisOptions(address: RedisAddress): RedisOptions & { replyMapping: 'legacy' } {
  return {
    host: address.host,
    port: address.port,
    family: 0,
    ...(address.username === null ? {} : { username: address.username }),
    ...(address.password === null ? {} : { password: address.password }),
    ...(address.tls ? { tls: {} } : {}),
    db: address.db,
    protocol: 2, // scripts answer the same in both, and 2 needs no greeting
    replyMapping: 'legacy',
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    disconnectTimeout: CONNECT_MS,
    commandTimeout: LEDGER_TIMEOUT_MS,
    retryStrategy: times => Math.min(20 * times, RECONNECT_MS),
    reconnectOnError: error => (error.message.startsWith('READONLY') ? 1 : false), // the name leads to a new primary
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
