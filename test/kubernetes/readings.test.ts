// Readings of a real ledger, in memory: what was spent is what is read, the whole and by partitions, and a ledger that is away changes nothing.
import { describe, expect, it } from 'vitest'
import type { BudgetKey } from '../../src/core/budget.ts'
import { partitionKey } from '../../src/core/budget.ts'
import type { Limit } from '../../src/core/policy.ts'
import { windowAt } from '../../src/core/window.ts'
import { Readings } from '../../src/kubernetes/readings.ts'
import { LEDGER_AWAY_MS, PARTITIONS_EVERY_MS } from '../../src/limits.ts'
import { openMemoryLedger } from '../../src/memory/ledger.ts'
import type { LedgerReader } from '../../src/ports.ts'
import { reserveMove, settleMove, version } from '../contract/moves.ts'
import { policy, setOf } from '../core/policy-objects.ts'

const MONTH = { kind: 'calendar', period: 'Month', timeZone: 'UTC', anchorDay: 1 } as const
const WHOLE: Limit = { name: 'whole', unit: 'Tokens', amount: 100n, window: MONTH, partitionBy: [], maxPartitions: 5, allowUpTo: null }
const SPLIT: Limit = { ...WHOLE, name: 'split', partitionBy: [{ kind: 'jwtClaim', name: 'sub' }] }

function world() {
  const state = { nowMs: Date.UTC(2026, 4, 30, 12), isAway: false, lists: 0, amount: 100n }
  const clock = { wallMs: () => state.nowMs, monotonicMs: () => state.nowMs }
  const ledger = openMemoryLedger({ clock })
  const away = { kind: 'unavailable', why: 'it is away' } as const
  const reader: LedgerReader = {
    ...ledger,
    read: async lines => (state.isAway ? away : ledger.read(lines)),
    list: async query => {
      state.lists += 1
      return state.isAway ? away : ledger.list(query)
    },
  }
  const declared = () =>
    setOf({ policies: [policy({ limits: [WHOLE, SPLIT].map(limit => ({ ...limit, amount: state.amount })) })] }).declared()
  const key = (name: string): BudgetKey => declared().find(({ limit }) => limit.name === name)!.key
  const spend = async (of: BudgetKey, amount: bigint, settles = true): Promise<void> => {
    const line = {
      key: of,
      unit: 'Tokens',
      amount,
      floor: amount,
      limit: 100n,
      version: version(1),
      hard: false,
      window: windowAt(MONTH, state.nowMs),
    } as const
    const move = reserveMove(state.nowMs, [line])
    expect((await ledger.reserve(move)).kind).toBe('reserved')
    if (settles) await ledger.settle(settleMove(move, [line], [amount]))
  }
  return {
    state,
    spend,
    key,
    readings: new Readings({ ledger: reader, clock, declared }),
    sub: (name: string) => partitionKey(key('split'), [name]),
  }
}

describe('readings', () => {
  it('are what the ledger has, and tell what is another than before', async () => {
    const { readings, spend, key, sub, state } = world()
    expect(readings.of(key('whole'))).toBeNull()
    expect(await readings.refresh()).toEqual([key('split'), key('whole')].sort().reverse())
    expect(readings.of(key('whole'))).toMatchObject({ spent: 0n, usedPercent: 0, partitions: null })
    expect(await readings.refresh()).toEqual([])
    await spend(key('whole'), 40n)
    await spend(key('whole'), 30n, false)
    await spend(sub('alice'), 100n)
    await spend(sub('bob'), 20n, false)
    expect(await readings.refresh()).toEqual([key('whole')])
    expect(readings.of(key('whole'))).toMatchObject({ spent: 40n, reserved: 30n, usedPercent: 40 })
    state.nowMs += PARTITIONS_EVERY_MS
    expect(await readings.refresh()).toEqual([key('split')])
    const split = readings.of(key('split'))
    expect(split).toMatchObject({ spent: 100n, reserved: 20n, usedPercent: 100, partitions: { count: 2, exhausted: 1, areShared: false } })
    expect(JSON.stringify(split, (_, value) => String(value))).not.toContain('alice')
  })

  it('are of the window of now, and of the amount of now', async () => {
    const { readings, spend, key, sub, state } = world()
    await spend(key('whole'), 40n)
    await spend(sub('alice'), 40n)
    await readings.refresh()
    state.amount = 50n
    await readings.refresh()
    expect([key('whole'), key('split')].map(one => readings.of(one)?.usedPercent)).toEqual([80, 80])
    state.nowMs += 3 * 86_400_000
    await readings.refresh()
    expect([key('whole'), key('split')].map(one => readings.of(one)?.spent)).toEqual([0n, 0n])
  })

  it('stay while the ledger is away, which is told after a while', async () => {
    const { readings, spend, key, state } = world()
    await spend(key('whole'), 40n)
    await readings.refresh()
    state.isAway = true
    expect(await readings.refresh()).toEqual([])
    expect([readings.of(key('whole'))?.spent, readings.why, readings.isAway]).toEqual([40n, 'it is away', false])
    state.nowMs += LEDGER_AWAY_MS
    await readings.refresh()
    expect(readings.isAway).toBe(true)
    state.isAway = false
    await readings.refresh()
    expect([readings.why, readings.isAway]).toEqual([null, false])
  })
})
