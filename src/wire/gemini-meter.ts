// The meter of Gemini answers: one document, a list of chunks, or a stream of events. Decides when a report is final; passes every byte on as it is.
import type { Call } from '../core/call.ts'
import type { UsageReading } from '../core/usage.ts'
import { openDocumentMeter } from './document-meter.ts'
import { openEventMeter } from './event-meter.ts'
import type { Meter, ResponseHead } from './format.ts'
import { GeminiAnswer } from './gemini-answer.ts'
import { isEventStream } from './openai-meter.ts'
import { hidesReasoning } from './reasoning.ts'

/** Without `alt=sse`, a stream is one JSON list that grows. */
export const openGeminiMeter = (call: Call, response: ResponseHead): Meter =>
  isEventStream(call, response) ? streamMeter(call) : jsonMeter(call)

function jsonMeter(call: Call): Meter {
  const answer = new GeminiAnswer()
  return openDocumentMeter(answer.place(), ({ ended, broken }) => {
    const over = answer.whole && !broken && !answer.error
    // An error alone is a whole answer; one in a list came in the middle of an answer.
    return readingOf(answer, call, over, ended && !(answer.error && call.streaming))
  })
}

function streamMeter(call: Call): Meter {
  const answer = new GeminiAnswer()
  return openEventMeter(answer.place(), {
    eventBegins: () => {
      answer.begin()
      return true
    },
    eventEnds: () => {},
    eventUnread: bytes => answer.text.addUnread(bytes),
    // There is no end mark: an event may follow the one that finishes.
    reading: ended => readingOf(answer, call, ended && answer.final && !answer.error, ended && !answer.error),
  })
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
