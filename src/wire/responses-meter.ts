// The meter of Responses answers, JSON or a stream of events. Decides when a report is final; passes every byte on as it is.

import type { Call } from '../core/call.ts'
import type { UsageReading } from '../core/usage.ts'
import { openDocumentMeter } from './document-meter.ts'
import { type EventAnswer, openEventMeter } from './event-meter.ts'
import type { Meter, ResponseHead } from './format.ts'
import { isEventStream } from './openai-meter.ts'
import { ResponsesAnswer } from './responses-answer.ts'

export const openResponsesMeter = (call: Call, response: ResponseHead): Meter =>
  isEventStream(call, response) ? streamMeter(call) : jsonMeter(call)

/** The events that end a response; each carries it whole. */
const TERMINAL: readonly string[] = ['response.completed', 'response.incomplete', 'response.failed', 'response.cancelled']

function jsonMeter(call: Call): Meter {
  const answer = new ResponsesAnswer()
  return openDocumentMeter(answer.responsePlace(), ({ ended, broken }) => {
    const { usage, whole, deliveredBytes } = answer
    const fetchable = fetchableAs(answer)
    if (whole && usage !== null && !broken) return { kind: 'exact', usage, ...fetchable }
    const delivered = { ...answer.delivered(call.models[0] ?? ''), deltaEvents: deliveredBytes > 0 ? 1 : 0 }
    return ended ? { kind: 'absent', delivered, ...fetchable } : { kind: 'partial', usage: null, delivered, ...fetchable }
  })
}

/** Under its id a response can be fetched again, as long as the provider keeps it. */
const fetchableAs = ({ id }: ResponsesAnswer): { readonly answerId?: string } => (id === null ? {} : { answerId: id })

function streamMeter(call: Call): Meter {
  const answer = new ResponsesAnswer()
  return openEventMeter(answer.eventPlace(), new Events(call.models[0] ?? '', answer))
}

class Events implements EventAnswer {
  readonly #asked: string
  readonly #answer: ResponsesAnswer
  /** The event that ends the response came. */
  #over = false
  #error = false
  #before = 0

  constructor(asked: string, answer: ResponsesAnswer) {
    this.#asked = asked
    this.#answer = answer
  }

  reading(ended: boolean): UsageReading {
    const { usage } = this.#answer
    const fetchable = fetchableAs(this.#answer)
    if (this.#over && usage !== null) return { kind: 'exact', usage, ...fetchable }
    const delivered = this.#answer.delivered(this.#asked)
    const whole = (this.#over || ended) && !this.#error && usage === null
    return whole ? { kind: 'absent', delivered, ...fetchable } : { kind: 'partial', usage, delivered, ...fetchable }
  }

  eventBegins(): boolean {
    if (this.#over) return false
    this.#before = this.#answer.deliveredBytes
    this.#answer.begin()
    return true
  }

  eventUnread(bytes: number): void {
    this.#answer.text.addUnread(bytes)
  }

  eventEnds(): void {
    const answer = this.#answer
    if (answer.deliveredBytes > this.#before) answer.deltaEvents++
    if (!answer.whole) return
    if (answer.type === 'error') this.#error = true
    if (TERMINAL.includes(answer.type)) this.#over = true
  }
}
