// Where a call came in: what its route's name and the operator tell, what the watched routes add, and what stays unknown.
import { describe, expect, it } from 'vitest'
import { type HttpRoute, type ParentRef, RouteTable } from '../../src/core/route-table.ts'
import { arrivalOf } from '../../src/enforcer/arrival.ts'
import type { RequestInfo } from '../../src/enforcer/exchange.ts'
import { request } from './requests.ts'
import { openWorld } from './world.ts'

const parent = (over: Partial<ParentRef> = {}): ParentRef => ({
  kind: 'Gateway',
  namespace: 'infra',
  name: 'ai',
  section: null,
  port: null,
  ...over,
})
const route = (over: Partial<HttpRoute> = {}): HttpRoute => ({
  namespace: 'team',
  name: 'llm',
  parents: [parent()],
  ruleNames: ['chat', '', 'images'],
  provider: null,
  ...over,
})

function table(routes: readonly HttpRoute[], complete = true): RouteTable {
  const found = new RouteTable()
  for (const one of routes) found.putRoute(one)
  found.putGateway({
    namespace: 'infra',
    name: 'ai',
    listeners: [
      { name: 'http', port: 80 },
      { name: 'https', port: 443 },
      { name: 'internal', port: 443 },
    ],
  })
  found.complete = complete
  return found
}
const NOTHING = { namespace: null, provider: null, gateway: null }
const arrival = (
  routeName: string | null,
  routes: RouteTable,
  purser: Partial<RequestInfo['purser']> = {},
  virtualHost: string | null = null,
) => arrivalOf({ routeName, virtualHost, purser: { ...NOTHING, ...purser } }, routes, 'fallback')

describe('the rule of a call', () => {
  const known = table([route()])
  it.each([
    ['httproute/team/llm/rule/0/match/0/*', 'chat'],
    ['httproute/team/llm/rule/2/match/1/api_example_com', 'images'],
    ['httproute/team/llm/rule/1/match/-1/*', ''],
    // Of another state of the route than the one that is known.
    ['httproute/team/llm/rule/3/match/0/*', null],
    ['httproute/team/llm', null],
    ['httproute/team/llm/rule/x', null],
    ['httproute/team/llm/rule/0x', null],
    ['httproute/team/new/rule/0/match/0/*', null],
    ['llm', null],
  ])('%s: %j', (name, rule) => {
    expect(arrival(name, known).route.rule).toBe(rule)
  })
})

describe('the Gateways of a call', () => {
  const through = (over: Partial<HttpRoute>, purser: Partial<RequestInfo['purser']> = {}) =>
    arrival('httproute/team/llm/rule/0/match/0/*', table([route(over)]), purser).gateways
  const ai = (sections: readonly string[] | null) => ({ namespace: 'infra', name: 'ai', sections })

  it('are those that its route is attached to, by the listeners that it names', () => {
    expect(through({})).toEqual([ai(null)])
    expect(through({ parents: [parent({ section: 'http' })] })).toEqual([ai(['http'])])
    expect(through({ parents: [parent({ port: 443 })] })).toEqual([ai(['https', 'internal'])])
    expect(through({ parents: [parent({ section: 'https', port: 443 }), parent({ name: 'b' })] })).toEqual([
      ai(['https']),
      { namespace: 'infra', name: 'b', sections: null },
    ])
    expect(through({ parents: [] })).toEqual([])
  })

  it('may be any by a port that no listener has, or a set of listeners of no known Gateway', () => {
    expect(through({ parents: [parent({ port: 81 })] })).toEqual([ai(null)])
    expect(through({ parents: [parent({ section: 'http' }), parent({ kind: 'ListenerSet', name: 'more' })] })).toBeNull()
  })

  it('may be any where the route is not known yet although all are watched', () => {
    expect(arrival('httproute/team/new/rule/0/match/0/*', table([])).gateways).toBeNull()
    expect(arrival('httproute/team/new/rule/0/match/0/*', table([], false)).gateways).toEqual([])
    expect(arrival('openai', table([])).gateways).toEqual([])
  })

  it('are the one that the operator says, with what the route says of its listeners', () => {
    expect(through({ parents: [parent({ section: 'http' }), parent({ name: 'b' })] }, { gateway: 'infra/ai' })).toEqual([ai(['http'])])
    expect(through({}, { gateway: 'other/ai' })).toEqual([{ namespace: 'other', name: 'ai', sections: null }])
    expect(arrival('openai', table([]), { gateway: 'ai' }).gateways).toEqual([{ namespace: 'fallback', name: 'ai', sections: null }])
    expect(through({ parents: [parent({ kind: 'ListenerSet' })] }, { gateway: 'infra/ai' })).toEqual([ai(null)])
  })
})

describe('the listener of a call', () => {
  const HOST = 'infra/ai/https/api_example_com'
  const known = table([route({ parents: [parent(), parent({ name: 'b' })] })])
  const through = (virtualHost: string, name = 'httproute/team/llm/rule/0/match/0/*', routes = known) =>
    arrival(name, routes, {}, virtualHost).gateways

  it('is what the virtual host says, of the one Gateway, also where no routes are watched', () => {
    const https = [{ namespace: 'infra', name: 'ai', sections: ['https'] }]
    expect(through(HOST)).toEqual(https)
    expect(through('infra/ai/https/*')).toEqual(https)
    expect(through(HOST, 'httproute/team/new/rule/0/match/0/*')).toEqual(https)
    expect(through(HOST, 'httproute/team/llm/rule/0/match/0/*', table([], false))).toEqual(https)
  })

  it('of a ListenerSet is none of the Gateway itself', () => {
    expect(through('infra/ai/team/more/https/*')).toEqual([{ namespace: 'infra', name: 'ai', sections: [] }])
  })

  it('is not told by virtual hosts of other names, nor by those of other routes', () => {
    for (const name of ['api_example_com', '', 'a/b', 'a/b/c/d/e']) expect(through(name)).toHaveLength(2)
    expect(through(HOST, 'openai')).toEqual([])
  })

  it('is told by the operator before all', () => {
    expect(arrival('httproute/team/llm', known, { gateway: 'infra/b' }, HOST).gateways).toEqual([
      { namespace: 'infra', name: 'b', sections: null },
    ])
  })
})

describe('the provider of a call', () => {
  it('is what the operator says on the Envoy route, else on the HTTPRoute', () => {
    const known = table([route({ provider: 'azure' }), route({ namespace: 'blue', name: 'openai', provider: 'groq' })])
    const name = 'httproute/team/llm/rule/0/match/0/*'
    expect(arrival(name, known).provider).toBe('azure')
    expect(arrival(name, known, { provider: 'openai' }).provider).toBe('openai')
    expect(arrival('openai', known, { namespace: 'blue' }).provider).toBe('groq')
    expect(arrival('openai', known).provider).toBeNull()
  })
})

describe('a call by a watched route', () => {
  it('goes to the provider that the annotation says, whatever its path and model would tell', async () => {
    const world = await openWorld(`
apiVersion: purser.dev/v1alpha1
kind: BudgetPolicy
metadata: {name: permitted, namespace: team}
spec: {permissions: {providers: {deny: [groq]}}}
`)
    const { routes } = world.enforcer.policies.current()
    if (!(routes instanceof RouteTable)) throw new Error('the routes of a set are a table')
    const verdict = async (provider: string | null) => {
      routes.putRoute(route({ provider }))
      const exchange = world.open()
      exchange.requestHeaders(request({ routeName: 'httproute/team/llm/rule/0/match/0/*' }))
      const body = { model: 'gpt-4o', messages: [{ role: 'user', content: 'hello' }], max_tokens: 10 }
      return exchange.requestBody(Buffer.from(JSON.stringify(body)))
    }
    expect(await verdict('groq')).toMatchObject({ kind: 'refuse', refusal: { reason: 'provider-forbidden' } })
    expect(await verdict(null)).toMatchObject({ kind: 'pass' })
  })
})
