// A zone's calendar read off the wall clock that Intl shows, stride by stride and minute by minute. It knows no Temporal and no code of `src/`.

export const MINUTE = 60_000
export const HOUR = 3_600_000
export const DAY = 86_400_000

export type Period = 'Hour' | 'Day' | 'Week' | 'Month' | 'Quarter' | 'Year'

/** What clocks show in a zone over some years. Days are counted from 1970, hours from the same midnight, both on the wall. */
export interface NaiveZone {
  readonly name: string
  readonly fromMs: number
  readonly toMs: number
  /** The minutes at which the clocks jump. */
  readonly jumps: readonly number[]
  /** The starts of all windows of a period, ascending; the last one only ends the one before it. */
  starts(period: Exclude<Period, 'Hour'>, anchorDay: number): readonly number[]
  /** The hour that holds an instant: walked minute by minute. */
  hour(ms: number): readonly [number, number]
}

/** The wall clock of a zone, as if it were UTC; to the second. */
type Wall = (ms: number) => number

const STRIDE = 12 * HOUR

/** Reads a zone from one instant to another, both whole minutes. */
export function readZone(name: string, fromMs: number, toMs: number): NaiveZone {
  const wall = wallOf(name)
  const jumps = jumpsOf(wall, fromMs, toMs)
  const { firstDay, dayStarts } = daysOf(wall, jumps, fromMs, toMs)
  const known = new Map<string, readonly number[]>()
  return {
    name,
    fromMs,
    toMs,
    jumps,
    starts: (period, anchorDay) => {
      const key = `${period} ${anchorDay}`
      const starts = known.get(key) ?? startsOf(period, anchorDay, firstDay, dayStarts)
      known.set(key, starts)
      return starts
    },
    hour: ms => hourOf(wall, ms),
  }
}

/** The window among `starts` that holds an instant; null outside of them. */
export function windowOf(starts: readonly number[], ms: number): readonly [number, number] | null {
  let [low, high] = [0, starts.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((starts[middle] ?? Number.POSITIVE_INFINITY) <= ms) low = middle + 1
    else high = middle
  }
  const [start, end] = [starts[low - 1], starts[low]]
  return start === undefined || end === undefined ? null : [start, end]
}

function wallOf(timeZone: string): Wall {
  const two = '2-digit'
  const format = new Intl.DateTimeFormat('en-US', {
    ...{ timeZone, calendar: 'gregory', numberingSystem: 'latn', hourCycle: 'h23' },
    ...{ year: 'numeric', month: two, day: two, hour: two, minute: two, second: two },
  })
  return ms => {
    const shown = format.format(ms) // 05/14/2026, 10:15:00
    const at = (from: number, to: number): number => Number(shown.slice(from, to))
    return Date.UTC(at(6, 10), at(0, 2) - 1, at(3, 5), at(12, 14), at(15, 17), at(18, 20))
  }
}

/** Strides where the wall keeps pace hold no jump; in the others every minute is looked at. */
function jumpsOf(wall: Wall, fromMs: number, toMs: number): number[] {
  const jumps: number[] = []
  let shown = wall(fromMs)
  for (let ms = fromMs; ms < toMs; ms += STRIDE) {
    const next = wall(ms + STRIDE)
    if (next - shown !== STRIDE) {
      for (let minute = ms + MINUTE; minute <= ms + STRIDE; minute += MINUTE) {
        const pace = wall(minute) - shown
        if (pace !== MINUTE) jumps.push(minute)
        shown += pace
      }
    }
    shown = next
  }
  return jumps
}

/** The first instant at which the zone shows each day or a later one: days that are skipped start where the next one does. */
function daysOf(wall: Wall, jumps: readonly number[], fromMs: number, toMs: number): { firstDay: number; dayStarts: number[] } {
  const firstDay = dayOf(wall(fromMs)) + 1
  const dayStarts: number[] = []
  for (const [index, from] of [fromMs, ...jumps].entries()) {
    const until = jumps[index] ?? toMs
    const ahead = wall(from) - from
    // Days that were shown before, and are shown again by clocks that went back over midnight, have started already.
    for (let day = firstDay + dayStarts.length; day * DAY - ahead < until; day += 1) dayStarts.push(Math.max(from, day * DAY - ahead))
  }
  return { firstDay, dayStarts }
}

function startsOf(period: Period, anchorDay: number, firstDay: number, dayStarts: readonly number[]): number[] {
  const starts: number[] = []
  for (const [index, startMs] of dayStarts.entries()) {
    if (begins(period, anchorDay, firstDay + index) && starts.at(-1) !== startMs) starts.push(startMs)
  }
  return starts
}

function begins(period: Period, anchorDay: number, day: number): boolean {
  const { month, dayOfMonth, dayOfWeek, isLastOfMonth } = dateOf(day)
  const isAnchor = dayOfMonth === anchorDay || (isLastOfMonth && dayOfMonth < anchorDay)
  switch (period) {
    case 'Week':
      return dayOfWeek === 1
    case 'Month':
      return isAnchor
    case 'Quarter':
      return isAnchor && month % 3 === 0
    case 'Year':
      return isAnchor && month === 0
    default:
      return true
  }
}

interface CalendarDate {
  readonly month: number
  readonly dayOfMonth: number
  readonly dayOfWeek: number
  readonly isLastOfMonth: boolean
}

const dates: CalendarDate[] = []
/** The date of a day, which is the same in every zone. */
function dateOf(day: number): CalendarDate {
  const known = dates[day]
  if (known !== undefined) return known
  const date = new Date(day * DAY)
  const month = date.getUTCMonth()
  const isLastOfMonth = new Date((day + 1) * DAY).getUTCMonth() !== month
  const found = { month, dayOfMonth: date.getUTCDate(), dayOfWeek: date.getUTCDay(), isLastOfMonth }
  dates[day] = found
  return found
}

/** Minutes belong together while the wall shows the same hour and does not jump: a repeated hour counts twice. */
function hourOf(wall: Wall, ms: number): readonly [number, number] {
  const label = (at: number): string => {
    const shown = wall(at)
    return `${Math.floor(shown / HOUR)} ${shown - at}`
  }
  let start = Math.floor(ms / MINUTE) * MINUTE
  const here = label(start)
  let end = start + MINUTE
  while (label(end) === here) end += MINUTE
  while (label(start - MINUTE) === here) start -= MINUTE
  return [start, end]
}

const dayOf = (wallMs: number): number => Math.floor(wallMs / DAY)
