// Under Sentinel: the contract; and a primary that is replaced, dies or falls silent while moves flow: what is refused is refused in time,
// the service is back by itself, and what was admitted when every replica had it is never lost.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Ledger } from '../../src/ports.ts'
import { openRedisLedger } from '../../src/redis/ledger.ts'
import { systemClock, systemTimer } from '../../src/system.ts'
import { ledgerContract } from '../contract/ledger.ts'
import { line, reserveMove } from '../contract/moves.ts'
import { documentedUser, USER } from './documented-user.ts'
import { Flow, isRefused } from './flow.ts'
import { makeRedis } from './make-redis.ts'
import { Sentinels } from './sentinels.ts'
import type { RedisServer } from './server.ts'

const system = { clock: systemClock, timer: systemTimer }
const REPLICAS = 2
const SOON = { timeout: 20_000, interval: 10 }
const BACK_MS = 2_000
const REFUSED_MS = 1_000 // the law says 600: a machine that is busy gets some more

let group: Sentinels
beforeAll(async () => {
  group = await Sentinels.start(REPLICAS)
})
afterAll(async () => group?.stop())

const open = (url: string, guarded = 0): Promise<Ledger> => openRedisLedger({ url, name: 'moving', ...system, streamMax: 1_000, guarded })
const reserve = (ledger: Ledger) => ledger.reserve(reserveMove(Date.now(), [line('a', 1n)]))

ledgerContract('Redis under Sentinel', options => makeRedis(group)(options))

describe('the Sentinels', () => {
  it('may be asked as the user that is documented', async () => {
    for (const sentinel of group.sentinels) await sentinel.command('ACL', 'SETUSER', ...documentedUser('sentinel', ''))
    const login = (password: string): string =>
      `${group.url}?sentinelUser=${USER.username}&sentinelPassword=${encodeURIComponent(password)}`
    const ledger = await open(login(USER.password))
    expect((await reserve(ledger)).kind).toBe('reserved')
    await ledger.close()
    for (const sentinel of group.sentinels) expect(await sentinel.command('ACL', 'LOG')).toEqual([])
    const refused = open(login('wr0ng-guess'))
    await expect(refused).rejects.toThrow('WRONGPASS')
    await expect(refused).rejects.not.toThrow('wr0ng-guess')
  })

  it('need not all be there', async () => {
    const [first] = group.sentinels
    first?.freeze()
    const ledger = await open(group.url)
    expect((await reserve(ledger)).kind).toBe('reserved')
    await ledger.close()
    first?.thaw()
  })

  it('are not to be taken for a server', async () => {
    await expect(open(`redis://127.0.0.1:${group.sentinels[0]?.port}`)).rejects.toThrow('is a Sentinel: write redis+sentinel://')
  })
})

describe('a primary under Sentinel', () => {
  let run = 0
  async function survives(disrupt: (primary: RedisServer) => Promise<void>, { isGone }: { isGone: boolean }): Promise<void> {
    await group.heal()
    const [ledger, guarded] = [await open(group.url), await open(group.url, REPLICAS)]
    const before = await group.primary()
    run += 1
    const [flow, sure] = [new Flow(ledger, `plain-${run}`, { settles: true }), new Flow(guarded, `sure-${run}`)]
    await Promise.all([flow.admitted(0), sure.admitted(0)])
    await disrupt(before)
    const goneMs = performance.now()
    await vi.waitFor(async () => expect(await group.primary()).not.toBe(before), SOON)
    const namedMs = performance.now()
    const backMs = (await flow.admitted(namedMs)) - namedMs
    const slowestMs = Math.max(await flow.stop(), await sure.stop())
    await group.agreed()
    await Promise.all([ledger.close(), guarded.close()])
    const after = await open(group.url)
    await sure.holdsTrue(after)
    await after.close()
    expect(backMs).toBeLessThan(BACK_MS)
    expect(slowestMs).toBeLessThan(REFUSED_MS)
    if (isGone) isRefused(flow, goneMs, namedMs)
  }

  it('may be replaced in good order', async () => {
    await survives(() => group.failOver(), { isGone: false })
  })

  it('may be killed', async () => {
    await survives(primary => primary.kill(), { isGone: true })
  })

  it('may fall silent', async () => {
    await survives(async primary => primary.freeze(), { isGone: true })
  })
})
