// Rules: what several policies say about reservations and permissions, made one. The strictest that is said wins; nothing said is safe.
import { compileGlobs, type GlobSet } from './glob.ts'
import type { CallNames, Matcher } from './match.ts'
import type { AllowDeny, Binding, BindingRules, Permissions, Policy, PolicyName } from './policy.ts'

/** The name of a provider that is not known, in explanations. */
export const UNKNOWN_PROVIDER = '(unknown)'

const SAFE: BindingRules = {
  inputEstimate: 'Bytes',
  defaultMaxOutputTokens: null,
  requireOutputBound: false,
  maxPerRequest: null,
  onUnknownModel: 'Deny',
  onOpaqueInput: 'ReserveContextWindow',
  onServerTools: 'Deny',
  onUnknownEndpoint: 'Deny',
  onUnreadable: 'Deny',
  onExpiry: 'Estimate',
  onLedgerUnavailable: 'Deny',
}

/** Where every policy only audits, nothing may be refused. */
const AUDIT_ONLY: BindingRules = {
  ...SAFE,
  onUnknownModel: 'DearestOfProvider',
  onServerTools: 'Reserve',
  onUnknownEndpoint: 'Allow',
  onUnreadable: 'Allow',
  onLedgerUnavailable: 'Allow',
}

/**
 * The rules of `policies` in one. Policies that only audit have no say; where there are none but those, nothing is refused.
 * Independent of the order of `policies`, except that among equal `maxPerRequest` the first names the policy.
 */
export function mergeRules(policies: readonly Policy[]): BindingRules {
  const enforced = policies.filter(policy => !policy.audit)
  if (enforced.length === 0) return policies.length === 0 ? SAFE : AUDIT_ONLY
  const said = enforced.map(policy => policy.reservation)
  return {
    inputEstimate: strictestEstimate(said),
    defaultMaxOutputTokens: smallest(said.map(rules => rules.defaultMaxOutputTokens)),
    requireOutputBound: said.some(rules => rules.requireOutputBound === true),
    maxPerRequest: smallestPerRequest(enforced),
    onUnknownModel: strictest(said, 'onUnknownModel', 'Deny') ?? SAFE.onUnknownModel,
    onOpaqueInput: strictest(said, 'onOpaqueInput', 'Deny') ?? SAFE.onOpaqueInput,
    onServerTools: strictest(said, 'onServerTools', 'Deny') ?? SAFE.onServerTools,
    onUnknownEndpoint: strictest(said, 'onUnknownEndpoint', 'Deny') ?? SAFE.onUnknownEndpoint,
    onUnreadable: strictest(said, 'onUnreadable', 'Deny') ?? SAFE.onUnreadable,
    onExpiry: strictest(said, 'onExpiry', 'Estimate') ?? SAFE.onExpiry,
    onLedgerUnavailable: enforced.every(policy => policy.onLedgerUnavailable === 'Allow') ? 'Allow' : 'Deny',
  }
}

/** The first permission that a call lacks under one policy, or null. */
export type PermissionCheck = (call: CallNames) => Omit<NonNullable<Binding['forbidden']>, 'policy'> | null

/**
 * Compiles permissions. Every model that may answer must be permitted, as far as the policy covers it; a provider that is not
 * known is permitted only where the policy says nothing about providers.
 */
export function compilePermissions(permissions: Permissions, matcher: Matcher): PermissionCheck {
  const permitsEndpoint = compileAllowDeny(permissions.endpoints)
  const permitsProvider = compileAllowDeny(permissions.providers)
  const permitsModel = compileAllowDeny(permissions.models)
  const anyProvider = permissions.providers.allow.length + permissions.providers.deny.length === 0
  return ({ endpoint, provider, models }) => {
    if (!permitsEndpoint(endpoint)) return { what: 'endpoint', name: endpoint }
    if (provider === null ? !anyProvider : !permitsProvider(provider)) return { what: 'provider', name: provider ?? UNKNOWN_PROVIDER }
    const model = models.find(name => matcher.coversModel(name) && !permitsModel(name))
    return model === undefined ? null : { what: 'model', name: model }
  }
}

/** Deny wins; an empty allow list permits all that is not denied. */
function compileAllowDeny({ allow, deny }: AllowDeny): GlobSet {
  const allowed = allow.length === 0 ? () => true : compileGlobs(allow, 'ignore-case')
  const denied = compileGlobs(deny, 'ignore-case')
  return name => allowed(name) && !denied(name)
}

function strictest<Field extends keyof Policy['reservation']>(
  said: readonly Policy['reservation'][],
  field: Field,
  strict: NonNullable<Policy['reservation'][Field]>,
): NonNullable<Policy['reservation'][Field]> | null {
  let found: NonNullable<Policy['reservation'][Field]> | null = null
  for (const rules of said) {
    const value = rules[field]
    if (value === strict) return strict
    found = value ?? found
  }
  return found
}

/** One token a byte is the widest bound, a tokenizer's the tightest. */
function strictestEstimate(said: readonly Policy['reservation'][]): BindingRules['inputEstimate'] {
  const order = ['Strict', 'Bytes', 'Tokenizer'] as const
  return order.find(mode => said.some(rules => rules.inputEstimate === mode)) ?? SAFE.inputEstimate
}

const smallest = (amounts: readonly (bigint | null)[]): bigint | null =>
  amounts.reduce((least, amount) => (amount !== null && (least === null || amount < least) ? amount : least), null)

function smallestPerRequest(policies: readonly Policy[]): BindingRules['maxPerRequest'] {
  let least: BindingRules['maxPerRequest'] = null
  for (const policy of policies) {
    const amount = policy.reservation.maxPerRequest
    if (amount !== null && (least === null || amount < least.amount)) least = { amount, policy: policyName(policy) }
  }
  return least
}

export const policyName = ({ scope, namespace, name }: PolicyName): PolicyName => ({ scope, namespace, name })
