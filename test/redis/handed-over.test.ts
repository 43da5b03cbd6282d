// What a process remembers of reservations that others close: as long as a store may lack them, and never many.
import { expect, it } from 'vitest'
import type { ReserveMove } from '../../src/core/reservation.ts'
import { HANDED_OVER_HELD_MAX, HANDED_OVER_HELD_MS } from '../../src/limits.ts'
import { Holdings } from '../../src/redis/holdings.ts'
import { testClock } from '../contract/clock.ts'
import { line, reserveMove } from '../contract/moves.ts'

const LINES = [line('a', 10n)]
const RECOVERY = { epoch: 'new', was: 'old', began: 0 }

function opened(holdings: Holdings, wallMs: number, more: Partial<ReserveMove> = {}): ReserveMove {
  const move = { ...reserveMove(wallMs, LINES), ...more }
  holdings.opened(move, 0, [])
  return move
}

it('forgets them after a minute, and its own never', () => {
  const clock = testClock()
  const holdings = new Holdings(clock)
  const own = opened(holdings, clock.wallMs())
  const handed = opened(holdings, clock.wallMs(), { handsOver: true })
  clock.advance(HANDED_OVER_HELD_MS)
  expect(holdings.lost(RECOVERY).open.map(({ id }) => id)).toEqual([own.id, handed.id])
  clock.advance(1)
  expect(holdings.lost(RECOVERY).open.map(({ id }) => id)).toEqual([own.id])
})

it('keeps the newest of many, and holds no others up', () => {
  const clock = testClock()
  const holdings = new Holdings(clock)
  const first = opened(holdings, clock.wallMs(), { handsOver: true })
  for (let n = 0; n < HANDED_OVER_HELD_MAX; n++) opened(holdings, clock.wallMs(), { handsOver: true })
  const { open } = holdings.lost(RECOVERY)
  expect(open).toHaveLength(HANDED_OVER_HELD_MAX)
  expect(open.some(({ id }) => id === first.id)).toBe(false)
})

it('lets go of one that it closed itself', () => {
  const clock = testClock()
  const holdings = new Holdings(clock)
  const { id, holder } = opened(holdings, clock.wallMs(), { handsOver: true })
  holdings.closed({ kind: 'release', move: { id, holder, lines: LINES, how: 'gone' } })
  expect(holdings.lost(RECOVERY).open).toEqual([])
})
