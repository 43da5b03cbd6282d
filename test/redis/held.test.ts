// A network that keeps a move back for a minute and a half, and delivers it after everybody has gone on: it moves nothing any more.
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Ledger } from '../../src/ports.ts'
import { openRedisLedger } from '../../src/redis/ledger.ts'
import { systemTimer } from '../../src/system.ts'
import { testClock } from '../contract/clock.ts'
import { holder, line, releaseMove, reserveMove, settleMove } from '../contract/moves.ts'
import { Relay } from './relay.ts'
import { RedisServer } from './server.ts'

const HELD_MS = 90_000
const BACK = { timeout: 10_000, interval: 20 }
const LINES = [line('a', 10n), line('b', 3n)]

let server: RedisServer
let relay: Relay
let clock: ReturnType<typeof testClock>
let ledger: Ledger

beforeEach(async () => {
  server = await RedisServer.start()
  relay = await Relay.start(server.port)
  clock = testClock()
  const store = { url: relay.url, name: 'held', clock, timer: systemTimer, streamMax: 1_000, storeClockMs: clock.wallMs }
  ledger = await openRedisLedger(store)
  await ledger.beat(holder(1))
})
afterEach(async () => {
  await ledger.close()
  await relay.stop()
  await server.stop()
})

async function entries(): Promise<readonly string[]> {
  const read = await ledger.entries({ afterSeq: 0, count: 100 })
  return read.kind === 'read' ? read.value.map(({ what }) => what) : []
}

/** The other replicas beat and sweep on, a little at a time. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 3_000) {
    clock.advance(3_000)
    await ledger.beat(holder(1))
    await ledger.sweep()
  }
}

it('a reserve that comes after its time-out, its tombstone and the end of that', async () => {
  relay.hold()
  const move = reserveMove(clock.wallMs(), LINES)
  expect((await ledger.reserve(move)).kind).toBe('unavailable')
  await vi.waitFor(async () => expect((await ledger.release(releaseMove(move, LINES))).kind).toBe('tombstoned'), BACK)
  await pass(HELD_MS)
  const before = await entries()
  expect(before).toEqual(['tombstoned'])
  expect(await relay.deliver()).toBeGreaterThan(100)
  expect(await entries()).toEqual(before)
  expect(await ledger.read(LINES)).toMatchObject({ value: [null, null] })
})

it('a settlement that was repeated meanwhile', async () => {
  const move = reserveMove(clock.wallMs(), LINES)
  await ledger.reserve(move)
  relay.hold()
  const settlement = settleMove(move, LINES, [7n, 2n])
  expect((await ledger.settle(settlement)).kind).toBe('unavailable')
  await vi.waitFor(async () => expect((await ledger.settle(settlement)).kind).toBe('settled'), BACK)
  await pass(HELD_MS)
  expect(await relay.deliver()).toBeGreaterThan(100)
  expect(await entries()).toEqual(['reserved', 'settled'])
  expect(await ledger.read(LINES)).toMatchObject({
    value: [
      { spent: 7n, reserved: 0n },
      { spent: 2n, reserved: 0n },
    ],
  })
})
