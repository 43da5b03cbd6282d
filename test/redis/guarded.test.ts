// The guarded tier on a real primary with a replica: what is admitted is on the replica, and without it nothing is admitted, quickly.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ReserveMove } from '../../src/core/reservation.ts'
import type { Ledger } from '../../src/ports.ts'
import { openRedisLedger } from '../../src/redis/ledger.ts'
import { systemClock, systemTimer } from '../../src/system.ts'
import { line, releaseMove, reserveMove, settleMove } from '../contract/moves.ts'
import { RedisServer } from './server.ts'

const system = { clock: systemClock, timer: systemTimer }
const BACK = { timeout: 5_000, interval: 20 }

describe.each(['redis-server', 'valkey-server'] as const)('guarded, on %s', program => {
  let primary: RedisServer
  let replica: RedisServer
  beforeAll(async () => {
    primary = await RedisServer.start(['--repl-diskless-sync-delay', '0'], { program })
    replica = await RedisServer.start(['--replicaof', `127.0.0.1 ${primary.port}`], { program })
    const ledger = await openRedisLedger({ url: primary.url, name: 'first', ...system, streamMax: 1_000, guarded: 1 })
    await vi.waitFor(async () => expect((await ledger.reserve(reserveMove(Date.now(), [line('a', 1n)]))).kind).toBe('reserved'), BACK)
    await ledger.close()
  })
  afterAll(async () => {
    await replica?.stop()
    await primary?.stop()
  })

  describe('a guarded ledger', () => {
    let ledger: Ledger
    let opened = 0
    const lines = [line('a', 1n, { limit: 1_000_000n })]
    /** The same again where the replica took longer: a machine may be busy. */
    const admitted = (move: ReserveMove) =>
      vi.waitFor(async () => expect(['reserved', 'exists']).toContain((await ledger.reserve(move)).kind), BACK)
    const open = (guarded: number): Promise<Ledger> =>
      openRedisLedger({ url: primary.url, name: `guarded-${opened}`, ...system, streamMax: 1_000, guarded })

    beforeEach(async () => {
      opened += 1
      ledger = await open(1)
    })
    afterEach(async () => {
      replica.thaw()
      await ledger.close()
    })

    it('has on the replica what it admits, at the moment when it says so', async () => {
      let count = 0
      for (let round = 0; round < 20; round++) {
        const moves = Array.from({ length: 20 }, () => reserveMove(Date.now(), lines))
        await Promise.all(
          moves.map(async move => {
            if ((await ledger.reserve(move)).kind !== 'reserved') return // a busy machine may take its replica longer than is waited for
            count += 1
            // A replica applies what it has acknowledged before it answers another client.
            expect(await replica.command('EXISTS', `{purser:guarded-${opened}}:r:${move.id}`)).toBe(1)
          }),
        )
      }
      expect(count).toBeGreaterThan(0)
    })

    it('admits nothing while the replica says nothing, quickly, and goes on when it is back', async () => {
      const settled = reserveMove(Date.now(), lines)
      await admitted(settled)
      replica.freeze()
      const moves = Array.from({ length: 200 }, () => reserveMove(Date.now(), lines))
      const start = performance.now()
      for (const outcome of await Promise.all(moves.map(move => ledger.reserve(move)))) {
        expect(outcome).toMatchObject({ kind: 'unavailable', why: expect.stringMatching(/replicas of Redis/) })
      }
      expect(performance.now() - start).toBeLessThan(600)
      // What needs no replica goes on.
      expect((await ledger.settle(settleMove(settled, lines, [1n]))).kind).toBe('settled')
      replica.thaw()
      await admitted(reserveMove(Date.now(), lines))
      for (const move of moves) expect(['released', 'tombstoned']).toContain((await ledger.release(releaseMove(move, lines))).kind)
      expect(await ledger.read(lines)).toMatchObject({ value: [{ reserved: 1n, spent: 1n }] })
    })

    it('does not take the word of a new connection for what was written on another', async () => {
      const move = reserveMove(Date.now(), lines)
      const plain = await open(0)
      replica.freeze()
      expect((await plain.reserve(move)).kind).toBe('reserved')
      await plain.close()
      const other = await open(1)
      expect((await other.reserve(move)).kind).toBe('unavailable') // it exists, and the replica has not said that it has it
      replica.thaw()
      await vi.waitFor(async () => expect(await other.reserve(move)).toMatchObject({ kind: 'exists', open: true }), BACK)
      await other.close()
    })

    it('says how many are missing', async () => {
      const strict = await open(2)
      expect(await strict.reserve(reserveMove(Date.now(), lines))).toEqual({
        kind: 'unavailable',
        why: expect.stringMatching(/^[01] of 2 replicas of Redis had the reservation within 100 ms$/),
      })
      await strict.close()
    })
  })

  it('a primary that wants more replicas than follow it admits nothing', async () => {
    const ledger = await openRedisLedger({ url: primary.url, name: 'wanting', ...system, streamMax: 1_000 })
    expect((await ledger.reserve(reserveMove(Date.now(), [line('a', 1n)]))).kind).toBe('reserved')
    await primary.command('CONFIG', 'SET', 'min-replicas-to-write', '2')
    expect(await ledger.reserve(reserveMove(Date.now(), [line('a', 1n)]))).toMatchObject({
      kind: 'unavailable',
      why: expect.stringContaining('NOREPLICAS'),
    })
    await primary.command('CONFIG', 'SET', 'min-replicas-to-write', '1')
    expect((await ledger.reserve(reserveMove(Date.now(), [line('a', 1n)]))).kind).toBe('reserved')
    await ledger.close()
  })
})
