// What a server must be, by what it says of itself; and that each step of an inspection waits for the one before it.
import { describe, expect, it } from 'vitest'
import { parseRedisUrl } from '../../src/redis/address.ts'
import { ClusterNodes } from '../../src/redis/cluster-nodes.ts'
import type { Reply, Send } from '../../src/redis/connection.ts'
import type { LedgerState, PassFence } from '../../src/redis/fence.ts'
import { wait } from '../../src/redis/fitness.ts'
import { inspection } from '../../src/redis/inspection.ts'

const SINGLE = 'redis://one:1'
const GOOD = {
  redis_version: '7.0.15',
  redis_mode: 'standalone',
  cluster_enabled: '0',
  role: 'master',
  loading: '0',
  maxmemory_policy: 'noeviction',
}

interface Says {
  readonly fields?: Readonly<Record<string, string>>
  readonly replies?: Readonly<Record<string, Reply>>
  readonly fence?: ReturnType<typeof wait>
}

/** Inspects a server that says this; answers what was found, and what was sent. */
async function inspected(url: string, { fields = {}, replies = {}, fence }: Says) {
  const sent: string[] = []
  let state: LedgerState | null = null
  const said = Object.entries({ ...GOOD, ...fields }).map(([name, value]) => `${name}:${value}`)
  const usual: Readonly<Record<string, unknown>> = {
    INFO: `# Server\r\n${said.join('\r\n')}\r\n`,
    'CLUSTER SLOTS': [],
    HMGET: [null, null, null, null, null],
  }
  const send: Send = async (name, args) => {
    const words = name === 'CLUSTER' ? `${name} ${args[0]}` : name
    sent.push(words)
    return replies[words] ?? { kind: 'reply', value: usual[words] ?? 'OK' }
  }
  const passFence: PassFence = async (_, found) => {
    sent.push('the fence')
    state = found
    return fence ?? null
  }
  const fitness = await inspection(parseRedisUrl(url), '{t}:meta', passFence)(send, new ClusterNodes([]))
  return { fitness, sent, state }
}

describe('a server is fit', () => {
  it.each([
    ['Redis 7.0', SINGLE, {}],
    ['Redis 8', SINGLE, { redis_version: '8.8.0' }],
    ['Valkey 7.2', SINGLE, { redis_version: '7.2.4', server_name: 'valkey', valkey_version: '7.2.11' }],
    ['a node of a Cluster', 'redis+cluster://one:1', { cluster_enabled: '1' }],
    ['a primary under Sentinel', 'redis+sentinel://one:1/p', {}],
  ])('%s', async (_, url, fields) => {
    expect((await inspected(url, { fields })).fitness).toEqual({ kind: 'fit' })
  })
})

describe('a server is not fit', () => {
  it.each([
    ['too old', SINGLE, { redis_version: '6.2.14' }, 'person', 'is version 6.2.14: Purser needs Redis 7.0 or Valkey 7.2'],
    ['a Sentinel', SINGLE, { redis_mode: 'sentinel' }, 'person', 'write redis+sentinel://HOST:PORT/PRIMARY'],
    ['a Sentinel of Valkey', SINGLE, { server_mode: 'sentinel' }, 'person', 'write redis+sentinel://HOST:PORT/PRIMARY'],
    ['a node of a Cluster', SINGLE, { cluster_enabled: '1' }, 'person', 'write redis+cluster://HOST:PORT'],
    ['a Cluster under Sentinel', 'redis+sentinel://one:1/p', { cluster_enabled: '1' }, 'person', 'write redis+cluster://HOST:PORT'],
    ['no Cluster', 'redis+cluster://one:1', {}, 'person', 'write redis://HOST:PORT'],
    ['evicting', SINGLE, { maxmemory_policy: 'allkeys-lru' }, 'person', 'has maxmemory-policy allkeys-lru'],
    ['silent about evicting', SINGLE, { maxmemory_policy: '' }, 'person', 'has maxmemory-policy'],
    ['loading', SINGLE, { loading: '1' }, 'wait', 'still loading'],
    ['a replica', SINGLE, { role: 'slave' }, 'elsewhere', 'is a replica'],
    ['a replica under Sentinel', 'redis+sentinel://one:1/p', { role: 'slave' }, 'elsewhere', 'is a replica'],
  ])('that is %s', async (_, url, fields, until, why) => {
    const { fitness, sent } = await inspected(url, { fields })
    expect(fitness).toMatchObject({ kind: 'unfit', until, why: expect.stringContaining(why) })
    expect(sent).toEqual(['INFO'])
  })

  it.each<[string, string, Reply, string]>([
    ['INFO', SINGLE, { kind: 'error', message: "NOPERM User purser has no permissions to run the 'info' command" }, 'person'],
    ['INFO', SINGLE, { kind: 'unavailable', why: 'it is silent' }, 'wait'],
    ['CLUSTER SLOTS', 'redis+cluster://one:1', { kind: 'error', message: 'NOPERM' }, 'person'],
    ['HMGET', 'redis+cluster://one:1', { kind: 'error', message: 'MOVED 1 two:2' }, 'elsewhere'],
    ['HMGET', 'redis+cluster://one:1', { kind: 'error', message: 'CLUSTERDOWN The cluster is down' }, 'elsewhere'],
    ['HMGET', 'redis+cluster://one:1', { kind: 'error', message: 'ASK 1 two:2' }, 'wait'],
    ['HMGET', SINGLE, { kind: 'reply', value: ['2', null, null, null, null] }, 'person'],
    ['HSET', SINGLE, { kind: 'error', message: 'OOM command not allowed' }, 'wait'],
  ])('where %s is refused, and nothing more is sent', async (command, url, reply, until) => {
    const fields = url === SINGLE ? {} : { cluster_enabled: '1' }
    const { fitness, sent } = await inspected(url, { fields, replies: { [command]: reply } })
    expect(fitness).toMatchObject({ kind: 'unfit', until })
    expect(sent.at(-1)).toBe(command)
  })
})

describe('an inspection', () => {
  it('comes to the fence with what the ledger says of itself, and marks the layout last', async () => {
    const { sent, state } = await inspected(SINGLE, {
      replies: { HMGET: { kind: 'reply', value: ['1', '7', 'recovering', '6', '1790000000000'] } },
    })
    expect(sent).toEqual(['INFO', 'HMGET', 'the fence', 'HSET'])
    expect(state).toEqual({ recovery: { epoch: '7', was: '6', began: 1_790_000_000_000 }, isRecovering: true, runId: expect.any(String) })
  })

  it('ends at a fence that does not let it pass', async () => {
    const { fitness, sent } = await inspected(SINGLE, { fence: wait('it is being recovered') })
    expect(fitness).toEqual(wait('it is being recovered'))
    expect(sent).toEqual(['INFO', 'HMGET', 'the fence'])
  })

  it('takes a full server that has the ledger already: it still settles', async () => {
    const replies: Says['replies'] = {
      HMGET: { kind: 'reply', value: ['1', '0', null, null, null] },
      HSET: { kind: 'error', message: 'OOM' },
    }
    expect((await inspected(SINGLE, { replies })).fitness).toEqual({ kind: 'fit' })
  })
})

describe('the nodes of a Cluster', () => {
  const seeds = [
    { host: 'one', port: 1 },
    { host: 'two', port: 2 },
  ]
  const taken = (nodes: ClusterNodes, times: number) => Array.from({ length: times }, () => nodes.next().host)

  it('are called in turn, those that were learnt too', () => {
    const nodes = new ClusterNodes(seeds)
    nodes.learn([['0', '9', ['two', '2', 'id'], ['three', '3', 'id']], ['10', '19', [null, '4'], ['', '5'], ['?', '6']], 'odd', ['1']])
    expect(taken(nodes, 4)).toEqual(['one', 'two', 'three', 'one'])
  })

  it('lead to the one that was named, once', () => {
    const nodes = new ClusterNodes(seeds)
    nodes.next()
    nodes.moved('MOVED 3999 fd00::1:6381')
    expect(nodes.next()).toEqual({ host: 'fd00::1', port: 6381 })
    expect(nodes.next()).toEqual(seeds[1])
  })

  it('name none where a node says only its port: it is on the same host', () => {
    const nodes = new ClusterNodes(seeds)
    nodes.next()
    nodes.moved('MOVED 3999 :6381')
    expect(nodes.next()).toEqual({ host: 'one', port: 6381 })
  })

  it('are not led by what names nothing', () => {
    const nodes = new ClusterNodes(seeds)
    nodes.next()
    for (const message of ['', 'READONLY', 'CLUSTERDOWN Hash slot not served']) nodes.moved(message)
    expect(taken(nodes, 2)).toEqual(['two', 'one'])
  })
})
