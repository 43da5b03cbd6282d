// Loading: which files count, what hostile files do (nothing), warnings, and that the parts are what was written.
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setInterval } from 'node:timers'
import { describe, expect, it } from 'vitest'
import { loadObjects } from '../../src/files/load.ts'
import { budgetPolicy, folderWith, limitSpec, load } from './folder.ts'

const options = { trustedHeaders: [], defaultNamespace: 'default', nowMs: Date.UTC(2026, 0, 1) }
const loadFolder = (...paths: string[]) => loadObjects(paths, options)

describe('a folder', () => {
  it('is read with the folders below it, YAML and JSON, hidden and other files left out', async () => {
    const folder = folderWith({
      'a.yaml': budgetPolicy('{}', 'a'),
      'b.yml': `\uFEFF${budgetPolicy('{}', 'b')}---\n# nothing\n---\n${budgetPolicy('{}', 'b2')}`,
      'c.json': JSON.stringify({ apiVersion: 'purser.dev/v1alpha1', kind: 'BudgetPolicy', metadata: { name: 'c' }, spec: {} }, null, '\t'),
      'README.md': 'not: [yaml',
      '.hidden.yaml': 'not: [yaml',
      'comment.yaml': '# nothing\n---\n',
    })
    mkdirSync(join(folder, 'deep/er'), { recursive: true })
    mkdirSync(join(folder, '..data'))
    writeFileSync(join(folder, 'deep/er/d.YAML'), budgetPolicy('{}', 'd'))
    writeFileSync(join(folder, '..data/x.yaml'), 'not: [yaml')
    symlinkSync(folder, join(folder, 'deep/loop'))
    const { parts, problems } = await loadFolder(folder)
    expect(problems).toEqual([])
    expect(parts?.policies.map(one => one.name)).toEqual(['a', 'b', 'b2', 'c', 'd'])
  })

  it('that is not there, or a file of another kind that was named, is a problem or is read', async () => {
    expect((await loadFolder('/nowhere/policies')).problems).toEqual(['/nowhere/policies:1: file: (root): cannot be read: ENOENT'])
    const folder = folderWith({ 'policy.txt': budgetPolicy('{}') })
    expect((await loadFolder(join(folder, 'policy.txt'))).objects).toBe(1)
    expect((await loadFolder(folder)).objects).toBe(0)
    expect((await loadFolder('/dev/null')).problems).toEqual(['/dev/null:1: file: (root): is neither a file nor a folder'])
  })

  it('named twice is read once', async () => {
    const folder = folderWith({ 'a.yaml': budgetPolicy('{}') })
    expect(await loadFolder(folder, join(folder, 'a.yaml'))).toMatchObject({ objects: 1, problems: [] })
  })

  it('gives other work its turn while it is read', async () => {
    const many = Array.from({ length: 300 }, (_, index) => budgetPolicy(limitSpec(), `p${index}`)).join('---\n')
    const folder = folderWith({ 'many.yaml': many })
    let turns = 0
    const timer = setInterval(() => {
      turns += 1
    }, 1)
    expect((await loadFolder(folder)).objects).toBe(300)
    clearInterval(timer)
    expect(turns).toBeGreaterThan(10)
  })
})

describe('hostile files', () => {
  const bomb = `a: &a [x]\n${Array.from({ length: 30 }, (_, index) => `b${index}: &b${index} [*${index === 0 ? 'a' : `b${index - 1}`}, *${index === 0 ? 'a' : `b${index - 1}`}]`).join('\n')}`
  it.each([
    ['an alias bomb', bomb, /document 1/],
    ['a depth bomb', '['.repeat(200_000), /nested too deeply|\(syntax\)/],
    ['a deep mapping', Array.from({ length: 3_000 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n'), /./],
    ['a duplicate field', 'kind: a\nkind: b', /"kind" is there twice; allowed: each field once/],
    ['an unknown tag', 'kind: !run "rm -rf"', /Unresolved tag/],
    ['binary', '\u0000\u0001\u0002', /./],
    ['a truncated file', budgetPolicy(limitSpec()).slice(0, -8), /\(syntax\)/],
    ['a list', '- a\n- b', /is not an object/],
    ['a merge key', budgetPolicy('{<<: {limits: []}}'), /spec\["<<"\]: is not a field/],
    ['numbers that are none', budgetPolicy('{reservation: {defaultMaxOutputTokens: .nan}}'), /defaultMaxOutputTokens/],
    ['numbers beyond all bounds', budgetPolicy('{reservation: {defaultMaxOutputTokens: 99999999999999999999999}}'), /out of range/],
    ['huge text', budgetPolicy(`{response: {message: "${'x'.repeat(1_000_000)}"}}`), /too long/],
  ])('%s is a problem of its file, on short lines', async (_name, text, sentence) => {
    const { problems, parts } = await load(text)
    expect(parts).toBeNull()
    expect(problems.join('\n')).toMatch(sentence)
    for (const line of problems) expect(line.length).toBeLessThan(500)
  })

  it('that are not UTF-8, too long, or cut to nothing, are refused', async () => {
    const folder = folderWith({ 'long.yaml': '#'.repeat(4_194_305), 'cut.yaml': '' })
    writeFileSync(join(folder, 'latin.yaml'), Buffer.from([0x61, 0x3a, 0xe4]))
    expect((await loadFolder(folder)).problems.map(line => line.replace(`${folder}/`, ''))).toEqual([
      'cut.yaml:1: file: (root): is empty; allowed: objects, or at least a comment',
      'latin.yaml:1: file: (root): is not UTF-8 text',
      'long.yaml:1: file: (root): has 4194305 bytes; allowed: 4194304',
    ])
  })
})

describe('the parts', () => {
  it('of a policy are what was written, with the file’s time as its version', async () => {
    const spec = {
      targetRefs: [{ kind: 'HTTPRoute', name: 'llm' }],
      match: {
        subjects: [{ attribute: 'team', values: ['s*'] }, { serviceAccount: {} }],
        accessKeySelector: { matchLabels: { a: 'b' } },
        models: ['gpt-*'],
        providers: ['openai'],
      },
      limits: [
        {
          name: 'm',
          unit: 'USD',
          amount: '0.25',
          window: { inFlight: {} },
          partitionBy: [{ route: 'name' }, { accessKey: {} }],
          maxPartitions: 5,
          allowUpTo: '0.1',
        },
      ],
      permissions: { models: { deny: ['x'] }, endpoints: { allow: ['y'] }, onForbiddenModel: 'Substitute', substitutes: ['z'] },
      reservation: {
        maxPerRequest: '1.5',
        defaultMaxOutputTokens: 7,
        requireOutputBound: true,
        onUnreadable: 'Allow',
        onExpiry: 'Observed',
        clampToHeadroom: true,
        minOutputTokens: 256,
      },
      enforcement: { mode: 'Audit', onLedgerUnavailable: 'Allow' },
      response: { statusCode: 429, message: 'm', exposeAmounts: true, exposeBalance: true },
    }
    const { parts } = await load(budgetPolicy(JSON.stringify(spec)))
    const [policy] = parts?.policies ?? []
    expect(policy).toEqual({
      scope: 'BudgetPolicy',
      namespace: 'default',
      name: 'team',
      version: { createdMs: 0, generation: expect.any(Number), grantMs: 0 },
      namespaceSelector: null,
      targets: [{ kind: 'HTTPRoute', name: 'llm', section: null }],
      match: {
        subjects: [
          { selector: { kind: 'attribute', name: 'team' }, values: ['s*'] },
          { selector: { kind: 'serviceAccount' }, values: [] },
        ],
        accessKeyLabels: { matchLabels: new Map([['a', 'b']]), matchExpressions: [] },
        models: ['gpt-*'],
        providers: ['openai'],
      },
      limits: [
        {
          name: 'm',
          unit: 'USD',
          amount: 250_000_000n,
          window: { kind: 'inFlight' },
          partitionBy: [{ kind: 'route', field: 'name' }, { kind: 'accessKey' }],
          maxPartitions: 5,
          allowUpTo: 100_000_000n,
        },
      ],
      permissions: { models: { allow: [], deny: ['x'] }, providers: { allow: [], deny: [] }, endpoints: { allow: ['y'], deny: [] } },
      reservation: {
        inputEstimate: null,
        defaultMaxOutputTokens: 7n,
        requireOutputBound: true,
        maxPerRequest: 1_500_000_000n,
        onUnknownModel: null,
        onOpaqueInput: null,
        onServerTools: null,
        onUnknownEndpoint: null,
        onUnreadable: 'Allow',
        onExpiry: 'Observed',
      },
      concessions: {
        clampToHeadroom: true,
        minOutputTokens: 256n,
        substitutes: ['z'],
        onForbiddenModel: 'Substitute',
        onShortfall: null,
        queueMs: null,
        steering: [],
      },
      audit: true,
      onLedgerUnavailable: 'Allow',
      response: { statusCode: 429, message: 'm', exposeAmounts: true, exposeBalance: true },
    })
    expect(Math.abs((policy?.version.generation ?? 0) - Date.now())).toBeLessThan(60_000)
    expect(Number.isInteger(policy?.version.generation)).toBe(true)
  })

  it('of an AccessKey are the key, and a policy of its own where it declares anything', async () => {
    const object = (name: string, hash: string, spec: object) =>
      JSON.stringify({
        apiVersion: 'purser.dev/v1alpha1',
        kind: 'AccessKey',
        metadata: { name, labels: { a: 'b' } },
        spec: { keyHashes: [`sha256:${hash.repeat(64)}`], ...spec },
      })
    const subject = { user: 'u', team: 't', attributes: { cost: '1' } }
    const { parts } = await load(
      `${object('plain', 'a', {})}\n---\n${object('own', 'b', { subject, disabled: true, expiresAt: '2027-01-01T01:00:00+01:00', permissions: {} })}`,
    )
    expect(parts?.accessKeys[1]).toEqual({
      namespace: 'default',
      name: 'own',
      labels: new Map([['a', 'b']]),
      keyHashes: [`sha256:${'b'.repeat(64)}`],
      attributes: new Map([
        ['cost', '1'],
        ['user', 'u'],
        ['team', 't'],
      ]),
      disabled: true,
      expiresAtMs: Date.UTC(2027, 0, 1),
    })
    expect(parts?.policies.map(one => [one.scope, one.name])).toEqual([['AccessKey', 'own']])
  })

  it('of a ModelPriceList are exact pico-USD a token, tiers ascending', async () => {
    const spec = {
      priority: 3,
      aliases: [{ name: 'ours', provider: 'azure', model: 'gpt-4o' }],
      models: [
        {
          names: ['a-*'],
          provider: 'p',
          effectiveFrom: '2026-01-01T00:00:00Z',
          perMillionTokens: { input: '1.25', cachedInput: '0.000001' },
          tiers: [
            { aboveInputTokens: 300, perMillionTokens: { input: '3' } },
            { aboveInputTokens: 200, perMillionTokens: { output: '10' } },
          ],
        },
      ],
    }
    const { parts } = await load(
      JSON.stringify({ apiVersion: 'purser.dev/v1alpha1', kind: 'ModelPriceList', metadata: { name: 'm' }, spec }),
    )
    expect(parts?.priceLists[0]).toMatchObject({
      name: 'm',
      priority: 3,
      models: [
        {
          effectiveFromMs: Date.UTC(2026, 0, 1),
          rates: { input: 1_250_000n, cacheRead: 1n, cacheWrite5m: null, output: null },
          tiers: [
            { aboveInputTokens: 200n, rates: { output: 10_000_000n } },
            { aboveInputTokens: 300n, rates: { input: 3_000_000n } },
          ],
          maxOutputTokens: null,
        },
      ],
    })
  })
})

describe('warnings', () => {
  const object = (kind: string, spec: object, metadata: object = {}) =>
    JSON.stringify({ apiVersion: 'purser.dev/v1alpha1', kind, metadata: { name: 'x', ...metadata }, spec })
  const hash = `sha256:${'a'.repeat(64)}`
  it.each([
    [
      object('ClusterBudgetPolicy', { permissions: {}, namespaceSelector: { matchLabels: { ai: 'true' } } }),
      'p.yaml:1: ClusterBudgetPolicy x: spec.namespaceSelector: no known namespace',
    ],
    [
      object('BudgetPolicy', { permissions: {}, match: { accessKeySelector: { matchLabels: { a: 'b' } } } }),
      'spec.match.accessKeySelector: no AccessKey',
    ],
    [object('BudgetPolicy', {}), 'declares neither limits nor permissions nor reservation'],
    [object('BudgetPolicy', { permissions: {}, targetRefs: [{ kind: 'Gateway', name: 'ai' }] }), 'through the Gateway ai'],
    [object('BudgetPolicy', { permissions: {}, targetRefs: [{ kind: 'HTTPRoute', name: 'llm', sectionName: 'chat' }] }), 'not only chat'],
    [object('AccessKey', { keyHashes: [hash], expiresAt: '2025-12-31T23:59:59Z' }), 'are refused since 2025-12-31T23:59:59Z'],
    [object('AccessKey', { keyHashes: [hash], disabled: true }), 'calls with this key are refused'],
  ])('%s', async (text, warning) => {
    const { warnings, problems } = await load(text)
    expect(problems).toEqual([])
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain(warning)
  })

  it('are none where labels match', async () => {
    const namespace = JSON.stringify({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'n', labels: { ai: 'true' } },
      spec: { finalizers: [] },
    })
    const cluster = object('ClusterBudgetPolicy', { permissions: {}, namespaceSelector: { matchLabels: { ai: 'true' } } })
    expect(await load(`${namespace}\n---\n${cluster}`)).toMatchObject({ warnings: [], problems: [], objects: 2 })
  })
})
