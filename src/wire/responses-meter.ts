// The meter of Responses answers, JSON or a stream of events. Decides when a report is final; passes every byte on as it is.

import type { Call } from '../core/call.ts'
import type { UsageReading } from '../core/usage.ts'
import { openDocumentMeter } from './document-meter.ts'
import type { Meter, ResponseHead } from './format.ts'
import { isEventStream } from './openai-meter.ts'
import { ResponsesAnswer } from './responses-answer.ts'
import { type EventReader, EventScan } from './sse-scan.ts'

export const openResponsesMeter = (call: Call, response: ResponseHead): Meter =>
  isEventStream(call, response) ? new StreamMeter(call) : jsonMeter(call)

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

class StreamMeter implements Meter, EventReader {
  readonly #asked: string
  readonly #answer = new ResponsesAnswer()
  readonly #events = new EventScan(this.#answer.eventPlace(), this)
  /** The event that ends the response came. */
  #over = false
  #ended = false
  #error = false
  #before = 0

  constructor(call: Call) {
    this.#asked = call.models[0] ?? ''
  }

  push(piece: Uint8Array): null {
    this.#events.push(piece)
    return null
  }

  end(): null {
    this.#events.end()
    this.#ended = true
    return null
  }

  reading(): UsageReading {
    const { usage } = this.#answer
    const fetchable = fetchableAs(this.#answer)
    if (this.#over && usage !== null) return { kind: 'exact', usage, ...fetchable }
    const delivered = this.#answer.delivered(this.#asked)
    const whole = (this.#over || this.#ended) && !this.#error && usage === null
    return whole ? { kind: 'absent', delivered, ...fetchable } : { kind: 'partial', usage, delivered, ...fetchable }
  }

  eventBegins(): boolean {
    if (this.#over) return false
    this.#before = this.#answer.deliveredBytes
    this.#answer.begin()
    return true
  }

  eventUnread(bytes: number): void {
    this.#answer.text.letters += bytes
    this.#answer.text.dense += bytes
  }

  eventEnds(): void {
    const answer = this.#answer
    if (answer.deliveredBytes > this.#before) answer.deltaEvents++
    if (!answer.whole) return
    if (answer.type === 'error') this.#error = true
    if (TERMINAL.includes(answer.type)) this.#over = true
  }
}
