// HTTPRoutes and Gateways read: the defaults of the Gateway API, and nothing that a strange object could break.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RawObject } from '../../src/kubernetes/raw-object.ts'
import { gatewayOf, httpRouteOf } from '../../src/kubernetes/route-objects.ts'

const raw = (spec: unknown, annotations?: Record<string, string>): RawObject => ({
  metadata: {
    name: 'llm',
    namespace: 'team',
    uid: 'u',
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
    ...(annotations === undefined ? {} : { annotations }),
  },
  spec,
})

describe('an HTTPRoute', () => {
  it('has parents of its own namespace unless they name another, and rules by their names', () => {
    const spec = {
      parentRefs: [
        { name: 'ai' },
        { group: 'gateway.networking.k8s.io', kind: 'Gateway', namespace: 'infra', name: 'ai', sectionName: 'https', port: 443 },
        { kind: 'ListenerSet', name: 'more' },
        { group: '', kind: 'Service', name: 'mesh' },
        { group: 'example.com', kind: 'Gateway', name: 'other' },
      ],
      rules: [{ name: 'chat', matches: [] }, {}, { name: 'images' }],
    }
    expect(httpRouteOf(raw(spec, { 'purser.dev/provider': ' azure ', other: 'x' }))).toEqual({
      namespace: 'team',
      name: 'llm',
      parents: [
        { kind: 'Gateway', namespace: 'team', name: 'ai', section: null, port: null },
        { kind: 'Gateway', namespace: 'infra', name: 'ai', section: 'https', port: 443 },
        { kind: 'ListenerSet', namespace: 'team', name: 'more', section: null, port: null },
      ],
      ruleNames: ['chat', '', 'images'],
      provider: 'azure',
    })
    expect(httpRouteOf(raw({}, { 'purser.dev/provider': ' ' })).provider).toBeNull()
  })

  it('and a Gateway of any shape are read without a stumble', () => {
    fc.assert(
      fc.property(fc.anything(), fc.array(fc.anything()), (spec, items) => {
        for (const odd of [spec, { parentRefs: spec, rules: items, listeners: items }, { parentRefs: items, listeners: spec }]) {
          expect(httpRouteOf(raw(odd)).name).toBe('llm')
          expect(gatewayOf(raw(odd)).name).toBe('llm')
        }
      }),
    )
  })
})

describe('a Gateway', () => {
  it('has listeners with their ports', () => {
    const listeners = [
      { name: 'http', port: 80, protocol: 'HTTP' },
      { name: 'https', port: 443 },
    ]
    expect(gatewayOf(raw({ gatewayClassName: 'eg', listeners }))).toEqual({
      namespace: 'team',
      name: 'llm',
      listeners: [
        { name: 'http', port: 80 },
        { name: 'https', port: 443 },
      ],
    })
  })
})
