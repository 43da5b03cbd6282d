// The contract of time: the four kinds of window, and clocks that err.
import { expect, it } from 'vitest'
import {
  adjustMove,
  DAY,
  HOUR,
  holder,
  hourOf,
  IN_FLIGHT,
  LIFETIME,
  line,
  type MakeLedger,
  MINUTE,
  mintId,
  observeMove,
  releaseMove,
  reserveMove,
  SECOND,
  settleMove,
  sliding,
  version,
} from './moves.ts'
import { scene } from './scene.ts'

export function balancesContract(make: MakeLedger): void {
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

  it('ends a calendar window with its last millisecond', () =>
    scene(make, async ({ attempt, advance, now }) => {
      const window = hourOf(await now())
      if (window.kind !== 'calendar') throw new Error('an hour is a calendar window')
      await advance(window.endMs - (await now()))
      expect(await attempt([line('h', 1n, { window })])).toMatchObject({ kind: 'window-stale' })
    }))

  it('slides: what was admitted counts for the span, then no longer', () =>
    scene(make, async ({ ledger, admit, attempt, balance, pass, entries }) => {
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
      // Only the stream tells of it, and that it moved nothing.
      const nothing = { reserved: 0n, spent: 0n, suspense: 0n, overrun: 0n }
      expect((await entries()).at(-1)).toMatchObject({ what: 'settled-over', lines: [{ amount: 700n, moved: nothing }] })
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

  it('refuses a clock more than 60 s behind in every move, writes nothing, and goes on when it is back', () =>
    scene(make, async at => {
      const { ledger, admit, advance } = at
      const lines = [line('m', 10n, { unit: 'USD', floor: 0n }), line('h', 10n, { window: hourOf(await at.now()) })]
      const due = { deadlineMs: (await at.now()) + SECOND }
      const [open, unproven, closed] = [await admit(lines, due), await admit(lines), await admit(lines)]
      await ledger.settle(settleMove(unproven, lines, [5n, 5n], false))
      await ledger.settle(settleMove(closed, lines, [5n, 5n]))
      await advance(2 * SECOND)
      await ledger.beat(open.holder)
      const before = await at.seen()
      await advance(-DAY)
      const unseen = { id: mintId(await at.now()), holder: holder(9) }
      const skewed = { kind: 'clock-skew', storeMs: expect.any(Number) }
      const newer = lines.map(each => ({ ...each, limit: 1n, version: version(2) }))
      for (const outcome of [
        await at.attempt(lines),
        await at.attempt(newer),
        await ledger.reserve(open),
        await ledger.settle(settleMove(open, lines, [5n, 5n])),
        await ledger.settle(settleMove(unproven, lines, [5n, 5n])),
        await ledger.settle(settleMove(unseen, lines, [5n, 5n])),
        await ledger.settle({ ...settleMove(unseen, lines, [5n, 5n]), arrears: true }),
        await ledger.release(releaseMove(open, lines)),
        await ledger.release(releaseMove(unseen, lines)),
        await ledger.observe(observeMove(open.holder, [open, [9n, 9n]])),
        await ledger.adjust(adjustMove(unproven, 1n)),
        await ledger.beat(open.holder),
        await ledger.sweep(),
        await ledger.acknowledge(1),
      ])
        expect(outcome).toEqual(skewed)
      await advance(DAY)
      expect(await at.seen()).toEqual(before)
      expect(await ledger.reserve(reserveMove(await at.now(), lines))).toMatchObject({ kind: 'reserved' })
      // Nor was it observed, or an exporter registered.
      expect(await at.sweepAll()).toEqual({ expired: 1, collected: 0 })
      expect(await at.balance(line('m', 0n, { unit: 'USD' }))).toMatchObject({ spent: 10n, suspense: 5n, reserved: 10n })
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
