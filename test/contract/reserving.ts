// The contract of `reserve`: what is admitted, what is refused and how that is said, and that a refusal leaves no trace.
import { expect, it } from 'vitest'
import { UNITS } from '../../src/core/budget.ts'
import type { Line, ReserveMove } from '../../src/core/reservation.ts'
import type { Window } from '../../src/core/window.ts'
import {
  AMOUNT_TOP,
  HOUR,
  holder,
  hourOf,
  IN_FLIGHT,
  key,
  LIFETIME,
  LIMIT_TOP,
  line,
  type MakeLedger,
  MINUTE,
  releaseMove,
  reserveMove,
  SECOND,
  settleMove,
  sliding,
} from './moves.ts'
import { scene } from './scene.ts'

export function reservingContract(make: MakeLedger): void {
  it('reserves all lines at once and answers their balances in order', () =>
    scene(make, async ({ ledger, attempt, balance, now }) => {
      const lines = [line('a', 400n), line('b', 7n, { window: hourOf(await now()), limit: 10n })]
      const outcome = await attempt(lines)
      const balances = [
        { limit: 1_000n, available: 600n, reserved: 400n, spent: 0n, suspense: 0n, overrun: 0n },
        { limit: 10n, available: 3n, reserved: 7n, spent: 0n, suspense: 0n, overrun: 0n },
      ]
      expect(outcome).toEqual({ kind: 'reserved', alternative: 0, balances, storeMs: expect.any(Number) })
      for (const [index, of] of lines.entries()) expect(await balance(of)).toEqual(balances[index])
      expect(await ledger.read([{ key: key('never'), window: LIFETIME }])).toMatchObject({ kind: 'read', value: [null] })
    }))

  it('holds and charges lines of every unit in one reservation, each by its own amount', () =>
    scene(make, async ({ ledger, admit, attempt, balance }) => {
      const lines = UNITS.map((unit, index) => line('each', 100n + BigInt(index), { unit, limit: 104n }))
      const move = await admit(lines)
      for (const each of lines) expect(await balance(each)).toMatchObject({ reserved: each.amount, available: 104n - each.amount })
      // One full unit refuses the call whole; the others have room.
      const more = lines.map(each => ({ ...each, amount: 1n, floor: 1n }))
      expect(await attempt(more)).toMatchObject({ kind: 'refused', lines: [{ index: UNITS.length - 1 }] })
      const amounts = lines.map((_, index) => 10n * BigInt(index))
      expect(await ledger.settle(settleMove(move, lines, amounts))).toMatchObject({ kind: 'settled' })
      for (const [index, each] of lines.entries()) expect(await balance(each)).toMatchObject({ reserved: 0n, spent: amounts[index] })
    }))

  it('takes whichever of four alternatives is the first that fits', () =>
    scene(make, async ({ ledger, balance, now }) => {
      for (const nth of [1, 2, 3, 4]) {
        const alternatives = [1, 2, 3, 4].map(each => [
          line(`a${nth}`, each < nth ? 1_001n : BigInt(each)),
          line(`only-${nth}-${each}`, 1n),
        ])
        const move = reserveMove(await now(), [], { alternatives })
        const balances = [{ reserved: BigInt(nth) }, { reserved: 1n }]
        expect(await ledger.reserve(move)).toMatchObject({ kind: 'reserved', alternative: nth - 1, balances })
        for (const each of [1, 2, 3, 4])
          expect((await balance(line(`only-${nth}-${each}`, 0n)))?.reserved ?? null).toBe(each === nth ? 1n : null)
        const taken = alternatives[nth - 1] ?? []
        expect(await ledger.settle(settleMove(move, taken, [1n, 1n]))).toMatchObject({ kind: 'settled' })
      }
    }))

  it('fills a limit to the unit, then refuses one unit', () =>
    scene(make, async ({ attempt, admit }) => {
      await admit([line('a', 999n)])
      await admit([line('a', 1n)])
      expect(await attempt([line('a', 1n)])).toEqual({
        kind: 'refused',
        lines: [
          { index: 0, balance: { limit: 1_000n, available: 0n, reserved: 1_000n, spent: 0n, suspense: 0n, overrun: 0n }, fitsMs: null },
        ],
        storeMs: expect.any(Number),
      })
    }))

  it('names every hard line that does not fit, and moves none', () =>
    scene(make, async ({ attempt, admit, balance }) => {
      await admit([line('full', 1_000n)])
      const lines = [line('roomy', 10n), line('full', 10n), line('new', 2_000n), line('soft', 2_000n, { hard: false })]
      const outcome = await attempt(lines)
      expect(outcome).toMatchObject({ kind: 'refused' })
      expect(outcome.kind === 'refused' && outcome.lines.map(({ index, balance }) => [index, balance.available])).toEqual([
        [1, 0n],
        [2, 1_000n],
      ])
      expect(await balance(line('full', 0n))).toMatchObject({ reserved: 1_000n })
      for (const name of ['roomy', 'new', 'soft']) expect(await balance(line(name, 0n))).toBeNull()
    }))

  it('takes the first alternative that fits wholly, and refuses in terms of the first', () =>
    scene(make, async ({ attempt, admit, balance }) => {
      await admit([line('a', 900n)])
      const alternatives = [[line('a', 200n)], [line('a', 50n), line('b', 1_001n)], [line('a', 100n)], [line('a', 1n)]]
      expect(await attempt([], { alternatives })).toMatchObject({ kind: 'reserved', alternative: 2, balances: [{ available: 0n }] })
      expect(await balance(line('b', 0n))).toBeNull()
      const refused = await attempt([], { alternatives: [[line('b', 0n), line('a', 2n)], [line('a', 1n)]] })
      expect(refused).toMatchObject({ kind: 'refused', lines: [{ index: 1, balance: { available: 0n } }] })
    }))

  it('admits a line of 0 whatever is left, and no other line while the balance is negative', () =>
    scene(make, async ({ ledger, attempt, admit, balance }) => {
      const move = await admit([line('a', 1_000n)])
      await ledger.settle(settleMove(move, [line('a', 1_000n)], [1_300n]))
      expect(await balance(line('a', 0n))).toMatchObject({ available: -300n })
      expect(await attempt([line('a', 1n)])).toMatchObject({ kind: 'refused', lines: [{ index: 0, balance: { available: -300n } }] })
      expect(await attempt([line('a', 0n)])).toMatchObject({ kind: 'reserved', balances: [{ available: -300n }] })
    }))

  it('does the same arithmetic for soft lines, and never refuses by them', () =>
    scene(make, async ({ admit, balance }) => {
      await admit([line('a', 900n, { hard: false })])
      await admit([line('a', 900n, { hard: false })])
      expect(await balance(line('a', 0n))).toMatchObject({ reserved: 1_800n, available: -800n })
    }))

  it('counts to the bounds exactly', () =>
    scene(make, async ({ ledger, admit, attempt, balance }) => {
      const top = line('top', AMOUNT_TOP, { limit: LIMIT_TOP })
      const first = await admit([top])
      await admit([top])
      expect(await balance(top)).toMatchObject({ reserved: 2n * AMOUNT_TOP, available: LIMIT_TOP - 2n * AMOUNT_TOP })
      await ledger.settle(settleMove(first, [top], [AMOUNT_TOP - 1n]))
      expect(await balance(top)).toMatchObject({
        reserved: AMOUNT_TOP,
        spent: AMOUNT_TOP - 1n,
        available: LIMIT_TOP - 2n * AMOUNT_TOP + 1n,
      })
      const exact = line('exact', AMOUNT_TOP, { limit: AMOUNT_TOP })
      await admit([exact])
      expect(await attempt([{ ...exact, amount: 1n, floor: 1n }])).toMatchObject({
        kind: 'refused',
        lines: [{ balance: { available: 0n } }],
      })
      expect(await attempt([line('none', 1n, { limit: 0n })])).toMatchObject({ kind: 'refused', lines: [{ balance: { limit: 0n } }] })
      expect(await attempt([line('short', AMOUNT_TOP, { limit: AMOUNT_TOP - 1n })])).toMatchObject({ kind: 'refused' })
    }))

  it('takes 64 lines, and refuses 65 whole', () =>
    scene(make, async ({ ledger, attempt, admit, balance, entries }) => {
      const lines = Array.from({ length: 65 }, (_, index) => line(`l${index}`, 1n))
      expect(await attempt(lines)).toEqual({ kind: 'too-many-limits' })
      expect(await attempt([], { alternatives: [lines.slice(0, 1), lines] })).toEqual({ kind: 'too-many-limits' })
      expect(await balance(line('l0', 0n))).toBeNull()
      await admit(lines.slice(0, 64))
      expect(await balance(line('l63', 0n))).toMatchObject({ reserved: 1n })
      const kept = (await entries())[0]
      expect(kept?.lines.map(each => each.key)).toEqual(lines.slice(0, 64).map(each => each.key))
      const move = { id: kept?.id as ReserveMove['id'], holder: holder(1) }
      const amounts = lines.slice(0, 64).map((_, index) => BigInt(index % 2))
      expect(await ledger.settle(settleMove(move, lines, [...amounts, 0n]))).toMatchObject({ kind: 'out-of-bounds' })
      expect(await ledger.settle(settleMove(move, lines.slice(0, 64), amounts))).toMatchObject({ kind: 'settled' })
      expect(await balance(line('l63', 0n))).toMatchObject({ reserved: 0n, spent: 1n })
      const four = Array.from({ length: 4 }, () => lines.slice(0, 64))
      expect(await attempt([], { alternatives: four })).toMatchObject({ kind: 'reserved', alternative: 0 })
    }))

  const a = line('a', 1n)
  const malformed: [string, Partial<ReserveMove> | readonly Line[]][] = [
    ['a negative amount', [{ ...a, amount: -1n }]],
    ['an amount of 2^53', [{ ...a, amount: 2n ** 53n }]],
    ['a floor beyond the amount', [{ ...a, floor: 2n }]],
    ['a negative floor', [{ ...a, floor: -1n }]],
    ['a negative limit', [{ ...a, limit: -1n }]],
    ['a limit over 10^18', [{ ...a, limit: LIMIT_TOP + 1n }]],
    ['no lines', []],
    ['no alternatives', { alternatives: [] }],
    ['five alternatives', { alternatives: [[a], [a], [a], [a], [a]] }],
    ['an empty second alternative', { alternatives: [[a], []] }],
    ['two lines of one balance', [a, a]],
    ['a deadline that is no number', { deadlineMs: Number.NaN }],
    ['a notAfter with a fraction', { notAfterMs: 1.5 }],
    ['an id that is not ours', { id: 'x-request-id' as ReserveMove['id'] }],
    ['a holder that is not ours', { holder: '' as ReserveMove['holder'] }],
    ['a version that is not whole', [{ ...a, version: { ...a.version, generation: 0.5 } }]],
    ['a sliding window of all time', [{ ...a, window: sliding(Number.MAX_SAFE_INTEGER) }]],
    ['a sliding window under 1 s', [{ ...a, window: sliding(999) }]],
    ['a calendar window that ends before it starts', [{ ...a, window: { kind: 'calendar', startMs: 2, endMs: 1 } }]],
  ]
  it('answers out-of-bounds to what is malformed, and writes nothing', () =>
    scene(make, async ({ attempt, seen }) => {
      for (const [what, changes] of malformed) {
        const outcome = Array.isArray(changes) ? await attempt(changes) : await attempt([a], changes as Partial<ReserveMove>)
        expect(outcome, what).toEqual({ kind: 'out-of-bounds', why: expect.any(String) })
        expect(await seen(), what).toEqual({ seq: 0, balances: [], reservations: [] })
      }
    }))

  it('answers a repeated id by its record, open or closed, and moves nothing', () =>
    scene(make, async ({ ledger, admit, balance, now }) => {
      const lines = [line('a', 100n), line('b', 5n)]
      const move = await admit(lines)
      expect(await ledger.reserve(move)).toEqual({ kind: 'exists', alternative: 0, open: true, storeMs: expect.any(Number) })
      const other = { ...move, alternatives: [[line('a', 101n), line('b', 5n)]] }
      expect(await ledger.reserve(other)).toEqual({ kind: 'exists-different', storeMs: expect.any(Number) })
      expect(await ledger.reserve({ ...move, alternatives: [[line('a', 100n)]] })).toMatchObject({ kind: 'exists-different' })
      await ledger.settle(settleMove(move, lines, [60n, 5n]))
      expect(await ledger.reserve(move)).toMatchObject({ kind: 'exists', alternative: 0, open: false })
      expect(await balance(line('a', 0n))).toMatchObject({ reserved: 0n, spent: 60n })

      const second = reserveMove(await now(), [], { alternatives: [[line('a', 1_000n)], [line('a', 20n)]] })
      expect(await ledger.reserve(second)).toMatchObject({ kind: 'reserved', alternative: 1 })
      expect(await ledger.reserve(second)).toMatchObject({ kind: 'exists', alternative: 1, open: true })
    }))

  it('does not admit what was released before it came', () =>
    scene(make, async ({ ledger, balance, now }) => {
      const move = reserveMove(await now(), [line('a', 100n)])
      expect(await ledger.release(releaseMove(move, [line('a', 100n)]))).toMatchObject({ kind: 'tombstoned' })
      expect(await ledger.reserve(move)).toMatchObject({ kind: 'tombstoned', storeMs: expect.any(Number) })
      expect(await balance(line('a', 0n))).toBeNull()
    }))

  it('refuses a reserve that comes after its notAfter', () =>
    scene(make, async ({ ledger, advance, balance, now }) => {
      const move = reserveMove(await now(), [line('a', 100n)], { notAfterMs: (await now()) + 5 * SECOND })
      await advance(7 * SECOND)
      const outcome = await ledger.reserve(move)
      expect(outcome).toEqual({ kind: 'too-late', storeMs: expect.any(Number) })
      expect(outcome.kind === 'too-late' && outcome.storeMs).toBeGreaterThan(move.notAfterMs)
      expect(await balance(line('a', 0n))).toBeNull()
    }))

  it('refuses windows that do not hold its time, ended or not begun, with its time', () =>
    scene(make, async ({ attempt, now, balance }) => {
      const at = await now()
      for (const window of [hourOf(at - HOUR), hourOf(at + HOUR)]) {
        const stale = line('b', 1n, { window })
        const outcome = await attempt([line('a', 1n), stale])
        expect(outcome).toEqual({ kind: 'window-stale', storeMs: expect.any(Number) })
        expect(Math.abs((outcome.kind === 'window-stale' ? outcome.storeMs : 0) - at)).toBeLessThan(MINUTE)
        expect(await balance(line('a', 0n))).toBeNull()
        expect(await balance(stale)).toBeNull()
      }
    }))

  const windows: [string, Window][] = [
    ['lifetime', LIFETIME],
    ['inFlight', IN_FLIGHT],
    ['sliding', sliding(MINUTE)],
  ]
  it.each(windows)('creates nothing by a refusal (%s)', (_, window) =>
    scene(make, async ({ attempt, balance, entries, ledger }) => {
      expect(await attempt([line('a', 11n, { window, limit: 10n })])).toMatchObject({
        kind: 'refused',
        lines: [{ index: 0, balance: { limit: 10n, available: 10n, reserved: 0n, spent: 0n } }],
      })
      expect(await balance(line('a', 0n, { window }))).toBeNull()
      expect(await entries()).toEqual([])
      expect(await ledger.list({ prefix: '', cursor: '', count: 10 })).toMatchObject({ kind: 'read', value: { budgets: [], next: null } })
    }),
  )

  it('keeps partitions apart, whatever is in them', () =>
    scene(make, async ({ admit, balance, ledger }) => {
      for (const partition of ['(none)', '(other)', 'ü|ñ %25', '日本語', '👩‍👩‍👧', '\u0000\n', '{a}', 'a b', "'; --", '*?[']) {
        const mine = line('a', 5n, { key: key('a', LIFETIME, [partition]) })
        const other = line('a', 7n, { key: key('a', LIFETIME, [`${partition}x`]) })
        await admit([mine, other])
        expect(await balance(mine), partition).toMatchObject({ reserved: 5n })
        expect(await balance(other), partition).toMatchObject({ reserved: 7n })
        expect(await ledger.list({ prefix: mine.key, cursor: '', count: 10 })).toMatchObject({ kind: 'read' })
      }
    }))
}
