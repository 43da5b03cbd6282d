// What an answer of Ollama, or the lines of one so far, tell a meter: model, counts, whether it is done, text that came through. Keeps no text.
import { type TextSize, textBytes } from '../core/call.ts'
import { parseDecimalUp } from '../core/money.ts'
import type { Usage } from '../core/usage.ts'
import { members, type Place } from './json-place.ts'
import { TextTally } from './text-tally.ts'
import { NOTHING_REPORTED, normaliseTokens } from './usage-report.ts'

export class OllamaAnswer {
  readonly text: TextTally = new TextTally()
  model: string | null = null
  /** The outermost value of the document ended. */
  whole = false
  /** The line that ends an answer came. */
  done = false
  error = false
  #input: bigint | null = null
  #output: bigint | null = null
  /** A model was loaded or unloaded, which takes no tokens. */
  #noTokens = false
  readonly #wrong: Set<string> = new Set()

  /** Of the next document. */
  begin(): void {
    this.whole = false
  }

  /** The counts; one that is absent is 0 (a prompt that is still cached is not counted). Null before one came. */
  get usage(): Usage | null {
    if (this.#input === null && this.#output === null && !this.#noTokens) return null
    const reported = { ...NOTHING_REPORTED, input: this.#input, output: this.#output }
    const { tokens, contradictions } = normaliseTokens(reported, 'InputIncludesCache')
    const { model } = this
    return { tokens, calls: new Map(), model, serviceTier: null, statedCost: null, contradictions: [...this.#wrong, ...contradictions] }
  }

  get deliveredBytes(): number {
    return textBytes(this.text)
  }

  size(): TextSize {
    return this.text.size()
  }

  /** The root of an answer, or of a line. */
  place(): Place {
    const counted: Place = { measure: { tally: this.text, mode: 'text' } }
    const input = this.#number('prompt_eval_count', value => (this.#input = value))
    return {
      measure: null,
      leave: () => (this.whole = true),
      members: members({
        model: { scalar: ({ kind, text, bytes }) => (this.model = kind === 'string' && bytes > 0 && bytes <= 256 ? text : this.model) },
        message: {
          members: members({ content: counted, thinking: counted, tool_calls: { measure: { tally: this.text, mode: 'json' } } }),
        },
        response: counted,
        thinking: counted,
        done: { enter: kind => (this.done ||= kind === 'true') },
        done_reason: { scalar: ({ text }) => (this.#noTokens = text === 'load' || text === 'unload') },
        error: { enter: kind => (this.error ||= kind !== 'null') },
        prompt_eval_count: input,
        eval_count: this.#number('eval_count', value => (this.#output = value)),
        // Other servers' embeddings on the same path, in OpenAI's shape.
        usage: { members: members({ prompt_tokens: input }) },
      }),
    }
  }

  #number(name: string, found: (value: bigint) => void): Place {
    return {
      scalar: ({ kind, text }) => {
        if (kind === 'null') return
        const value = kind === 'number' ? parseDecimalUp(text, 0) : null
        if (value === null) this.#wrong.add(`${name} is not a number that can be counted`)
        else found(value)
      },
    }
  }
}
