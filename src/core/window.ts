// Windows: the span that a budget counts in. Pure: it is told the time, and never reads a clock.
import { Temporal } from 'temporal-polyfill'
import { assert, assertNever } from './assert.ts'

export type CalendarPeriod = 'Hour' | 'Day' | 'Week' | 'Month' | 'Quarter' | 'Year'

/** What a policy declares. `anchorDay` (1 to 31) starts months, quarters and years on that day, or on the last day of a shorter month. */
export type WindowSpec =
  | { readonly kind: 'calendar'; readonly period: CalendarPeriod; readonly timeZone: string; readonly anchorDay: number }
  | { readonly kind: 'sliding'; readonly lengthMs: number }
  | { readonly kind: 'lifetime' }
  | { readonly kind: 'inFlight' }

/** The span that a line counts in: a calendar window is resolved to instants (ms since the epoch, end exclusive). */
export type Window =
  | { readonly kind: 'calendar'; readonly startMs: number; readonly endMs: number }
  | { readonly kind: 'sliding'; readonly lengthMs: number }
  | { readonly kind: 'lifetime' }
  | { readonly kind: 'inFlight' }

/** The window of `spec` that holds the instant `nowMs`. */
export function windowAt(spec: WindowSpec, nowMs: number): Window {
  switch (spec.kind) {
    case 'calendar':
      return calendarWindowAt(spec.period, spec.timeZone, spec.anchorDay, nowMs)
    case 'sliding':
      return { kind: 'sliding', lengthMs: spec.lengthMs }
    case 'lifetime':
    case 'inFlight':
      return { kind: spec.kind }
    default:
      return assertNever(spec)
  }
}

/** The same as {@link windowAt}, remembering the last answer: a calendar window is computed once a window, not once a call. */
export function windowClock(spec: WindowSpec): (nowMs: number) => Window {
  let last: Window | null = null
  return nowMs => {
    if (last === null || (last.kind === 'calendar' && (nowMs < last.startMs || nowMs >= last.endMs))) last = windowAt(spec, nowMs)
    return last
  }
}

/** One canonical text a spec: two specs count in the same balances if and only if their texts are equal. */
export function windowSpecText(spec: WindowSpec): string {
  switch (spec.kind) {
    case 'calendar':
      return `calendar:${spec.period}:${spec.timeZone}:${spec.anchorDay}`
    case 'sliding':
      return `sliding:${spec.lengthMs}`
    case 'lifetime':
    case 'inFlight':
      return spec.kind
    default:
      return assertNever(spec)
  }
}

/** One canonical text a window, the part of a balance's identity that changes with time. */
export function windowText(window: Window): string {
  return window.kind === 'calendar' ? `${window.startMs}-${window.endMs}` : window.kind === 'sliding' ? `~${window.lengthMs}` : window.kind
}

/** Whether `name` is a time zone that calendar windows can be counted in: IANA names, spelt as they are there; no bare offsets. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+\-/]{0,63}$/.test(name)) return false
  try {
    return Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name).timeZoneId === name
  } catch {
    return false
  }
}

function calendarWindowAt(period: CalendarPeriod, timeZone: string, anchorDay: number, nowMs: number): Window {
  const now = Temporal.Instant.fromEpochMilliseconds(nowMs).toZonedDateTimeISO(timeZone)
  if (period === 'Hour') return hourWindowAt(now)
  let start = periodStart(period, now.toPlainDate(), anchorDay)
  let next = periodNext(period, start, anchorDay)
  // Clocks that go back over midnight show the day before once more: a window begins with the first midnight, and does not come back.
  if (dayStartMs(next, timeZone) <= nowMs) [start, next] = [next, periodNext(period, next, anchorDay)]
  const window = { kind: 'calendar', startMs: dayStartMs(start, timeZone), endMs: dayStartMs(next, timeZone) } as const
  assert(window.startMs <= nowMs && nowMs < window.endMs, `the ${period} of ${timeZone} holds the instant it was computed from`)
  return window
}

/**
 * Wall-clock hours: aligned to the zone's offset, so that half-hour zones start at their own full hours. A repeated hour counts twice,
 * and where the clocks change within an hour it ends there, so that no instant lies in two windows.
 */
function hourWindowAt(now: Temporal.ZonedDateTime): Window {
  const hourMs = 3_600_000
  const offsetMs = now.offsetNanoseconds / 1_000_000
  const alignedMs = Math.floor((now.epochMilliseconds + offsetMs) / hourMs) * hourMs - offsetMs
  const [firstMs, lastMs] = [alignedMs, alignedMs + hourMs - 1]
  const keepsOffset = (ms: number): boolean => offsetAtMs(now.timeZoneId, ms) === now.offsetNanoseconds
  // Changes are looked up only where there is one: the search for them may take long.
  const startMs = keepsOffset(firstMs)
    ? alignedMs
    : (now.add({ milliseconds: 1 }).getTimeZoneTransition('previous')?.epochMilliseconds ?? alignedMs)
  const endMs = keepsOffset(lastMs) ? alignedMs + hourMs : (now.getTimeZoneTransition('next')?.epochMilliseconds ?? alignedMs + hourMs)
  return { kind: 'calendar', startMs, endMs }
}

const offsetAtMs = (timeZone: string, ms: number): number =>
  Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(timeZone).offsetNanoseconds

function periodStart(period: Exclude<CalendarPeriod, 'Hour'>, day: Temporal.PlainDate, anchorDay: number): Temporal.PlainDate {
  switch (period) {
    case 'Day':
      return day
    case 'Week':
      return day.subtract({ days: day.dayOfWeek - 1 })
    case 'Month':
    case 'Quarter':
    case 'Year': {
      const months = MONTHS[period]
      const thisMonth = day.with({ day: 1 })
      const first = thisMonth.subtract({ months: (day.month - 1) % months })
      const start = anchored(first, anchorDay)
      return Temporal.PlainDate.compare(start, day) <= 0 ? start : anchored(first.subtract({ months }), anchorDay)
    }
    default:
      return assertNever(period)
  }
}

function periodNext(period: Exclude<CalendarPeriod, 'Hour'>, start: Temporal.PlainDate, anchorDay: number): Temporal.PlainDate {
  if (period === 'Day') return start.add({ days: 1 })
  if (period === 'Week') return start.add({ days: 7 })
  return anchored(start.with({ day: 1 }).add({ months: MONTHS[period] }), anchorDay)
}

const MONTHS = { Month: 1, Quarter: 3, Year: 12 } as const

const anchored = (firstOfMonth: Temporal.PlainDate, anchorDay: number): Temporal.PlainDate =>
  firstOfMonth.with({ day: Math.min(anchorDay, firstOfMonth.daysInMonth) })

/** The first instant of a day in a zone: not always midnight (some zones change their clocks then). */
const dayStartMs = (day: Temporal.PlainDate, timeZone: string): number => day.toZonedDateTime(timeZone).epochMilliseconds
