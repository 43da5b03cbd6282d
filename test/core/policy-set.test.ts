// The compiled set against a naive reading of all policies, and what binding means by example.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { budgetKey } from '../../src/core/budget.ts'
import type { Binding, LabelSelector, Policy } from '../../src/core/policy.ts'
import type { Subject } from '../../src/core/subject.ts'
import { selectValues } from '../../src/core/subject.ts'
import {
  accessKey,
  call,
  calls,
  labelSelector,
  limit,
  match,
  namespaceLabels,
  permissions,
  policies,
  policy,
  setOf,
  sha256,
  subject,
  subjects,
} from './policy-objects.ts'

type Labels = ReadonlyMap<string, ReadonlyMap<string, string>>
type Asked = { models: string[]; provider: string | null; endpoint: string }

describe('the compiled set and a naive scan over all policies', () => {
  it('bind the same policies and limits, and forbid the same', () => {
    let [bound, unbound, forbidden, allowed] = [0, 0, 0, 0]
    fc.assert(
      fc.property(policies, namespaceLabels, subjects, calls, (all, namespaces, who, asked) => {
        const binding = setOf({ policies: all, namespaces }).bindSubject(who)
        const expected = all.filter(one => naiveSubject(one, namespaces, who))
        expect(namesOf(binding.policies)).toEqual(namesOf(expected).sort())
        const called = binding.bind(asked)
        const expectedCalled = expected.filter(one => naiveCall(one, asked))
        expect(namesOf(called.policies)).toEqual(namesOf(expectedCalled).sort())
        expect(called.limits.map(one => one.key).sort()).toEqual(expectedCalled.flatMap(one => naiveKeys(one, namespaces, who)).sort())
        expect(called.limits.map(one => one.hard).sort()).toEqual(expectedCalled.flatMap(one => one.limits.map(() => !one.audit)).sort())
        const naive = expectedCalled.filter(one => naiveForbids(one, asked))
        expect(called.forbidden !== null).toBe(naive.length > 0)
        if (called.forbidden !== null) expect(namesOf(naive)).toContain(nameOf(called.forbidden.policy))
        if (expected.length > 0) bound += 1
        else unbound += 1
        if (naive.length > 0) forbidden += 1
        else allowed += 1
      }),
      { numRuns: 2_000 },
    )
    expect(Math.min(bound, unbound, forbidden, allowed), 'the random cases cover all outcomes').toBeGreaterThan(50)
  })

  it('do not depend on the order of the parts', () => {
    const shuffled = policies.chain(all => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })))
    fc.assert(
      fc.property(shuffled, namespaceLabels, subjects, calls, ([one, other], namespaces, who, asked) => {
        const [a, b] = [one, other].map(all => setOf({ policies: all, namespaces }).bindSubject(who))
        expect(plain(a!.bind(asked))).toEqual(plain(b!.bind(asked)))
        expect(a!.rules).toEqual(b!.rules)
      }),
      { numRuns: 500 },
    )
  })
})

const nameOf = (one: Pick<Policy, 'scope' | 'namespace' | 'name'>): string => `${one.scope} ${one.namespace}/${one.name}`
const RANK = { ClusterBudgetPolicy: 0, BudgetPolicy: 1, AccessKey: 2 }
const namesOf = (all: readonly Pick<Policy, 'scope' | 'namespace' | 'name'>[]): string[] => all.map(nameOf).sort()
const plain = (binding: Binding): unknown => ({ ...binding, limits: binding.limits.map(({ window: _, ...one }) => one) })

function naiveGlob(glob: string, text: string, flags: string): boolean {
  const source = glob.split('*').map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${source.join('[^]*')}$`, flags).test(text)
}

function naiveLabels(selector: LabelSelector, labels: ReadonlyMap<string, string>): boolean {
  const expressions = selector.matchExpressions.map(({ key, operator, values }) => {
    const listed = values.includes(labels.get(key) ?? '\0')
    return { In: listed, NotIn: !listed, Exists: labels.has(key), DoesNotExist: !labels.has(key) }[operator]
  })
  return [...selector.matchLabels].every(([key, value]) => labels.get(key) === value) && !expressions.includes(false)
}

function naiveSubject(one: Policy, namespaces: Labels, who: Subject): boolean {
  if (one.scope === 'AccessKey') return who.accessKey?.namespace === one.namespace && who.accessKey.name === one.name
  const where = [who.route.namespace, ...(who.accessKey === null ? [] : [who.accessKey.namespace])]
  const labelsOf = (name: string) => new Map([...(namespaces.get(name) ?? []), ['kubernetes.io/metadata.name', name]])
  const selector = one.namespaceSelector
  const here =
    one.scope === 'BudgetPolicy'
      ? where.includes(one.namespace)
      : selector === null || where.some(name => naiveLabels(selector, labelsOf(name)))
  const targeted = one.targets.some(target => {
    const isNamed = (found: { namespace: string; name: string }) =>
      found.name === target.name && (one.scope === 'ClusterBudgetPolicy' || found.namespace === one.namespace)
    if (target.kind === 'HTTPRoute')
      return isNamed(who.route) && (target.section === null || [null, target.section].includes(who.route.rule))
    if (who.gateways === null) return true
    return who.gateways.some(
      found => isNamed(found) && (target.section === null || (found.sections ?? [target.section]).includes(target.section)),
    )
  })
  const asked = one.match.subjects.some(({ selector: from, values }) =>
    selectValues(who, from).some(value => values.length === 0 || values.some(glob => naiveGlob(glob, value, ''))),
  )
  const labelled =
    one.match.accessKeyLabels === null || (who.accessKey !== null && naiveLabels(one.match.accessKeyLabels, who.accessKey.labels))
  return here && (one.targets.length === 0 || targeted) && (one.match.subjects.length === 0 || asked) && labelled
}

const naiveAny = (globs: readonly string[], text: string): boolean => globs.some(glob => naiveGlob(glob, text, 'i'))
const naiveModel = (one: Policy, model: string): boolean => one.match.models.length === 0 || naiveAny(one.match.models, model)

function naiveCall(one: Policy, { models, provider }: Asked): boolean {
  const { providers } = one.match
  return models.some(model => naiveModel(one, model)) && (providers.length === 0 || provider === null || naiveAny(providers, provider))
}

function naiveForbids(one: Policy, { models, provider, endpoint }: Asked): boolean {
  if (one.audit) return false
  const { permissions: say } = one
  const permits = ({ allow, deny }: { allow: readonly string[]; deny: readonly string[] }, name: string) =>
    !naiveAny(deny, name) && (allow.length === 0 || naiveAny(allow, name))
  const silent = say.providers.allow.length === 0 && say.providers.deny.length === 0
  return (
    models.some(model => naiveModel(one, model) && !permits(say.models, model)) ||
    (provider === null ? !silent : !permits(say.providers, provider)) ||
    !permits(say.endpoints, endpoint)
  )
}

function naiveKeys(one: Policy, namespaces: Labels, who: Subject): string[] {
  return one.limits.map(each => {
    const partition = each.partitionBy.map(from => {
      const value = [...selectValues(who, from)].sort()[0]
      if (value === undefined) return '(none)'
      const isForeign = from.kind === 'attribute' && who.accessKey !== null && who.accessKey.namespace !== one.namespace
      const isTrusted = namespaces.get(who.accessKey?.namespace ?? '')?.get('purser.dev/trusted-subjects') === 'true'
      return isForeign && !isTrusted ? `${who.accessKey?.namespace}/${value}` : value
    })
    return budgetKey({ ...one, policy: one.name, limit: each.name, unit: each.unit, window: each.window, partition })
  })
}

describe('binding', () => {
  const keyed = subject({ accessKey: { namespace: 'search', name: 'key', labels: new Map([['team', 'search']]) } })
  const bound = (all: Policy[], who: Subject = subject(), namespaces: Labels = new Map()): string[] =>
    setOf({ policies: all, namespaces })
      .bindSubject(who)
      .policies.map(one => one.name)

  it('is by the namespace of the route and by that of the AccessKey, each policy once', () => {
    const all = [policy({ name: 'route' }), policy({ name: 'key', namespace: 'search' }), policy({ name: 'other', namespace: 'ads' })]
    expect(bound(all)).toEqual(['route'])
    expect(bound(all, keyed)).toEqual(['route', 'key'])
    expect(bound([policy({ scope: 'ClusterBudgetPolicy', name: 'org' })], keyed)).toEqual(['org'])
  })

  it('adds what the AccessKey itself declares, last', () => {
    const own = policy({ scope: 'AccessKey', namespace: 'search', name: 'key' })
    expect(bound([own, policy({ namespace: 'search' }), policy({ scope: 'AccessKey', name: 'key' })], keyed)).toEqual(['team', 'key'])
    expect(bound([own])).toEqual([])
  })

  it('of cluster policies is by labels, the name of the namespace among them', () => {
    const cluster = (name: string, labels: Record<string, string>) =>
      policy({ scope: 'ClusterBudgetPolicy', name, namespaceSelector: labelSelector(labels) })
    const all = [cluster('ai', { ai: 'true' }), cluster('named', { 'kubernetes.io/metadata.name': 'default' }), cluster('all', {})]
    expect(bound(all)).toEqual(['all', 'named'])
    expect(bound(all, subject(), new Map([['default', new Map([['ai', 'true']])]]))).toEqual(['ai', 'all', 'named'])
    expect(bound(all, keyed, new Map([['search', new Map([['ai', 'true']])]]))).toEqual(['ai', 'all', 'named'])
  })

  it('to a target is by route or Gateway of the namespace of the policy; without a Gateway, Gateway targets bind nothing', () => {
    const route = policy({ name: 'route', targets: [{ kind: 'HTTPRoute', name: 'llm', section: null }] })
    const gateway = policy({ name: 'gateway', targets: [{ kind: 'Gateway', name: 'ai', section: null }] })
    expect(bound([route, gateway])).toEqual(['route'])
    expect(bound([route, gateway], subject({ gateways: [{ namespace: 'default', name: 'ai', sections: null }] }))).toEqual([
      'gateway',
      'route',
    ])
    expect(bound([gateway], subject({ gateways: [{ namespace: 'infra', name: 'ai', sections: null }] }))).toEqual([])
    // The key's namespace has a policy for a route of its own, and the call comes in by another namespace's route of that name.
    expect(bound([policy({ namespace: 'search', targets: [{ kind: 'HTTPRoute', name: 'llm', section: null }] })], keyed)).toEqual([])
    const cluster = policy({ scope: 'ClusterBudgetPolicy', name: 'org', targets: [{ kind: 'Gateway', name: 'ai', section: null }] })
    expect(bound([cluster], subject({ gateways: [{ namespace: 'infra', name: 'ai', sections: null }] }))).toEqual(['org'])
  })

  it('to a section is by the rule or listener, and binds where that cannot be told', () => {
    const rule = policy({ name: 'rule', targets: [{ kind: 'HTTPRoute', name: 'llm', section: 'chat' }] })
    const listener = policy({ name: 'listener', targets: [{ kind: 'Gateway', name: 'ai', section: 'https' }] })
    const at = (called: string | null, sections: readonly string[] | null): string[] =>
      bound(
        [rule, listener],
        subject({
          route: { namespace: 'default', name: 'llm', rule: called },
          gateways: [{ namespace: 'default', name: 'ai', sections }],
        }),
      )
    expect(at('chat', ['https'])).toEqual(['listener', 'rule'])
    expect(at('images', ['http'])).toEqual([])
    expect(at('', ['http', 'https'])).toEqual(['listener'])
    expect(at(null, null)).toEqual(['listener', 'rule'])
    // A Gateway that cannot be told may be this one.
    expect(bound([listener], subject({ gateways: null }))).toEqual(['listener'])
  })

  it('by provider takes one that is not known for any', () => {
    const set = setOf({ policies: [policy({ match: match({ providers: ['openai'] }), limits: [limit()] })] })
    const limitsFor = (provider: string | null) => set.bindSubject(subject()).bind({ ...call, provider }).limits.length
    expect([limitsFor('openai'), limitsFor('anthropic'), limitsFor(null)]).toEqual([1, 0, 1])
  })

  it('looks at the candidates of a namespace only, however many others there are', () => {
    const many = Array.from({ length: 1_000 }, (_, index) =>
      policy({
        namespace: `n${index % 100}`,
        name: `p${index}`,
        match: match({ subjects: [{ selector: { kind: 'attribute', name: 'user' }, values: ['*'] }] }),
        limits: [limit()],
      }),
    )
    const set = setOf({ policies: many })
    const who = subject({ route: { namespace: 'n7', name: 'llm', rule: null }, attributes: new Map([['user', 'u']]) })
    expect(set.bindSubject(who).policies).toHaveLength(10)
  })
})

describe('the attributes of an AccessKey', () => {
  const by = { kind: 'attribute', name: 'team' } as const
  const perTeam = (over: Partial<Policy>): Policy => policy({ limits: [limit({ partitionBy: [by] })], ...over })
  const all = [
    perTeam({ scope: 'ClusterBudgetPolicy', name: 'org' }),
    perTeam({ name: 'route' }),
    perTeam({ namespace: 'search', name: 'home' }),
    perTeam({ scope: 'AccessKey', namespace: 'search', name: 'key' }),
  ]
  const who = subject({
    accessKey: { namespace: 'search', name: 'key', labels: new Map() },
    attributes: new Map([['team', 'red']]),
  })
  const partitions = (labels: Record<string, string>): Record<string, string> => {
    const namespaces = new Map([['search', new Map(Object.entries(labels))]])
    const { limits } = setOf({ policies: all, namespaces }).bindSubject(who).bind(call)
    return Object.fromEntries(limits.map(one => [one.policy.name, one.partition.join()]))
  }

  it('are the word of its namespace, and carry its name wherever they count but there', () => {
    expect(partitions({})).toEqual({ org: 'search/red', route: 'search/red', home: 'red', key: 'red' })
    expect(partitions({ 'purser.dev/trusted-subjects': 'false' })).toEqual(partitions({}))
  })

  it('count as they are where the namespace is trusted with them', () => {
    expect(partitions({ 'purser.dev/trusted-subjects': 'true' })).toEqual({ org: 'red', route: 'red', home: 'red', key: 'red' })
  })

  it('match by their own values, so that no namespace can write itself out of a policy', () => {
    const matching = policy({ scope: 'ClusterBudgetPolicy', match: match({ subjects: [{ selector: by, values: ['red'] }] }) })
    expect(setOf({ policies: [matching] }).bindSubject(who).policies).toHaveLength(1)
  })

  it('have no partition where they are empty', () => {
    const nobody = subject({ ...who, attributes: new Map([['team', '']]) })
    const [first] = setOf({ policies: all }).bindSubject(nobody).bind(call).limits
    expect(first?.partition).toEqual(['(none)'])
  })
})

describe('permissions', () => {
  const forbidden = (say: Policy['permissions'], asked: Partial<Asked> = {}, over: Partial<Policy> = {}) =>
    setOf({ policies: [policy({ permissions: say, ...over })] })
      .bindSubject(subject())
      .bind({ ...call, ...asked }).forbidden

  it('refuse a call if any model that may answer is refused, and name it', () => {
    const say = permissions({ models: { allow: ['gpt-*'], deny: ['gpt-4o-pro'] } })
    expect(forbidden(say, { models: ['gpt-4o', 'gpt-4o-mini'] })).toBeNull()
    expect(forbidden(say, { models: ['gpt-4o', 'claude-3'] })).toEqual({
      what: 'model',
      name: 'claude-3',
      policy: { scope: 'BudgetPolicy', namespace: 'default', name: 'team' },
    })
    expect(forbidden(say, { models: ['GPT-4o-Pro'] })).toMatchObject({ what: 'model', name: 'GPT-4o-Pro' })
  })

  it('let deny win over allow', () => {
    expect(forbidden(permissions({ endpoints: { allow: ['*'], deny: ['chat/*'] } }))).toMatchObject({
      what: 'endpoint',
      name: 'chat/completions',
    })
  })

  it('take a provider that is not known for one that is not permitted, where anything is said of providers', () => {
    expect(forbidden(permissions({ providers: { allow: [], deny: ['deepseek'] } }), { provider: null })).toMatchObject({
      what: 'provider',
      name: '(unknown)',
    })
    expect(forbidden(permissions({ providers: { allow: [], deny: ['deepseek'] } }))).toBeNull()
    expect(forbidden(permissions({}), { provider: null })).toBeNull()
  })

  it('of a policy speak only of the models that it matches', () => {
    const over = { match: match({ models: ['gpt-*'] }) }
    const say = permissions({ models: { allow: ['gpt-4o'], deny: [] } })
    expect(forbidden(say, { models: ['gpt-4o', 'claude-3'] }, over)).toBeNull()
    expect(forbidden(say, { models: ['gpt-5', 'claude-3'] }, over)).toMatchObject({ name: 'gpt-5' })
  })

  it('of a policy that only audits refuse nothing', () => {
    expect(forbidden(permissions({ models: { allow: [], deny: ['*'] } }), {}, { audit: true })).toBeNull()
  })
})

describe('the set', () => {
  it('finds keys by either of their hashes', () => {
    const hashes = [`sha256:${sha256('a')}`, `sha256:${sha256('b')}`]
    const set = setOf({ accessKeys: [accessKey({ keyHashes: hashes })] })
    expect(hashes.map(hash => set.keyByHash(hash)?.name)).toEqual(['key', 'key'])
    expect(set.keyByHash(`sha256:${sha256('c')}`)).toBeNull()
  })

  it('declares every limit, the widest scope first', () => {
    const all = [
      policy({ scope: 'AccessKey', name: 'z', limits: [limit()] }),
      policy({ name: 'b', limits: [limit({ name: 'x' }), limit({ name: 'a', partitionBy: [{ kind: 'accessKey' }] })] }),
      policy({ scope: 'ClusterBudgetPolicy', name: 'org', limits: [limit()] }),
    ]
    const declared = setOf({ policies: all }).declared()
    expect(declared.map(one => `${one.policy.name}/${one.limit.name}`)).toEqual(['org/month', 'b/x', 'b/a', 'z/month'])
    expect(declared.map(one => RANK[one.policy.scope])).toEqual([0, 1, 1, 2])
    expect(declared[2]?.key).toBe('BudgetPolicy|default|b|a|USD|calendar:Month:UTC:1')
  })

  it('refuses to be made of two policies of one name, or of one hash held twice', () => {
    expect(() => setOf({ policies: [policy(), policy()] })).toThrow('one BudgetPolicy default/team')
    expect(() => setOf({ accessKeys: [accessKey(), accessKey({ name: 'other' })] })).toThrow('held once')
  })

  it('sorts price lists by priority, then name', () => {
    const list = (name: string, priority: number) => ({ name, priority, aliases: [], models: [] })
    expect(setOf({ priceLists: [list('b', 1), list('a', 1), list('c', 9)] }).priceLists.map(one => one.name)).toEqual(['c', 'a', 'b'])
  })

  it('bears a stranger naming a new namespace with every call', () => {
    const set = setOf({ policies: [policy({ scope: 'ClusterBudgetPolicy', limits: [limit()] })] })
    for (let index = 0; index < 5_000; index += 1)
      expect(set.bindSubject(subject({ route: { namespace: `n${index}`, name: 'x', rule: null } })).policies).toHaveLength(1)
  })

  it('resolves windows and carries how to say no', () => {
    const response = { statusCode: 403, message: 'no', exposeAmounts: true, exposeBalance: false } as const
    const [bound] = setOf({ policies: [policy({ limits: [limit()], response, audit: true })] })
      .bindSubject(subject())
      .bind(call).limits
    expect(bound).toMatchObject({ hard: false, response, partition: [], policy: { name: 'team' } })
    expect(bound?.window(Date.UTC(2026, 1, 10))).toEqual({ kind: 'calendar', startMs: Date.UTC(2026, 1, 1), endMs: Date.UTC(2026, 2, 1) })
  })
})
