// What Groq's agents report beside their usage: which models took part, each with its own tokens, and which tools were run. Keeps numbers and names.
import { TOKEN_KINDS } from '../core/price.ts'
import { addTokens, NO_TOKENS, type TokenCounts, type Usage } from '../core/usage.ts'
import { members, type Place } from './json-place.ts'
import { OpenAiUsageReport } from './openai-usage.ts'

/** More parts than an agent has rounds are a mistake or an attack. */
const PARTS_MAX = 256

/** Tools as they are billed; any other costs as the dearest kind of call. */
const KINDS: ReadonlyMap<string, string> = new Map([
  ['search', 'web_search'],
  ['web_search', 'web_search'],
  ['browser_search', 'web_search'],
  ['visit', 'web_fetch'],
  ['visit_website', 'web_fetch'],
  ['python', 'code_interpreter'],
  ['code_interpreter', 'code_interpreter'],
])

export class CompoundReport {
  #parts: { readonly model: string; readonly tokens: TokenCounts }[] = []
  /** Tools by their place in the answer: a stream tells of one several times. */
  readonly #tools = new Map<string, string>()

  /** The place of `usage_breakdown`. */
  breakdownPlace(): Place {
    const report = new OpenAiUsageReport()
    const part = { model: '', reported: false }
    return {
      measure: null,
      enter: () => (this.#parts = []),
      members: members({
        models: {
          items: {
            enter: () => Object.assign(part, { model: '', reported: false }),
            leave: () => {
              if (part.model === '' || !part.reported || this.#parts.length >= PARTS_MAX) return
              this.#parts.push({ model: part.model, tokens: report.usage(null, null).tokens })
            },
            members: members({
              model: { scalar: ({ kind, text, bytes }) => (part.model = kind === 'string' && bytes <= 256 ? text : '') },
              usage: report.place(() => (part.reported = true)),
            }),
          },
        },
      }),
    }
  }

  /** The place of `executed_tools`. */
  toolsPlace(): Place {
    const tool = { index: '', type: '' }
    return {
      items: {
        enter: () => Object.assign(tool, { index: `#${this.#tools.size}`, type: '' }),
        leave: () => {
          if (tool.type !== '' && this.#tools.size < PARTS_MAX) this.#tools.set(tool.index, KINDS.get(tool.type) ?? 'server_tool')
        },
        members: members({
          index: { scalar: ({ text }) => (tool.index = text) },
          type: { scalar: ({ text }) => (tool.type = text.slice(0, 64)) },
        }),
      },
    }
  }

  /** A usage with what is known of its parts. Parts that come to more than the whole contradict it, and are left out. */
  complete(usage: Usage): Usage {
    const calls = new Map(usage.calls)
    for (const kind of this.#tools.values()) calls.set(kind, (calls.get(kind) ?? 0n) + 1n)
    if (this.#parts.length === 0) return { ...usage, calls }
    const sum = this.#parts.reduce((all, { tokens }) => addTokens(all, tokens), NO_TOKENS)
    if (TOKEN_KINDS.every(kind => sum[kind] <= usage.tokens[kind])) return { ...usage, calls, elsewhere: this.#parts }
    return { ...usage, calls, contradictions: [...usage.contradictions, 'the parts of a breakdown come to more than the whole'] }
  }
}
