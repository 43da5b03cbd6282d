// What a Responses answer, or one event of its stream, tells a meter: model, tier, usage, calls, text that came through. Keeps no text.
import { textBytes } from '../core/call.ts'
import { parseDecimalUp } from '../core/money.ts'
import type { Usage } from '../core/usage.ts'
import { members, type Place } from './json-place.ts'
import { OpenAiUsageReport } from './openai-usage.ts'
import { hidesReasoning } from './reasoning.ts'
import { GeneratedImages } from './responses-images.ts'
import { TextTally } from './text-tally.ts'

/** Containers of code that are told apart; more are counted as one. */
const CONTAINERS_MAX = 64

export class ResponsesAnswer {
  readonly text: TextTally = new TextTally()
  /** The `type` of the outermost object, and whether it ended. */
  type = ''
  whole = false
  /** The response's own id, null before it came. */
  id: string | null = null
  /** The last usage report, null before one came. */
  usage: Usage | null = null
  deltaEvents = 0
  #model: string | null = null
  #serviceTier: string | null = null
  #thinks = false
  #reported = false
  readonly #report = new OpenAiUsageReport()
  /** Of the response as a whole; its output is told again in the last event, so each telling begins anew. */
  #searches = 0n
  #searchItems = 0n
  #fileSearches = 0n
  readonly #containers: Set<string> = new Set()
  readonly #images = new GeneratedImages()

  begin(): void {
    this.type = ''
    this.whole = false
    this.#reported = false
  }

  get deliveredBytes(): number {
    return textBytes(this.text)
  }

  delivered(asked: string): { text: ReturnType<TextTally['size']>; deltaEvents: number; hiddenReasoning: boolean; model: string | null } {
    const hiddenReasoning = this.#thinks || hidesReasoning(this.#model ?? asked)
    return { text: this.text.size(), deltaEvents: this.deltaEvents, hiddenReasoning, model: this.#model }
  }

  /** The root of a whole answer. */
  responsePlace(): Place {
    return { ...this.#response(true), leave: () => this.#end() }
  }

  /** The root of any event of a stream. */
  eventPlace(): Place {
    return {
      measure: null,
      leave: () => this.#end(),
      members: members({
        type: { scalar: ({ text }) => (this.type = text) },
        response: this.#response(false),
        item: { members: members({ type: this.#itemType(() => {}) }) },
        delta: { measure: { tally: this.text, mode: 'text' } },
      }),
    }
  }

  #end(): void {
    this.whole = true
    if (this.#reported) this.usage = this.#withCalls(this.#report.usage(this.#model, this.#serviceTier))
  }

  #response(counted: boolean): Place {
    const word = (found: (text: string) => void): Place => ({
      scalar: ({ kind, text, bytes }) => {
        if (kind === 'string' && bytes > 0 && bytes <= 256) found(text)
      },
    })
    return {
      measure: null,
      enter: () => this.#forget(),
      members: members({
        id: word(text => (this.id = text)),
        model: word(text => (this.#model = text)),
        service_tier: word(text => (this.#serviceTier = text)),
        usage: this.#report.place(() => (this.#reported = true)),
        tool_usage: this.#toolUsage(),
        tools: this.#images.toolsPlace(),
        output: { items: this.#item(counted) },
      }),
    }
  }

  #forget(): void {
    this.#searches = 0n
    this.#searchItems = 0n
    this.#fileSearches = 0n
    this.#containers.clear()
    this.#images.begin()
  }

  #item(counted: boolean): Place {
    const item = { type: '', action: '' }
    const unmeasured = { measure: null }
    return {
      measure: counted ? { tally: this.text, mode: 'text' } : null,
      enter: () => Object.assign(item, { type: '', action: '' }),
      leave: () => {
        // Opening a page and finding in it are not billed as searches; older reports do not tell which it was.
        if (item.type === 'web_search_call' && (item.action === 'search' || item.action === '')) this.#searchItems++
        if (item.type === 'file_search_call') this.#fileSearches++
      },
      members: members({
        type: this.#itemType(type => (item.type = type)),
        action: { measure: null, members: members({ type: { scalar: ({ text }) => (item.action = text) } }) },
        container_id: {
          measure: null,
          scalar: ({ kind, text }) => {
            if (kind === 'string' && this.#containers.size < CONTAINERS_MAX) this.#containers.add(text)
          },
        },
        id: unmeasured,
        call_id: unmeasured,
        role: unmeasured,
        status: unmeasured,
        encrypted_content: unmeasured,
        result: unmeasured,
        content: { items: { members: members({ type: unmeasured, annotations: unmeasured, logprobs: unmeasured }) } },
      }),
    }
  }

  #itemType(found: (type: string) => void): Place {
    return {
      measure: null,
      scalar: ({ text }) => {
        if (text === 'reasoning') this.#thinks = true
        found(text)
      },
    }
  }

  #toolUsage(): Place {
    const count = (found: (value: bigint) => void): Place => ({
      scalar: ({ kind, text }) => {
        const value = kind === 'number' ? parseDecimalUp(text, 0) : null
        if (value !== null) found(value)
      },
    })
    return {
      members: members({
        web_search: { members: members({ num_requests: count(value => (this.#searches = value)) }) },
        image_gen: this.#images.usagePlace(count),
      }),
    }
  }

  /** Calls, and the tokens of generated images, which the usage leaves out. */
  #withCalls(usage: Usage): Usage {
    const calls = new Map(usage.calls)
    const searches = this.#searches > 0n ? this.#searches : this.#searchItems
    if (searches > 0n) calls.set('web_search', searches)
    if (this.#fileSearches > 0n) calls.set('file_search', this.#fileSearches)
    if (this.#containers.size > 0) calls.set('code_interpreter', BigInt(this.#containers.size))
    return this.#images.complete({ ...usage, calls })
  }
}
