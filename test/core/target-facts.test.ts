// What targets come to, against what the matching of calls does with the same routes.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Policy, TargetRef } from '../../src/core/policy.ts'
import { PolicyIndex } from '../../src/core/policy-index.ts'
import { attachmentsOf, type HttpRoute, type ParentRef } from '../../src/core/route-table.ts'
import { labelSelector, options, policy, subject } from './policy-objects.ts'

const NAMESPACES = ['default', 'search']
const route = (over: Partial<HttpRoute> = {}): HttpRoute => ({
  namespace: 'default',
  name: 'llm',
  parents: [],
  ruleNames: [''],
  provider: null,
  ...over,
})
const parent = (over: Partial<ParentRef> = {}): ParentRef => ({
  kind: 'Gateway',
  namespace: 'default',
  name: 'ai',
  section: null,
  port: null,
  ...over,
})
const target = (kind: TargetRef['kind'], name: string, section: string | null = null): TargetRef => ({ kind, name, section })

function index(policies: readonly Policy[], routes: readonly HttpRoute[]): PolicyIndex {
  const made = new PolicyIndex(options())
  for (const one of policies) made.put(one)
  for (const one of routes) made.routes.putRoute(one)
  for (const namespace of NAMESPACES)
    made.routes.putGateway({
      namespace,
      name: 'ai',
      listeners: [
        { name: 'http', port: 80 },
        { name: 'https', port: 443 },
      ],
    })
  made.routes.complete = true
  return made
}
const factsOf = (one: Policy, routes: readonly HttpRoute[]) => {
  const facts = index([one], routes).targetFacts(one)
  if (facts === null) throw new Error('the policy was put')
  return facts
}

describe('the routes that a policy binds', () => {
  const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { nil: null })
  const namespaces = fc.constantFrom(...NAMESPACES)
  const sections = fc.constantFrom('http', 'https', 'chat')
  const parents = fc.record({
    kind: fc.constantFrom('Gateway', 'Gateway', 'Gateway', 'ListenerSet'),
    namespace: namespaces,
    name: fc.constantFrom('ai', 'other'),
    section: maybe(sections),
    port: maybe(fc.constantFrom(80, 443, 444)),
  })
  const routes = fc.uniqueArray(
    fc.record({
      namespace: namespaces,
      name: fc.constantFrom('llm', 'images'),
      parents: fc.array(parents, { maxLength: 2 }),
      ruleNames: fc.array(fc.constantFrom('', 'chat', 'http'), { minLength: 1, maxLength: 3 }),
      provider: fc.constant(null),
    }),
    { selector: one => `${one.namespace}/${one.name}`, maxLength: 4 },
  )
  const targets = fc.array(
    fc.record({
      kind: fc.constantFrom('HTTPRoute', 'Gateway'),
      name: fc.constantFrom('llm', 'ai', 'images', 'other'),
      section: maybe(sections),
    }),
    { maxLength: 2 },
  )

  it('are those whose calls it binds, rule by rule', () => {
    let [bound, free] = [0, 0]
    fc.assert(
      fc.property(routes, targets, fc.boolean(), maybe(fc.constant('search')), (all, refs, isClusterWide, only) => {
        const selector = only === null ? null : labelSelector({ 'kubernetes.io/metadata.name': only })
        const one = isClusterWide
          ? policy({ scope: 'ClusterBudgetPolicy', targets: refs, namespaceSelector: selector })
          : policy({ targets: refs })
        const set = index([one], all)
        const facts = factsOf(one, all)
        // A target that is nothing binds nothing that could be called.
        fc.pre(facts.unresolved.length === 0)
        for (const each of all) {
          for (const rule of each.ruleNames) {
            const { namespace, name } = each
            const who = subject({ route: { namespace, name, rule }, gateways: attachmentsOf(each, set.routes) })
            const isBound = set.bindSubject(who).policies.length > 0
            const isTold = facts.routes.some(
              told => told.namespace === namespace && told.name === name && (told.section === null || told.section === rule),
            )
            expect(isTold).toBe(isBound)
            if (isBound) bound += 1
            else free += 1
          }
        }
      }),
      { numRuns: 3_000 },
    )
    expect(Math.min(bound, free)).toBeGreaterThan(100)
  })
})

describe('targets', () => {
  const routes = [
    route({ ruleNames: ['chat', ''], parents: [parent({ section: 'http' }), parent({ namespace: 'search' })] }),
    route({ name: 'images', parents: [parent({ port: 443 })] }),
    route({ namespace: 'search', name: 'theirs', parents: [parent()] }),
  ]

  it('name routes, rules of routes, and Gateways with the routes of the same namespace', () => {
    expect(factsOf(policy({ targets: [target('HTTPRoute', 'llm', 'chat')] }), routes)).toEqual({
      routes: [{ namespace: 'default', name: 'llm', section: 'chat' }],
      gateways: [
        { namespace: 'default', name: 'ai', section: null },
        { namespace: 'search', name: 'ai', section: null },
      ],
      unresolved: [],
    })
    expect(factsOf(policy({ targets: [target('Gateway', 'ai', 'https'), target('Gateway', 'ai', 'https')] }), routes)).toEqual({
      routes: [{ namespace: 'default', name: 'images', section: null }],
      gateways: [{ namespace: 'default', name: 'ai', section: 'https' }],
      unresolved: [],
    })
  })

  it('of a cluster policy are in any namespace, and its routes in those that it selects', () => {
    const selector = labelSelector({ 'kubernetes.io/metadata.name': 'search' })
    const one = policy({ scope: 'ClusterBudgetPolicy', targets: [target('Gateway', 'ai')], namespaceSelector: selector })
    const facts = factsOf(one, routes)
    expect(facts.routes).toEqual([{ namespace: 'search', name: 'theirs', section: null }])
    expect(facts.gateways.map(gateway => gateway.namespace)).toEqual(['default', 'search'])
  })

  it('that are left out mean all routes, and the Gateways of those', () => {
    const facts = factsOf(policy(), routes)
    expect(facts.routes.map(one => one.name)).toEqual(['llm', 'images'])
    expect(facts.gateways).toHaveLength(2)
  })

  it.each([
    [target('HTTPRoute', 'theirs'), 'There is no HTTPRoute theirs in the namespace default.'],
    [target('HTTPRoute', 'llm', 'nine'), 'No rule of the HTTPRoute llm has the name nine.'],
    [target('Gateway', 'none'), 'There is no Gateway none in the namespace default.'],
    [target('Gateway', 'ai', 'nine'), 'No listener of the Gateway ai has the name nine.'],
  ])('that are nothing are told, and the others stand: %j', (wrong, message) => {
    const facts = factsOf(policy({ targets: [target('HTTPRoute', 'images'), wrong] }), routes)
    expect(facts.routes).toEqual([{ namespace: 'default', name: 'images', section: null }])
    expect(facts.unresolved).toEqual([{ at: 1, target: wrong, reason: 'TargetNotFound', message }])
  })

  it('are nothing where the cluster has no Gateway API', () => {
    const made = new PolicyIndex(options())
    const one = policy({ targets: [target('Gateway', 'ai')] })
    made.put(one)
    expect(made.targetFacts(one)?.unresolved[0]?.message).toContain('the Gateway API is not installed')
    expect(made.targetFacts(policy({ name: 'unknown' }))).toBeNull()
  })

  it('leave with their objects', () => {
    const one = policy({ targets: [target('Gateway', 'ai')] })
    const made = index([one], routes)
    for (const each of routes) made.routes.removeRoute(each)
    for (const namespace of NAMESPACES) made.routes.removeGateway({ namespace, name: 'ai' })
    expect(made.routes.all(null)).toEqual([])
    expect(made.targetFacts(one)?.unresolved).toHaveLength(1)
  })
})
