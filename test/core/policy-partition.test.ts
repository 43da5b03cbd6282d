// Partitions: one value a selector, bounded in length and in number, remembered across sets.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type BudgetKey, parseBudgetKey } from '../../src/core/budget.ts'
import { PartitionRegistry, partitionOf } from '../../src/core/partition.ts'
import type { Subject } from '../../src/core/subject.ts'
import { call, limit, policy, setOf, sha256, subject } from './policy-objects.ts'

const user = { kind: 'attribute', name: 'user' } as const
const as = (value: string): Subject => subject({ attributes: new Map([['user', value]]) })
const bucket = (value: string): string => partitionOf(as(value), [user], 128, sha256)[0] ?? ''

describe('a partition', () => {
  it('is (none) without a value, and one value for each selector', () => {
    const selectors = [user, { kind: 'route', field: 'name' } as const, { kind: 'jwtClaim', name: 'groups' } as const]
    expect(partitionOf(subject(), selectors, 128, sha256)).toEqual(['(none)', 'llm', '(none)'])
    expect(partitionOf(subject({ claims: new Map([['groups', ['']]]) }), selectors, 128, sha256)[2]).toBe('(none)')
  })

  it('of a claim with several values is the smallest, in whatever order the token lists them', () => {
    const by = (groups: string[]) =>
      partitionOf(subject({ claims: new Map([['groups', groups]]) }), [{ kind: 'jwtClaim', name: 'groups' }], 128, sha256)
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 }), { minLength: 1 }), groups => {
        expect(by(groups)).toEqual(by([...groups].reverse()))
      }),
    )
    expect(by(['b', 'a', 'c'])).toEqual(['a'])
  })

  it('is kept as its SHA-256 beyond 128 bytes of UTF-8, exactly', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 140 }), value => {
        if (value === '(none)' || value === '(other)') return
        const wellFormed = value.toWellFormed()
        expect(bucket(wellFormed)).toBe(Buffer.byteLength(wellFormed) <= 128 ? wellFormed : `sha256:${sha256(wellFormed)}`)
      }),
      { numRuns: 1_000 },
    )
    expect(bucket('ü'.repeat(64))).toBe('ü'.repeat(64))
    expect(bucket(`${'ü'.repeat(64)}x`)).toMatch(/^sha256:[0-9a-f]{64}$/)
  })

  it('cannot be spelt like a bucket of ours', () => {
    expect(bucket('(other)')).toBe(`sha256:${sha256('(other)')}`)
    expect(bucket('(none)')).toBe(`sha256:${sha256('(none)')}`)
  })
})

describe('at most maxPartitions', () => {
  const bounded = policy({ limits: [limit({ partitionBy: [user], maxPartitions: 2 })] })
  const ask = (registry: PartitionRegistry) => {
    const set = setOf({ policies: [bounded] }, registry)
    return (who: Subject) => set.bindSubject(who).bind(call).limits[0]!
  }

  it('have a bucket of their own; later ones share (other), and those without a value (none)', () => {
    const bind = ask(new PartitionRegistry())
    expect(['a', 'b', 'c', 'a', 'd'].map(value => bind(as(value)).partition)).toEqual([['a'], ['b'], ['(other)'], ['a'], ['(other)']])
    expect(bind(subject()).partition).toEqual(['(none)'])
    expect(bind(as('x')).key).toBe(bind(as('y')).key)
    expect(parseBudgetKey(bind(as('a')).key)?.partition).toEqual(['a'])
  })

  it('survive a reload, and are preloaded from the keys of a ledger', () => {
    const registry = new PartitionRegistry()
    const [first] = [ask(registry)(as('old'))]
    expect(ask(registry)(as('old')).key).toBe(first.key)
    const fresh = new PartitionRegistry()
    fresh.seen(first.key)
    fresh.seen('BudgetPolicy|default|team|month|USD|calendar:Month:UTC:1|(other)' as BudgetKey)
    fresh.seen('BudgetPolicy|default|team|month|USD|calendar:Month:UTC:1' as BudgetKey)
    fresh.seen('rubbish' as BudgetKey)
    expect(['x', 'y', 'old'].map(value => ask(fresh)(as(value)).partition[0])).toEqual(['x', '(other)', 'old'])
  })

  it('are never more, whatever comes, and are forgotten with their limit', () => {
    const registry = new PartitionRegistry()
    const bind = ask(registry)
    fc.assert(
      fc.property(fc.string(), value => {
        bind(as(value))
        expect(registry.count('BudgetPolicy|default|team|month|USD|calendar:Month:UTC:1' as BudgetKey)).toBeLessThanOrEqual(2)
      }),
    )
    registry.retain([])
    expect(bind(as('later')).partition).toEqual(['later'])
  })
})
