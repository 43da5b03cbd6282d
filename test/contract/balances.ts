// The contract of limits and time: versions of a limit, the four kinds of window, and clocks that err.
import { expect, it } from 'vitest'
import {
  DAY,
  HOUR,
  hourOf,
  IN_FLIGHT,
  LIFETIME,
  LIMIT_TOP,
  line,
  type MakeLedger,
  MINUTE,
  reserveMove,
  SECOND,
  settleMove,
  sliding,
  version,
} from './moves.ts'
import { scene } from './scene.ts'

export function balancesContract(make: MakeLedger): void {
  it('moves available by the difference when a newer limit comes, up and down below what is spent', () =>
    scene(make, async ({ ledger, admit, attempt, balance }) => {
      const first = line('a', 600n)
      const move = await admit([first])
      await ledger.settle(settleMove(move, [first], [500n]))
      await admit([line('a', 100n, { limit: 2_000n, version: version(2) })])
      expect(await balance(first)).toMatchObject({ limit: 2_000n, available: 1_400n, spent: 500n, reserved: 100n })
      await admit([line('a', 0n, { limit: 50n, version: version(3) })])
      expect(await balance(first)).toMatchObject({ limit: 50n, available: -550n })
      expect(await attempt([line('a', 1n, { limit: 50n, version: version(3) })])).toMatchObject({ kind: 'refused' })
      await admit([line('a', 1n, { limit: LIMIT_TOP, version: version(4) })])
      expect(await balance(first)).toMatchObject({ limit: LIMIT_TOP, available: LIMIT_TOP - 601n })
    }))

  it('ignores an older version, and compares the whole tuple', () =>
    scene(make, async ({ admit, attempt, balance }) => {
      await admit([line('a', 1n, { limit: 100n, version: { createdMs: 5, generation: 5, grantMs: 5 } })])
      for (const older of [
        { createdMs: 4, generation: 9, grantMs: 9 },
        { createdMs: 5, generation: 4, grantMs: 9 },
        { createdMs: 5, generation: 5, grantMs: 4 },
      ]) {
        await admit([line('a', 1n, { limit: 900n, version: older })])
        expect(await balance(line('a', 0n))).toMatchObject({ limit: 100n })
      }
      expect(await attempt([line('a', 500n, { limit: 900n, version: { createdMs: 4, generation: 9, grantMs: 9 } })])).toMatchObject({
        kind: 'refused',
        lines: [{ balance: { limit: 100n } }],
      })
      let limit = 200n
      for (const newer of [
        { createdMs: 5, generation: 5, grantMs: 6 },
        { createdMs: 5, generation: 6, grantMs: 0 },
        { createdMs: 6, generation: 0, grantMs: 0 },
      ]) {
        limit += 100n
        await admit([line('a', 1n, { limit, version: newer })])
        expect(await balance(line('a', 0n))).toMatchObject({ limit })
      }
    }))

  it('holds the lower of two limits of the same version', () =>
    scene(make, async ({ admit, balance }) => {
      await admit([line('a', 1n, { limit: 100n })])
      await admit([line('a', 1n, { limit: 200n })])
      expect(await balance(line('a', 0n))).toMatchObject({ limit: 100n, available: 98n })
      await admit([line('a', 1n, { limit: 70n })])
      expect(await balance(line('a', 0n))).toMatchObject({ limit: 70n, available: 67n })
    }))

  it('believes an older version after all when no newer one came for 60 s', () =>
    scene(make, async ({ admit, attempt, balance, pass }) => {
      const newer = { limit: 100n, version: version(7) }
      const older = { limit: 300n, version: version(2) }
      await admit([line('a', 10n, newer)])
      await pass(55 * SECOND)
      await admit([line('a', 10n, newer)])
      await pass(55 * SECOND)
      await admit([line('a', 10n, older)])
      expect(await balance(line('a', 0n))).toMatchObject({ limit: 100n })
      await pass(7 * SECOND)
      await admit([line('a', 10n, older)])
      expect(await balance(line('a', 0n))).toMatchObject({ limit: 300n, available: 260n })
      await admit([line('a', 10n, newer)])
      expect(await balance(line('a', 0n))).toMatchObject({ limit: 100n, available: 50n })
      expect(await attempt([line('a', 60n, older)])).toMatchObject({ kind: 'refused' })
    }))

  it('does not take a version from a refusal', () =>
    scene(make, async ({ admit, attempt, balance }) => {
      await admit([line('a', 10n)])
      expect(await attempt([line('a', 10n, { limit: 5n, version: version(2) })])).toMatchObject({
        kind: 'refused',
        lines: [{ balance: { limit: 5n, available: -5n } }],
      })
      expect(await balance(line('a', 0n))).toMatchObject({ limit: 1_000n, available: 990n })
    }))

  it('starts a calendar window clean, and settles in the window of admission after its end', () =>
    scene(make, async ({ ledger, admit, attempt, balance, pass, advance, now }) => {
      const window = hourOf(await now())
      if (window.kind === 'calendar') await advance(window.endMs - (await now()) - MINUTE)
      const first = line('h', 900n, { window })
      const move = await admit([first])
      expect(await attempt([line('h', 200n, { window })])).toMatchObject({ kind: 'refused' })
      await pass(2 * MINUTE)
      expect(await attempt([line('h', 200n, { window })])).toMatchObject({ kind: 'window-stale' })
      const next = line('h', 1_000n, { window: hourOf(await now()) })
      await admit([next])
      expect(await ledger.settle(settleMove(move, [first], [950n]))).toMatchObject({ kind: 'settled-over' })
      expect(await balance(first)).toMatchObject({ spent: 950n, reserved: 0n, overrun: 50n })
      expect(await balance(next)).toMatchObject({ spent: 0n, reserved: 1_000n, available: 0n })
    }))

  it('slides: what was admitted counts for the span, then no longer', () =>
    scene(make, async ({ ledger, admit, attempt, balance, pass }) => {
      const window = sliding(MINUTE)
      const open = line('s', 600n, { window })
      const move = await admit([open])
      const short = line('s', 300n, { window })
      const settled = await admit([short])
      await ledger.settle(settleMove(settled, [short], [250n]))
      expect(await balance(open)).toMatchObject({ reserved: 600n, spent: 250n, available: 150n })
      await pass(57 * SECOND)
      expect(await attempt([line('s', 151n, { window })])).toMatchObject({ kind: 'refused' })
      await admit([line('s', 150n, { window })])
      await pass(6 * SECOND)
      // Both of the first second slid out, the open one too; what came later still counts.
      expect(await balance(open)).toMatchObject({ reserved: 150n, spent: 0n, available: 850n })
      await admit([line('s', 850n, { window })])
      expect(await ledger.settle(settleMove(move, [open], [700n]))).toMatchObject({ kind: 'settled-over', overrun: [100n] })
      expect(await balance(open)).toMatchObject({ reserved: 1_000n, spent: 0n, overrun: 0n, available: 0n })
    }))

  it('dates a sliding charge by its admission, not by its settlement', () =>
    scene(make, async ({ ledger, admit, balance, pass }) => {
      const window = sliding(MINUTE)
      const of = line('s', 100n, { window })
      const move = await admit([of])
      await pass(40 * SECOND)
      await ledger.settle(settleMove(move, [of], [130n]))
      expect(await balance(of)).toMatchObject({ reserved: 0n, spent: 130n, overrun: 30n })
      await pass(23 * SECOND)
      expect(await balance(of)).toMatchObject({ spent: 0n, overrun: 30n, available: 1_000n })
    }))

  it('moves a sliding limit once, whatever slides meanwhile', () =>
    scene(make, async ({ admit, balance, pass }) => {
      const window = sliding(MINUTE)
      await admit([line('s', 500n, { window })])
      await pass(30 * SECOND)
      await admit([line('s', 100n, { window, limit: 700n, version: version(2) })])
      expect(await balance(line('s', 0n, { window }))).toMatchObject({ limit: 700n, available: 100n })
      await pass(33 * SECOND)
      await admit([line('s', 10n, { window, limit: 900n, version: version(3) })])
      expect(await balance(line('s', 0n, { window }))).toMatchObject({ limit: 900n, available: 790n })
    }))

  it('keeps a lifetime, and an inFlight line for as long as it is open', () =>
    scene(make, async ({ ledger, admit, balance, pass, sweepAll, now }) => {
      const life = line('l', 10n, { window: LIFETIME })
      const flight = line('f', 10n, { window: IN_FLIGHT })
      const move = await admit([life, flight], { deadlineMs: (await now()) + HOUR })
      await pass(10 * SECOND)
      expect(await balance(flight)).toMatchObject({ reserved: 10n })
      await ledger.settle(settleMove(move, [life, flight], [10n, 0n]))
      expect(await balance(flight)).toMatchObject({ reserved: 0n, available: 1_000n })
      for (let day = 0; day < 3; day += 1) {
        await pass(3 * SECOND)
        await ledger.beat(move.holder)
      }
      await sweepAll()
      expect(await balance(life)).toMatchObject({ spent: 10n })
    }))

  it('refuses a clock more than 60 s behind, writes nothing, and goes on when it is back', () =>
    scene(make, async ({ ledger, admit, attempt, balance, advance, now, entries }) => {
      const lines = [line('a', 10n)]
      const move = await admit(lines)
      await advance(-DAY)
      const skewed = { kind: 'clock-skew', storeMs: expect.any(Number) }
      expect(await attempt(lines)).toEqual(skewed)
      expect(await ledger.settle(settleMove(move, lines, [5n]))).toEqual(skewed)
      expect(await ledger.release({ id: move.id, holder: move.holder, lines, how: 'test' })).toEqual(skewed)
      expect(await ledger.beat(move.holder)).toEqual(skewed)
      expect(await ledger.sweep()).toEqual(skewed)
      expect(await balance(line('a', 0n))).toMatchObject({ reserved: 10n })
      expect(await entries()).toHaveLength(1)
      await advance(DAY)
      const at = await now()
      expect(await ledger.reserve(reserveMove(at, lines))).toMatchObject({ kind: 'reserved' })
    }))

  it('never lets store time run backwards', () =>
    scene(make, async ({ ledger, admit, advance, now, entries }) => {
      await admit([line('a', 1n)])
      const before = await now()
      await advance(-50 * SECOND)
      const outcome = await ledger.reserve(reserveMove(before, [line('a', 1n)]))
      expect(outcome).toMatchObject({ kind: 'reserved' })
      expect('storeMs' in outcome ? outcome.storeMs : 0).toBeGreaterThanOrEqual(before - SECOND)
      const times = (await entries()).map(entry => entry.storeMs)
      expect(times).toEqual([...times].sort((a, b) => a - b))
    }))
}
