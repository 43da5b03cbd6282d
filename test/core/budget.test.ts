// Budget keys: readable, reversible, and never the same for two budgets. Versions: a total order, field by field.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type BudgetIdentity,
  budgetKey,
  compareVersions,
  formatAmount,
  type LimitVersion,
  parseBudgetKey,
  UNITS,
  unitPlaces,
} from '../../src/core/budget.ts'
import { type WindowSpec, windowSpecText } from '../../src/core/window.ts'

const windowSpec: fc.Arbitrary<WindowSpec> = fc.oneof(
  fc.record({
    kind: fc.constant('calendar' as const),
    period: fc.constantFrom('Hour' as const, 'Day' as const, 'Month' as const),
    timeZone: fc.constantFrom('UTC', 'America/New_York', 'Etc/GMT+5'),
    anchorDay: fc.integer({ min: 1, max: 31 }),
  }),
  fc.record({ kind: fc.constant('sliding' as const), lengthMs: fc.integer({ min: 1_000, max: 10 ** 10 }) }),
  fc.constant({ kind: 'lifetime' } as const),
  fc.constant({ kind: 'inFlight' } as const),
)
/** Anything, and much of what separators and escapes are made of. */
const field = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: fc.constantFrom('|', '%', '7', 'C', 'c', ':', '/', ' ', '\n', '\u0000', 'é', '(', 'a') }),
)
const identity: fc.Arbitrary<BudgetIdentity> = fc.record({
  scope: fc.constantFrom('BudgetPolicy' as const, 'ClusterBudgetPolicy' as const, 'AccessKey' as const),
  namespace: field,
  policy: field,
  limit: field,
  unit: fc.constantFrom(...UNITS),
  window: windowSpec,
  partition: fc.array(field, { maxLength: 3 }),
})

describe('the key of a budget', () => {
  it('reads back to all of its fields', () => {
    fc.assert(
      fc.property(identity, of => {
        const { window, ...rest } = of
        expect(parseBudgetKey(budgetKey(of))).toEqual({ ...rest, window: windowSpecText(window) })
      }),
    )
  })

  it('is printable ASCII without spaces or braces, whatever the names are', () => {
    fc.assert(fc.property(identity, of => /^[\x21-\x7a|~]+$/.test(budgetKey(of))))
  })

  it('is another one for another budget', () => {
    fc.assert(
      fc.property(identity, identity, (a, b) => {
        const same = JSON.stringify([a, windowSpecText(a.window)]) === JSON.stringify([b, windowSpecText(b.window)])
        fc.pre(!same)
        expect(budgetKey(a)).not.toBe(budgetKey(b))
      }),
    )
    const base: BudgetIdentity = {
      scope: 'AccessKey',
      namespace: 'n',
      policy: 'p',
      limit: 'l',
      unit: 'USD',
      window: { kind: 'lifetime' },
      partition: [],
    }
    const changes: Partial<BudgetIdentity>[] = [
      { partition: ['a'] },
      { partition: [''] },
      { partition: ['', ''] },
      { partition: ['a|b'] },
      { partition: ['a', 'b'] },
      { partition: ['a%7Cb'] },
      { scope: 'BudgetPolicy' },
      { unit: 'Tokens' },
      { window: { kind: 'inFlight' } },
      { namespace: 'n|p', policy: '' },
    ]
    expect(new Set([{}, ...changes].map(change => budgetKey({ ...base, ...change }))).size).toBe(changes.length + 1)
  })

  it('takes text that is not well-formed', () => {
    const of = {
      scope: 'AccessKey',
      namespace: '\ud800',
      policy: 'p',
      limit: 'l',
      unit: 'USD',
      window: { kind: 'lifetime' },
      partition: ['\udc00x'],
    } as const
    expect(parseBudgetKey(budgetKey(of))).toMatchObject({ namespace: '\ufffd', partition: ['\ufffdx'] })
  })

  it.each(['', '|', 'a|b|c|d|e|f', 'a|b|c|d|usd|f', 'a|b|c|d|USD', '%|b|c|d|USD|f', 'a|b|c|d|USD|f|%zz'])('%j is none of ours', key => {
    expect(parseBudgetKey(key)).toBeNull()
  })
})

describe('versions', () => {
  const version: fc.Arbitrary<LimitVersion> = fc.record({
    createdMs: fc.nat({ max: 3 }),
    generation: fc.nat({ max: 3 }),
    grantMs: fc.nat({ max: 3 }),
  })
  const fields = (of: LimitVersion): number => of.createdMs * 100 + of.generation * 10 + of.grantMs
  it('compare by creation, then generation, then newest grant', () => {
    fc.assert(fc.property(version, version, (a, b) => Math.sign(compareVersions(a, b)) === Math.sign(fields(a) - fields(b))))
  })
})

it('prints amounts in whole units', () => {
  expect(UNITS.map(unitPlaces)).toEqual([9, 0, 0, 0, 0])
  expect(formatAmount(10_250_000n, 'USD')).toBe('0.01025')
  expect(formatAmount(-5n, 'USD')).toBe('-0.000000005')
  expect(formatAmount(12_000n, 'Tokens')).toBe('12000')
})
