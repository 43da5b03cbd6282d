// Builders and arbitraries of policies and subjects for the tests of the core: everything that a test does not say is empty.
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import type { PolicySetOptions } from '../../src/core/compiled-policy.ts'
import { NOTHING_SAID } from '../../src/core/concessions.ts'
import { PartitionRegistry } from '../../src/core/partition.ts'
import type { AccessKey, LabelSelector, Limit, Policy, PolicySet } from '../../src/core/policy.ts'
import { compilePolicySet, type PolicySetParts } from '../../src/core/policy-set.ts'
import type { Subject } from '../../src/core/subject.ts'
import { NO_WASTE_RULES } from '../../src/core/waste.ts'

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

export const options = (partitions: PartitionRegistry = new PartitionRegistry()): PolicySetOptions => ({
  sha256,
  partitions,
  partitionBytesMax: 128,
})

export const setOf = (parts: Partial<PolicySetParts>, registry?: PartitionRegistry): PolicySet =>
  compilePolicySet({ policies: [], accessKeys: [], priceLists: [], namespaces: new Map(), ...parts }, options(registry))

export function policy(over: Partial<Policy> = {}): Policy {
  return {
    scope: 'BudgetPolicy',
    namespace: over.scope === 'ClusterBudgetPolicy' ? '' : 'default',
    name: 'team',
    version: { createdMs: 0, generation: 1, grantMs: 0 },
    namespaceSelector: null,
    targets: [],
    match: { subjects: [], accessKeyLabels: null, models: [], providers: [] },
    limits: [],
    permissions: permissions({}),
    reservation: reservation({}),
    concessions: NOTHING_SAID,
    waste: NO_WASTE_RULES,
    audit: false,
    onLedgerUnavailable: 'Deny',
    response: { statusCode: null, message: null, exposeAmounts: false, exposeBalance: false },
    ...over,
  }
}

export const match = (over: Partial<Policy['match']>): Policy['match'] => ({ ...policy().match, ...over })

export const permissions = (over: Partial<Policy['permissions']>): Policy['permissions'] => ({
  models: { allow: [], deny: [] },
  providers: { allow: [], deny: [] },
  endpoints: { allow: [], deny: [] },
  ...over,
})

export const reservation = (over: Partial<Policy['reservation']>): Policy['reservation'] => ({
  inputEstimate: null,
  defaultMaxOutputTokens: null,
  requireOutputBound: null,
  maxPerRequest: null,
  onUnknownModel: null,
  onOpaqueInput: null,
  onServerTools: null,
  onUnknownEndpoint: null,
  onUnreadable: null,
  onExpiry: null,
  ...over,
})

export const limit = (over: Partial<Limit> = {}): Limit => ({
  name: 'month',
  unit: 'USD',
  amount: 500_000_000_000n,
  window: { kind: 'calendar', period: 'Month', timeZone: 'UTC', anchorDay: 1 },
  partitionBy: [],
  maxPartitions: 10_000,
  allowUpTo: null,
  ...over,
})

export const accessKey = (over: Partial<AccessKey> = {}): AccessKey => ({
  namespace: 'default',
  name: 'key',
  labels: new Map(),
  keyHashes: [`sha256:${sha256('key')}`],
  attributes: new Map(),
  disabled: false,
  expiresAtMs: null,
  ...over,
})

export const subject = (over: Partial<Subject> = {}): Subject => ({
  route: { namespace: 'default', name: 'llm', rule: null },
  gateways: [],
  accessKey: null,
  credential: null,
  attributes: new Map(),
  claims: new Map(),
  serviceAccount: null,
  headers: new Map(),
  ...over,
})

export const labelSelector = (labels: Record<string, string>): LabelSelector => ({
  matchLabels: new Map(Object.entries(labels)),
  matchExpressions: [],
})

export const call: { models: string[]; provider: string | null; endpoint: string } = {
  models: ['gpt-4o'],
  provider: 'openai',
  endpoint: 'chat/completions',
}

/** Few names, so that random policies and random subjects meet. */
const NAMESPACES = ['default', 'search', 'ads', 'elsewhere']
const NAMES = ['a', 'b', 'c']
const MODELS = ['gpt-4o', 'GPT-4o-mini', 'claude-3', 'o1']
const namespaces = fc.constantFrom(...NAMESPACES)
const names = fc.constantFrom(...NAMES)
const globs = fc.array(fc.constantFrom('gpt-*', '*', 'claude-3', '*-mini', 'O1', 'openai', '*a*', 'chat/*'), { maxLength: 2 })
const allowDeny = fc.record({ allow: globs, deny: globs })
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { nil: null })
const labels = fc.dictionary(fc.constantFrom('ai', 'team', 'purser.dev/trusted-subjects'), fc.constantFrom('true', 'false'), {
  noNullPrototype: true,
})

const selectors = fc.constantFrom(
  { kind: 'attribute', name: 'team' } as const,
  { kind: 'jwtClaim', name: 'groups' } as const,
  { kind: 'header', name: 'x-team' } as const,
  { kind: 'route', field: 'namespace' } as const,
  { kind: 'accessKey' } as const,
)

const labelSelectors: fc.Arbitrary<LabelSelector> = fc.record({
  matchLabels: labels.map(one => new Map(Object.entries(one))),
  matchExpressions: fc.array(
    fc.record({
      key: fc.constantFrom('ai', 'team', 'kubernetes.io/metadata.name'),
      operator: fc.constantFrom('In', 'NotIn', 'Exists', 'DoesNotExist'),
      values: fc.array(fc.constantFrom('true', 'search', 'ads'), { maxLength: 2 }),
    }),
    { maxLength: 2 },
  ),
})

const denyOr = <T extends string>(other: T): fc.Arbitrary<'Deny' | T | null> => maybe(fc.constantFrom<'Deny' | T>('Deny', other))

export const reservations: fc.Arbitrary<Policy['reservation']> = fc.record({
  inputEstimate: maybe(fc.constantFrom('Bytes', 'Tokenizer', 'Strict')),
  defaultMaxOutputTokens: maybe(fc.bigInt({ min: 1n, max: 5n })),
  requireOutputBound: maybe(fc.boolean()),
  maxPerRequest: maybe(fc.bigInt({ min: 0n, max: 5n })),
  onUnknownModel: denyOr('DearestOfProvider'),
  onOpaqueInput: denyOr('ReserveContextWindow'),
  onServerTools: maybe(fc.constantFrom('Deny', 'Clamp', 'Reserve')),
  onUnknownEndpoint: denyOr('Allow'),
  onUnreadable: denyOr('Allow'),
  onExpiry: maybe(fc.constantFrom('Estimate', 'Observed')),
})

const anyPolicy: fc.Arbitrary<Policy> = fc
  .record({
    scope: fc.constantFrom('BudgetPolicy', 'ClusterBudgetPolicy', 'AccessKey'),
    namespace: namespaces,
    name: names,
    selector: maybe(labelSelectors),
    targets: fc.array(fc.record({ kind: fc.constantFrom('HTTPRoute', 'Gateway'), name: names, section: maybe(names) }), { maxLength: 1 }),
    match: fc.record({
      subjects: fc.array(fc.record({ selector: selectors, values: globs }), { maxLength: 2 }),
      accessKeyLabels: maybe(labelSelectors),
      models: globs,
      providers: globs,
    }),
    limits: fc.uniqueArray(
      fc.record({ name: names, partitionBy: fc.array(selectors, { maxLength: 2 }) }).map(one => limit(one)),
      { maxLength: 2, selector: one => one.name },
    ),
    permissions: fc.record({ models: allowDeny, providers: allowDeny, endpoints: allowDeny }),
    reservation: reservations,
    audit: fc.boolean(),
  })
  .map(({ selector, ...one }) => {
    if (one.scope === 'AccessKey') return policy({ ...one, targets: [], match: policy().match, audit: false })
    return one.scope === 'BudgetPolicy' ? policy(one) : policy({ ...one, namespace: '', namespaceSelector: selector })
  })

export const policies: fc.Arbitrary<Policy[]> = fc.uniqueArray(anyPolicy, {
  maxLength: 12,
  selector: one => `${one.scope} ${one.namespace}/${one.name}`,
})

export const namespaceLabels: fc.Arbitrary<Map<string, Map<string, string>>> = fc
  .dictionary(namespaces, labels, { noNullPrototype: true })
  .map(all => new Map(Object.entries(all).map(([name, one]) => [name, new Map(Object.entries(one))])))

export const subjects: fc.Arbitrary<Subject> = fc.record({
  route: fc.record({ namespace: namespaces, name: names, rule: maybe(fc.constantFrom(...NAMES, '')) }),
  gateways: maybe(
    fc.array(fc.record({ namespace: namespaces, name: names, sections: maybe(fc.array(names, { maxLength: 2 })) }), { maxLength: 2 }),
  ),
  accessKey: maybe(fc.record({ namespace: namespaces, name: names, labels: labels.map(one => new Map(Object.entries(one))) })),
  credential: maybe(fc.constant('sha256:00')),
  attributes: fc.constantFrom(new Map(), new Map([['team', 'openai']]), new Map([['team', 'x']])),
  claims: fc.array(fc.constantFrom('gpt-x', 'o1', 'O1', '', 'z'), { maxLength: 3 }).map(groups => new Map([['groups', groups]])),
  serviceAccount: fc.constant(null),
  headers: fc.constantFrom(new Map(), new Map([['x-team', 'claude-3']])),
})

export const calls: fc.Arbitrary<{ models: string[]; provider: string | null; endpoint: string }> = fc.record({
  models: fc.array(fc.constantFrom(...MODELS), { minLength: 1, maxLength: 3 }),
  provider: maybe(fc.constantFrom('openai', 'OpenAI', 'anthropic')),
  endpoint: fc.constantFrom('chat/completions', 'messages'),
})
