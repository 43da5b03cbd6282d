// In a Cluster: the contract; and a primary that dies, falls silent or is replaced, and a slot that moves to another node, all while moves
// flow: no answer beyond `unavailable`, given in time, every outcome true, and the service back by itself.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Ledger } from '../../src/ports.ts'
import { openRedisLedger } from '../../src/redis/ledger.ts'
import { systemClock, systemTimer } from '../../src/system.ts'
import { ledgerContract } from '../contract/ledger.ts'
import { line, reserveMove } from '../contract/moves.ts'
import { Cluster } from './cluster.ts'
import { Flow, isRefused } from './flow.ts'
import { makeRedis } from './make-redis.ts'
import type { RedisServer } from './server.ts'

const system = { clock: systemClock, timer: systemTimer }
const KEY = '{purser:moving}:meta'
const SOON = { timeout: 20_000, interval: 10 }
const BACK_MS = 2_000
const REFUSED_MS = 1_000 // the law says 600: a machine that is busy gets some more

let cluster: Cluster
beforeAll(async () => {
  cluster = await Cluster.start()
})
afterAll(async () => cluster?.stop())

const open = (url: string, guarded = 0): Promise<Ledger> => openRedisLedger({ url, name: 'moving', ...system, streamMax: 1_000, guarded })
const pause = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 5))

ledgerContract('Redis Cluster', options => makeRedis(cluster)(options))

describe('an address', () => {
  it('of any one node is enough', async () => {
    const owner = await cluster.ownerOf(KEY)
    for (const node of cluster.nodes) {
      const ledger = await open(`redis+cluster://127.0.0.1:${node.port}`)
      expect((await ledger.reserve(reserveMove(Date.now(), [line('a', 1n)]))).kind, `by ${node.port} to ${owner.port}`).toBe('reserved')
      await ledger.close()
    }
  })

  it('of a node as of a single server is refused, with the form to use', async () => {
    await expect(open(`redis://127.0.0.1:${cluster.nodes[0]?.port}`)).rejects.toThrow('is a node of a Cluster: write redis+cluster://')
  })
})

describe('the slot of a ledger', () => {
  it('may move to another node and back, key by key', async () => {
    const ledger = await open(cluster.url)
    const flow = new Flow(ledger, 'slot', { settles: true })
    await flow.admitted(0)
    const home = await cluster.ownerOf(KEY)
    for (const to of [await cluster.otherThan(KEY), home]) {
      await cluster.moveSlot(KEY, to, pause)
      const movedMs = performance.now()
      expect((await flow.admitted(movedMs)) - movedMs).toBeLessThan(BACK_MS)
    }
    expect(await flow.stop()).toBeLessThan(REFUSED_MS)
    await flow.holdsTrue(ledger)
    await ledger.close()
  })
})

describe('a primary in a Cluster', () => {
  /** Its only replica has all that was admitted under the guard. */
  async function survives(disrupt: (primary: RedisServer) => Promise<void>, name: string): Promise<void> {
    await cluster.heal()
    const [ledger, guarded] = [await open(cluster.url), await open(cluster.url, 1)]
    const [flow, sure] = [new Flow(ledger, `plain-${name}`, { settles: true }), new Flow(guarded, `sure-${name}`)]
    await Promise.all([flow.admitted(0), sure.admitted(0)])
    const before = await cluster.ownerOf(KEY)
    await disrupt(before)
    const goneMs = performance.now()
    await vi.waitFor(async () => expect(await cluster.ownerOf(KEY)).not.toBe(before), SOON)
    const namedMs = performance.now()
    const backMs = (await flow.admitted(namedMs)) - namedMs
    const slowestMs = Math.max(await flow.stop(), await sure.stop())
    await sure.holdsTrue(ledger)
    await Promise.all([ledger.close(), guarded.close()])
    expect(backMs).toBeLessThan(BACK_MS)
    expect(slowestMs).toBeLessThan(REFUSED_MS)
    if (name !== 'replaced') isRefused(flow, goneMs, namedMs)
  }

  it('may be replaced in good order', async () => {
    await survives(async () => (await cluster.replicaOf(KEY)).command('CLUSTER', 'FAILOVER').then(() => {}), 'replaced')
  })

  it('may be killed', async () => {
    await survives(primary => primary.kill(), 'killed')
  })

  it('may fall silent', async () => {
    await survives(async primary => primary.freeze(), 'silent')
  })
})

it('a slot of Valkey moves at once, and nothing is lost on the way', async () => {
  const valkey = await Cluster.start({ program: 'valkey-server' })
  try {
    const ledger = await open(valkey.url)
    const flow = new Flow(ledger, 'valkey', { settles: true })
    await flow.admitted(0)
    const [from, to] = [await valkey.ownerOf(KEY), await valkey.otherThan(KEY)]
    const slot = String(await from.command('CLUSTER', 'KEYSLOT', KEY))
    await from.command('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', slot, slot, 'NODE', String(await to.command('CLUSTER', 'MYID')))
    await vi.waitFor(async () => expect(await valkey.ownerOf(KEY)).toBe(to), SOON)
    const movedMs = performance.now()
    expect((await flow.admitted(movedMs)) - movedMs).toBeLessThan(BACK_MS)
    await flow.stop()
    await flow.holdsTrue(ledger)
    await ledger.close()
  } finally {
    await valkey.stop()
  }
})
