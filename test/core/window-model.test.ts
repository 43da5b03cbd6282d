// Every calendar window against a naive calendar read off Intl's wall clock, over the years and the zones where calendars go wrong.
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { type WindowSpec, windowAt, windowClock } from '../../src/core/window.ts'
import { DAY, HOUR, MINUTE, type NaiveZone, type Period, readZone, windowOf } from './naive-calendar.ts'

const FROM_MS = Date.UTC(2009, 0, 1)
const TO_MS = Date.UTC(2036, 6, 1)
const ANCHORS = Array.from({ length: 31 }, (_, index) => index + 1)
const PERIODS = ['Hour', 'Day', 'Week', 'Month', 'Quarter', 'Year'] as const

/** Each with what is odd about it. The names of the odd ones come with how often their clocks jump at least in these years. */
const ZONES: readonly (readonly [string, number])[] = [
  ['UTC', 0],
  ['America/New_York', 50],
  ['America/St_Johns', 50], // half-hour offset; until 2011 the clocks changed at one past midnight, back over it
  ['America/Sao_Paulo', 15], // at midnight, until 2019
  ['America/Santiago', 50], // at midnight, in the south
  ['America/Asuncion', 25], // at midnight, in the south, for good since 2024
  ['America/Havana', 50], // at midnight in spring, back to midnight in autumn
  ['America/Caracas', 1], // by half an hour, 2016
  ['America/Nuuk', 40], // on the evening before, and for good by an hour in 2023
  ['America/Scoresbysund', 40], // at midnight and at one in the night, another offset since 2024
  ['Atlantic/Azores', 50], // in spring at midnight
  ['Europe/London', 50],
  ['Europe/Dublin', 50], // in the books its winter is the odd time
  ['Europe/Berlin', 50],
  ['Europe/Istanbul', 10], // summer for good since 2016
  ['Europe/Volgograd', 4],
  ['Africa/Cairo', 25], // at midnight, with years without
  ['Africa/Casablanca', 45], // out of summer time for every Ramadan
  ['Asia/Beirut', 50], // at midnight
  ['Asia/Amman', 20], // at midnight, and from 24:00 to 01:00
  ['Asia/Gaza', 50], // new rules nearly every year
  ['Asia/Tehran', 20], // half-hour offset, at midnight, until 2022
  ['Asia/Kolkata', 0],
  ['Asia/Kathmandu', 0], // 45 minutes
  ['Asia/Pyongyang', 2], // by half an hour, 2015 and 2018
  ['Asia/Almaty', 1], // at midnight, 2024
  ['Australia/Adelaide', 50], // half-hour offset, in the south
  ['Australia/Lord_Howe', 50], // by half an hour
  ['Australia/Eucla', 0], // 45 minutes
  ['Antarctica/Troll', 50], // by two hours
  ['Antarctica/Casey', 8], // by three hours, here and there
  ['Pacific/Chatham', 50], // 45 minutes, in the south
  ['Pacific/Apia', 15], // 30 December 2011 never was
  ['Pacific/Fakaofo', 1], // nor there
  ['Pacific/Norfolk', 20],
  ['Pacific/Kiritimati', 0], // 14 hours ahead
  ['Pacific/Niue', 0],
]

const spec = (period: Period, timeZone: string, anchorDay: number): WindowSpec => ({ kind: 'calendar', period, timeZone, anchorDay })

function spanOf(of: WindowSpec, ms: number): readonly [number, number] {
  const window = windowAt(of, ms)
  if (window.kind !== 'calendar') throw new Error('a calendar spec has a calendar window')
  return [window.startMs, window.endMs]
}

const told = ([start, end]: readonly [number, number]): string => `${new Date(start).toISOString()} to ${new Date(end).toISOString()}`

/** Holds one window of the model against the code: at its first and last instants, and at others within. */
function holds(zone: NaiveZone, period: Period, anchorDay: number, window: readonly [number, number], ...within: readonly number[]): void {
  const [startMs, endMs] = window
  const of = spec(period, zone.name, anchorDay)
  for (const ms of [startMs, endMs - 1, ...within]) {
    const span = spanOf(of, ms)
    if (span[0] !== startMs || span[1] !== endMs)
      expect(told(span), `${period} ${anchorDay} of ${zone.name} at ${new Date(ms).toISOString()}`).toBe(told(window))
  }
}

function naive(zone: NaiveZone, period: Period, anchorDay: number, ms: number): readonly [number, number] {
  const window = period === 'Hour' ? zone.hour(ms) : windowOf(zone.starts(period, anchorDay), ms)
  if (window === null) throw new Error(`the model of ${zone.name} does not reach ${new Date(ms).toISOString()}`)
  return window
}

const anchorDay = fc.oneof(fc.constantFrom(28, 29, 30, 31), fc.integer({ min: 1, max: 31 }))

/** An instant that whole windows of the model surround: anywhere, within a day and a half of a jump, or around a leap day or year's end. */
function instantOf({ jumps }: NaiveZone): fc.Arbitrary<number> {
  const [min, max] = [Date.UTC(2010, 3, 1), Date.UTC(2035, 0, 1)]
  const inside = jumps.filter(ms => ms > min && ms < max)
  const ends = Array.from({ length: 22 }, (_, index) => [Date.UTC(2013 + index, 0, 1), Date.UTC(2013 + index, 1, 29)]).flat()
  const by = fc.integer({ min: -36 * HOUR, max: 36 * HOUR })
  const near = (places: readonly number[]) => fc.tuple(fc.constantFrom(...places), by).map(([ms, off]) => ms + off)
  return fc.oneof(fc.integer({ min, max }), near(ends), ...(inside.length > 0 ? [near(inside), near(inside)] : []))
}

describe.each(ZONES)('%s', (name, jumpsAtLeast) => {
  let zone: NaiveZone
  beforeAll(() => {
    zone = readZone(name, FROM_MS, TO_MS)
  })

  it('the model sees its clocks jump', () => {
    expect(zone.jumps.length).toBeGreaterThanOrEqual(jumpsAtLeast)
  })

  it('every day, week and hour around every jump', () => {
    for (const jump of zone.jumps.filter(ms => ms > FROM_MS + 30 * DAY && ms < TO_MS - 30 * DAY)) {
      for (const at of [jump - DAY, jump - 1, jump, jump + DAY]) holds(zone, 'Day', 1, naive(zone, 'Day', 1, at), at)
      for (const at of [jump - 1, jump]) holds(zone, 'Week', 1, naive(zone, 'Week', 1, at), at)
      let [firstMs, endMs] = zone.hour(jump - HOUR)
      while (firstMs <= jump + HOUR) {
        holds(zone, 'Hour', 1, [firstMs, endMs])
        ;[firstMs, endMs] = zone.hour(endMs)
      }
    }
  })

  it('any window of any instant, and that its neighbours touch it', () => {
    fc.assert(
      fc.property(
        instantOf(zone),
        fc.constantFrom(...PERIODS),
        anchorDay,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (ms, period, on, share) => {
          const window = naive(zone, period, on, ms)
          holds(zone, period, on, window, ms, window[0] + Math.floor((window[1] - 1 - window[0]) * share))
          expect(spanOf(spec(period, name, on), window[1])[0], 'the next begins where it ends').toBe(window[1])
          expect(spanOf(spec(period, name, on), window[0] - 1)[1], 'it begins where the one before ends').toBe(window[0])
        },
      ),
      { numRuns: 100 },
    )
  })
})

describe.each(['UTC', 'America/Santiago'])('%s, all of them', name => {
  it.each(['Month', 'Quarter', 'Year'] as const)('%s from every day of the month', period => {
    const zone = readZone(name, Date.UTC(2014, 0, 1), Date.UTC(2036, 6, 1))
    for (const on of ANCHORS) {
      const starts = zone.starts(period, on)
      expect(starts.length).toBeGreaterThan(20)
      for (const [index, start] of starts.slice(0, -1).entries()) holds(zone, period, on, [start, starts[index + 1] ?? Number.NaN])
    }
  })
})

it('a calendar day that a zone skipped has no window, and one shown twice has one', () => {
  const apia = readZone('Pacific/Apia', Date.UTC(2011, 11, 1), Date.UTC(2012, 1, 1))
  const days = apia.starts('Day', 1)
  const around = days.filter(ms => ms > Date.UTC(2011, 11, 28, 12) && ms < Date.UTC(2012, 0, 1)).map(ms => new Date(ms).toISOString())
  expect(around).toEqual(['2011-12-29T10:00:00.000Z', '2011-12-30T10:00:00.000Z', '2011-12-31T10:00:00.000Z'])
  for (const on of [29, 30, 31]) {
    const [start, end] = naive(apia, 'Month', on, Date.UTC(2012, 0, 10))
    holds(apia, 'Month', on, [start, end])
  }
  const johns = readZone('America/St_Johns', Date.UTC(2010, 9, 1), Date.UTC(2010, 11, 31))
  const [start, end] = naive(johns, 'Day', 1, Date.parse('2010-11-07T03:00Z'))
  expect((end - start) / HOUR).toBe(25)
  holds(johns, 'Day', 1, [start, end])
})

it('a remembered window is the window, however time goes', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...ZONES.map(([name]) => name)),
      fc.constantFrom(...PERIODS),
      anchorDay,
      fc.array(fc.oneof(fc.integer({ min: -90 * DAY, max: 90 * DAY }), fc.integer({ min: -70 * MINUTE, max: 70 * MINUTE })), {
        maxLength: 8,
      }),
      (name, period, on, steps) => {
        const clock = windowClock(spec(period, name, on))
        let ms = Date.UTC(2026, 2, 28)
        for (const step of steps) {
          ms += step
          const [startMs, endMs] = spanOf(spec(period, name, on), ms)
          for (const at of [ms, endMs - 1, endMs, ms, startMs, startMs - 1]) expect(clock(at)).toEqual(windowAt(spec(period, name, on), at))
        }
      },
    ),
    { numRuns: 100 },
  )
})
