// Experiments: which keys are within the bounds of their namespace, and that the rest are no keys.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ExperimentBounds } from '../../src/core/experiments.ts'
import type { AccessKey } from '../../src/core/policy.ts'
import { PolicyIndex } from '../../src/core/policy-index.ts'
import { accessKey, labelSelector, limit, options, policy } from './policy-objects.ts'

const USD = 1_000_000_000n
const HOUR = 3_600_000
const T0 = Date.UTC(2026, 10, 24)
const NONE: ExperimentBounds = { maxAmount: null, maxDurationMs: null, maxOpen: null }

interface Wanted {
  readonly name: string
  readonly amount?: bigint
  readonly createdMs?: number
  readonly hours?: number | null
  readonly namespace?: string
  readonly over?: Partial<AccessKey>
}

const bounding = (bounds: Partial<ExperimentBounds>, over: object = {}) =>
  policy({ scope: 'ClusterBudgetPolicy', name: 'org', experiments: { ...NONE, ...bounds }, ...over })

function put(index: PolicyIndex, { name, amount = 5n, createdMs = T0, hours = 1, namespace = 'default', over = {} }: Wanted): AccessKey {
  const expiresAtMs = hours === null ? null : createdMs + hours * HOUR
  const key = accessKey({ name, namespace, keyHashes: [`sha256:${namespace}${name}`], createdMs, expiresAtMs, experiment: true, ...over })
  index.put(policy({ scope: 'AccessKey', namespace, name, limits: [limit({ amount: amount * USD, window: { kind: 'lifetime' } })] }))
  index.putKey(key)
  return key
}

function fault(bounds: Partial<ExperimentBounds>, wanted: Partial<Wanted>, over: object = {}): string | null {
  const index = new PolicyIndex(options())
  index.put(bounding(bounds, over))
  return index.keyFault(put(index, { name: 'a', ...wanted }), T0)
}

describe('an experiment', () => {
  it.each([
    ['of the most it may spend', { maxAmount: 5n * USD }, {}, null],
    ['of more', { maxAmount: 5n * USD - 1n }, {}, 'it may spend $5, and $4.999999999 is the most'],
    ['of the longest it may last', { maxDurationMs: HOUR }, {}, null],
    ['of a ms more', { maxDurationMs: HOUR - 1 }, {}, 'it lasts longer than'],
    ['without an end', { maxDurationMs: HOUR }, { hours: null }, 'it lasts longer than 1 hours'],
    ['where none may be open', { maxOpen: 0 }, {}, 'only 0 of a namespace may be open'],
    ['without bounds', {}, { amount: 1_000_000n, hours: null }, null],
  ] as const)('%s', (_, bounds, wanted, why) => {
    const text = fault(bounds, wanted)
    if (why === null) expect(text).toBeNull()
    else {
      expect(text).toContain(why)
      expect(text).toContain('The key default/a is an experiment beyond what ClusterBudgetPolicy org allows')
    }
  })

  it('is bounded only by policies that select its namespace, and enforce', () => {
    expect(fault({ maxAmount: 0n }, {}, { namespaceSelector: labelSelector({ ai: 'yes' }) })).toBeNull()
    expect(fault({ maxAmount: 0n }, {}, { audit: true })).toBeNull()
    expect(fault({ maxAmount: 0n }, { over: { experiment: false } })).toBeNull()
  })

  it('is bounded by the strictest of several', () => {
    const index = new PolicyIndex(options())
    index.put(bounding({ maxAmount: 9n * USD }, { name: 'loose' }))
    index.put(bounding({ maxAmount: 1n * USD }, { name: 'tight' }))
    expect(index.keyFault(put(index, { name: 'a' }), T0)).toContain('ClusterBudgetPolicy tight')
  })

  it('of which only so many may be open: the oldest of its namespace, until one ends, is disabled or goes', () => {
    const index = new PolicyIndex(options())
    index.put(bounding({ maxOpen: 2, maxAmount: 5n * USD }))
    const [a, b, c] = ['a', 'b', 'c'].map((name, index_) => put(index, { name, createdMs: T0 + index_, hours: index_ + 1 }))
    put(index, { name: 'other', namespace: 'elsewhere', createdMs: 0, hours: 100_000_000 })
    // One that is refused for itself keeps nobody out.
    put(index, { name: 'wild', amount: 6n, createdMs: 0, hours: 100_000_000 })
    const open = (nowMs: number): boolean[] => [a, b, c].map(key => index.keyFault(key!, nowMs) === null)
    expect(open(T0)).toEqual([true, true, false])
    expect(open(T0 + HOUR)).toEqual([true, true, true])
    index.removeKey(b!)
    expect(open(T0)[2]).toBe(true)
    const disabled = { ...a!, disabled: true }
    index.putKey(b!)
    index.removeKey(a!)
    index.putKey(disabled)
    expect(index.keyFault(c!, T0)).toBeNull()
  })

  it('never has more company than allowed, in whatever order they came', () => {
    const some = fc.uniqueArray(
      fc.record({ name: fc.constantFrom(...'abcdefgh'), born: fc.nat({ max: 3 }), hours: fc.integer({ min: 1, max: 4 }) }),
      {
        selector: one => one.name,
      },
    )
    fc.assert(
      fc.property(some, fc.nat({ max: 4 }), fc.nat({ max: 5 }), fc.integer(), (all, maxOpen, hour, seed) => {
        const now = T0 + hour * HOUR
        const accepted = [all, all.toSorted((x, y) => x.name.charCodeAt(0) * seed - y.name.charCodeAt(0) * seed)].map(order => {
          const index = new PolicyIndex(options())
          for (const { name, born, hours } of order) put(index, { name, createdMs: T0 + born * HOUR, hours })
          index.put(bounding({ maxOpen }))
          return order
            .map(({ name }) => index.keyByHash(`sha256:default${name}`)!)
            .filter(key => now < (key.expiresAtMs ?? 0) && index.keyFault(key, now) === null)
            .map(key => key.name)
            .toSorted()
        })
        expect(accepted[0]).toEqual(accepted[1])
        expect(accepted[0]!.length).toBeLessThanOrEqual(maxOpen)
      }),
    )
  })
})
