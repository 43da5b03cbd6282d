// What an answer about images or sound, or one event of it, tells a meter: usage, length, text that came through. Keeps no content.
import { parseDecimalUp } from '../core/money.ts'
import { AUDIO_SECOND } from '../core/price.ts'
import { NO_TOKENS, type Usage, type UsageReading } from '../core/usage.ts'
import { members, type Place } from './json-place.ts'
import { OpenAiUsageReport } from './openai-usage.ts'
import { TextTally } from './text-tally.ts'

/** Where no report says how much is billed, the length does; the shortest that anyone bills for (Groq's pricing page). */
const SECONDS_MIN = 10n

export class OpenAiMediaAnswer {
  readonly text: TextTally = new TextTally()
  /** The `type` of the outermost object, and whether it ended. */
  type = ''
  whole = false
  failed = false
  /** Whether an event brought a picture or sound. */
  brought = false
  deltaEvents = 0
  #reported = false
  #seconds: bigint | null = null
  #model: string | null = null
  readonly #report = new OpenAiUsageReport()

  /** Forgets the document before. */
  begin(): void {
    this.type = ''
    this.whole = false
    this.failed = false
    this.brought = false
    this.#reported = false
    this.#seconds = null
  }

  /** The report of this document; null where it has none, and no length either. */
  get usage(): Usage | null {
    if (this.#reported) return this.#report.usage(this.#model, null)
    if (this.#seconds === null) return null
    const seconds = this.#seconds > SECONDS_MIN ? this.#seconds : SECONDS_MIN
    const calls = new Map([[AUDIO_SECOND, seconds]])
    return { tokens: NO_TOKENS, calls, model: this.#model, serviceTier: null, statedCost: null, contradictions: [] }
  }

  /** `hidden`: what is billed does not show as text. */
  readonly delivered = (hidden: boolean): Extract<UsageReading, { kind: 'absent' }>['delivered'] => ({
    text: this.text.size(),
    deltaEvents: this.deltaEvents,
    hiddenReasoning: hidden,
    model: this.#model,
  })

  /** The root of a whole answer. */
  answerPlace(): Place {
    return this.#root({
      text: { measure: { tally: this.text, mode: 'text' } },
      // Of the audio, in seconds: a number, or one in quotes.
      duration: { scalar: ({ text }) => (this.#seconds = parseDecimalUp(text, 0) ?? this.#seconds) },
    })
  }

  /** The root of any event of a stream. */
  eventPlace(): Place {
    const payload: Place = {
      enter: kind => {
        if (kind === 'string') this.brought = true
      },
    }
    return this.#root({ delta: { measure: { tally: this.text, mode: 'text' } }, b64_json: payload, audio: payload })
  }

  #root(own: Readonly<Record<string, Place>>): Place {
    return {
      measure: null,
      leave: () => (this.whole = true),
      members: members({
        type: {
          scalar: ({ text }) => {
            this.type = text
            if (text === 'error') this.failed = true
          },
        },
        error: { enter: kind => (this.failed ||= kind !== 'null') },
        model: { scalar: ({ kind, text, bytes }) => (this.#model = kind === 'string' && bytes > 0 && bytes <= 256 ? text : this.#model) },
        usage: this.#report.place(() => (this.#reported = true)),
        ...own,
      }),
    }
  }
}
