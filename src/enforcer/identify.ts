// Who asks: credentials, verified claims, certificate and route become a Subject. Knows keys by SHA-256 only, and forgets them at once.
import { createHash } from 'node:crypto'
import type { AccessKey, PolicySet } from '../core/policy.ts'
import type { Subject } from '../core/subject.ts'
import { type Verdict, verdict } from '../core/verdict.ts'
import { HEADER_VALUE_BYTES_MAX } from '../limits.ts'
import { type Arrival, arrivalOf } from './arrival.ts'
import { claimsOf } from './claims.ts'
import type { HeaderList, RequestInfo } from './exchange.ts'
import { forwardedUri } from './forwarded.ts'

export interface IdentityRules {
  readonly defaultNamespace: string
  readonly requireKey: boolean
  readonly trustedHeaders: readonly string[]
  readonly trustXfcc: boolean
  readonly jwtPayloadKey: string | null
}

export type Identified =
  /** `strip`: headers that carry a key of ours, to be removed before the provider sees them. `provider`: as the route's operator says. */
  | { readonly kind: 'subject'; readonly subject: Subject; readonly strip: readonly string[]; readonly provider: string | null }
  | { readonly kind: 'refused'; readonly verdict: Verdict }

/** Purser's own keys: `psk_` and 256 random bits in base64url. Whatever starts like one is taken for one. */
const OWN_KEY = /^psk_/
const KEY_HEADERS = ['x-api-key', 'api-key', 'x-goog-api-key'] as const

export const sha256 = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`

export function identify(info: RequestInfo, set: PolicySet, rules: IdentityRules, nowMs: number): Identified {
  if (keyInUrl(info.path)) return refused('key-in-url', 'A key must not be sent in the URL, where it is logged: send it as a header.')
  const credentials = credentialsOf(info.headers)
  const known = credentials.map(credential => {
    const hash = sha256(credential.value)
    return { ...credential, hash, own: OWN_KEY.test(credential.value), key: set.keyByHash(hash) }
  })
  const ours = known.filter(credential => credential.own || credential.key !== null)
  const [first] = ours
  if (ours.some(credential => credential.hash !== first?.hash)) return refused('two-keys', 'Two different keys were sent: send one.')
  const key = first?.key ?? null
  if (first !== undefined && key === null) return refused('unknown-key', 'The key is not known here.')
  if (key !== null) {
    const dead = deadKey(key, nowMs)
    if (dead !== null) return { kind: 'refused', verdict: dead }
  }
  if (key === null && rules.requireKey)
    return refused('key-required', 'A key is required: send one as `authorization: Bearer` or `x-api-key`.')
  const strip = ours.flatMap(credential => (credential.own ? [credential.header] : []))
  const arrival = arrivalOf(info, set.routes, rules.defaultNamespace)
  const subject = subjectOf(info, arrival, rules, key, first?.hash ?? known[0]?.hash ?? null)
  return { kind: 'subject', strip, subject, provider: arrival.provider }
}

const refused = (reason: Parameters<typeof verdict>[0], message: string): Identified => ({
  kind: 'refused',
  verdict: verdict(reason, message),
})

function deadKey(key: AccessKey, nowMs: number): Verdict | null {
  if (key.disabled) return verdict('key-disabled', `The key ${key.namespace}/${key.name} is disabled.`)
  if (key.expiresAtMs !== null && nowMs >= key.expiresAtMs)
    return verdict('key-expired', `The key ${key.namespace}/${key.name} has expired.`)
  return null
}

function credentialsOf(headers: HeaderList): { header: string; value: string }[] {
  const bearers = headers.getAll('authorization').flatMap(value => {
    const token = /^bearer\s+(\S+)\s*$/i.exec(value)?.[1]
    return token === undefined ? [] : [{ header: 'authorization', value: token }]
  })
  const keys = KEY_HEADERS.flatMap(header => headers.getAll(header).map(value => ({ header, value: value.trim() })))
  return [...bearers, ...keys].filter(credential => credential.value !== '')
}

function keyInUrl(path: string): boolean {
  const query = path.indexOf('?')
  return query >= 0 && /[?&][^=&]*=(?:psk_|%70sk_|p%73k_|ps%6bk_|psk%5f)/i.test(path.slice(query))
}

function subjectOf(info: RequestInfo, arrival: Arrival, rules: IdentityRules, key: AccessKey | null, credential: string | null): Subject {
  return {
    route: arrival.route,
    gateways: arrival.gateways,
    accessKey: key,
    credential,
    attributes: key?.attributes ?? NO_ATTRIBUTES,
    claims: claimsOf(info.jwtMetadata, rules.jwtPayloadKey),
    serviceAccount: info.peerUriSan ?? (rules.trustXfcc ? forwardedUri(info.headers.getAll('x-forwarded-client-cert')) : null),
    headers: trustedHeaders(info.headers, rules.trustedHeaders),
  }
}

const NO_ATTRIBUTES: ReadonlyMap<string, string> = new Map()

function trustedHeaders(headers: HeaderList, trusted: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const name of trusted) {
    // Of several the last, which the nearest proxy appended: those before it may be the client's.
    const value = headers.getAll(name).at(-1)
    if (value !== undefined && value !== '' && value.length <= HEADER_VALUE_BYTES_MAX) found.set(name, value)
  }
  return found
}
