// The proof as a fold over entries: bounded memory, recovery, and time that passes with nobody there. Stores are proven in test/cli.
import { expect, it } from 'vitest'
import { createModelLedger } from '../../src/core/ledger.ts'
import { Proof } from '../../src/core/verify.ts'
import { LEDGER_RULES, OVERDUE_GRACE_MS } from '../../src/limits.ts'
import {
  DAY,
  HOUR,
  holder,
  IN_FLIGHT,
  line,
  MINUTE,
  mintId,
  releaseMove,
  reserveMove,
  SECOND,
  settleMove,
  sliding,
} from '../contract/moves.ts'

const START_MS = Date.UTC(2026, 4, 14, 10, 15)

/** A model ledger whose clock the test turns, and the proof that follows it entry by entry. */
function followed() {
  const model = createModelLedger(LEDGER_RULES, 1_000_000)
  const proof = new Proof(LEDGER_RULES, OVERDUE_GRACE_MS)
  let nowMs = START_MS
  return {
    model,
    proof,
    time: () => ({ storeClockMs: nowMs, callerWallMs: nowMs }),
    now: () => nowMs,
    advance: (ms: number): void => {
      nowMs += ms
    },
    /** What the proof says of the entries that came; null where nothing is wrong. */
    follow: (): string | null => {
      for (const entry of model.entries({ afterSeq: proof.lastSeq, count: 1_000 }, nowMs).value) {
        const difference = proof.add(entry)
        if (difference !== null) return difference.words
      }
      return null
    },
  }
}

it('remembers no more reservations than the ledger does, however many there were', () => {
  const { model, proof, time, now, advance, follow } = followed()
  const lines = [line('a', 2n, { limit: 10n ** 15n }), line('s', 3n, { window: sliding(MINUTE), limit: 10n ** 15n })]
  let most = 0
  for (let round = 0; round < 3_000; round += 1) {
    const move = reserveMove(now(), lines)
    model.reserve(move, time())
    if (round % 3 === 0) model.release(releaseMove(move, lines), time())
    else model.settle(settleMove(move, lines, [1n, 1n]), time())
    advance(10 * SECOND)
    expect(follow()).toBeNull()
    most = Math.max(most, proof.held.size)
  }
  // 15 minutes of one every 10 seconds, and one beside.
  expect(most).toBeLessThanOrEqual(92)
  expect(proof.seen).toMatchObject({ entries: 6_000, reservations: 3_000, balances: 2 })
  advance(DAY)
  model.release(releaseMove({ id: mintId(now()), holder: holder(1) }, lines), time())
  expect(follow()).toBeNull()
  expect(proof.held.size).toBe(1)
})

it('takes what holders put back after a loss for what it is', () => {
  const { model, time, now, advance, follow } = followed()
  const lines = [line('a', 600n), line('f', 1n, { window: IN_FLIGHT }), line('s', 600n, { window: sliding(MINUTE) })]
  const back = ([0, 30 * SECOND, 2 * MINUTE] as const).map(ageMs => {
    const move = { id: mintId(now() - ageMs), holder: holder(1), lines, deadlineMs: now() + MINUTE, priceBook: '' }
    expect(model.reassert(move, time())).toMatchObject({ kind: 'reasserted' })
    return move
  })
  expect(follow()).toBeNull()
  model.settle(settleMove(back[0]!, lines, [700n, 0n, 700n]), time())
  model.settle(settleMove(back[2]!, lines, [1n, 0n, 1n]), time())
  advance(2 * MINUTE)
  model.beat(holder(2), time())
  advance(SECOND)
  model.sweep(time())
  model.settle(settleMove(back[1]!, lines, [0n, 0n, 0n]), time())
  expect(follow()).toBeNull()
})

it('finds what stayed open beyond every deadline while the ledger was used, and forgives it while it was not', () => {
  for (const used of [true, false]) {
    const { model, time, now, advance, follow } = followed()
    const lines = [line('a', 2n)]
    const left = reserveMove(now(), lines, { deadlineMs: now() + HOUR })
    model.reserve(left, time())
    for (let minute = 0; minute < 70; minute += 1) {
      advance(MINUTE)
      if (used) model.release(releaseMove({ id: mintId(now()), holder: holder(2) }, lines), time())
    }
    expect(model.settle(settleMove(left, lines, [1n]), time())).toMatchObject({ kind: 'settled' })
    if (used)
      expect(follow()).toMatch(
        /^entry 72 \(settled of \w+\): the reservation was open since 2026-05-14T10:15:00Z, far beyond the longest deadline$/,
      )
    else expect(follow()).toBeNull()
  }
})
