// The meter of Messages answers, JSON or a stream of events. Decides when a report is final; passes every byte on as it is.

import type { Call } from '../core/call.ts'
import { textBytes } from '../core/call.ts'
import type { Usage, UsageReading } from '../core/usage.ts'
import { AnthropicUsageReport } from './anthropic-usage.ts'
import { openDocumentMeter } from './document-meter.ts'
import { type EventAnswer, openEventMeter } from './event-meter.ts'
import type { Meter, ResponseHead } from './format.ts'
import { members, type Place } from './json-place.ts'
import { isEventStream } from './openai-meter.ts'
import { TextTally } from './text-tally.ts'

export const openAnthropicMeter = (call: Call, response: ResponseHead): Meter =>
  isEventStream(call, response) ? streamMeter() : jsonMeter()

/** What an answer, or the events of one so far, tell a meter. Keeps no text. */
class AnthropicAnswer {
  readonly text: TextTally = new TextTally()
  model: string | null = null
  /** Whether a usage object came at all, and in this document. */
  reported = false
  reportedHere = false
  /** The `type` of the outermost object, and whether it ended. */
  type = ''
  whole = false
  deltaEvents = 0
  #thinks = false
  readonly #report = new AnthropicUsageReport()

  begin(): void {
    this.type = ''
    this.whole = false
    this.reportedHere = false
  }

  get usage(): Usage | null {
    return this.reported ? this.#report.usage(this.model) : null
  }

  get delivered(): Extract<UsageReading, { kind: 'absent' }>['delivered'] {
    // What is shown of it is a summary, or nothing, or (Claude 3.7) some tokens less than are billed.
    return { text: this.text.size(), deltaEvents: this.deltaEvents, hiddenReasoning: this.#thinks, model: this.model }
  }

  /** The root of a whole answer, and of any event of a stream: their fields do not collide. */
  place(): Place {
    const usage = this.#report.place(() => {
      this.reported = true
      this.reportedHere = true
    })
    const model: Place = {
      scalar: ({ kind, text, bytes }) => (this.model = kind === 'string' && bytes > 0 && bytes <= 256 ? text : this.model),
    }
    const block = this.#block()
    return {
      measure: null,
      leave: () => (this.whole = true),
      members: members({
        type: { scalar: ({ text }) => (this.type = text) },
        model,
        usage,
        message: { members: members({ model, usage }) },
        content: { items: block },
        content_block: block,
        delta: block,
      }),
    }
  }

  /** A block of content, its start, or a part of it: whatever it carries is output, but for its labels. */
  #block(): Place {
    const counted = { measure: { tally: this.text, mode: 'text' } } as const
    const thinks = (text: string): void => {
      if (/^(?:redacted_)?thinking(?:_delta)?$/.test(text)) this.#thinks = true
    }
    return {
      members: members({
        type: { scalar: ({ text }) => thinks(text) },
        text: counted,
        partial_json: counted,
        thinking: counted,
        name: counted,
        input: { measure: { tally: this.text, mode: 'json' } },
        // A summary that replaces the conversation before it.
        content: counted,
      }),
    }
  }
}

function jsonMeter(): Meter {
  const answer = new AnthropicAnswer()
  return openDocumentMeter(answer.place(), ({ ended, broken }) => {
    const { usage, whole, delivered, text } = answer
    if (whole && usage !== null && !broken) return { kind: 'exact', usage }
    const seen = { ...delivered, deltaEvents: textBytes(text) > 0 ? 1 : 0 }
    return ended ? { kind: 'absent', delivered: seen } : { kind: 'partial', usage, delivered: seen }
  })
}

function streamMeter(): Meter {
  const answer = new AnthropicAnswer()
  return openEventMeter(answer.place(), new Events(answer))
}

class Events implements EventAnswer {
  readonly #answer: AnthropicAnswer
  /** `message_delta` brought the report that closes the answer. */
  #final = false
  #over = false
  #before = 0

  constructor(answer: AnthropicAnswer) {
    this.#answer = answer
  }

  reading(ended: boolean): UsageReading {
    const { usage, delivered } = this.#answer
    const over = this.#over || ended
    if (over && this.#final && usage !== null) return { kind: 'exact', usage }
    return over && usage === null ? { kind: 'absent', delivered } : { kind: 'partial', usage, delivered }
  }

  eventBegins(): boolean {
    this.#before = textBytes(this.#answer.text)
    this.#answer.begin()
    return !this.#over
  }

  eventUnread(bytes: number): void {
    this.#answer.text.addUnread(bytes)
  }

  eventEnds(): void {
    const answer = this.#answer
    if (textBytes(answer.text) > this.#before) answer.deltaEvents++
    if (!answer.whole) return
    if (answer.type === 'message_delta' && answer.reportedHere) this.#final = true
    if (answer.type === 'message_stop') this.#over = true
  }
}
