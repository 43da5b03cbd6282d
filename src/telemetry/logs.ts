// Logs: JSON lines by pino. Refusals are summed up once a second by reason, never a line each; no body, key or header value comes here.
import { type DestinationStream, type Logger, pino } from 'pino'

export type Log = Logger

/** Writes to stdout unless told otherwise. */
export function createLog(level: string, destination: DestinationStream = pino.destination(1)): Log {
  const formatters = { level: (label: string) => ({ level: label }) }
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters }, destination)
}

export interface RefusalSums {
  add(reason: string): void
  stop(): void
}

const EVERY_MS = 1_000

export function sumRefusals(log: Log): RefusalSums {
  let counts = new Map<string, number>()
  const flush = (): void => {
    if (counts.size === 0) return
    log.info({ refused: Object.fromEntries(counts) }, 'refusals')
    counts = new Map()
  }
  const timer = setInterval(flush, EVERY_MS)
  timer.unref()
  return {
    add: reason => counts.set(reason, (counts.get(reason) ?? 0) + 1),
    stop: () => {
      clearInterval(timer)
      flush()
    },
  }
}
