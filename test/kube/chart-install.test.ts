// The chart in a cluster: installed, upgraded and uninstalled by Helm, and what the accounts that it makes may do. Pods are not run, but the
// real `serve` is, as the enforcers' account.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { parse } from 'yaml'
import { type Child, freePort, startChild } from '../e2e/child.ts'
import { type ApiServer, CRDS, kubectl, makeNamespace, messageOf } from './api-server.ts'
import { CHART, helm, ROOT } from './chart.ts'
import { type Client, createClient } from './client.ts'
import { type Cluster, startCluster } from './cluster.ts'

const KINDS = ['budgetpolicies', 'clusterbudgetpolicies', 'accesskeys', 'budgetgrants', 'modelpricelists']
const NAMESPACED = ['budgetpolicies', 'accesskeys', 'budgetgrants']
const WRITES = ['create', 'update', 'patch', 'delete', 'deletecollection']
const API = '/apis/purser.dev/v1alpha1'

let cluster: Cluster
let server: ApiServer

beforeAll(async () => {
  cluster = await startCluster()
  server = cluster.server
  // Helm shall bring them.
  kubectl(server, ['delete', '-f', CRDS])
  await makeNamespace(server.admin, 'search')
  await makeNamespace(server.admin, 'other')
  await makeNamespace(server.admin, 'purser', { 'pod-security.kubernetes.io/enforce': 'restricted' })
}, 180_000)
afterAll(() => cluster?.stop())

const release = (...args: readonly string[]): string => {
  const { status, stdout, stderr } = helm([...args, '--namespace', 'purser'], { kubeconfig: server.kubeconfig })
  expect(status, `helm ${args.join(' ')}: ${stderr}`).toBe(0)
  return stdout
}
const trial = ['--set', 'redis.dev.enabled=true', '--wait', '--timeout', '60s']

const limits = (amount: string) => [{ name: 'month', unit: 'USD', amount, window: { calendar: 'Month' } }]
const policy = (name: string, kind = 'BudgetPolicy') => ({
  apiVersion: 'purser.dev/v1alpha1',
  kind,
  metadata: { name },
  spec: { ...(kind === 'BudgetPolicy' ? {} : { namespaceSelector: {} }), limits: limits('5') },
})
const uidOf = async (path: string): Promise<string> => {
  const { status, body } = await server.admin.get(path)
  expect(status, path).toBe(200)
  return (body as { metadata: { uid: string } }).metadata.uid
}

/** Acts with a token of a ServiceAccount, made for it where there is none. */
async function as(namespace: string, account: string): Promise<Client & { token: string }> {
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`
  await server.admin.post(accounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: account } })
  const answer = await server.admin.post(`${accounts}/${account}/token`, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: {},
  })
  expect(answer.status, messageOf(answer)).toBe(201)
  const { token } = (answer.body as { status: { token: string } }).status
  const client = createClient({ ...server, token })
  onTestFinished(() => client.close())
  return { ...client, token }
}

async function bind(namespace: string, account: string, role: string): Promise<void> {
  kubectl(server, [
    '-n',
    namespace,
    'create',
    'rolebinding',
    `${account}-${role}`,
    `--clusterrole=${role}`,
    `--serviceaccount=${namespace}:${account}`,
  ])
}

interface Access {
  readonly verb: string
  readonly group?: string
  readonly resource: string
  readonly subresource?: string
  readonly namespace?: string
  readonly name?: string
}

/** Whether the API server would let this account do that. */
async function may(account: string, access: Access): Promise<boolean> {
  const spec = { user: `system:serviceaccount:purser:${account}`, groups: ['system:serviceaccounts'], resourceAttributes: access }
  const review = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec }
  const { body } = await server.admin.post('/apis/authorization.k8s.io/v1/subjectaccessreviews', review)
  return (body as { status: { allowed: boolean } }).status.allowed
}

describe('helm', () => {
  it('installs it, with everything ready', async () => {
    const notes = release('install', 'purser', CHART, ...trial)
    expect(notes).toContain('2 enforcers and 2 controllers')
    expect(notes).toContain('WARNING: redis.dev.enabled keeps all balances in one pod')
    for (const name of ['purser', 'purser-controller']) {
      const { body } = await server.admin.get(`/apis/apps/v1/namespaces/purser/deployments/${name}`)
      expect((body as { status: object }).status).toMatchObject({ readyReplicas: 2, availableReplicas: 2 })
    }
    const created = await server.admin.post(`${API}/namespaces/search/budgetpolicies`, policy('team'))
    expect(created.status, messageOf(created)).toBe(201)
    const grant = {
      policyRef: { kind: 'BudgetPolicy', name: 'team', limit: 'month' },
      amount: '5',
      expiresAt: '2099-01-01T00:00:00Z',
      reason: 'test',
    }
    const granted = await server.admin.post(`${API}/namespaces/search/budgetgrants`, {
      apiVersion: 'purser.dev/v1alpha1',
      kind: 'BudgetGrant',
      metadata: { name: 'more' },
      spec: grant,
    })
    expect(granted.status, messageOf(granted)).toBe(201)
    await server.admin.post(`${API}/namespaces/other/budgetpolicies`, policy('team'))
    await server.admin.post(`${API}/clusterbudgetpolicies`, policy('organisation', 'ClusterBudgetPolicy'))
  })

  it('knows both replicas by the one name', async () => {
    const { body } = await server.admin.get(
      '/apis/discovery.k8s.io/v1/namespaces/purser/endpointslices?labelSelector=kubernetes.io/service-name=purser',
    )
    const { items } = body as { items: { endpoints: { conditions: { ready: boolean } }[]; ports: { name: string; port: number }[] }[] }
    expect(items.flatMap(({ endpoints }) => endpoints).map(({ conditions }) => conditions.ready)).toEqual([true, true])
    expect(items[0]?.ports.map(({ name, port }) => `${name} ${port}`).sort()).toEqual(['grpc 9002', 'http 9003'])
  })

  it('upgrades it, and leaves CRDs and objects as they are', async () => {
    const before = await uidOf(`${API}/namespaces/search/budgetpolicies/team`)
    release('upgrade', 'purser', CHART, ...trial, '--set', 'enforcer.replicas=3,image.tag=next')
    const { body } = await server.admin.get('/apis/apps/v1/namespaces/purser/deployments/purser')
    expect((body as { status: object }).status).toMatchObject({ readyReplicas: 3, updatedReplicas: 3 })
    expect(await uidOf(`${API}/namespaces/search/budgetpolicies/team`)).toBe(before)
  })

  it('leaves a changed CRD to the command that the notes name', () => {
    const changed = parse(readFileSync(join(CRDS, 'budgetgrants.yaml'), 'utf8'))
    changed.spec.versions[0].schema.openAPIV3Schema.description = 'What comes with the next version.'
    const file = join(server.folder, 'budgetgrants.yaml')
    writeFileSync(file, JSON.stringify(changed))
    const command = /kubectl (apply .*) -f charts\/purser\/crds/.exec(readFileSync(join(CHART, 'templates/NOTES.txt'), 'utf8'))?.[1]
    const apply = (path: string): string => kubectl(server, [...(command ?? '').split(' '), '-f', path])
    apply(file)
    expect(kubectl(server, ['explain', 'budgetgrants'])).toContain('What comes with the next version.')
    apply(CRDS)
  })
})

describe('the account of the enforcers', () => {
  it('is enough for serve, with the flags of the chart', async () => {
    const { token } = await as('purser', 'purser')
    const kubeconfig = join(server.folder, 'enforcer')
    writeFileSync(kubeconfig, readFileSync(server.kubeconfig, 'utf8').replace(server.token, token))
    const purser = await startServe(kubeconfig)
    await purser.child.line(line => line.includes('"msg":"ready"'), 30_000)
    expect((await fetch(`${purser.http}/readyz`)).status).toBe(200)
    expect(await purser.child.end('SIGTERM')).toBe(0)
  })

  it('knows the policy that helm test asks about', () => {
    expect(spawnSync(join(ROOT, 'bin/purser'), ['check', join(CHART, 'files/policy.yaml')], { encoding: 'utf8' })).toMatchObject({
      status: 0,
    })
  })

  it('reads what it must, and no Secret', async () => {
    const enforcer = await as('purser', 'purser')
    for (const kind of KINDS) expect((await enforcer.get(`${API}/${kind}`)).status, kind).toBe(200)
    expect((await enforcer.get('/api/v1/namespaces')).status).toBe(200)
    for (const path of ['/api/v1/secrets', '/api/v1/namespaces/purser/secrets', '/api/v1/namespaces/purser/secrets/redis']) {
      expect((await enforcer.get(path)).status, path).toBe(403)
    }
  })

  it('writes nothing', async () => {
    for (const resource of KINDS) {
      for (const verb of WRITES) {
        expect(await may('purser', { verb, group: 'purser.dev', resource }), `${verb} ${resource}`).toBe(false)
        expect(await may('purser', { verb, group: 'purser.dev', resource, subresource: 'status' }), `${verb} ${resource}/status`).toBe(
          false,
        )
      }
    }
    const enforcer = await as('purser', 'purser')
    expect((await enforcer.post(`${API}/namespaces/search/budgetpolicies`, policy('mine'))).status).toBe(403)
  })
})

describe('the account of the controllers', () => {
  const controller = 'purser-controller'

  it('writes status, events and its own Lease, and nothing else', async () => {
    for (const resource of KINDS) {
      expect(await may(controller, { verb: 'watch', group: 'purser.dev', resource })).toBe(true)
      expect(await may(controller, { verb: 'patch', group: 'purser.dev', resource, subresource: 'status' })).toBe(true)
      for (const verb of WRITES) expect(await may(controller, { verb, group: 'purser.dev', resource }), `${verb} ${resource}`).toBe(false)
    }
    const lease = { group: 'coordination.k8s.io', resource: 'leases', name: 'purser-controller' }
    for (const verb of ['get', 'create', 'update']) {
      expect(await may(controller, { verb, ...lease, namespace: 'purser' }), verb).toBe(true)
      expect(await may(controller, { verb, ...lease, namespace: 'kube-system' }), verb).toBe(false)
    }
    expect(await may(controller, { verb: 'update', ...lease, namespace: 'purser', name: 'another' })).toBe(false)
    const events = { group: 'events.k8s.io', resource: 'events', namespace: 'search' }
    expect(await may(controller, { verb: 'create', ...events })).toBe(true)
    expect(await may(controller, { verb: 'list', ...events })).toBe(false)
  })

  it('patches a status, not a limit, and reads no Secret', async () => {
    const client = await as('purser', controller)
    const path = `${API}/namespaces/search/budgetpolicies/team`
    const condition = { type: 'Accepted', status: 'True', reason: 'Accepted', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }
    const written = await client.patch(`${path}/status`, { status: { conditions: [condition] }, spec: { limits: limits('9') } })
    expect(written.status, messageOf(written)).toBe(200)
    expect((await client.patch(path, { spec: { limits: limits('9') } })).status).toBe(403)
    expect(
      kubectl(server, ['-n', 'search', 'get', 'bpol', 'team', '-o', 'jsonpath={.spec.limits[0].amount} {.status.conditions[0].status}']),
    ).toBe('5 True')
    expect((await client.get('/api/v1/namespaces/purser/secrets')).status).toBe(403)
  })
})

describe('people', () => {
  const looser = { spec: { limits: limits('1000000') } }
  const grant = {
    policyRef: { kind: 'BudgetPolicy', name: 'team', limit: 'month' },
    amount: '500',
    expiresAt: '2099-01-01T00:00:00Z',
    reason: 'mine',
  }
  const object_ = (kind: string, name: string, spec: object) => ({ apiVersion: 'purser.dev/v1alpha1', kind, metadata: { name }, spec })
  const key = object_('AccessKey', 'mine', { keyHashes: [`sha256:${'b'.repeat(64)}`], subject: { user: 'me' } })

  it('with edit on a namespace write its policies, and loosen nothing else', async () => {
    await bind('search', 'editor', 'edit')
    const editor = await as('search', 'editor')
    await expect
      .poll(async () => (await editor.post(`${API}/namespaces/search/budgetpolicies`, policy('mine'))).status, { timeout: 20_000 })
      .toBe(201)
    const refused = [
      editor.patch(`${API}/namespaces/other/budgetpolicies/team`, looser),
      editor.delete(`${API}/namespaces/other/budgetpolicies/team`),
      editor.patch(`${API}/clusterbudgetpolicies/organisation`, looser),
      editor.delete(`${API}/clusterbudgetpolicies/organisation`),
      editor.post(`${API}/modelpricelists`, object_('ModelPriceList', 'free', {})),
      editor.post(`${API}/namespaces/search/budgetgrants`, object_('BudgetGrant', 'mine', grant)),
      editor.post(`${API}/namespaces/search/accesskeys`, key),
      editor.patch(`${API}/namespaces/search/budgetpolicies/team/status`, { status: {} }),
    ]
    for (const answer of await Promise.all(refused)) expect(answer.status, messageOf(answer)).toBe(403)
    expect((await editor.get(`${API}/namespaces/search/budgetgrants`)).status, 'edit holds view').toBe(200)
  })

  it('with admin on a namespace cannot make themselves approvers', async () => {
    await bind('search', 'owner', 'admin')
    const owner = await as('search', 'owner')
    await expect.poll(async () => (await owner.get(`${API}/namespaces/search/budgetpolicies`)).status, { timeout: 20_000 }).toBe(200)
    for (const role of ['purser-grant-approver', 'purser-key-issuer', 'purser-cluster-admin', 'purser-controller']) {
      const answer = await owner.post('/apis/rbac.authorization.k8s.io/v1/namespaces/search/rolebindings', {
        metadata: { name: `own-${role}` },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
        subjects: [{ kind: 'ServiceAccount', name: 'owner', namespace: 'search' }],
      })
      expect(answer.status, role).toBe(403)
    }
  })

  it('with view see, and write nothing', async () => {
    await bind('search', 'viewer', 'view')
    const viewer = await as('search', 'viewer')
    for (const kind of NAMESPACED) {
      await expect.poll(async () => (await viewer.get(`${API}/namespaces/search/${kind}`)).status, { timeout: 20_000 }).toBe(200)
    }
    expect((await viewer.get(`${API}/clusterbudgetpolicies`)).status, 'a namespace is not the cluster').toBe(403)
    kubectl(server, ['create', 'clusterrolebinding', 'auditor', '--clusterrole=view', '--serviceaccount=search:auditor'])
    const auditor = await as('search', 'auditor')
    for (const kind of KINDS) expect((await auditor.get(`${API}/${kind}`)).status, kind).toBe(200)
    expect((await viewer.patch(`${API}/namespaces/search/budgetpolicies/team`, looser)).status).toBe(403)
  })

  it('do what the role for it lets them do', async () => {
    await bind('search', 'issuer', 'purser-key-issuer')
    await bind('search', 'approver', 'purser-grant-approver')
    const [issuer, approver] = [await as('search', 'issuer'), await as('search', 'approver')]
    const grants = `${API}/namespaces/search/budgetgrants`
    expect((await issuer.post(`${API}/namespaces/search/accesskeys`, key)).status).toBe(201)
    expect((await issuer.post(grants, object_('BudgetGrant', 'mine', grant))).status).toBe(403)
    expect((await approver.post(grants, object_('BudgetGrant', 'mine', grant))).status).toBe(201)
    expect((await approver.post(`${API}/namespaces/other/budgetgrants`, object_('BudgetGrant', 'mine', grant))).status).toBe(403)
  })
})

describe('helm uninstall', () => {
  it('keeps CRDs and objects, and a new release finds them', async () => {
    const before = await uidOf(`${API}/namespaces/search/budgetpolicies/team`)
    const [grantBefore, crd] = [
      await uidOf(`${API}/namespaces/search/budgetgrants/more`),
      await uidOf('/apis/apiextensions.k8s.io/v1/customresourcedefinitions/budgetpolicies.purser.dev'),
    ]
    release('uninstall', 'purser', '--wait', '--timeout', '60s')
    expect((await server.admin.get('/apis/apps/v1/namespaces/purser/deployments/purser')).status).toBe(404)
    expect((await server.admin.get('/apis/rbac.authorization.k8s.io/v1/clusterroles/purser-grant-approver')).status).toBe(404)
    expect(await uidOf(`${API}/namespaces/search/budgetpolicies/team`)).toBe(before)
    release('install', 'purser', CHART, ...trial)
    expect(await uidOf(`${API}/namespaces/search/budgetpolicies/team`)).toBe(before)
    expect(await uidOf(`${API}/namespaces/search/budgetgrants/more`)).toBe(grantBefore)
    expect(await uidOf('/apis/apiextensions.k8s.io/v1/customresourcedefinitions/budgetpolicies.purser.dev')).toBe(crd)
  })
})

/** `serve` with the arguments of the installed Deployment, on free ports of loopback and on a ledger in memory. */
async function startServe(kubeconfig: string): Promise<{ child: Child; http: string }> {
  const text = kubectl(server, ['-n', 'purser', 'get', 'deployment', 'purser', '-o', 'jsonpath={.spec.template.spec.containers[0].args}'])
  const [grpc, http] = [await freePort(), await freePort()]
  const own = [`--grpc-listen=127.0.0.1:${grpc}`, `--http-listen=127.0.0.1:${http}`, '--ledger=memory:']
  const child = startChild('purser', join(ROOT, 'bin/purser'), [...(JSON.parse(text) as string[]), ...own], { KUBECONFIG: kubeconfig })
  onTestFinished(async () => {
    await child.end('SIGKILL')
  })
  return { child, http: `http://127.0.0.1:${http}` }
}
