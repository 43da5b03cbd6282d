// The meter of one answer: decodes a copy where it is compressed, passes the client's bytes on at once, and says what was read at its end.
import type { Call } from '../core/call.ts'
import type { UsageReading } from '../core/usage.ts'
import { unreadCall } from '../wire/call-draft.ts'
import type { Format } from '../wire/format.ts'
import type { Ending } from './charge.ts'
import { isIdentity, openDecoder } from './decode.ts'
import type { ResponseInfo } from './exchange.ts'
import { endingAtHead, type WatchedRequest } from './request.ts'

export interface AnswerMeter {
  /** What is known so far. */
  reading(): UsageReading
  /** What the client gets instead of these bytes; null for the bytes as they came. */
  push(piece: Uint8Array, endOfStream: boolean): Uint8Array | null
  /** No more bytes come; `whole` if the answer ended by itself. `done` is called once, at once unless a decoder has work left. */
  finish(whole: boolean, done: (ending: Ending) => void): void
}

/** Null where the answer cannot be read: an encoding that is not known. */
export function openAnswerMeter(format: Format, call: Call, info: ResponseInfo, hideUsage: boolean): AnswerMeter | null {
  const meter = format.openMeter(call, { status: info.status, header: name => info.headers.get(name) }, hideUsage)
  const encoding = info.headers.get('content-encoding')
  const reading = (): UsageReading => placed(meter.reading(), call)
  let ended = false
  const end = (): Uint8Array | null => {
    if (ended) return null
    ended = true
    return meter.end()
  }
  if (isIdentity(encoding)) {
    return {
      reading,
      push: (piece, endOfStream) => {
        const instead = meter.push(piece)
        const rest = endOfStream ? end() : null
        return rest === null ? instead : Buffer.concat([instead ?? piece, rest])
      },
      finish: (whole, done) => {
        if (whole) end()
        done({ kind: 'answered', reading: reading() })
      },
    }
  }
  const decoder = openDecoder(encoding ?? '', piece => meter.push(piece))
  if (decoder === null) return null
  return {
    reading,
    push: piece => {
      decoder.push(piece)
      return null
    },
    finish: (whole, done) => {
      void decoder.end().then(decoded => {
        if (whole) end()
        done(decoded === 'whole' ? { kind: 'answered', reading: reading() } : { kind: 'unread' })
      })
    },
  }
}

/** Most answers do not say where they were made: where they were asked for, then. */
function placed(reading: UsageReading, { regional }: Call): UsageReading {
  if (regional !== true || reading.kind === 'absent' || reading.usage === null || reading.usage.regional !== undefined) return reading
  return { ...reading, usage: { ...reading.usage, regional } }
}

/** Of an answer that is fetched again; null where nothing of it is to be read. */
export function openWatchedMeter({ format, endpoint }: WatchedRequest, info: ResponseInfo): AnswerMeter | null {
  if (endingAtHead(info) !== null || info.endOfStream) return null
  const streaming = /event-stream/.test(info.headers.get('content-type') ?? '')
  return openAnswerMeter(format, unreadCall(format.name, endpoint, streaming), info, false)
}
