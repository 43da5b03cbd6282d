// Clocks that err before a real Redis, whose own clock is turned while it runs: across the end of a month, an hour ahead and back.
import { performance } from 'node:perf_hooks'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Line, ReserveOutcome } from '../../src/core/reservation.ts'
import { type Window, windowAt } from '../../src/core/window.ts'
import { CLOCK_SKEW_MS } from '../../src/limits.ts'
import type { Clock, Ledger } from '../../src/ports.ts'
import { openRedisLedger } from '../../src/redis/ledger.ts'
import { systemTimer } from '../../src/system.ts'
import {
  adjustMove,
  HOUR,
  holder,
  line,
  MINUTE,
  observeMove,
  releaseMove,
  reserveMove,
  SECOND,
  settleMove,
  sliding,
} from '../contract/moves.ts'
import { FakeClock } from './fake-clock.ts'
import { RedisServer } from './server.ts'

/** Some months from now, so that no run of this suite comes near a real month's end. */
const MONTH_END = Date.UTC(new Date().getUTCFullYear() + 1, 5, 1)
const monthOf = (ms: number): Window => windowAt({ kind: 'calendar', period: 'Month', timeZone: 'UTC', anchorDay: 1 }, ms)
const [OLD, NEW] = [monthOf(MONTH_END - 1), monthOf(MONTH_END)]

let storeClock: FakeClock
let server: RedisServer
let callersAheadMs: number
/** The callers' clock: the store's, before either is turned. */
const clock: Clock = { wallMs: () => Date.now() + callersAheadMs, monotonicMs: () => performance.now() }
let ledger: Ledger
let made = 0

beforeAll(async () => {
  storeClock = new FakeClock(0)
  server = await RedisServer.start([], { env: storeClock.env })
})
afterAll(async () => {
  const { pid } = server
  await server.stop()
  storeClock.remove([pid])
})

/** Sets both clocks to so long before the end of the month. */
const goTo = (beforeEndMs: number): void => {
  callersAheadMs = Math.floor((MONTH_END - beforeEndMs - Date.now()) / SECOND) * SECOND
  storeClock.set(callersAheadMs)
}

beforeEach(async () => {
  goTo(HOUR / 2)
  made += 1
  ledger = await openRedisLedger({ url: server.url, name: `clock-${made}`, clock, timer: systemTimer, streamMax: 1_000 })
})
afterEach(async () => ledger.close())

const inMonth = (window: Window, amount: bigint): Line => line('m', amount, { window })
const reserve = (lines: readonly Line[]): Promise<ReserveOutcome> =>
  ledger.reserve(reserveMove(clock.wallMs(), lines, { notAfterMs: clock.wallMs() + 2 * HOUR }))

async function admit(lines: readonly Line[]) {
  const move = reserveMove(clock.wallMs(), lines)
  expect(await ledger.reserve(move)).toMatchObject({ kind: 'reserved' })
  return move
}

/** Every key of the installation, with all that it holds. */
async function allKeys(): Promise<Record<string, unknown>> {
  const names = ((await server.command('KEYS', `{purser:clock-${made}}*`)) as string[]).sort()
  return Object.fromEntries(await Promise.all(names.map(async name => [name, await contents(name)])))
}

async function contents(name: string): Promise<unknown> {
  expect(await server.command('TTL', name), `${name} does not expire`).toBe(-1)
  const type = String(await server.command('TYPE', name))
  if (type === 'hash') return ((await server.command('HGETALL', name)) as string[]).join(' ')
  if (type === 'zset') return server.command('ZRANGE', name, '0', '-1', 'WITHSCORES')
  if (type === 'stream') return server.command('XRANGE', name, '-', '+')
  return server.command('GET', name)
}

const amountsOf = async (window: Window) => {
  const read = await ledger.read([inMonth(window, 0n)])
  if (read.kind !== 'read') throw new Error(`a read answered ${read.kind}`)
  const [balance] = read.value
  return balance == null ? null : { reserved: balance.reserved, spent: balance.spent }
}

it('the clock of the server is turned, and only that', async () => {
  const seconds = async (): Promise<number> => Number(((await server.command('TIME')) as string[])[0])
  const before = await seconds()
  storeClock.turn(HOUR)
  expect(Math.abs((await seconds()) - before - 3_600)).toBeLessThan(60)
  storeClock.turn(-HOUR)
  expect(Math.abs((await seconds()) - before)).toBeLessThan(60)
})

const turned: Record<string, (ms: number) => void> = {
  'the clock of the store': ms => storeClock.turn(ms),
  'the clock of a replica': ms => {
    callersAheadMs += ms
  },
}

describe.each(Object.keys(turned))('%s', whose => {
  const turn = turned[whose] ?? (() => {})

  it('an hour ahead, in the next month, and back: refused, no key touched, and served with the first call', async () => {
    const lines = [inMonth(OLD, 300n), line('s', 5n, { window: sliding(MINUTE) }), line('l', 5n)]
    const open = await admit(lines)
    const settled = await admit(lines)
    await ledger.settle(settleMove(settled, lines, [100n, 5n, 5n]))
    const before = await allKeys()
    expect(Object.keys(before).length).toBeGreaterThan(8)

    turn(HOUR)
    const isSkewed = { kind: 'clock-skew', storeMs: expect.any(Number) }
    for (const window of [OLD, NEW]) expect(await reserve([inMonth(window, 1n)])).toEqual(isSkewed)
    const batch = await Promise.all(Array.from({ length: 50 }, () => reserve([inMonth(OLD, 1n)])))
    expect(new Set(batch.map(outcome => outcome.kind))).toEqual(new Set(['clock-skew']))
    expect(await ledger.settle(settleMove(open, lines, [1n, 1n, 1n]))).toEqual(isSkewed)
    expect(await ledger.release(releaseMove(open, lines))).toEqual(isSkewed)
    expect(await ledger.observe(observeMove(open.holder, [open, [1n, 1n, 1n]]))).toEqual(isSkewed)
    expect(await ledger.adjust(adjustMove(open, 1n))).toEqual(isSkewed)
    expect(await ledger.acknowledge(1)).toEqual(isSkewed)
    expect(await ledger.beat(holder(1))).toEqual(isSkewed)
    expect(await ledger.sweep()).toEqual(isSkewed)
    expect(await allKeys()).toEqual(before)

    turn(-HOUR)
    expect(await reserve([inMonth(OLD, 600n)])).toMatchObject({ kind: 'reserved', balances: [{ available: 0n }] })
    expect(await ledger.sweep()).toMatchObject({ kind: 'swept', expired: 0, collected: 0 })
    expect(await ledger.settle(settleMove(open, lines, [300n, 5n, 5n]))).toMatchObject({ kind: 'settled' })
    expect([await amountsOf(OLD), await amountsOf(NEW)]).toEqual([{ reserved: 600n, spent: 400n }, null])
    expect(Object.keys(await allKeys())).toEqual(expect.arrayContaining(Object.keys(before)))
  })
})

it('the store behind, back in the month that ended: its mark keeps it in the new one for a minute, then it refuses', async () => {
  goTo(4 * SECOND)
  await admit([inMonth(OLD, 100n)])
  await vi.waitFor(async () => expect(await reserve([inMonth(OLD, 1n)])).toMatchObject({ kind: 'window-stale' }), { timeout: 20_000 })
  await admit([inMonth(NEW, 700n)])
  storeClock.turn(-HOUR)
  expect(await reserve([inMonth(OLD, 1n)])).toMatchObject({ kind: 'window-stale' })
  expect(await reserve([inMonth(NEW, 301n)])).toMatchObject({ kind: 'refused' })
  await admit([inMonth(NEW, 100n)])
  callersAheadMs += CLOCK_SKEW_MS + SECOND
  const before = await allKeys()
  for (const window of [OLD, NEW]) expect(await reserve([inMonth(window, 1n)])).toMatchObject({ kind: 'clock-skew' })
  expect(await allKeys()).toEqual(before)
  storeClock.turn(HOUR + CLOCK_SKEW_MS + SECOND)
  expect(await reserve([inMonth(OLD, 1n)])).toMatchObject({ kind: 'window-stale' })
  await admit([inMonth(NEW, 200n)])
  expect(await amountsOf(NEW)).toEqual({ reserved: 1_000n, spent: 0n })
  expect(((await amountsOf(OLD))?.reserved ?? 0n) >= 100n).toBe(true)
})

it('both an hour ahead and back: the month that began stays begun, and goes on when the clocks come to its mark', async () => {
  await admit([inMonth(OLD, 100n)])
  for (const turn of Object.values(turned)) turn(HOUR)
  await admit([inMonth(NEW, 700n)])
  for (const turn of Object.values(turned)) turn(-HOUR)
  const before = await allKeys()
  for (const window of [OLD, NEW]) expect(await reserve([inMonth(window, 1n)])).toMatchObject({ kind: 'clock-skew' })
  expect(await allKeys()).toEqual(before)
  for (const turn of Object.values(turned)) turn(HOUR - MINUTE / 2)
  expect(await reserve([inMonth(OLD, 1n)])).toMatchObject({ kind: 'window-stale' })
  expect(await reserve([inMonth(NEW, 301n)])).toMatchObject({ kind: 'refused', lines: [{ balance: { available: 300n } }] })
  await admit([inMonth(NEW, 300n)])
})
