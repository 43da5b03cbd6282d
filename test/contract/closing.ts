// The contract of endings: every state against every proof, as a table of what happens to one reservation of 100 on a limit of 1,000.
import { describe, expect, it } from 'vitest'
import type { Line } from '../../src/core/reservation.ts'
import {
  AMOUNT_TOP,
  HOUR,
  holder,
  IN_FLIGHT,
  line,
  type MakeLedger,
  MINUTE,
  mintId,
  releaseMove,
  reserveMove,
  settleMove,
  sliding,
} from './moves.ts'
import { type Scene, scene } from './scene.ts'

type Act = readonly ['proven' | 'unproven', bigint, string] | readonly ['release' | 'reserve' | 'expire', string]

const RESERVED: Act = ['reserve', 'reserved']
const EXPIRED: Act = ['expire', 'swept']

/** [acts with their outcomes, spent, suspense, overrun, reserved, state at the end] */
const TABLE: readonly (readonly [readonly Act[], bigint, bigint, bigint, bigint, string])[] = [
  [[RESERVED], 0n, 0n, 0n, 100n, 'open'],
  [[RESERVED, ['proven', 30n, 'settled']], 30n, 0n, 0n, 0n, 'settled-proven'],
  [[RESERVED, ['proven', 0n, 'settled']], 0n, 0n, 0n, 0n, 'settled-proven'],
  [[RESERVED, ['proven', 100n, 'settled']], 100n, 0n, 0n, 0n, 'settled-proven'],
  [[RESERVED, ['proven', 130n, 'settled-over']], 130n, 0n, 30n, 0n, 'settled-proven'],
  [[RESERVED, ['proven', AMOUNT_TOP, 'settled-over']], AMOUNT_TOP, 0n, AMOUNT_TOP - 100n, 0n, 'settled-proven'],
  [[RESERVED, ['unproven', 40n, 'settled']], 40n, 40n, 0n, 0n, 'settled-unproven'],
  [[RESERVED, ['unproven', 140n, 'settled']], 140n, 140n, 0n, 0n, 'settled-unproven'],
  [[RESERVED, ['release', 'released']], 0n, 0n, 0n, 0n, 'released'],
  [[RESERVED, EXPIRED], 100n, 100n, 0n, 0n, 'expired'],
  // Proof stands.
  [[RESERVED, ['proven', 30n, 'settled'], ['proven', 30n, 'already-settled']], 30n, 0n, 0n, 0n, 'settled-proven'],
  [[RESERVED, ['proven', 30n, 'settled'], ['proven', 31n, 'conflict']], 30n, 0n, 0n, 0n, 'settled-proven'],
  [[RESERVED, ['proven', 30n, 'settled'], ['proven', 0n, 'conflict']], 30n, 0n, 0n, 0n, 'settled-proven'],
  [[RESERVED, ['proven', 30n, 'settled'], ['unproven', 90n, 'already-settled']], 30n, 0n, 0n, 0n, 'settled-proven'],
  [[RESERVED, ['proven', 30n, 'settled'], ['release', 'already-settled']], 30n, 0n, 0n, 0n, 'settled-proven'],
  [[RESERVED, ['proven', 130n, 'settled-over'], ['proven', 130n, 'already-settled']], 130n, 0n, 30n, 0n, 'settled-proven'],
  // Unproven, then proof, once.
  [[RESERVED, ['unproven', 40n, 'settled'], ['proven', 70n, 'settled-late']], 70n, 0n, 0n, 0n, 'settled-proven'],
  [[RESERVED, ['unproven', 40n, 'settled'], ['proven', 40n, 'settled-late']], 40n, 0n, 0n, 0n, 'settled-proven'],
  [[RESERVED, ['unproven', 40n, 'settled'], ['proven', 0n, 'settled-late']], 0n, 0n, 0n, 0n, 'settled-proven'],
  [[RESERVED, ['unproven', 40n, 'settled'], ['proven', 130n, 'settled-late']], 130n, 0n, 30n, 0n, 'settled-proven'],
  [
    [RESERVED, ['unproven', 40n, 'settled'], ['proven', 70n, 'settled-late'], ['proven', 71n, 'conflict']],
    70n,
    0n,
    0n,
    0n,
    'settled-proven',
  ],
  [[RESERVED, ['unproven', 40n, 'settled'], ['release', 'settled-late']], 0n, 0n, 0n, 0n, 'settled-proven'],
  // Unproven again: the larger, once.
  [[RESERVED, ['unproven', 40n, 'settled'], ['unproven', 40n, 'already-settled']], 40n, 40n, 0n, 0n, 'settled-unproven'],
  [[RESERVED, ['unproven', 40n, 'settled'], ['unproven', 30n, 'already-settled']], 40n, 40n, 0n, 0n, 'settled-unproven'],
  [[RESERVED, ['unproven', 40n, 'settled'], ['unproven', 60n, 'raised']], 60n, 60n, 0n, 0n, 'settled-unproven'],
  [
    [RESERVED, ['unproven', 40n, 'settled'], ['unproven', 60n, 'raised'], ['unproven', 90n, 'already-settled']],
    60n,
    60n,
    0n,
    0n,
    'settled-unproven',
  ],
  [
    [RESERVED, ['unproven', 40n, 'settled'], ['unproven', 60n, 'raised'], ['proven', 20n, 'settled-late']],
    20n,
    0n,
    0n,
    0n,
    'settled-proven',
  ],
  // Expired, then proof.
  [[RESERVED, EXPIRED, ['proven', 30n, 'settled-late']], 30n, 0n, 0n, 0n, 'settled-proven'],
  [[RESERVED, EXPIRED, ['proven', 130n, 'settled-late']], 130n, 0n, 30n, 0n, 'settled-proven'],
  [[RESERVED, EXPIRED, ['proven', 30n, 'settled-late'], ['proven', 30n, 'already-settled']], 30n, 0n, 0n, 0n, 'settled-proven'],
  [[RESERVED, EXPIRED, ['proven', 30n, 'settled-late'], ['proven', 29n, 'conflict']], 30n, 0n, 0n, 0n, 'settled-proven'],
  [[RESERVED, EXPIRED, ['unproven', 50n, 'already-settled']], 100n, 100n, 0n, 0n, 'expired'],
  [[RESERVED, EXPIRED, ['unproven', 150n, 'raised']], 150n, 150n, 0n, 0n, 'expired'],
  [[RESERVED, EXPIRED, ['unproven', 150n, 'raised'], ['proven', 150n, 'settled-late']], 150n, 0n, 50n, 0n, 'settled-proven'],
  [[RESERVED, EXPIRED, ['release', 'settled-late']], 0n, 0n, 0n, 0n, 'settled-proven'],
  [[RESERVED, EXPIRED, ['release', 'settled-late'], ['release', 'already-settled']], 0n, 0n, 0n, 0n, 'settled-proven'],
  [[RESERVED, EXPIRED, ['release', 'settled-late'], ['proven', 10n, 'conflict']], 0n, 0n, 0n, 0n, 'settled-proven'],
  // Released, then usage after all.
  [[RESERVED, ['release', 'released'], ['release', 'already-released']], 0n, 0n, 0n, 0n, 'released'],
  [[RESERVED, ['release', 'released'], ['proven', 0n, 'already-settled']], 0n, 0n, 0n, 0n, 'released'],
  [[RESERVED, ['release', 'released'], ['unproven', 25n, 'already-settled']], 0n, 0n, 0n, 0n, 'released'],
  [[RESERVED, ['release', 'released'], ['proven', 25n, 'settled-late']], 25n, 0n, 0n, 0n, 'settled-proven'],
  [
    [RESERVED, ['release', 'released'], ['proven', 125n, 'settled-late'], ['proven', 125n, 'already-settled']],
    125n,
    0n,
    25n,
    0n,
    'settled-proven',
  ],
  // Never seen: a tombstone, or a reserve that was lost.
  [
    [
      ['release', 'tombstoned'],
      ['release', 'tombstoned'],
    ],
    0n,
    0n,
    0n,
    0n,
    'tombstone',
  ],
  [
    [
      ['release', 'tombstoned'],
      ['proven', 0n, 'already-settled'],
    ],
    0n,
    0n,
    0n,
    0n,
    'tombstone',
  ],
  [
    [
      ['release', 'tombstoned'],
      ['unproven', 9n, 'already-settled'],
    ],
    0n,
    0n,
    0n,
    0n,
    'tombstone',
  ],
  [
    [
      ['release', 'tombstoned'],
      ['proven', 120n, 'settled-late'],
      ['proven', 120n, 'already-settled'],
    ],
    120n,
    0n,
    20n,
    0n,
    'settled-proven',
  ],
  [[['proven', 30n, 'reasserted']], 30n, 0n, 0n, 0n, 'settled-proven'],
  [[['proven', 130n, 'reasserted']], 130n, 0n, 30n, 0n, 'settled-proven'],
  [
    [
      ['proven', 30n, 'reasserted'],
      ['proven', 30n, 'already-settled'],
      ['proven', 31n, 'conflict'],
    ],
    30n,
    0n,
    0n,
    0n,
    'settled-proven',
  ],
  [[['unproven', 30n, 'reasserted']], 30n, 30n, 0n, 0n, 'settled-unproven'],
  [
    [
      ['unproven', 30n, 'reasserted'],
      ['proven', 20n, 'settled-late'],
    ],
    20n,
    0n,
    0n,
    0n,
    'settled-proven',
  ],
  [
    [
      ['proven', 30n, 'reasserted'],
      ['reserve', 'exists'],
    ],
    30n,
    0n,
    0n,
    0n,
    'settled-proven',
  ],
]

const told = (acts: readonly Act[]): string =>
  acts.map(act => (act.length === 3 ? `${act[0]} ${act[1]}: ${act[2]}` : act.join(': '))).join(', then ')

export function closingContract(make: MakeLedger): void {
  describe('the table of states and proofs', () => {
    it.each(TABLE.map(row => [told(row[0]), row] as const))('%s', (_, [acts, spent, suspense, overrun, reserved, state]) =>
      scene(make, async at => {
        const lines = [line('a', 100n)]
        const move = reserveMove(await at.now(), lines, { deadlineMs: (await at.now()) + MINUTE })
        for (const act of acts) expect((await play(at, move, lines, act)).kind, told([act])).toBe(act.at(-1))
        const balance = await at.balance(line('a', 0n))
        if (spent + reserved > 0n || state === 'open') expect(balance).not.toBeNull()
        const { spent: s, suspense: u, overrun: o, reserved: r } = balance ?? { spent: 0n, suspense: 0n, overrun: 0n, reserved: 0n }
        expect({ spent: s, suspense: u, overrun: o, reserved: r }).toEqual({ spent, suspense, overrun, reserved })
        expect(await at.reservations(false)).toMatchObject([{ id: move.id, holder: move.holder, state }])
        expect(await at.reservations(true)).toHaveLength(state === 'open' ? 1 : 0)
      }),
    )
  })

  it('names the overrun of each line', () =>
    scene(make, async ({ ledger, admit }) => {
      const lines = [line('a', 100n), line('b', 10n), line('c', 1n)]
      const move = await admit(lines)
      expect(await ledger.settle(settleMove(move, lines, [90n, 15n, 1n]))).toEqual({
        kind: 'settled-over',
        overrun: [0n, 5n, 0n],
        storeMs: expect.any(Number),
      })
    }))

  it('takes the larger line by line when it is unproven twice', () =>
    scene(make, async ({ ledger, admit, balance }) => {
      const lines = [line('a', 100n), line('b', 100n)]
      const move = await admit(lines)
      await ledger.settle(settleMove(move, lines, [50n, 60n], false))
      expect(await ledger.settle(settleMove(move, lines, [70n, 10n], false))).toMatchObject({ kind: 'raised' })
      expect(await balance(line('a', 0n))).toMatchObject({ spent: 70n, suspense: 70n })
      expect(await balance(line('b', 0n))).toMatchObject({ spent: 60n, suspense: 60n })
    }))

  it('settles inFlight lines to 0, whatever was used, and however it ends', () =>
    scene(make, async ({ ledger, admit, attempt, balance, pass, sweepAll, now }) => {
      const flight = line('f', 60n, { window: IN_FLIGHT, limit: 100n })
      const lines = [line('a', 10n), flight]
      const first = await admit(lines)
      expect(await attempt(lines)).toMatchObject({ kind: 'refused', lines: [{ index: 1, balance: { available: 40n } }] })
      expect(await ledger.settle(settleMove(first, lines, [10n, 500n]))).toMatchObject({ kind: 'settled' })
      expect(await ledger.settle(settleMove(first, lines, [10n, 0n]))).toMatchObject({ kind: 'already-settled' })
      expect(await balance(flight)).toMatchObject({ available: 100n, spent: 0n, overrun: 0n })
      const second = await admit(lines, { deadlineMs: (await now()) + MINUTE })
      await pass(70_000)
      expect(await sweepAll()).toMatchObject({ expired: 1 })
      expect(await balance(line('a', 0n))).toMatchObject({ spent: 20n, suspense: 10n })
      expect((await balance(flight))?.reserved ?? 0n).toBe(0n)
      expect(await ledger.settle(settleMove(second, lines, [4n, 60n]))).toMatchObject({ kind: 'settled-late' })
      expect((await balance(flight))?.spent ?? 0n).toBe(0n)
    }))

  it('charges a lost reserve once, from its lines, whatever the limit', () =>
    scene(make, async ({ ledger, balance, now, admit }) => {
      await admit([line('a', 900n)])
      const lost = { id: mintId((await now()) - HOUR), holder: holder(2) }
      const lines = [line('a', 200n), line('b', 1n, { window: sliding(MINUTE) })]
      expect(await ledger.settle(settleMove(lost, lines, [200n, 1n]))).toEqual({ kind: 'reasserted', storeMs: expect.any(Number) })
      expect(await balance(line('a', 0n))).toMatchObject({ available: -100n, spent: 200n, reserved: 900n })
      // Dated by its id, it slid out an hour ago.
      expect((await balance(line('b', 0n, { window: sliding(MINUTE) })))?.spent ?? 0n).toBe(0n)
    }))

  it('forgets ids older than any record', () =>
    scene(make, async ({ ledger, balance, now, entries }) => {
      const old = { id: mintId((await now()) - 25 * HOUR), holder: holder(2) }
      for (const proven of [true, false])
        expect(await ledger.settle(settleMove(old, [line('a', 5n)], [5n], proven))).toEqual({
          kind: 'forgotten',
          storeMs: expect.any(Number),
        })
      expect(await balance(line('a', 0n))).toBeNull()
      expect(await entries()).toEqual([])
    }))

  const malformed: [string, readonly Line[], readonly bigint[]][] = [
    ['a negative amount', [line('a', 100n)], [-1n]],
    ['an amount of 2^53', [line('a', 100n)], [2n ** 53n]],
    ['too few amounts', [line('a', 100n)], []],
    ['too many amounts', [line('a', 100n)], [1n, 1n]],
    ['no lines', [], []],
    ['other lines than were reserved', [line('b', 100n)], [1n]],
    ['more lines than were reserved', [line('a', 100n), line('b', 1n)], [1n, 1n]],
  ]
  it('answers out-of-bounds to what is malformed, and moves nothing', () =>
    scene(make, async at => {
      const move = await at.admit([line('a', 100n)])
      const before = await at.seen()
      for (const [what, lines, amounts] of malformed) {
        const outcome = await at.ledger.settle(settleMove(move, lines, amounts))
        expect(outcome, what).toEqual({ kind: 'out-of-bounds', why: expect.any(String) })
        expect(await at.seen(), what).toEqual(before)
      }
    }))
}

async function play(
  { ledger, pass }: Scene,
  move: ReturnType<typeof reserveMove>,
  lines: readonly Line[],
  act: Act,
): Promise<{ kind: string }> {
  switch (act[0]) {
    case 'reserve':
      return ledger.reserve(move)
    case 'release':
      return ledger.release(releaseMove(move, lines))
    case 'expire':
      await pass(70_000)
      return ledger.sweep()
    default:
      return ledger.settle(settleMove(move, lines, [act[1]], act[0] === 'proven'))
  }
}
