// Objects judged one by one: in force as soon as they are put, faulty ones alone held back, and nothing left behind by what is gone.
import { describe, expect, it } from 'vitest'
import { PartitionRegistry } from '../../src/core/partition.ts'
import { type Kind, ObjectsInForce } from '../../src/kubernetes/objects-in-force.ts'
import type { RawObject } from '../../src/kubernetes/raw-object.ts'
import { options, subject } from '../core/policy-objects.ts'

const POLICY: Kind = { apiVersion: 'purser.dev/v1alpha1', kind: 'BudgetPolicy' }
const KEY: Kind = { ...POLICY, kind: 'AccessKey' }
const PRICES: Kind = { ...POLICY, kind: 'ModelPriceList' }
const CLUSTER: Kind = { ...POLICY, kind: 'ClusterBudgetPolicy' }
const GRANT: Kind = { ...POLICY, kind: 'BudgetGrant' }
const NAMESPACE: Kind = { apiVersion: 'v1', kind: 'Namespace' }
const HASH = `sha256:${'a'.repeat(64)}`

const raw = (name: string, spec: unknown, over: Partial<RawObject['metadata']> = {}): RawObject => ({
  metadata: {
    name,
    namespace: 'team',
    uid: name,
    resourceVersion: '1',
    generation: 3,
    creationTimestamp: '2026-01-01T00:00:00Z',
    ...({ managedFields: [{}], somethingNew: true } as object),
    ...over,
  },
  spec,
  ...({ status: { written: 'by another version' } } as object),
})
const limit = (over: object = {}) => ({ name: 'month', unit: 'USD', amount: '5', window: { calendar: 'Month' }, ...over })

function fresh() {
  const partitions = new PartitionRegistry()
  return { partitions, objects: new ObjectsInForce({ trustedHeaders: [], defaultNamespace: 'default' }, options(partitions)) }
}
const amounts = (objects: ObjectsInForce): bigint[] => objects.index.declared().map(one => one.limit.amount / 1_000_000_000n)

describe('an object', () => {
  it('is in force with its creation and generation as its version', () => {
    const { objects } = fresh()
    expect(objects.put(POLICY, raw('a', { limits: [limit()] }))).toMatchObject({
      problems: [],
      warnings: [],
      findings: [],
      accepted: { name: 'a' },
    })
    expect(objects.index.declared()[0]?.version).toEqual({ createdMs: Date.UTC(2026, 0, 1), generation: 3, grantMs: 0 })
    expect(objects.count).toBe(1)
  })

  it('that is faulty keeps its last good state and stops no other', () => {
    const { objects } = fresh()
    objects.put(POLICY, raw('a', { limits: [limit()] }))
    const { problems } = objects.put(POLICY, raw('a', { limits: [limit({ amount: '6', fairShare: true })] }))
    expect(problems).toEqual(['BudgetPolicy team/a: spec.limits[0].fairShare: true is not supported yet; allowed: false'])
    objects.put(POLICY, raw('b', { limits: [limit({ amount: '7' })] }))
    expect(objects.put(POLICY, raw('c', { limits: 'none' })).problems).toHaveLength(1)
    expect(amounts(objects)).toEqual([5n, 7n])
    objects.put(POLICY, raw('a', { limits: [limit({ amount: '8' })] }))
    expect(amounts(objects)).toEqual([8n, 7n])
    objects.remove(POLICY, 'team/a')
    objects.remove(POLICY, 'team/c')
    expect(amounts(objects)).toEqual([7n])
  })

  it('is told where a limit starts anew, and forgets the partitions of what is gone', () => {
    const { objects, partitions } = fresh()
    objects.put(POLICY, raw('a', { limits: [limit({ partitionBy: [{ route: 'name' }] })] }))
    const key = objects.index.declared()[0]!.key
    const caller = subject({ route: { namespace: 'team', name: 'r', rule: null } })
    objects.index.bindSubject(caller).bind({ models: [], provider: null, endpoint: 'x' })
    expect(partitions.count(key)).toBe(1)
    expect(objects.put(POLICY, raw('a', { limits: [limit({ partitionBy: [{ route: 'name' }], amount: '9' })] })).warnings).toEqual([])
    expect(partitions.count(key)).toBe(1)
    expect(objects.put(POLICY, raw('a', { limits: [limit({ unit: 'Tokens' })] })).warnings.join()).toContain('starts a new balance')
    expect(partitions.count(key)).toBe(0)
  })

  it('of every kind comes and goes', () => {
    const { objects } = fresh()
    const caller = subject({ route: { namespace: 'team', name: 'r', rule: null } })
    objects.put(
      CLUSTER,
      raw('org', { namespaceSelector: { matchLabels: { ai: 'yes' } }, limits: [limit()] }, { namespace: undefined } as object),
    )
    expect(objects.index.bindSubject(caller).policies).toEqual([])
    objects.put(NAMESPACE, raw('team', undefined, { labels: { ai: 'yes' }, namespace: undefined } as object))
    expect(objects.index.bindSubject(caller).policies).toHaveLength(1)
    expect(objects.count).toBe(1)
    objects.remove(NAMESPACE, '/team')
    expect(objects.index.bindSubject(caller).policies).toEqual([])
    objects.put(PRICES, raw('list', { priority: 1 }, { namespace: undefined } as object))
    expect(objects.index.priceLists.map(list => list.name)).toEqual(['list'])
    objects.remove(PRICES, '/list')
    expect(objects.index.priceLists).toEqual([])
    const grant = {
      policyRef: { kind: 'BudgetPolicy', name: 'a', limit: 'month' },
      amount: '5',
      expiresAt: '2027-01-01T00:00:00Z',
      reason: 'launch',
    }
    expect(objects.put(GRANT, raw('g', grant)).problems.join()).toContain('BudgetGrant team/g: kind: ')
  })

  it('that is a key has its own limits, and loses them', () => {
    const { objects } = fresh()
    objects.put(KEY, raw('k', { keyHashes: [HASH], limits: [limit()] }))
    expect(amounts(objects)).toEqual([5n])
    objects.put(KEY, raw('k', { keyHashes: [HASH], disabled: true }))
    expect(amounts(objects)).toEqual([])
    expect(objects.index.keyByHash(HASH)?.disabled).toBe(true)
    objects.remove(KEY, 'team/k')
    expect(objects.index.keyByHash(HASH)).toBeNull()
  })

  it('that is a key does not take over the hash of an older one', () => {
    const { objects } = fresh()
    objects.put(KEY, raw('late', { keyHashes: [HASH] }, { creationTimestamp: '2026-02-01T00:00:00Z' }))
    const { problems } = objects.put(KEY, raw('old', { keyHashes: [HASH] }))
    expect(problems).toEqual([
      'AccessKey team/late: spec.keyHashes[0]: is held by the older AccessKey team/old, so that it does not count here',
    ])
    expect(objects.index.keyByHash(HASH)?.name).toBe('old')
    objects.remove(KEY, 'team/old')
    expect(objects.index.keyByHash(HASH)?.name).toBe('late')
  })
})
