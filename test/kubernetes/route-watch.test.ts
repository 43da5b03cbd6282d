// The watch of routes over a scripted API: what changes the table is told, what does not is not, and absence is no failure.
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { RouteTable } from '../../src/core/route-table.ts'
import type { Api } from '../../src/kubernetes/api.ts'
import { RouteWatch } from '../../src/kubernetes/route-watch.ts'
import { systemClock, systemRandom } from '../../src/system.ts'

const raw = (resourceVersion: string, spec: object, status = '') => ({
  metadata: { name: 'llm', namespace: 'team', uid: 'u', resourceVersion, creationTimestamp: '2026-01-01T00:00:00Z' },
  spec,
  status,
})
const AI = { parentRefs: [{ name: 'ai' }] }

/** Serves one HTTPRoute and then these changes of it, and no Gateways. */
function scripted(changes: readonly object[]): Api {
  const line = (object: unknown): Buffer => Buffer.from(`${JSON.stringify(object)}\n`)
  async function* events(signal: AbortSignal): AsyncGenerator<Buffer> {
    for (const object of changes) yield line({ type: 'MODIFIED', object })
    await new Promise(resolve => signal.addEventListener('abort', resolve))
  }
  async function* once(object: unknown): AsyncGenerator<Buffer> {
    yield line(object)
  }
  return {
    get: async (path, { signal }) => {
      if (path.includes('/gateways')) return { status: 404, retryAfterMs: null, body: once({ kind: 'Status' }) }
      const list = { metadata: { resourceVersion: '1' }, items: [raw('1', AI)] }
      return { status: 200, retryAfterMs: null, body: path.includes('watch=1') ? events(signal) : once(list) }
    },
    send: () => Promise.reject(new Error('nothing is written here')),
    renew: () => {},
    close: () => {},
  }
}

describe('the watch of routes', () => {
  it('tells of what changed, and not of a status', async () => {
    const routes = new RouteTable()
    const told: string[] = []
    const changed = (): void => {
      told.push(routes.route({ namespace: 'team', name: 'llm' })?.parents[0]?.name ?? 'none')
    }
    const failed = vi.fn()
    const api = scripted([raw('2', AI, 'accepted'), raw('3', AI, 'programmed'), raw('4', { parentRefs: [{ name: 'other' }] })])
    const watch = new RouteWatch({ api, clock: systemClock, random: systemRandom, routes, changed, away: failed, back: () => {} })
    onTestFinished(() => watch.stop())
    await watch.synced
    await vi.waitFor(() => expect(told).toContain('other'))
    // The route, that all are there, and its one change; before or between them, that there are no Gateways.
    expect(told.filter(name => name === 'other')).toHaveLength(1)
    expect(told.length).toBeLessThanOrEqual(4)
    expect(routes.complete).toBe(true)
    expect(failed).not.toHaveBeenCalled()
  })
})
