// The contract of what happens to a reservation that nobody closes: what was observed of it, what its expiry charges, what proof corrects.
import { expect, it } from 'vitest'
import type { ObserveMove, ReserveMove } from '../../src/core/reservation.ts'
import {
  AMOUNT_TOP,
  holder,
  hourOf,
  IN_FLIGHT,
  line,
  type MakeLedger,
  MINUTE,
  mintId,
  observeMove,
  releaseMove,
  SECOND,
  settleMove,
  sliding,
} from './moves.ts'
import { type Scene, scene } from './scene.ts'

/** [what is reserved, the floor, observations in order, what expiry charges] */
const CHARGES: readonly (readonly [bigint, bigint, readonly bigint[], bigint])[] = [
  // onExpiry: Estimate, whose floor is all of the amount.
  [100n, 100n, [], 100n],
  [100n, 100n, [30n], 100n],
  [100n, 100n, [130n], 130n],
  [100n, 100n, [AMOUNT_TOP], AMOUNT_TOP],
  // onExpiry: Observed, whose floor is what the input costs.
  [100n, 20n, [], 20n],
  [100n, 20n, [10n], 20n],
  [100n, 20n, [20n], 20n],
  [100n, 20n, [60n], 60n],
  [100n, 20n, [130n], 130n],
  [100n, 0n, [], 0n],
  [100n, 0n, [0n], 0n],
  [100n, 0n, [1n], 1n],
  // The larger stays.
  [100n, 20n, [60n, 30n], 60n],
  [100n, 20n, [30n, 60n], 60n],
  [0n, 0n, [5n], 5n],
]

export function observingContract(make: MakeLedger): void {
  it('charges by expiry what was observed, but at least the floor, into suspense', () =>
    scene(make, async at => {
      const cases = CHARGES.map(([amount, floor, observed, charged], index) => ({
        of: line(`l${index}`, amount, { floor }),
        observed,
        charged,
      }))
      const deadlineMs = (await at.now()) + 10 * SECOND
      const moves: ReserveMove[] = []
      for (const { of } of cases) moves.push(await at.admit([of], { deadlineMs }))
      const open = await at.seen()
      for (const [index, { observed }] of cases.entries()) {
        for (const amount of observed)
          expect(
            await at.ledger.observe({ holder: holder(1), progress: [{ id: moves[index]?.id ?? mintId(0), amounts: [amount] }] }),
          ).toEqual({
            kind: 'observed',
            observed: 1,
            storeMs: expect.any(Number),
          })
      }
      expect(await at.seen()).toEqual(open)
      await at.pass(12 * SECOND)
      expect(await at.sweepAll()).toEqual({ expired: cases.length, collected: 0 })
      const told = (await at.entries()).filter(entry => entry.what === 'expired')
      for (const [index, { of, charged }] of cases.entries()) {
        const what = `${of.amount} with a floor of ${of.floor}, observed ${cases[index]?.observed}`
        expect(await at.balance(of), what).toMatchObject({ reserved: 0n, spent: charged, suspense: charged, overrun: 0n })
        expect(told.find(entry => entry.id === moves[index]?.id)).toMatchObject({ how: 'deadline', lines: [{ amount: charged }] })
      }
    }))

  it('charges each line by its own floor and observation, and inFlight lines nothing', () =>
    scene(make, async at => {
      const lines = [
        line('a', 100n, { floor: 10n }),
        line('b', 100n),
        line('h', 100n, { floor: 0n, window: hourOf(await at.now()) }),
        line('s', 100n, { floor: 40n, window: sliding(5 * MINUTE) }),
        line('f', 100n, { floor: 100n, window: IN_FLIGHT }),
      ]
      const move = await at.admit(lines)
      await at.ledger.observe(observeMove(move.holder, [move, [50n, 50n, 0n, 30n, 70n]]))
      await at.ledger.observe(observeMove(move.holder, [move, [40n, 60n, 7n, 0n, 0n]]))
      await at.pass(18 * SECOND)
      expect(await at.sweepAll()).toMatchObject({ expired: 1 })
      for (const [index, spent] of [50n, 100n, 7n, 40n].entries())
        expect(await at.balance(lines[index] ?? line('', 0n))).toMatchObject({ reserved: 0n, spent, suspense: spent, overrun: 0n })
      expect((await at.balance(line('f', 0n, { window: IN_FLIGHT })))?.reserved ?? 0n).toBe(0n)
      expect((await at.entries()).find(entry => entry.what === 'expired')).toMatchObject({ how: 'holder' })
    }))

  it('notes only what is open, its own, and answers its lines one to one', () =>
    scene(make, async at => {
      const lines = [line('a', 100n, { floor: 0n }), line('b', 100n, { floor: 0n })]
      const [mine, closed] = [await at.admit(lines), await at.admit(lines)]
      const others = await at.admit(lines, { holder: holder(2) })
      await at.ledger.settle(settleMove(closed, lines, [1n, 1n], false))
      const unseen = { id: mintId(await at.now()) }
      const both = [5n, 5n]
      const all = observeMove(mine.holder, [unseen, both], [others, both], [closed, both], [mine, [5n]], [mine, [5n, 5n, 5n]], [mine, []])
      const before = await at.seen()
      expect(await at.ledger.observe(all)).toMatchObject({ kind: 'observed', observed: 0 })
      expect(await at.ledger.observe(observeMove(mine.holder))).toMatchObject({ kind: 'observed', observed: 0 })
      expect(await at.ledger.observe(observeMove(mine.holder, [mine, both], [unseen, both]))).toMatchObject({ observed: 1 })
      expect(await at.seen()).toEqual(before)
      await at.pass(18 * SECOND)
      expect(await at.sweepAll()).toMatchObject({ expired: 2 })
      expect(await at.balance(line('a', 0n))).toMatchObject({ spent: 6n, suspense: 6n })
    }))

  it('notes many reservations in one move', () =>
    scene(make, async at => {
      const moves: ReserveMove[] = []
      for (let index = 0; index < 40; index += 1) moves.push(await at.admit([line('a', 10n, { floor: 0n })]))
      const progress = moves.map((move, index) => [move, [BigInt(index)]] as const)
      expect(await at.ledger.observe(observeMove(holder(1), ...progress))).toMatchObject({ observed: 40 })
      await at.pass(18 * SECOND)
      expect(await at.sweepAll()).toMatchObject({ expired: 40 })
      expect(await at.balance(line('a', 0n))).toMatchObject({ spent: 780n, suspense: 780n })
    }))

  it('settles by what it is told, whatever was observed', () =>
    scene(make, async at => {
      const lines = [line('a', 100n)]
      const moves = [await at.admit(lines), await at.admit(lines), await at.admit(lines)] as const
      for (const move of moves) await at.ledger.observe(observeMove(move.holder, [move, [90n]]))
      expect(await at.ledger.settle(settleMove(moves[0], lines, [30n]))).toMatchObject({ kind: 'settled' })
      expect(await at.ledger.settle(settleMove(moves[1], lines, [20n], false))).toMatchObject({ kind: 'settled' })
      expect(await at.ledger.release(releaseMove(moves[2], lines))).toMatchObject({ kind: 'released' })
      expect(await at.balance(line('a', 0n))).toMatchObject({ reserved: 0n, spent: 50n, suspense: 20n, overrun: 0n })
    }))

  it.each([
    [30n, 30n, 0n],
    [0n, 0n, 0n],
    [60n, 60n, 0n],
    [130n, 130n, 30n],
  ])('corrects an expiry at what was observed by a proof of %s, once; overrun comes by proof alone', (actual, spent, overrun) =>
    scene(make, async at => {
      const lines = [line('a', 100n, { floor: 20n })]
      const move = await at.admit(lines, { deadlineMs: (await at.now()) + 10 * SECOND })
      await at.ledger.observe(observeMove(move.holder, [move, [120n]]))
      await at.pass(12 * SECOND)
      await at.sweepAll()
      expect(await at.balance(line('a', 0n))).toMatchObject({ spent: 120n, suspense: 120n, overrun: 0n, available: 880n })
      expect(await at.ledger.settle(settleMove(move, lines, [actual]))).toMatchObject({ kind: 'settled-late' })
      const corrected = { spent, suspense: 0n, overrun, reserved: 0n, available: 1_000n - spent }
      expect(await at.balance(line('a', 0n))).toMatchObject(corrected)
      expect(await at.ledger.settle(settleMove(move, lines, [actual + 1n]))).toMatchObject({ kind: 'conflict' })
      expect(await at.balance(line('a', 0n))).toMatchObject(corrected)
    }),
  )

  it('raises an expiry by a larger charge without proof, once', () =>
    scene(make, async at => {
      const lines = [line('a', 100n, { floor: 20n })]
      const move = await at.admit(lines, { deadlineMs: (await at.now()) + 10 * SECOND })
      await at.pass(12 * SECOND)
      await at.sweepAll()
      for (const [amount, kind, spent] of [
        [15n, 'already-settled', 20n],
        [45n, 'raised', 45n],
        [90n, 'already-settled', 45n],
      ] as const) {
        expect(await at.ledger.settle(settleMove(move, lines, [amount], false))).toMatchObject({ kind })
        expect(await at.balance(line('a', 0n))).toMatchObject({ spent, suspense: spent, overrun: 0n })
      }
    }))

  it('keeps suspense inside what is spent, among charges with proof', () =>
    scene(make, async at => {
      const lines = [line('a', 100n)]
      const [proven, unproven, expired] = [await at.admit(lines), await at.admit(lines), await at.admit(lines, { holder: holder(2) })]
      const expectParts = async (spent: bigint, suspense: bigint): Promise<void> =>
        expect(await at.balance(line('a', 0n))).toMatchObject({ spent, suspense, available: 1_000n - spent - (await reserved(at)) })
      await at.ledger.settle(settleMove(proven, lines, [80n]))
      await expectParts(80n, 0n)
      await at.ledger.settle(settleMove(unproven, lines, [60n], false))
      await expectParts(140n, 60n)
      await at.pass(18 * SECOND)
      await at.sweepAll()
      await expectParts(240n, 160n)
      await at.ledger.settle(settleMove(unproven, lines, [10n]))
      await expectParts(190n, 100n)
      await at.ledger.release(releaseMove(expired, lines))
      await expectParts(90n, 0n)
    }))

  const malformed: [string, (good: ObserveMove) => ObserveMove][] = [
    ['a negative amount', good => ({ ...good, progress: [...good.progress, { id: mintId(0), amounts: [-1n] }] })],
    ['an amount of 2^53', good => ({ ...good, progress: [...good.progress, { id: mintId(0), amounts: [2n ** 53n] }] })],
    ['65 amounts', good => ({ ...good, progress: [...good.progress, { id: mintId(0), amounts: Array.from({ length: 65 }, () => 1n) }] })],
    [
      'an id that is not ours',
      good => ({ ...good, progress: [...good.progress, { id: 'x' as (typeof good.progress)[0]['id'], amounts: [1n] }] }),
    ],
    ['a holder that is not ours', good => ({ ...good, holder: 'pod-1' as typeof good.holder })],
  ]
  it('answers out-of-bounds to what is malformed, and notes nothing of it', () =>
    scene(make, async at => {
      const move = await at.admit([line('a', 100n, { floor: 0n })])
      for (const [what, spoil] of malformed) {
        const spoilt = spoil(observeMove(move.holder, [move, [50n]]))
        expect(await at.ledger.observe(spoilt), what).toEqual({ kind: 'out-of-bounds', why: expect.any(String) })
      }
      await at.pass(18 * SECOND)
      expect(await at.sweepAll()).toMatchObject({ expired: 1 })
      expect(await at.balance(line('a', 0n))).toMatchObject({ spent: 0n, reserved: 0n })
    }))
}

const reserved = async ({ balance }: Scene): Promise<bigint> => (await balance(line('a', 0n)))?.reserved ?? 0n
