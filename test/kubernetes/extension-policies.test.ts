// Where Envoy Gateway says that a policy which sends calls to Purser is displaced: told, unless another such policy stands there.
import { describe, expect, it } from 'vitest'
import { bypassesAmong, sendsToPurser } from '../../src/kubernetes/extension-policies.ts'
import type { RawObject } from '../../src/kubernetes/raw-object.ts'

const GATEWAY = [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'ai' }]
const PURSER = [{ backendRefs: [{ name: 'purser', port: 9002 }] }]

function extension(name: string, spec: object, message: string | null, labels = {}): RawObject {
  const [namespace = '', own = ''] = name.split('/')
  const conditions = [
    { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'Policy has been accepted.' },
    ...(message === null ? [] : [{ type: 'Overridden', status: 'True', reason: 'Overridden', message }]),
  ]
  return {
    metadata: { name: own, namespace, uid: name, resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z', labels },
    spec,
    status: { ancestors: [{ ancestorRef: { name: 'ai' }, controllerName: 'gateway.envoyproxy.io/gatewayclass-controller', conditions }] },
  }
}
const overridden = (what: string): string => `This policy is being overridden by other envoyExtensionPolicies for ${what}`

describe('a policy of Envoy Gateway', () => {
  it('sends calls to Purser by its label, the name of its backend, or the metadata that it lets through', () => {
    const isOurs = (spec: object, labels = {}) => sendsToPurser(extension('a/b', spec, null, labels))
    expect(isOurs({ targetRefs: GATEWAY, extProc: PURSER })).toBe(true)
    expect(isOurs({ extProc: [{ backendRefs: [{ name: 'other' }] }, { backendRefs: [{ name: 'release-purser' }] }] })).toBe(true)
    expect(isOurs({ extProc: [{ backendRefs: [{ name: 'budgets' }], metadata: { writableNamespaces: ['purser'] } }] })).toBe(true)
    expect(isOurs({}, { 'app.kubernetes.io/name': 'purser' })).toBe(true)
    for (const spec of [{}, { wasm: [{}] }, { extProc: [{}] }, { extProc: [{ backendRefs: [{ name: 'other' }] }] }])
      expect(isOurs(spec)).toBe(false)
  })

  it('is displaced where Envoy Gateway says so', () => {
    const one = (message: string | null) => bypassesAmong([extension('infra/purser', { targetRefs: GATEWAY, extProc: PURSER }, message)])
    expect(one(null)).toEqual([])
    expect(one(overridden('these routes: [team/chat default/llm]'))).toEqual([
      { displaced: 'infra/purser', routes: ['default/llm', 'team/chat'] },
    ])
    // Of a listener it is not said which routes it has: any may be meant.
    expect(one(overridden('these listeners: [http] and these routes: [team/chat]'))).toEqual([{ displaced: 'infra/purser', routes: [] }])
    expect(one(overridden('something that a later version says'))).toEqual([{ displaced: 'infra/purser', routes: [] }])
  })

  it('is not missed where another sends the same calls to Purser', () => {
    const onGateway = extension('infra/purser', { targetRefs: GATEWAY, extProc: PURSER }, overridden('these routes: [team/chat team/llm]'))
    const onRoute = extension('team/own', { targetRef: { kind: 'HTTPRoute', name: 'llm' }, extProc: PURSER }, null)
    expect(bypassesAmong([onGateway, onRoute])).toEqual([{ displaced: 'infra/purser', routes: ['team/chat'] }])
  })
})
