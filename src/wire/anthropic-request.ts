// Reads an Anthropic Messages request: model, bound, tools, cache markers, and the size of its prompt. Keeps sizes and names, never text.
import { blockPlace } from './anthropic-blocks.ts'
import { AnthropicTools } from './anthropic-tools.ts'
import { CallDraft } from './call-draft.ts'
import type { Amendment, CallReader, ReadResult, Splice } from './format.ts'
import { openBodyReader } from './json-body.ts'
import { members, type Place, type Span } from './json-place.ts'
import { cacheMarker, NOT_PROMPT, wholePrompt } from './openai-prompt.ts'
import { RequestFields } from './request-fields.ts'

/** Fields that no model reads. What is not named is counted as prompt: a field too many does a bound no harm, one too few does. */
const NOT_READ = ['metadata', 'temperature', 'top_p', 'top_k', 'stop_sequences', 'tool_choice', 'anthropic_version']

interface Request {
  readonly draft: CallDraft
  readonly fields: RequestFields
  readonly tools: AnthropicTools
  /** Where the value of `max_tokens` stands. */
  bound: Span | null
  /** Where that of `model` stands. */
  model: Span | null
}

/** What a path tells of a call whose body does not: elsewhere than at Anthropic, the model, and whether the answer is a stream. */
export interface PathTold {
  readonly model: string
  readonly streaming: boolean
  /** Made in a region of the caller's choice. */
  readonly regional: boolean
}

export function openAnthropicReader(format: string, endpoint: string, told: PathTold | null = null): CallReader {
  const draft = new CallDraft()
  const fields = new RequestFields()
  const request: Request = { draft, fields, tools: new AnthropicTools(draft, fields), bound: null, model: null }
  const complete = (): ReadResult => {
    if (told !== null) tell(draft, told)
    if (draft.models.length === 0) fields.refuse('The field "model" is missing.')
    if (draft.outputBound === null) fields.refuse('The field "max_tokens" is missing.')
    draft.toolUses = request.tools.toolUses
    const call = draft.call(format, endpoint, true)
    const asksOne = told === null && request.model !== null && call.models.length === 1
    return {
      kind: 'call',
      call,
      as: model => (asksOne ? { ...call, models: [model] } : null),
      amend: amendment => amend(amendment, request),
    }
  }
  return openBodyReader({ draft, fields, root: rootPlace(request), complete })
}

/** The path's model is the one that is asked for. */
function tell(draft: CallDraft, { model, streaming, regional }: PathTold): void {
  draft.askModel(model)
  draft.streaming ||= streaming
  draft.regional ||= regional
}

/** The bound is a required field, so it can be replaced and need never be put in; usage is in every stream. */
function amend({ outputBound, toolUses = null, model = null }: Amendment, { bound, model: named, tools }: Request): readonly Splice[] {
  const splices = toolUses === null ? [] : [...tools.splices(toolUses)]
  if (model !== null && named !== null) splices.push({ at: named.start, remove: named.end - named.start, insert: JSON.stringify(model) })
  if (outputBound !== null && bound !== null)
    splices.push({ at: bound.start, remove: bound.end - bound.start, insert: outputBound.toString() })
  return splices.sort((a, b) => a.at - b.at)
}

function rootPlace(request: Request): Place {
  const { draft, fields, tools } = request
  return {
    members: members({
      ...paramsMembers(draft, fields, tools),
      // A model to fall back to may come first in the body; the one asked for comes first in the call.
      model: fields.word('model', (model, { start, end }) => {
        draft.askModel(model)
        request.model = { start, end }
      }),
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
export function paramsMembers(draft: CallDraft, fields: RequestFields, tools: AnthropicTools): Record<string, Place> {
  const block = blockPlace(draft)
  return {
    ...Object.fromEntries(NOT_READ.map(name => [name, NOT_PROMPT])),
    // `auto` and `standard_only` cost the same by the token: capacity that is paid for in advance is not dearer.
    service_tier: NOT_PROMPT,
    inference_geo: fields.word('inference_geo', geo => (draft.regional = geo !== 'global')),
    speed: fields.word('speed', speed => (draft.serviceTier = speed === 'standard' ? null : speed)),
    // A bound at or below it is refused (the API reference).
    thinking: { measure: null, members: members({ budget_tokens: thinkingPlace(draft, fields) }) },
    cache_control: cacheMarker(draft),
    system: { measure: { tally: draft.text, mode: 'text' }, enter: () => draft.items++, items: block },
    messages: messagesPlace(draft, fields, block),
    tools: tools.place(),
    ...beyondThePrompt(draft, fields),
  }
}

const thinkingPlace = (draft: CallDraft, fields: RequestFields): Place =>
  fields.count('thinking.budget_tokens', budget => (draft.leastBound = budget + 1n))

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
