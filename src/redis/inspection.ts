// What a Redis server must be before money is kept in it: recent, a primary, never evicting, not newer than we are. Moves nothing.
import type { Fitness, Inspection, Reply, Send } from './connection.ts'
import { loadScripts, readFence, type Script } from './scripts.ts'

/** The layout of keys and records that this version reads and writes. */
export const SCHEMA = 1
const OLDEST_MAJOR = 7 // scripts with flags

/** Inspects a server and brings the scripts to it. `meta` is the key of the ledger's meta hash. */
export function inspection(name: string, meta: string, scripts: readonly Script[]): Inspection {
  return async send => {
    const server = await send('INFO', [])
    if (server.kind !== 'reply') return refused(name, server)
    const fitness = judge(name, infoFields(String(server.value)))
    if (fitness.kind === 'unfit') return fitness
    return await bringScripts(name, meta, scripts, send)
  }
}

async function bringScripts(name: string, meta: string, scripts: readonly Script[], send: Send): Promise<Fitness> {
  const stored = await send('HMGET', [meta, 'schema', 'epoch'])
  if (stored.kind !== 'reply') return refused(name, stored)
  const [schema, epoch] = stored.value as [string | null, string | null]
  if (schema !== null && !(Number(schema) <= SCHEMA)) {
    return lasting(
      `the ledger in Redis at ${name} has the layout ${schema}, this Purser knows ${SCHEMA}: it was written by a newer one, run that version`,
    )
  }
  const fence = readFence(epoch ?? '0')
  const present = await send('SCRIPT', ['EXISTS', fence.sha])
  if (present.kind !== 'reply') return refused(name, present)
  // Absent, the server may have lost writes: what replicas hold would be asserted again here, before anything else is let in.
  const missing = String((present.value as readonly unknown[])[0]) === '1' ? [] : [fence]
  const failed = await loadScripts(send, [...missing, ...scripts])
  if (failed !== null) return refused(name, failed)
  const marked = schema === null ? await send('HSET', [meta, 'schema', `${SCHEMA}`]) : null
  return marked === null || marked.kind === 'reply' ? { kind: 'fit' } : refused(name, marked)
}

function judge(name: string, fields: ReadonlyMap<string, string>): Fitness {
  const version = fields.get('redis_version') ?? 'unknown'
  if (!(Number(version.split('.')[0]) >= OLDEST_MAJOR)) return lasting(`Redis at ${name} is version ${version}: Purser needs 7.0 or newer`)
  if (fields.get('cluster_enabled') === '1')
    return lasting(`Redis at ${name} is a Cluster, which is not supported yet: use a single server`)
  if (fields.get('loading') === '1') return waiting(`Redis at ${name} is still loading its file`)
  if (fields.get('role') !== 'master') return waiting(`Redis at ${name} is a replica: money is only kept on a primary`)
  const policy = fields.get('maxmemory_policy') ?? 'unknown'
  if (policy === 'noeviction') return { kind: 'fit' }
  return lasting(
    `Redis at ${name} has maxmemory-policy ${policy}, which lets it delete balances: set it with 'redis-cli CONFIG SET maxmemory-policy noeviction', and in redis.conf`,
  )
}

function infoFields(text: string): ReadonlyMap<string, string> {
  const fields = text.split(/\r?\n/).map(line => line.split(':', 2) as [string, string | undefined])
  return new Map(fields.flatMap(([name, value]) => (value === undefined ? [] : [[name, value.trim()]])))
}

const lasting = (why: string): Fitness => ({ kind: 'unfit', why, lasting: true })
const waiting = (why: string): Fitness => ({ kind: 'unfit', why, lasting: false })

function refused(name: string, reply: Exclude<Reply, { kind: 'reply' }>): Fitness {
  if (reply.kind === 'unavailable') return waiting(reply.why)
  const isLasting = /^(NOAUTH|NOPERM|WRONGPASS)\b/.test(reply.message)
  return { kind: 'unfit', why: `Redis at ${name} refuses: ${reply.message}`, lasting: isLasting }
}
