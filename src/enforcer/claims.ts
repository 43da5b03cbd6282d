// Verified claims from jwt_authn's metadata, flattened to texts that policies can select by. Never reads a token itself.

const NONE: ReadonlyMap<string, readonly string[]> = new Map()

/**
 * The claims by top-level name. `metadata` is the struct under `envoy.filters.http.jwt_authn`: one member a payload (plain Envoy
 * names it by `payload_in_metadata`, Envoy Gateway by its provider, once by the issuer), beside it perhaps headers of tokens. Several payloads without
 * a `payloadKey` that chooses are none: guessing whose claims count would be a hole.
 */
export function claimsOf(metadata: unknown, payloadKey: string | null): ReadonlyMap<string, readonly string[]> {
  if (!isObject(metadata)) return NONE
  const payloads = payloadKey === null ? Object.values(metadata).filter(isPayload) : [metadata[payloadKey]].filter(isObject)
  const [payload] = payloads
  if (payload === undefined || payloads.length > 1) return NONE
  const claims = new Map<string, readonly string[]>()
  for (const [name, value] of Object.entries(payload)) {
    const texts = (Array.isArray(value) ? value : [value]).flatMap(claimText)
    if (texts.length > 0) claims.set(name, texts)
  }
  return claims
}

/** A payload, not a token's header: it has a registered claim (RFC 7519 section 4.1) and no `alg`. */
const isPayload = (value: unknown): value is Record<string, unknown> =>
  isObject(value) && !('alg' in value) && ['iss', 'sub', 'aud', 'exp', 'iat', 'nbf', 'jti'].some(name => name in value)

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

function claimText(value: unknown): string[] {
  switch (typeof value) {
    case 'string':
      return value === '' ? [] : [value]
    case 'number':
    case 'boolean':
      return [String(value)]
    default:
      return []
  }
}
