// The harness itself: what it starts is a real API server with RBAC, and what it stops is gone.
import { existsSync } from 'node:fs'
import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { kubectl, makeNamespace, messageOf, startApiServer } from './api-server.ts'
import { createClient } from './client.ts'

const KINDS = ['AccessKey', 'BudgetGrant', 'BudgetPolicy', 'ClusterBudgetPolicy', 'ModelPriceList']

describe('the API server of the run', () => {
  const kube = inject('kube')
  const admin = createClient(kube)

  it('is a released Kubernetes that kubectl and Helm can tell the version of', async () => {
    expect((await admin.get('/version')).body).toMatchObject({ major: '1', gitVersion: expect.stringMatching(/^v1\.\d+\.\d+$/) })
  })

  it("knows the chart's kinds", async () => {
    const { body } = await admin.get('/apis/purser.dev/v1alpha1')
    const { resources } = body as { resources: { name: string; kind: string }[] }
    resources.sort((a, b) => (a.kind < b.kind ? -1 : 1))
    expect(resources.filter(one => !one.name.includes('/')).map(one => one.kind)).toEqual(KINDS)
    expect(resources.filter(one => one.name.endsWith('/status')).map(one => one.kind)).toEqual(KINDS)
  })

  it('gives a ServiceAccount a token, and it no right that RBAC does not', async () => {
    const namespace = await makeNamespace(admin, 'harness')
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'nobody' } }
    await admin.post(`/api/v1/namespaces/${namespace}/serviceaccounts`, account)
    const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} }
    const { body } = await admin.post(`/api/v1/namespaces/${namespace}/serviceaccounts/nobody/token`, request)
    const { token } = (body as { status: { token: string } }).status
    const nobody = createClient({ ...kube, token })
    const answer = await nobody.get('/apis/purser.dev/v1alpha1/budgetpolicies')
    expect(answer.status).toBe(403)
    expect(messageOf(answer)).toContain('system:serviceaccount:harness:nobody')
    expect((await createClient({ ...kube, token: 'wrong' }).get('/api/v1/namespaces')).status).toBe(401)
  })
})

describe('an API server of a test', () => {
  it('keeps its objects when it is killed and started again, and leaves nothing behind', async () => {
    const server = await startApiServer()
    onTestFinished(() => server.stop())
    await makeNamespace(server.admin, 'kept')
    await server.kill()
    await expect(server.admin.get('/readyz')).rejects.toThrow(/ECONNREFUSED/)
    await server.start()
    await server.compact()
    expect((await server.admin.get('/api/v1/namespaces/kept')).status).toBe(200)
    expect(kubectl(server, ['get', 'namespaces', '-o', 'name'])).toContain('namespace/kept')
    await server.stop()
    expect(existsSync(server.folder)).toBe(false)
  })
})
