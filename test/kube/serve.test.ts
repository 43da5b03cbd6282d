// `purser serve --policies kubernetes` against a real API server: not ready before everything was read, and untroubled by its death after.
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { type Child, freePort, startChild } from '../e2e/child.ts'
import { type Purser, startPurser } from '../e2e/purser.ts'
import { type ApiServer, makeNamespace, messageOf, type SeededObject, startApiServer } from './api-server.ts'

const BIN = join(import.meta.dirname, '../../bin/purser')
const POLICIES = '/apis/purser.dev/v1alpha1/namespaces/team/budgetpolicies'

let server: ApiServer

beforeAll(async () => {
  server = await startApiServer()
  await makeNamespace(server.admin, 'team')
})
afterAll(() => server?.stop())

const serve = (): Promise<Purser> => startPurser({ policies: 'kubernetes', ledger: 'memory:', env: { KUBECONFIG: server.kubeconfig } })
const limits = (amount: string) => [{ name: 'month', unit: 'USD', amount, window: { calendar: 'Month' } }]
const policy = (name: string, amount: string) => ({
  apiVersion: 'purser.dev/v1alpha1',
  kind: 'BudgetPolicy',
  metadata: { name },
  spec: { limits: limits(amount) },
})
const amountsOf = async (purser: Purser): Promise<Record<string, string>> =>
  Object.fromEntries((await purser.budgets()).map(row => [row.policy, row.amount]))
const becomes = (purser: Purser, amounts: Record<string, string>): Promise<void> =>
  vi.waitFor(async () => expect(await amountsOf(purser)).toEqual(amounts), { timeout: 20_000, interval: 20 })

/** A `serve` that is not waited for, and its health page. */
async function impatient(): Promise<{ child: Child; readyz: () => Promise<string> }> {
  const [grpc, http] = [await freePort(), await freePort()]
  const args = ['serve', '--policies', 'kubernetes', '--ledger', 'memory:']
  const child = startChild('purser', BIN, [...args, '--grpc-listen', `127.0.0.1:${grpc}`, '--http-listen', `127.0.0.1:${http}`], {
    KUBECONFIG: server.kubeconfig,
  })
  onTestFinished(async () => {
    await child.end('SIGKILL')
  })
  return { child, readyz: async () => await (await fetch(`http://127.0.0.1:${http}/readyz`)).text() }
}

describe('serve', () => {
  it('follows the cluster, and goes on without it', async () => {
    await server.admin.post(POLICIES, policy('a', '5'))
    const purser = await serve()
    onTestFinished(async () => {
      await purser.child.end('SIGKILL')
    })
    expect(await amountsOf(purser)).toEqual({ a: '5' })
    await server.admin.patch(`${POLICIES}/a`, { spec: { limits: limits('6') } })
    await server.admin.post(POLICIES, policy('b', '7'))
    await becomes(purser, { a: '6', b: '7' })
    await server.kill()
    await purser.child.line(line => line.includes('policies are not heard of'), 20_000)
    expect(await amountsOf(purser)).toEqual({ a: '6', b: '7' })
    expect((await fetch(`http://127.0.0.1:${purser.httpPort}/readyz`)).status).toBe(200)
    await server.start()
    await server.admin.delete(`${POLICIES}/b`)
    await becomes(purser, { a: '6' })
    await purser.child.line(line => line.includes('policies are heard of again'), 20_000)
    expect(await purser.child.end('SIGTERM')).toBe(0)
    await server.admin.delete(`${POLICIES}/a`)
  })

  it('is not ready before it has read everything, whenever the API server comes', async () => {
    await server.kill()
    const { child, readyz } = await impatient()
    await child.line(line => line.includes('policies are not heard of'), 20_000)
    await vi.waitFor(async () => expect(await readyz()).toContain('policies are not read yet'), { timeout: 20_000 })
    await server.start()
    await child.line(line => line.includes('"msg":"ready"'), 30_000)
    expect(await child.end('SIGTERM')).toBe(0)
  })

  it('ends when it is told to, also while it waits for the API server', async () => {
    await server.kill()
    const { child } = await impatient()
    await child.line(line => line.includes('policies are not heard of'), 20_000)
    expect(await child.end('SIGTERM')).toBe(0)
    await server.start()
  })

  it('says that there is no cluster where there is none', async () => {
    const child = startChild('purser', BIN, ['serve', '--policies', 'kubernetes', '--ledger', 'memory:'], {
      KUBECONFIG: '',
      HOME: server.folder,
    })
    await child.line(line => line.includes('no Kubernetes cluster is known: set KUBECONFIG'), 20_000)
    expect(await child.exited).toBe(1)
  })

  it('reads 5,000 policies and 20,000 keys, and follows a change among them', async () => {
    const at = (index: number) => String(index).padStart(5, '0')
    const objects: SeededObject[] = [
      ...Array.from({ length: 5_000 }, (_, index) => ({
        resource: 'budgetpolicies',
        kind: 'BudgetPolicy',
        namespace: `ns-${index % 500}`,
        name: `policy-${at(index)}`,
        spec: {
          match: { models: ['gpt-*'] },
          limits: [{ ...limits('5')[0], partitionBy: [{ attribute: 'user' }], maxPartitions: 10_000, fairShare: false }],
        },
      })),
      ...Array.from({ length: 20_000 }, (_, index) => ({
        resource: 'accesskeys',
        kind: 'AccessKey',
        namespace: `ns-${index % 500}`,
        name: `key-${at(index)}`,
        spec: { keyHashes: [`sha256:${at(index).padStart(64, '0')}`], subject: { user: `user-${index}` }, disabled: false },
      })),
    ]
    await makeNamespace(server.admin, 'ns-499')
    await server.seed(objects)
    const startedMs = performance.now()
    const purser = await serve()
    onTestFinished(async () => {
      await purser.child.end('SIGKILL')
    })
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1)
    console.log(`ready ${seconds} s after its start, ${Math.round(purser.rss() / 1_048_576)} MiB, ${purser.cpuMs()} ms of CPU`)
    const last = '/apis/purser.dev/v1alpha1/namespaces/ns-499/budgetpolicies/policy-04999'
    const changed = await server.admin.patch(last, { spec: { limits: limits('9') } })
    expect(changed.status, messageOf(changed)).toBe(200)
    await vi.waitFor(
      async () =>
        expect((await purser.budgets()).find(row => row.policy === 'policy-04999')).toMatchObject({ namespace: 'ns-499', amount: '9' }),
      { timeout: 20_000, interval: 100 },
    )
    expect(await purser.child.end('SIGTERM')).toBe(0)
  })
})
