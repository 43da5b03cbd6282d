// Windows at instants known by heart, their texts, and what is a time zone; `window-model.test.ts` holds all the rest of the calendar.
import { describe, expect, it } from 'vitest'
import {
  type CalendarPeriod,
  isTimeZone,
  type Window,
  type WindowSpec,
  windowAt,
  windowSpecText,
  windowText,
} from '../../src/core/window.ts'

const PERIODS = ['Hour', 'Day', 'Week', 'Month', 'Quarter', 'Year'] as const

const spec = (period: CalendarPeriod, timeZone: string, anchorDay = 1): WindowSpec => ({ kind: 'calendar', period, timeZone, anchorDay })

function spanOf(of: WindowSpec, ms: number): { startMs: number; endMs: number } {
  const window = windowAt(of, ms)
  if (window.kind !== 'calendar') throw new Error('a calendar spec has a calendar window')
  return window
}

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
  it.each(['UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires', 'Etc/GMT+5', 'EST5EDT'])('%s is one', zone =>
    expect(isTimeZone(zone)).toBe(true),
  )
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
