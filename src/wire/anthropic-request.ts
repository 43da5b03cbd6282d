// Reads an Anthropic Messages request: model, bound, tools, cache markers, and the size of its prompt. Keeps sizes and names, never text.
import { blockPlace } from './anthropic-blocks.ts'
import { CallDraft } from './call-draft.ts'
import type { Amendment, CallReader, ReadResult, Splice } from './format.ts'
import { openBodyReader } from './json-body.ts'
import { members, type Place, type Span } from './json-place.ts'
import { cacheMarker, NOT_PROMPT, wholePrompt } from './openai-prompt.ts'
import { RequestFields } from './request-fields.ts'

/** Tools that the client runs: named by it, or of a kind whose schema Anthropic provides. All others run at the provider. */
const RUN_BY_CLIENT = /^(?:custom|bash|text_editor|computer|memory)(?:_\d{8})?$/

/** Fields that no model reads. What is not named is counted as prompt: a field too many does a bound no harm, one too few does. */
const NOT_READ = [
  'metadata',
  'temperature',
  'top_p',
  'top_k',
  'stop_sequences',
  'tool_choice',
  'thinking',
  'inference_geo',
  'anthropic_version',
]

interface Request {
  readonly draft: CallDraft
  readonly fields: RequestFields
  /** Where the value of `max_tokens` stands. */
  bound: Span | null
}

/** What a path tells of a call whose body does not: elsewhere than at Anthropic, the model, and whether the answer is a stream. */
export interface PathTold {
  readonly model: string
  readonly streaming: boolean
}

export function openAnthropicReader(format: string, endpoint: string, told: PathTold | null = null): CallReader {
  const request: Request = { draft: new CallDraft(), fields: new RequestFields(), bound: null }
  const { draft, fields } = request
  const complete = (): ReadResult => {
    if (told !== null) tell(draft, told)
    if (draft.models.length === 0) fields.refuse('The field "model" is missing.')
    if (draft.outputBound === null) fields.refuse('The field "max_tokens" is missing.')
    return { kind: 'call', call: draft.call(format, endpoint, true), amend: amendment => amend(amendment, request.bound) }
  }
  return openBodyReader({ draft, fields, root: rootPlace(request), complete })
}

/** The path's model is the one that is asked for. */
function tell(draft: CallDraft, { model, streaming }: PathTold): void {
  const others = draft.models.filter(name => name !== model)
  draft.models.splice(0, draft.models.length, model, ...others)
  draft.streaming ||= streaming
}

/** The bound is a required field, so it can be replaced and need never be put in; usage is in every stream. */
function amend({ outputBound }: Amendment, bound: Span | null): readonly Splice[] {
  if (outputBound === null || bound === null) return []
  return [{ at: bound.start, remove: bound.end - bound.start, insert: outputBound.toString() }]
}

function rootPlace(request: Request): Place {
  const { draft, fields } = request
  return {
    members: members({
      ...paramsMembers(draft, fields),
      // A model to fall back to may come first in the body; the one asked for comes first in the call.
      model: fields.word('model', model => draft.models.unshift(model)),
      max_tokens: fields.count('max_tokens', (bound, { start, end }) => {
        draft.bound(bound)
        request.bound = { start, end }
      }),
      stream: fields.flag('stream', streaming => (draft.streaming = streaming)),
    }),
    others: wholePrompt(draft),
  }
}

/** The members of one request's parameters but for its model, its bound, and whether it streams. */
export function paramsMembers(draft: CallDraft, fields: RequestFields): Record<string, Place> {
  const block = blockPlace(draft)
  return {
    ...Object.fromEntries(NOT_READ.map(name => [name, NOT_PROMPT])),
    // `auto` and `standard_only` cost the same by the token: capacity that is paid for in advance is not dearer.
    service_tier: NOT_PROMPT,
    speed: fields.word('speed', speed => (draft.serviceTier = speed === 'standard' ? null : speed)),
    cache_control: cacheMarker(draft),
    system: { measure: { tally: draft.text, mode: 'text' }, enter: () => draft.items++, items: block },
    messages: messagesPlace(draft, fields, block),
    tools: toolsPlace(draft, fields),
    ...beyondThePrompt(draft, fields),
  }
}

function messagesPlace(draft: CallDraft, fields: RequestFields, block: Place): Place {
  return {
    measure: null,
    enter: kind => {
      if (kind !== 'array') fields.refuse('The field "messages" must be a list.')
    },
    leave: ({ count }) => (draft.items += count),
    items: {
      others: wholePrompt(draft),
      members: members({ role: NOT_PROMPT, content: { measure: { tally: draft.text, mode: 'text' }, items: block } }),
    },
  }
}

function toolsPlace(draft: CallDraft, fields: RequestFields): Place {
  return {
    ...wholePrompt(draft),
    leave: ({ count }) => (draft.tools ||= count > 0),
    items: {
      members: members({
        type: {
          scalar: ({ kind, text }) => {
            if (kind === 'string' && !RUN_BY_CLIENT.test(text)) draft.addServerTool(text.slice(0, 64))
          },
        },
        // The advisor's own, which answers a part and is billed at its own price.
        model: fields.word('tools.model', model => draft.addModel(model)),
        cache_control: cacheMarker(draft),
      }),
    },
  }
}

/** Fields that bring tokens which the body does not show, or models that were not asked for. */
function beyondThePrompt(draft: CallDraft, fields: RequestFields): Record<string, Place> {
  const schema: Place = { ...wholePrompt(draft), leave: () => (draft.tools = true) }
  const compacts: Place = {
    scalar: ({ text }) => {
      if (text.startsWith('compact')) draft.addServerTool('context compaction')
    },
  }
  return {
    mcp_servers: { ...NOT_PROMPT, items: { enter: () => draft.addServerTool('mcp_servers') } },
    container: {
      ...NOT_PROMPT,
      enter: kind => {
        if (kind !== 'null') draft.opaqueInputs.add('a container')
      },
    },
    // A schema of the answer brings a hidden prompt, as a tool does.
    output_format: schema,
    output_config: { ...wholePrompt(draft), members: members({ format: schema }) },
    fallbacks: { ...NOT_PROMPT, items: { members: members({ model: fields.word('fallbacks.model', model => draft.addModel(model)) }) } },
    context_management: { ...NOT_PROMPT, members: members({ edits: { items: { members: members({ type: compacts }) } } }) },
  }
}
