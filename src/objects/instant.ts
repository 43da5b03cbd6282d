// Instants and durations as objects write them. Never guesses: what is not exactly of the form is refused.
import type { LimitVersion } from '../core/budget.ts'

const RFC_3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.\d{1,9})?(?:[Zz]|[+-](\d{2}):(\d{2}))$/

/** Whether `text` is an RFC 3339 instant on a day that exists (no leap seconds). */
export function isInstant(text: string): boolean {
  const match = RFC_3339.exec(text)
  if (match === null) return false
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, zoneHour = 0, zoneMinute = 0] = match
    .slice(1)
    .map(part => Number(part ?? 0))
  const lastDay = new Date(Date.UTC(year, month, 0)).getUTCDate()
  return (
    month >= 1 && month <= 12 && day >= 1 && day <= lastDay && hour < 24 && minute < 60 && second < 60 && zoneHour < 24 && zoneMinute < 60
  )
}

/** Ms since the epoch of what {@link isInstant} accepts. */
export const instantMs = (text: string): number => Date.parse(text.toUpperCase())

/** Of a cluster the creation of an object; files only know their last change. */
export const bornMs = ({ createdMs, generation }: LimitVersion): number => (createdMs === 0 ? generation : createdMs)

const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 }

/** Ms of a duration such as `1m`, `90s` or `1h30m` (the form of GEP-2257). NaN for anything else. */
export function durationMs(text: string): number {
  if (!/^([0-9]{1,5}(h|m|s|ms)){1,4}$/.test(text)) return Number.NaN
  return [...text.matchAll(/([0-9]+)(h|ms|m|s)/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * (UNIT_MS[unit ?? ''] ?? Number.NaN),
    0,
  )
}
