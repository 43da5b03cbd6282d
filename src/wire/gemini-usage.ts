// Gemini's usage objects: cached tokens inside the prompt, thoughts and the prompts of tools beside the rest. Keeps numbers only.
import { parseDecimalUp } from '../core/money.ts'
import type { Usage } from '../core/usage.ts'
import { eitherSpelling } from './gemini-spelling.ts'
import type { Place } from './json-place.ts'
import { NOTHING_REPORTED, type NormalTokens, normaliseTokens } from './usage-report.ts'

const COUNTS = ['prompt', 'cached', 'tools', 'candidates', 'thoughts', 'total'] as const
const MODALITIES = ['Audio', 'Image', 'Video'] as const
type Modality = (typeof MODALITIES)[number]
const SIDES = ['prompt', 'cached', 'output'] as const
type Side = (typeof SIDES)[number]
const DETAILS = SIDES.flatMap(side => MODALITIES.map((modality): `${Side}${Modality}` => `${side}${modality}`))
type Count = (typeof COUNTS)[number] | (typeof DETAILS)[number]
/** The numbers of one report; one that it does not have is 0, as proto3 writes it. */
type Numbers = Record<Count, bigint>

const nothing = (): Numbers => Object.fromEntries([...COUNTS, ...DETAILS].map(name => [name, 0n])) as Numbers

/** How Vertex names its tiers where it echoes them: by the word, or by its number. */
const TRAFFIC: ReadonlyMap<string, string> = new Map([
  ['on_demand_priority', 'priority'],
  ['on_demand_flex', 'flex'],
  ['on_demand', 'default'],
  ['1', 'default'],
  ['provisioned_throughput', 'provisioned_throughput'],
  ['2', 'provisioned_throughput'],
])
const MODALITY: ReadonlyMap<string, Modality> = new Map([
  ['VIDEO', 'Video'],
  ['3', 'Video'],
  ['AUDIO', 'Audio'],
  ['4', 'Audio'],
  ['IMAGE', 'Image'],
  ['2', 'Image'],
])

export class GeminiUsageReport {
  /** The report that is read, the last one that had tokens at all, and the largest of each number so far. */
  #current = nothing()
  #last: Numbers | null = null
  #most = nothing()
  #tier: string | null = null
  readonly #wrong: Set<string> = new Set()

  /** The place of a usage object; `reported` is called where one ended that has tokens. */
  place(reported: () => void): Place {
    const count = (name: Count): Place => this.#number(name, value => (this.#current[name] = value))
    const promptDetails = this.#details('prompt')
    return {
      measure: null,
      enter: () => (this.#current = nothing()),
      leave: () => this.#end(reported),
      members: eitherSpelling({
        promptTokenCount: count('prompt'),
        cachedContentTokenCount: count('cached'),
        toolUsePromptTokenCount: count('tools'),
        candidatesTokenCount: count('candidates'),
        thoughtsTokenCount: count('thoughts'),
        totalTokenCount: count('total'),
        promptTokensDetails: promptDetails,
        // Embeddings spell it so.
        promptTokenDetails: promptDetails,
        toolUsePromptTokensDetails: promptDetails,
        cacheTokensDetails: this.#details('cached'),
        candidatesTokensDetails: this.#details('output'),
        serviceTier: { scalar: ({ kind, text }) => (this.#tier = kind === 'string' ? text.toLowerCase() : this.#tier) },
        trafficType: { scalar: ({ text }) => (this.#tier = TRAFFIC.get(text.toLowerCase()) ?? this.#tier) },
      }),
    }
  }

  /** The last report, null before one came. */
  last(model: string | null, calls: ReadonlyMap<string, bigint>): Usage | null {
    return this.#last === null ? null : this.#usage(this.#last, model, calls)
  }

  /** What an answer has cost at least: reports are cumulative, but a number may vanish from one, or start over. Null before one came. */
  most(model: string | null, calls: ReadonlyMap<string, bigint>): Usage | null {
    return this.#last === null ? null : this.#usage(this.#most, model, calls)
  }

  #end(reported: () => void): void {
    const report = this.#current
    if (COUNTS.every(name => report[name] === 0n)) return
    this.#last = report
    for (const name of [...COUNTS, ...DETAILS]) if (report[name] > this.#most[name]) this.#most[name] = report[name]
    const { prompt, tools, candidates, thoughts } = this.#most
    const parts = prompt + tools + candidates + thoughts
    if (parts > this.#most.total) this.#most.total = parts
    reported()
  }

  #usage(numbers: Numbers, model: string | null, calls: ReadonlyMap<string, bigint>): Usage {
    const { tokens, contradictions } = normal(numbers)
    return { tokens, calls, model, serviceTier: this.#tier, statedCost: null, contradictions: [...this.#wrong, ...contradictions] }
  }

  /** Parts by modality; one modality may stand in several of them. */
  #details(side: Side): Place {
    let modality: Modality | undefined
    let tokens = 0n
    return {
      items: {
        enter: () => {
          modality = undefined
          tokens = 0n
        },
        leave: () => {
          if (modality !== undefined) this.#current[`${side}${modality}`] += tokens
        },
        members: eitherSpelling({
          modality: { scalar: ({ text }) => (modality = MODALITY.get(text)) },
          tokenCount: this.#number(`${side} details`, value => (tokens = value)),
        }),
      },
    }
  }

  #number(name: string, found: (value: bigint) => void): Place {
    return {
      scalar: ({ kind, text }) => {
        if (kind === 'null') return
        // proto3's JSON may write a whole number as a text.
        const value = kind === 'number' || kind === 'string' ? parseDecimalUp(text, 0) : null
        if (value === null) this.#wrong.add(`${name} is not a number that can be counted`)
        else found(value)
      },
    }
  }
}

/** Cached pictures, sound and film are cached tokens first: only what is left of them has a rate of its own. */
function normal(numbers: Numbers): NormalTokens {
  const { cached, candidates, thoughts, total } = numbers
  const input = numbers.prompt + numbers.tools
  const output = candidates + thoughts
  const uncached = atLeastZero(input - cached)
  const inputAudio = smaller(atLeastZero(numbers.promptAudio - numbers.cachedAudio), uncached)
  const inputImage = smaller(atLeastZero(numbers.promptImage - numbers.cachedImage), uncached - inputAudio)
  const inputVideo = smaller(atLeastZero(numbers.promptVideo - numbers.cachedVideo), uncached - inputAudio - inputImage)
  return normaliseTokens(
    {
      ...NOTHING_REPORTED,
      input: input === 0n ? null : input,
      cacheRead: cached,
      cacheReadAudio: numbers.cachedAudio,
      inputAudio,
      inputImage,
      inputVideo,
      output,
      reasoning: thoughts,
      outputAudio: numbers.outputAudio,
      outputImage: numbers.outputImage,
      outputVideo: numbers.outputVideo,
      // A report without a total: its parts are all there is.
      total: total > 0n ? total : input + output,
    },
    'InputIncludesCache',
  )
}

const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b)
const atLeastZero = (count: bigint): bigint => (count < 0n ? 0n : count)
