// Pictures that a Responses answer had made by another model: their tokens are reported beside the usage, and cost what that model costs.
import { addTokens, NO_TOKENS, type TokenCounts, type Usage } from '../core/usage.ts'
import { members, type Place } from './json-place.ts'

/** Who makes them where the answer does not say: the dearest that does (the price list). */
const UNNAMED = 'gpt-image-1'

type Count = (found: (value: bigint) => void) => Place

export class GeneratedImages {
  #model: string | null = null
  #input = 0n
  /** Of the input; the rest is pictures. */
  #text = 0n
  #output = 0n

  begin(): void {
    this.#model = null
    this.#input = 0n
    this.#text = 0n
    this.#output = 0n
  }

  /** The place of the tools that the answer repeats. */
  toolsPlace(): Place {
    const tool = { type: '', model: '' }
    return {
      measure: null,
      items: {
        enter: () => Object.assign(tool, { type: '', model: '' }),
        leave: () => {
          if (tool.type === 'image_generation' && tool.model !== '') this.#model = tool.model
        },
        members: members({
          type: { scalar: ({ text }) => (tool.type = text) },
          model: { scalar: ({ kind, text, bytes }) => (tool.model = kind === 'string' && bytes <= 256 ? text : '') },
        }),
      },
    }
  }

  /** The place of `tool_usage.image_gen`. */
  usagePlace(count: Count): Place {
    return {
      members: members({
        input_tokens: count(value => (this.#input = value)),
        input_tokens_details: { members: members({ text_tokens: count(value => (this.#text = value)) }) },
        output_tokens: count(value => (this.#output = value)),
      }),
    }
  }

  /** The usage with the pictures' tokens, as a part of another model. */
  complete(usage: Usage): Usage {
    if (this.#input + this.#output === 0n) return usage
    const input = smaller(this.#text, this.#input)
    const tokens: TokenCounts = { ...NO_TOKENS, input, inputImage: this.#input - input, outputImage: this.#output }
    return { ...usage, tokens: addTokens(usage.tokens, tokens), elsewhere: [{ model: this.#model ?? UNNAMED, tokens }] }
  }
}

const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b)
