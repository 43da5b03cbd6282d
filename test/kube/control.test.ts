// `purser control` on a real API server and a real Redis: statuses, printer columns and Events as people see them, and one writer of several.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { WindowSpec } from '../../src/core/window.ts'
import type { Ledger } from '../../src/ports.ts'
import { openRedisLedger } from '../../src/redis/ledger.ts'
import { systemClock, systemTimer } from '../../src/system.ts'
import { RedisServer } from '../redis/server.ts'
import { type ApiServer, kubectl, makeNamespace, messageOf, startApiServer } from './api-server.ts'
import type { Client } from './client.ts'
import { accountKubeconfig, type Budget, type Control, spend, startControl } from './control.ts'
import { installGatewayApi } from './gateway-api.ts'
import { Recorder } from './recorder.ts'

const RBAC = join(import.meta.dirname, '../../deploy/kubernetes/rbac.yaml')
const NS = 'control'
let kube: ApiServer
let admin: Client
const folder = mkdtempSync(join(tmpdir(), 'purser-control-'))
let redis: RedisServer
let ledger: Ledger
let account: string

beforeAll(async () => {
  kube = await startApiServer()
  admin = kube.admin
  redis = await RedisServer.start()
  ledger = await openRedisLedger({ url: redis.url, name: 'default', clock: systemClock, timer: systemTimer, streamMax: 10_000 })
  await makeNamespace(admin, NS, { ai: 'yes' })
  await makeNamespace(admin, 'purser')
  kubectl(kube, ['apply', '--server-side', '-f', RBAC])
  account = await accountKubeconfig(admin, 'purser-controller', { ...kube, file: join(folder, 'account') })
})
afterAll(async () => {
  await ledger?.close()
  await redis?.stop()
  await kube?.stop()
  rmSync(folder, { recursive: true, force: true })
})

const MONTH: WindowSpec = { kind: 'calendar', period: 'Month', timeZone: 'UTC', anchorDay: 1 }
const budgetOf = (policy: string, over: Partial<Budget> = {}): Budget => ({
  ...{ namespace: NS, policy, limit: 'month', unit: 'USD', window: MONTH },
  ...over,
})
const limit = (amount: string, over: object = {}) => ({ name: 'month', unit: 'USD', amount, window: { calendar: 'Month' }, ...over })

interface Status {
  readonly observedGeneration: number
  readonly conditions: readonly { type: string; status: string; reason: string; message: string; lastTransitionTime: string }[]
  readonly limits?: readonly Record<string, unknown>[]
  readonly summary?: object
  readonly ancestors?: readonly object[]
}
interface Served {
  readonly metadata: { readonly name: string; readonly resourceVersion: string; readonly managedFields: readonly { manager: string }[] }
  readonly status?: Status
}

const PLURALS = {
  BudgetPolicy: `namespaces/${NS}/budgetpolicies`,
  ClusterBudgetPolicy: 'clusterbudgetpolicies',
  AccessKey: `namespaces/${NS}/accesskeys`,
  ModelPriceList: 'modelpricelists',
  BudgetGrant: `namespaces/${NS}/budgetgrants`,
}
type Kind = keyof typeof PLURALS
const pathOf = (kind: Kind, name = ''): string => `/apis/purser.dev/v1alpha1/${PLURALS[kind]}/${name}`

async function create(kind: Kind, name: string, spec: object): Promise<void> {
  const answer = await admin.post(pathOf(kind), { apiVersion: 'purser.dev/v1alpha1', kind, metadata: { name }, spec })
  expect(answer.status, messageOf(answer)).toBe(201)
  onTestFinished(async () => {
    await admin.delete(pathOf(kind, name))
  })
}
async function edit(kind: Kind, name: string, spec: object): Promise<void> {
  const answer = await admin.patch(pathOf(kind, name), { spec })
  expect(answer.status, messageOf(answer)).toBe(200)
}
const read = async (kind: Kind, name: string): Promise<Served> => (await admin.get(pathOf(kind, name))).body as Served
const conditionsOf = ({ status }: Served): Readonly<Record<string, string>> =>
  Object.fromEntries((status?.conditions ?? []).map(one => [one.type, `${one.status} ${one.reason}`]))
const messageOfCondition = ({ status }: Served, type: string): string => status?.conditions.find(one => one.type === type)?.message ?? ''

/** Waits until the object's conditions are these; answers the object. */
async function becomes(kind: Kind, name: string, conditions: Readonly<Record<string, string>>): Promise<Served> {
  return await vi.waitFor(
    async () => {
      const served = await read(kind, name)
      expect(conditionsOf(served)).toEqual(conditions)
      return served
    },
    { timeout: 45_000, interval: 100 },
  )
}
const limitBecomes = (name: string, expected: object, timeout = 45_000): Promise<Served> =>
  vi.waitFor(
    async () => {
      const served = await read('BudgetPolicy', name)
      expect(served.status?.limits?.[0]).toMatchObject(expected)
      return served
    },
    { timeout, interval: 100 },
  )

interface EventSeen {
  readonly reason: string
  readonly note: string
  readonly type: string
  readonly regarding: { readonly kind: string; readonly name: string }
}
async function eventsOf(name: string, namespace = NS): Promise<readonly EventSeen[]> {
  const { items } = (await admin.get(`/apis/events.k8s.io/v1/namespaces/${namespace}/events`)).body as { items: EventSeen[] }
  return items.filter(event => event.regarding.name === name)
}
const reasonsOf = async (name: string): Promise<readonly string[]> => (await eventsOf(name)).map(event => event.reason).sort()

async function started(kubeconfig = account, flags: readonly string[] = []): Promise<Control> {
  const control = await startControl(kubeconfig, redis.url, flags)
  onTestFinished(async () => {
    await control.child.end('SIGKILL')
  })
  return control
}
/** Ends it as Kubernetes does, so that the next test's need not wait for its lease. */
const ended = async (control: Control): Promise<void> => expect(await control.child.end('SIGTERM')).toBe(0)

const GOOD = { Accepted: 'True Accepted', ResolvedRefs: 'True ResolvedRefs', Programmed: 'True Programmed' }
const WITHIN = { ...GOOD, Exhausted: 'False WithinBudget' }

describe('the status of a policy', () => {
  it('tells of its life: accepted, spent, warned, exhausted, raised, and gone', async () => {
    await create('BudgetPolicy', 'life', {
      limits: [limit('10', { warnAtPercent: [50, 80] })],
    })
    const control = await started()
    const fresh = await becomes('BudgetPolicy', 'life', WITHIN)
    expect(fresh.status).toMatchObject({
      observedGeneration: 1,
      limits: [{ name: 'month', unit: 'USD', state: 'OK', amount: '10', spent: '0', reserved: '0', remaining: '10' }],
      summary: { limit: 'month', spent: '0/10 USD' },
    })
    expect(fresh.metadata.managedFields.map(one => one.manager)).toContain('purser-controller')
    const row = kubectl(kube, ['get', 'bpol', '-n', NS, 'life']).split('\n')
    expect(row[0]).toMatch(/^NAME +MODE +ACCEPTED +LIMIT +SPENT +EXHAUSTED +AGE/)
    expect(row[1]).toMatch(/^life +True +month +0\/10 USD +False +\d+s/)

    await spend(ledger, budgetOf('life'), '10', '9', '8.5')
    const warned = await limitBecomes('life', { state: 'Warning', spent: '8.5', remaining: '1.5', crossedPercent: 80 })
    expect(conditionsOf(warned)).toEqual(WITHIN)
    expect(warned.status?.conditions).toEqual(fresh.status?.conditions)
    expect(await reasonsOf('life')).toEqual(['BudgetThresholdCrossed'])

    await spend(ledger, budgetOf('life'), '10', '1', '1.75')
    const exhausted = await becomes('BudgetPolicy', 'life', { ...WITHIN, Exhausted: 'True BudgetExhausted' })
    expect(exhausted.status?.limits?.[0]).toMatchObject({ state: 'Exhausted', spent: '10.25', remaining: '-0.25', overrun: '0.75' })
    expect(messageOfCondition(exhausted, 'Exhausted')).toMatch(/^limit month is used up until \d{4}-\d\d-01T00:00:00Z$/)
    expect(await reasonsOf('life')).toEqual(['BudgetExhausted', 'BudgetOverrun', 'BudgetThresholdCrossed'])
    expect((await eventsOf('life')).find(one => one.reason === 'BudgetExhausted')).toMatchObject({
      type: 'Warning',
      regarding: { kind: 'BudgetPolicy' },
    })
    expect(kubectl(kube, ['get', 'bpol', '-n', NS, 'life'])).toMatch(/life +True +month +10\.25\/10 USD +True/)

    await edit('BudgetPolicy', 'life', { limits: [limit('40', { warnAtPercent: [50, 80] })] })
    const raised = await becomes('BudgetPolicy', 'life', WITHIN)
    expect(raised.status).toMatchObject({ observedGeneration: 2, limits: [{ state: 'OK', amount: '40', spent: '10.25' }] })
    expect(raised.status?.limits?.[0]).not.toHaveProperty('crossedPercent')
    expect(await reasonsOf('life')).toHaveLength(3)
    await admin.delete(pathOf('BudgetPolicy', 'life'))
    await ended(control)
    expect(control.child.lines.filter(line => line.includes('"level":"warn"') && !line.includes('EnvoyExtensionPolicies'))).toEqual([])
  })
})

describe('objects that are not as they should be', () => {
  it('are told what check would say, and stop no other', async () => {
    await create('BudgetPolicy', 'bad', { limits: [limit('10', { fairShare: true })] })
    await create('BudgetPolicy', 'turned', { limits: [limit('10')] })
    await create('BudgetPolicy', 'good', { limits: [limit('10')] })
    const control = await started()
    const bad = await becomes('BudgetPolicy', 'bad', {
      Accepted: 'False Invalid',
      ResolvedRefs: 'True ResolvedRefs',
      Programmed: 'False Invalid',
    })
    const sentence = 'spec.limits[0].fairShare: true is not supported yet; allowed: false'
    expect(messageOfCondition(bad, 'Accepted')).toBe(`${sentence}; nothing of it is in force`)
    await becomes('BudgetPolicy', 'good', WITHIN)
    await becomes('BudgetPolicy', 'turned', WITHIN)
    await edit('BudgetPolicy', 'turned', { limits: [limit('20', { fairShare: true })] })
    const turned = await becomes('BudgetPolicy', 'turned', { ...WITHIN, Accepted: 'False Invalid', Programmed: 'False LastGoodState' })
    expect(messageOfCondition(turned, 'Accepted')).toBe(`${sentence}; generation 1, the last that was accepted, stays in force`)
    expect(messageOfCondition(turned, 'Programmed')).toBe('generation 1 is in force')
    expect(turned.status).toMatchObject({ observedGeneration: 2, limits: [{ amount: '10' }] })
    await edit('BudgetPolicy', 'turned', { limits: [limit('20')] })
    await becomes('BudgetPolicy', 'turned', WITHIN)
    await ended(control)
  })

  it('of every kind say so', async () => {
    const [hash, other] = ['a', 'b'].map(digit => `sha256:${digit.repeat(64)}`)
    await create('AccessKey', 'older', { keyHashes: [hash], limits: [limit('5')] })
    const control = await started()
    await becomes('AccessKey', 'older', { Accepted: 'True Accepted', Programmed: 'True Programmed', Exhausted: 'False WithinBudget' })
    await create('AccessKey', 'thief', { keyHashes: [other, hash] })
    const thief = await becomes('AccessKey', 'thief', { Accepted: 'False Conflicted', Programmed: 'True Programmed' })
    expect(messageOfCondition(thief, 'Accepted')).toContain('spec.keyHashes[1]: is held by the older AccessKey control/older')
    await admin.delete(pathOf('AccessKey', 'older'))
    await becomes('AccessKey', 'thief', { Accepted: 'True Accepted', Programmed: 'True Programmed' })
    await create('AccessKey', 'off', { keyHashes: [`sha256:${'c'.repeat(64)}`], disabled: true })
    await becomes('AccessKey', 'off', { Accepted: 'False Disabled', Programmed: 'True Programmed' })
    await create('AccessKey', 'old', { keyHashes: [`sha256:${'d'.repeat(64)}`], expiresAt: '2026-01-01T00:00:00Z' })
    await becomes('AccessKey', 'old', { Accepted: 'False Expired', Programmed: 'True Programmed' })
    await create('ClusterBudgetPolicy', 'nowhere', { namespaceSelector: { matchLabels: { no: 'such' } }, limits: [limit('5')] })
    const nowhere = await becomes('ClusterBudgetPolicy', 'nowhere', { ...WITHIN, ResolvedRefs: 'False NothingSelected' })
    expect(messageOfCondition(nowhere, 'ResolvedRefs')).toContain('spec.namespaceSelector: no known namespace has these labels')
    await edit('ClusterBudgetPolicy', 'nowhere', { namespaceSelector: { matchLabels: { no: null, ai: 'yes' } } })
    await becomes('ClusterBudgetPolicy', 'nowhere', WITHIN)
    await create('ModelPriceList', 'list', {
      priority: 1,
      models: [{ names: ['m'], provider: 'openai', perMillionTokens: { input: '1', output: '1' } }],
    })
    await becomes('ModelPriceList', 'list', { Accepted: 'True Accepted', Programmed: 'True Programmed' })
    expect(kubectl(kube, ['get', 'purser', '-A'])).toMatch(/budget|key/i)
    await ended(control)
  })

  it('name models without a price, in their status and in one Event', async () => {
    const control = await started()
    await create('BudgetPolicy', 'unpriced', { limits: [limit('10')], permissions: { models: { allow: ['gpt-4o', 'house-7b', 'gpt-*'] } } })
    const unpriced = await becomes('BudgetPolicy', 'unpriced', WITHIN)
    expect(messageOfCondition(unpriced, 'Accepted')).toMatch(/^the model house-7b has no price/)
    expect(await eventsOf('unpriced')).toMatchObject([{ reason: 'MissingPrice', note: expect.stringMatching(/house-7b/) }])
    await create('ModelPriceList', 'house', {
      priority: 1,
      models: [{ names: ['house-7b'], provider: 'house', perMillionTokens: { input: '1', output: '1' } }],
    })
    await vi.waitFor(async () => expect(messageOfCondition(await read('BudgetPolicy', 'unpriced'), 'Accepted')).toBe(''), {
      timeout: 40_000,
      interval: 200,
    })
    await ended(control)
  })
})

describe('calls that do not come to Purser', () => {
  const EXTENSIONS = '/apis/gateway.envoyproxy.io/v1alpha1'
  /** As much of Envoy Gateway's own CRD as is read of its objects. */
  const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
  const crd = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'envoyextensionpolicies.gateway.envoyproxy.io' },
    spec: {
      group: 'gateway.envoyproxy.io',
      scope: 'Namespaced',
      names: {
        kind: 'EnvoyExtensionPolicy',
        listKind: 'EnvoyExtensionPolicyList',
        plural: 'envoyextensionpolicies',
        singular: 'envoyextensionpolicy',
      },
      versions: [
        {
          name: 'v1alpha1',
          ...{ served: true, storage: true, subresources: { status: {} } },
          schema: { openAPIV3Schema: { type: 'object', properties: { spec: open, status: open } } },
        },
      ],
    },
  }

  it('are told of, also where Envoy Gateway comes later than the controller', async () => {
    await create('BudgetPolicy', 'passed-by', { limits: [limit('10')], targetRefs: [{ kind: 'HTTPRoute', name: 'llm' }] })
    await create('BudgetPolicy', 'elsewhere', { limits: [limit('10')], targetRefs: [{ kind: 'HTTPRoute', name: 'chat' }] })
    const control = await started()
    const alone = await becomes('BudgetPolicy', 'passed-by', { ...WITHIN, ResolvedRefs: 'False TargetNotFound' })
    expect(messageOfCondition(alone, 'ResolvedRefs')).toMatch(/^spec\.targetRefs\[0\]: .*the Gateway API is not installed/)
    installGatewayApi(kube)
    const gateways = `/apis/gateway.networking.k8s.io/v1/namespaces/${NS}`
    const parentRefs = [{ name: 'ai' }]
    for (const name of ['llm', 'chat']) {
      const route = { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'HTTPRoute', metadata: { name }, spec: { parentRefs } }
      await vi.waitFor(async () => expect((await admin.post(`${gateways}/httproutes`, route)).status).toBe(201), { timeout: 20_000 })
    }
    const bound = await becomes('BudgetPolicy', 'passed-by', WITHIN)
    const refs = ['Gateway ai', 'HTTPRoute llm'].map(text => text.split(' '))
    expect(bound.status?.ancestors).toMatchObject(refs.map(([kind, name]) => ({ ancestorRef: { kind, name, namespace: NS } })))
    await becomes('BudgetPolicy', 'elsewhere', WITHIN)
    const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
    expect((await admin.post(crds, crd)).status).toBe(201)
    onTestFinished(async () => {
      await admin.delete(`${crds}/${crd.metadata.name}`)
    })
    const name = { name: 'purser', namespace: NS }
    const policy = {
      ...{ apiVersion: 'gateway.envoyproxy.io/v1alpha1', kind: 'EnvoyExtensionPolicy', metadata: name },
      spec: {
        targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'ai' }],
        extProc: [{ backendRefs: [{ name: 'purser', port: 9002 }] }],
      },
    }
    const path = `${EXTENSIONS}/namespaces/${NS}/envoyextensionpolicies`
    await vi.waitFor(async () => expect((await admin.post(path, policy)).status).toBe(201), { timeout: 20_000, interval: 200 })
    const message = `This policy is being overridden by other envoyExtensionPolicies for these routes: [${NS}/llm]`
    const conditions = [{ type: 'Overridden', status: 'True', reason: 'Overridden', message, lastTransitionTime: '2026-01-01T00:00:00Z' }]
    const ancestors = [
      { ancestorRef: { kind: 'Gateway', name: 'ai' }, controllerName: 'gateway.envoyproxy.io/gatewayclass-controller', conditions },
    ]
    expect((await admin.patch(`${path}/purser/status`, { status: { ancestors } })).status).toBe(200)
    const passed = await becomes('BudgetPolicy', 'passed-by', { ...WITHIN, Programmed: 'False PartiallyProgrammed' })
    expect(messageOfCondition(passed, 'Programmed')).toMatch(new RegExp(`^calls of HTTPRoute ${NS}/llm do not come to Purser`))
    expect(await eventsOf('passed-by')).toMatchObject([
      { reason: 'Bypassed', note: expect.stringMatching(/EnvoyExtensionPolicy stands in the place of/) },
    ])
    expect(conditionsOf(await read('BudgetPolicy', 'elsewhere'))).toEqual(WITHIN)
    await admin.patch(`${path}/purser/status`, { status: { ancestors: [{ ...ancestors[0], conditions: [] }] } })
    await becomes('BudgetPolicy', 'passed-by', WITHIN)
    await ended(control)
  })
})

describe('a ledger that is away', () => {
  it('is told of, while what was read stays', async () => {
    const own = await RedisServer.start()
    onTestFinished(() => own.stop())
    const spending = await openRedisLedger({ url: own.url, name: 'default', clock: systemClock, timer: systemTimer, streamMax: 10_000 })
    onTestFinished(() => spending.close())
    await create('BudgetPolicy', 'away', { limits: [limit('10')] })
    await spend(spending, budgetOf('away'), '10', '4', '4')
    const control = await startControl(account, own.url)
    onTestFinished(async () => {
      await control.child.end('SIGKILL')
    })
    const before = await limitBecomes('away', { spent: '4' })
    own.freeze()
    const away = await becomes('BudgetPolicy', 'away', { ...WITHIN, Programmed: 'Unknown LedgerUnavailable' })
    expect([away.status?.limits, away.status?.summary]).toEqual([before.status?.limits, before.status?.summary])
    own.thaw()
    await becomes('BudgetPolicy', 'away', WITHIN)
    await ended(control)
  })
})

describe('a partitioned limit', () => {
  it('is told by its number of partitions, never by their names', async () => {
    const user = budgetOf('users', { limit: 'user', unit: 'Requests' })
    const spec = { name: 'user', unit: 'Requests', amount: '3', window: { calendar: 'Month' }, partitionBy: [{ jwtClaim: 'sub' }] }
    await create('BudgetPolicy', 'users', { limits: [spec] })
    await spend(ledger, { ...user, partition: ['alice@example'] }, '3', '3', '3')
    await spend(ledger, { ...user, partition: ['bob@example'] }, '3', '1', '1')
    await spend(ledger, { ...user, partition: ['carol@example'] }, '3', '1', null)
    const control = await started()
    const served = await limitBecomes('users', { state: 'Warning', spent: '4', reserved: '1', partitions: 3, exhaustedPartitions: 1 })
    expect(conditionsOf(served)).toMatchObject({ Exhausted: 'False PartitionsExhausted' })
    expect(served.status?.summary).toEqual({ limit: 'user', spent: '1 of 3 partitions used up', resetTime: expect.any(String) })
    expect(await eventsOf('users')).toMatchObject([{ reason: 'BudgetExhausted', note: expect.stringMatching(/at least one partition/) }])
    expect(JSON.stringify([served, await eventsOf('users')])).not.toMatch(/alice|bob|carol/)
    await ended(control)
  })
})

describe('the controller', () => {
  const throughRecorder = async (name: string): Promise<{ recorder: Recorder; kubeconfig: string }> => {
    const recorder = await Recorder.start(kube)
    onTestFinished(() => recorder.stop())
    const file = join(folder, name)
    return { recorder, kubeconfig: await accountKubeconfig(admin, 'purser-controller', { url: recorder.url, caFile: null, file }) }
  }
  const reconciled = async (control: Control): Promise<number> =>
    Number(/^controller_runtime_reconcile_total\{.*success.*\} (\d+)$/m.exec(await control.metrics())?.[1] ?? 0)

  it('writes nothing where nothing changed, also when everything is judged anew', { timeout: 120_000 }, async () => {
    await create('BudgetPolicy', 'still', { limits: [limit('10', { warnAtPercent: [10] })] })
    await create('BudgetPolicy', 'wrong', { limits: [limit('10', { fairShare: true })] })
    await spend(ledger, budgetOf('still'), '10', '2', '2')
    const { recorder, kubeconfig } = await throughRecorder('still')
    const control = await started(kubeconfig)
    const before = [
      await becomes('BudgetPolicy', 'still', WITHIN),
      await becomes('BudgetPolicy', 'wrong', { Accepted: 'False Invalid', ResolvedRefs: 'True ResolvedRefs', Programmed: 'False Invalid' }),
    ]
    const [writes, count] = [recorder.writes.length, await reconciled(control)]
    await vi.waitFor(async () => expect(await reconciled(control)).toBeGreaterThanOrEqual(count + 2), { timeout: 50_000, interval: 200 })
    expect(recorder.writes.slice(writes)).toEqual([])
    const after = [await read('BudgetPolicy', 'still'), await read('BudgetPolicy', 'wrong')]
    expect(after.map(one => one.metadata.resourceVersion)).toEqual(before.map(one => one.metadata.resourceVersion))
    const again = await started()
    await ended(control)
    await vi.waitFor(async () => expect(await again.leads()).toBe(true), { timeout: 20_000, interval: 100 })
    await vi.waitFor(async () => expect(await reconciled(again)).toBeGreaterThanOrEqual(2), { timeout: 20_000, interval: 100 })
    expect((await read('BudgetPolicy', 'still')).metadata.resourceVersion).toBe(before[0]?.metadata.resourceVersion)
    expect(await reasonsOf('still')).toEqual(['BudgetThresholdCrossed'])
    await ended(again)
  })

  it('goes on where it was when the API server comes back', async () => {
    await create('BudgetPolicy', 'back', { limits: [limit('10')] })
    const control = await started()
    await becomes('BudgetPolicy', 'back', WITHIN)
    await kube.kill()
    await vi.waitFor(async () => expect(await control.leads()).toBe(false), { timeout: 30_000, interval: 200 })
    expect((await fetch(`http://127.0.0.1:${control.httpPort}/readyz`)).status).toBe(200)
    await kube.start()
    await edit('BudgetPolicy', 'back', { limits: [limit('1')] })
    await spend(ledger, budgetOf('back'), '1', '1', '1')
    const back = await becomes('BudgetPolicy', 'back', { ...WITHIN, Exhausted: 'True BudgetExhausted' })
    expect(back.status?.observedGeneration).toBe(2)
    await ended(control)
  })

  it('leaves a killed leader its lease, and takes over then', async () => {
    await create('BudgetPolicy', 'heir', { limits: [limit('10')] })
    const first = await started()
    await becomes('BudgetPolicy', 'heir', WITHIN)
    const { recorder, kubeconfig } = await throughRecorder('heir')
    const second = await started(kubeconfig)
    await vi.waitFor(() => expect(recorder.asked.filter(({ path }) => path.includes('/leases/')).length).toBeGreaterThan(1), {
      timeout: 20_000,
    })
    expect([await first.leads(), await second.leads(), recorder.writes]).toEqual([true, false, []])
    await first.child.end('SIGKILL')
    await spend(ledger, budgetOf('heir'), '10', '10', '10')
    await becomes('BudgetPolicy', 'heir', { ...WITHIN, Exhausted: 'True BudgetExhausted' })
    expect(await second.leads()).toBe(true)
    expect((await fetch(`http://127.0.0.1:${second.httpPort}/readyz`)).status).toBe(200)
    await ended(second)
  })

  it('that slept through the loss of its lease never writes again', { timeout: 120_000 }, async () => {
    await create('BudgetPolicy', 'sleep', { limits: [limit('10')] })
    const { recorder, kubeconfig } = await throughRecorder('sleep')
    const sleeper = await started(kubeconfig)
    await becomes('BudgetPolicy', 'sleep', WITHIN)
    expect(recorder.writes.length).toBeGreaterThan(0)
    const other = await started()
    process.kill(sleeper.child.pid, 'SIGSTOP')
    await vi.waitFor(async () => expect(await other.leads()).toBe(true), { timeout: 30_000, interval: 100 })
    await spend(ledger, budgetOf('sleep'), '10', '10', '10')
    await becomes('BudgetPolicy', 'sleep', { ...WITHIN, Exhausted: 'True BudgetExhausted' })
    // What it will find when it wakes: objects that changed, and so much to write.
    await edit('BudgetPolicy', 'sleep', { limits: [limit('50')] })
    await becomes('BudgetPolicy', 'sleep', WITHIN)
    const { length: asked } = recorder.asked
    const { length: written } = recorder.writes
    process.kill(sleeper.child.pid, 'SIGCONT')
    const looks = () => recorder.asked.slice(asked).filter(({ method, path }) => method === 'GET' && path.includes('/leases/')).length
    await vi.waitFor(() => expect(looks()).toBeGreaterThan(1), { timeout: 20_000 })
    await edit('BudgetPolicy', 'sleep', { limits: [limit('60')] })
    await vi.waitFor(async () => expect((await read('BudgetPolicy', 'sleep')).status?.observedGeneration).toBe(3), { timeout: 20_000 })
    const seen = looks()
    await vi.waitFor(() => expect(looks()).toBeGreaterThan(seen), { timeout: 20_000 })
    expect(recorder.writes.slice(written)).toEqual([])
    expect(await sleeper.leads()).toBe(false)
    // Leadership that is given up is taken at once.
    await ended(other)
    await vi.waitFor(async () => expect(await sleeper.leads()).toBe(true), { timeout: 10_000, interval: 100 })
    await ended(sleeper)
  })

  it('may read no Secret, write no object, and touch no other Lease', () => {
    const can = (...words: string[]): string => {
      try {
        return kubectl(kube, ['auth', 'can-i', ...words, '--as', 'system:serviceaccount:purser:purser-controller'])
      } catch (error) {
        return String(error)
      }
    }
    expect(can('get', 'secrets', '-A')).toMatch(/no/)
    expect(can('patch', 'budgetpolicies.purser.dev', '-A')).toMatch(/no/)
    expect(can('update', 'leases/other', '-n', 'purser')).toMatch(/no/)
    expect(can('update', 'leases/purser-controller', '-n', 'purser')).toMatch(/^yes/)
  })
})
