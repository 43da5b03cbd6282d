// The units that Cohere bills, and the token totals of those who speak its shapes (Voyage, Jina, vLLM). Reads numbers from their JSON text.
import { parseDecimalUp } from '../core/money.ts'
import type { Usage } from '../core/usage.ts'
import { members, type Place } from './json-place.ts'
import { NOTHING_REPORTED, normaliseTokens, type ReportedTokens } from './usage-report.ts'

/** Units of searches, as `calls` of a usage name them. */
export const SEARCH_UNITS = 'search_units'

interface Units {
  input: bigint | null
  image: bigint | null
  output: bigint | null
  total: bigint | null
}
const NO_UNITS: Units = { input: null, image: null, output: null, total: null }

export class CohereUsageReport {
  /** `billed_units`, which count; `tokens`, what the model read and wrote; totals of the other servers. */
  #billed: Units = { ...NO_UNITS }
  #tokens: Units = { ...NO_UNITS }
  readonly #calls = new Map<string, bigint>()
  readonly #wrong = new Set<string>()

  /** Whether a report came that can be charged. */
  get reported(): boolean {
    return this.#calls.size > 0 || [this.#billed, this.#tokens].some(units => Object.values(units).some(count => count !== null))
  }

  /** The place of `usage` or `meta`; `ended` is told where one ended. */
  place(ended: () => void): Place {
    return {
      measure: null,
      leave: ended,
      members: members({
        billed_units: { members: new Map([...this.#units(() => this.#billed), ...this.#called()]) },
        tokens: { members: new Map(this.#units(() => this.#tokens)) },
        total_tokens: this.#number('total_tokens', count => (this.#tokens.total = count)),
        prompt_tokens: this.#number('prompt_tokens', count => (this.#tokens.input = count)),
      }),
    }
  }

  usage(model: string | null): Usage {
    const { tokens, contradictions } = normaliseTokens(this.#reportedTokens(), 'InputIncludesCache')
    return {
      tokens,
      calls: new Map(this.#calls),
      model,
      serviceTier: null,
      statedCost: null,
      contradictions: [...this.#wrong, ...contradictions],
    }
  }

  /** Where nothing is billed in units of tokens, the tokens themselves count, unless searches are what is billed. */
  #reportedTokens(): ReportedTokens {
    const billed = Object.values(this.#billed).some(count => count !== null) || this.#calls.size > 0
    const { input, image, output, total } = billed ? this.#billed : this.#tokens
    const inputImage = image ?? 0n
    return { ...NOTHING_REPORTED, input: input === null && image === null ? null : (input ?? 0n) + inputImage, inputImage, output, total }
  }

  #units(of: () => Units): [string, Place][] {
    return [
      ['input_tokens', this.#number('input_tokens', count => (of().input = count))],
      ['image_tokens', this.#number('image_tokens', count => (of().image = count))],
      ['output_tokens', this.#number('output_tokens', count => (of().output = count))],
    ]
  }

  #called(): [string, Place][] {
    return [SEARCH_UNITS, 'classifications', 'images'].map(kind => [
      kind,
      this.#number(kind, count => {
        if (count > 0n) this.#calls.set(kind, count)
      }),
    ])
  }

  #number(name: string, found: (count: bigint) => void): Place {
    return {
      scalar: ({ kind, text }) => {
        if (kind === 'null') return
        const count = kind === 'number' ? parseDecimalUp(text, 0) : null
        if (count === null) this.#wrong.add(`${name} is not a number that can be counted`)
        else found(count)
      },
    }
  }
}
