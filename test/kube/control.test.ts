// `purser control` on a real API server and a real Redis: statuses, printer columns and Events as people see them, and one writer of several.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished, vi } from 'vitest'
import type { WindowSpec } from '../../src/core/window.ts'
import type { Ledger } from '../../src/ports.ts'
import { openRedisLedger } from '../../src/redis/ledger.ts'
import { systemClock, systemTimer } from '../../src/system.ts'
import { RedisServer } from '../redis/server.ts'
import { kubectl, makeNamespace, messageOf } from './api-server.ts'
import { createClient } from './client.ts'
import { accountKubeconfig, type Budget, type Control, spend, startControl } from './control.ts'
import { Recorder } from './recorder.ts'

const RBAC = join(import.meta.dirname, '../../deploy/kubernetes/rbac.yaml')
const NS = 'control'
const kube = inject('kube')
const admin = createClient(kube)
const folder = mkdtempSync(join(tmpdir(), 'purser-control-'))
let redis: RedisServer
let ledger: Ledger
let account: string

beforeAll(async () => {
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
  admin.close()
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
    { timeout: 30_000, interval: 100 },
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
      targetRefs: [{ kind: 'HTTPRoute', name: 'llm' }],
    })
    const control = await started()
    const fresh = await becomes('BudgetPolicy', 'life', WITHIN)
    expect(fresh.status).toMatchObject({
      observedGeneration: 1,
      limits: [{ name: 'month', unit: 'USD', state: 'OK', amount: '10', spent: '0', reserved: '0', remaining: '10' }],
      summary: { limit: 'month', spent: '0/10 USD' },
      ancestors: [{ ancestorRef: { kind: 'HTTPRoute', namespace: NS, name: 'llm' }, controllerName: 'purser.dev/controller' }],
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
