// The meter of Cohere's answers: JSON, server-sent events (version 2), lines of JSON (version 1). Decides when a report is final; changes no byte.

import { type Call, textBytes } from '../core/call.ts'
import type { UsageReading } from '../core/usage.ts'
import { CohereAnswer } from './cohere-answer.ts'
import { openDocumentMeter } from './document-meter.ts'
import type { Meter, ResponseHead } from './format.ts'
import { NdjsonScanner } from './ndjson.ts'
import { EventScan } from './sse-scan.ts'

export function openCohereMeter(call: Call, response: ResponseHead): Meter {
  const type = response.header('content-type')?.toLowerCase() ?? ''
  if (type.includes('event-stream')) return new EventMeter(call)
  return type.includes('stream+json') || (call.streaming && !type.includes('json')) ? new LineMeter(call) : jsonMeter(call)
}

function jsonMeter(call: Call): Meter {
  const answer = new CohereAnswer()
  return openDocumentMeter(answer.place(call), ({ ended, broken }) => {
    const { usage, whole, text } = answer
    if (whole && usage !== null && !broken) return { kind: 'exact', usage }
    const delivered = { ...answer.delivered(), deltaEvents: textBytes(text) > 0 ? 1 : 0 }
    return ended ? { kind: 'absent', delivered } : { kind: 'partial', usage: null, delivered }
  })
}

/** Events of a stream, however they are told apart: the last one that reports ends it. */
class Events {
  readonly answer: CohereAnswer = new CohereAnswer()
  #textBefore = 0
  done = false
  #failed = false
  ended = false

  /** One event was scanned. */
  close(): void {
    const { answer } = this
    const text = textBytes(answer.text)
    if (text > this.#textBefore) answer.deltaEvents++
    this.#textBefore = text
    if (answer.whole) {
      if (answer.event === 'message-end' || answer.event === 'stream-end') this.done = answer.reportedHere
      if (answer.event === 'stream-error' || answer.event === 'error') this.#failed = true
    }
    answer.begin()
  }

  /** Bytes of a long event that are no JSON. */
  unread(bytes: number): void {
    this.answer.text.letters += bytes
    this.answer.text.dense += bytes
  }

  reading(): UsageReading {
    const { usage } = this.answer
    if (this.done && usage !== null) return { kind: 'exact', usage }
    const delivered = this.answer.delivered()
    return this.ended && usage === null && !this.#failed ? { kind: 'absent', delivered } : { kind: 'partial', usage, delivered }
  }
}

class EventMeter implements Meter {
  readonly #events = new Events()
  readonly #scan: EventScan

  constructor(call: Call) {
    const events = this.#events
    this.#scan = new EventScan(events.answer.place(call), {
      // Nothing follows the report but OpenAI's mark, which is no event of Cohere's.
      eventBegins: () => !events.done,
      eventEnds: () => events.close(),
      eventUnread: bytes => events.unread(bytes),
    })
  }

  push(piece: Uint8Array): null {
    this.#scan.push(piece)
    return null
  }

  end(): null {
    this.#scan.end()
    this.#events.ended = true
    return null
  }

  reading(): UsageReading {
    return this.#events.reading()
  }
}

class LineMeter implements Meter {
  readonly #events = new Events()
  readonly #lines: NdjsonScanner

  constructor(call: Call) {
    this.#lines = new NdjsonScanner(this.#events.answer.place(call), () => this.#events.close())
  }

  push(piece: Uint8Array): null {
    this.#lines.push(piece)
    return null
  }

  end(): null {
    this.#lines.end()
    this.#events.ended = true
    return null
  }

  reading(): UsageReading {
    return this.#events.reading()
  }
}
