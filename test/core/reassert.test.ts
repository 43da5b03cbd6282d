// Recovery as only the model can be asked: what a holder says that it had reserved is opened by force, once, and closed like any other.
import { expect, it } from 'vitest'
import { createModelLedger, type ModelLedger } from '../../src/core/ledger.ts'
import type { Line, ReassertMove, ReassertOutcome } from '../../src/core/reservation.ts'
import { LEDGER_RULES } from '../../src/limits.ts'
import {
  DAY,
  HOUR,
  holder,
  hourOf,
  IN_FLIGHT,
  line,
  MINUTE,
  mintId,
  releaseMove,
  reserveMove,
  SECOND,
  settleMove,
  sliding,
  version,
} from '../contract/moves.ts'

const NOW = Date.UTC(2026, 4, 14, 10, 15)
const at = (ms: number) => ({ storeClockMs: ms, callerWallMs: ms })
const fresh = (): ModelLedger => createModelLedger(LEDGER_RULES, 1_000)
const seen = new Set<ReassertOutcome['kind']>()

const reassertMove = (atMs: number, lines: readonly Line[], changes: Partial<ReassertMove> = {}): ReassertMove => ({
  id: mintId(atMs),
  holder: holder(1),
  lines,
  deadlineMs: atMs + 10 * MINUTE,
  priceBook: 'book',
  ...changes,
})
function reassert(ledger: ModelLedger, move: ReassertMove, ms: number): ReassertOutcome['kind'] {
  const outcome = ledger.reassert(move, at(ms))
  seen.add(outcome.kind)
  return outcome.kind
}
const balanceOf = (ledger: ModelLedger, of: Line, ms: number) => ledger.read([of], ms).value[0] ?? null
const state = (ledger: ModelLedger) => ledger.reservations({ open: false, cursor: '', count: 100 }, 0).value.reservations

it('opens what was lost whether it fits or not, dated by its id, and once', () => {
  const ledger = fresh()
  ledger.reserve(reserveMove(NOW, [line('a', 900n)]), at(NOW))
  const lines = [line('a', 200n), line('s', 5n, { window: sliding(MINUTE) }), line('f', 1n, { window: IN_FLIGHT })]
  const move = reassertMove(NOW - 30 * SECOND, lines)
  expect(reassert(ledger, move, NOW)).toBe('reasserted')
  expect(balanceOf(ledger, line('a', 0n), NOW)).toMatchObject({ reserved: 1_100n, available: -100n })
  expect(ledger.reserve(reserveMove(NOW, [line('a', 1n)]), at(NOW)).kind).toBe('refused')
  expect(reassert(ledger, move, NOW)).toBe('exists')
  expect(balanceOf(ledger, line('a', 0n), NOW)).toMatchObject({ reserved: 1_100n })
  expect(ledger.entries({ afterSeq: 1, count: 10 }, NOW).value).toMatchObject([
    {
      what: 'reasserted',
      id: move.id,
      admittedMs: NOW - 30 * SECOND,
      lines: [{ amount: 200n, moved: { reserved: 200n, spent: 0n } }, {}, {}],
    },
  ])
  // A minute after its admission it counts in the minute no longer, but still in flight.
  expect(balanceOf(ledger, line('s', 0n, { window: sliding(MINUTE) }), NOW + 32 * SECOND)).toMatchObject({ reserved: 0n })
  expect(balanceOf(ledger, line('f', 0n, { window: IN_FLIGHT }), NOW + 32 * SECOND)).toMatchObject({ reserved: 1n })
  expect(ledger.settle(settleMove(move, lines, [150n, 5n, 1n]), at(NOW)).kind).toBe('settled')
  expect(balanceOf(ledger, line('a', 0n), NOW)).toMatchObject({ reserved: 900n, spent: 150n })
})

it('answers from the record what the store knows, in whatever state, and moves nothing', () => {
  const ledger = fresh()
  const lines = [line('a', 100n)]
  const [open, settled, unproven, released, buried] = [1, 2, 3, 4, 5].map(() => reassertMove(NOW, lines)) as [
    ReassertMove,
    ReassertMove,
    ReassertMove,
    ReassertMove,
    ReassertMove,
  ]
  for (const move of [open, settled, unproven, released])
    expect(ledger.reserve({ ...move, alternatives: [lines], notAfterMs: NOW }, at(NOW)).kind).toBe('reserved')
  ledger.settle(settleMove(settled, lines, [10n]), at(NOW))
  ledger.settle(settleMove(unproven, lines, [20n], false), at(NOW))
  ledger.release(releaseMove(released, lines), at(NOW))
  ledger.release(releaseMove(buried, lines), at(NOW))
  const before = [balanceOf(ledger, line('a', 0n), NOW), state(ledger)]
  for (const move of [open, settled, unproven, released, buried]) expect(reassert(ledger, move, NOW)).toBe('exists')
  expect([balanceOf(ledger, line('a', 0n), NOW), state(ledger)]).toEqual(before)
})

it('forgets what is older than any record, and holds no deadline beyond an hour', () => {
  const ledger = fresh()
  expect(reassert(ledger, reassertMove(NOW - DAY - 1, [line('a', 1n)]), NOW)).toBe('forgotten')
  expect(reassert(ledger, reassertMove(NOW - DAY, [line('a', 1n)], { deadlineMs: NOW + DAY }), NOW)).toBe('reasserted')
  expect(state(ledger)).toMatchObject([{ state: 'open', deadlineMs: NOW + HOUR }])
})

it('counts as a beat of its holder', () => {
  const ledger = fresh()
  const others = (fromMs: number, toMs: number): void => {
    for (let ms = fromMs; ms <= toMs; ms += 3 * SECOND) ledger.beat(holder(2), at(ms))
  }
  others(NOW, NOW + 9 * SECOND)
  reassert(ledger, reassertMove(NOW + 9 * SECOND, [line('a', 1n)]), NOW + 9 * SECOND)
  others(NOW + 9 * SECOND, NOW + 24 * SECOND)
  expect(ledger.sweep(at(NOW + 24 * SECOND))).toMatchObject({ expired: 0 })
  expect(ledger.sweep(at(NOW + 24 * SECOND + 1))).toMatchObject({ expired: 1 })
})

it('keeps a calendar window, however long it has ended, while something is reserved in it', () => {
  const ledger = fresh()
  const window = hourOf(NOW)
  const endMs = window.kind === 'calendar' ? window.endMs : 0
  const lines = [line('h', 5n, { window })]
  ledger.reserve(reserveMove(NOW, lines), at(NOW))
  ledger.sweep(at(NOW + HOUR))
  const late = endMs + 2 * HOUR - 10 * MINUTE
  const move = reassertMove(NOW, lines, { deadlineMs: late + HOUR })
  expect(reassert(ledger, move, late)).toBe('reasserted')
  expect(ledger.sweep(at(endMs + 3 * HOUR - 15 * MINUTE))).toMatchObject({ expired: 0, collected: 0 })
  expect(ledger.settle(settleMove(move, lines, [4n]), at(endMs + 3 * HOUR - 15 * MINUTE)).kind).toBe('settled')
  expect(balanceOf(ledger, line('h', 0n, { window }), endMs)).toMatchObject({ spent: 9n, suspense: 5n })
  expect(ledger.sweep(at(endMs + 3 * HOUR - 15 * MINUTE))).toMatchObject({ expired: 0, collected: 1 })
})

it('brings back no window that was collected, and takes up the limits of those that are there', () => {
  const ledger = fresh()
  ledger.reserve(reserveMove(NOW, [line('l', 1n)]), at(NOW))
  const past = line('h', 5n, { window: hourOf(NOW - 4 * HOUR) })
  const move = reassertMove(NOW - 4 * HOUR, [past, line('l', 5n, { limit: 50n, version: version(2) })])
  expect(reassert(ledger, move, NOW)).toBe('reasserted')
  expect(balanceOf(ledger, past, NOW)).toBeNull()
  expect(balanceOf(ledger, line('l', 0n), NOW)).toMatchObject({ limit: 50n, reserved: 6n })
  expect(ledger.settle(settleMove(move, move.lines, [9n, 9n]), at(NOW)).kind).toBe('settled-over')
  expect(balanceOf(ledger, past, NOW)).toBeNull()
  expect(balanceOf(ledger, line('l', 0n), NOW)).toMatchObject({ limit: 50n, reserved: 1n, spent: 9n, overrun: 4n })
})

it('refuses what is malformed, and a clock that is wrong, and writes nothing', () => {
  const ledger = fresh()
  const good = reassertMove(NOW, [line('a', 1n)])
  for (const bad of [
    { ...good, id: 'x' as typeof good.id },
    { ...good, holder: 'x' as typeof good.holder },
    { ...good, deadlineMs: 0.5 },
    { ...good, lines: [] },
    { ...good, lines: [line('a', -1n)] },
    { ...good, lines: Array.from({ length: 65 }, (_, index) => line(`${index}`, 1n)) },
  ])
    expect(reassert(ledger, bad, NOW)).toBe('out-of-bounds')
  const skewed = ledger.reassert(good, { storeClockMs: NOW, callerWallMs: NOW + 60_001 })
  expect(skewed).toEqual({ kind: 'clock-skew', storeMs: NOW })
  seen.add(skewed.kind)
  expect(ledger.entries({ afterSeq: 0, count: 1 }, NOW)).toMatchObject({ value: [], seq: 0 })
})

it('reached every outcome that has a name', () => {
  const all: Readonly<Record<Exclude<ReassertOutcome['kind'], 'unavailable'>, true>> = {
    reasserted: true,
    exists: true,
    forgotten: true,
    'out-of-bounds': true,
    'clock-skew': true,
  }
  expect([...seen].sort()).toEqual(Object.keys(all).sort())
})
