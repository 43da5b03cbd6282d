// Who calls, through a real Envoy: verified tokens, client certificates, forwarded certificates, trusted headers and keys each count where
// they are to be believed, and nothing that a client only claims does.
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { forwardedUri } from '../../src/enforcer/forwarded.ts'
import { certificateFiles } from '../envoy/certificate.ts'
import { type CallSetting, call } from './call.ts'
import { answerAsChat, type Capture, startCapture } from './capture.ts'
import { freePort } from './child.ts'
import { type ConnectionManager, connectionManager, type EnvoyConfig } from './envoy.ts'
import { accessKey, budgetPolicy, KEY, policyFolder } from './policies.ts'
import { CHAT_PATH, chatBody } from './provider.ts'
import { startPurser } from './purser.ts'
import { type Issuer, makeIssuer } from './token.ts'
import { settled, startWorld, type World } from './world.ts'

const [IDP, OTHER_IDP] = ['https://idp.example', 'https://other.example']
const ME = 'spiffe://lab/ns/search/sa/indexer'

let idp: Issuer
let otherIdp: Issuer
let capture: Capture
/** As installed: no header is believed. */
let plain: World
/** With every flag that makes it believe more. */
let trusting: World
/** Listeners of either Envoy beside the shipped one: one that lets x-forwarded-client-cert pass, and one with mutual TLS. */
const ports = { plain: { forwarding: 0, mutual: 0 }, trusting: { forwarding: 0, mutual: 0 } }
const certificates = {
  server: certificateFiles({ loopback: true }),
  // A name that a careless reader of x-forwarded-client-cert would take for an identity.
  me: certificateFiles({ uri: ME, commonName: 'a";URI=spiffe://evil/a,URI=spiffe://evil/b' }),
  stranger: certificateFiles({ uri: ME }),
}
const pem = ({ cert, key }: { readonly cert: string; readonly key: string }) => ({
  cert: readFileSync(cert, 'utf8'),
  key: readFileSync(key, 'utf8'),
})

beforeAll(async () => {
  ;[idp, otherIdp] = [makeIssuer(IDP), makeIssuer(OTHER_IDP)]
  capture = await startCapture(answerAsChat)
  plain = await world('plain', [], [])
  trusting = await world('trusting', [{ header: 'x-team' }], ['--trust-xfcc', '--trusted-headers=x-team', `--jwt-payload-key=${OTHER_IDP}`])
})
afterAll(async () => {
  for (const one of [plain, trusting, capture]) await one?.stop()
  for (const files of Object.values(certificates)) files.remove()
})

async function world(name: keyof typeof ports, more: readonly object[], flags: readonly string[]): Promise<World> {
  ports[name] = { forwarding: await freePort(), mutual: await freePort() }
  const selectors = [{ jwtClaim: 'sub' }, { jwtClaim: 'groups' }, { serviceAccount: {} }, { attribute: 'team' }, { accessKey: {} }, ...more]
  const limits = selectors.map(selector => ({
    name: Object.entries(selector)
      .flat()
      .filter(part => typeof part === 'string')
      .join('-')
      .toLowerCase(),
    unit: 'Requests',
    amount: '1000',
    window: { lifetime: {} },
    partitionBy: [selector],
  }))
  return startWorld({
    ledger: 'sqlite',
    replicas: 1,
    objects: [budgetPolicy('who', { limits }), accessKey([])],
    providerPort: capture.port,
    purser: { flags },
    envoy: { edit: config => withIdentities(config, ports[name]) },
  })
}

function withIdentities(config: EnvoyConfig, { forwarding, mutual }: { readonly forwarding: number; readonly mutual: number }): void {
  const { http_filters: filters } = connectionManager(config)
  filters.unshift({ name: 'envoy.filters.http.jwt_authn', typed_config: tokenCheck() })
  const { listeners } = config.static_resources
  const [shipped] = listeners
  if (shipped === undefined) throw new Error('the shipped configuration has a listener')
  const another = (port: number, manage: Partial<ConnectionManager> & Record<string, unknown>, chain: object): void => {
    const listener = structuredClone(shipped)
    listener.address.socket_address.port_value = port
    Object.assign(listener, { name: `port-${port}` })
    for (const one of listener.filter_chains) {
      Object.assign(one, chain)
      for (const { typed_config } of one.filters) Object.assign(typed_config, manage)
    }
    listeners.push(listener)
  }
  another(forwarding, { forward_client_cert_details: 'ALWAYS_FORWARD_ONLY' }, {})
  const text = (file: string) => ({ inline_string: readFileSync(file, 'utf8') })
  const tls = {
    '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
    require_client_certificate: true,
    common_tls_context: {
      tls_certificates: [{ certificate_chain: text(certificates.server.cert), private_key: text(certificates.server.key) }],
      validation_context: { trusted_ca: text(certificates.me.cert) },
    },
  }
  const details = { forward_client_cert_details: 'SANITIZE_SET', set_current_client_cert_details: { subject: true, uri: true } }
  another(mutual, details, { transport_socket: { name: 'envoy.transport_sockets.tls', typed_config: tls } })
}

/** The claims of one token are filed by a plain name, those of the other by its issuer, as versions of Envoy Gateway have it. */
function tokenCheck(): Record<string, unknown> {
  const provider = (issuer: string, keys: Issuer, name: string, header: string) => ({
    issuer,
    local_jwks: { inline_string: keys.jwks },
    from_headers: [{ name: header, value_prefix: 'Bearer ' }],
    payload_in_metadata: name,
    header_in_metadata: `${name}-header`,
  })
  const orNone = (name: string) => ({ requires_any: { requirements: [{ provider_name: name }, { allow_missing: {} }] } })
  return {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication',
    providers: {
      idp: provider(IDP, idp, 'jwt_payload', 'authorization'),
      other: provider(OTHER_IDP, otherIdp, OTHER_IDP, 'x-other-token'),
    },
    rules: [{ match: { prefix: '/' }, requires: { requires_all: { requirements: [orNone('idp'), orNone('other')] } } }],
  }
}

/** Makes a call and answers, limit by limit, the partition that it was counted in; null where Envoy did not let it pass. */
async function seenAs(one: World, over: Partial<CallSetting>): Promise<Record<string, string> | null> {
  const spent = async () => new Map((await settled(one.purser, 10_000)).map(row => [row.key, row]))
  const before = await spent()
  const { headers, ...rest } = over
  const answer = await call({
    port: one.envoy.port,
    path: CHAT_PATH,
    headers: { 'content-type': 'application/json', ...headers },
    body: chatBody(100, false),
    ...rest,
  })
  if (answer.status !== 200) return null
  const changed = [...(await spent())].filter(([key, row]) => row.spent !== (before.get(key)?.spent ?? '0')).map(([, row]) => row)
  return Object.fromEntries(changed.map(row => [row.limit, String(row.partition)]))
}
const NOBODY = {
  'jwtclaim-sub': '(none)',
  'jwtclaim-groups': '(none)',
  serviceaccount: '(none)',
  'attribute-team': '(none)',
  accesskey: '(none)',
}
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

describe('a caller who shows nothing', () => {
  it('is nobody, whatever headers say', async () => {
    const claims = { 'x-team': 'red', 'x-purser-namespace': 'other', 'x-purser-provider': 'house', 'x-purser-gateway': 'ai', sub: 'root' }
    const forged = {
      ...claims,
      'x-forwarded-client-cert': `By=a;URI=${ME}`,
      'x-jwt-payload': Buffer.from('{"sub":"root"}').toString('base64'),
    }
    expect(await seenAs(plain, { headers: forged })).toEqual(NOBODY)
  })
})

describe('a token', () => {
  it('that Envoy verified has its claims counted, whichever name they are filed under', async () => {
    const token = idp.sign({ sub: 'alice', groups: ['red', 'blue'] })
    expect(await seenAs(plain, { headers: bearer(token) })).toMatchObject({ 'jwtclaim-sub': 'alice', 'jwtclaim-groups': 'blue' })
    const other = { 'x-other-token': `Bearer ${otherIdp.sign({ sub: 'bob' })}` }
    expect(await seenAs(plain, { headers: other })).toEqual({ ...NOBODY, 'jwtclaim-sub': 'bob' })
  })

  it('beside another counts only where it is said which of them does', async () => {
    const two = { ...bearer(idp.sign({ sub: 'alice' })), 'x-other-token': `Bearer ${otherIdp.sign({ sub: 'bob' })}` }
    expect(await seenAs(plain, { headers: two })).toMatchObject({ 'jwtclaim-sub': '(none)' })
    expect(await seenAs(trusting, { headers: two })).toMatchObject({ 'jwtclaim-sub': 'bob' })
    // Said so, no other counts in its place.
    expect(await seenAs(trusting, { headers: bearer(idp.sign({ sub: 'alice' })) })).toMatchObject({ 'jwtclaim-sub': '(none)' })
  })

  it('of another hand does not pass', async () => {
    expect(await seenAs(plain, { headers: bearer(makeIssuer(IDP).sign({ sub: 'alice' })) })).toBeNull()
    const [head = '', , signature = ''] = idp.sign({ sub: 'mallory' }).split('.')
    const claims = Buffer.from(JSON.stringify({ iss: IDP, sub: 'alice', exp: 4_102_444_800 })).toString('base64url')
    expect(await seenAs(plain, { headers: bearer(`${head}.${claims}.${signature}`) })).toBeNull()
  })
})

describe('a client certificate', () => {
  const tls = () => ({ ...pem(certificates.me), ca: readFileSync(certificates.server.cert, 'utf8') })

  it('that Envoy verified is the workload, whatever else the client says', async () => {
    for (const [one, port] of [
      [plain, ports.plain.mutual],
      [trusting, ports.trusting.mutual],
    ] as const) {
      const headers = { 'x-forwarded-client-cert': 'By=a;URI=spiffe://evil/c' }
      expect(await seenAs(one, { port, tls: tls(), headers })).toMatchObject({ serviceaccount: ME })
      // What Envoy writes of such a certificate for others to read.
      const written = String(capture.requests.at(-1)?.headers['x-forwarded-client-cert'])
      expect(written).toContain('spiffe://evil/a')
      expect(written).not.toContain('spiffe://evil/c')
      expect(forwardedUri([written])).toBe(ME)
    }
  })

  it('of another hand does not pass, and neither does none', async () => {
    const { ca } = tls()
    expect(await seenAs(plain, { port: ports.plain.mutual, tls: { ...pem(certificates.stranger), ca } })).toBeNull()
    expect(await seenAs(plain, { port: ports.plain.mutual, tls: { ca } })).toBeNull()
  })

  it('that a proxy forwards counts with --trust-xfcc, and only its last element', async () => {
    const headers = {
      'x-forwarded-client-cert': `By=a;Subject="CN=x",By=spiffe://lab/gateway;Subject="CN=a,URI=spiffe://evil/d";URI=${ME}`,
    }
    expect(await seenAs(trusting, { port: ports.trusting.forwarding, headers })).toMatchObject({ serviceaccount: ME })
    expect(await seenAs(plain, { port: ports.plain.forwarding, headers })).toMatchObject({ serviceaccount: '(none)' })
    // The shipped listener removes it before anybody can believe it.
    expect(await seenAs(trusting, { headers })).toMatchObject({ serviceaccount: '(none)' })
  })
})

describe('a header', () => {
  it('counts where it is trusted, under its own name', async () => {
    expect(await seenAs(trusting, { headers: { 'X-Team': 'red' } })).toMatchObject({ 'header-x-team': 'red' })
    expect(await seenAs(trusting, { headers: { 'x-teams': 'red' } })).toMatchObject({ 'header-x-team': '(none)' })
  })

  it('that is not trusted cannot even be written into a policy', async () => {
    const limits = [{ name: 'a', unit: 'Requests', amount: '1', window: { lifetime: {} }, partitionBy: [{ header: 'x-team' }] }]
    const folder = policyFolder([budgetPolicy('by-header', { limits })])
    onTestFinished(() => folder.remove())
    await expect(startPurser({ policies: folder.path, ledger: 'memory:' })).rejects.toThrow('"x-team" is not a trusted header')
  })
})

describe('a key', () => {
  it('is its AccessKey, with the attributes that this gives', async () => {
    expect(await seenAs(plain, { headers: { 'x-api-key': KEY } })).toEqual({
      ...NOBODY,
      'attribute-team': 'core',
      accesskey: 'default/ada',
    })
  })

  it('of a provider is known by its hash', async () => {
    expect(await seenAs(plain, { headers: { 'x-api-key': 'sk-of-a-provider' } })).toMatchObject({
      accesskey: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    })
  })
})
