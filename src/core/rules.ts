// Rules: what several policies say about reservations and permissions, made one. The strictest that is said wins; nothing said is safe.
import { compileGlobs, type GlobSet } from './glob.ts'
import { type CallNames, type Matcher, matchesAnyName } from './match.ts'
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
    // One token a byte is the widest bound, a tokenizer's the tightest.
    inputEstimate: firstSaid(['Strict', 'Bytes', 'Tokenizer'], said, 'inputEstimate') ?? SAFE.inputEstimate,
    defaultMaxOutputTokens: smallest(said.map(rules => rules.defaultMaxOutputTokens)),
    requireOutputBound: said.some(rules => rules.requireOutputBound === true),
    maxPerRequest: smallestPerRequest(enforced),
    onUnknownModel: firstSaid(['Deny', 'DearestOfProvider'], said, 'onUnknownModel') ?? SAFE.onUnknownModel,
    onOpaqueInput: firstSaid(['Deny', 'ReserveContextWindow'], said, 'onOpaqueInput') ?? SAFE.onOpaqueInput,
    onServerTools: firstSaid(['Deny', 'Clamp', 'Reserve'], said, 'onServerTools') ?? SAFE.onServerTools,
    onUnknownEndpoint: firstSaid(['Deny', 'Allow'], said, 'onUnknownEndpoint') ?? SAFE.onUnknownEndpoint,
    onUnreadable: firstSaid(['Deny', 'Allow'], said, 'onUnreadable') ?? SAFE.onUnreadable,
    onExpiry: firstSaid(['Estimate', 'Observed'], said, 'onExpiry') ?? SAFE.onExpiry,
    onLedgerUnavailable: enforced.every(policy => policy.onLedgerUnavailable === 'Allow') ? 'Allow' : 'Deny',
  }
}

export interface CompiledPermissions {
  /** The first permission that a call lacks under one policy, or null. */
  lacks(call: CallNames): Omit<NonNullable<Binding['forbidden']>, 'policy'> | null
  permitsEndpoint(endpoint: string): boolean
  /** Whether some models or providers are not permitted. */
  readonly restricts: boolean
}

/**
 * Compiles permissions. Every model that may answer must be permitted, as far as the policy covers it; a provider that is not
 * known is permitted only where the policy says nothing about providers.
 */
export function compilePermissions(permissions: Permissions, matcher: Matcher): CompiledPermissions {
  const permitsEndpoint = compileAllowDeny(permissions.endpoints)
  const permitsProvider = compileAllowDeny(permissions.providers)
  const permitsModel = compileModels(permissions.models)
  const anyProvider = permissions.providers.allow.length + permissions.providers.deny.length === 0
  return {
    permitsEndpoint,
    restricts: [permissions.models, permissions.providers].some(({ allow, deny }) => allow.length + deny.length > 0),
    lacks: ({ endpoint, provider, models, namesOf }) => {
      if (!permitsEndpoint(endpoint)) return { what: 'endpoint', name: endpoint }
      if (provider === null ? !anyProvider : !permitsProvider(provider)) return { what: 'provider', name: provider ?? UNKNOWN_PROVIDER }
      const model = models.find(name => matchesAnyName(matcher.coversModel, name, namesOf) && !permitsModel(name, namesOf))
      return model === undefined ? null : { what: 'model', name: model }
    },
  }
}

/**
 * A model is denied by any of its names, and allowed by the one that it is called by, or as an alias of what is allowed: no other
 * spelling of a name gets around a denial, and none gets in under another's name.
 */
function compileModels({ allow, deny }: AllowDeny): (model: string, namesOf: CallNames['namesOf']) => boolean {
  const allowed = allow.length === 0 ? () => true : compileGlobs(allow, 'ignore-case')
  const denied = compileGlobs(deny, 'ignore-case')
  return (model, namesOf) => {
    if (deny.length > 0 && matchesAnyName(denied, model, namesOf)) return false
    if (allowed(model)) return true
    const standsFor = namesOf?.(model).standsFor ?? []
    return standsFor.length > 0 && standsFor.every(allowed)
  }
}

/** Deny wins; an empty allow list permits all that is not denied. */
function compileAllowDeny({ allow, deny }: AllowDeny): GlobSet {
  const allowed = allow.length === 0 ? () => true : compileGlobs(allow, 'ignore-case')
  const denied = compileGlobs(deny, 'ignore-case')
  return name => allowed(name) && !denied(name)
}

/** The first of `strictness` that any of them says, null where none says anything. */
function firstSaid<Field extends keyof Policy['reservation']>(
  strictness: readonly NonNullable<Policy['reservation'][Field]>[],
  said: readonly Policy['reservation'][],
  field: Field,
): NonNullable<Policy['reservation'][Field]> | null {
  return strictness.find(value => said.some(rules => rules[field] === value)) ?? null
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
