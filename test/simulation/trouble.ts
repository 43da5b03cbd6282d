// What goes wrong in a run, and when: every trouble has its beginning and its end, and by a known instant all of them are over.
import type { Chance } from './chance.ts'
import { FAIR, type Weather } from './link.ts'

export type Trouble =
  | { readonly kind: 'weather'; readonly atMs: number; readonly forMs: number; readonly replica: number; readonly weather: Weather }
  | { readonly kind: 'cut' | 'refused'; readonly atMs: number; readonly forMs: number; readonly replica: number }
  | { readonly kind: 'paused'; readonly atMs: number; readonly forMs: number; readonly replica: number }
  | { readonly kind: 'wall clock'; readonly atMs: number; readonly forMs: number; readonly replica: number; readonly byMs: number }
  /** The process dies, and another starts after `forMs`. */
  | { readonly kind: 'killed' | 'drained'; readonly atMs: number; readonly forMs: number; readonly replica: number }
  | StoreTrouble

export type StoreTrouble =
  | { readonly kind: 'store stalls' | 'store down'; readonly atMs: number; readonly forMs: number }
  | { readonly kind: 'store clock'; readonly atMs: number; readonly forMs: number; readonly byMs: number }
  /** Of Redis alone: the server forgets its scripts; its replica gets nothing for a while; its replica takes its place. */
  | { readonly kind: 'scripts lost' | 'replica parted'; readonly atMs: number; readonly forMs: number }
  | { readonly kind: 'failover'; readonly atMs: number; readonly forMs: number; readonly isOldAlive: boolean }

export type TroubleKind = Trouble['kind']
export const REDIS_KINDS: readonly TroubleKind[] = ['scripts lost', 'replica parted', 'failover']
export const TROUBLE_KINDS: readonly TroubleKind[] = [
  'weather',
  'cut',
  'refused',
  'paused',
  'wall clock',
  'killed',
  'drained',
  'store stalls',
  'store down',
  'store clock',
]

/** A clock of the store that is a little off is nothing that a call may suffer from. */
export const isHarmless = (trouble: Trouble): boolean => trouble.kind === 'store clock' && Math.abs(trouble.byMs) <= 13_000

interface Span {
  readonly startMs: number
  readonly durationMs: number
  readonly replicas: number
}

/** Clocks are far off on one side only, and once: two that agree on a wrong time are believed, and held against all others afterwards. */
export function planTroubles(chance: Chance, kinds: readonly TroubleKind[], span: Span): Trouble[] {
  const farOff = chance.happens(0.4) ? chance.pick(['wall clock', 'store clock'] as const) : null
  return kinds.flatMap(kind => {
    const isAlone = kind === 'store clock' && kind === farOff
    const count = isAlone ? 1 : chance.int(1, 3)
    return Array.from({ length: count }, () => someTrouble(chance, kind, span, kind === farOff))
  })
}

function someTrouble(chance: Chance, kind: TroubleKind, { startMs, durationMs, replicas }: Span, farOff: boolean): Trouble {
  const isLong = durationMs > 25_000 && chance.happens(0.4) // longer than a holder may be silent
  const atMs = startMs + 1_000 + Math.floor(chance.fraction() * (isLong ? 5_000 : durationMs - 2_000))
  const leftMs = startMs + durationMs - atMs
  const forMs = Math.min(leftMs, isLong ? chance.int(16_000, 30_000) : Math.floor(chance.spread(50, 10_000)))
  const replica = chance.int(0, replicas - 1)
  switch (kind) {
    case 'weather':
      return { kind, atMs, forMs: leftMs, replica, weather: someWeather(chance) }
    case 'wall clock':
      return { kind, atMs, forMs, replica, byMs: farOff ? chance.pick([-90_000, 90_000, 3_600_000]) : chance.int(-12_000, 12_000) }
    case 'store clock':
      return { kind, atMs, forMs, byMs: farOff ? chance.pick([-100_000, 100_000]) : chance.int(-13_000, 13_000) }
    case 'killed':
    case 'drained':
      return { kind, atMs, forMs: Math.min(leftMs, Math.floor(chance.spread(50, 5_000))), replica }
    case 'store stalls':
    case 'store down':
      return { kind, atMs, forMs }
    case 'scripts lost':
    case 'replica parted':
      return { kind, atMs, forMs }
    case 'failover':
      return { kind, atMs, forMs: Math.min(forMs, 10_000), isOldAlive: chance.happens(0.4) }
    case 'cut':
    case 'refused':
    case 'paused':
      return { kind, atMs, forMs, replica }
  }
}

function someWeather(chance: Chance): Weather {
  return {
    ...FAIR,
    breaks: chance.pick([0, 0.02, 0.1]),
    deaf: chance.pick([0, 0.5, 1]),
    held: chance.pick([0, 0.02, 0.1]),
    holdMs: chance.pick([300, 2_000, 8_000, 75_000, 90_000]), // a tombstone is kept for 60 s
    delayMs: chance.spread(0.3, 30),
  }
}
