import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { budgetKey, type Unit } from '../../src/core/budget.ts'
import type { BoundLimit } from '../../src/core/policy.ts'
import { type Shortfall, verdictOnShortfall } from '../../src/core/refusal.ts'
import type { Window, WindowSpec } from '../../src/core/window.ts'

const NOW = 1_700_000_000_000

interface Case {
  readonly unit?: Unit
  readonly window?: Window
  readonly need: bigint
  readonly limit: bigint
  readonly spent?: bigint
  readonly reserved?: bigint
  readonly name?: string
  readonly expose?: boolean
  readonly fitsMs?: number | null
}

const DAY: Window = { kind: 'calendar', startMs: NOW - 3_600_000, endMs: NOW + 7_200_000 }

function shortfall({
  unit = 'USD',
  window = DAY,
  need,
  limit,
  spent = 0n,
  reserved = 0n,
  name = 'daily',
  expose = false,
  fitsMs = null,
}: Case): Shortfall {
  const spec: WindowSpec = { kind: 'lifetime' }
  const policy = { scope: 'BudgetPolicy', namespace: 'default', name: 'team' } as const
  const key = budgetKey({ ...policy, policy: 'team', limit: name, unit, window: spec, partition: [] })
  const version = { createdMs: 0, generation: 0, grantMs: 0 }
  const bound: BoundLimit = {
    key,
    policy,
    limit: { name, unit, amount: limit, window: spec, partitionBy: [], maxPartitions: 10, allowUpTo: null },
    partition: [],
    version,
    hard: true,
    response: { statusCode: null, message: null, exposeAmounts: expose, exposeBalance: false },
    window: () => window,
  }
  return {
    bound,
    line: { key, unit, window, amount: need, limit, version, hard: true, floor: need },
    balance: { limit, available: limit - spent - reserved, reserved, spent, suspense: 0n, overrun: 0n },
    fitsMs,
  }
}

describe('a refusal by the ledger', () => {
  it.each([
    ['fits once open calls close', { need: 5n, limit: 10n, spent: 2n, reserved: 6n }, 'in-flight', 429, true],
    ['is used up for longer', { need: 5n, limit: 10n, spent: 6n }, 'exhausted', 402, false],
    ['can never fit', { need: 11n, limit: 10n }, 'never-fits', 403, false],
    [
      'ends within a minute',
      { need: 5n, limit: 10n, spent: 6n, window: { kind: 'calendar', startMs: 0, endMs: NOW + 30_000 } },
      'window-ending',
      429,
      true,
    ],
    [
      'has its calls in flight',
      { unit: 'Requests', need: 1n, limit: 2n, reserved: 2n, window: { kind: 'inFlight' } },
      'concurrency',
      429,
      true,
    ],
    ['is a rate', { unit: 'Requests', need: 1n, limit: 2n, spent: 2n, window: { kind: 'sliding', lengthMs: 10_000 } }, 'rate', 429, true],
    [
      'is a long rate',
      { unit: 'Tokens', need: 1n, limit: 2n, spent: 2n, window: { kind: 'sliding', lengthMs: 3_600_000 } },
      'rate',
      429,
      false,
    ],
    ['is sliding money', { need: 1n, limit: 2n, spent: 2n, window: { kind: 'sliding', lengthMs: 10_000 } }, 'exhausted', 402, false],
  ] as const)('that %s', (_, given, reason, status, retry) => {
    const verdict = verdictOnShortfall([shortfall(given as Case)], NOW, 0.5)
    expect(verdict).toMatchObject({ reason, status, dontRetry: !retry })
    expect(verdict.retryAfter === null).toBe(!retry)
    expect(verdict.budget?.limit).toBe('daily')
  })

  it('names the line with the longest wait, whatever their order', () => {
    const lines = [
      shortfall({ need: 5n, limit: 10n, reserved: 6n, name: 'open' }),
      shortfall({ need: 5n, limit: 10n, spent: 6n, name: 'spent' }),
      shortfall({ unit: 'Requests', need: 1n, limit: 1n, reserved: 1n, window: { kind: 'inFlight' }, name: 'slots' }),
    ]
    for (const order of [lines, lines.toReversed()]) expect(verdictOnShortfall(order, NOW, 0).budget?.limit).toBe('spent')
  })

  it('tells amounts only where the policy exposes them', () => {
    const given = { need: 10_250_000n, limit: 1_000_000_000n, spent: 995_000_000n, reserved: 1_000n }
    expect(verdictOnShortfall([shortfall(given)], NOW, 0).message).not.toMatch(/\$/)
    const told = verdictOnShortfall([shortfall({ ...given, expose: true })], NOW, 0).message
    expect(told).toContain('Needed $0.01025, left $0.004999, in flight $0.000001, limit $1.')
    expect(told).toContain('It resets at 2023-11-15T00:13:20Z.')
  })

  it('spreads the clients of one burst over several seconds', () => {
    const given = [shortfall({ need: 5n, limit: 10n, reserved: 6n })]
    const waits = Array.from({ length: 100 }, (_, i) => verdictOnShortfall(given, NOW, i / 100).retryAfter)
    expect([...new Set(waits)]).toEqual([1, 2, 3, 4, 5])
  })

  it('never asks to come back before a window that is known to end', () => {
    const window: Window = { kind: 'calendar', startMs: 0, endMs: NOW + 30_000 }
    const given = [shortfall({ need: 5n, limit: 10n, spent: 6n, window })]
    for (const random of [0, 0.5, 0.99]) expect(verdictOnShortfall(given, NOW, random).retryAfter).toBeGreaterThanOrEqual(30)
  })

  it('asks to come back when enough of a sliding window has slid out, not before and not a whole window later', () => {
    const window: Window = { kind: 'sliding', lengthMs: 3_600_000 }
    for (const given of [
      { unit: 'Requests', need: 1n, limit: 60n, reserved: 60n, window, fitsMs: NOW + 12_000 },
      { unit: 'Tokens', need: 6n, limit: 60n, spent: 55n, window, fitsMs: NOW + 12_000 },
    ] as const) {
      const waits = [0, 0.5, 0.99].map(random => verdictOnShortfall([shortfall(given)], NOW, random))
      expect(waits.map(({ reason, retryAfter }) => [reason, retryAfter])).toEqual([
        ['rate', 12],
        ['rate', 15],
        ['rate', 18],
      ])
      const late = verdictOnShortfall([shortfall({ ...given, fitsMs: NOW + 60_001 })], NOW, 0)
      expect([late.reason, late.retryAfter, late.dontRetry]).toEqual(['rate', null, true])
      const past = verdictOnShortfall([shortfall({ ...given, fitsMs: NOW - 5 })], NOW, 0)
      expect([past.reason, past.retryAfter]).toEqual(['rate', 1])
    }
  })

  it('weighs waits, not their kinds: a window that ends later than a rate frees is named', () => {
    const ending: Window = { kind: 'calendar', startMs: 0, endMs: NOW + 30_000 }
    const rate = { unit: 'Requests', need: 1n, limit: 1n, spent: 1n, window: { kind: 'sliding', lengthMs: 60_000 }, name: 'rate' } as const
    const lines = (fitsMs: number) => [
      shortfall({ ...rate, fitsMs }),
      shortfall({ need: 5n, limit: 10n, spent: 6n, window: ending, name: 'ending' }),
    ]
    expect(verdictOnShortfall(lines(NOW + 3_000), NOW, 0).budget?.limit).toBe('ending')
    expect(verdictOnShortfall(lines(NOW + 40_000), NOW, 0).budget?.limit).toBe('rate')
  })

  it('asks for a wait of 1 to 60 whole seconds or for none', () => {
    const amount = fc.bigInt({ min: 0n, max: 50n })
    const window = fc.constantFrom<Window>(DAY, { kind: 'inFlight' }, { kind: 'lifetime' }, { kind: 'sliding', lengthMs: 45_000 })
    const unit = fc.constantFrom<Unit>('USD', 'Tokens', 'Requests')
    const lines = fc.array(fc.record({ need: amount, limit: amount, spent: amount, reserved: amount, window, unit }), {
      minLength: 1,
      maxLength: 5,
    })
    fc.assert(
      fc.property(lines, fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), (cases, random) => {
        const { retryAfter, dontRetry, status } = verdictOnShortfall(cases.map(shortfall), NOW, random)
        expect(dontRetry).toBe(retryAfter === null)
        if (retryAfter !== null) expect(Number.isInteger(retryAfter) && retryAfter >= 1 && retryAfter <= 60).toBe(true)
        expect([402, 403, 429]).toContain(status)
      }),
    )
  })
})
