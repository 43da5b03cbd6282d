// What happens when the server goes, stalls, forgets or must not be used: every move ends in bounded time, and nothing is lost or doubled.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ReserveOutcome } from '../../src/core/reservation.ts'
import type { Clock, Ledger } from '../../src/ports.ts'
import { openRedisLedger } from '../../src/redis/ledger.ts'
import { systemTimer } from '../../src/system.ts'
import { holder, LIFETIME, line, mintId, releaseMove, reserveMove, settleMove } from '../contract/moves.ts'
import { FakeSentinel } from './fake-sentinel.ts'
import { Relay } from './relay.ts'
import { freePort, RedisServer } from './server.ts'

const clock: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() }
const open = (url: string, name = 'failures'): Promise<Ledger> =>
  openRedisLedger({ url, name, clock, timer: systemTimer, streamMax: 1_000 })
const BACK = { timeout: 5_000, interval: 20 }

let server: RedisServer
let ledger: Ledger
beforeEach(async () => {
  server = await RedisServer.start(['--appendonly', 'yes', '--appendfsync', 'always', '--enable-debug-command', 'yes'])
  ledger = await open(server.url)
})
afterEach(async () => {
  await ledger.close()
  await server.stop()
})

const reserve = (amount: bigint): Promise<ReserveOutcome> => ledger.reserve(reserveMove(Date.now(), [line('a', amount)]))
const balance = async () => {
  const read = await ledger.read([line('a', 0n)])
  return read.kind === 'read' ? read.value[0] : read
}
async function timed<T>(promise: Promise<T>): Promise<{ outcome: T; ms: number }> {
  const start = performance.now()
  const outcome = await promise
  return { outcome, ms: performance.now() - start }
}

describe('a server that is gone', () => {
  it('is unavailable within 50 ms, and used again with all it knew when it is back', async () => {
    expect(await reserve(10n)).toMatchObject({ kind: 'reserved' })
    await server.kill()
    await vi.waitFor(async () => expect((await reserve(1n)).kind).toBe('unavailable'), BACK)
    for (let i = 0; i < 20; i++) {
      const { outcome, ms } = await timed(reserve(1n))
      expect(outcome).toMatchObject({ kind: 'unavailable', why: expect.stringContaining(`127.0.0.1:${server.port}`) })
      expect(ms).toBeLessThan(50)
    }
    const settled = await ledger.settle(settleMove({ id: mintId(Date.now()), holder: holder(1) }, [line('a', 1n)], [1n]))
    expect(settled.kind).toBe('unavailable')
    await server.up()
    await vi.waitFor(async () => expect(await reserve(5n)).toMatchObject({ kind: 'reserved', balances: [{ reserved: 15n }] }), BACK)
  })

  it('ends what is under way at once', async () => {
    server.freeze()
    const underWay = Array.from({ length: 100 }, () => timed(reserve(1n)))
    const start = performance.now()
    await server.kill()
    const ended = await Promise.all(underWay)
    expect(performance.now() - start).toBeLessThan(200) // the bound of 50 ms, and the time that the kill takes
    for (const { outcome } of ended) expect(outcome.kind).toBe('unavailable')
  })
})

describe('a server that stalls', () => {
  it('is unavailable within 600 ms, then at once, and used again when it answers', async () => {
    expect(await reserve(10n)).toMatchObject({ kind: 'reserved' })
    server.freeze()
    const moves = Array.from({ length: 200 }, () => reserveMove(Date.now(), [line('a', 1n)]))
    const ended = await Promise.all(moves.map(move => timed(ledger.reserve(move))))
    for (const { outcome, ms } of ended) {
      expect(outcome.kind).toBe('unavailable')
      expect(ms).toBeLessThan(600)
    }
    const refused = await timed(reserve(1n))
    expect(refused.outcome.kind).toBe('unavailable')
    expect(refused.ms).toBeLessThan(50)
    server.thaw()
    await vi.waitFor(async () => expect((await reserve(1n)).kind).toBe('reserved'), BACK)
    // Those that timed out may have run late: their release gives back what they took, or keeps them from being admitted.
    for (const move of moves) {
      const released = await ledger.release(releaseMove(move, [line('a', 1n)]))
      expect(['released', 'tombstoned']).toContain(released.kind)
    }
    expect(await balance()).toMatchObject({ reserved: 11n, spent: 0n })
  })

  it('bounds settlements alike', async () => {
    const move = reserveMove(Date.now(), [line('a', 10n)])
    await ledger.reserve(move)
    server.freeze()
    const { outcome, ms } = await timed(ledger.settle(settleMove(move, [line('a', 10n)], [7n])))
    expect(outcome.kind).toBe('unavailable')
    expect(ms).toBeLessThan(600)
    server.thaw()
    const again = async () => ledger.settle(settleMove(move, [line('a', 10n)], [7n]))
    await vi.waitFor(async () => expect(['settled', 'already-settled']).toContain((await again()).kind), BACK)
    expect(await balance()).toMatchObject({ reserved: 0n, spent: 7n })
  })

  it('gives up a socket that stays silent, for a new one', async () => {
    const relay = await Relay.start(server.port)
    const relayed = await open(relay.url)
    try {
      const moves = Array.from({ length: 3 }, () => reserveMove(Date.now(), [line('b', 1n)]))
      relay.deafen()
      const [first, ...others] = moves
      expect((await relayed.reserve(first ?? reserveMove(Date.now(), []))).kind).toBe('unavailable')
      await vi.waitFor(async () => {
        for (const move of others) expect(['reserved', 'exists']).toContain((await relayed.reserve(move)).kind)
      }, BACK)
    } finally {
      await relayed.close()
      await relay.stop()
    }
  })
})

describe('a server under Sentinel', () => {
  it('is found again where news of a failover come while a connection is being made', async () => {
    const sentinel = await FakeSentinel.start(server.port)
    const led = await open(sentinel.url)
    await sentinel.listenedTo()
    const asked = sentinel.hold()
    await server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await asked
    sentinel.announce()
    sentinel.letGo()
    await vi.waitFor(async () => expect((await led.reserve(reserveMove(Date.now(), [line('a', 1n)]))).kind).toBe('reserved'), BACK)
    await led.close()
    await sentinel.stop()
  })
})

describe('a server that forgets', () => {
  it('gets its scripts again after SCRIPT FLUSH, also under load', async () => {
    await server.command('SCRIPT', 'FLUSH')
    expect(await reserve(10n)).toMatchObject({ kind: 'reserved' })
    const racing = Array.from({ length: 100 }, () => reserve(1n))
    await server.command('SCRIPT', 'FLUSH')
    for (const outcome of await Promise.all(racing)) expect(outcome.kind).toBe('reserved')
    expect(await balance()).toMatchObject({ reserved: 110n })
  })

  it('is refused when it comes back as one that evicts, and used when that is mended', async () => {
    await server.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
    await server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await vi.waitFor(async () => {
      expect(await reserve(1n)).toMatchObject({ kind: 'unavailable', why: expect.stringContaining('allkeys-lru') })
    }, BACK)
    await server.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
    await vi.waitFor(async () => expect((await reserve(1n)).kind).toBe('reserved'), BACK)
  })
})

describe('a server that is full', () => {
  it('admits nothing more, and still settles', async () => {
    const move = reserveMove(Date.now(), [line('a', 10n)])
    await ledger.reserve(move)
    await server.command('CONFIG', 'SET', 'maxmemory', '1')
    expect(await reserve(1n)).toMatchObject({ kind: 'unavailable', why: expect.stringContaining('OOM') })
    expect((await ledger.settle(settleMove(move, [line('a', 10n)], [7n]))).kind).toBe('settled')
    expect(await balance()).toMatchObject({ reserved: 0n, spent: 7n })
  })
})

describe('at start', () => {
  it.each(['allkeys-lru', 'volatile-ttl'])('refuses a server with maxmemory-policy %s', async policy => {
    await server.command('CONFIG', 'SET', 'maxmemory-policy', policy)
    await expect(open(server.url)).rejects.toThrow(/maxmemory-policy \S+, which lets it delete balances: .*noeviction/)
  })

  it('refuses a ledger of a newer layout', async () => {
    await server.command('HSET', '{purser:newer}:meta', 'schema', '99')
    await expect(open(server.url, 'newer')).rejects.toThrow('written by a newer one')
  })

  it('refuses a replica, for money is kept on a primary', async () => {
    await server.command('REPLICAOF', '127.0.0.1', '1')
    await expect(open(server.url)).rejects.toThrow('is a replica')
  })

  it('says where nobody listens, and never a password', async () => {
    const port = await freePort()
    const failing = open(`redis://someone:s3cret@127.0.0.1:${port}`)
    await expect(failing).rejects.toThrow(`127.0.0.1:${port}`)
    await expect(failing).rejects.not.toThrow('s3cret')
  })

  it('refuses a wrong password at once, in a sentence', async () => {
    await server.command('CONFIG', 'SET', 'requirepass', 'right')
    const { ms } = await timed(expect(open(server.url.replace('://', '://:wr0ng@'))).rejects.toThrow(/cannot be used: WRONGPASS/))
    expect(ms).toBeLessThan(2_000)
    const admitted = await open(server.url.replace('://', '://:right@'))
    await admitted.close()
  })

  it('waits for a server that is loading', async () => {
    const relay = await Relay.start(server.port)
    relay.load()
    const opening = open(relay.url)
    await relay.asked(2)
    relay.loaded()
    const opened = await opening
    expect((await opened.reserve(reserveMove(Date.now(), [line('a', 1n)]))).kind).toBe('reserved')
    await opened.close()
    await relay.stop()
  })

  it.each([
    ['', 'begins with none'],
    ['http://127.0.0.1', 'begins with none'],
    ['redis://', 'names no host'],
    ['redis://127.0.0.1/zero', 'number of a database'],
    ['redis://127.0.0.1?x=1', 'not known'],
    ['redis://%zz:x@127.0.0.1', 'percent-encoded'],
  ])('refuses the address %j', async (url, why) => {
    await expect(open(url)).rejects.toThrow(why)
  })

  it.each(['', 'a b', 'a}b', 'x'.repeat(65)])('refuses the name %j', async name => {
    await expect(open(server.url, name)).rejects.toThrow('the name of a ledger')
  })
})

describe('several on one server', () => {
  it('two processes race 1,000 reserves at one limit: exactly what fits is admitted', async () => {
    const other = await open(server.url)
    const lines = [line('race', 3n, { limit: 1_000n }), line('wide', 1n, { limit: 100_000n })]
    const outcomes = await Promise.all(
      Array.from({ length: 1_000 }, (_, index) => (index % 2 === 0 ? ledger : other).reserve(reserveMove(Date.now(), lines))),
    )
    expect(outcomes.filter(({ kind }) => kind === 'reserved')).toHaveLength(333)
    expect(outcomes.filter(({ kind }) => kind === 'refused')).toHaveLength(667)
    const read = await ledger.read(lines)
    expect(read).toMatchObject({ value: [{ reserved: 999n, available: 1n }, { reserved: 333n }] })
    await other.close()
  })

  it('two ledgers of different names know nothing of each other', async () => {
    const other = await open(server.url, 'other')
    await reserve(10n)
    expect(await other.read([{ key: line('a', 0n).key, window: LIFETIME }])).toMatchObject({ kind: 'read', value: [null] })
    await other.close()
  })
})
