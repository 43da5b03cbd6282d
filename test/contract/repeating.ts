// The contract of deliveries: every move is idempotent by its id, and what comes late or out of order charges once, or nothing.
import { describe, expect, it } from 'vitest'
import type { Line, ReserveMove } from '../../src/core/reservation.ts'
import type { Ledger } from '../../src/ports.ts'
import {
  adjustMove,
  HOUR,
  holder,
  hourOf,
  IN_FLIGHT,
  line,
  type MakeLedger,
  MINUTE,
  observeMove,
  releaseMove,
  reserveMove,
  SECOND,
  settleMove,
  sliding,
} from './moves.ts'
import { type Scene, scene } from './scene.ts'

type Act = (ledger: Ledger, move: ReserveMove, lines: readonly Line[]) => Promise<{ readonly kind: string }>

/** [what is repeated, the outcome of the first, of the second, the act, what comes before both] */
type Repeated = readonly [string, string, string, Act, ...Act[]]

const reserve: Act = (ledger, move) => ledger.reserve(move)
const release: Act = (ledger, move, lines) => ledger.release(releaseMove(move, lines))
const settle =
  (percent: bigint, proven: boolean, arrears = false): Act =>
  (ledger, move, lines) => {
    const amounts = lines.map(each => (each.amount * percent) / 100n)
    return ledger.settle({ ...settleMove(move, lines, amounts, proven), arrears })
  }
const observe: Act = (ledger, move, lines) => ledger.observe(observeMove(move.holder, [move, lines.map(each => each.amount / 2n)]))
const ADJUSTMENT = { adjustId: 'a'.repeat(32), actual: 70n, reason: 'the bill' }
const adjust: Act = (ledger, move) => ledger.adjust({ ...ADJUSTMENT, id: move.id })
const beat: Act = (ledger, move) => ledger.beat(move.holder)
const sweep: Act = ledger => ledger.sweep()
const acknowledge: Act = ledger => ledger.acknowledge(1)

const REPEATED: readonly Repeated[] = [
  ['reserve', 'reserved', 'exists', reserve],
  ['settlement', 'settled', 'already-settled', settle(80n, true), reserve],
  ['settlement beyond the reservation', 'settled-over', 'already-settled', settle(150n, true), reserve],
  ['settlement without proof', 'settled', 'already-settled', settle(50n, false), reserve],
  ['larger settlement without proof', 'raised', 'already-settled', settle(90n, false), reserve, settle(50n, false)],
  ['late proof', 'settled-late', 'already-settled', settle(80n, true), reserve, settle(50n, false)],
  ['proof after a release', 'settled-late', 'already-settled', settle(80n, true), reserve, release],
  ['proof after a tombstone', 'settled-late', 'already-settled', settle(80n, true), release],
  ['settlement of a lost reserve', 'reasserted', 'already-settled', settle(80n, true)],
  ['charge in arrears', 'arrears', 'already-settled', settle(80n, true, true)],
  ['charge in arrears without proof', 'arrears', 'already-settled', settle(80n, false, true)],
  ['contradiction', 'conflict', 'conflict', settle(70n, true), reserve, settle(80n, true)],
  ['release', 'released', 'already-released', release, reserve],
  ['release of what was settled', 'already-settled', 'already-settled', release, reserve, settle(80n, true)],
  ['release of an id not seen', 'tombstoned', 'tombstoned', release],
  ['observation', 'observed', 'observed', observe, reserve],
  ['adjustment', 'adjusted', 'already-adjusted', adjust, reserve, settle(50n, false)],
  ['adjustment upwards', 'adjusted', 'already-adjusted', adjust, reserve, settle(10n, true)],
  ['beat', 'beating', 'beating', beat, reserve],
  ['sweep', 'swept', 'swept', sweep, reserve],
  ['acknowledgement', 'acknowledged', 'acknowledged', acknowledge, reserve],
]

export function repeatingContract(make: MakeLedger): void {
  describe('the same again moves nothing', () => {
    it.each(REPEATED.map(row => [row[0], row] as const))('%s', (_, [, first, second, act, ...before]) =>
      scene(make, async at => {
        const nowMs = await at.now()
        const lines = [
          line('m', 100n, { unit: 'USD' }),
          line('h', 100n, { window: hourOf(nowMs) }),
          line('s', 100n, { window: sliding(HOUR) }),
          line('f', 100n, { window: IN_FLIGHT }),
        ]
        const move = reserveMove(nowMs, lines)
        for (const each of before) await each(at.ledger, move, lines)
        const from = await at.seen()
        expect((await act(at.ledger, move, lines)).kind).toBe(first)
        const once = await at.seen()
        if (first !== second) expect(once).not.toEqual(from)
        await at.pass(2 * SECOND)
        for (let again = 0; again < 2; again += 1) {
          expect((await act(at.ledger, move, lines)).kind).toBe(second)
          expect(await at.seen()).toEqual(once)
        }
      }),
    )
  })

  it('refuses a reserve that comes after its release: as a tombstone for 60 s, as too late from then on', () =>
    scene(make, async at => {
      const lines = [line('a', 100n), line('f', 1n, { window: IN_FLIGHT })]
      const move = reserveMove(await at.now(), lines, { notAfterMs: (await at.now()) + 5 * SECOND })
      expect(await at.ledger.release(releaseMove(move, lines))).toMatchObject({ kind: 'tombstoned' })
      const buried = await at.seen()
      await at.pass(4 * SECOND)
      expect(await at.ledger.reserve(move)).toMatchObject({ kind: 'tombstoned' })
      await at.pass(53 * SECOND)
      await at.sweepAll()
      expect(await at.ledger.reserve(move)).toMatchObject({ kind: 'tombstoned' })
      expect(await at.seen()).toEqual(buried)
      await at.pass(33 * SECOND)
      await at.sweepAll()
      expect(await at.reservations(false)).toEqual([])
      // 90 s after it was sent, with the tombstone collected.
      expect(await at.ledger.reserve(move)).toMatchObject({ kind: 'too-late' })
      expect(await at.seen()).toEqual({ seq: buried.seq, balances: [], reservations: [] })
    }))

  it('leaves no time between the last reserve that a tombstone stops and the first that is too late', () =>
    scene(make, async at => {
      const lines = [line('a', 100n)]
      const move = reserveMove(await at.now(), lines, { notAfterMs: (await at.now()) + 5 * SECOND })
      await at.ledger.release(releaseMove(move, lines))
      for (let seconds = 0; seconds < 90; seconds += 3) {
        await at.pass(3 * SECOND)
        await at.sweepAll()
        expect((await at.ledger.reserve(move)).kind).toMatch(/^(tombstoned|too-late)$/)
      }
      expect(await at.balance(line('a', 0n))).toBeNull()
    }))

  it('charges a settlement that comes 90 s late exactly once: its holder gone and swept, or nobody swept', () =>
    scene(make, async at => {
      const lines = [line('a', 100n), line('m', 50n, { unit: 'USD' })]
      const mine = { holder: holder(1), deadlineMs: (await at.now()) + 30 * MINUTE }
      const [swept, over] = [await at.admit(lines, mine), await at.admit(lines, mine)]
      await at.pass(21 * SECOND)
      expect(await at.sweepAll()).toEqual({ expired: 2, collected: 0 })
      const left = await at.admit(lines, { ...mine, holder: holder(2) })
      await at.pass(69 * SECOND)
      for (const [move, first, amounts] of [
        [swept, 'settled-late', [30n, 20n]],
        [over, 'settled-late', [130n, 20n]],
        [left, 'settled', [30n, 20n]],
      ] as const) {
        const late = settleMove(move, lines, amounts)
        expect(await at.ledger.settle(late)).toMatchObject({ kind: first })
        expect(await at.ledger.settle(late)).toMatchObject({ kind: 'already-settled' })
        expect(await at.ledger.release(releaseMove(move, lines))).toMatchObject({ kind: 'already-settled' })
        expect(await at.ledger.settle(settleMove(move, lines, [1n, 1n]))).toMatchObject({ kind: 'conflict' })
      }
      expect(await at.sweepAll()).toEqual({ expired: 0, collected: 0 })
      expect(await at.balance(line('a', 0n))).toMatchObject({ spent: 190n, suspense: 0n, reserved: 0n, overrun: 30n })
      expect(await at.balance(line('m', 0n, { unit: 'USD' }))).toMatchObject({ spent: 60n, suspense: 0n, reserved: 0n, overrun: 0n })
    }))

  it('charges once where the settlement of a lost reserve overtakes the reserve', () =>
    scene(make, async at => {
      const lines = [line('a', 100n)]
      const move = reserveMove(await at.now(), lines)
      expect(await at.ledger.settle(settleMove(move, lines, [70n]))).toMatchObject({ kind: 'reasserted' })
      expect(await at.ledger.reserve(move)).toMatchObject({ kind: 'exists', open: false })
      expect(await at.balance(line('a', 0n))).toMatchObject({ spent: 70n, reserved: 0n })
    }))

  it('leaves a reservation as it is where an old adjustment comes again after another one', () =>
    scene(make, async at => {
      const lines = [line('m', 100n, { unit: 'USD' })]
      const move = await at.admit(lines)
      await at.ledger.settle(settleMove(move, lines, [50n], false))
      const [low, high] = [adjustMove(move, 20n), adjustMove(move, 60n)]
      for (const each of [low, high]) expect(await at.ledger.adjust(each)).toMatchObject({ kind: 'adjusted' })
      const both = await at.seen()
      expect((await at.ledger.adjust(low)).kind).not.toBe('adjusted')
      expect(await at.ledger.adjust(high)).toMatchObject({ kind: 'already-adjusted' })
      expect(await at.seen()).toEqual(both)
      await expectSpent(at, 60n)
    }))
}

async function expectSpent({ balance }: Scene, spent: bigint): Promise<void> {
  expect(await balance(line('m', 0n, { unit: 'USD' }))).toMatchObject({ spent, suspense: 0n, reserved: 0n })
}
