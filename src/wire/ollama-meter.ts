// The meter of Ollama's answers, one document or a line a piece. Decides when the counts are final; passes every byte on as it is.
import type { Call } from '../core/call.ts'
import type { UsageReading } from '../core/usage.ts'
import { openDocumentMeter } from './document-meter.ts'
import { openLineMeter } from './event-meter.ts'
import type { Meter, ResponseHead } from './format.ts'
import { OllamaAnswer } from './ollama-answer.ts'
import { hidesReasoning } from './reasoning.ts'

export function openOllamaMeter(call: Call, response: ResponseHead): Meter {
  const type = response.header('content-type')?.toLowerCase() ?? ''
  const lines = type.includes('ndjson') || (call.streaming && !type.includes('json'))
  return lines ? lineMeter(call) : jsonMeter(call)
}

function jsonMeter(call: Call): Meter {
  const answer = new OllamaAnswer()
  return openDocumentMeter(answer.place(), ({ ended, broken }) =>
    readingOf(answer, call, answer.whole && !broken && !answer.error, ended, answer.deliveredBytes > 0 ? 1 : 0),
  )
}

function lineMeter(call: Call): Meter {
  const answer = new OllamaAnswer()
  let deltaEvents = 0
  let before = 0
  let over = false
  return openLineMeter(answer.place(), {
    eventBegins: () => {
      before = answer.deliveredBytes
      answer.begin()
      return true
    },
    eventEnds: () => {
      if (answer.deliveredBytes > before) deltaEvents++
      if (answer.whole && answer.done) over = true
    },
    eventUnread: bytes => answer.text.addUnread(bytes),
    reading: ended => readingOf(answer, call, over && !answer.error, (over || ended) && !answer.error, deltaEvents),
  })
}

/** `over`: the counts are final. `whole`: no more comes, and nothing went wrong on the way. */
function readingOf(answer: OllamaAnswer, call: Call, over: boolean, whole: boolean, deltaEvents: number): UsageReading {
  const { usage, model } = answer
  if (over && usage !== null) return { kind: 'exact', usage }
  const hiddenReasoning = hidesReasoning(model ?? call.models[0] ?? '')
  const delivered = { text: answer.size(), deltaEvents, hiddenReasoning, model }
  return whole && usage === null ? { kind: 'absent', delivered } : { kind: 'partial', usage, delivered }
}
