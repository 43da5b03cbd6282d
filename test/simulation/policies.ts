// Random policies over a run: limits of every kind and size, kept close to what calls need, and how they change while calls go on.
import type { LimitVersion, Unit } from '../../src/core/budget.ts'
import type { Limit, Policy, PriceList } from '../../src/core/policy.ts'
import type { PolicySetParts } from '../../src/core/policy-set.ts'
import type { WindowSpec } from '../../src/core/window.ts'
import { limit, policy, reservation } from '../core/policy-objects.ts'
import type { Chance } from './chance.ts'
import { PRICES } from './provider.ts'

export interface PolicyVersion {
  readonly fromMs: number
  readonly parts: PolicySetParts
}

/** What a call reserves, about: limits are a few of these. */
const USUAL: Readonly<Record<Unit, number>> = { USD: 3_000_000, Tokens: 500, InputTokens: 200, OutputTokens: 300, Requests: 1 }
const UNITS = Object.keys(USUAL) as Unit[]
const TEAM = [{ kind: 'header', name: 'x-team' } as const]

const NO_RATES = {
  cacheReadAudio: null,
  inputVideo: null,
  outputVideo: null,
  cacheRead: null,
  cacheWrite5m: null,
  cacheWrite1h: null,
  inputAudio: null,
  inputImage: null,
  reasoning: null,
  outputAudio: null,
  outputImage: null,
}

/** The same list for everybody, so that the price book is built once. */
export const PRICE_LISTS: readonly PriceList[] = [
  {
    name: 'simulated',
    priority: 1,
    aliases: [],
    models: Object.entries(PRICES).map(([provider, { input, output }]) => ({
      names: ['gpt-sim'],
      provider,
      effectiveFromMs: null,
      rates: { ...NO_RATES, input, output },
      tiers: [],
      maxOutputTokens: 1_000n,
      contextWindow: 16_000n,
    })),
  },
]

/** The versions of the policies in a run that begins at `startMs`: the first holds from then on, each until the next. */
export function planPolicies(chance: Chance, startMs: number, durationMs: number, changes: number): PolicyVersion[] {
  const allow = chance.happens(0.3)
  let policies = [
    somePolicy(chance, startMs, allow, { scope: 'BudgetPolicy', name: 'team' }),
    ...(chance.happens(0.5) ? [somePolicy(chance, startMs, allow, { scope: 'ClusterBudgetPolicy', namespace: '', name: 'org' })] : []),
    ...(chance.happens(0.2) ? [somePolicy(chance, startMs, allow, { scope: 'BudgetPolicy', name: 'watch', audit: true })] : []),
  ]
  const versions: PolicyVersion[] = [{ fromMs: startMs, parts: partsOf(policies) }]
  const times = Array.from({ length: changes }, () => startMs + Math.floor(chance.fraction() * durationMs)).sort((a, b) => a - b)
  for (const atMs of times) {
    const which = chance.int(0, policies.length - 1)
    policies = policies.map((one, index) => (index === which ? changed(chance, one, atMs) : one))
    versions.push({ fromMs: atMs, parts: partsOf(policies) })
  }
  return versions
}

const partsOf = (policies: readonly Policy[]): PolicySetParts => ({
  policies,
  accessKeys: [],
  priceLists: PRICE_LISTS,
  grants: [],
  namespaces: new Map(),
})

function somePolicy(chance: Chance, startMs: number, allow: boolean, over: Partial<Policy>): Policy {
  const limits = Array.from({ length: chance.int(1, 3) }, (_, index) => someLimit(chance, `l${index}`, allow))
  return policy({
    ...over,
    limits,
    version: { createdMs: startMs - 100_000, generation: 1, grantMs: 0 },
    onLedgerUnavailable: allow ? 'Allow' : 'Deny',
    reservation: reservation({
      defaultMaxOutputTokens: chance.happens(0.6) ? BigInt(chance.int(40, 300)) : null,
      onExpiry: chance.happens(0.3) ? 'Observed' : null,
    }),
  })
}

function someLimit(chance: Chance, name: string, allow: boolean): Limit {
  const window = someWindow(chance)
  const unit = chance.happens(0.5) ? 'USD' : chance.pick(UNITS)
  const size = window.kind === 'inFlight' ? chance.spread(1, 8) : chance.spread(1.5, 30)
  const isPartitioned = chance.happens(0.25)
  return limit({
    name,
    unit,
    window,
    amount: amountOf(unit, size),
    partitionBy: isPartitioned ? TEAM : [],
    maxPartitions: isPartitioned ? chance.int(1, 4) : 10_000,
    allowUpTo: allow && chance.happens(0.9) ? amountOf(unit, chance.spread(1, 6)) : null,
  })
}

const amountOf = (unit: Unit, size: number): bigint => BigInt(Math.ceil(USUAL[unit] * size))

function someWindow(chance: Chance): WindowSpec {
  switch (chance.int(0, 6)) {
    case 0:
    case 1:
      return { kind: 'calendar', period: 'Month', timeZone: 'UTC', anchorDay: 1 }
    case 2:
      return { kind: 'calendar', period: 'Hour', timeZone: chance.pick(['America/New_York', 'Asia/Kolkata', 'UTC']), anchorDay: 1 }
    case 3:
    case 4:
      return { kind: 'sliding', lengthMs: chance.pick([1_000, 5_000, 10_000, 60_000, 61_001]) }
    case 5:
      return { kind: 'lifetime' }
    default:
      return { kind: 'inFlight' }
  }
}

/** One limit becomes larger or smaller: by an edit, by a grant, because the policy was made anew, or in the same millisecond as before. */
function changed(chance: Chance, before: Policy, atMs: number): Policy {
  const which = chance.int(0, before.limits.length - 1)
  const factor = chance.spread(0.3, 3)
  const limits = before.limits.map((one, index) =>
    index === which ? { ...one, amount: BigInt(Math.max(1, Math.ceil(Number(one.amount) * factor))) } : one,
  )
  return { ...before, limits, version: nextVersion(chance, before.version, atMs) }
}

function nextVersion(chance: Chance, before: LimitVersion, atMs: number): LimitVersion {
  switch (chance.int(0, 9)) {
    case 0:
      return before
    case 1:
    case 2:
      return { createdMs: atMs, generation: 1, grantMs: 0 }
    case 3:
    case 4:
      return { ...before, grantMs: atMs }
    default:
      return { ...before, generation: before.generation + 1 }
  }
}
