// The contract of the sweep: who expires and who does not, what is collected when, and what is remembered for how long.
import { expect, it } from 'vitest'
import {
  DAY,
  HOUR,
  holder,
  hourOf,
  IN_FLIGHT,
  key,
  LIFETIME,
  line,
  type MakeLedger,
  MINUTE,
  mintId,
  releaseMove,
  SECOND,
  settleMove,
  sliding,
  version,
} from './moves.ts'
import { leap, scene } from './scene.ts'

export function sweepingContract(make: MakeLedger): void {
  it('expires what is past its deadline into suspense, and leaves the rest', () =>
    scene(make, async ({ admit, balance, pass, now, sweepAll, ledger, entries }) => {
      const move = await admit([line('a', 100n)], { deadlineMs: (await now()) + MINUTE })
      const other = await admit([line('a', 7n)])
      await pass(50 * SECOND)
      await ledger.beat(move.holder)
      expect(await sweepAll()).toEqual({ expired: 0, collected: 0 })
      await pass(12 * SECOND)
      await ledger.beat(move.holder)
      expect(await sweepAll()).toEqual({ expired: 1, collected: 0 })
      expect(await balance(line('a', 0n))).toMatchObject({ spent: 100n, suspense: 100n, reserved: 7n, overrun: 0n })
      expect((await entries()).at(-1)).toMatchObject({ what: 'expired', id: move.id, lines: [{ amount: 100n }] })
      expect(await sweepAll()).toEqual({ expired: 0, collected: 0 })
      expect(await ledger.settle(settleMove(other, [line('a', 7n)], [7n]))).toMatchObject({ kind: 'settled' })
    }))

  it('holds no deadline beyond an hour', () =>
    scene(make, async at => {
      const move = await at.admit([line('a', 1n)], { deadlineMs: (await at.now()) + DAY })
      await leap(at, HOUR + 2 * SECOND)
      await at.ledger.beat(move.holder)
      expect(await at.sweepAll()).toMatchObject({ expired: 1 })
    }))

  it('expires what a silent holder left, and nothing of those that beat', () =>
    scene(make, async ({ admit, pass, sweepAll, reservations, ledger }) => {
      await admit([line('a', 1n)], { holder: holder(1) })
      const alive = await admit([line('a', 1n)], { holder: holder(2) })
      for (let round = 0; round < 4; round += 1) {
        await pass(3 * SECOND)
        await ledger.beat(holder(2))
      }
      expect(await sweepAll()).toMatchObject({ expired: 0 })
      await pass(6 * SECOND)
      expect(await sweepAll()).toMatchObject({ expired: 1 })
      expect(await reservations(true)).toMatchObject([{ id: alive.id }])
    }))

  it('takes an accepted reserve for a beat', () =>
    scene(make, async ({ admit, pass, sweepAll }) => {
      await admit([line('a', 1n)], { holder: holder(1) })
      await pass(12 * SECOND)
      await admit([line('a', 1n)], { holder: holder(1) })
      await pass(9 * SECOND)
      expect(await sweepAll()).toMatchObject({ expired: 0 })
      await pass(9 * SECOND)
      expect(await sweepAll()).toMatchObject({ expired: 2 })
    }))

  it('blames nobody for its own absence', () =>
    scene(make, async at => {
      const far = { deadlineMs: (await at.now()) + HOUR }
      await at.admit([line('a', 1n)], { holder: holder(1), ...far })
      await at.admit([line('a', 1n)], { holder: holder(2), ...far })
      await at.advance(10 * MINUTE)
      expect(await at.sweepAll()).toMatchObject({ expired: 0 })
      await at.pass(12 * SECOND)
      expect(await at.sweepAll()).toMatchObject({ expired: 0 })
      await at.ledger.beat(holder(1))
      await at.pass(6 * SECOND)
      expect(await at.sweepAll()).toMatchObject({ expired: 1 })
      expect(await at.reservations(true)).toMatchObject([{ holder: holder(1) }])
    }))

  it('sweeps at most 100 a call, and says that there is more', () =>
    scene(make, async at => {
      for (let index = 0; index < 130; index += 1) await at.admit([line('a', 1n)])
      await leap(at, 11 * MINUTE)
      const first = await at.ledger.sweep()
      expect(first).toMatchObject({ kind: 'swept', more: true })
      expect(first.kind === 'swept' && first.expired + first.collected).toBeLessThanOrEqual(100)
      const rest = await at.sweepAll()
      expect((first.kind === 'swept' ? first.expired : 0) + rest.expired).toBe(130)
      expect(await at.balance(line('a', 0n))).toMatchObject({ reserved: 0n, suspense: 130n })
    }))

  it('collects an ended calendar window after two hours, with its final figures, but not while anything is reserved', () =>
    scene(make, async at => {
      const { now, admit, ledger, balance, sweepAll, entries, advance } = at
      const window = hourOf(await now())
      const end = window.kind === 'calendar' ? window.endMs : 0
      await advance(end - (await now()) - 2 * MINUTE)
      const kept = line('kept', 5n, { window })
      const move = await admit([line('h', 10n, { window })])
      await ledger.settle(settleMove(move, [line('h', 10n, { window })], [12n]))
      await leap(at, HOUR)
      await leap(at, HOUR)
      expect(await sweepAll()).toEqual({ expired: 0, collected: 0 })
      expect(await balance(line('h', 0n, { window }))).toMatchObject({ spent: 12n })
      await leap(at, 4 * MINUTE)
      expect(await sweepAll()).toEqual({ expired: 0, collected: 1 })
      expect(await balance(line('h', 0n, { window }))).toBeNull()
      expect(await balance(kept)).toBeNull()
      expect((await entries()).at(-1)).toMatchObject({
        what: 'collected',
        lines: [{ key: line('h', 0n, { window }).key, window, balance: { spent: 12n, overrun: 2n, reserved: 0n, available: 988n } }],
      })
    }))

  it('corrects an expiry whose window was collected without bringing the window back', () =>
    scene(make, async at => {
      const lines = [line('h', 10n, { window: hourOf(await at.now()) }), line('l', 10n)]
      const move = await at.admit(lines)
      await leap(at, 4 * HOUR)
      expect(await at.sweepAll()).toEqual({ expired: 1, collected: 1 })
      expect(await at.ledger.settle(settleMove(move, lines, [4n, 4n]))).toMatchObject({ kind: 'settled-late' })
      for (const [index, expected] of [null, { spent: 4n, suspense: 0n }].entries()) {
        const balance = await at.balance(lines[index] ?? line('l', 0n))
        if (expected === null) expect(balance).toBeNull()
        else expect(balance).toMatchObject(expected)
      }
    }))

  it('collects sliding and inFlight balances once nothing counts, lifetimes never', () =>
    scene(make, async at => {
      const lines = [line('s', 10n, { window: sliding(MINUTE) }), line('f', 10n, { window: IN_FLIGHT }), line('l', 10n)]
      const move = await at.admit(lines)
      expect(await at.sweepAll()).toMatchObject({ collected: 0 })
      await at.ledger.settle(settleMove(move, lines, [15n, 0n, 10n]))
      expect(await at.sweepAll()).toMatchObject({ collected: 1 })
      await at.pass(63 * SECOND)
      expect(await at.sweepAll()).toMatchObject({ collected: 1 })
      await leap(at, 40 * DAY)
      expect(await at.sweepAll()).toMatchObject({ collected: 0 })
      expect(await at.balance(lines[0] ?? line('s', 0n))).toBeNull()
      expect(await at.balance(lines[1] ?? line('f', 0n))).toBeNull()
      expect(await at.balance(line('l', 0n, { window: LIFETIME }))).toMatchObject({ spent: 10n })
    }))

  it('charges usage after a release into a sliding window that was collected meanwhile', () =>
    scene(make, async ({ admit, ledger, sweepAll, balance }) => {
      const lines = [line('s', 10n, { window: sliding(MINUTE) })]
      const move = await admit(lines)
      await ledger.release(releaseMove(move, lines))
      expect(await sweepAll()).toMatchObject({ collected: 1 })
      expect(await ledger.settle(settleMove(move, lines, [12n]))).toMatchObject({ kind: 'settled-late' })
      expect(await balance(line('s', 0n, { window: sliding(MINUTE) }))).toMatchObject({ spent: 12n, overrun: 2n, available: 988n })
    }))

  it('remembers proven and released ids 15 min, expired and unproven ones 24 h, tombstones 60 s', () =>
    scene(make, async at => {
      const lines = [line('a', 1n)]
      const proven = await at.admit(lines)
      const released = await at.admit(lines)
      const unproven = await at.admit(lines)
      const expired = await at.admit(lines, { deadlineMs: (await at.now()) + SECOND })
      await at.ledger.settle(settleMove(proven, lines, [1n]))
      await at.ledger.release(releaseMove(released, lines))
      await at.ledger.settle(settleMove(unproven, lines, [1n], false))
      const buried = { ...released, id: mintId(await at.now()) }
      await at.ledger.release(releaseMove(buried, lines))
      await at.pass(3 * SECOND)
      await at.sweepAll()
      const kept = async () => (await at.reservations(false)).map(record => record.id).sort()
      const all = [proven, released, unproven, expired, buried].map(move => move.id).sort()
      await at.pass(54 * SECOND)
      await at.sweepAll()
      expect(await kept()).toEqual(all)
      await at.pass(6 * SECOND)
      await at.sweepAll()
      expect(await kept()).toEqual(all.filter(id => id !== buried.id))
      await leap(at, 13 * MINUTE)
      await at.sweepAll()
      expect(await kept()).toEqual(all.filter(id => id !== buried.id))
      await leap(at, 2 * MINUTE)
      await at.sweepAll()
      expect(await kept()).toEqual([unproven.id, expired.id].sort())
      await leap(at, 23 * HOUR)
      await at.sweepAll()
      expect(await kept()).toEqual([unproven.id, expired.id].sort())
      await leap(at, HOUR)
      await at.sweepAll()
      expect(await kept()).toEqual([])
      expect(await at.ledger.settle(settleMove(expired, lines, [1n]))).toMatchObject({ kind: 'forgotten' })
      expect(await at.balance(line('a', 0n))).toMatchObject({ spent: 3n, suspense: 2n })
    }))

  it('gives back what idle budgets took: at most 100 a call, and nothing is left of them but the stream', () =>
    scene(make, async at => {
      const windows = [sliding(MINUTE), IN_FLIGHT]
      for (let index = 0; index < 90; index += 1) {
        const lines = windows.map(window => line('each', 5n, { window, key: key('each', window, [`user-${index}`]) }))
        const move = await at.admit(lines)
        await at.ledger.settle(settleMove(move, lines, [7n, 0n]))
      }
      await leap(at, 20 * MINUTE)
      const first = await at.ledger.sweep()
      expect(first).toMatchObject({ kind: 'swept', expired: 0, collected: 100, more: true })
      expect(await at.sweepAll()).toEqual({ expired: 0, collected: 80 })
      expect(await at.seen()).toMatchObject({ balances: [], reservations: [] })
      expect((await at.entries()).filter(entry => entry.what === 'collected')).toHaveLength(180)
    }))

  it('begins again from nothing where a collected budget is used again', () =>
    scene(make, async at => {
      const lines = [line('s', 900n, { window: sliding(MINUTE) })]
      await at.ledger.settle(settleMove(await at.admit(lines), lines, [950n]))
      await leap(at, 2 * MINUTE)
      expect(await at.sweepAll()).toMatchObject({ collected: 1 })
      const again = [line('s', 900n, { window: sliding(MINUTE), limit: 900n, version: version(0) })]
      await at.admit(again)
      expect(await at.balance(lines[0] ?? line('', 0n))).toEqual({
        limit: 900n,
        available: 0n,
        reserved: 900n,
        spent: 0n,
        suspense: 0n,
        overrun: 0n,
      })
    }))
}
