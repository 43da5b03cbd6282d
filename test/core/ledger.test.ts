// What only the model can be asked: how moves conserve, that it is deterministic, and the counter of contested limits.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { closeBySettlement, expiryCharge, overruns } from '../../src/core/closing.ts'
import { createModelLedger, type ModelLedger } from '../../src/core/ledger.ts'
import type { Balance, Line, ReservationState } from '../../src/core/reservation.ts'
import { LEDGER_RULES } from '../../src/limits.ts'
import {
  adjustMove,
  holder,
  hourOf,
  IN_FLIGHT,
  key,
  LIFETIME,
  line,
  MINUTE,
  mintId,
  observeMove,
  releaseMove,
  reserveMove,
  settleMove,
  version,
} from '../contract/moves.ts'

const NOW = 1_778_000_000_000
const at = (ms: number) => ({ storeClockMs: ms, callerWallMs: ms })
const fresh = (): ModelLedger => createModelLedger(LEDGER_RULES, 1_000)

/** What a reservation's charge is by now, and whether it is proven, told by the law in words rather than by the code's table. */
interface Word {
  readonly charged: readonly bigint[]
  readonly proven: boolean
  readonly raised: boolean
  readonly released: boolean
}

function balanceOf(ledger: ModelLedger, of: Line, ms: number): Balance | null {
  return ledger.read([of], ms).value[0] ?? null
}

it('counts a limit that two of the same version disagree on, and nothing else', () => {
  const ledger = fresh()
  const present = (limit: bigint, generation: number): void => {
    const move = reserveMove(NOW, [line('a', 1n, { limit, version: version(generation) })])
    expect(ledger.reserve(move, at(NOW)).kind).toBe('reserved')
  }
  present(100n, 1)
  present(100n, 1)
  expect(ledger.contested()).toBe(0)
  present(90n, 1)
  present(100n, 1)
  expect(ledger.contested()).toBe(2)
  present(100n, 2)
  present(500n, 1)
  expect(ledger.contested()).toBe(2)
})

it('refuses a caller whose clock is more than 60 s from the store, either way', () => {
  const ledger = fresh()
  for (const [callerWallMs, kind] of [
    [NOW + 60_000, 'reserved'],
    [NOW - 60_000, 'reserved'],
    [NOW + 60_001, 'clock-skew'],
    [NOW - 60_001, 'clock-skew'],
  ] as const) {
    expect(ledger.reserve(reserveMove(NOW, [line('a', 1n)]), { storeClockMs: NOW, callerWallMs }).kind).toBe(kind)
  }
  // A store that jumps ahead does not drag its mark along.
  expect(ledger.beat(holder(1), { storeClockMs: NOW + 3_600_000, callerWallMs: NOW }).kind).toBe('clock-skew')
  expect(ledger.beat(holder(1), at(NOW))).toEqual({ kind: 'beating', storeMs: NOW })
})

it('writes nothing of any move whose caller is more than 60 s from the store, and does not raise its mark', () => {
  const lines = [line('m', 10n, { unit: 'USD', floor: 0n })]
  for (const [storeClockMs, callerWallMs] of [
    [NOW + 61_001, NOW],
    [NOW, NOW + 61_001],
    [NOW, NOW - 61_001],
  ] as const) {
    const ledger = fresh()
    const open = reserveMove(NOW, lines)
    const closed = reserveMove(NOW, lines)
    for (const move of [open, closed]) ledger.reserve(move, at(NOW))
    ledger.settle(settleMove(closed, lines, [5n], false), at(NOW))
    const unseen = reserveMove(NOW, lines)
    const look = (): unknown => [
      ledger.entries({ afterSeq: 0, count: 100 }, NOW),
      ledger.reservations({ open: false, cursor: '', count: 100 }, NOW),
      ledger.list({ prefix: '', cursor: '', count: 100 }, NOW),
    ]
    const before = look()
    const time = { storeClockMs, callerWallMs }
    for (const outcome of [
      ledger.reserve(unseen, time),
      ledger.settle(settleMove(open, lines, [5n]), time),
      ledger.settle({ ...settleMove(unseen, lines, [5n]), arrears: true }, time),
      ledger.release(releaseMove(open, lines), time),
      ledger.release(releaseMove(unseen, lines), time),
      ledger.beat(open.holder, time),
      ledger.observe(observeMove(open.holder, [open, [9n]]), time),
      ledger.adjust(adjustMove(closed, 1n), time),
      ledger.reassert({ ...unseen, lines }, time),
      ledger.sweep(time),
      ledger.acknowledge(1, time),
    ])
      expect(outcome).toEqual({ kind: 'clock-skew', storeMs: storeClockMs })
    expect(look()).toEqual(before)
    // The mark stayed: a minute later by its own clock, the store still takes the same instant.
    expect(ledger.beat(open.holder, at(NOW))).toEqual({ kind: 'beating', storeMs: NOW })
    ledger.sweep(at(NOW + 900_000))
    expect(balanceOf(ledger, line('m', 0n, { unit: 'USD' }), NOW)).toMatchObject({ spent: 5n, reserved: 0n })
  }
})

it('takes a calendar window from its first ms to the one before its end, and collects it from 2 h after that', () => {
  const window = hourOf(NOW)
  if (window.kind !== 'calendar') throw new Error('an hour is a calendar window')
  const { startMs, endMs } = window
  const kinds = [startMs - 1, startMs, endMs - 1, endMs].map(
    ms => fresh().reserve(reserveMove(ms, [line('h', 1n, { window })]), at(ms)).kind,
  )
  expect(kinds).toEqual(['window-stale', 'reserved', 'reserved', 'window-stale'])
  const ledger = fresh()
  const move = reserveMove(startMs, [line('h', 1n, { window })])
  ledger.reserve(move, at(startMs))
  ledger.settle(settleMove(move, [line('h', 1n, { window })], [1n]), at(startMs))
  expect(ledger.sweep(at(endMs + 7_199_999))).toMatchObject({ collected: 0 })
  expect(ledger.sweep(at(endMs + 7_200_000))).toMatchObject({ collected: 1 })
})

it('holds each time of the law to the ms', () => {
  const lines = [line('m', 10n, { unit: 'USD' })]
  const notAfter = reserveMove(NOW, lines, { notAfterMs: NOW + 5_000 })
  expect(fresh().reserve(notAfter, at(NOW + 5_000)).kind).toBe('reserved')
  expect(fresh().reserve(notAfter, at(NOW + 5_001)).kind).toBe('too-late')
  const unseen = settleMove({ id: mintId(NOW), holder: holder(1) }, lines, [1n])
  expect(fresh().settle(unseen, at(NOW + 86_400_000)).kind).toBe('reasserted')
  expect(fresh().settle(unseen, at(NOW + 86_400_001)).kind).toBe('forgotten')

  const closings: readonly (readonly [number, (ledger: ModelLedger, move: ReturnType<typeof reserveMove>) => unknown])[] = [
    [900_000, (ledger, move) => ledger.settle(settleMove(move, lines, [1n]), at(NOW))],
    [900_000, (ledger, move) => ledger.release(releaseMove(move, lines), at(NOW))],
    [86_400_000, (ledger, move) => ledger.settle(settleMove(move, lines, [1n], false), at(NOW))],
    [60_000, (ledger, move) => ledger.release(releaseMove({ ...move, id: mintId(NOW) }, lines), at(NOW))],
    [86_400_000, ledger => ledger.settle({ ...unseen, arrears: true }, at(NOW))],
    [
      86_400_000,
      (ledger, move) => {
        ledger.settle(settleMove(move, lines, [1n]), at(NOW))
        return ledger.adjust(adjustMove(move, 2n), at(NOW))
      },
    ],
  ]
  for (const [keptMs, close] of closings) {
    const ledger = fresh()
    const move = reserveMove(NOW, lines, { deadlineMs: NOW + 3_600_000 })
    ledger.reserve(move, at(NOW))
    close(ledger, move)
    const closedIds = () =>
      ledger.reservations({ open: false, cursor: '', count: 10 }, NOW).value.reservations.filter(({ state }) => state !== 'open').length
    expect(closedIds()).toBe(1)
    ledger.sweep(at(NOW + keptMs))
    expect(closedIds(), `${keptMs}`).toBeGreaterThanOrEqual(1)
    const expired = closedIds() - 1
    ledger.sweep(at(NOW + keptMs + 1))
    expect(closedIds(), `${keptMs}`).toBe(expired)
  }
})

it('asserts that holders and ids of releases and beats are ours', () => {
  const ledger = fresh()
  const move = reserveMove(NOW, [line('a', 1n)])
  expect(() => ledger.release({ ...releaseMove(move, []), id: '../x' as typeof move.id }, at(NOW))).toThrow('32 hex digits')
  expect(() => ledger.beat('pod-1' as typeof move.holder, at(NOW))).toThrow('32 hex digits')
})

it('takes absurd page sizes for small ones', () => {
  const ledger = fresh()
  for (let index = 0; index < 5; index += 1) ledger.reserve(reserveMove(NOW, [line(`l${index}`, 1n)]), at(NOW))
  for (const count of [0, -1, Number.NaN, 0.5]) {
    expect(ledger.list({ prefix: '', cursor: '', count }, NOW).value.budgets).toHaveLength(1)
    expect(ledger.entries({ afterSeq: -3, count }, NOW).value.map(entry => entry.seq)).toEqual([1])
  }
  expect(ledger.list({ prefix: '', cursor: '', count: Number.POSITIVE_INFINITY }, NOW).value.budgets).toHaveLength(5)
})

it('a reservation that ends, however it ends, leaves in each balance what its last word says, and nothing reserved', () => {
  const end = fc.oneof(
    fc.record({
      kind: fc.constant('settle' as const),
      amounts: fc.array(fc.bigInt(0n, 300n), { minLength: 3, maxLength: 3 }),
      proven: fc.boolean(),
    }),
    fc.constant({ kind: 'release' as const }),
    fc.constant({ kind: 'expire' as const }),
  )
  const states = new Set<ReservationState>()
  fc.assert(
    fc.property(
      fc.array(fc.bigInt(0n, 200n), { minLength: 3, maxLength: 3 }),
      fc.array(end, { minLength: 1, maxLength: 6 }),
      (estimates, ends) => {
        const ledger = fresh()
        let ms = NOW
        const windows = [LIFETIME, LIFETIME, IN_FLIGHT]
        const lines = windows.map((window, index) => line(`l${index}`, estimates[index] ?? 0n, { window }))
        const move = { ...reserveMove(ms, lines), deadlineMs: ms + MINUTE }
        expect(ledger.reserve(move, at(ms)).kind).toBe('reserved')
        let word = null as Word | null
        for (const each of ends) {
          const counted = each.kind === 'settle' ? each.amounts.map((amount, index) => (index === 2 ? 0n : amount)) : [0n, 0n, 0n]
          if (each.kind === 'expire') {
            ms += 2 * MINUTE
            ledger.beat(move.holder, at(ms))
            ledger.sweep(at(ms))
            word ??= { charged: [estimates[0] ?? 0n, estimates[1] ?? 0n, 0n], proven: false, raised: false, released: false }
          } else if (each.kind === 'release') {
            ledger.release(releaseMove(move, lines), at(ms))
            if (word === null) word = { charged: counted, proven: false, raised: false, released: true }
            else if (!word.released && !word.proven) word = { ...word, charged: counted, proven: true }
          } else {
            ledger.settle({ ...settleMove(move, lines, each.amounts), proven: each.proven }, at(ms))
            if (word === null) word = { charged: counted, proven: each.proven, raised: false, released: false }
            else if (word.released) {
              if (each.proven && counted.some(amount => amount > 0n)) word = { ...word, charged: counted, proven: true, released: false }
            } else if (!word.proven && each.proven) word = { ...word, charged: counted, proven: true }
            else if (!word.proven && !word.raised) {
              const was = word.charged
              const larger = counted.map((amount, index) => (amount > (was[index] ?? 0n) ? amount : (was[index] ?? 0n)))
              if (larger.some((amount, index) => amount !== was[index])) word = { ...word, charged: larger, raised: true }
            }
          }
        }
        states.add(ledger.reservations({ open: false, cursor: '', count: 1 }, ms).value.reservations[0]?.state ?? 'open')
        for (const [index, of] of lines.entries()) {
          const balance = balanceOf(ledger, of, ms)
          const charged = word?.charged[index] ?? 0n
          const over = word?.proven === true && index < 2 && charged > of.amount ? charged - of.amount : 0n
          expect(balance ?? { reserved: 0n, spent: 0n, suspense: 0n, overrun: 0n }).toMatchObject({
            reserved: 0n,
            spent: charged,
            suspense: word?.proven === true ? 0n : charged,
            overrun: over,
          })
        }
      },
    ),
    { numRuns: 500 },
  )
  expect([...states].sort()).toEqual(['expired', 'released', 'settled-proven', 'settled-unproven'])
})

it('charges each line alone: overruns, expiry and the larger of two never mix lines', () => {
  const lines = [line('a', 10n), line('f', 10n, { window: IN_FLIGHT }), line('b', 0n)]
  expect(overruns(lines, [12n, 0n, 1n])).toEqual([2n, 0n, 1n])
  expect(expiryCharge({ lines, charged: [0n, 0n, 0n] })).toEqual([10n, 0n, 0n])
  expect(expiryCharge({ lines, charged: [12n, 0n, 1n] })).toEqual([12n, 0n, 1n])
  const record = { state: 'settled-unproven', lines, charged: [5n, 0n, 9n], raised: false } as const
  expect(closeBySettlement(record, [6n, 0n, 3n], false)).toMatchObject({ outcome: 'raised', charged: [6n, 0n, 9n] })
})

it('is deterministic: the same moves at the same times give the same entries', () => {
  const play = (): unknown => {
    const ledger = fresh()
    const ids = Array.from({ length: 10 }, (_, index) => `${mintId(NOW).slice(0, 12)}${String(index).padStart(20, '0')}`)
    for (const id of ids) ledger.reserve({ ...reserveMove(NOW, [line('a', 30n)]), id: id as ReturnType<typeof mintId> }, at(NOW))
    ledger.sweep(at(NOW + 3_600_001))
    return ledger.entries({ afterSeq: 0, count: 100 }, NOW).value
  }
  expect(play()).toEqual(play())
  expect(key('a')).toBe(key('a'))
})
