// The CRDs on a real API server, and the same objects through `purser check`: one verdict, and sentences that name the field.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { loadObjects } from '../../src/files/load.ts'
import { CRDS, kubectl, makeNamespace, messageOf } from './api-server.ts'
import { type Answer, createClient } from './client.ts'
import { CASES, type Case, DIFFERENCES } from './crd-cases.ts'

const ROOT = join(import.meta.dirname, '../..')
const kube = inject('kube')
const admin = createClient(kube)
const NAMESPACE = 'crds'
const PLURALS: Readonly<Record<string, string>> = {
  BudgetPolicy: `namespaces/${NAMESPACE}/budgetpolicies`,
  ClusterBudgetPolicy: 'clusterbudgetpolicies',
  AccessKey: `namespaces/${NAMESPACE}/accesskeys`,
  BudgetGrant: `namespaces/${NAMESPACE}/budgetgrants`,
  ModelPriceList: 'modelpricelists',
}
const pathOf = (text: string): string => `/apis/purser.dev/v1alpha1/${PLURALS[/^kind: (\w+)/m.exec(text)?.[1] ?? '']}`

const hashOf = (id: string): string => `sha256:${createHash('sha256').update(id).digest('hex')}`
const textOf = (one: Case, id: string): string => one.text.replaceAll('NAME', id).replaceAll('HASH', hashOf(id))
const all = [...CASES, ...DIFFERENCES.map(({ name, text }) => ({ name, text, refused: null }))]
const named = new Map(all.map((one, index) => [one, `case-${index}`]))
const idOf = (one: Case): string => named.get(one) ?? ''

const folder = mkdtempSync(join(tmpdir(), 'purser-crds-'))
let checked: readonly string[] = []

beforeAll(async () => {
  await makeNamespace(admin, NAMESPACE)
  for (const one of all) writeFileSync(join(folder, `${idOf(one)}.yaml`), textOf(one, idOf(one)))
  const { stdout } = spawnSync(join(ROOT, 'bin/purser'), ['check', folder], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  checked = stdout.split('\n')
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
  admin.close()
})

/** What the API server says of a new object; empty where it accepts it. */
async function refusalOfServer(text: string): Promise<string> {
  const answer = await admin.post(`${pathOf(text)}?dryRun=All&fieldValidation=Strict`, text)
  return answer.status === 201 ? '' : messageOf(answer)
}

const NOT_YET = 'kind: BudgetGrant objects are not supported yet; leave it out'
const refusalOfCheck = (id: string): string =>
  checked.filter(line => line.startsWith(`${join(folder, id)}.yaml:`) && !line.endsWith(NOT_YET)).join('\n')

function expectVerdict(sentence: string, { refused }: Case): void {
  if (refused === null) expect(sentence).toBe('')
  for (const words of refused === null ? [] : [refused.field, refused.phrase]) expect(sentence).toContain(words)
}

describe('an object', () => {
  it('is one of many that were tried, each on both', () => {
    expect(CASES.length).toBeGreaterThan(200)
    expect(new Set(CASES.map(one => one.name)).size).toBe(CASES.length)
    expect(CASES.filter(one => one.refused === null).length).toBeGreaterThan(40)
  })

  describe.each(CASES.map(one => [one.refused === null ? 'accepted' : 'refused', one.name, one] as const))(
    '%s: %s',
    (_verdict, _name, one) => {
      it('by the API server', async () => expectVerdict(await refusalOfServer(textOf(one, idOf(one))), one))
      it('by purser check', () => expectVerdict(refusalOfCheck(idOf(one)), one))
    },
  )

  it.each(DIFFERENCES)('$name: refused by check alone, because $why', async ({ name, phrase }) => {
    const one = all.find(other => other.name === name)
    if (one === undefined) throw new Error('the case is there')
    expect(await refusalOfServer(textOf(one, idOf(one)))).toBe('')
    expect(refusalOfCheck(idOf(one))).toContain(phrase)
  })

  it('means the same when the API server has filled in its defaults', async () => {
    const accepted = CASES.filter(one => one.refused === null && !one.text.includes('kind: BudgetGrant'))
    for (const one of accepted) {
      const text = textOf(one, idOf(one))
      const created = await admin.post(`${pathOf(text)}?fieldValidation=Strict`, text)
      expect(created.status, messageOf(created)).toBe(201)
      const id = idOf(one)
      const [ours, theirs] = [join(folder, `${id}.yaml`), join(folder, `${id}.json`)]
      writeFileSync(theirs, JSON.stringify(created.body))
      const options = { trustedHeaders: null, defaultNamespace: NAMESPACE, nowMs: 0 }
      const [written, served] = [await loadObjects([ours], options), await loadObjects([theirs], options)]
      const version = { createdMs: 0, generation: 0, grantMs: 0 }
      const parts = ({ parts }: typeof written) => ({ ...parts, policies: parts?.policies.map(policy => ({ ...policy, version })) })
      expect(parts(served), one.name).toEqual(parts(written))
      await admin.delete(`${pathOf(text)}/${(created.body as { metadata: { name: string } }).metadata.name}`)
    }
  })
})

describe('a time zone', () => {
  it('that this Node knows is one that the API server knows', async () => {
    const zones = [...Intl.supportedValuesOf('timeZone'), 'UTC', 'US/Eastern', 'Etc/GMT+5']
    for (let at = 0; at < zones.length; at += 32) {
      const limits = zones.slice(at, at + 32).map((timeZone, index) => ({
        name: `l${index}`,
        unit: 'USD',
        amount: '1',
        window: { calendar: 'Day', timeZone },
      }))
      const text = `apiVersion: purser.dev/v1alpha1\nkind: BudgetPolicy\nmetadata: {name: zones}\nspec: ${JSON.stringify({ limits })}\n`
      expect(await refusalOfServer(text)).toBe('')
    }
  })
})

describe('a change', () => {
  const object = (kind: string, name: string, spec: object) => ({ apiVersion: 'purser.dev/v1alpha1', kind, metadata: { name }, spec })
  const limit = { name: 'month', unit: 'USD', amount: '5', window: { calendar: 'Month' } }
  const spec = {
    policyRef: { kind: 'BudgetPolicy', name: 'team', limit: 'month' },
    amount: '250',
    expiresAt: '2027-01-01T00:00:00Z',
    reason: 'launch',
  }
  const status = {
    conditions: [{ type: 'Accepted', status: 'True', reason: 'Accepted', message: 'It is.', lastTransitionTime: '2026-01-01T00:00:00Z' }],
  }
  const path = (kind: string, name: string, sub = '') => `/apis/purser.dev/v1alpha1/${PLURALS[kind]}/${name}${sub}`
  const create = async (kind: string, name: string, of: object): Promise<Answer> => {
    const answer = await admin.post(`/apis/purser.dev/v1alpha1/${PLURALS[kind]}`, object(kind, name, of))
    expect(answer.status, messageOf(answer)).toBe(201)
    return answer
  }

  it.each([
    ['its amount', { amount: '500' }],
    ['its end', { expiresAt: '2028-01-01T00:00:00Z' }],
    ['its reason', { reason: 'another' }],
    ['its limit', { policyRef: { ...spec.policyRef, limit: 'week' } }],
    ['a start that it had not', { startsAt: '2026-01-01T00:00:00Z' }],
  ])('of a grant is refused: %s', async (what, change) => {
    const name = `grant-${what.replaceAll(' ', '-')}`
    await create('BudgetGrant', name, spec)
    const answer = await admin.patch(path('BudgetGrant', name), { spec: change })
    expect(answer.status).toBe(422)
    expect(messageOf(answer)).toContain('spec: Invalid value: a grant cannot be changed: delete it and create another')
  })

  it('of what surrounds a grant is not', async () => {
    await create('BudgetGrant', 'labelled', spec)
    expect((await admin.patch(path('BudgetGrant', 'labelled'), { metadata: { labels: { ticket: 'OPS-1' } } })).status).toBe(200)
    expect((await admin.patch(path('BudgetGrant', 'labelled', '/status'), { status })).status).toBe(200)
    // Written again as it stands, as GitOps does.
    expect((await admin.patch(path('BudgetGrant', 'labelled'), { spec })).status).toBe(200)
  })

  it('of a limit is not: its amount counts on, another unit or window starts a new balance', async () => {
    await create('BudgetPolicy', 'changing', { limits: [limit] })
    for (const change of [{ amount: '6' }, { unit: 'Tokens' }, { window: { sliding: '1m' } }]) {
      const answer = await admin.patch(path('BudgetPolicy', 'changing'), { spec: { limits: [{ ...limit, ...change }] } })
      expect(answer.status, messageOf(answer)).toBe(200)
    }
    const answer = await admin.patch(path('BudgetPolicy', 'changing'), { spec: { limits: [{ ...limit, amount: '-1' }] } })
    expect(messageOf(answer)).toContain('spec.limits[0].amount')
  })

  it('of a key rotates its hashes', async () => {
    const [first, second, third] = ['a', 'b', 'c'].map(hashOf)
    await create('AccessKey', 'rotating', { keyHashes: [first] })
    for (const keyHashes of [[first, second], [second], [second, third]])
      expect((await admin.patch(path('AccessKey', 'rotating'), { spec: { keyHashes } })).status).toBe(200)
  })

  it('of a status is a matter of its own: it moves no spec and no generation, and a spec moves no status', async () => {
    const created = await create('BudgetPolicy', 'with-status', { limits: [limit] })
    const moved = await admin.patch(path('BudgetPolicy', 'with-status', '/status'), { status, spec: { limits: [] } })
    expect(moved.body).toMatchObject({ spec: { limits: [{ amount: '5' }] }, status, metadata: { generation: 1 } })
    expect(created.body).toMatchObject({ metadata: { generation: 1 } })
    const kept = await admin.patch(path('BudgetPolicy', 'with-status'), { status: { conditions: [] }, spec: { limits: [] } })
    expect(kept.body).toMatchObject({ spec: { limits: [] }, status, metadata: { generation: 2 } })
  })
})

describe('the CRDs', () => {
  beforeAll(async () => {
    for (const [kind, plural] of Object.entries(PLURALS)) {
      const spec = CASES.find(one => one.refused === null && one.text.includes(`kind: ${kind}\n`))
      if (spec === undefined) throw new Error(`a case of ${kind} is accepted`)
      await admin.post(`/apis/purser.dev/v1alpha1/${plural}`, textOf(spec, 'shown'))
    }
  })

  it('are structural, established, and carry the label of their kind', async () => {
    const { body } = await admin.get('/apis/apiextensions.k8s.io/v1/customresourcedefinitions')
    const ours = (body as { items: Crd[] }).items.filter(crd => crd.spec.group === 'purser.dev')
    expect(ours).toHaveLength(5)
    for (const { metadata, spec, status } of ours) {
      const conditions = Object.fromEntries(status.conditions.map(one => [one.type, one.status]))
      expect(conditions, metadata.name).toMatchObject({ Established: 'True', NamesAccepted: 'True' })
      expect(conditions['NonStructuralSchema'] ?? 'False').toBe('False')
      const isPolicy = spec.names.kind.endsWith('BudgetPolicy')
      expect(metadata.labels?.['gateway.networking.k8s.io/policy']).toBe(isPolicy ? 'Inherited' : undefined)
    }
  })

  it.each([
    ['bpol', 'NAME MODE ACCEPTED LIMIT SPENT EXHAUSTED AGE'],
    ['cbpol', 'NAME MODE ACCEPTED LIMIT SPENT EXHAUSTED AGE'],
    ['akey', 'NAME USER TEAM DISABLED EXPIRES ACCEPTED LIMIT SPENT EXHAUSTED AGE'],
    ['bgrant', 'NAME POLICY LIMIT AMOUNT EXPIRES ACCEPTED AGE'],
    ['mpl', 'NAME PRIORITY ACCEPTED AGE'],
  ])('show %s as a table: %s', (short, columns) => {
    const table = kubectl(kube, ['get', short, '--namespace', NAMESPACE])
    expect(table.split('\n')[0]?.trim().split(/\s+/).join(' ')).toBe(columns)
  })

  it('are listed together by their category', () => {
    const kinds = kubectl(kube, ['api-resources', '--categories=purser', '-o', 'name']).trim().split('\n').sort()
    expect(kinds).toEqual(
      ['accesskeys', 'budgetgrants', 'budgetpolicies', 'clusterbudgetpolicies', 'modelpricelists'].map(one => `${one}.purser.dev`),
    )
  })

  it('explain their fields, with unit and default', () => {
    expect(kubectl(kube, ['explain', 'bpol.spec.limits.amount'])).toContain('decimal string')
    expect(kubectl(kube, ['explain', 'bpol.spec.limits.window.timeZone'])).toContain('Default: UTC')
    expect(kubectl(kube, ['explain', 'mpl.spec.models.perMillionTokens.input'])).toContain('USD for a million')
  })

  it('are what lies in the chart', () => {
    expect(kubectl(kube, ['diff', '--server-side', '-f', CRDS])).toBe('')
  })
})

interface Crd {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
  readonly spec: { readonly group: string; readonly names: { readonly kind: string } }
  readonly status: { readonly conditions: readonly { readonly type: string; readonly status: string }[] }
}
