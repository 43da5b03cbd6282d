// One watch of a resource: its events until it ends, and what its end means. Nothing is remembered between two watches.

import { WATCH_GOOD_MS, WATCH_LINE_BYTES_MAX, WATCH_SECONDS_MAX, WATCH_SECONDS_MIN } from '../limits.ts'
import type { Clock, Random } from '../ports.ts'
import type { Api } from './api.ts'
import { brokenBy, type Failure, failureOf } from './failure.ts'
import { linesOf } from './lines.ts'
import { isRawObject, type RawObject } from './raw-object.ts'

export interface WatchEvents {
  /** The server has agreed to tell. */
  opened(): void
  put(object: RawObject): void
  deleted(object: RawObject): void
}

export interface WatchOptions {
  readonly clock: Clock
  readonly random: Random
  /** For how long the server may be silent, in ms. */
  readonly idleMs: number
  readonly signal: AbortSignal
}

export type WatchEnd =
  /** It ended as watches do. */
  | { readonly kind: 'ended' }
  /** What came after the version is forgotten: everything must be listed again. */
  | { readonly kind: 'gone' }
  | Failure

export interface WatchOutcome {
  readonly end: WatchEnd
  /** Where the next watch goes on from. */
  readonly version: string
  /** Whether it told anything, or lived for a while. */
  readonly wasGood: boolean
}

/** Watches `path` from `version` on until the watch ends, however it does. */
export async function watch(api: Api, path: string, version: string, events: WatchEvents, options: WatchOptions): Promise<WatchOutcome> {
  const seconds = WATCH_SECONDS_MIN + Math.floor(options.random.fraction() * (WATCH_SECONDS_MAX - WATCH_SECONDS_MIN))
  const query = `watch=1&allowWatchBookmarks=true&resourceVersion=${encodeURIComponent(version)}&timeoutSeconds=${seconds}`
  const openedMs = options.clock.monotonicMs()
  const reading = { version, told: false }
  const end = await read(api, path, query, reading, events, options)
  return { end, version: reading.version, wasGood: reading.told || options.clock.monotonicMs() - openedMs >= WATCH_GOOD_MS }
}

async function read(
  api: Api,
  path: string,
  query: string,
  reading: { version: string; told: boolean },
  events: WatchEvents,
  { idleMs, signal }: WatchOptions,
): Promise<WatchEnd> {
  try {
    const answer = await api.get(`${path}?${query}`, { idleMs, signal })
    if (answer.status !== 200) {
      const failure = await failureOf(answer)
      return answer.status === 410 ? { kind: 'gone' } : failure
    }
    events.opened()
    for await (const line of linesOf(answer.body, WATCH_LINE_BYTES_MAX)) {
      const event = JSON.parse(line) as { readonly type?: unknown; readonly object?: unknown }
      if (event.type === 'ERROR') return endOf(event.object)
      if (!isRawObject(event.object) && event.type !== 'BOOKMARK') continue
      const { metadata } = event.object as RawObject
      if (event.type === 'DELETED') events.deleted(event.object as RawObject)
      else if (event.type !== 'BOOKMARK') events.put(event.object as RawObject)
      reading.version = metadata.resourceVersion
      reading.told = true
    }
    return { kind: 'ended' }
  } catch (error) {
    return brokenBy(error)
  }
}

/** An error comes inside of a stream that began with 200, as a Status. */
function endOf(status: unknown): WatchEnd {
  const { code, message } = (status ?? {}) as { code?: unknown; message?: unknown }
  if (code === 410) return { kind: 'gone' }
  return { ...brokenBy(`${code} ${message}`), status: typeof code === 'number' ? code : null }
}
