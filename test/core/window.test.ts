// Windows against a naive calendar: it asks Intl for the wall clock, walks days and minutes, and knows nothing of Temporal.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type CalendarPeriod,
  isTimeZone,
  type Window,
  type WindowSpec,
  windowAt,
  windowClock,
  windowSpecText,
  windowText,
} from '../../src/core/window.ts'

const MINUTE = 60_000
const DAY = 86_400_000

/** Zones that change at midnight, by half an hour, at 00:01, over the date line, in the south, never, or in Ramadan; whole and odd offsets. */
const ZONES = [
  'UTC',
  'America/New_York',
  'America/St_Johns',
  'America/Sao_Paulo',
  'America/Santiago',
  'America/Asuncion',
  'America/Havana',
  'America/Caracas',
  'Europe/London',
  'Europe/Berlin',
  'Africa/Cairo',
  'Africa/Casablanca',
  'Atlantic/Azores',
  'Asia/Beirut',
  'Asia/Kolkata',
  'Asia/Kathmandu',
  'Asia/Tehran',
  'Asia/Gaza',
  'Asia/Pyongyang',
  'Australia/Adelaide',
  'Australia/Lord_Howe',
  'Pacific/Apia',
  'Pacific/Chatham',
  'Pacific/Kiritimati',
]

const PERIODS = ['Hour', 'Day', 'Week', 'Month', 'Quarter', 'Year'] as const

const spec = (period: CalendarPeriod, timeZone: string, anchorDay = 1): WindowSpec => ({ kind: 'calendar', period, timeZone, anchorDay })

function spanOf(of: WindowSpec, ms: number): { startMs: number; endMs: number } {
  const window = windowAt(of, ms)
  if (window.kind !== 'calendar') throw new Error('a calendar spec has a calendar window')
  return window
}

const formats = new Map<string, Intl.DateTimeFormat>()
/** The wall clock of a zone, as if it were UTC. */
function wallMs(timeZone: string, ms: number): number {
  let format = formats.get(timeZone)
  if (format === undefined) {
    const numeric = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' } as const
    format = new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', calendar: 'gregory', ...numeric })
    formats.set(timeZone, format)
  }
  const part = new Map(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]))
  const at = (name: Intl.DateTimeFormatPartTypes): number => part.get(name) ?? Number.NaN
  return Date.UTC(at('year'), at('month') - 1, at('day'), at('hour'), at('minute'), at('second')) + (((ms % 1_000) + 1_000) % 1_000)
}

const dayOf = (wall: number): number => Math.floor(wall / DAY)

const starts = new Map<string, number>()
/** The first minute at which a zone's calendar shows `day` (days since 1970) or a later one. */
function naiveDayStart(timeZone: string, day: number): number {
  const name = `${timeZone} ${day}`
  const known = starts.get(name)
  if (known !== undefined) return known
  const reached = (ms: number): boolean => dayOf(wallMs(timeZone, ms)) >= day
  let ms = day * DAY - 16 * 60 * MINUTE
  expect(reached(ms)).toBe(false)
  while (!reached(ms + 15 * MINUTE)) ms += 15 * MINUTE
  while (!reached(ms)) ms += MINUTE
  starts.set(name, ms)
  return ms
}

function begins(period: CalendarPeriod, anchorDay: number, day: number): boolean {
  const date = new Date(day * DAY)
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
  const lastDay = new Date(Date.UTC(year, month + 1, 0)).getUTCDate()
  const anchored = date.getUTCDate() === Math.min(anchorDay, lastDay)
  switch (period) {
    case 'Week':
      return date.getUTCDay() === 1
    case 'Month':
      return anchored
    case 'Quarter':
      return anchored && month % 3 === 0
    case 'Year':
      return anchored && month === 0
    default:
      return true
  }
}

/** Walks days backward and forward to where the period begins; where a date comes twice, it begins with its first minute. */
function naiveWindow(period: Exclude<CalendarPeriod, 'Hour'>, timeZone: string, anchorDay: number, ms: number): [number, number] {
  let first = dayOf(wallMs(timeZone, ms)) + 1
  while (!begins(period, anchorDay, first) || naiveDayStart(timeZone, first) > ms) first -= 1
  let next = first + 1
  while (!begins(period, anchorDay, next)) next += 1
  const [start, end] = [naiveDayStart(timeZone, first), naiveDayStart(timeZone, next)]
  return ms < end ? [start, end] : naiveWindow(period, timeZone, anchorDay, end + DAY / 2 > ms ? ms + DAY : ms)
}

/** Walks minutes while the wall clock shows the same hour and the zone keeps its offset. */
function naiveHour(timeZone: string, ms: number): [number, number] {
  const label = (at: number): string => {
    const wall = wallMs(timeZone, at)
    return `${Math.floor(wall / 3_600_000)} ${wall - at}`
  }
  const minute = Math.floor(ms / MINUTE) * MINUTE
  const here = label(minute)
  let start = minute
  while (label(start - MINUTE) === here) start -= MINUTE
  let end = minute + MINUTE
  while (label(end) === here) end += MINUTE
  return [start, end]
}

/** The minutes at which the zone's offset changes between two instants. */
function transitions(timeZone: string, fromMs: number, toMs: number): number[] {
  const offset = (ms: number): number => wallMs(timeZone, ms) - ms
  const found: number[] = []
  for (let ms = fromMs; ms < toMs; ms += DAY / 2) {
    if (offset(ms) === offset(ms + DAY / 2)) continue
    let [low, high] = [ms, ms + DAY / 2]
    while (high - low > MINUTE) {
      const middle = Math.floor((low + high) / 2 / MINUTE) * MINUTE
      if (offset(middle) === offset(low)) low = middle
      else high = middle
    }
    found.push(high)
  }
  return found
}

const [FROM, TO] = [Date.UTC(2005, 0, 1), Date.UTC(2035, 0, 1)]
const edges = new Map(
  ZONES.map(zone => [
    zone,
    transitions(zone, Date.UTC(2009, 0, 1), Date.UTC(2012, 6, 1)).concat(transitions(zone, Date.UTC(2024, 0, 1), Date.UTC(2028, 0, 1))),
  ]),
)

/** An instant of a zone: anywhere, or near a change of its clocks. */
const instant = (zone: string): fc.Arbitrary<number> => {
  const anywhere = fc.integer({ min: FROM, max: TO })
  const near = edges.get(zone) ?? []
  if (near.length === 0) return anywhere
  return fc.oneof(
    anywhere,
    fc.tuple(fc.constantFrom(...near), fc.integer({ min: -30 * 60, max: 30 * 60 })).map(([at, by]) => at + by * MINUTE + 7),
  )
}
const anchorDay = fc.oneof(fc.constantFrom(1, 28, 29, 30, 31), fc.integer({ min: 1, max: 31 }))

describe.each(ZONES)('%s', zone => {
  it.each(PERIODS)('%s windows are the naive ones', period => {
    fc.assert(
      fc.property(instant(zone), anchorDay, (ms, anchor) => {
        const { startMs, endMs } = spanOf(spec(period, zone, anchor), ms)
        expect([startMs, endMs]).toEqual(period === 'Hour' ? naiveHour(zone, ms) : naiveWindow(period, zone, anchor, ms))
      }),
      { numRuns: period === 'Year' || period === 'Quarter' ? 12 : 25 },
    )
  })

  it('windows follow each other without gap or overlap', () => {
    fc.assert(
      fc.property(instant(zone), anchorDay, fc.constantFrom(...PERIODS), (ms, anchor, period) => {
        const of = spec(period, zone, anchor)
        const { startMs, endMs } = spanOf(of, ms)
        expect(startMs <= ms && ms < endMs).toBe(true)
        for (const inside of [startMs, endMs - 1, Math.floor((startMs + endMs) / 2)])
          expect(spanOf(of, inside)).toMatchObject({ startMs, endMs })
        expect(spanOf(of, endMs).startMs).toBe(endMs)
        expect(spanOf(of, startMs - 1).endMs).toBe(startMs)
      }),
      { numRuns: 60 },
    )
  })
})

describe('known instants', () => {
  it.each<[string, WindowSpec, string, string, string]>([
    ['a day of 23 h', spec('Day', 'America/New_York'), '2026-03-08T12:00Z', '2026-03-08T05:00Z', '2026-03-09T04:00Z'],
    ['a day of 25 h', spec('Day', 'America/New_York'), '2026-11-01T12:00Z', '2026-11-01T04:00Z', '2026-11-02T05:00Z'],
    ['a leap day', spec('Day', 'UTC'), '2028-02-29T23:59Z', '2028-02-29T00:00Z', '2028-03-01T00:00Z'],
    ['a week from Monday', spec('Week', 'UTC'), '2026-11-22T23:59Z', '2026-11-16T00:00Z', '2026-11-23T00:00Z'],
    ['the 31st in February', spec('Month', 'UTC', 31), '2026-02-28T00:00Z', '2026-02-28T00:00Z', '2026-03-31T00:00Z'],
    ['the 31st before it in February', spec('Month', 'UTC', 31), '2026-02-27T23:59Z', '2026-01-31T00:00Z', '2026-02-28T00:00Z'],
    ['the 30th in a leap February', spec('Month', 'UTC', 30), '2028-02-29T00:00Z', '2028-02-29T00:00Z', '2028-03-30T00:00Z'],
    ['the 15th, before it', spec('Month', 'America/New_York', 15), '2026-01-10T00:00Z', '2025-12-15T05:00Z', '2026-01-15T05:00Z'],
    ['a quarter', spec('Quarter', 'UTC'), '2026-06-30T23:59Z', '2026-04-01T00:00Z', '2026-07-01T00:00Z'],
    ['a quarter from the 15th, before it', spec('Quarter', 'UTC', 15), '2026-01-14T00:00Z', '2025-10-15T00:00Z', '2026-01-15T00:00Z'],
    ['a year from the 31st', spec('Year', 'UTC', 31), '2026-01-30T00:00Z', '2025-01-31T00:00Z', '2026-01-31T00:00Z'],
    ['an hour of Kathmandu', spec('Hour', 'Asia/Kathmandu'), '2026-05-14T10:20Z', '2026-05-14T10:15Z', '2026-05-14T11:15Z'],
    ['an hour repeated', spec('Hour', 'Europe/Berlin'), '2026-10-25T01:30Z', '2026-10-25T01:00Z', '2026-10-25T02:00Z'],
    [
      'the half hour before Lord Howe turns back',
      spec('Hour', 'Australia/Lord_Howe'),
      '2026-04-04T14:45Z',
      '2026-04-04T14:00Z',
      '2026-04-04T15:00Z',
    ],
    [
      'the half hour that Lord Howe repeats',
      spec('Hour', 'Australia/Lord_Howe'),
      '2026-04-04T15:05Z',
      '2026-04-04T15:00Z',
      '2026-04-04T15:30Z',
    ],
    ['a day that starts at one', spec('Day', 'Asia/Beirut'), '2026-03-29T12:00Z', '2026-03-28T22:00Z', '2026-03-29T21:00Z'],
    ['the day before a day that never was', spec('Day', 'Pacific/Apia'), '2011-12-30T00:00Z', '2011-12-29T10:00Z', '2011-12-30T10:00Z'],
    [
      'the hour before midnight that came twice',
      spec('Day', 'America/St_Johns'),
      '2010-11-07T03:00Z',
      '2010-11-07T02:30Z',
      '2010-11-08T03:30Z',
    ],
  ])('%s', (_, of, at, start, end) => {
    expect(spanOf(of, Date.parse(at))).toEqual({ kind: 'calendar', startMs: Date.parse(start), endMs: Date.parse(end) })
  })
})

it('remembers the last window, and is right before and after it', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...ZONES),
      fc.constantFrom(...PERIODS),
      fc.array(fc.integer({ min: -90 * DAY, max: 90 * DAY }), { maxLength: 20 }),
      (zone, period, steps) => {
        const of = spec(period, zone)
        const clock = windowClock(of)
        for (const step of steps) expect(clock(Date.UTC(2026, 4, 14) + step)).toEqual(windowAt(of, Date.UTC(2026, 4, 14) + step))
      },
    ),
  )
})

it('names windows and specs so that different ones have different texts', () => {
  const windows: Window[] = [
    { kind: 'lifetime' },
    { kind: 'inFlight' },
    { kind: 'sliding', lengthMs: 1_000 },
    { kind: 'sliding', lengthMs: 2_000 },
    { kind: 'calendar', startMs: 0, endMs: 1_000 },
    { kind: 'calendar', startMs: 0, endMs: 2_000 },
    { kind: 'calendar', startMs: 1_000, endMs: 2_000 },
  ]
  expect(new Set(windows.map(windowText)).size).toBe(windows.length)
  const specs: WindowSpec[] = [
    ...PERIODS.flatMap(period => [spec(period, 'UTC'), spec(period, 'UTC', 2), spec(period, 'Europe/Berlin')]),
    { kind: 'sliding', lengthMs: 1_000 },
    { kind: 'sliding', lengthMs: 10_000 },
    { kind: 'lifetime' },
    { kind: 'inFlight' },
  ]
  expect(new Set(specs.map(windowSpecText)).size).toBe(specs.length)
})

describe('time zones', () => {
  it.each(ZONES)('%s is one', zone => expect(isTimeZone(zone)).toBe(true))
  it.each([
    '',
    'Mars/Olympus',
    '+02:00',
    '-05',
    'UTC+2',
    'Europe/Berlin ',
    'Europe/Berlin\n',
    '../etc/passwd',
    'x'.repeat(1_000),
    '[UTC]',
    '2026-01-01T00:00Z[UTC]',
    'Zürich',
  ])('%j is none', zone => expect(isTimeZone(zone)).toBe(false))
})
