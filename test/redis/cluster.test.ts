// In a Cluster: the contract; and a primary that dies, is replaced or falls silent, and a slot that moves to another node, all while moves flow.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Clock, Ledger } from '../../src/ports.ts'
import { openRedisLedger } from '../../src/redis/ledger.ts'
import { systemTimer } from '../../src/system.ts'
import { ledgerContract } from '../contract/ledger.ts'
import { Cluster } from './cluster.ts'
import { Flow } from './flow.ts'
import { makeRedis } from './make-redis.ts'

const clock: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() }
const KEY = '{purser:moving}:meta'
const SOON = { timeout: 20_000, interval: 10 }

let cluster: Cluster
beforeAll(async () => {
  const start = performance.now()
  cluster = await Cluster.start()
  console.log('start', performance.now() - start)
})
afterAll(async () => cluster?.stop())

const open = (guarded: number): Promise<Ledger> =>
  openRedisLedger({ url: cluster.url, name: 'moving', clock, timer: systemTimer, streamMax: 1_000, guarded })

ledgerContract('Redis Cluster', options => makeRedis(cluster)(options))

describe('the slot of a ledger', () => {
  it('moves', async () => {
    const ledger = await open(0)
    const flow = new Flow(ledger, 'slot')
    await flow.admitted(0)
    const to = await cluster.otherThan(KEY)
    const start = performance.now()
    let n = 0
    await cluster.moveSlot(KEY, to, async () => {
      n++
      await new Promise(resolve => setTimeout(resolve, 5))
    })
    const moved = performance.now()
    const back = await flow.admitted(moved)
    const slowestMs = await flow.stop()
    await flow.holdsTrue(ledger)
    await ledger.close()
    console.log({ n, took: moved - start, back: back - moved, slowestMs })
  })
  it.each(['kill', 'freeze', 'manual'])('%s', async how => {
    for (const node of cluster.nodes) {
      node.thaw()
      if (!node.isUp) await node.up()
    }
    await cluster.settled()
    const [ledger, guarded] = [await open(0), await open(1)]
    const [flow, sure] = [new Flow(ledger, `plain-${how}`), new Flow(guarded, `sure-${how}`)]
    await flow.admitted(0)
    const before = await cluster.ownerOf(KEY)
    const start = performance.now()
    if (how === 'kill') await before.kill()
    if (how === 'freeze') before.freeze()
    if (how === 'manual') {
      for (const node of cluster.nodes) {
        const role = (await node.command('ROLE')) as unknown[]
        if (role[0] === 'slave' && Number(role[2]) === before.port) await node.command('CLUSTER', 'FAILOVER')
      }
    }
    await vi.waitFor(async () => expect(await cluster.ownerOf(KEY).catch(() => before)).not.toBe(before), SOON)
    const newsMs = performance.now()
    const backMs = (await flow.admitted(newsMs)) - newsMs
    const slowestMs = Math.max(await flow.stop(), await sure.stop())
    await sure.holdsTrue(ledger)
    await guarded.close()
    await ledger.close()
    console.log({ how, slowestMs, backMs, news: newsMs - start })
  })
})
