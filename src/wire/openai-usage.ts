// OpenAI-shaped usage objects, with the fields that compatible servers add or rename. Reads numbers from their JSON text, never as doubles.
import { type NanoUsd, nanoUsd, parseDecimalUp } from '../core/money.ts'
import { AUDIO_SECOND } from '../core/price.ts'
import type { Usage } from '../core/usage.ts'
import { members, type Place } from './json-place.ts'
import { NOTHING_REPORTED, normaliseTokens, type ReportedTokens } from './usage-report.ts'

type Counted = Exclude<keyof ReportedTokens, 'cacheWrite1h'>

/** One usage object as it is scanned; `begin` forgets the one before. */
export class OpenAiUsageReport {
  #counts: { -readonly [Key in keyof ReportedTokens]: ReportedTokens[Key] } = { ...NOTHING_REPORTED }
  #wrong: string[] = []
  #cost: NanoUsd | null = null
  #upstreamCost: NanoUsd | null = null
  #ownKey = false
  #sources = 0n
  /** Of audio, rounded up; null where not reported. */
  #seconds: bigint | null = null

  /** The place of a usage object; `whole` is called where one ended that reports tokens at all. */
  place(whole: () => void): Place {
    return {
      measure: null,
      enter: kind => {
        if (kind === 'object') this.#begin()
      },
      leave: () => {
        const { input, output, total } = this.#counts
        if (input !== null || output !== null || total !== null || this.#seconds !== null) whole()
      },
      members: this.#members(),
    }
  }

  /** The report in normal form. Groq, Mistral, OpenRouter and the others share OpenAI's convention: input includes cached tokens. */
  usage(model: string | null, serviceTier: string | null): Usage {
    const { tokens, contradictions } = normaliseTokens(this.#counts, 'InputIncludesCache')
    const calls = new Map<string, bigint>()
    if (this.#sources > 0n) calls.set('source', this.#sources)
    if (this.#seconds !== null && this.#seconds > 0n) calls.set(AUDIO_SECOND, this.#seconds)
    return {
      tokens,
      calls,
      model,
      serviceTier,
      statedCost: this.#statedCost(),
      contradictions: [...this.#wrong, ...contradictions],
    }
  }

  #begin(): void {
    this.#counts = { ...NOTHING_REPORTED }
    this.#wrong = []
    this.#cost = null
    this.#upstreamCost = null
    this.#ownKey = false
    this.#sources = 0n
    this.#seconds = null
  }

  /** With a key of one's own, OpenRouter's `cost` is only its fee; the model's cost is billed to that key. */
  #statedCost(): NanoUsd | null {
    if (this.#cost === null || !this.#ownKey) return this.#cost
    return this.#upstreamCost === null ? null : nanoUsd(this.#cost + this.#upstreamCost)
  }

  #members(): ReadonlyMap<string, Place> {
    const inputDetails = {
      members: members({
        cached_tokens: this.#count('cacheRead', 'cached_tokens'),
        cache_write_tokens: this.#count('cacheWrite5m', 'cache_write_tokens'),
        audio_tokens: this.#count('inputAudio', 'audio_tokens'),
        image_tokens: this.#count('inputImage', 'image_tokens'),
        video_tokens: this.#count('inputVideo', 'video_tokens'),
      }),
    }
    const outputDetails = {
      members: members({
        reasoning_tokens: this.#count('reasoning', 'reasoning_tokens'),
        audio_tokens: this.#count('outputAudio', 'audio_tokens'),
        image_tokens: this.#count('outputImage', 'image_tokens'),
      }),
    }
    return members({
      prompt_tokens: this.#count('input', 'prompt_tokens'),
      completion_tokens: this.#count('output', 'completion_tokens'),
      total_tokens: this.#count('total', 'total_tokens'),
      prompt_tokens_details: inputDetails,
      // Mistral's spelling.
      prompt_token_details: inputDetails,
      completion_tokens_details: outputDetails,
      // The Responses API's spelling.
      input_tokens: this.#count('input', 'input_tokens'),
      output_tokens: this.#count('output', 'output_tokens'),
      input_tokens_details: inputDetails,
      // Transcriptions: their own spelling, or a length instead of tokens; Mistral's is beside them.
      input_token_details: inputDetails,
      seconds: this.#number('seconds', 0, seconds => (this.#seconds = seconds)),
      prompt_audio_seconds: this.#number('prompt_audio_seconds', 0, seconds => (this.#seconds = seconds)),
      output_tokens_details: outputDetails,
      // DeepSeek; Mistral; Hugging Face.
      prompt_cache_hit_tokens: this.#count('cacheRead', 'prompt_cache_hit_tokens'),
      num_cached_tokens: this.#count('cacheRead', 'num_cached_tokens'),
      cached_tokens: this.#count('cacheRead', 'cached_tokens'),
      ...this.#costs(),
    })
  }

  #costs(): Record<string, Place> {
    const stated = (places: number): Place => this.#money('cost', places, cost => (this.#cost = cost))
    return {
      // OpenRouter: USD. Perplexity: the same in an object.
      cost: { ...stated(9), members: members({ total_cost: stated(9) }) },
      cost_details: { members: members({ upstream_inference_cost: this.#money('upstream cost', 9, cost => (this.#upstreamCost = cost)) }) },
      is_byok: { scalar: ({ kind }) => (this.#ownKey = kind === 'true') },
      // xAI: 10^10 ticks a dollar (docs.x.ai, cost tracking), so a tick is 10^-1 nano-USD.
      cost_in_usd_ticks: this.#money('cost_in_usd_ticks', -1, cost => (this.#cost = cost)),
      num_sources_used: this.#number('num_sources_used', 0, count => (this.#sources = count)),
    }
  }

  /** Where two fields report the same number, the first that is above 0 stands. */
  #count(key: Counted, name: string): Place {
    return this.#number(name, 0, count => {
      if (!this.#counts[key]) this.#counts[key] = count
    })
  }

  #money(name: string, places: number, found: (cost: NanoUsd) => void): Place {
    return this.#number(name, places, cost => found(nanoUsd(cost)))
  }

  #number(name: string, places: number, found: (value: bigint) => void): Place {
    return {
      scalar: ({ kind, text }) => {
        if (kind === 'null') return
        const value = kind === 'number' ? parseDecimalUp(text, places) : null
        if (value === null) this.#wrong.push(`${name} is not a number that can be counted`)
        else found(value)
      },
    }
  }
}
