// The contract of limits: which version of a limit holds, who may change it, and that spend outlives every change.
import { expect, it } from 'vitest'
import type { LimitVersion } from '../../src/core/budget.ts'
import { hourOf, LIFETIME, LIMIT_TOP, line, type MakeLedger, SECOND, settleMove, version } from './moves.ts'
import { type Scene, scene } from './scene.ts'

const NO_CHANGE = { reserved: 0n, spent: 0n, suspense: 0n, overrun: 0n }

/** What a replica believes of a limit when it presents it. */
interface Belief {
  readonly limit: bigint
  readonly version: LimitVersion
}

export function versionsContract(make: MakeLedger): void {
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

  it('keeps what was spent when a policy is deleted and created again with a lower limit, at generation 1', () =>
    scene(make, async ({ ledger, admit, attempt, balance }) => {
      const old = { limit: 1_000n, version: { createdMs: 1_700_000_000_000, generation: 9, grantMs: 0 } }
      const young = { limit: 400n, version: { createdMs: 1_700_000_500_000, generation: 1, grantMs: 0 } }
      const move = await admit([line('a', 300n, old)])
      await ledger.settle(settleMove(move, [line('a', 300n, old)], [250n]))
      await admit([line('a', 100n, old)])
      await admit([line('a', 50n, young)])
      expect(await balance(line('a', 0n))).toMatchObject({ limit: 400n, spent: 250n, reserved: 150n, available: 0n })
      expect(await attempt([line('a', 1n, young)])).toMatchObject({ kind: 'refused' })
      // A replica that has not seen it deleted yet brings nothing back.
      expect(await attempt([line('a', 1n, old)])).toMatchObject({ kind: 'refused', lines: [{ balance: { limit: 400n } }] })
    }))

  it('raises and lowers a limit with a grant that two replicas see 5 s apart', () =>
    scene(make, async at => {
      const granted = 1_700_000_100_000
      const without = { limit: 1_000n, version: version(3) }
      const within = { limit: 1_500n, version: version(3, granted) }
      const ended = { limit: 1_000n, version: version(3, granted + 60_000) }
      await spend(at, without, 900n)
      await expectLimits(at, [without, without], 1_000n)
      await spend(at, within, 400n)
      await at.pass(3 * SECOND)
      await expectLimits(at, [within, without], 1_500n)
      await at.pass(2 * SECOND)
      await expectLimits(at, [within, within], 1_500n)
      expect(await at.balance(line('a', 0n))).toMatchObject({ limit: 1_500n, spent: 1_300n, available: 200n })
      await expectLimits(at, [ended, within], 1_000n)
      expect(await at.attempt([line('a', 1n, within)])).toMatchObject({ kind: 'refused', lines: [{ balance: { available: -300n } }] })
      await at.pass(5 * SECOND)
      await expectLimits(at, [ended, ended], 1_000n)
      expect(await at.balance(line('a', 0n))).toMatchObject({ limit: 1_000n, spent: 1_300n, available: -300n })
      // Each replica sees the grant deleted at an instant of its own.
      const deletedAt = (ms: number): Belief => ({ limit: 1_000n, version: version(3, granted + 120_000 + ms) })
      await expectLimits(at, [deletedAt(0), ended], 1_000n)
      await at.pass(5 * SECOND)
      await expectLimits(at, [deletedAt(0), deletedAt(5_000)], 1_000n)
    }))

  it('takes up a newer limit that a refusal brings, and says so in the stream', () =>
    scene(make, async ({ admit, attempt, balance, entries }) => {
      await admit([line('a', 10n), line('b', 10n)])
      const lower = line('a', 10n, { limit: 5n, version: version(2) })
      expect(await attempt([lower, line('new', 1n), line('b', 1n)])).toMatchObject({
        kind: 'refused',
        lines: [{ index: 0, balance: { limit: 5n, available: -5n } }],
      })
      expect(await balance(line('a', 0n))).toMatchObject({ limit: 5n, available: -5n, reserved: 10n })
      // It created nothing, and what did not change is not told.
      expect(await balance(line('new', 0n))).toBeNull()
      const told = await entries()
      expect(told).toHaveLength(2)
      expect(told[1]).toMatchObject({
        what: 'presented',
        lines: [{ key: lower.key, window: LIFETIME, amount: 0n, moved: NO_CHANGE, balance: { limit: 5n, available: -5n } }],
      })
      expect(told[1]?.lines).toHaveLength(1)
      await attempt([lower])
      expect(await entries()).toHaveLength(2)
      expect(await attempt([line('a', 1_000n, { limit: 900n, version: version(3) })])).toMatchObject({ kind: 'refused' })
      expect(await balance(line('a', 0n))).toMatchObject({ limit: 900n, available: 890n })
    }))

  it('believes no older version while refusals still present the newer one, and believes it 60 s after the last of them', () =>
    scene(make, async ({ admit, attempt, balance, pass, entries }) => {
      const newer = { limit: 100n, version: version(7) }
      const older = { limit: 300n, version: version(2) }
      await admit([line('a', 100n, newer)])
      for (let seconds = 0; seconds < 96; seconds += 12) {
        await pass(12 * SECOND)
        expect(await attempt([line('a', 1n, newer)])).toMatchObject({ kind: 'refused' })
      }
      expect(await attempt([line('a', 1n, older)])).toMatchObject({ kind: 'refused', lines: [{ balance: { limit: 100n } }] })
      // That a limit is still in use is noted, and not told.
      expect(await entries()).toHaveLength(1)
      await pass(54 * SECOND)
      expect(await attempt([line('a', 1n, older)])).toMatchObject({ kind: 'refused' })
      expect(await balance(line('a', 0n))).toMatchObject({ limit: 100n })
      await pass(9 * SECOND)
      await admit([line('a', 1n, older)])
      expect(await balance(line('a', 0n))).toMatchObject({ limit: 300n, reserved: 101n })
    }))

  it('counts every time that one version comes with two amounts, and nothing else', () =>
    scene(make, async ({ ledger, admit }) => {
      const contested = async (): Promise<number> => {
        const swept = await ledger.sweep()
        return swept.kind === 'swept' ? swept.contested : -1
      }
      for (const limit of [100n, 100n]) await admit([line('a', 1n, { limit })])
      expect(await contested()).toBe(0)
      await admit([line('a', 1n, { limit: 90n })])
      await admit([line('a', 1n, { limit: 100n })])
      expect(await contested()).toBe(2)
      await admit([line('a', 1n, { limit: 100n, version: version(2) })])
      await admit([line('a', 1n, { limit: 500n, version: version(1) })])
      expect(await contested()).toBe(2)
    }))

  it('takes another unit or window of the same name for another budget', () =>
    scene(make, async ({ admit, balance, now }) => {
      const lines = [line('a', 3n), line('a', 5n, { unit: 'USD' }), line('a', 7n, { window: hourOf(await now()) })]
      await admit(lines)
      for (const each of lines) expect(await balance(each)).toMatchObject({ reserved: each.amount, available: 1_000n - each.amount })
    }))
}

async function spend({ ledger, admit }: Scene, belief: Belief, amount: bigint): Promise<void> {
  const lines = [line('a', amount, belief)]
  await ledger.settle(settleMove(await admit(lines), lines, [amount]))
}

/** Replicas present what they believe one after the other, by calls that cost nothing: after each the ledger has the right limit. */
async function expectLimits({ admit, balance }: Scene, beliefs: readonly Belief[], limit: bigint): Promise<void> {
  for (const belief of beliefs) {
    await admit([line('a', 0n, belief)])
    expect(await balance(line('a', 0n))).toMatchObject({ limit })
  }
}
