// The contract of corrections from outside: an operator's word, charges made while the store was away, proof that comes under a response's id.
import { describe, expect, it } from 'vitest'
import type { AdjustMove } from '../../src/core/reservation.ts'
import {
  AMOUNT_TOP,
  adjustMove,
  DAY,
  HOUR,
  holder,
  hourOf,
  IN_FLIGHT,
  line,
  type MakeLedger,
  MINUTE,
  mintId,
  releaseMove,
  reserveMove,
  SECOND,
  settleMove,
  sliding,
} from './moves.ts'
import { leap, type Scene, scene } from './scene.ts'

type End = readonly ['proven' | 'unproven', bigint] | readonly ['release' | 'expire' | 'open' | 'bury', null]

/** [how it ended after 100 were reserved, what the operator says, the outcome, spent, suspense, overrun] */
const TABLE: readonly (readonly [End, bigint, string, bigint, bigint, bigint])[] = [
  [['expire', null], 30n, 'adjusted', 30n, 0n, 0n],
  [['expire', null], 0n, 'adjusted', 0n, 0n, 0n],
  [['expire', null], 100n, 'adjusted', 100n, 0n, 0n],
  [['expire', null], 130n, 'adjusted', 130n, 0n, 30n],
  [['expire', null], AMOUNT_TOP, 'adjusted', AMOUNT_TOP, 0n, AMOUNT_TOP - 100n],
  [['unproven', 40n], 10n, 'adjusted', 10n, 0n, 0n],
  [['unproven', 40n], 70n, 'adjusted', 70n, 0n, 0n],
  [['unproven', 140n], 120n, 'adjusted', 120n, 0n, 20n],
  // What is proven is only added to.
  [['proven', 30n], 50n, 'adjusted', 50n, 0n, 0n],
  [['proven', 30n], 130n, 'adjusted', 130n, 0n, 30n],
  [['proven', 130n], 150n, 'adjusted', 150n, 0n, 50n],
  [['proven', 30n], 29n, 'not-in-suspense', 30n, 0n, 0n],
  [['proven', 130n], 110n, 'not-in-suspense', 130n, 0n, 30n],
  [['release', null], 25n, 'adjusted', 25n, 0n, 0n],
  [['release', null], 125n, 'adjusted', 125n, 0n, 25n],
  [['open', null], 25n, 'still-open', 0n, 0n, 0n],
  [['bury', null], 25n, 'forgotten', 0n, 0n, 0n],
]

export function adjustingContract(make: MakeLedger): void {
  describe('an adjustment of each state', () => {
    it.each(TABLE)('%s, adjusted to %s: %s', (end, actual, kind, spent, suspense, overrun) =>
      scene(make, async at => {
        const money = line('m', 100n, { unit: 'USD', limit: 10_000n })
        const other = await at.admit([money])
        await at.ledger.settle(settleMove(other, [money], [7n], false))
        const move = await ended(at, end)
        const before = await at.seen()
        const adjustment = adjustMove(move, actual)
        expect(await at.ledger.adjust(adjustment)).toEqual({ kind, storeMs: expect.any(Number) })
        expect(await at.balance(money)).toMatchObject({ spent: spent + 7n, suspense: suspense + 7n, overrun })
        if (kind !== 'adjusted') {
          expect(await at.seen()).toEqual(before)
          return
        }
        expect(await at.ledger.settle(settleMove(move, [money], [actual]))).toMatchObject({ kind: 'already-settled' })
        if (actual > 0n) expect(await at.ledger.settle(settleMove(move, [money], [actual - 1n]))).toMatchObject({ kind: 'conflict' })
        expect(await at.entries()).toHaveLength(before.seq + 1)
        expect((await at.entries()).at(-1)).toMatchObject({
          what: 'adjusted',
          id: move.id,
          how: `${adjustment.adjustId} ${adjustment.reason}`,
          lines: [{ key: money.key, amount: actual, balance: { spent: spent + 7n } }],
        })
      }),
    )
  })

  it('charges every USD line alike, and leaves the others as they were charged, proven from now on', () =>
    scene(make, async at => {
      const lines = [
        line('m', 100n, { unit: 'USD' }),
        line('n', 100n, { unit: 'USD', window: sliding(HOUR) }),
        line('t', 100n),
        line('r', 1n, { unit: 'Requests' }),
        line('f', 1n, { unit: 'Requests', window: IN_FLIGHT }),
      ]
      const move = await at.admit(lines)
      await at.pass(18 * SECOND)
      expect(await at.sweepAll()).toMatchObject({ expired: 1 })
      expect(await at.ledger.adjust(adjustMove(move, 30n))).toMatchObject({ kind: 'adjusted' })
      for (const [index, spent] of [30n, 30n, 100n, 1n].entries())
        expect(await at.balance(lines[index] ?? line('', 0n))).toMatchObject({ spent, suspense: 0n, reserved: 0n })
      expect((await at.balance(lines[4] ?? line('', 0n)))?.spent ?? 0n).toBe(0n)
      expect(await at.ledger.settle(settleMove(move, lines, [30n, 30n, 100n, 1n, 1n]))).toMatchObject({ kind: 'already-settled' })
    }))

  it('knows no money where no line is in USD, or only one that counts what is in flight', () =>
    scene(make, async at => {
      for (const lines of [[line('t', 5n)], [line('t', 5n), line('f', 5n, { unit: 'USD', window: IN_FLIGHT })]]) {
        const move = await at.admit(lines)
        await at.ledger.settle(settleMove(move, lines, [3n, 0n].slice(0, lines.length), false))
        expect(await at.ledger.adjust(adjustMove(move, 1n))).toEqual({ kind: 'no-money', storeMs: expect.any(Number) })
      }
      expect(await at.balance(line('t', 0n))).toMatchObject({ spent: 6n, suspense: 6n })
    }))

  it('corrects what is left of a reservation whose window was collected, and does not bring the window back', () =>
    scene(make, async at => {
      const lines = [line('h', 100n, { unit: 'USD', window: hourOf(await at.now()) }), line('m', 100n, { unit: 'USD' })]
      const move = await at.admit(lines)
      await leap(at, 4 * HOUR)
      expect(await at.sweepAll()).toEqual({ expired: 1, collected: 1 })
      expect(await at.ledger.adjust(adjustMove(move, 40n))).toMatchObject({ kind: 'adjusted' })
      expect(await at.balance(lines[0] ?? line('', 0n))).toBeNull()
      expect(await at.balance(lines[1] ?? line('', 0n))).toMatchObject({ spent: 40n, suspense: 0n })
      expect((await at.entries()).at(-1)?.lines).toHaveLength(1)
      expect(await at.sweepAll()).toEqual({ expired: 0, collected: 0 })
    }))

  it('adjusts again under another id, upwards only', () =>
    scene(make, async at => {
      const move = await ended(at, ['expire', null])
      for (const [actual, kind] of [
        [40n, 'adjusted'],
        [50n, 'adjusted'],
        [45n, 'not-in-suspense'],
      ] as const)
        expect(await at.ledger.adjust(adjustMove(move, actual))).toMatchObject({ kind })
      expect(await at.balance(line('m', 0n, { unit: 'USD' }))).toMatchObject({ spent: 50n, suspense: 0n })
    }))

  it('remembers an adjusted reservation for 24 h: a settlement that was long under way does not charge it again', () =>
    scene(make, async at => {
      const money = line('m', 100n, { unit: 'USD', limit: 10_000n })
      const move = await ended(at, ['expire', null])
      await at.ledger.adjust(adjustMove(move, 40n))
      await leap(at, 23 * HOUR)
      await at.sweepAll()
      expect(await at.ledger.settle(settleMove(move, [money], [40n]))).toMatchObject({ kind: 'already-settled' })
      expect(await at.ledger.settle(settleMove(move, [money], [60n]))).toMatchObject({ kind: 'conflict' })
      await leap(at, 2 * HOUR)
      await at.sweepAll()
      expect(await at.reservations(false)).toEqual([])
      expect(await at.ledger.adjust(adjustMove(move, 10n))).toMatchObject({ kind: 'forgotten' })
      expect(await at.ledger.settle(settleMove(move, [money], [60n]))).toMatchObject({ kind: 'forgotten' })
      expect(await at.balance(money)).toMatchObject({ spent: 40n, suspense: 0n })
    }))

  const malformed: [string, Partial<AdjustMove>][] = [
    ['a negative amount', { actual: -1n }],
    ['an amount of 2^53', { actual: 2n ** 53n }],
    ['an id that is not ours', { id: 'resp_1' as AdjustMove['id'] }],
    ['an adjustment without an id', { adjustId: '' }],
    ['a reason of two lines', { reason: 'a\nb' }],
    ['no reason', { reason: '' }],
    ['a reason without end', { reason: 'a'.repeat(201) }],
  ]
  it('answers out-of-bounds to what is malformed, and moves nothing', () =>
    scene(make, async at => {
      const move = await ended(at, ['expire', null])
      const before = await at.seen()
      for (const [what, changes] of malformed) {
        const outcome = await at.ledger.adjust({ ...adjustMove(move, 40n), ...changes })
        expect(outcome, what).toEqual({ kind: 'out-of-bounds', why: expect.any(String) })
        expect(await at.seen(), what).toEqual(before)
      }
    }))

  arrearsContract(make)
  responsesContract(make)
}

function arrearsContract(make: MakeLedger): void {
  it('posts what was admitted while the store was away, whatever the limit, and says so', () =>
    scene(make, async at => {
      await at.admit([line('a', 900n)])
      const away = { id: mintId((await at.now()) - HOUR), holder: holder(3) }
      const lines = [line('a', 200n), line('f', 1n, { window: IN_FLIGHT }), line('s', 9n, { window: sliding(MINUTE) })]
      expect(await at.ledger.settle({ ...settleMove(away, lines, [200n, 1n, 9n]), arrears: true })).toEqual({
        kind: 'arrears',
        storeMs: expect.any(Number),
      })
      expect(await at.balance(line('a', 0n))).toMatchObject({ spent: 200n, reserved: 900n, available: -100n, overrun: 0n })
      expect(await at.attempt([line('a', 1n)])).toMatchObject({ kind: 'refused' })
      // Nothing is in flight any more, and the minute in which it was admitted is over.
      expect(await at.balance(line('f', 0n, { window: IN_FLIGHT }))).toBeNull()
      expect(await at.balance(line('s', 0n, { window: sliding(MINUTE) }))).toBeNull()
      expect((await at.entries()).at(-1)).toMatchObject({ what: 'arrears', id: away.id, lines: [{ amount: 200n, moved: { spent: 200n } }] })
    }))

  it('posts arrears once, however long their poster repeats them', () =>
    scene(make, async at => {
      const lines = [line('a', 100n)]
      const away = { id: mintId(await at.now()), holder: holder(3) }
      const posted = { ...settleMove(away, lines, [80n]), arrears: true }
      expect(await at.ledger.settle(posted)).toMatchObject({ kind: 'arrears' })
      for (const hours of [1, 10, 12]) {
        await leap(at, hours * HOUR)
        await at.sweepAll()
        expect(await at.ledger.settle(posted)).toMatchObject({ kind: 'already-settled' })
      }
      expect(await at.ledger.settle({ ...posted, amounts: [81n] })).toMatchObject({ kind: 'conflict' })
      await leap(at, 2 * HOUR)
      await at.sweepAll()
      expect(await at.ledger.settle(posted)).toMatchObject({ kind: 'forgotten' })
      expect(await at.balance(line('a', 0n))).toMatchObject({ spent: 80n, suspense: 0n })
    }))

  it('takes arrears of a reservation that it has after all for its settlement', () =>
    scene(make, async at => {
      const lines = [line('a', 100n)]
      const open = await at.admit(lines)
      expect(await at.ledger.settle({ ...settleMove(open, lines, [80n]), arrears: true })).toMatchObject({ kind: 'settled' })
      const buried = reserveMove(await at.now(), lines)
      await at.ledger.release(releaseMove(buried, lines))
      expect(await at.ledger.settle({ ...settleMove(buried, lines, [7n]), arrears: true })).toMatchObject({ kind: 'settled-late' })
      // Its poster may have missed the answer, and repeats it for as long as any arrears.
      await leap(at, 23 * HOUR)
      await at.sweepAll()
      for (const [move, amount] of [
        [open, 80n],
        [buried, 7n],
      ] as const)
        expect(await at.ledger.settle({ ...settleMove(move, lines, [amount]), arrears: true })).toMatchObject({ kind: 'already-settled' })
      expect(await at.balance(line('a', 0n))).toMatchObject({ spent: 87n, reserved: 0n })
    }))

  it('holds arrears without proof in suspense until it comes', () =>
    scene(make, async at => {
      const lines = [line('a', 100n)]
      const away = { id: mintId(await at.now()), holder: holder(3) }
      expect(await at.ledger.settle({ ...settleMove(away, lines, [80n], false), arrears: true })).toMatchObject({ kind: 'arrears' })
      expect(await at.balance(line('a', 0n))).toMatchObject({ spent: 80n, suspense: 80n })
      expect(await at.ledger.settle(settleMove(away, lines, [120n]))).toMatchObject({ kind: 'settled-late' })
      expect(await at.balance(line('a', 0n))).toMatchObject({ spent: 120n, suspense: 0n, overrun: 20n })
    }))
}

function responsesContract(make: MakeLedger): void {
  const hash = 'e'.repeat(64)
  const found = async ({ ledger }: Scene, response: string) => {
    const read = await ledger.findByResponse(response)
    return read.kind === 'read' ? read.value : read
  }

  it('finds a reservation under its response for 24 h, for the proof that comes later', () =>
    scene(make, async at => {
      const lines = [line('a', 100n), line('m', 9n, { unit: 'USD', hard: false, floor: 2n })]
      const [move, other] = [await at.admit(lines), await at.admit(lines)]
      await at.ledger.settle({ ...settleMove(move, lines, [100n, 9n], false), response: hash })
      await at.ledger.settle(settleMove(other, lines, [1n, 1n], false))
      expect(await found(at, hash)).toEqual({ id: move.id, lines, priceBook: move.priceBook })
      expect(await found(at, 'f'.repeat(64))).toBeNull()
      await leap(at, DAY - 5 * MINUTE)
      await at.sweepAll()
      expect(await found(at, hash)).toEqual({ id: move.id, lines, priceBook: move.priceBook })
      expect(await at.ledger.settle(settleMove(move, lines, [60n, 4n]))).toMatchObject({ kind: 'settled-late' })
      expect(await at.balance(line('a', 0n))).toMatchObject({ spent: 61n, suspense: 1n })
      // Asked again, it is found and stands, until it is forgotten.
      expect(await found(at, hash)).toEqual({ id: move.id, lines, priceBook: move.priceBook })
      await leap(at, DAY + MINUTE)
      await at.sweepAll()
      expect(await found(at, hash)).toBeNull()
    }))

  it('finds a charge whose reserve was lost under its response too', () =>
    scene(make, async at => {
      const lines = [line('a', 100n)]
      const lost = { id: mintId(await at.now()), holder: holder(3) }
      expect(await at.ledger.settle({ ...settleMove(lost, lines, [100n], false), response: hash })).toMatchObject({ kind: 'reasserted' })
      expect(await found(at, hash)).toEqual({ id: lost.id, lines, priceBook: '' })
    }))

  it('shows one reservation as it stands, whoever holds it', () =>
    scene(make, async at => {
      const lines = [line('a', 100n), line('m', 9n, { unit: 'USD', hard: false, floor: 2n })]
      const move = await at.admit(lines)
      const shown = async () => {
        const read = await at.ledger.find(move.id)
        return read.kind === 'read' ? read.value : read
      }
      const { id, deadlineMs } = move
      expect(await shown()).toEqual({ id, holder: move.holder, state: 'open', deadlineMs, lines })
      // Another holder settles it: the record stays its first holder's.
      await at.ledger.settle({ ...settleMove(move, lines, [60n, 4n]), holder: holder(9) })
      expect(await shown()).toMatchObject({ id, holder: move.holder, state: 'settled-proven', lines })
      expect(await at.ledger.find(mintId(await at.now()))).toMatchObject({ kind: 'read', value: null })
    }))

  it('answers out-of-bounds to a response that is no hash', () =>
    scene(make, async at => {
      const move = await at.admit([line('a', 100n)])
      const before = await at.seen()
      for (const response of ['', 'E'.repeat(64), 'resp_abc', 'e'.repeat(65)]) {
        const outcome = await at.ledger.settle({ ...settleMove(move, [line('a', 100n)], [1n]), response })
        expect(outcome, response).toEqual({ kind: 'out-of-bounds', why: expect.any(String) })
        expect(await at.seen(), response).toEqual(before)
      }
    }))
}

/** A reservation of 100 USD that ended so. */
async function ended({ ledger, admit, pass, sweepAll, now }: Scene, end: End) {
  const lines = [line('m', 100n, { unit: 'USD', limit: 10_000n })]
  if (end[0] === 'bury') {
    const move = reserveMove(await now(), lines)
    await ledger.release(releaseMove(move, lines))
    return move
  }
  const move = await admit(lines, { deadlineMs: (await now()) + 10 * SECOND })
  if (end[0] === 'release') await ledger.release(releaseMove(move, lines))
  else if (end[0] === 'expire') {
    await pass(12 * SECOND)
    expect(await sweepAll()).toMatchObject({ expired: 1 })
  } else if (end[1] !== null) await ledger.settle(settleMove(move, lines, [end[1]], end[0] === 'proven'))
  return move
}
