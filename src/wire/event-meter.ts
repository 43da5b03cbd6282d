// The meter of an answer that comes as events or lines of JSON: each is scanned as it comes, its format says what that means. Changes no byte.
import type { UsageReading } from '../core/usage.ts'
import type { Meter } from './format.ts'
import type { Place } from './json-place.ts'
import { NdjsonScan } from './ndjson.ts'
import { type EventReader, EventScan } from './sse-scan.ts'

export interface EventAnswer extends EventReader {
  /** What is known so far; `ended`: no more bytes come. */
  reading(ended: boolean): UsageReading
}

/** Server-sent events; `root` is the place of each event's data. */
export const openEventMeter = (root: Place, answer: EventAnswer): Meter => meterOf(new EventScan(root, answer), answer)

/** One document a line. */
export const openLineMeter = (root: Place, answer: EventAnswer): Meter => meterOf(new NdjsonScan(root, answer), answer)

function meterOf(scan: Pick<EventScan, 'push' | 'end'>, answer: EventAnswer): Meter {
  let ended = false
  return {
    push: piece => {
      scan.push(piece)
      return null
    },
    end: () => {
      scan.end()
      ended = true
      return null
    },
    reading: () => answer.reading(ended),
  }
}
