// The tools of a Messages request: schemas are prompt, those that the provider runs are named, and where their uses can be bounded. Keeps no content.
import type { ToolUses } from '../core/call.ts'
import type { CallDraft } from './call-draft.ts'
import type { Splice } from './format.ts'
import { members, type Place, type Span } from './json-place.ts'
import { cacheMarker, wholePrompt } from './openai-prompt.ts'
import type { RequestFields } from './request-fields.ts'

/** Tools that the client runs, and whose schema Anthropic provides. All others run at the provider, but for the client's own. */
const PROVIDED = /^(?:bash|text_editor|computer|memory)(?:_\d{8})?$/
/** Tools whose uses in one request `max_uses` bounds (Anthropic's tool reference); an advisor's would, but it reads and bills as another model. */
const TAKES_MAX_USES = /^web_(?:search|fetch)_\d{8}$/
/** Who runs them: Anthropic itself, and its models on Vertex and Foundry. */
const KNOWN_TO: readonly string[] = ['anthropic', 'google', 'azure']

/** One tool whose uses can be bounded. */
interface UsesField {
  /** Its object begins here. */
  readonly open: number
  /** Where the value of `max_uses` stands, null where there is none; and what it declares. */
  readonly span: Span | null
  readonly declared: bigint | null
}

export class AnthropicTools {
  readonly #draft: CallDraft
  readonly #fields: RequestFields
  readonly #uses: UsesField[] = []

  constructor(draft: CallDraft, fields: RequestFields) {
    this.#draft = draft
    this.#fields = fields
  }

  /** The place of `tools`. */
  place(): Place {
    const draft = this.#draft
    const tool = { open: 0, type: '', span: null as Span | null, declared: null as bigint | null }
    return {
      ...wholePrompt(draft),
      leave: ({ count }) => (draft.tools ||= count > 0),
      items: {
        enter: (_kind, open) => Object.assign(tool, { open, type: '', span: null, declared: null }),
        leave: () => {
          if (TAKES_MAX_USES.test(tool.type)) this.#uses.push({ ...tool })
        },
        members: members({
          type: {
            scalar: ({ kind, text }) => {
              if (kind !== 'string') return
              tool.type = text
              if (PROVIDED.test(text)) draft.addProvidedTool()
              else if (text !== 'custom') draft.addServerTool(text.slice(0, 64))
            },
          },
          max_uses: this.#fields.count(
            'tools.max_uses',
            (uses, { start, end }) => Object.assign(tool, { span: { start, end }, declared: uses }),
            ({ start, end }) => Object.assign(tool, { span: { start, end } }),
          ),
          // The advisor's own, which answers a part and is billed at its own price.
          model: this.#fields.word('tools.model', model => draft.addModel(model)),
          cache_control: cacheMarker(draft),
        }),
      },
    }
  }

  /** Null where a tool that the provider runs has no such field. */
  get toolUses(): ToolUses | null {
    const all = [...this.#draft.serverTools]
    if (all.length === 0 || !all.every(name => TAKES_MAX_USES.test(name))) return null
    return { declared: this.#uses.map(({ declared }) => declared), knownTo: KNOWN_TO }
  }

  /** What sets `most` as the bound of every tool that declares none, or a larger one. */
  splices(most: bigint): readonly Splice[] {
    return this.#uses.flatMap(({ open, span, declared }) => {
      if (declared !== null && declared <= most) return []
      if (span === null) return [{ at: open + 1, remove: 0, insert: `"max_uses":${most},` }]
      return [{ at: span.start, remove: span.end - span.start, insert: most.toString() }]
    })
  }
}
