// The index, changed one object at a time in any order, against a set that is compiled afresh from what should be in it.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PartitionRegistry } from '../../src/core/partition.ts'
import type { Policy } from '../../src/core/policy.ts'
import { PolicyIndex } from '../../src/core/policy-index.ts'
import { accessKey, calls, limit, namespaceLabels, options, policies, policy, setOf, subject, subjects } from './policy-objects.ts'

const nameOf = ({ scope, namespace, name }: Policy): string => `${scope} ${namespace}/${name}`

describe('an index', () => {
  it('is what its changes left, whatever came between, and whatever was asked meanwhile', () => {
    const steps = fc.array(fc.tuple(policies, fc.option(namespaceLabels), subjects), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(steps, fc.array(fc.nat(), { maxLength: 6 }), subjects, calls, (rounds, removed, who, asked) => {
        const index = new PolicyIndex(options())
        const kept = new Map<string, Policy>()
        let namespaces = new Map<string, ReadonlyMap<string, string>>()
        for (const [all, labels, other] of rounds) {
          for (const one of all) {
            // Asked before, so that what is remembered must be forgotten.
            index.bindSubject(who)
            index.put(one)
            kept.set(nameOf(one), one)
          }
          for (const at of removed) {
            const victim = [...kept.values()][at % Math.max(1, kept.size)]
            if (victim === undefined) continue
            index.remove(victim)
            kept.delete(nameOf(victim))
          }
          index.bindSubject(other)
          if (labels === null) continue
          for (const name of namespaces.keys()) index.removeNamespace(name)
          for (const [name, of] of labels) index.putNamespace(name, of)
          namespaces = new Map(labels)
        }
        const fresh = setOf({ policies: [...kept.values()], namespaces })
        const [ours, theirs] = [index.bindSubject(who), fresh.bindSubject(who)]
        expect(ours.policies).toEqual(theirs.policies)
        expect(ours.rules).toEqual(theirs.rules)
        const plain = ({ policies: bound, limits, forbidden }: ReturnType<typeof ours.bind>) => [
          bound,
          limits.map(one => one.key),
          forbidden,
        ]
        expect(plain(ours.bind(asked))).toEqual(plain(theirs.bind(asked)))
        expect(index.declared()).toEqual(fresh.declared())
      }),
      { numRuns: 500 },
    )
  })

  it('takes a policy in the place of the one of its name, and tells its limits', () => {
    const index = new PolicyIndex(options())
    const [before, after] = [policy({ limits: [limit({ amount: 1n })] }), policy({ limits: [limit({ amount: 2n }), limit({ name: 'b' })] })]
    index.put(before)
    expect(index.declared()).toHaveLength(1)
    index.put(after)
    expect(index.limitsOf(after).map(one => one.limit)).toEqual(after.limits)
    expect(index.declared()).toEqual(index.limitsOf(after))
    index.remove(after)
    expect(index.limitsOf(after)).toEqual([])
    expect(index.declared()).toEqual([])
  })

  it('leaves bindings alone that were made before a change', () => {
    const index = new PolicyIndex(options())
    index.put(policy({ limits: [limit()] }))
    const bound = index.bindSubject(subject())
    index.remove(policy())
    expect(bound.bind({ models: [], provider: null, endpoint: 'x' }).limits).toHaveLength(1)
    expect(index.bindSubject(subject()).policies).toEqual([])
  })

  it('forgets a key with its hashes, but not those that another holds by now', () => {
    const index = new PolicyIndex(options(new PartitionRegistry()))
    const [first, second] = [accessKey({ keyHashes: ['sha256:a', 'sha256:b'] }), accessKey({ name: 'second', keyHashes: ['sha256:a'] })]
    index.putKey(first)
    expect(() => index.putKey(second)).toThrow('held once')
    index.removeKey(first)
    index.putKey(second)
    index.removeKey(first)
    expect([index.keyByHash('sha256:a')?.name, index.keyByHash('sha256:b')]).toEqual(['second', null])
  })

  it('answers the same price lists while none changes', () => {
    const index = new PolicyIndex(options())
    const list = (name: string, priority: number) => ({ name, priority, aliases: [], models: [] })
    index.putPriceList(list('b', 1))
    index.putPriceList(list('a', 1))
    index.putPriceList(list('c', 2))
    const lists = index.priceLists
    index.put(policy())
    expect(index.priceLists).toBe(lists)
    expect(lists.map(one => one.name)).toEqual(['c', 'a', 'b'])
    index.putPriceList(list('b', 3))
    index.removePriceList('c')
    expect(index.priceLists.map(one => one.name)).toEqual(['b', 'a'])
  })
})
