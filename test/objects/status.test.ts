// Statuses computed from what is known: settled once written, of the shape that the CRDs have, and with news told exactly once.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { budgetKey } from '../../src/core/budget.ts'
import { partitionedReadingOf, readingOf } from '../../src/core/limit-reading.ts'
import type { DeclaredLimit, Limit } from '../../src/core/policy.ts'
import { type Balance, EMPTY_BALANCE } from '../../src/core/reservation.ts'
import { type WindowSpec, windowAt } from '../../src/core/window.ts'
import { SNAPSHOT_EVERY_MS } from '../../src/limits.ts'
import { attachmentOf } from '../../src/objects/attachment.ts'
import { checkObject } from '../../src/objects/check-object.ts'
import { bypassesOf } from '../../src/objects/conditions.ts'
import type { ReadLimit } from '../../src/objects/limit-status.ts'
import { limitNotices } from '../../src/objects/notices.ts'
import { isDue, type ObjectFacts, statusOf } from '../../src/objects/object-status.ts'
import type { AcceptedObject, BudgetSpec } from '../../src/objects/objects.ts'
import { type ObjectStatus, sameStatus, statusIn } from '../../src/objects/status.ts'

const NOW = Date.UTC(2026, 4, 20, 12)
const MONTH: WindowSpec = { kind: 'calendar', period: 'Month', timeZone: 'UTC', anchorDay: 1 }
const EMPTY: ObjectStatus = statusIn(undefined)

const policy = (spec: Partial<BudgetSpec> = {}): AcceptedObject => ({
  ...{ kind: 'BudgetPolicy', name: 'p', namespace: 'team', labels: new Map() },
  spec,
})
const limit = (over: Partial<Limit> = {}): Limit => ({
  ...{ name: 'month', unit: 'Tokens', amount: 1_000n, window: MONTH, partitionBy: [], maxPartitions: 100, allowUpTo: null },
  ...over,
})
const declared = (of: Limit): DeclaredLimit => ({
  policy: { scope: 'BudgetPolicy', namespace: 'team', name: 'p' },
  limit: of,
  key: budgetKey({
    scope: 'BudgetPolicy',
    namespace: 'team',
    policy: 'p',
    limit: of.name,
    unit: of.unit,
    window: of.window,
    partition: [],
  }),
  version: { createdMs: 0, generation: 1, grantMs: 0 },
})
const balance = (spent: bigint, reserved = 0n, overrun = 0n): Balance => ({ ...EMPTY_BALANCE, spent, reserved, overrun })

function read(
  of: Limit,
  spent: bigint,
  { reserved = 0n, overrun = 0n, nowMs = NOW, warnAtPercent = [] as readonly number[] } = {},
): ReadLimit {
  return { declared: declared(of), warnAtPercent, reading: readingOf(of, windowAt(of.window, nowMs), balance(spent, reserved, overrun)) }
}
function facts(over: Partial<ObjectFacts> = {}): ObjectFacts {
  const object = policy()
  return {
    ...{
      kind: 'BudgetPolicy',
      generation: 2,
      problems: [],
      doubts: [],
      contests: [],
      inForce: { generation: 2, object },
      emptySelectors: [],
    },
    ...{ attachment: { ancestors: [], routes: [], unresolved: [] }, bypasses: [], limits: [], isLedgerAway: false },
    ...over,
  }
}
const conditionsOf = (status: ObjectStatus) => Object.fromEntries(status.conditions.map(one => [one.type, `${one.status} ${one.reason}`]))

const TEXTS = fc.array(fc.string({ maxLength: 2_000 }), { maxLength: 12 })
const SPECS = fc.constantFrom<WindowSpec>(MONTH, { kind: 'sliding', lengthMs: 60_000 }, { kind: 'lifetime' }, { kind: 'inFlight' })
const READ_LIMITS = fc.uniqueArray(
  fc
    .tuple(
      fc.constantFrom('a', 'b', 'c', 'd'),
      SPECS,
      fc.bigInt(0n, 10n ** 18n),
      fc.bigInt(0n, 10n ** 19n),
      fc.bigInt(0n, 10n ** 15n),
      fc.boolean(),
      fc.boolean(),
    )
    .map(([name, window, amount, spent, reserved, isUsd, isSplit]): ReadLimit => {
      const of = limit({
        name,
        window,
        amount,
        unit: isUsd ? 'USD' : 'Tokens',
        partitionBy: isSplit ? [{ kind: 'jwtClaim', name: 'sub' }] : [],
      })
      const at = windowAt(window, NOW)
      const partitions = [
        { partition: ['alice@example'], balance: balance(spent, reserved) },
        { partition: ['(other)'], balance: balance(1n) },
      ]
      const reading = isSplit ? partitionedReadingOf(of, at, partitions) : readingOf(of, at, balance(spent, reserved, reserved))
      return { declared: declared(of), warnAtPercent: [50, 100], reading }
    }),
  { selector: one => one.declared.limit.name },
)
const FACTS = fc
  .record({
    kind: fc.constantFrom(
      'BudgetPolicy' as const,
      'ClusterBudgetPolicy' as const,
      'AccessKey' as const,
      'ModelPriceList' as const,
      'BudgetGrant' as const,
    ),
    generation: fc.nat(9),
    problems: TEXTS,
    doubts: TEXTS,
    contests: TEXTS,
    emptySelectors: TEXTS,
    unresolved: TEXTS,
    inForce: fc.option(fc.nat(9).map(generation => ({ generation, object: policy() }))),
    limits: fc.option(READ_LIMITS),
    isLedgerAway: fc.boolean(),
    bypasses: fc.array(fc.record({ displaced: fc.constant('infra/purser'), routes: fc.subarray(['team/llm', 'other/llm']) }), {
      maxLength: 2,
    }),
  })
  .map(({ unresolved, ...random }): ObjectFacts => {
    const routes = Array.from({ length: 20 }, (_, index) => ({ group: 'g', kind: 'HTTPRoute', namespace: 'team', name: `r${index}` }))
    const isPolicy = random.kind === 'BudgetPolicy' || random.kind === 'ClusterBudgetPolicy'
    const hasLimits = isPolicy || random.kind === 'AccessKey'
    return facts({
      ...random,
      limits: hasLimits ? random.limits : [],
      attachment: { ancestors: isPolicy ? routes : [], routes: ['team/llm'], unresolved },
    })
  })

describe('a status', () => {
  it('is settled once it is written, whatever it tells', () => {
    fc.assert(
      fc.property(FACTS, FACTS, fc.nat(100_000), (first, next, laterMs) => {
        const written = statusOf(first, EMPTY, NOW)
        expect(sameStatus(written, statusOf(first, written, NOW + laterMs))).toBe(true)
        // As a server answers it: parsed, and its fields in another order.
        const served = JSON.parse(JSON.stringify(Object.fromEntries(Object.entries(written).reverse()))) as ObjectStatus
        expect(sameStatus(served, statusOf(first, statusIn(served), NOW + laterMs))).toBe(true)
        const over = statusOf(next, written, NOW + laterMs)
        expect(sameStatus(over, statusOf(next, over, NOW + 2 * laterMs))).toBe(true)
      }),
    )
  })

  it('is one that the CRD of its kind describes, and names no partition', () => {
    const spec: Readonly<Record<string, object>> = {
      AccessKey: { keyHashes: [`sha256:${'a'.repeat(64)}`] },
      ModelPriceList: { priority: 1 },
    }
    fc.assert(
      fc.property(FACTS, one => {
        const status = JSON.parse(JSON.stringify(statusOf(one, EMPTY, NOW))) as object
        expect(JSON.stringify(status)).not.toContain('alice')
        if (one.kind === 'BudgetGrant') return
        const object = { apiVersion: 'purser.dev/v1alpha1', kind: one.kind, metadata: { name: 'x' }, spec: spec[one.kind] ?? {}, status }
        const checked = checkObject(object, { trustedHeaders: null, defaultNamespace: 'default' })
        expect(checked.kind === 'refused' ? checked.findings : []).toEqual([])
      }),
    )
  })

  it('keeps the time since when a condition is so, and only that', () => {
    fc.assert(
      fc.property(FACTS, FACTS, (first, next) => {
        const before = statusOf(first, EMPTY, NOW)
        const after = statusOf(next, before, NOW + 5_000)
        for (const { type, status, lastTransitionTime, observedGeneration } of after.conditions) {
          const earlier = before.conditions.find(one => one.type === type)
          expect(lastTransitionTime).toBe(earlier?.status === status ? earlier.lastTransitionTime : '2026-05-20T12:00:05Z')
          expect(observedGeneration).toBe(next.generation)
        }
      }),
    )
  })

  it('says what check says, and what of an object stays in force', () => {
    const problems = ['spec.limits[0].amount: -5 is not an amount']
    const kept = statusOf(facts({ problems, inForce: { generation: 1, object: policy() } }), EMPTY, NOW)
    expect(kept.conditions[0]).toMatchObject({
      status: 'False',
      reason: 'Invalid',
      message: `${problems[0]}; generation 1, the last that was accepted, stays in force`,
    })
    expect(conditionsOf(kept)).toMatchObject({ Programmed: 'False LastGoodState' })
    const lost = statusOf(facts({ problems, inForce: null }), EMPTY, NOW)
    expect(lost.conditions[0]?.message).toBe(`${problems[0]}; nothing of it is in force`)
    expect(conditionsOf(lost)).toMatchObject({ Programmed: 'False Invalid' })
    expect(conditionsOf(statusOf(facts({ isLedgerAway: true }), EMPTY, NOW))).toMatchObject({ Programmed: 'Unknown LedgerUnavailable' })
  })

  it('shows what it showed before while the ledger tells nothing', () => {
    const object = policy({ limits: [{ name: 'month', unit: 'Tokens', amount: '1000', window: {}, maxPartitions: 1 }] })
    const known = facts({ inForce: { generation: 2, object }, limits: [read(limit(), 1_000n)] })
    const before = statusOf(known, EMPTY, NOW)
    const after = statusOf({ ...known, limits: null, isLedgerAway: true }, before, NOW + 60_000)
    expect([after.limits, after.summary, after.snapshotTime]).toEqual([before.limits, before.summary, '2026-05-20T12:00:00Z'])
    expect(conditionsOf(after)).toMatchObject({ Exhausted: 'True BudgetExhausted', Programmed: 'Unknown LedgerUnavailable' })
    const gone = statusOf({ ...known, inForce: { generation: 2, object: policy() }, limits: null }, before, NOW)
    expect(gone).not.toHaveProperty('limits')
    expect(gone).not.toHaveProperty('summary')
  })

  it('waits with figures, and with nothing else', () => {
    const at = (spent: bigint, reserved = 0n) =>
      statusOf(facts({ limits: [read(limit(), spent, { reserved, warnAtPercent: [50] })] }), EMPTY, NOW)
    expect(isDue(at(10n), at(20n), SNAPSHOT_EVERY_MS - 1)).toBe(false)
    expect(isDue(at(10n), at(20n), SNAPSHOT_EVERY_MS)).toBe(true)
    expect(isDue(at(10n), at(10n, 990n), 0)).toBe(false)
    expect(isDue(at(499n), at(500n), 0)).toBe(true)
    expect(isDue(at(999n), at(1_000n), 0)).toBe(true)
    expect(isDue(at(500n), at(499n), 0)).toBe(true)
    const two = (a: bigint, b: bigint) => statusOf(facts({ limits: [read(limit(), a), read(limit({ name: 'other' }), b)] }), EMPTY, NOW)
    expect([two(20n, 10n).summary?.limit, two(20n, 30n).summary?.limit]).toEqual(['month', 'other'])
    expect(isDue(two(20n, 10n), two(20n, 30n), 0)).toBe(false)
  })

  it('is not exhausted by calls that are only open, nor by one partition', () => {
    expect(conditionsOf(statusOf(facts({ limits: [read(limit(), 1n, { reserved: 999n })] }), EMPTY, NOW))['Exhausted']).toBe(
      'False WithinBudget',
    )
    const inFlight = limit({ window: { kind: 'inFlight' }, amount: 2n })
    const full = statusOf(facts({ limits: [read(inFlight, 0n, { reserved: 2n })] }), EMPTY, NOW)
    expect([conditionsOf(full)['Exhausted'], full.limits?.[0]?.state, full.summary?.spent]).toEqual([
      'False WithinBudget',
      'OK',
      '2/2 Tokens',
    ])
    const of = limit({ partitionBy: [{ kind: 'jwtClaim', name: 'sub' }] })
    const reading = partitionedReadingOf(of, windowAt(MONTH, NOW), [
      { partition: ['a'], balance: balance(1_000n) },
      { partition: ['b'], balance: balance(3n) },
    ])
    const some = statusOf(facts({ limits: [{ declared: declared(of), warnAtPercent: [], reading }] }), EMPTY, NOW)
    expect(conditionsOf(some)['Exhausted']).toBe('False PartitionsExhausted')
    expect(some.limits?.[0]).toMatchObject({ state: 'Warning', spent: '1003', partitions: 2, exhaustedPartitions: 1 })
  })

  it('says where values share a partition, and only there', () => {
    const of = limit({ partitionBy: [{ kind: 'jwtClaim', name: 'sub' }] })
    const withPartitions = (...partitions: string[][]) => {
      const balances = partitions.map(partition => ({ partition, balance: balance(1n) }))
      const reading = partitionedReadingOf(of, windowAt(MONTH, NOW), balances)
      return conditionsOf(statusOf(facts({ limits: [{ declared: declared(of), warnAtPercent: [], reading }] }), EMPTY, NOW))
    }
    expect(withPartitions(['a'], ['(other)'])['PartitionsFull']).toBe('True MaxPartitionsReached')
    expect(withPartitions(['a'], ['b'])).not.toHaveProperty('PartitionsFull')
  })

  it('sums up the limit that is used most', () => {
    const usd = limit({ name: 'usd', unit: 'USD', amount: 500_000_000_000n })
    const limits = [read(limit(), 100n), read(usd, 312_440_056_789n)]
    expect(statusOf(facts({ limits }), EMPTY, NOW).summary).toEqual({
      limit: 'usd',
      spent: '312.44/500 USD',
      resetTime: '2026-06-01T00:00:00Z',
    })
  })
})

describe('news of limits', () => {
  /** What happens to one limit: charges, its amount, and the time that passes; each step is a reading, and then perhaps a writing. */
  const STEPS = fc.array(
    fc.record({
      spend: fc.nat(300),
      correct: fc.nat(100),
      raise: fc.constantFrom(0, 0, 0, 500),
      days: fc.constantFrom(0, 0, 1, 9),
      restarts: fc.boolean(),
    }),
    { maxLength: 40 },
  )

  it('are told once for each threshold, amount and window, also by one who goes on from a written status', () => {
    fc.assert(
      fc.property(STEPS, fc.uniqueArray(fc.integer({ min: 1, max: 100 }), { maxLength: 4 }), (steps, warnAtPercent) => {
        let [nowMs, spent, amount, written] = [NOW, 0n, 1_000n, EMPTY]
        const told: string[] = []
        const expected = new Set<string>()
        let month = windowAt(MONTH, nowMs)
        for (const step of steps) {
          nowMs += step.days * 86_400_000
          const current = windowAt(MONTH, nowMs)
          if (JSON.stringify(current) !== JSON.stringify(month)) [month, spent] = [current, 0n]
          spent += BigInt(step.spend)
          spent -= spent < BigInt(step.correct) ? spent : BigInt(step.correct)
          amount += BigInt(step.raise)
          const of = limit({ amount })
          const limits = [read(of, spent, { nowMs, warnAtPercent })]
          const next = statusOf(facts({ limits }), written, nowMs)
          if (sameStatus(written, next) || !isDue(written, next, step.restarts ? Number.POSITIVE_INFINITY : 0)) continue
          const notices = limitNotices(written, next, limits, nowMs)
          expect(notices.length).toBeLessThanOrEqual(2)
          told.push(...notices.map(notice => notice.id))
          const percent = Number((spent * 100n) / amount)
          const highest = Math.max(0, ...warnAtPercent.filter(one => one < 100 && one <= percent))
          const at = `month Tokens ${amount} ${month.kind === 'calendar' ? month.startMs : ''}`
          if (percent >= 100) expected.add(`exhausted ${at}`)
          if (highest > 0) expected.add(`crossed ${highest} ${at}`)
          written = next
        }
        // A correction may take a threshold back and the next call cross it again: the same Event then, which the API takes once.
        for (const id of told) expect(expected).toContain(id)
        for (const id of expected) if (id.startsWith('exhausted')) expect(told).toContain(id)
      }),
    )
  })

  it('say nothing of what was told before, and nothing of what came back', () => {
    const at = (spent: bigint, overrun = 0n) => {
      const limits = [read(limit(), spent, { overrun, warnAtPercent: [50, 80] })]
      return { limits, status: statusOf(facts({ limits }), EMPTY, NOW) }
    }
    const news = (before: ObjectStatus, now: ReturnType<typeof at>) =>
      limitNotices(before, now.status, now.limits, NOW).map(one => one.reason)
    expect(news(EMPTY, at(0n))).toEqual([])
    expect(news(EMPTY, at(850n))).toEqual(['BudgetThresholdCrossed'])
    expect(news(at(500n).status, at(799n))).toEqual([])
    expect(news(at(500n).status, at(1_000n))).toEqual(['BudgetThresholdCrossed', 'BudgetExhausted'])
    expect(news(at(1_000n).status, at(500n))).toEqual([])
    expect(news(at(0n).status, at(10n, 5n))).toEqual(['BudgetOverrun'])
    const june = [read(limit(), 1_000n, { nowMs: NOW + 30 * 86_400_000 })]
    const raised = [read(limit({ amount: 1_200n }), 1_200n)]
    for (const limits of [june, raised])
      expect(news(at(1_000n).status, { limits, status: statusOf(facts({ limits }), EMPTY, NOW) })).toEqual(['BudgetExhausted'])
    expect(news(at(10n, 5n).status, at(20n, 9n))).toEqual([])
  })

  it('of a sliding window are told once in its length', () => {
    const of = limit({ window: { kind: 'sliding', lengthMs: 60_000 } })
    const ids = [0, 30_000, 59_999, 60_000].map(ms => {
      const limits = [read(of, 1_000n)]
      return limitNotices(EMPTY, statusOf(facts({ limits }), EMPTY, NOW), limits, Math.floor(NOW / 60_000) * 60_000 + ms)[0]?.id
    })
    expect(new Set(ids.slice(0, 3)).size).toBe(1)
    expect(ids[3]).not.toBe(ids[0])
  })
})

describe('a bypass', () => {
  const bypass = (...routes: string[]) => ({ displaced: 'infra/purser', routes })

  it('concerns the policies whose calls it takes away', () => {
    const all = [bypass('team/llm', 'other/chat')]
    expect(bypassesOf(['team/llm', 'team/chat'], all)).toEqual([bypass('team/llm')])
    expect(bypassesOf(['team/llm', 'other/chat'], all)).toEqual(all)
    expect(bypassesOf(['team/chat'], all)).toEqual([])
    expect(bypassesOf([], all)).toEqual([])
    // It is not known which routes are meant.
    expect([bypassesOf(['team/chat'], [bypass()]), bypassesOf([], [bypass()])]).toEqual([[bypass()], []])
    const attachment = { ancestors: [], routes: ['team/llm'], unresolved: [] }
    const status = statusOf(facts({ bypasses: all, attachment }), EMPTY, NOW)
    expect(conditionsOf(status)['Programmed']).toBe('False PartiallyProgrammed')
    expect(status.conditions.find(one => one.type === 'Programmed')?.message).toContain('HTTPRoute team/llm do not come to Purser')
  })
})

describe('targets', () => {
  it('are told as ancestors, the Gateways first, and what is not there by its place', () => {
    const target = { kind: 'HTTPRoute', name: 'gone', section: null } as const
    const attachment = attachmentOf({
      routes: [{ namespace: 'team', name: 'llm', section: 'chat' }],
      gateways: [{ namespace: 'infra', name: 'ai', section: null }],
      unresolved: [{ at: 1, target, reason: 'TargetNotFound', message: 'There is no HTTPRoute gone in the namespace team.' }],
    })
    const status = statusOf(facts({ attachment }), EMPTY, NOW)
    expect(status.ancestors?.map(one => one.ancestorRef)).toEqual([
      { group: 'gateway.networking.k8s.io', kind: 'Gateway', namespace: 'infra', name: 'ai' },
      { group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: 'team', name: 'llm', sectionName: 'chat' },
    ])
    expect(status.ancestors?.[0]?.conditions.map(one => one.type)).toEqual(['Accepted', 'Programmed'])
    expect(status.conditions.find(one => one.type === 'ResolvedRefs')).toMatchObject({
      ...{ status: 'False', reason: 'TargetNotFound', message: 'spec.targetRefs[1]: There is no HTTPRoute gone in the namespace team.' },
    })
    const nothing = statusOf(facts({ emptySelectors: ['spec.namespaceSelector: no namespace'] }), EMPTY, NOW)
    expect(conditionsOf(nothing)['ResolvedRefs']).toBe('False NothingSelected')
  })
})
