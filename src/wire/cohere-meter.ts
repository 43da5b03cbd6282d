// The meter of Cohere's answers: JSON, server-sent events (version 2), lines of JSON (version 1). Decides when a report is final; changes no byte.

import { type Call, textBytes } from '../core/call.ts'
import type { UsageReading } from '../core/usage.ts'
import { CohereAnswer } from './cohere-answer.ts'
import { openDocumentMeter } from './document-meter.ts'
import { type EventAnswer, openEventMeter, openLineMeter } from './event-meter.ts'
import type { Meter, ResponseHead } from './format.ts'

export function openCohereMeter(call: Call, response: ResponseHead): Meter {
  const type = response.header('content-type')?.toLowerCase() ?? ''
  const lines = type.includes('stream+json') || (call.streaming && !type.includes('json'))
  if (!lines && !type.includes('event-stream')) return jsonMeter(call)
  const events = new Events()
  const open = type.includes('event-stream') ? openEventMeter : openLineMeter
  return open(events.answer.place(call), events)
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
class Events implements EventAnswer {
  readonly answer: CohereAnswer = new CohereAnswer()
  #before = 0
  #done = false
  #failed = false

  /** Nothing follows the report but OpenAI's mark, which is no event of Cohere's. */
  eventBegins(): boolean {
    this.#before = textBytes(this.answer.text)
    this.answer.begin()
    return !this.#done
  }

  eventEnds(): void {
    const { answer } = this
    if (textBytes(answer.text) > this.#before) answer.deltaEvents++
    if (!answer.whole) return
    if (answer.event === 'message-end' || answer.event === 'stream-end') this.#done = answer.reportedHere
    if (answer.event === 'stream-error' || answer.event === 'error') this.#failed = true
  }

  eventUnread(bytes: number): void {
    this.answer.text.addUnread(bytes)
  }

  reading(ended: boolean): UsageReading {
    const { usage } = this.answer
    if (this.#done && usage !== null) return { kind: 'exact', usage }
    const delivered = this.answer.delivered()
    return ended && usage === null && !this.#failed ? { kind: 'absent', delivered } : { kind: 'partial', usage, delivered }
  }
}
