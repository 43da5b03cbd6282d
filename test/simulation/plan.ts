// From a seed to everything that a run will be: when it plays, who takes part, which policies hold, what is asked, what goes wrong.
// Each run has some kinds of trouble and not others, so that each is also seen alone.
import type { CallPlan, Fate } from './call.ts'
import { Chance } from './chance.ts'
import { type PolicyVersion, planPolicies } from './policies.ts'
import { PRICES } from './provider.ts'
import type { RedisSettings } from './redis/backend.ts'
import { planTroubles, REDIS_KINDS, TROUBLE_KINDS, type Trouble } from './trouble.ts'

export interface Plan {
  readonly seed: number
  readonly startMs: number
  /** Trouble is over by then. */
  readonly fairMs: number
  /** The last call begins before then. */
  readonly endMs: number
  readonly replicas: number
  /** Of each replica's machine: how far its wall clock is off (ms), and how much faster it runs. */
  readonly clocks: readonly { readonly wallOffMs: number; readonly drift: number }[]
  readonly storeOffMs: number
  /** Null: a store behind a port of messages. */
  readonly redis: RedisSettings | null
  readonly versions: readonly PolicyVersion[]
  /** Of each replica: how long a change of policies takes, ms. */
  readonly lagsMs: readonly number[]
  readonly calls: readonly { readonly atMs: number; readonly plan: CallPlan }[]
  readonly troubles: readonly Trouble[]
  readonly chance: Chance
}

/** Instants worth being near: the end of a month, of an hour in a zone of half hours, a change of the clocks, nothing at all. */
const MOMENTS = ['2026-12-01T00:00:00Z', '2026-11-30T18:30:00Z', '2026-11-01T06:00:00Z', '2026-11-24T12:00:00Z', '2026-11-17T09:20:00Z']
const FATES: readonly Fate[] = ['no-usage', 'error', 'never-sent', 'reset', 'cut', 'unreadable']
const TAIL_MS = 10_000

export function planRun(seed: number): Plan {
  const chance = new Chance(seed)
  const durationMs = chance.happens(0.4) ? chance.int(30_000, 70_000) : Math.floor(chance.spread(8_000, 30_000))
  const startMs = Date.parse(chance.pick(MOMENTS)) - Math.floor(chance.fraction() * durationMs)
  const fairMs = startMs + durationMs
  const replicas = chance.int(1, 3)
  const isCalm = chance.happens(0.15)
  const redis = chance.happens(0.65) ? planRedis(chance) : null
  const possible = redis === null ? TROUBLE_KINDS : [...TROUBLE_KINDS, ...REDIS_KINDS, 'failover' as const]
  const kinds = isCalm ? [] : [...new Set(chance.some(possible, chance.happens(0.4) ? 0 : 0.3))]
  const count = Math.floor(chance.spread(20, 120))
  const some = { fates: isCalm ? [] : FATES.filter(() => chance.happens(0.4)), leaves: chance.happens(0.4), overruns: chance.happens(0.1) }
  const calls = Array.from({ length: count }, () => ({
    atMs: startMs + 500 + Math.floor(chance.fraction() * (durationMs + TAIL_MS - 500)),
    plan: planCall(chance, some),
  }))
  return {
    seed,
    startMs,
    fairMs,
    endMs: fairMs + TAIL_MS,
    replicas,
    clocks: Array.from({ length: replicas }, () => ({
      wallOffMs: chance.int(-12_000, 12_000),
      drift: (chance.fraction() - 0.5) / 5_000,
    })),
    storeOffMs: chance.int(-5_000, 5_000),
    redis,
    versions: planPolicies(chance, startMs, durationMs, chance.happens(0.5) ? chance.int(1, 4) : 0),
    lagsMs: Array.from({ length: replicas }, () => Math.floor(chance.spread(10, 20_000))),
    calls,
    troubles: planTroubles(chance, kinds, { startMs, durationMs, replicas }),
    chance: chance.fork(),
  }
}

function planRedis(chance: Chance): RedisSettings {
  const lagMs = chance.happens(0.8) ? Math.floor(chance.spread(1, 3_000)) : null
  return { fsync: chance.happens(0.5) ? 'always' : 'everysec', lagMs, isGuarded: lagMs !== null && lagMs < 60 && chance.happens(0.5) }
}

function planCall(
  chance: Chance,
  some: { readonly fates: readonly Fate[]; readonly leaves: boolean; readonly overruns: boolean },
): CallPlan {
  const contentWords = Math.floor(chance.spread(1, 80))
  const strange = some.fates.length > 0 && chance.happens(0.4) ? chance.pick(some.fates) : 'whole'
  const fate = some.overruns && chance.happens(0.1) ? 'overrun' : strange
  return {
    fate,
    team: chance.happens(0.8) ? chance.pick(['red', 'green', 'blue', 'grey']) : null,
    provider: chance.pick(Object.keys(PRICES)),
    streams: chance.happens(0.6),
    asksUsage: chance.happens(0.5),
    contentWords,
    maxTokens: chance.happens(0.8) ? Math.floor(chance.spread(5, 500)) : null,
    inputTokens: chance.int(1, 20 + contentWords),
    outputShare: chance.fraction(),
    thinkMs: Math.floor(chance.spread(20, 3_000)),
    pieceMs: Math.floor(chance.spread(10, 400)),
    pieceTokens: chance.int(10, 60),
    leavesAfterMs: some.leaves && chance.happens(0.3) ? Math.floor(chance.spread(1, 5_000)) : null,
    leavesAtVerdict: some.leaves && chance.happens(0.03),
  }
}
