import { describe, expect, it } from 'vitest'
import type { AccessKey, PolicySet } from '../../src/core/policy.ts'
import { type Routes, RouteTable } from '../../src/core/route-table.ts'
import { identify, sha256 } from '../../src/enforcer/identify.ts'
import { request } from './requests.ts'

const NOW = Date.parse('2026-11-24T00:00:00Z')
const OWN = `psk_${'a'.repeat(43)}`
const OLD = `psk_${'b'.repeat(43)}`
const OFF = `psk_${'c'.repeat(43)}`
const PROVIDER_KEY = 'sk-proj-1'

const key = (name: string, value: string, changes: Partial<AccessKey> = {}): AccessKey => ({
  namespace: 'default',
  name,
  labels: new Map(),
  keyHashes: [sha256(value)],
  attributes: new Map([['user', name]]),
  disabled: false,
  expiresAtMs: null,
  ...changes,
})
const KEYS = [key('alice', OWN), key('old', OLD, { expiresAtMs: NOW }), key('off', OFF, { disabled: true }), key('mapped', PROVIDER_KEY)]
const ROUTES = new RouteTable()
const SET = { keyByHash: hash => KEYS.find(one => one.keyHashes.includes(hash)) ?? null, routes: ROUTES as Routes } as PolicySet
const RULES = { defaultNamespace: 'default', requireKey: false, trustedHeaders: ['x-team'], trustXfcc: false, jwtPayloadKey: null }

const who = (info: ReturnType<typeof request>, rules: Partial<typeof RULES> = {}) => identify(info, SET, { ...RULES, ...rules }, NOW)
const reasonOf = (info: ReturnType<typeof request>, rules: Partial<typeof RULES> = {}): string => {
  const identified = who(info, rules)
  return identified.kind === 'refused' ? identified.verdict.reason : 'subject'
}

describe('credentials', () => {
  it.each([
    ['authorization', { authorization: `Bearer ${OWN}` }],
    ['authorization', { authorization: `bearer   ${OWN} ` }],
    ['x-api-key', { 'x-api-key': OWN }],
    ['api-key', { 'api-key': OWN }],
    ['x-goog-api-key', { 'x-goog-api-key': OWN }],
  ])('a key of ours in %s is known and stripped', (header, headers) => {
    const identified = who(request({ headers }))
    expect(identified).toMatchObject({ kind: 'subject', strip: [header], subject: { accessKey: { name: 'alice' } } })
  })

  it('a provider key that an AccessKey holds is that key, and passes', () => {
    const identified = who(request({ headers: { authorization: `Bearer ${PROVIDER_KEY}` } }))
    expect(identified).toMatchObject({ kind: 'subject', strip: [], subject: { accessKey: { name: 'mapped' } } })
  })

  it('any other credential passes, known by its hash alone', () => {
    const identified = who(request({ headers: { authorization: 'Bearer sk-other' } }))
    expect(identified).toMatchObject({ kind: 'subject', strip: [], subject: { accessKey: null, credential: sha256('sk-other') } })
    expect(JSON.stringify(identified)).not.toContain('sk-other')
  })

  it('a key of ours goes beside a provider key', () => {
    const identified = who(request({ headers: { 'x-api-key': OWN, authorization: 'Bearer sk-other' } }))
    expect(identified).toMatchObject({ kind: 'subject', strip: ['x-api-key'], subject: { accessKey: { name: 'alice' } } })
  })

  it.each([
    ['unknown-key', { headers: { authorization: 'Bearer psk_nobody' } }],
    ['two-keys', { headers: { authorization: `Bearer ${OWN}`, 'x-api-key': OLD } }],
    ['two-keys', { headers: { 'x-api-key': [OWN, OLD] } }],
    ['two-keys', { headers: { authorization: `Bearer ${OWN}`, 'x-api-key': PROVIDER_KEY } }],
    ['key-expired', { headers: { 'x-api-key': OLD } }],
    ['key-disabled', { headers: { 'x-api-key': OFF } }],
    ['key-in-url', { path: `/v1/chat/completions?key=${OWN}` }],
    ['key-in-url', { path: '/v1/chat/completions?a=1&api_key=%70sk_abc' }],
  ])('%s', (reason, changes) => {
    expect(reasonOf(request(changes))).toBe(reason)
  })

  it('the same key twice is one key', () => {
    expect(reasonOf(request({ headers: { authorization: `Bearer ${OWN}`, 'x-api-key': OWN } }))).toBe('subject')
  })

  it('a key is required where the operator says so', () => {
    expect(reasonOf(request(), { requireKey: true })).toBe('key-required')
    expect(reasonOf(request({ headers: { authorization: 'Bearer sk-other' } }), { requireKey: true })).toBe('key-required')
    expect(reasonOf(request({ headers: { 'x-api-key': OWN } }), { requireKey: true })).toBe('subject')
  })
})

describe('the rest of a subject', () => {
  const subject = (info: ReturnType<typeof request>, rules: Partial<typeof RULES> = {}) => {
    const identified = who(info, rules)
    if (identified.kind !== 'subject') throw new Error('expected a subject')
    return identified.subject
  }

  it('takes the route from Envoy Gateway, else from the operator, else the default', () => {
    expect(subject(request({ routeName: 'httproute/red/llm/rule/0/match/0/*' })).route).toEqual({
      namespace: 'red',
      name: 'llm',
      rule: null,
    })
    const purser = { namespace: 'blue', provider: null, gateway: 'infra/public' }
    expect(subject(request({ routeName: 'llm', purser }))).toMatchObject({
      route: { namespace: 'blue', name: 'llm' },
      gateways: [{ namespace: 'infra', name: 'public', sections: null }],
    })
    expect(subject(request()).route).toEqual({ namespace: 'default', name: '', rule: null })
  })

  it('takes only headers that are trusted', () => {
    expect([...subject(request({ headers: { 'x-team': 'red', 'x-user': 'root' } })).headers]).toEqual([['x-team', 'red']])
    // The client's own, and what the proxy appended to it.
    expect([...subject(request({ headers: { 'x-team': ['stolen', 'red'] } })).headers]).toEqual([['x-team', 'red']])
  })

  it('takes the forwarded certificate only where it is trusted', () => {
    const headers = { 'x-forwarded-client-cert': 'By=a;URI=spiffe://evil,By=b;URI=spiffe://lab/ns/x/sa/red' }
    expect(subject(request({ headers })).serviceAccount).toBeNull()
    expect(subject(request({ headers }), { trustXfcc: true }).serviceAccount).toBe('spiffe://lab/ns/x/sa/red')
    expect(subject(request({ headers, peerUriSan: 'spiffe://lab/me' }), { trustXfcc: true }).serviceAccount).toBe('spiffe://lab/me')
  })

  it('reads the one payload there is, and none where several could count', () => {
    const claims = { iss: 'https://idp', sub: 'u1', roles: ['a', 'b'], num: 7, org: { id: 1 } }
    const one = { jwt_payload: claims, jwt_header: { alg: 'RS256', kid: '1' } }
    expect([...subject(request({ jwtMetadata: one })).claims]).toEqual([
      ['iss', ['https://idp']],
      ['sub', ['u1']],
      ['roles', ['a', 'b']],
      ['num', ['7']],
    ])
    const two = { one: claims, two: { ...claims, sub: 'u2' } }
    expect(subject(request({ jwtMetadata: two })).claims.size).toBe(0)
    expect(subject(request({ jwtMetadata: two }), { jwtPayloadKey: 'two' as never }).claims.get('sub')).toEqual(['u2'])
    for (const odd of [null, 'x', 7, [], { a: null }]) expect(subject(request({ jwtMetadata: odd })).claims.size).toBe(0)
  })
})
