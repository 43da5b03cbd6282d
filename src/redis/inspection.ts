// What a Redis server must be before money is kept in it: recent, in charge, never evicting, not newer than we are. Moves nothing.
import { describeAddress, type RedisAddress } from './address.ts'
import type { Inspection, Reply, Send } from './connection.ts'
import type { PassFence } from './fence.ts'
import { elsewhere, type Fitness, person, refusal, type Unfit, wait } from './fitness.ts'

/** The layout of keys and records that this version reads and writes. */
export const SCHEMA = 1
const OLDEST_MAJOR = 7 // scripts with flags; every Valkey says that it is at least Redis 7.2

/**
 * Inspects the server that `address` led to, step by step: what it is, the layout of what it holds, the fence, which brings the scripts
 * to it. `meta` is the key of the ledger's meta hash.
 */
export function inspection(address: RedisAddress, meta: string, passFence: PassFence): Inspection {
  const name = describeAddress(address)
  return async (send, nodes) => {
    const server = await send('INFO', [])
    if (server.kind !== 'reply') return refused(name, server)
    const fields = infoFields(String(server.value))
    const fitness = judge(name, address.kind, fields)
    if (fitness.kind === 'unfit') return fitness
    if (address.kind === 'cluster') {
      const slots = await send('CLUSTER', ['SLOTS'])
      if (slots.kind !== 'reply') return refused(name, slots)
      nodes.learn(slots.value)
    }
    // In a Cluster this is the question that only the primary of the ledger's slot answers: others say MOVED.
    const stored = await send('HMGET', [meta, 'schema', 'epoch', 'mode', 'was', 'began'])
    if (stored.kind !== 'reply') return refused(name, stored)
    const [schema, epoch, mode, was, began] = stored.value as (string | null)[]
    const recovery = { epoch: epoch ?? '0', was: was ?? '0', began: Number(began ?? 0) }
    const state = { recovery, isRecovering: mode === 'recovering', runId: fields.get('run_id') ?? '' }
    return judgeLayout(name, schema ?? null) ?? (await passFence(name, state, send)) ?? (await markLayout(name, meta, schema ?? null, send))
  }
}

/** The fields of what INFO answers. */
export function infoFields(text: string): ReadonlyMap<string, string> {
  const fields = text.split(/\r?\n/).map(line => line.split(':', 2) as [string, string | undefined])
  return new Map(fields.flatMap(([name, value]) => (value === undefined ? [] : [[name, value.trim()]])))
}

function judge(name: string, kind: RedisAddress['kind'], fields: ReadonlyMap<string, string>): Fitness {
  const version = fields.get('redis_version') ?? 'unknown'
  if (!(Number(version.split('.')[0]) >= OLDEST_MAJOR)) {
    return person(`${name} is version ${version}: Purser needs Redis 7.0 or Valkey 7.2, or newer`)
  }
  const isSentinel = [fields.get('redis_mode'), fields.get('server_mode')].includes('sentinel') // Valkey has its own word for it
  if (isSentinel) return person(`${name} is a Sentinel: write redis+sentinel://HOST:PORT/PRIMARY`)
  const isCluster = fields.get('cluster_enabled') === '1'
  if (isCluster && kind !== 'cluster') return person(`${name} is a node of a Cluster: write redis+cluster://HOST:PORT`)
  if (!isCluster && kind === 'cluster') return person(`${name} is no Cluster: write redis://HOST:PORT`)
  if (fields.get('loading') === '1') return wait(`${name} is still loading its file`)
  if (fields.get('role') !== 'master' && kind !== 'cluster') {
    return elsewhere(`${name} is a replica: money is only kept on a primary`)
  }
  const policy = fields.get('maxmemory_policy') ?? 'unknown'
  if (policy === 'noeviction') return { kind: 'fit' }
  return person(
    `${name} has maxmemory-policy ${policy}, which lets it delete balances: set it with 'redis-cli CONFIG SET maxmemory-policy noeviction', and in redis.conf`,
  )
}

/** The steps below answer null where the next may follow. */
function judgeLayout(name: string, schema: string | null): Fitness | null {
  if (schema === null || Number(schema) <= SCHEMA) return null
  return person(
    `the ledger in ${name} has the layout ${schema}, this Purser knows ${SCHEMA}: it was written by a newer one, run that version`,
  )
}

/**
 * Written again each time: WAIT speaks of what its own connection wrote (in Valkey, and in newer Redis), and so covers what was written
 * before on any other. A server that is full refuses it, and still settles.
 */
async function markLayout(name: string, meta: string, schema: string | null, send: Send): Promise<Fitness> {
  const marked = await send('HSET', [meta, 'schema', `${SCHEMA}`])
  return marked.kind === 'reply' || (marked.kind === 'error' && schema !== null) ? { kind: 'fit' } : refused(name, marked)
}

/** What a reply that is none says of the server. */
export const refused = (name: string, reply: Exclude<Reply, { kind: 'reply' }>): Unfit =>
  reply.kind === 'unavailable' ? wait(reply.why) : refusal(name, reply.message)
