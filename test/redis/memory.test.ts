// The alarm on a server's memory, on a real server: once when it passes the mark, and again only after it was below.
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { MEMORY_ALARM_RATIO, MEMORY_WATCH_MS } from '../../src/limits.ts'
import type { Ledger, Timer } from '../../src/ports.ts'
import { openRedisLedger } from '../../src/redis/ledger.ts'
import { systemClock, systemTimer } from '../../src/system.ts'
import { line, reserveMove } from '../contract/moves.ts'
import { RedisServer } from './server.ts'

/** Those that wait for the next look go when they are told to. */
let waiting: (() => void)[] = []
const timer: Timer = {
  after: (ms, run) => {
    if (ms !== MEMORY_WATCH_MS) return systemTimer.after(ms, run)
    waiting.push(run)
    return () => {}
  },
}
const nextLook = (): void => {
  const due = waiting
  waiting = []
  for (const run of due) run()
}
const SOON = { timeout: 5_000, interval: 10 }

let server: RedisServer
let ledger: Ledger | null
const fault = vi.fn()
const ledgerMemory = vi.fn()
beforeEach(async () => {
  server = await RedisServer.start()
  ledger = null
  waiting = []
})
afterEach(async () => {
  vi.clearAllMocks()
  await ledger?.close()
  await server.stop()
})

const open = () =>
  openRedisLedger({ url: server.url, name: 'memory', clock: systemClock, timer, streamMax: 100, telemetry: { fault, ledgerMemory } })
/** As if so much of the memory were used: what is used is what it is, so its bound is moved. */
async function used(ratio: number): Promise<void> {
  const bytes = /used_memory:(\d+)/.exec(String(await server.command('INFO', 'memory')))?.[1]
  await server.command('CONFIG', 'SET', 'maxmemory', `${Math.round(Number(bytes) / ratio)}`)
}
async function looked(): Promise<number> {
  ledgerMemory.mockClear()
  nextLook()
  return vi.waitFor(() => {
    expect(ledgerMemory).toHaveBeenCalledOnce()
    return Number(ledgerMemory.mock.calls[0]?.[0])
  }, SOON)
}

it('tells how full it is, and complains once each time that it passes the mark', async () => {
  await server.command('CONFIG', 'SET', 'maxmemory', '1gb')
  ledger = await open()
  await vi.waitFor(() => expect(ledgerMemory).toHaveBeenCalledOnce(), SOON)
  await used(0.5)
  expect(await looked()).toBeCloseTo(0.5, 0)
  expect(fault).not.toHaveBeenCalled()
  for (const crossing of [1, 2]) {
    await used(0.95)
    for (let look = 0; look < 3; look++) expect(await looked()).toBeGreaterThan(MEMORY_ALARM_RATIO)
    expect(fault).toHaveBeenCalledTimes(crossing)
    expect(fault).toHaveBeenLastCalledWith(expect.stringContaining('nearly full'), {
      usedBytes: expect.any(Number),
      maxBytes: expect.any(Number),
    })
    await used(0.5)
    expect(await looked()).toBeLessThan(MEMORY_ALARM_RATIO)
  }
})

it('stops the use of a server that is told to evict while it is in use', async () => {
  ledger = await open()
  const using = ledger
  const reserve = () => using.reserve(reserveMove(Date.now(), [line('a', 1n)]))
  expect((await reserve()).kind).toBe('reserved')
  await server.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
  nextLook()
  await vi.waitFor(async () => {
    expect(await reserve()).toMatchObject({ kind: 'unavailable', why: expect.stringContaining('allkeys-lru') })
  }, SOON)
  await server.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
  await vi.waitFor(async () => expect((await reserve()).kind).toBe('reserved'), SOON)
})

it('is silent where there is no bound, where the server is away, and after the end', async () => {
  ledger = await open()
  await server.command('CONFIG', 'SET', 'maxmemory', '0')
  nextLook()
  await used(0.95)
  await server.kill()
  nextLook()
  await ledger.close()
  nextLook()
  expect(waiting).toEqual([])
  expect(ledgerMemory).not.toHaveBeenCalled()
  expect(fault).not.toHaveBeenCalled()
})
