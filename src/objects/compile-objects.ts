// Accepted objects to what the core knows: exact amounts, resolved defaults. Nothing is checked here any more.
import { type LimitVersion, unitPlaces } from '../core/budget.ts'
import type { ConcessionRules } from '../core/concessions.ts'
import type { ExperimentBounds } from '../core/experiments.ts'
import type { AccessKey, AllowDeny, LabelSelector, Limit, Permissions, Policy, PriceList, ReservationRules } from '../core/policy.ts'
import type { Selector } from '../core/subject.ts'
import type { WasteRules } from '../core/waste.ts'
import type { WindowSpec } from '../core/window.ts'
import { decimal } from './decimal.ts'
import { bornMs, durationMs, instantMs } from './instant.ts'
import type {
  AcceptedObject,
  AccessKeySpec,
  AllowDenyField,
  BudgetSpec,
  LabelSelectorField,
  LimitField,
  ModelPriceListSpec,
  PermissionsField,
  RatesField,
  ReservationField,
  SelectorField,
  WasteField,
  WindowField,
} from './objects.ts'

export type Name = Pick<AcceptedObject, 'namespace' | 'name' | 'labels'>

/** A BudgetPolicy or ClusterBudgetPolicy. `version` tells one state of its limits from a later one. */
export function compileBudgetPolicy(
  scope: 'BudgetPolicy' | 'ClusterBudgetPolicy',
  object: Name,
  spec: BudgetSpec,
  version: LimitVersion,
): Policy {
  const { match, response } = spec
  return {
    ...named(scope, object, version),
    namespaceSelector:
      scope === 'ClusterBudgetPolicy' && spec.namespaceSelector !== undefined ? labelSelector(spec.namespaceSelector) : null,
    grantNamespaces: scope === 'ClusterBudgetPolicy' ? (spec.grantNamespaces ?? []) : null,
    experiments: spec.experiments === undefined ? null : experimentBounds(spec.experiments),
    targets: (spec.targetRefs ?? []).map(({ kind, name, sectionName }) => ({ kind, name, section: sectionName ?? null })),
    match: {
      subjects: (match?.subjects ?? []).map(entry => ({ selector: selector(entry), values: entry.values ?? [] })),
      accessKeyLabels: match?.accessKeySelector === undefined ? null : labelSelector(match.accessKeySelector),
      models: match?.models ?? [],
      providers: match?.providers ?? [],
    },
    limits: (spec.limits ?? []).map(limit),
    permissions: permissions(spec.permissions),
    reservation: reservation(spec.reservation),
    concessions: concessions(spec, scope === 'BudgetPolicy' ? object.namespace : null),
    waste: waste(spec.waste),
    audit: spec.enforcement?.mode === 'Audit',
    onLedgerUnavailable: spec.enforcement?.onLedgerUnavailable ?? 'Deny',
    response: {
      statusCode: response?.statusCode ?? null,
      message: response?.message ?? null,
      exposeAmounts: response?.exposeAmounts ?? false,
      exposeBalance: response?.exposeBalance ?? false,
    },
  }
}

/** The limits, permissions and rules of an AccessKey, as a policy that binds its calls; null where it declares none. */
export function compileKeyPolicy(object: Name, spec: AccessKeySpec, version: LimitVersion): Policy | null {
  if ([spec.limits, spec.permissions, spec.reservation, spec.waste].every(part => part === undefined)) return null
  return {
    ...named('AccessKey', object, version),
    namespaceSelector: null,
    // What bounds an experiment is bounded itself.
    grantNamespaces: spec.experiment ? [] : null,
    experiments: null,
    targets: [],
    match: { subjects: [], accessKeyLabels: null, models: [], providers: [] },
    limits: (spec.limits ?? []).map(limit),
    permissions: permissions(spec.permissions),
    reservation: reservation(spec.reservation),
    concessions: concessions(spec, null),
    waste: waste(spec.waste),
    audit: false,
    // A key has no say of its own in this: its limits do, by what they allow.
    onLedgerUnavailable: (spec.limits ?? []).every(each => each.allowUpTo !== undefined) ? 'Allow' : 'Deny',
    response: { statusCode: null, message: null, exposeAmounts: false, exposeBalance: false },
  }
}

export function compileAccessKey(object: Name, spec: AccessKeySpec, version: LimitVersion): AccessKey {
  const { user, team, attributes } = spec.subject ?? {}
  const own = Object.entries({ ...attributes, ...(user === undefined ? {} : { user }), ...(team === undefined ? {} : { team }) })
  return {
    namespace: object.namespace,
    name: object.name,
    labels: object.labels,
    keyHashes: spec.keyHashes,
    attributes: new Map(own),
    disabled: spec.disabled,
    expiresAtMs: spec.expiresAt === undefined ? null : instantMs(spec.expiresAt),
    createdMs: bornMs(version),
    experiment: spec.experiment,
  }
}

export function compilePriceList(object: Name, spec: ModelPriceListSpec): PriceList {
  return {
    name: object.name,
    priority: spec.priority,
    aliases: (spec.aliases ?? []).map(({ name, provider, model }) => ({ name, provider, model })),
    models: (spec.models ?? []).map(model => ({
      names: model.names,
      provider: model.provider,
      effectiveFromMs: model.effectiveFrom === undefined ? null : instantMs(model.effectiveFrom),
      rates: rates(model.perMillionTokens ?? {}),
      tiers: (model.tiers ?? [])
        .map(tier => ({ aboveInputTokens: BigInt(tier.aboveInputTokens), rates: rates(tier.perMillionTokens) }))
        .sort((a, b) => Number(a.aboveInputTokens - b.aboveInputTokens)),
      maxOutputTokens: count(model.maxOutputTokens),
      contextWindow: count(model.contextWindow),
    })),
  }
}

const named = <Scope extends Policy['scope']>(scope: Scope, { namespace, name }: Name, version: LimitVersion) => ({
  scope,
  namespace,
  name,
  version,
})

function limit(field: LimitField): Limit {
  return {
    name: field.name,
    unit: field.unit,
    amount: decimal(field.amount, unitPlaces(field.unit)),
    window: windowSpec(field.window),
    partitionBy: (field.partitionBy ?? []).map(selector),
    maxPartitions: field.maxPartitions,
    fairShare: field.fairShare,
    warnAtPercent: (field.warnAtPercent ?? []).toSorted((a, b) => a - b),
    allowUpTo: field.allowUpTo === undefined ? null : decimal(field.allowUpTo, unitPlaces(field.unit)),
  }
}

function windowSpec(field: WindowField): WindowSpec {
  if (field.calendar !== undefined)
    return { kind: 'calendar', period: field.calendar, timeZone: field.timeZone ?? 'UTC', anchorDay: field.anchorDay ?? 1 }
  if (field.sliding !== undefined) return { kind: 'sliding', lengthMs: durationMs(field.sliding) }
  return { kind: field.lifetime === undefined ? 'inFlight' : 'lifetime' }
}

function selector(field: SelectorField): Selector {
  if (field.attribute !== undefined) return { kind: 'attribute', name: field.attribute }
  if (field.jwtClaim !== undefined) return { kind: 'jwtClaim', name: field.jwtClaim }
  if (field.header !== undefined) return { kind: 'header', name: field.header.toLowerCase() }
  if (field.route !== undefined) return { kind: 'route', field: field.route }
  return { kind: field.serviceAccount === undefined ? 'accessKey' : 'serviceAccount' }
}

const experimentBounds = ({ maxAmount, maxDuration, maxOpen }: NonNullable<BudgetSpec['experiments']>): ExperimentBounds => ({
  maxAmount: maxAmount === undefined ? null : decimal(maxAmount, unitPlaces('USD')),
  maxDurationMs: maxDuration === undefined ? null : durationMs(maxDuration),
  maxOpen: maxOpen ?? null,
})

const labelSelector = (field: LabelSelectorField): LabelSelector => ({
  matchLabels: new Map(Object.entries(field.matchLabels ?? {})),
  matchExpressions: (field.matchExpressions ?? []).map(({ key, operator, values }) => ({ key, operator, values: values ?? [] })),
})

const permissions = (field: PermissionsField | undefined): Permissions => ({
  models: allowDeny(field?.models),
  providers: allowDeny(field?.providers),
  endpoints: allowDeny(field?.endpoints),
})

const allowDeny = (field: AllowDenyField | undefined): AllowDeny => ({ allow: field?.allow ?? [], deny: field?.deny ?? [] })

const reservation = (field: ReservationField = {}): ReservationRules => ({
  inputEstimate: field.inputEstimate ?? null,
  defaultMaxOutputTokens: count(field.defaultMaxOutputTokens),
  requireOutputBound: field.requireOutputBound ?? null,
  maxPerRequest: field.maxPerRequest === undefined ? null : decimal(field.maxPerRequest, unitPlaces('USD')),
  onUnknownModel: field.onUnknownModel ?? null,
  onOpaqueInput: field.onOpaqueInput ?? null,
  onServerTools: field.onServerTools ?? null,
  onUnknownEndpoint: field.onUnknownEndpoint ?? null,
  onUnreadable: field.onUnreadable ?? null,
  onExpiry: field.onExpiry ?? null,
})

/** `namespace`: of routes that name none; null for that of each call's own. */
const concessions = (
  { permissions: permits, reservation: field, steering }: Pick<BudgetSpec, 'permissions' | 'reservation' | 'steering'>,
  namespace: string | null,
): ConcessionRules => ({
  clampToHeadroom: field?.clampToHeadroom ?? null,
  minOutputTokens: count(field?.minOutputTokens),
  substitutes: permits?.substitutes ?? [],
  onForbiddenModel: permits?.onForbiddenModel ?? null,
  onShortfall: field?.onShortfall ?? null,
  queueMs: field?.queueFor === undefined ? null : durationMs(field.queueFor),
  steering: (steering ?? []).map(({ value, provider, route, models }) => ({
    value,
    provider,
    route: { namespace: route.namespace ?? namespace, name: route.name },
    models: (models ?? []).map(({ name, as }) => ({ name, as: as ?? name })),
  })),
})

const waste = ({ retryStorm, repeatedRequest, cutAtReservation = false }: WasteField = {}): WasteRules => ({
  stormAfter: retryStorm?.afterRefusals ?? null,
  repeated: repeatedRequest === undefined ? null : { max: repeatedRequest.max, withinMs: durationMs(repeatedRequest.within) },
  cutsStreams: cutAtReservation,
})

/** USD for a million tokens are micro-USD a token: six places down to pico-USD, so that nothing is ever rounded. */
const rates = (field: RatesField): PriceList['models'][number]['rates'] => ({
  input: price(field.input),
  cacheRead: price(field.cachedInput),
  cacheReadAudio: null,
  cacheWrite5m: price(field.cacheWrite),
  cacheWrite1h: price(field.cacheWrite1h),
  inputAudio: price(field.inputAudio),
  inputImage: price(field.inputImage),
  inputVideo: null,
  output: price(field.output),
  reasoning: price(field.reasoning),
  outputAudio: price(field.outputAudio),
  outputImage: price(field.outputImage),
  outputVideo: null,
})

const price = (text: string | undefined): bigint | null => (text === undefined ? null : decimal(text, 6))
const count = (value: number | undefined): bigint | null => (value === undefined ? null : BigInt(value))
