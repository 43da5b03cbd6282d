// Under Sentinel: the contract; and a primary that is replaced, dies or falls silent while moves flow: what is refused is refused in time,
// the service is back by itself, and what was admitted when every replica had it is never lost.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Clock, Ledger } from '../../src/ports.ts'
import { openRedisLedger } from '../../src/redis/ledger.ts'
import { systemTimer } from '../../src/system.ts'
import { ledgerContract } from '../contract/ledger.ts'
import { Flow } from './flow.ts'
import { makeRedis } from './make-redis.ts'
import { Sentinels } from './sentinels.ts'
import type { RedisServer } from './server.ts'

const clock: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() }
const REPLICAS = 2
const SOON = { timeout: 20_000, interval: 10 }

let group: Sentinels
beforeAll(async () => {
  group = await Sentinels.start(REPLICAS)
})
afterAll(async () => group?.stop())

const open = (guarded: number): Promise<Ledger> =>
  openRedisLedger({ url: group.url, name: 'moving', clock, timer: systemTimer, streamMax: 1_000, guarded })

ledgerContract('Redis under Sentinel', options => makeRedis(group)(options))

describe('a primary under Sentinel', () => {
  let run = 0
  async function survives(disrupt: (primary: RedisServer) => Promise<void>): Promise<void> {
    await group.heal()
    const [ledger, guarded] = [await open(0), await open(REPLICAS)]
    const before = await group.primary()
    run += 1
    const [flow, sure] = [new Flow(ledger, `plain-${run}`), new Flow(guarded, `sure-${run}`)]
    await flow.admitted(0)
    await sure.admitted(0)
    await disrupt(before)
    const start = performance.now()
    await vi.waitFor(async () => expect(await group.primary()).not.toBe(before), SOON)
    const newsMs = performance.now()
    const backMs = (await flow.admitted(newsMs)) - newsMs
    const slowestMs = Math.max(await flow.stop(), await sure.stop())
    await group.agreed()
    await ledger.close()
    await guarded.close()
    const after = await open(0)
    await sure.holdsTrue(after)
    await after.close()
    console.log({ slowestMs, backMs, news: newsMs - start })
  }

  it('that is replaced in good order', async () => {
    await survives(() => group.failOver())
  })

  it('that is killed', async () => {
    await survives(primary => primary.kill())
  })

  it('that falls silent, and comes to itself when another has its place', async () => {
    await survives(async primary => primary.freeze())
  })
})
