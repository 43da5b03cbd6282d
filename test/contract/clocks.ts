// The contract of clocks: the store's or the callers' an hour off and back, across the end of a month, and any turning of either.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Line, ReserveOutcome } from '../../src/core/reservation.ts'
import type { Window } from '../../src/core/window.ts'
import { CLOCK_SKEW_MS } from '../../src/limits.ts'
import { adjustMove, DAY, HOUR, line, type MakeLedger, MINUTE, observeMove, releaseMove, SECOND, settleMove, sliding } from './moves.ts'
import { type Scene, scene, WITNESS } from './scene.ts'

const MONTH_END = Date.UTC(2026, 5, 1)
const MAY = { kind: 'calendar', startMs: Date.UTC(2026, 4, 1), endMs: MONTH_END } as const
const JUNE = { kind: 'calendar', startMs: MONTH_END, endMs: Date.UTC(2026, 6, 1) } as const

const isSkewed = { kind: 'clock-skew', storeMs: expect.any(Number) }
const inMonth = (window: Window, amount: bigint): Line => line('m', amount, { window })

/** Goes to the last half hour of May. */
const toMonthsEnd = async ({ advance, now }: Scene): Promise<void> => advance(MONTH_END - HOUR / 2 - (await now()))

/** All that the ledger would show of itself. */
async function shown({ balance, entries, reservations }: Scene): Promise<unknown> {
  const balances = await Promise.all([inMonth(MAY, 0n), inMonth(JUNE, 0n), line('s', 0n, { window: sliding(2 * HOUR) })].map(balance))
  return { balances, entries: await entries(), open: await reservations(true), all: await reservations(false) }
}

export function clocksContract(make: MakeLedger): void {
  const whose = ['turnStore', 'turnCallers'] as const

  describe.each(whose)('%s', turn => {
    it.each([HOUR, -HOUR, 40 * DAY])(
      'by %i ms and back at the end of a month: every move is refused, nothing is written, all goes on',
      off =>
        scene(make, async at => {
          await toMonthsEnd(at)
          const lines = [inMonth(MAY, 300n), line('s', 10n, { window: sliding(2 * HOUR) })]
          const open = await at.admit(lines)
          const other = await at.admit(lines)
          const before = await shown(at)
          at[turn](off)
          // For a minute the mark stands in for a store that fell behind.
          await at.advance(CLOCK_SKEW_MS + SECOND)
          if (off > 0) at[turn](SECOND)
          for (const window of [MAY, JUNE]) expect(await at.attempt([inMonth(window, 1n)])).toEqual(isSkewed)
          expect(await at.ledger.settle(settleMove(open, lines, [1n, 1n]))).toEqual(isSkewed)
          expect(await at.ledger.release(releaseMove(other, lines))).toEqual(isSkewed)
          expect(await at.ledger.observe(observeMove(open.holder, [open, [1n, 1n]]))).toEqual(isSkewed)
          expect(await at.ledger.adjust(adjustMove(open, 1n))).toEqual(isSkewed)
          expect(await at.ledger.acknowledge(1)).toEqual(isSkewed)
          expect(await at.ledger.beat(WITNESS)).toEqual(isSkewed)
          expect(await at.ledger.sweep()).toEqual(isSkewed)
          at[turn](off > 0 ? -off - SECOND : -off)
          expect(await shown(at)).toEqual(before)
          const trueMs = await at.now()
          const after = await at.attempt([inMonth(MAY, 300n)])
          expect(after).toMatchObject({ kind: 'reserved', balances: [{ reserved: 900n, available: 100n }], storeMs: trueMs })
          expect(await at.sweepAll(), 'nobody was silent for the time that the clock was wrong').toEqual({ expired: 0, collected: 0 })
          expect(await at.ledger.settle(settleMove(open, lines, [100n, 10n]))).toMatchObject({ kind: 'settled' })
          expect(await at.ledger.release(releaseMove(other, lines))).toMatchObject({ kind: 'released' })
          expect(await at.balance(inMonth(MAY, 0n))).toMatchObject({ spent: 100n, reserved: 300n })
          expect(await at.balance(inMonth(JUNE, 0n))).toBeNull()
        }),
    )
  })

  it.each([
    [CLOCK_SKEW_MS, 'reserved'],
    [CLOCK_SKEW_MS + 1, 'clock-skew'],
    [-CLOCK_SKEW_MS, 'reserved'],
    [-CLOCK_SKEW_MS - 1, 'clock-skew'],
  ])('takes callers whose clock is a minute off, and none that is further off (%i ms)', (off, kind) =>
    scene(make, async ({ admit, attempt, turnCallers }) => {
      const move = await admit([line('a', 1n)])
      turnCallers(off)
      expect(await attempt([line('a', 1n)], { deadlineMs: move.deadlineMs, notAfterMs: move.notAfterMs + HOUR })).toMatchObject({ kind })
    }),
  )

  it('opens no window twice where all clocks were an hour ahead: the month that began stays begun', () =>
    scene(make, async at => {
      await toMonthsEnd(at)
      await at.admit([inMonth(MAY, 100n)])
      await at.advance(HOUR)
      await at.admit([inMonth(JUNE, 700n)])
      const markMs = await at.now()
      await at.advance(-HOUR)
      const before = await shown(at)
      for (const window of [MAY, JUNE]) expect(await at.attempt([inMonth(window, 300n)])).toEqual({ kind: 'clock-skew', storeMs: markMs })
      await at.advance(HOUR - CLOCK_SKEW_MS - 1)
      expect(await at.attempt([inMonth(JUNE, 300n)])).toEqual({ kind: 'clock-skew', storeMs: markMs })
      expect(await shown(at)).toEqual(before)
      await at.advance(1)
      const far = { notAfterMs: markMs + HOUR }
      expect(await at.attempt([inMonth(MAY, 1n)], far)).toEqual({ kind: 'window-stale', storeMs: markMs })
      expect(await at.attempt([inMonth(JUNE, 301n)], far)).toMatchObject({ kind: 'refused', lines: [{ balance: { available: 300n } }] })
      expect(await at.attempt([inMonth(JUNE, 300n)], far)).toMatchObject({ kind: 'reserved', storeMs: markMs })
      expect(await at.balance(inMonth(MAY, 0n))).toMatchObject({ reserved: 100n })
    }))

  it('however both clocks are turned, months follow each other, and service is whole with the first move after they are right', () =>
    turnClocks(make, 8))
}

/** Turns both clocks at random, and calls after every turn. */
export async function turnClocks(make: MakeLedger, runs: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(turning, { minLength: 1, maxLength: 25, size: 'max' }), turnings =>
      scene(make, at => turnAndCall(at, turnings)),
    ),
    { numRuns: runs },
  )
}

interface Turning {
  readonly how: 'turnStore' | 'turnCallers' | 'advance'
  readonly ms: number
}

const turning: fc.Arbitrary<Turning> = fc.oneof(
  fc.record({
    how: fc.constantFrom('turnStore' as const, 'turnCallers' as const),
    ms: fc.constantFrom(SECOND, 29 * SECOND, 59 * SECOND, MINUTE, 61 * SECOND, HOUR, 31 * DAY).chain(ms => fc.constantFrom(ms, -ms)),
  }),
  fc.record({ how: fc.constant('advance' as const), ms: fc.constantFrom(17, 5 * SECOND, 40 * SECOND, 20 * MINUTE) }),
)

/** Calls as a replica would: with the window of the store's answer, asked again where it was stale. */
async function call({ attempt, now }: Scene, beforeMs: number): Promise<ReserveOutcome> {
  const first = await attempt([inMonth(beforeMs < MONTH_END ? MAY : JUNE, 1n)], { notAfterMs: (await now()) + 90 * DAY })
  if (first.kind !== 'window-stale') return first
  const { storeMs } = first
  const window = storeMs < MONTH_END ? MAY : JUNE
  return attempt([inMonth(window, 1n)], { notAfterMs: storeMs + 90 * DAY })
}

async function turnAndCall(at: Scene, turnings: readonly Turning[]): Promise<void> {
  await toMonthsEnd(at)
  const turned = { turnStore: 0, turnCallers: 0, advance: 0 }
  let [markMs, written] = [0, 0]
  const note = async (outcome: ReserveOutcome): Promise<void> => {
    const entries = await at.entries()
    if (outcome.kind === 'reserved') {
      expect(outcome.storeMs, 'store time never runs backwards').toBeGreaterThanOrEqual(markMs)
      markMs = outcome.storeMs
      written += 1
    } else expect(['clock-skew', 'window-stale']).toContain(outcome.kind)
    expect(entries, 'a move that is refused writes nothing').toHaveLength(written)
    const months = entries.map(entry => (entry.lines[0]?.window.kind === 'calendar' ? entry.lines[0].window.startMs : 0))
    expect(months, 'no month begins twice').toEqual([...months].sort((a, b) => a - b))
    for (const { storeMs, lines } of entries) {
      const window = lines[0]?.window
      expect(window?.kind === 'calendar' && window.startMs <= storeMs && storeMs < window.endMs).toBe(true)
    }
  }
  await note(await call(at, 0))
  for (const { how, ms } of turnings) {
    // Two months are all that the play has.
    if (turned.turnStore + turned.turnCallers + turned.advance + ms > 29 * DAY) continue
    turned[how] += ms
    await at[how](ms)
    await note(await call(at, markMs))
  }
  at.turnStore(-turned.turnStore)
  at.turnCallers(-turned.turnCallers)
  const lagMs = markMs - (await at.now())
  if (lagMs > CLOCK_SKEW_MS) await at.advance(lagMs)
  const last = await call(at, markMs)
  expect(last, 'with right clocks, service is normal at once').toMatchObject({ kind: 'reserved' })
  await note(last)
}
