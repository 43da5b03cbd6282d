// Sliding windows against a list of charges kept in the plainest way: never over in any span, and nothing refused beyond a sixtieth.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createModelLedger } from '../../src/core/ledger.ts'
import type { Line, ReserveMove } from '../../src/core/reservation.ts'
import { bucketMs } from '../../src/core/sliding.ts'
import { LEDGER_RULES } from '../../src/limits.ts'
import { holder, line, mintId, settleMove, sliding, version } from '../contract/moves.ts'

/** A charge as the plain list knows it: when it was admitted, and what it stands for now. */
interface Charge {
  readonly atMs: number
  amount: bigint
}

type Act =
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'reserve'; readonly amount: bigint }
  /** Reserves what the plain list says is left, give or take. */
  | { readonly kind: 'edge'; readonly beside: bigint }
  | { readonly kind: 'settle'; readonly which: number; readonly percent: bigint }
  | { readonly kind: 'limit'; readonly limit: bigint }
  | { readonly kind: 'sweep' }

const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 5, arbitrary: fc.nat({ max: 900 }).map(ms => ({ kind: 'wait', ms }) as const) },
  { weight: 1, arbitrary: fc.nat({ max: 5_000 }).map(ms => ({ kind: 'wait', ms }) as const) },
  { weight: 4, arbitrary: fc.bigInt(1n, 400n).map(amount => ({ kind: 'reserve', amount }) as const) },
  { weight: 4, arbitrary: fc.bigInt(-3n, 3n).map(beside => ({ kind: 'edge', beside }) as const) },
  {
    weight: 5,
    arbitrary: fc.tuple(fc.nat({ max: 20 }), fc.bigInt(0n, 150n)).map(([which, percent]) => ({ kind: 'settle', which, percent }) as const),
  },
  { weight: 1, arbitrary: fc.bigInt(300n, 1_500n).map(limit => ({ kind: 'limit', limit }) as const) },
  { weight: 1, arbitrary: fc.constant({ kind: 'sweep' } as const) },
)

/** Plays acts on a ledger with one sliding budget; streams older than 5 s settle at once. Answers how many reserves it took and refused. */
function play(lengthMs: number, startMs: number, acts: readonly Act[]): { admitted: number; refused: number } {
  const ledger = createModelLedger(LEDGER_RULES, 10)
  const charges: Charge[] = []
  const open: { move: ReserveMove; lines: readonly Line[]; charge: Charge }[] = []
  const counts = { admitted: 0, refused: 0 }
  let nowMs = startMs
  let [limit, generation] = [1_000n, 1]
  const time = () => ({ storeClockMs: nowMs, callerWallMs: nowMs })
  /** What a span that ends now, open at its start, holds. */
  const within = (spanMs: number): bigint =>
    charges.filter(charge => charge.atMs > nowMs - spanMs && charge.atMs <= nowMs).reduce((sum, charge) => sum + charge.amount, 0n)

  const settle = (index: number, percent: bigint): void => {
    const [stream] = open.splice(index, 1)
    if (stream === undefined) return
    const actual = (stream.charge.amount * percent) / 100n
    const outcome = ledger.settle(settleMove(stream.move, stream.lines, [actual]), time())
    expect(outcome.kind).toBe(actual > stream.charge.amount ? 'settled-over' : 'settled')
    stream.charge.amount = actual
  }
  const reserve = (amount: bigint): void => {
    const lines = [line('s', amount, { window: sliding(lengthMs), limit, version: version(generation) })]
    const move: ReserveMove = {
      id: mintId(nowMs),
      holder: holder(1),
      alternatives: [lines],
      deadlineMs: nowMs + 3_600_000,
      notAfterMs: nowMs,
      priceBook: '',
    }
    const outcome = ledger.reserve(move, time())
    if (outcome.kind === 'reserved') {
      counts.admitted += 1
      const charge = { atMs: nowMs, amount }
      charges.push(charge)
      open.push({ move, lines, charge })
      expect(within(lengthMs), `never over in the span that ends at ${nowMs}`).toBeLessThanOrEqual(limit)
    } else {
      counts.refused += 1
      expect(outcome.kind).toBe('refused')
      expect(within(lengthMs + bucketMs(lengthMs)) + amount, 'refused for what counts in a span longer by a sixtieth').toBeGreaterThan(
        limit,
      )
    }
  }
  for (const act of acts) {
    if (act.kind === 'wait') nowMs += act.ms
    else if (act.kind === 'reserve') reserve(act.amount)
    else if (act.kind === 'edge') {
      const left = limit - within(lengthMs) + act.beside
      if (left > 0n) reserve(left)
    } else if (act.kind === 'settle') settle(open.length === 0 ? 0 : act.which % open.length, act.percent)
    else if (act.kind === 'sweep') ledger.sweep(time())
    else [limit, generation] = [act.limit, generation + 1]
    while (open[0] !== undefined && nowMs - open[0].charge.atMs > 5_000) settle(0, 110n)
  }
  return counts
}

it('a sixtieth is a sixtieth: buckets are no wider, and at most 61 are alive', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1_000, max: 100_000_000 }), fc.integer({ min: 0, max: 2_000_000_000_000 }), (lengthMs, nowMs) => {
      const width = bucketMs(lengthMs)
      expect(width).toBeGreaterThanOrEqual(lengthMs / 60)
      expect(width).toBeLessThan(lengthMs / 60 + 1)
      const [first, last] = [Math.floor((nowMs - lengthMs) / width), Math.floor(nowMs / width)]
      expect(last - first + 1).toBeLessThanOrEqual(61)
    }),
  )
})

it('2 s with streams of 5 s, settled late, over and under, the limit raised and lowered meanwhile', () => {
  const total = { admitted: 0, refused: 0 }
  fc.assert(
    fc.property(fc.nat({ max: 100_000 }), fc.array(act, { minLength: 10, maxLength: 300, size: 'max' }), (offset, acts) => {
      const counts = play(2_000, 1_778_000_000_000 + offset, acts)
      total.admitted += counts.admitted
      total.refused += counts.refused
    }),
    { numRuns: 300 },
  )
  expect(total.admitted).toBeGreaterThan(1_000)
  expect(total.refused).toBeGreaterThan(1_000)
})

it('any length from 1 s on', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1_000, max: 20_000 }),
      fc.array(act, { minLength: 10, maxLength: 120, size: 'max' }),
      (lengthMs, acts) => {
        play(lengthMs, 1_778_000_000_123, acts)
      },
    ),
    { numRuns: 200 },
  )
})
