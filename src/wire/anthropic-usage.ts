// Anthropic's usage objects: cumulative, each field overriding the one before, cache reads and writes beside the input. Keeps numbers only.
import { type NanoUsd, nanoUsd, parseDecimalUp } from '../core/money.ts'
import { addTokens, inputTotal, NO_TOKENS, outputTotal, type TokenCounts, type Usage } from '../core/usage.ts'
import { members, type Place } from './json-place.ts'
import { NOTHING_REPORTED, normaliseTokens } from './usage-report.ts'

/** Where an answer may be made: anywhere, or in one country at a premium. */
const GEOGRAPHIES: ReadonlyMap<string, boolean> = new Map([
  ['global', false],
  ['us', true],
])

/** The numbers of one usage object, or of one of its iterations. */
class Counts {
  /** The model of an iteration that is not the answer's own; null for the answer's. */
  model: string | null = null
  input = 0n
  cacheRead = 0n
  cacheWrite = 0n
  cacheWrite5m = 0n
  cacheWrite1h = 0n
  output = 0n
  thinking = 0n

  /** Places of the fields; each overrides what it reported before. */
  members(number: (name: string, found: (value: bigint) => void) => Place): Record<string, Place> {
    return {
      input_tokens: number('input_tokens', value => (this.input = value)),
      cache_read_input_tokens: number('cache_read_input_tokens', value => (this.cacheRead = value)),
      cache_creation_input_tokens: number('cache_creation_input_tokens', value => (this.cacheWrite = value)),
      cache_creation: {
        members: members({
          ephemeral_5m_input_tokens: number('ephemeral_5m_input_tokens', value => (this.cacheWrite5m = value)),
          ephemeral_1h_input_tokens: number('ephemeral_1h_input_tokens', value => (this.cacheWrite1h = value)),
        }),
      },
      output_tokens: number('output_tokens', value => (this.output = value)),
      output_tokens_details: { members: members({ thinking_tokens: number('thinking_tokens', value => (this.thinking = value)) }) },
    }
  }

  tokens(contradictions: string[]): TokenCounts {
    const parts = this.cacheWrite5m + this.cacheWrite1h
    // Where the parts are not reported, or do not reach the whole, the rest was written for 5 minutes, the default.
    const cacheWrite5m = this.cacheWrite > parts ? this.cacheWrite - this.cacheWrite1h : this.cacheWrite5m
    if (this.cacheWrite > 0n && parts > this.cacheWrite) contradictions.push('cache writes above their total')
    const { input, cacheRead, cacheWrite1h, output } = this
    const reported = { ...NOTHING_REPORTED, input, cacheRead, cacheWrite5m, cacheWrite1h, output, reasoning: this.thinking }
    const normal = normaliseTokens(reported, 'InputExcludesCache')
    contradictions.push(...normal.contradictions)
    return normal.tokens
  }
}

export class AnthropicUsageReport {
  readonly #whole = new Counts()
  #iterations: Counts[] = []
  #webSearches = 0n
  #webFetches = 0n
  #tier: string | null = null
  #fast = false
  /** Undefined where the report does not say, or the model knows no regions. */
  #regional: boolean | undefined
  #cost: NanoUsd | null = null
  #ownKey = false
  readonly #wrong: Set<string> = new Set()

  /** The place of a usage object; `reported` is called where one ended. */
  place(reported: () => void): Place {
    const number = (name: string, found: (value: bigint) => void): Place => this.#number(name, 0, found)
    return {
      measure: null,
      leave: reported,
      members: members({
        ...this.#whole.members(number),
        iterations: this.#iterationsPlace(number),
        server_tool_use: {
          members: members({
            web_search_requests: number('web_search_requests', value => (this.#webSearches = value)),
            web_fetch_requests: number('web_fetch_requests', value => (this.#webFetches = value)),
          }),
        },
        service_tier: { scalar: ({ kind, text }) => (this.#tier = kind === 'string' ? text : this.#tier) },
        speed: { scalar: ({ kind, text }) => (this.#fast = kind === 'string' ? text === 'fast' : this.#fast) },
        inference_geo: { scalar: ({ text }) => (this.#regional = GEOGRAPHIES.get(text)) },
        // OpenRouter's answers of this shape: USD, its fee alone where the caller has a key of its own.
        cost: this.#number('cost', 9, cost => (this.#cost = nanoUsd(cost))),
        is_byok: { scalar: ({ kind }) => (this.#ownKey = kind === 'true') },
      }),
    }
  }

  usage(model: string | null): Usage {
    const contradictions = [...this.#wrong]
    const calls = new Map<string, bigint>()
    if (this.#webSearches > 0n) calls.set('web_search', this.#webSearches)
    if (this.#webFetches > 0n) calls.set('web_fetch', this.#webFetches)
    const counted = this.#counted(model, contradictions)
    const serviceTier = this.#fast ? 'fast' : this.#tier
    const regional = this.#regional === undefined ? {} : { regional: this.#regional }
    return { ...counted, ...regional, calls, model, serviceTier, statedCost: this.#ownKey ? null : this.#cost, contradictions }
  }

  /** The totals leave out compaction and the advice of other models; the iterations hold all that is billed. The larger reading counts. */
  #counted(model: string | null, contradictions: string[]): Pick<Usage, 'tokens' | 'elsewhere'> {
    const whole = this.#whole.tokens(contradictions)
    const parts = this.#iterations.map(counts => ({ model: counts.model, tokens: counts.tokens(contradictions) }))
    const each = parts.reduce((sum, { tokens }) => addTokens(sum, tokens), NO_TOKENS)
    if (inputTotal(each) + outputTotal(each) < inputTotal(whole) + outputTotal(whole) || parts.length === 0) return { tokens: whole }
    const elsewhere = parts.flatMap(part =>
      part.model === null || part.model === model ? [] : [{ model: part.model, tokens: part.tokens }],
    )
    return elsewhere.length === 0 ? { tokens: each } : { tokens: each, elsewhere }
  }

  #iterationsPlace(number: (name: string, found: (value: bigint) => void) => Place): Place {
    const current = new Counts()
    return {
      enter: kind => {
        if (kind === 'array') this.#iterations = []
      },
      items: {
        enter: () => Object.assign(current, new Counts()),
        leave: () => {
          if (this.#iterations.length < ITERATIONS_MAX) this.#iterations.push(Object.assign(new Counts(), current))
        },
        members: members({
          ...current.members(number),
          // Of advice, and of a model that was fallen back to.
          model: { scalar: ({ kind, text, bytes }) => (current.model = kind === 'string' && bytes > 0 && bytes <= 256 ? text : null) },
        }),
      },
    }
  }

  #number(name: string, places: number, found: (value: bigint) => void): Place {
    return {
      scalar: ({ kind, text }) => {
        if (kind === 'null') return
        const value = kind === 'number' ? parseDecimalUp(text, places) : null
        if (value === null) this.#wrong.add(`${name} is not a number that can be counted`)
        else found(value)
      },
    }
  }
}

/** An answer has at most some tens. */
const ITERATIONS_MAX = 256
