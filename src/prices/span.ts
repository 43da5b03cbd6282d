// Spans of time that prices hold for: from a date on, or some hours of each day (UTC). And when any of them begins or ends.
import type { StartDateConstraint, TimeOfDateConstraint } from '@pydantic/genai-prices'
import { assert } from '../core/assert.ts'

const DAY_MS = 86_400_000

export type Span =
  | { readonly kind: 'always' }
  | { readonly kind: 'from'; readonly startMs: number }
  /** From `startMs` of the day to `endMs`, across midnight where the end is the smaller. */
  | { readonly kind: 'daily'; readonly startMs: number; readonly endMs: number }

export const ALWAYS: Span = { kind: 'always' }

/** Reads the price list's constraint: `start_date` (midnight UTC) or `time_of_date` (with a zone's offset). */
export function spanOf(constraint: StartDateConstraint | TimeOfDateConstraint): Span {
  if (constraint.type === 'time_of_date') {
    return { kind: 'daily', startMs: timeOfDayMs(constraint.start_time), endMs: timeOfDayMs(constraint.end_time) }
  }
  assert(/^\d{4}-\d{2}-\d{2}$/.test(constraint.start_date), `a price starts on a date, not on ${constraint.start_date}`)
  return { kind: 'from', startMs: Date.parse(`${constraint.start_date}T00:00:00Z`) }
}

export function holds(span: Span, nowMs: number): boolean {
  if (span.kind === 'always') return true
  if (span.kind === 'from') return nowMs >= span.startMs
  const time = timeOfDay(nowMs)
  return span.endMs < span.startMs ? time >= span.startMs || time < span.endMs : time >= span.startMs && time < span.endMs
}

/**
 * Numbers the stretches of time in which no price changes: two instants with the same number have the same prices. Cheap, so that
 * what is computed for an instant can be kept for its stretch.
 */
export function stretches(spans: readonly Span[]): (nowMs: number) => number {
  const starts = sorted(spans.flatMap(span => (span.kind === 'from' ? [span.startMs] : [])))
  const times = sorted(spans.flatMap(span => (span.kind === 'daily' ? [span.startMs, span.endMs] : [])))
  const passed = (marks: readonly number[], at: number): number => marks.reduce((count, mark) => (at >= mark ? count + 1 : count), 0)
  return nowMs => passed(starts, nowMs) * (times.length + 1) + passed(times, timeOfDay(nowMs))
}

const timeOfDay = (nowMs: number): number => ((nowMs % DAY_MS) + DAY_MS) % DAY_MS

const sorted = (marks: readonly number[]): readonly number[] => [...new Set(marks)].sort((a, b) => a - b)

function timeOfDayMs(text: string): number {
  const ms = Date.parse(`1970-01-01T${text}`)
  assert(!Number.isNaN(ms), `a time of day with its zone, not ${text}`)
  return timeOfDay(ms)
}
