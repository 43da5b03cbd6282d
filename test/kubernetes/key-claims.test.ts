// Who holds a hash: after any changes in any order, what a look at all keys at once would say.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PolicyIndex } from '../../src/core/policy-index.ts'
import { KeyClaims } from '../../src/kubernetes/key-claims.ts'
import { accessKey, options } from '../core/policy-objects.ts'

describe('claims on hashes', () => {
  it('are held by the oldest, whatever came first, changed or went', () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd')
    const hashes = fc.uniqueArray(fc.constantFrom('sha256:1', 'sha256:2', 'sha256:3'), { minLength: 1, maxLength: 2 })
    const step = fc.oneof(
      fc.record({ name, hashes, createdMs: fc.nat(3) }),
      fc.record({ name, hashes: fc.constant(null), createdMs: fc.nat(3) }),
    )
    let contested = 0
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), steps => {
        const index = new PolicyIndex(options())
        const claims = new KeyClaims(index)
        const all = new Map<string, { hashes: readonly string[]; createdMs: number }>()
        const holderOf = (hash: string): string | null => {
          const claimants = [...all].filter(([, one]) => one.hashes.includes(hash))
          return claimants.sort(([a, x], [b, y]) => x.createdMs - y.createdMs || (a < b ? -1 : 1))[0]?.[0] ?? null
        }
        const standing = new Map<string, string>()
        /** Every key can be asked how it stands; and whose standing is another than before the step was touched by it. */
        const lookAtAll = (): void => {
          for (const [other, { hashes: theirs }] of all) {
            const lost = theirs.flatMap((hash, at) =>
              holderOf(hash) === other ? [] : [{ key: `default/${other}`, at, holder: `default/${holderOf(hash)}` }],
            )
            expect(claims.contestsOf(`default/${other}`)).toEqual(lost)
            if ((standing.get(other) ?? '[]') !== JSON.stringify(lost)) expect(claims.touched).toContain(`default/${other}`)
            standing.set(other, JSON.stringify(lost))
          }
        }
        for (const one of steps) {
          if (one.hashes === null) {
            all.delete(one.name)
            standing.delete(one.name)
            claims.remove(accessKey({ name: one.name }))
            lookAtAll()
            continue
          }
          // An object keeps its creation until it is deleted.
          const createdMs = all.get(one.name)?.createdMs ?? one.createdMs
          all.set(one.name, { hashes: one.hashes, createdMs })
          const contests = claims.put(accessKey({ name: one.name, keyHashes: one.hashes }), createdMs)
          const expected = one.hashes.flatMap(hash =>
            [...all]
              .filter(([other, { hashes: theirs }]) => theirs.includes(hash) && other !== holderOf(hash))
              .map(([other, { hashes: theirs }]) => ({
                key: `default/${other}`,
                at: theirs.indexOf(hash),
                holder: `default/${holderOf(hash)}`,
              })),
          )
          const sorted = (list: typeof contests) => list.map(contest => JSON.stringify(contest)).sort()
          expect(sorted(contests)).toEqual(sorted(expected))
          contested += contests.length
          lookAtAll()
        }
        for (const hash of ['sha256:1', 'sha256:2', 'sha256:3']) expect(index.keyByHash(hash)?.name ?? null).toBe(holderOf(hash))
      }),
      { numRuns: 1_000 },
    )
    expect(contested).toBeGreaterThan(100)
  })
})
