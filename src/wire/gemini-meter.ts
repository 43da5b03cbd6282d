// The meter of Gemini answers: one document, a list of chunks, or a stream of events. Decides when a report is final; passes every byte on as it is.
import type { Call } from '../core/call.ts'
import type { UsageReading } from '../core/usage.ts'
import { openDocumentMeter } from './document-meter.ts'
import type { Meter, ResponseHead } from './format.ts'
import { GeminiAnswer } from './gemini-answer.ts'
import { isEventStream } from './openai-meter.ts'
import { hidesReasoning } from './reasoning.ts'
import { type EventReader, EventScan } from './sse-scan.ts'

/** Without `alt=sse`, a stream is one JSON list that grows. */
export const openGeminiMeter = (call: Call, response: ResponseHead): Meter =>
  isEventStream(call, response) ? new StreamMeter(call) : jsonMeter(call)

function jsonMeter(call: Call): Meter {
  const answer = new GeminiAnswer()
  return openDocumentMeter(answer.place(), ({ ended, broken }) => {
    const over = answer.whole && !broken && !answer.error
    // An error alone is a whole answer; one in a list came in the middle of an answer.
    return readingOf(answer, call, over, ended && !(answer.error && call.streaming))
  })
}

class StreamMeter implements Meter, EventReader {
  readonly #call: Call
  readonly #answer = new GeminiAnswer()
  readonly #events = new EventScan(this.#answer.place(), this)
  #ended = false

  constructor(call: Call) {
    this.#call = call
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
    // There is no end mark: an event may follow the one that finishes.
    const over = this.#ended && this.#answer.final && !this.#answer.error
    return readingOf(this.#answer, this.#call, over, this.#ended && !this.#answer.error)
  }

  eventBegins(): boolean {
    this.#answer.begin()
    return true
  }

  eventEnds(): void {}

  eventUnread(bytes: number): void {
    this.#answer.unread(bytes)
  }
}

/** `over`: the last report is final. `whole`: no more comes, and nothing went wrong. */
function readingOf(answer: GeminiAnswer, call: Call, over: boolean, whole: boolean): UsageReading {
  const usage = over ? answer.usage(call.serviceTier) : null
  if (usage !== null) return { kind: 'exact', usage }
  const soFar = answer.usageSoFar(call.serviceTier)
  const hiddenReasoning = hidesReasoning(answer.model ?? call.models[0] ?? '')
  const delivered = { text: answer.size(), deltaEvents: answer.deltaEvents, hiddenReasoning, model: answer.model }
  return whole && soFar === null ? { kind: 'absent', delivered } : { kind: 'partial', usage: soFar, delivered }
}
