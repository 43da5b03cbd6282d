// Merging of rules: the strictest that is said wins, in any order; audits have no say.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mergeRules } from '../../src/core/rules.ts'
import { policy, reservation, reservations } from './policy-objects.ts'

const many = fc.array(fc.record({ reservation: reservations, audit: fc.boolean() }), { maxLength: 6 })
const named = (all: { reservation: ReturnType<typeof reservation>; audit: boolean }[]) =>
  all.map((one, index) => policy({ ...one, name: `p${index}` }))

describe('merged rules', () => {
  it('are the strictest said by any policy that enforces, whatever the order', () => {
    fc.assert(
      fc.property(many, all => {
        const rules = mergeRules(named(all))
        const said = all.filter(one => !one.audit).map(one => one.reservation)
        if (said.length === 0) return
        for (const field of ['onUnknownModel', 'onOpaqueInput', 'onServerTools', 'onUnknownEndpoint', 'onUnreadable'] as const) {
          const values = said.map(one => one[field]).filter(value => value !== null)
          const silent = field === 'onOpaqueInput' ? 'ReserveContextWindow' : 'Deny'
          const strictest = values.find(value => value === 'Deny') ?? values.find(value => value === 'Clamp')
          expect(rules[field]).toBe(strictest ?? values[0] ?? silent)
        }
        const order = ['Strict', 'Bytes', 'Tokenizer'] as const
        expect(rules.inputEstimate).toBe(order.find(mode => said.some(one => one.inputEstimate === mode)) ?? 'Bytes')
        expect(rules.requireOutputBound).toBe(said.some(one => one.requireOutputBound === true))
        const least = (amounts: (bigint | null)[]) => amounts.filter(amount => amount !== null).sort((a, b) => Number(a - b))[0] ?? null
        expect(rules.defaultMaxOutputTokens).toBe(least(said.map(one => one.defaultMaxOutputTokens)))
        expect(rules.maxPerRequest?.amount ?? null).toBe(least(said.map(one => one.maxPerRequest)))
        expect(rules.onLedgerUnavailable).toBe('Deny')
        const reversed = mergeRules(named(all).reverse())
        expect({ ...reversed, maxPerRequest: reversed.maxPerRequest?.amount }).toEqual({
          ...rules,
          maxPerRequest: rules.maxPerRequest?.amount,
        })
      }),
      { numRuns: 1_000 },
    )
  })

  it('only become stricter by one more policy that enforces', () => {
    const strictness = (all: ReturnType<typeof named>) => {
      const rules = mergeRules(all)
      return [
        rules.inputEstimate === 'Strict',
        rules.requireOutputBound,
        -Number(rules.maxPerRequest?.amount ?? 99),
        -Number(rules.defaultMaxOutputTokens ?? 99),
      ].map(Number)
    }
    fc.assert(
      fc.property(many, reservations, (all, more) => {
        const enforced = [{ reservation: reservation({}), audit: false }, ...all]
        const before = strictness(named(enforced))
        const after = strictness(named([...enforced, { reservation: more, audit: false }]))
        for (const [index, value] of after.entries()) expect(value).toBeGreaterThanOrEqual(before[index]!)
      }),
    )
  })

  it('name the policy with the smallest bound a request', () => {
    const rules = mergeRules([
      policy({ name: 'a', reservation: reservation({ maxPerRequest: 7n }) }),
      policy({ name: 'b', reservation: reservation({ maxPerRequest: 5n }) }),
    ])
    expect(rules.maxPerRequest).toEqual({ amount: 5n, policy: { scope: 'BudgetPolicy', namespace: 'default', name: 'b' } })
  })

  it('refuse nothing where every policy only audits, and are safe where there is none', () => {
    const audit = policy({ audit: true, reservation: reservation({ onUnreadable: 'Deny', maxPerRequest: 1n, requireOutputBound: true }) })
    expect(mergeRules([audit])).toMatchObject({
      onUnreadable: 'Allow',
      onUnknownEndpoint: 'Allow',
      onLedgerUnavailable: 'Allow',
      onUnknownModel: 'DearestOfProvider',
      maxPerRequest: null,
      requireOutputBound: false,
    })
    expect(mergeRules([audit, policy()])).toMatchObject({ onUnreadable: 'Deny', onLedgerUnavailable: 'Deny', maxPerRequest: null })
    expect(mergeRules([])).toMatchObject({ onUnreadable: 'Deny', onLedgerUnavailable: 'Deny' })
  })
})
