import { describe, expect, it, vi } from 'vitest'
import type { LedgerFault, SettleMove, SettleOutcome } from '../../src/core/reservation.ts'
import { createSettler } from '../../src/enforcer/settle.ts'
import { createStoreTime } from '../../src/enforcer/store-time.ts'
import { OUTBOX_MAX, RETAIN_PROVEN_MS } from '../../src/limits.ts'
import type { Ledger } from '../../src/ports.ts'
import { systemTimer } from '../../src/system.ts'
import { silentTelemetry } from './silent-telemetry.ts'

const clock = { wallMs: () => 1_000_000, monotonicMs: () => performance.now() }
const move = (id: string): SettleMove => ({
  id: id as SettleMove['id'],
  holder: 'h' as SettleMove['holder'],
  lines: [],
  amounts: [],
  proven: true,
  how: 'exact',
})
const AWAY: LedgerFault = { kind: 'unavailable', why: 'test' }
const SETTLED: SettleOutcome = { kind: 'settled', storeMs: 1_000_000 }

function settlerOver(settle: (id: string) => SettleOutcome) {
  const seen: string[] = []
  const ledger = {
    settle: async (given: SettleMove) => {
      seen.push(given.id)
      return settle(given.id)
    },
  } as unknown as Ledger
  const telemetry = silentTelemetry()
  return { seen, telemetry, settler: createSettler({ ledger, time: createStoreTime(clock), telemetry, timer: systemTimer }) }
}

describe('the outbox', () => {
  it('tries again, in order and ever more slowly, until the ledger answers', async () => {
    vi.useFakeTimers()
    let away = true
    const { seen, settler } = settlerOver(() => (away ? AWAY : SETTLED))
    settler.settle(move('a'))
    settler.settle(move('b'))
    await vi.advanceTimersByTimeAsync(30_000)
    expect(settler.pending()).toBe(2)
    expect(seen.length).toBeGreaterThan(8)
    expect(seen.length).toBeLessThan(60)
    away = false
    await vi.advanceTimersByTimeAsync(5_000)
    expect(settler.pending()).toBe(0)
    expect(seen.slice(-2)).toEqual(['a', 'b'])
    vi.useRealTimers()
  })

  it('drains, and tells how many were not answered in time', async () => {
    vi.useFakeTimers()
    const { settler } = settlerOver(id => (id === 'stuck' ? AWAY : SETTLED))
    settler.settle(move('stuck'))
    settler.settle(move('fine'))
    const left = settler.drain(1_000)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await left).toBe(1)
    vi.useRealTimers()
  })

  it('gives a move up before the ledger forgets its record, so that nothing is charged twice', async () => {
    vi.useFakeTimers()
    const { settler, seen, telemetry } = settlerOver(() => AWAY)
    settler.settle(move('old'))
    await vi.advanceTimersByTimeAsync(RETAIN_PROVEN_MS)
    expect(settler.pending()).toBe(0)
    expect(telemetry.fault).toHaveBeenCalledTimes(1)
    const tried = seen.length
    await vi.advanceTimersByTimeAsync(RETAIN_PROVEN_MS)
    expect(seen.length).toBe(tried)
    vi.useRealTimers()
  })

  it('is bounded: what does not fit is left to the sweep, and said', async () => {
    vi.useFakeTimers()
    const { settler, telemetry } = settlerOver(() => AWAY)
    for (let i = 0; i < OUTBOX_MAX + 10; i++) settler.settle(move(`r${i}`))
    await vi.advanceTimersByTimeAsync(0)
    expect(settler.pending()).toBe(OUTBOX_MAX)
    expect(telemetry.fault).toHaveBeenCalledTimes(10)
    vi.useRealTimers()
  })
})
