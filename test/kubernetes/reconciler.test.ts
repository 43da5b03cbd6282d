// One object reconciled against an API that fails at will: told before written, written on the state that was seen, and nothing at all by
// who may not.
import { describe, expect, it } from 'vitest'
import { readingOf } from '../../src/core/limit-reading.ts'
import { PartitionRegistry } from '../../src/core/partition.ts'
import { EMPTY_BALANCE } from '../../src/core/reservation.ts'
import { windowAt } from '../../src/core/window.ts'
import type { Api, ApiAnswer, Written } from '../../src/kubernetes/api.ts'
import { ControlledObjects } from '../../src/kubernetes/controlled-objects.ts'
import { Events } from '../../src/kubernetes/events.ts'
import { ObjectsInForce } from '../../src/kubernetes/objects-in-force.ts'
import type { RawObject } from '../../src/kubernetes/raw-object.ts'
import { Reconciler } from '../../src/kubernetes/reconciler.ts'
import { options } from '../core/policy-objects.ts'

const PLACE = { apiVersion: 'purser.dev/v1alpha1', kind: 'BudgetPolicy', path: '/apis/purser.dev/v1alpha1/budgetpolicies' }
const NOW = Date.UTC(2026, 4, 20)
const ID = 'BudgetPolicy team/p'

interface Sent {
  readonly path: string
  readonly body: {
    readonly metadata: Record<string, unknown>
    readonly reason?: string
    readonly status?: { readonly limits?: { spent: string }[] }
  }
}

function world() {
  const sent: Sent[] = []
  const answers: { status: number; body?: unknown }[] = []
  let version = 10
  const api: Api = {
    get: () => Promise.reject(new Error('nothing is read here')),
    send: async (path: string, { body }: Written): Promise<ApiAnswer> => {
      sent.push({ path, body: body as Sent['body'] })
      const answer = answers.shift() ?? { status: 200, body: served(body as object) }
      return {
        status: answer.status,
        retryAfterMs: null,
        body: (async function* () {
          yield Buffer.from(JSON.stringify(answer.body ?? {}))
        })(),
      }
    },
    renew: () => {},
    close: () => {},
  }
  const served = (body: object): RawObject => {
    version += 1
    return { ...raw(1), ...body, metadata: { ...raw(1).metadata, resourceVersion: String(version) } }
  }
  const state = { nowMs: NOW, mayWrite: true, spent: 0n, refused: [] as string[] }
  const clock = { wallMs: () => state.nowMs, monotonicMs: () => state.nowMs }
  const inForce = new ObjectsInForce({ trustedHeaders: [], defaultNamespace: 'default' }, options(new PartitionRegistry()))
  const objects = new ControlledObjects('default')
  const put = (object: RawObject) => objects.put(PLACE, object, inForce.put(PLACE, object))
  put(raw(1))
  const reconciler = new Reconciler({
    ...{ api, clock, objects },
    events: new Events({ api, clock, instance: 'me' }),
    mayWrite: () => state.mayWrite,
    refusedEvent: why => state.refused.push(why),
    surroundings: () => ({
      ...{ objects: inForce, selected: objects.selected, bypasses: [], isLedgerAway: false, hasPrice: () => true },
      readingOf: key => {
        const { limit } = inForce.index.declared().find(one => one.key === key)!
        return readingOf(limit, windowAt(limit.window, NOW), { ...EMPTY_BALANCE, spent: state.spent })
      },
    }),
  })
  const reconcile = () => reconciler.reconcile(ID, new AbortController().signal)
  return { state, sent, answers, objects, put, reconcile, statuses: () => sent.filter(({ path }) => path.includes('/status')) }
}

const raw = (resourceVersion: number, amount = '10'): RawObject => ({
  metadata: {
    name: 'p',
    namespace: 'team',
    uid: 'u',
    resourceVersion: String(resourceVersion),
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
  spec: { limits: [{ name: 'month', unit: 'Requests', amount, window: { calendar: 'Month' } }] },
})

describe('an object', () => {
  it('is written once, on the very state that was seen, and then no more', async () => {
    const { sent, reconcile, objects } = world()
    expect(await reconcile()).toEqual({ kind: 'done' })
    expect(sent).toHaveLength(1)
    expect(sent[0]?.path).toBe(
      '/apis/purser.dev/v1alpha1/namespaces/team/budgetpolicies/p/status?fieldManager=purser-controller&force=true',
    )
    expect(sent[0]?.body.metadata).toEqual({ name: 'p', namespace: 'team', uid: 'u', resourceVersion: '1' })
    expect(objects.get(ID)?.raw.metadata.resourceVersion).toBe('11')
    expect(await reconcile()).toEqual({ kind: 'done' })
    expect(sent).toHaveLength(1)
  })

  it('is not written by who may not, and told of by nobody then', async () => {
    const { sent, state, reconcile } = world()
    state.spent = 10n
    state.mayWrite = false
    expect(await reconcile()).toEqual({ kind: 'done' })
    expect(sent).toEqual([])
  })

  it('that was overtaken, is gone, or is refused is not taken for written', async () => {
    const { answers, reconcile, objects } = world()
    answers.push({ status: 409 }, { status: 404 }, { status: 500, body: { message: 'etcd is away' } })
    expect(await reconcile()).toEqual({ kind: 'overtaken' })
    expect(await reconcile()).toEqual({ kind: 'done' })
    expect(await reconcile()).toMatchObject({ kind: 'failed', status: 500, why: '500 etcd is away' })
    expect(objects.get(ID)?.raw.status).toBeUndefined()
  })

  it('keeps what was heard of it while it was being written', async () => {
    const { put, reconcile, objects } = world()
    const writing = reconcile()
    put(raw(99, '20'))
    expect(await writing).toEqual({ kind: 'done' })
    expect(objects.get(ID)?.raw.metadata.resourceVersion).toBe('99')
  })

  it('has its figures written every half minute, and its news at once, told before', async () => {
    const { state, sent, statuses, reconcile } = world()
    await reconcile()
    state.spent = 3n
    state.nowMs += 12_000
    expect(await reconcile()).toEqual({ kind: 'later', ms: 18_000 })
    state.nowMs += 18_000
    expect(await reconcile()).toEqual({ kind: 'done' })
    expect(statuses().at(-1)?.body.status?.limits?.[0]?.spent).toBe('3')
    state.spent = 10n
    state.nowMs += 1
    await reconcile()
    expect(sent.slice(-2).map(({ path, body }) => body.reason ?? path.split('?')[0]?.split('/').at(-1))).toEqual([
      'BudgetExhausted',
      'status',
    ])
  })

  it('is not written before its news are told, unless nobody may tell them', async () => {
    const { state, answers, statuses, reconcile } = world()
    await reconcile()
    state.spent = 10n
    answers.push({ status: 503 })
    expect(await reconcile()).toMatchObject({ kind: 'failed', status: 503 })
    expect(statuses()).toHaveLength(1)
    answers.push({ status: 403, body: { message: 'no rights' } })
    expect(await reconcile()).toEqual({ kind: 'done' })
    expect([statuses().length, state.refused]).toEqual([2, ['403 no rights']])
  })
})

describe('an Event', () => {
  it('has the same name whoever tells it, so that the API takes it once', async () => {
    const names = []
    for (const status of [201, 409]) {
      const { state, sent, answers, reconcile } = world()
      await reconcile()
      state.spent = 10n
      answers.push({ status })
      expect(await reconcile()).toEqual({ kind: 'done' })
      const told = sent.filter(({ path }) => path.includes('/events'))
      expect(told.map(({ path }) => path)).toEqual(['/apis/events.k8s.io/v1/namespaces/team/events'])
      names.push(told[0]?.body.metadata['name'])
    }
    expect(names[0]).toMatch(/^p\.[0-9a-f]{16}$/)
    expect(names[1]).toBe(names[0])
  })
})
