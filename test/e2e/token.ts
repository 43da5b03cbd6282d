// JSON Web Tokens of a test's own issuer, signed for Envoy to verify, and the key set to verify them with.
import { createSign, generateKeyPairSync, type KeyObject } from 'node:crypto'

const KID = 'test'

export interface Issuer {
  /** The key set as JSON (RFC 7517). */
  readonly jwks: string
  /** A token with these claims that is good for an hour (RFC 7519), signed with RS256. */
  sign(claims: Readonly<Record<string, unknown>>): string
}

export function makeIssuer(name: string): Issuer {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: KID, alg: 'RS256', use: 'sig' }
  return { jwks: JSON.stringify({ keys: [jwk] }), sign: claims => signed({ iss: name, ...claims }, privateKey) }
}

function signed(claims: Readonly<Record<string, unknown>>, key: KeyObject): string {
  const inSeconds = Math.floor(Date.now() / 1_000)
  const parts = [
    { alg: 'RS256', typ: 'JWT', kid: KID },
    { iat: inSeconds, exp: inSeconds + 3_600, ...claims },
  ]
  const text = parts.map(part => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${text}.${createSign('sha256').update(text).sign(key).toString('base64url')}`
}
