// Cohere's chat (versions 1 and 2) and its older generate. Assembles the shared reader and the meter; holds what only they have.
import type { CallDraft } from './call-draft.ts'
import { openCohereMeter } from './cohere-meter.ts'
import type { Endpoint, Format, RequestHead } from './format.ts'
import { members, type Place } from './json-place.ts'
import { isPlainModel } from './model-traits.ts'
import { boundPlace } from './openai-chat.ts'
import { matchSuffix } from './openai-path.ts'
import { messagesPlace, NOT_PROMPT, responseFormatPlace, toolsPlace, wholePrompt } from './openai-prompt.ts'
import { type OpenAiRequest, openOpenAiReader } from './openai-reader.ts'

/** Fields of both versions that no model reads. */
const NOT_READ = [
  'k p stop_sequences end_sequences safety_mode citation_quality citation_options prompt_truncation search_queries_only force_single_step',
  'raw_prompting priority strict_tools tool_choice return_likelihoods return_prompt preset max_input_tokens',
]
  .join(' ')
  .split(' ')

export const cohereChat: Format = {
  name: 'cohere-chat',
  dialect: 'openai',
  match: head => matchVersioned(cohereChat, head, 'chat', ['v1/chat', 'v2/chat']),
  openReader: (_head, endpoint) => openReader('cohere-chat', endpoint, chatMembers),
  openMeter: openCohereMeter,
}

export const cohereGenerate: Format = {
  name: 'cohere-generate',
  dialect: 'openai',
  match: head => matchVersioned(cohereGenerate, head, 'generate', ['v1/generate']),
  openReader: (_head, endpoint) => openReader('cohere-generate', endpoint, generateMembers),
  openMeter: openCohereMeter,
}

/** Version and all: other servers have paths that end in the last word alone. */
export function matchVersioned(format: Format, head: RequestHead, endpoint: string, suffixes: readonly string[]): Endpoint | null {
  return suffixes.some(suffix => matchSuffix(format, head, suffix) !== null) ? { kind: 'metered', format, endpoint } : null
}

const openReader: (
  format: string,
  endpoint: string,
  members: (request: OpenAiRequest) => Record<string, Place>,
) => ReturnType<typeof openOpenAiReader> = (format, endpoint, ownMembers) =>
  openOpenAiReader({
    format,
    endpoint,
    generates: true,
    pathModel: null,
    members: request => ({
      ...Object.fromEntries(NOT_READ.map(name => [name, NOT_PROMPT])),
      max_tokens: boundPlace(request, 'max_tokens'),
      ...ownMembers(request),
    }),
    complete: ({ draft }) => {
      // Every answer ends with its usage: it need not be asked for.
      draft.usageAsked = true
      if (draft.items === 0) draft.items = 1
    },
    mayAsk: isPlainModel,
    boundField: () => 'max_tokens',
  })

function chatMembers({ draft, fields }: OpenAiRequest): Record<string, Place> {
  const listed: Place = { ...wholePrompt(draft), leave: ({ count }) => (draft.items += count) }
  return {
    messages: messagesPlace(draft, fields),
    tools: toolsPlace(draft),
    tool_results: listed,
    response_format: responseFormatPlace(draft),
    message: { measure: { tally: draft.text, mode: 'text' }, enter: () => draft.items++ },
    preamble: { measure: { tally: draft.text, mode: 'text' }, enter: () => draft.items++ },
    chat_history: listed,
    documents: documentsPlace(draft),
    // What a connector finds is read and billed as prompt.
    connectors: { ...NOT_PROMPT, items: { enter: () => draft.opaqueInputs.add('a connector') } },
    conversation_id: {
      ...NOT_PROMPT,
      scalar: ({ kind, bytes }) => {
        if (kind === 'string' && bytes > 0) draft.opaqueInputs.add('a stored conversation')
      },
    },
  }
}

function generateMembers({ draft, fields }: OpenAiRequest): Record<string, Place> {
  return {
    prompt: { measure: { tally: draft.text, mode: 'text' } },
    num_generations: fields.count('num_generations', count => (draft.choices = count)),
  }
}

/** Documents come with their text; one that is only an id stands for text that the body does not show. */
function documentsPlace(draft: CallDraft): Place {
  let named = false
  return {
    ...wholePrompt(draft),
    leave: ({ count }) => (draft.items += count),
    items: {
      enter: () => (named = false),
      members: members({ id: { enter: () => (named = true) } }),
      leave: ({ count }) => {
        if (named && count === 1) draft.opaqueInputs.add('a document by its id')
      },
    },
  }
}
