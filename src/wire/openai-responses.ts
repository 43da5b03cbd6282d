// OpenAI Responses, as OpenAI, Azure and compatible servers speak them. Assembles the shared reader; holds what only this API has.
import type { CallDraft } from './call-draft.ts'
import type { CallReader, Endpoint, Format, RequestHead } from './format.ts'
import { members, type Place } from './json-place.ts'
import { isPlainModel, isServerAgent, searchesByItself } from './model-traits.ts'
import { boundPlace } from './openai-chat.ts'
import { azureDeployment, matchSuffix } from './openai-path.ts'
import { NOT_PROMPT, serverToolPlace, wholePrompt } from './openai-prompt.ts'
import { type OpenAiRequest, openOpenAiReader } from './openai-reader.ts'
import { inputPlace, stored } from './responses-input.ts'
import { openResponsesMeter } from './responses-meter.ts'

const ENDPOINT = 'responses'
/** A conversation made shorter: asked for as an answer is, and billed as one. */
const COMPACT = 'responses/compact'

/** Tools that the client runs: its own, and those whose schema the provider brings. All others run at the provider. Source: the API reference. */
const OWN: readonly string[] = ['function', 'custom', 'namespace']
const PROVIDED: readonly string[] = ['local_shell', 'apply_patch', 'computer', 'computer_use_preview']

/** Tools whose calls `max_tool_calls` bounds, all of them together: what is beyond it is ignored (the API reference). And who knows the field. */
const COUNTED_TOOL = /^(?:web_search(?:_preview)?(?:_\d{4}_\d{2}_\d{2})?|file_search|code_interpreter)$/
const COUNTED_BY: readonly string[] = ['openai', 'azure']

export const openAiResponses: Format = {
  name: 'openai-responses',
  dialect: 'openai',
  match: head => matchSuffix(openAiResponses, head, ENDPOINT) ?? matchSuffix(openAiResponses, head, COMPACT) ?? retrieved(head),
  openReader,
  openMeter: openResponsesMeter,
}

/** An answer that is fetched again costs nothing; it tells what the call for it did cost. */
function retrieved(head: RequestHead): Endpoint | null {
  const found = head.method.toUpperCase() === 'GET' && /\/responses\/(?!input_tokens$)[^/]+\/?$/.test(head.path)
  return found ? { kind: 'free', endpoint: 'retrieve', format: openAiResponses } : null
}

function openReader(head: RequestHead, endpoint: string): CallReader {
  const declared: { uses: bigint | null } = { uses: null }
  return openOpenAiReader({
    format: 'openai-responses',
    endpoint,
    generates: true,
    pathModel: azureDeployment(head.path),
    members: request => responsesMembers(request, declared),
    complete: ({ draft }) => {
      // Every stream ends with its usage: it need not be asked for.
      draft.usageAsked = true
      // Nothing in the body bounds how long a shorter conversation is.
      if (endpoint === COMPACT) draft.takesBound = false
      for (const model of draft.models) {
        if (searchesByItself(model)) draft.addServerTool('web_search')
        if (isServerAgent(model)) draft.addServerTool(model.slice(0, 64))
      }
      const tools = [...draft.serverTools]
      const bounded = endpoint !== COMPACT && tools.length > 0 && tools.every(name => COUNTED_TOOL.test(name))
      if (bounded) draft.toolUses = { declared: [declared.uses], knownTo: COUNTED_BY }
    },
    mayAsk: isPlainModel,
    boundField: () => 'max_output_tokens',
  })
}

function responsesMembers(request: OpenAiRequest, declared: { uses: bigint | null }): Record<string, Place> {
  const { draft, fields, offsets } = request
  return {
    input: inputPlace(draft, fields),
    instructions: { measure: { tally: draft.text, mode: 'text' }, enter: () => draft.items++ },
    tools: toolsPlace(draft),
    text: { ...NOT_PROMPT, members: members({ format: formatPlace(draft) }) },
    max_output_tokens: boundPlace(request, 'max_output_tokens'),
    max_tool_calls: fields.count(
      'max_tool_calls',
      (uses, span) => {
        declared.uses = uses
        offsets.toolUses(span)
      },
      span => offsets.toolUses(span),
    ),
    background: fields.flag('background', background => (draft.background = background)),
    previous_response_id: stored(draft, 'previous_response_id'),
    conversation: stored(draft, 'conversation'),
    prompt: stored(draft, 'prompt'),
    models: { ...NOT_PROMPT, items: fields.word('models', model => draft.addModel(model)) },
    plugins: serverToolPlace(draft, 'plugins'),
    search_parameters: serverToolPlace(draft, 'web_search'),
    context_management: compactionPlace(draft),
    ...Object.fromEntries(['include', 'reasoning', 'tool_choice'].map(name => [name, NOT_PROMPT])),
  }
}

function toolsPlace(draft: CallDraft): Place {
  return {
    ...wholePrompt(draft),
    leave: ({ count }) => (draft.tools ||= count > 0),
    items: {
      members: members({
        type: {
          scalar: ({ kind, text }) => {
            if (kind !== 'string' || OWN.includes(text)) return
            if (PROVIDED.includes(text)) draft.addProvidedTool()
            else draft.addServerTool(text.slice(0, 64))
          },
        },
      }),
    },
  }
}

/** Anything but plain text brings a hidden prompt, as a tool does. */
const formatPlace = (draft: CallDraft): Place => ({
  ...wholePrompt(draft),
  members: members({ type: { scalar: ({ text }) => (draft.tools ||= text !== 'text') } }),
})

/** The provider shortens the conversation by itself, which costs as an answer does. */
const compactionPlace = (draft: CallDraft): Place => ({
  ...NOT_PROMPT,
  items: {
    members: members({
      type: {
        scalar: ({ text }) => {
          if (text === 'compaction') draft.addServerTool('context compaction')
        },
      },
    }),
  },
})
