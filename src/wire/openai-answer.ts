// What an OpenAI-shaped answer, or one chunk of its stream, tells a meter: model, tier, usage, text that came through. Keeps no text.
import { type TextSize, textBytes } from '../core/call.ts'
import type { Usage } from '../core/usage.ts'
import { CompoundReport } from './groq-compound.ts'
import { members, type Place } from './json-place.ts'
import { OpenAiUsageReport } from './openai-usage.ts'
import { TextTally } from './text-tally.ts'

/** Flags of one document: a whole answer, or one chunk. */
interface Seen {
  usage: boolean
  error: boolean
  finished: boolean
  /** Entries of `choices`, null where there is no such array. */
  choices: number | null
}

const nothingSeen = (): Seen => ({ usage: false, error: false, finished: false, choices: null })

export class OpenAiAnswer {
  readonly text: TextTally = new TextTally()
  model: string | null = null
  serviceTier: string | null = null
  /** The last usage report, null before one came. */
  usage: Usage | null = null
  seen: Seen = nothingSeen()
  /** Whether the outermost value of the document ended. */
  whole = false
  readonly #report = new OpenAiUsageReport()
  readonly #compound = new CompoundReport()

  /** Forgets the flags of the document before. */
  begin(): void {
    this.seen = nothingSeen()
    this.whole = false
  }

  /** The root of an answer's document. */
  place(): Place {
    const usage = this.#report.place(() => {
      this.seen.usage = true
    })
    const usage_breakdown = this.#compound.breakdownPlace()
    return {
      measure: null,
      leave: () => this.#end(),
      members: members({
        model: { scalar: ({ kind, text, bytes }) => (this.model = kind === 'string' && bytes > 0 && bytes <= 256 ? text : this.model) },
        service_tier: { scalar: ({ kind, text }) => (this.serviceTier = kind === 'string' ? text : this.serviceTier) },
        usage,
        // Groq's streams, and its agents.
        x_groq: { members: members({ usage, usage_breakdown }) },
        usage_breakdown,
        error: { enter: kind => (this.seen.error ||= kind !== 'null') },
        choices: this.#choices(),
      }),
    }
  }

  /** Bytes of text that came through so far. */
  get delivered(): number {
    return textBytes(this.text)
  }

  size(): TextSize {
    return this.text.size()
  }

  /** A report is read once its document is whole: the model and tier may stand behind it. */
  #end(): void {
    this.whole = true
    if (this.seen.usage) this.usage = this.#compound.complete(this.#report.usage(this.model, this.serviceTier))
  }

  #choices(): Place {
    const counted = { measure: { tally: this.text, mode: 'text' } } as const
    const unmeasured = { measure: null }
    // Whatever a message carries is text that came through, but for its labels, and for payloads that are not text.
    const message: Place = {
      ...counted,
      members: members({
        role: unmeasured,
        annotations: unmeasured,
        // OpenRouter repeats `reasoning` here in parts.
        reasoning_details: unmeasured,
        tool_calls: { items: { members: members({ id: unmeasured, type: unmeasured }) } },
        audio: { members: members({ id: unmeasured, data: unmeasured }) },
        images: unmeasured,
        executed_tools: this.#compound.toolsPlace(),
      }),
    }
    return {
      enter: kind => (this.seen.choices = kind === 'array' ? 0 : this.seen.choices),
      leave: ({ count }) => (this.seen.choices = count),
      items: {
        members: members({
          message,
          delta: message,
          text: counted,
          finish_reason: { scalar: ({ kind }) => (this.seen.finished ||= kind === 'string') },
        }),
      },
    }
  }
}
