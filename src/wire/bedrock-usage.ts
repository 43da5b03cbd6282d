// The token numbers of Bedrock: its own (headers, metrics of a stream), which count, and those in a model's own answer, for what it leaves out.
import type { Call } from '../core/call.ts'
import { parseDecimalUp } from '../core/money.ts'
import { inputTotal, outputTotal, type TokenCounts, type Usage } from '../core/usage.ts'
import { AnthropicUsageReport } from './anthropic-usage.ts'
import { tierAsked } from './bedrock-request.ts'
import type { ResponseHead } from './format.ts'
import { members, type Place } from './json-place.ts'
import { NOTHING_REPORTED, normaliseTokens, type ReportedTokens } from './usage-report.ts'

type Counted = 'input' | 'cacheRead' | 'cacheWrite' | 'cacheWrite5m' | 'cacheWrite1h' | 'output' | 'reasoning' | 'total'
type Counts = Partial<Record<Counted, bigint>>

/** Names of one number: Converse and Nova, Bedrock's metrics, Anthropic, Llama, and the OpenAI-shaped families. A new family adds its names here. */
const NAMES: Readonly<Record<Exclude<Counted, 'cacheWrite5m' | 'cacheWrite1h' | 'reasoning'>, string>> = {
  input: 'inputTokens inputTokenCount input_tokens prompt_tokens inputTextTokenCount prompt_token_count',
  output: 'outputTokens outputTokenCount output_tokens completion_tokens totalOutputTextTokenCount generation_token_count',
  cacheRead: 'cacheReadInputTokens cacheReadInputTokenCount cache_read_input_tokens',
  cacheWrite: 'cacheWriteInputTokens cacheWriteInputTokenCount cache_creation_input_tokens',
  total: 'totalTokens total_tokens',
}
const HEADERS: readonly (readonly [string, Counted])[] = [
  ['x-amzn-bedrock-input-token-count', 'input'],
  ['x-amzn-bedrock-output-token-count', 'output'],
  ['x-amzn-bedrock-cache-read-input-token-count', 'cacheRead'],
  ['x-amzn-bedrock-cache-write-input-token-count', 'cacheWrite'],
]

export class BedrockUsageReport {
  /** What Bedrock itself counted, and what the model's answer says: each field overrides what it reported before. */
  readonly #billed: Counts = {}
  readonly #told: Counts = {}
  /** Whether the model's input includes what it read from a cache, as OpenAI-shaped ones do. */
  #inclusive = false
  readonly #iterations = new AnthropicUsageReport()
  readonly #calls = new Map<string, bigint>()
  readonly #wrong = new Set<string>()
  serviceTier: string | null = null
  /** Of the two that there are, the one that was applied: `optimized` is another price. */
  latency: string | null = null

  /** Whether both sides are known, and whether Bedrock itself told any. */
  get whole(): boolean {
    return (this.#billed.output ?? this.#told.output) !== undefined && this.reported
  }
  get reported(): boolean {
    return (this.#billed.input ?? this.#told.input ?? this.#told.total) !== undefined
  }
  get billed(): boolean {
    return this.#billed.input !== undefined || this.#billed.output !== undefined
  }

  readHeaders(response: ResponseHead): void {
    for (const [name, counted] of HEADERS) {
      const text = response.header(name)
      if (text !== null) this.#found(this.#billed, counted, name, parseDecimalUp(text.trim(), 0))
    }
    this.serviceTier = response.header('x-amzn-bedrock-service-tier')
    this.latency = response.header('x-amzn-bedrock-performanceconfig-latency')
  }

  /** `amazon-bedrock-invocationMetrics`, in the last chunk of a stream. */
  metricsPlace(): Place {
    return { measure: null, members: new Map(this.#named(this.#billed)) }
  }

  /** A `usage` object of any family; `reported` is told where one ended. */
  usagePlace(reported: () => void): Place {
    const write = (name: string, counted: Counted): Place => this.#number(this.#told, counted, name)
    const iterations = this.#iterations.place(() => undefined).members?.get('iterations') ?? {}
    return {
      measure: null,
      leave: reported,
      members: new Map([
        ...this.#named(this.#told),
        ['prompt_tokens', this.#inclusiveInput()],
        ['cacheDetails', this.#cacheDetails()],
        [
          'cache_creation',
          {
            members: members({
              ephemeral_5m_input_tokens: write('ephemeral_5m_input_tokens', 'cacheWrite5m'),
              ephemeral_1h_input_tokens: write('ephemeral_1h_input_tokens', 'cacheWrite1h'),
            }),
          },
        ],
        ['prompt_tokens_details', { members: members({ cached_tokens: write('cached_tokens', 'cacheRead') }) }],
        ['completion_tokens_details', { members: members({ reasoning_tokens: write('reasoning_tokens', 'reasoning') }) }],
        ['output_tokens_details', { members: members({ thinking_tokens: write('thinking_tokens', 'reasoning') }) }],
        ['iterations', iterations],
        ['serverToolUsage', this.#toolUsage()],
        ['server_tool_use', this.#toolUsage()],
      ]),
    }
  }

  /** Counts that stand in the answer itself: Titan's and Llama's. */
  looseMembers(): readonly [string, Place][] {
    return this.#named(this.#told).filter(([name]) => /Text|^(?:prompt|generation)_token_count$/.test(name))
  }

  /** Titan: the tokens of each result. */
  resultTokens(): Place {
    const place = this.#number(this.#told, 'output', 'tokenCount', count => count + (this.#told.output ?? 0n))
    return { ...place, measure: null }
  }

  usage(call: Call, model: string | null): Usage {
    const contradictions = [...this.#wrong]
    for (const side of ['input', 'output'] as const) {
      const { [side]: billed } = this.#billed
      const { [side]: told } = this.#told
      if (billed !== undefined && told !== undefined && billed !== told) contradictions.push(`${side} tokens other than Bedrock counted`)
    }
    const normal = normaliseTokens(
      this.#counted(call),
      this.#inclusive && !this.#countsCache() ? 'InputIncludesCache' : 'InputExcludesCache',
    )
    contradictions.push(...normal.contradictions)
    const { tokens: iterated } = this.#iterations.usage(null)
    const tokens = sizeOf(iterated) > sizeOf(normal.tokens) ? iterated : normal.tokens
    const serviceTier = tierAsked(this.serviceTier, this.latency) ?? this.serviceTier
    return { tokens, calls: new Map(this.#calls), model, serviceTier, statedCost: null, contradictions }
  }

  #countsCache(): boolean {
    return (this.#billed.cacheRead ?? this.#billed.cacheWrite) !== undefined
  }

  #counted(call: Call): ReportedTokens {
    const { total, ...told } = this.#told
    const counts: Counts = { ...told, ...this.#billed }
    const written = counts.cacheWrite ?? 0n
    const parts = (counts.cacheWrite5m ?? 0n) + (counts.cacheWrite1h ?? 0n)
    // What no part says was written for the time that the request's dearest marker asks for.
    const rest = written > parts ? written - parts : 0n
    const long = call.cacheWrite === '1h'
    return {
      ...NOTHING_REPORTED,
      input: counts.input ?? null,
      cacheRead: counts.cacheRead ?? null,
      cacheWrite5m: (counts.cacheWrite5m ?? 0n) + (long ? 0n : rest),
      cacheWrite1h: (counts.cacheWrite1h ?? 0n) + (long ? rest : 0n),
      output: counts.output ?? null,
      reasoning: counts.reasoning ?? null,
      total: this.billed ? null : (total ?? null),
    }
  }

  #named(counts: Counts): [string, Place][] {
    return Object.entries(NAMES).flatMap(([counted, names]) =>
      names.split(' ').map((name): [string, Place] => [name, this.#number(counts, counted as Counted, name)]),
    )
  }

  #inclusiveInput(): Place {
    return this.#number(this.#told, 'input', 'prompt_tokens', count => {
      this.#inclusive = true
      return count
    })
  }

  /** Converse: cache writes by the time that they are kept for. */
  #cacheDetails(): Place {
    let kept: Counted = 'cacheWrite5m'
    let tokens = 0n
    return {
      enter: kind => {
        if (kind !== 'array') return
        delete this.#told.cacheWrite5m
        delete this.#told.cacheWrite1h
      },
      items: {
        enter: () => {
          kept = 'cacheWrite5m'
          tokens = 0n
        },
        members: members({
          ttl: { scalar: ({ text }) => (kept = text === '1h' ? 'cacheWrite1h' : 'cacheWrite5m') },
          inputTokens: this.#number({}, 'input', 'cacheDetails.inputTokens', count => {
            tokens = count
            return count
          }),
        }),
        leave: () => (this.#told[kept] = (this.#told[kept] ?? 0n) + tokens),
      },
    }
  }

  /** Tools that the provider ran; names that are not known cost as the dearest kind of call. */
  #toolUsage(): Place {
    const count = (kind: string): Place =>
      this.#number({}, 'input', kind, value => {
        if (value > 0n) this.#calls.set(kind, value)
        return value
      })
    const search = count('web_search')
    return {
      members: members({
        webSearchRequests: search,
        web_search_requests: search,
        webFetchRequests: count('web_fetch'),
        web_fetch_requests: count('web_fetch'),
      }),
      others: count('server_tool'),
    }
  }

  #number(counts: Counts, counted: Counted, name: string, kept: (count: bigint) => bigint = count => count): Place {
    return {
      scalar: ({ kind, text }) => {
        if (kind === 'null') return
        const value = kind === 'number' ? parseDecimalUp(text, 0) : null
        this.#found(counts, counted, name, value === null ? null : kept(value))
      },
    }
  }

  #found(counts: Counts, counted: Counted, name: string, value: bigint | null): void {
    if (value === null) this.#wrong.add(`${name} is not a number that can be counted`)
    else counts[counted] = value
  }
}

const sizeOf = (tokens: TokenCounts): bigint => inputTotal(tokens) + outputTotal(tokens)
