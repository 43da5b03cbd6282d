// What an answer of Cohere's APIs (versions 1 and 2), or one event of a stream, tells a meter. Keeps no text.
import type { Call } from '../core/call.ts'
import type { Delivered, Usage } from '../core/usage.ts'
import { CohereUsageReport } from './cohere-usage.ts'
import { members, type Place } from './json-place.ts'
import { TextTally } from './text-tally.ts'

const UNMEASURED: Place = { measure: null }

export class CohereAnswer {
  readonly text: TextTally = new TextTally()
  readonly #report = new CohereUsageReport()
  #model: string | null = null
  #thinks = false
  deltaEvents = 0
  /** Of the document being read: whether it ended, its event's name, and whether it brought a report. */
  whole = false
  event = ''
  reportedHere = false

  begin(): void {
    this.whole = false
    this.event = ''
    this.reportedHere = false
  }

  get usage(): Usage | null {
    return this.#report.reported ? this.#report.usage(this.#model) : null
  }

  delivered(): Delivered {
    return { text: this.text.size(), deltaEvents: this.deltaEvents, hiddenReasoning: this.#thinks, model: this.#model }
  }

  /** The root of an answer, and of any event: their members do not collide. */
  place(call: Call): Place {
    const report = this.#report.place(() => (this.reportedHere = true))
    const counted: Place = { measure: { tally: this.text, mode: 'text' } }
    const event: Place = { scalar: ({ text }) => (this.event = text) }
    const message = this.#message()
    const generation: Place = { members: members({ text: counted }) }
    return {
      measure: null,
      leave: () => (this.whole = true),
      members: new Map<string, Place>([
        ['type', event],
        ['event_type', event],
        [
          'model',
          { scalar: ({ kind, text, bytes }) => (this.#model = kind === 'string' && bytes > 0 && bytes <= 256 ? text : this.#model) },
        ],
        ['usage', report],
        ['meta', report],
        // Version 2: a whole message, and parts of one.
        ['message', message],
        ['delta', { members: members({ message, usage: report }) }],
        // Version 1: text of a chat, of a generation, of their streams; `response` repeats it at the end.
        ...(call.generates ? [['text', counted] as const] : []),
        ['tool_calls', { measure: { tally: this.text, mode: 'json' } }],
        ['tool_call_delta', counted],
        ['search_queries', { items: { members: members({ text: counted }) } }],
        ['generations', { items: generation }],
        ['response', { members: members({ meta: report }) }],
      ]),
    }
  }

  #message(): Place {
    const part: Place = {
      members: members({
        type: UNMEASURED,
        thinking: { enter: () => (this.#thinks = true) },
      }),
    }
    const toolCall: Place = { members: members({ id: UNMEASURED, type: UNMEASURED }) }
    return {
      measure: { tally: this.text, mode: 'text' },
      members: members({
        role: UNMEASURED,
        // A list in a whole message, one object in a part of it.
        content: { ...part, items: part },
        tool_calls: { ...toolCall, items: toolCall },
        citations: UNMEASURED,
      }),
    }
  }
}
