// Every field of every kind: what is accepted, what is refused, and the sentence that says so.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { objectKinds, type StructuralSchema } from '../../src/objects/crd-schema.ts'
import { RULES, walkSchema } from '../../src/objects/schema-rules.ts'
import { hasHint } from '../../src/objects/sentences.ts'
import { budgetPolicy, limitSpec, load } from '../files/folder.ts'

const HASH = `sha256:${'a'.repeat(64)}`
const key = (spec: object, name = 'k') =>
  JSON.stringify({ apiVersion: 'purser.dev/v1alpha1', kind: 'AccessKey', metadata: { name }, spec: { keyHashes: [HASH], ...spec } })
const prices = (spec: object) =>
  JSON.stringify({ apiVersion: 'purser.dev/v1alpha1', kind: 'ModelPriceList', metadata: { name: 'm' }, spec })
const cluster = (spec: object, metadata: object = {}) =>
  JSON.stringify({ apiVersion: 'purser.dev/v1alpha1', kind: 'ClusterBudgetPolicy', metadata: { name: 'org', ...metadata }, spec })

/** The problems of one object, as `field: text`. */
async function faults(text: string, trusted: readonly string[] | null = []): Promise<string[]> {
  return (await load(text, trusted)).problems.map(line => line.split(': ').slice(2).join(': '))
}
const limitFaults = (over: Record<string, unknown>, trusted: readonly string[] = []) => faults(budgetPolicy(limitSpec(over)), trusted)

describe('a problem', () => {
  it('says file, line, object, field, what is wrong and what is allowed', async () => {
    const text = budgetPolicy('\n  limits:\n  - name: a\n    unit: USD\n    amount: -5\n    window: {lifetime: {}}')
    expect((await load(text)).problems).toEqual([
      'p.yaml:9: BudgetPolicy default/team: spec.limits[0].amount: -5 is not an amount; allowed: a string such as "500" or "0.25"',
    ])
  })

  it('is one of all, in order, also across documents and after a broken one', async () => {
    const text = `foo: [\n---\n${budgetPolicy('{nope: 1, also: 2}')}---\n${budgetPolicy('{limits: 5}', 'other')}`
    expect((await load(text)).problems.map(line => line.split(':').slice(0, 4).join(':'))).toEqual([
      expect.stringMatching(/^p.yaml:[12]: document 1: \(syntax\)$/),
      'p.yaml:7: BudgetPolicy default/team: spec.also',
      'p.yaml:7: BudgetPolicy default/team: spec.nope',
      'p.yaml:13: BudgetPolicy default/other: spec.limits',
    ])
  })

  it('never shows a key that was written where its hash belongs', async () => {
    const secret = 'psk_0123456789abcdef'
    for (const keyHashes of [[secret], secret, { a: secret }, [[secret]]]) {
      const found = (await load(key({ keyHashes }))).problems.join('\n')
      expect(found).toContain('spec.keyHashes')
      expect(found).not.toContain(secret)
    }
  })
})

describe('amounts', () => {
  it.each(['0', '500', '0.25', '1000000000', '0.000001', '007'])('%s USD is one', async amount => {
    expect(await limitFaults({ amount })).toEqual([])
  })
  it.each([
    ['-5', '"-5" is not an amount; allowed: a string such as "500" or "0.25"'],
    ['5k', '"5k" is not an amount; allowed: a string such as "500" or "0.25"'],
    ['1e3', '"1e3" is not an amount; allowed: a string such as "500" or "0.25"'],
    ['', '"" is not an amount; allowed: a string such as "500" or "0.25"'],
    ['٣', '"٣" is not an amount; allowed: a string such as "500" or "0.25"'],
    [500, '500 is a number, not a string; allowed: a string such as "500" or "0.25"'],
    [0.1, '0.1 is a number, not a string; allowed: a string such as "500" or "0.25"'],
    [-5, '-5 is not an amount; allowed: a string such as "500" or "0.25"'],
    [null, 'null is not an amount; allowed: a string such as "500" or "0.25"'],
    ['1000000000.000001', 'at most 1000000000 USD'],
  ])('%s USD is none', async (amount, sentence) => {
    expect(await limitFaults({ amount })).toEqual([`spec.limits[0].amount: ${sentence}`])
  })
  it('of tokens and requests have no fraction', async () => {
    expect(await limitFaults({ unit: 'Tokens', amount: '0.5' })).toEqual([
      'spec.limits[0].amount: tokens and requests are counted whole: an amount without a fraction',
    ])
    expect(await limitFaults({ unit: 'Requests', amount: '999999999999' })).toEqual([])
  })
  it('of an unknown unit are refused with the units', async () => {
    expect(await limitFaults({ unit: 'EUR' })).toEqual([
      'spec.limits[0].unit: "EUR" is not allowed; allowed: USD, Tokens, InputTokens, OutputTokens, Requests',
    ])
  })
  it('are never read through a float', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(999_999_999), fc.nat(999_999), async (whole, fraction) => {
        const amount = `${whole}.${String(fraction).padStart(6, '0')}`
        const { parts } = await load(budgetPolicy(limitSpec({ amount })))
        expect(parts?.policies[0]?.limits[0]?.amount).toBe(BigInt(whole) * 1_000_000_000n + BigInt(fraction) * 1_000n)
      }),
      { numRuns: 30 },
    )
  })
})

describe('windows', () => {
  it.each([
    [{ calendar: 'Hour' }, { kind: 'calendar', period: 'Hour', timeZone: 'UTC', anchorDay: 1 }],
    [
      { calendar: 'Quarter', timeZone: 'America/New_York', anchorDay: 15 },
      { kind: 'calendar', period: 'Quarter', timeZone: 'America/New_York', anchorDay: 15 },
    ],
    [{ sliding: '1m' }, { kind: 'sliding', lengthMs: 60_000 }],
    [{ sliding: '1h30m' }, { kind: 'sliding', lengthMs: 5_400_000 }],
    [{ sliding: '1500ms' }, { kind: 'sliding', lengthMs: 1_500 }],
    [{ sliding: '744h' }, { kind: 'sliding', lengthMs: 2_678_400_000 }],
    [{ lifetime: {} }, { kind: 'lifetime' }],
    [{ inFlight: {} }, { kind: 'inFlight' }],
  ])('%j', async (window, expected) => {
    const { parts, problems } = await load(budgetPolicy(limitSpec({ window })))
    expect(problems).toEqual([])
    expect(parts?.policies[0]?.limits[0]?.window).toEqual(expected)
  })
  it.each([
    [{}, 'window: exactly one of calendar, sliding, lifetime and inFlight must be set'],
    [{ lifetime: {}, inFlight: {} }, 'window: exactly one of calendar, sliding, lifetime and inFlight must be set'],
    [{ lifetime: {}, timeZone: 'UTC' }, 'window.timeZone: timeZone is for calendar windows only'],
    [{ calendar: 'Day', anchorDay: 2 }, 'window.anchorDay: anchorDay is for the calendar windows Month, Quarter and Year only'],
    [{ calendar: 'Month', anchorDay: 32 }, 'window.anchorDay: 32 is out of range; allowed: whole numbers from 1 to 31'],
    [{ calendar: 'Month', anchorDay: 1.5 }, 'window.anchorDay: 1.5 is a number, not a whole number; allowed: whole numbers from 1 to 31'],
    [
      { calendar: 'Day', timeZone: 'Mars/Base' },
      'window.timeZone: "Mars/Base": not a time zone; allowed: an IANA name such as UTC or America/New_York',
    ],
    [
      { calendar: 'Day', timeZone: 'america/new_york' },
      'window.timeZone: "america/new_york": not a time zone; allowed: an IANA name such as UTC or America/New_York',
    ],
    [
      { calendar: 'Day', timeZone: '+02:00' },
      'window.timeZone: "+02:00" is not a time zone; allowed: an IANA name such as UTC or America/New_York',
    ],
    [{ sliding: '999ms' }, 'window.sliding: "999ms": a sliding window is 1s to 744h long'],
    [{ sliding: '744h1ms' }, 'window.sliding: "744h1ms": a sliding window is 1s to 744h long'],
    [{ sliding: '1d' }, 'window.sliding: "1d" is not a duration; allowed: a string such as "90s", "1m" or "24h"'],
    [{ lifetime: { days: 3 } }, 'window.lifetime.days: is not a field here; allowed: none, written as {}'],
    [{ calendar: 'month' }, 'window.calendar: "month" is not allowed; allowed: Hour, Day, Week, Month, Quarter, Year'],
  ])('%j: %s', async (window, fault) => {
    expect(await limitFaults({ window })).toEqual([`spec.limits[0].${fault}`])
  })
})

describe('selectors', () => {
  it('are exactly one each', async () => {
    const sentence = 'exactly one of attribute, jwtClaim, serviceAccount, header, route and accessKey must be set'
    expect(await limitFaults({ partitionBy: [{}, { attribute: 'a', jwtClaim: 'b' }] })).toEqual([
      `spec.limits[0].partitionBy[0]: ${sentence}`,
      `spec.limits[0].partitionBy[1]: ${sentence}`,
    ])
    expect(await faults(budgetPolicy('{match: {subjects: [{values: [a]}]}}'))).toEqual([`spec.match.subjects[0]: ${sentence}`])
  })
  it('by header need a trusted one, in whatever case', async () => {
    const partitionBy = [{ header: 'X-Team' }]
    expect(await limitFaults({ partitionBy })).toEqual([
      'spec.limits[0].partitionBy[0].header: "X-Team" is not a trusted header; allowed: none are trusted; name it in --trusted-headers',
    ])
    expect(await limitFaults({ partitionBy }, ['x-user'])).toEqual([
      'spec.limits[0].partitionBy[0].header: "X-Team" is not a trusted header; allowed: x-user (--trusted-headers)',
    ])
    const { parts } = await load(budgetPolicy(limitSpec({ partitionBy })), ['x-team'])
    expect(parts?.policies[0]?.limits[0]?.partitionBy).toEqual([{ kind: 'header', name: 'x-team' }])
    const unknown = await load(budgetPolicy(limitSpec({ partitionBy })), null)
    expect(unknown.problems).toEqual([])
    expect(unknown.warnings.join()).toContain('--trusted-headers x-team')
  })
})

describe('what this version does not enforce', () => {
  it.each([
    [limitSpec({ fairShare: true }), 'spec.limits[0].fairShare: true is not supported yet; allowed: false'],
    ['{reservation: {onServerTools: Limit}}', 'spec.reservation.onServerTools: "Limit" is not allowed; allowed: Deny, Clamp, Reserve'],
  ])('%s is refused, never ignored', async (spec, fault) => {
    expect(await faults(budgetPolicy(spec))).toEqual([fault])
  })
  it('is refused in an AccessKey too, and as a whole BudgetGrant', async () => {
    const limits = [{ name: 'a', unit: 'USD', amount: '1', window: { lifetime: {} }, fairShare: true }]
    expect(await faults(key({ limits, reservation: { clampToHeadroom: true } }))).toHaveLength(1)
    const spec = {
      policyRef: { kind: 'BudgetPolicy', name: 'a', limit: 'b' },
      amount: '5',
      expiresAt: '2027-01-01T00:00:00Z',
      reason: 'launch',
    }
    const grant = { apiVersion: 'purser.dev/v1alpha1', kind: 'BudgetGrant', metadata: { name: 'g' }, spec }
    expect(await faults(JSON.stringify(grant))).toEqual(['kind: BudgetGrant objects are not supported yet; leave it out'])
    const late = { ...grant, spec: { ...spec, startsAt: '2027-01-01T00:00:00Z' } }
    expect(await faults(JSON.stringify(late))).toContain('spec.expiresAt: expiresAt must be after startsAt')
  })
  it('is accepted at the value that is enforced', async () => {
    const spec = {
      limits: [{ name: 'a', unit: 'USD', amount: '1', window: { lifetime: {} }, fairShare: false, warnAtPercent: [80] }],
      enforcement: { mode: 'Audit', onLedgerUnavailable: 'Deny' },
      permissions: { onForbiddenModel: 'Substitute', substitutes: ['gpt-4o-mini'] },
      reservation: { inputEstimate: 'Tokenizer', clampToHeadroom: true, onExpiry: 'Estimate', onServerTools: 'Clamp' },
    }
    expect(await faults(budgetPolicy(JSON.stringify(spec)))).toEqual([])
  })
})

describe('objects', () => {
  it.each([
    [
      'apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}',
      'apiVersion: "gateway.networking.k8s.io/v1" "HTTPRoute" is not an object of Purser; allowed: purser.dev/v1alpha1, and v1 Namespace',
    ],
    [
      'apiVersion: v1\nkind: Secret\nmetadata: {name: r}',
      'apiVersion: "v1" "Secret" is not an object of Purser; allowed: purser.dev/v1alpha1, and v1 Namespace',
    ],
    [
      'apiVersion: purser.dev/v1\nkind: BudgetPolicy\nmetadata: {name: r}',
      `apiVersion: "purser.dev/v1" is not a version of Purser's objects; allowed: purser.dev/v1alpha1`,
    ],
    [
      'apiVersion: purser.dev/v1alpha1\nkind: Budget',
      'kind: "Budget" is not a kind of purser.dev/v1alpha1; allowed: AccessKey, BudgetGrant, BudgetPolicy, ClusterBudgetPolicy, ModelPriceList',
    ],
    ['kind: BudgetPolicy', 'apiVersion: is missing; allowed: purser.dev/v1alpha1'],
    ['[]', '(root): [] is not an object; allowed: apiVersion, kind, metadata and spec'],
    ['just text', '(root): "just text" is not an object; allowed: apiVersion, kind, metadata and spec'],
    ['apiVersion: purser.dev/v1alpha1\nkind: BudgetPolicy\nspec: {}', 'metadata: is missing; allowed: an object'],
    [
      'apiVersion: purser.dev/v1alpha1\nkind: BudgetPolicy\nmetadata: {name: Team_A}\nspec: {}',
      'metadata.name: "Team_A" is not a name; allowed: lower-case letters, digits, - and .',
    ],
    [cluster({}, { namespace: 'x' }), 'metadata.namespace: a ClusterBudgetPolicy is in no namespace; leave it out'],
    [
      budgetPolicy('{namespaceSelector: {}}'),
      'spec.namespaceSelector: is not a field here; allowed: enforcement, limits, match, permissions, reservation, response, steering, targetRefs, waste',
    ],
    [budgetPolicy('{response: {statusCode: 500}}'), 'spec.response.statusCode: 500 is not allowed; allowed: 402, 403, 429'],
    [
      budgetPolicy('{response: {message: "a\\nb"}}'),
      'spec.response.message: "a\\nb" is not one line of text; allowed: text without line breaks and control characters',
    ],
    [
      budgetPolicy('{targetRefs: [{kind: Service, name: s}]}'),
      'spec.targetRefs[0].kind: "Service" is not allowed; allowed: HTTPRoute, Gateway',
    ],
    [
      budgetPolicy('{limits: [{name: a, unit: USD, window: {lifetime: {}}}]}'),
      'spec.limits[0].amount: is missing; allowed: a string such as "500" or "0.25"',
    ],
    [
      budgetPolicy('{__proto__: {a: 1}}'),
      'spec.__proto__: is not a field here; allowed: enforcement, limits, match, permissions, reservation, response, steering, targetRefs, waste',
    ],
    [
      cluster({ namespaceSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } }),
      'spec.namespaceSelector.matchExpressions[0].values: In and NotIn need values; Exists and DoesNotExist take none',
    ],
    [key({ keyHashes: [] }), 'spec.keyHashes: has fewer entries than allowed; allowed: 1 to 2'],
    [key({ keyHashes: [HASH, HASH] }), 'spec.keyHashes: has the same entry twice (0 and 1); allowed: each once'],
    [
      key({ expiresAt: '2026-02-30T00:00:00Z' }),
      'spec.expiresAt: "2026-02-30T00:00:00Z" is not an instant; allowed: RFC 3339, such as "2027-01-31T00:00:00Z"',
    ],
    [key({ expiresAt: 'tomorrow' }), 'spec.expiresAt: "tomorrow" is not an instant; allowed: RFC 3339, such as "2027-01-31T00:00:00Z"'],
    [key({ subject: { attributes: { user: 'x' } } }), 'spec.subject.attributes: user and team are fields of subject'],
    [
      prices({ models: [{ names: ['a'], provider: 'p', perMillionTokens: { input: 1.25 } }] }),
      'spec.models[0].perMillionTokens.input: 1.25 is a number, not a string; allowed: a string such as "1.25", in USD for a million tokens',
    ],
    [
      prices({ models: [{ names: ['a'], provider: 'p', perMillionTokens: { input: '-1' } }] }),
      'spec.models[0].perMillionTokens.input: "-1" is not a price; allowed: a string such as "1.25", in USD for a million tokens',
    ],
    [prices({ priority: 1.5 }), 'spec.priority: 1.5 is a number, not a whole number; allowed: whole numbers from 0 to 1000'],
  ])('%s', async (text, fault) => {
    expect(await faults(text)).toEqual([fault])
  })

  it('are there once, and so are limits and key hashes', async () => {
    const twice = `${budgetPolicy('{}')}---\n${budgetPolicy('{}')}`
    expect((await load(twice)).problems).toEqual([
      'p.yaml:10: BudgetPolicy default/team: metadata.name: is there twice, first at p.yaml:1; allowed: each object once',
    ])
    const one = { name: 'a', unit: 'USD', amount: '1', window: { lifetime: {} } }
    expect(await faults(budgetPolicy(JSON.stringify({ limits: [one, { ...one, amount: 5 }, one] })))).toEqual([
      'spec.limits[1].amount: 5 is a number, not a string; allowed: a string such as "500" or "0.25"',
      'spec.limits[1].name: "a" is there twice, first at spec.limits[0]; allowed: each once',
      'spec.limits[2].name: "a" is there twice, first at spec.limits[0]; allowed: each once',
    ])
    expect((await load(`${key({}, 'x')}\n---\n${key({}, 'y')}`)).problems).toEqual([
      'p.yaml:3: AccessKey default/y: spec.keyHashes[0]: is held by AccessKey default/x (p.yaml:1) already; allowed: each hash once',
    ])
  })

  it('may carry what a server wrote into them', async () => {
    const metadata = {
      name: 'org',
      uid: 'u',
      resourceVersion: '1',
      generation: 2,
      creationTimestamp: '2026-01-01T00:00:00Z',
      managedFields: [{}],
    }
    const status = {
      conditions: [{ type: 'Accepted', status: 'True', reason: 'Accepted', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }],
    }
    const text = JSON.stringify({ apiVersion: 'purser.dev/v1alpha1', kind: 'ClusterBudgetPolicy', metadata, spec: {}, status })
    expect((await load(text)).problems).toEqual([])
  })
})

describe('the schemas of record', () => {
  const folder = join(import.meta.dirname, '../../charts/purser/crds')
  const crds = readdirSync(folder).map(file => parse(readFileSync(join(folder, file), 'utf8')))
  const nodes = (schema: StructuralSchema): StructuralSchema[] => [
    schema,
    ...[...Object.values(schema.properties ?? {}), schema.items, schema.additionalProperties].flatMap(one =>
      one === undefined ? [] : nodes(one),
    ),
  ]
  const all = [...objectKinds().values()].flatMap(kind => nodes(kind.schema)) as (StructuralSchema & Record<string, unknown>)[]

  it('are five, with the names that commands and people use', () => {
    expect(crds.map(crd => [crd.spec.names.kind, crd.spec.scope, ...crd.spec.names.shortNames])).toEqual([
      ['AccessKey', 'Namespaced', 'akey'],
      ['BudgetGrant', 'Namespaced', 'bgrant'],
      ['BudgetPolicy', 'Namespaced', 'bpol'],
      ['ClusterBudgetPolicy', 'Cluster', 'cbpol'],
      ['ModelPriceList', 'Cluster', 'mpl'],
    ])
    for (const crd of crds) {
      expect(crd.metadata.name).toBe(`${crd.spec.names.plural}.purser.dev`)
      expect(crd.spec.names.categories).toEqual(['purser'])
      expect(crd.spec.versions[0].subresources).toEqual({ status: {} })
    }
  })

  it('have the fields that were agreed on, and no others', () => {
    const shape = (schema: StructuralSchema | undefined): string => {
      const inner = schema?.items ?? schema
      const names = Object.entries(inner?.properties ?? {}).map(([name, field]) => `${name}${shape(field)}`)
      return names.length === 0 ? '' : `{${names.join(' ')}}`
    }
    const SELECTOR = 'attribute jwtClaim serviceAccount header route accessKey'
    const LIMITS = `limits{name unit amount window{calendar timeZone anchorDay sliding lifetime inFlight} partitionBy{${SELECTOR}} maxPartitions fairShare warnAtPercent allowUpTo}`
    const PERMISSIONS = 'permissions{models{allow deny} providers{allow deny} endpoints{allow deny} onForbiddenModel substitutes}'
    const RESERVATION =
      'reservation{inputEstimate defaultMaxOutputTokens requireOutputBound clampToHeadroom minOutputTokens onShortfall queueFor maxPerRequest onUnknownModel onOpaqueInput onServerTools onUnknownEndpoint onUnreadable onExpiry}'
    const WASTE = 'waste{retryStorm{afterRefusals} repeatedRequest{max within}}'
    const POLICY = `targetRefs{group kind name sectionName} match{subjects{${SELECTOR} values} accessKeySelector{matchLabels} models providers} ${LIMITS} ${PERMISSIONS} ${RESERVATION} steering{value provider route{namespace name} models{name as}} ${WASTE} enforcement{mode onLedgerUnavailable} response{statusCode message exposeAmounts exposeBalance}`
    const RATES =
      'perMillionTokens{input cachedInput cacheWrite cacheWrite1h inputAudio inputImage output reasoning outputAudio outputImage}'
    expect(Object.fromEntries([...objectKinds()].map(([kind, { schema }]) => [kind, shape(schema.properties?.['spec'])]))).toEqual({
      AccessKey: `{keyHashes subject{user team attributes} disabled expiresAt ${PERMISSIONS} ${RESERVATION} ${WASTE} ${LIMITS}}`,
      BudgetGrant: '{policyRef{kind name limit partition} amount startsAt expiresAt reason}',
      BudgetPolicy: `{${POLICY}}`,
      ClusterBudgetPolicy: `{namespaceSelector{matchLabels matchExpressions{key operator values}} ${POLICY}}`,
      ModelPriceList: `{priority aliases{name provider model} models{names provider effectiveFrom ${RATES} tiers{aboveInputTokens ${RATES}} maxOutputTokens contextWindow}}`,
    })
  })

  it('say the default of every field that may be left out, but for those of which exactly one is given', () => {
    const lacking = (schema: StructuralSchema & { description?: string; required?: readonly string[] }, path: string): string[] => {
      const oneOf = (schema['x-kubernetes-validations'] ?? []).some(rule => rule.message.startsWith('exactly one of'))
      const own = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => [
        ...(oneOf || schema.required?.includes(name) || /Default: /.test((field as typeof schema).description ?? '')
          ? []
          : [`${path}.${name}`]),
        ...lacking(field, `${path}.${name}`),
      ])
      return schema.items === undefined ? own : [...own, ...lacking(schema.items, `${path}[]`)]
    }
    for (const [kind, { schema }] of objectKinds()) expect(lacking(schema.properties?.['spec'] ?? {}, kind)).toEqual([])
  })

  it('describe and bound every field', () => {
    expect(all.length).toBeGreaterThan(300)
    const metadata = new Set<unknown>([...objectKinds().values()].map(kind => kind.schema.properties?.['metadata']))
    for (const node of all) {
      // The API server lets a schema say nothing of metadata.
      if (!metadata.has(node)) expect(node['description'], JSON.stringify(node)).toMatch(/\S.*\.$/)
      if (node.type === 'array') expect(node['maxItems'], JSON.stringify(node)).toBeGreaterThan(0)
      if (node.type === 'integer' && node['enum'] === undefined)
        expect([node['minimum'], node['maximum']]).toEqual([expect.any(Number), expect.any(Number)])
    }
    const strings = crds
      .flatMap(crd => nodes(crd.spec.versions[0].schema.openAPIV3Schema.properties.spec))
      .filter(node => node.type === 'string')
    for (const node of strings) expect(node, JSON.stringify(node)).toSatisfy((one: object) => 'maxLength' in one || 'enum' in one)
  })

  it('have no pattern without words and no rule without its equivalent, and the other way round', () => {
    for (const node of all) if (node.pattern !== undefined) expect(hasHint(node.pattern), node.pattern).toBe(true)
    const rules = new Set(all.flatMap(node => (node['x-kubernetes-validations'] ?? []).map(one => one.rule)))
    expect([...rules].sort()).toEqual(Object.keys(RULES).sort())
  })

  it('say the same of the parts that kinds share', () => {
    const spec = (kind: string) => objectKinds().get(kind)?.schema.properties?.['spec']?.properties ?? {}
    const { namespaceSelector, targetRefs, ...shared } = spec('ClusterBudgetPolicy')
    const { targetRefs: local, ...same } = spec('BudgetPolicy')
    expect(namespaceSelector).toBeDefined()
    expect(targetRefs?.items).toEqual(local?.items)
    expect(shared).toEqual(same)
    for (const part of ['limits', 'permissions', 'reservation']) expect(spec('AccessKey')[part]).toEqual(same[part])
    const status = (kind: string) => objectKinds().get(kind)?.schema.properties?.['status']?.properties ?? {}
    const { ancestors, ...counted } = status('ClusterBudgetPolicy')
    expect(status('BudgetPolicy')).toEqual({ ancestors, ...counted })
    expect(status('AccessKey')).toEqual(counted)
    const { conditions, observedGeneration } = counted
    expect(ancestors?.items?.properties?.['conditions']).toEqual(conditions)
    for (const kind of ['ModelPriceList', 'BudgetGrant']) expect(status(kind)).toEqual({ conditions, observedGeneration })
  })

  it('are walked along with their values', () => {
    const places: string[] = []
    const schema = objectKinds().get('BudgetPolicy')?.schema ?? {}
    walkSchema(schema, { spec: { limits: [{ window: { sliding: '1m' }, nope: 1 }] } }, (_schema, _value, _path, place) =>
      places.push(place),
    )
    expect(places).toEqual(['', 'spec', 'spec.limits', 'spec.limits[]', 'spec.limits[].window', 'spec.limits[].window.sliding'])
  })
})
