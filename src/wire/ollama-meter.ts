// The meter of Ollama's answers, one document or a line a piece. Decides when the counts are final; passes every byte on as it is.
import type { Call } from '../core/call.ts'
import type { UsageReading } from '../core/usage.ts'
import { openDocumentMeter } from './document-meter.ts'
import type { Meter, ResponseHead } from './format.ts'
import { NdjsonScanner } from './ndjson.ts'
import { OllamaAnswer } from './ollama-answer.ts'
import { hidesReasoning } from './reasoning.ts'

export function openOllamaMeter(call: Call, response: ResponseHead): Meter {
  const type = response.header('content-type')?.toLowerCase() ?? ''
  const lines = type.includes('ndjson') || (call.streaming && !type.includes('json'))
  return lines ? new LinesMeter(call) : jsonMeter(call)
}

function jsonMeter(call: Call): Meter {
  const answer = new OllamaAnswer()
  return openDocumentMeter(answer.place(), ({ ended, broken }) =>
    readingOf(answer, call, answer.whole && !broken && !answer.error, ended, answer.deliveredBytes > 0 ? 1 : 0),
  )
}

class LinesMeter implements Meter {
  readonly #call: Call
  readonly #answer = new OllamaAnswer()
  readonly #lines = new NdjsonScanner(this.#answer.place(), (noise, bytes) => this.#line(noise, bytes))
  #deltaEvents = 0
  #before = 0
  #over = false
  #ended = false

  constructor(call: Call) {
    this.#call = call
  }

  push(piece: Uint8Array): null {
    this.#lines.push(piece)
    return null
  }

  end(): null {
    this.#lines.end()
    this.#ended = true
    return null
  }

  reading(): UsageReading {
    const { error } = this.#answer
    return readingOf(this.#answer, this.#call, this.#over && !error, (this.#over || this.#ended) && !error, this.#deltaEvents)
  }

  #line(noise: boolean, bytes: number): void {
    const answer = this.#answer
    if (noise) {
      answer.text.letters += bytes
      answer.text.dense += bytes
    } else if (answer.whole && answer.done) this.#over = true
    if (answer.deliveredBytes > this.#before) this.#deltaEvents++
    this.#before = answer.deliveredBytes
    answer.begin()
  }
}

/** `over`: the counts are final. `whole`: no more comes, and nothing went wrong on the way. */
function readingOf(answer: OllamaAnswer, call: Call, over: boolean, whole: boolean, deltaEvents: number): UsageReading {
  const { usage, model } = answer
  if (over && usage !== null) return { kind: 'exact', usage }
  const hiddenReasoning = hidesReasoning(model ?? call.models[0] ?? '')
  const delivered = { text: answer.size(), deltaEvents, hiddenReasoning, model }
  return whole && usage === null ? { kind: 'absent', delivered } : { kind: 'partial', usage, delivered }
}
