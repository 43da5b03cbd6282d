// OpenAI chat completions, as OpenAI, Azure and compatible servers speak them. Assembles the shared readers; holds what only chat has.
import type { Format, RequestHead } from './format.ts'
import { members, type Place } from './json-place.ts'
import { isPlainModel, isServerAgent, searchesByItself } from './model-traits.ts'
import { openOpenAiMeter } from './openai-meter.ts'
import { azureDeployment, azureKnowsCompletionBound, matchSuffix } from './openai-path.ts'
import { messagesPlace, NOT_PROMPT, responseFormatPlace, serverToolPlace, toolsPlace, wholePrompt } from './openai-prompt.ts'
import { type OpenAiRequest, openOpenAiReader } from './openai-reader.ts'

const ENDPOINT = 'chat/completions'

export const openAiChat: Format = {
  name: 'openai-chat',
  dialect: 'openai',
  match: head => matchSuffix(openAiChat, head, ENDPOINT),
  openReader: (head, endpoint) => {
    const asked = { reasoning: 0n }
    return openOpenAiReader({
      format: 'openai-chat',
      endpoint,
      generates: true,
      pathModel: azureDeployment(head.path),
      members: request => chatMembers(request, asked),
      complete: ({ draft }) => {
        if (draft.outputBound !== null) draft.bound(asked.reasoning)
        if (asked.reasoning > 0n) draft.leastBound = asked.reasoning + 1n
        for (const model of draft.models) {
          if (searchesByItself(model)) draft.addServerTool('web_search')
          if (isServerAgent(model)) draft.addServerTool(model.slice(0, 64))
        }
      },
      mayAsk: isPlainModel,
      boundField: provider => boundField(head, provider),
    })
  },
  openMeter: openOpenAiMeter,
}

/** OpenAI's models refuse the older name from the o-series on; most compatible servers know only that one. */
function boundField(head: RequestHead, provider: string | null): string {
  const knowsNewName = provider === 'openai' || (provider === 'azure' && azureKnowsCompletionBound(head))
  return knowsNewName ? 'max_completion_tokens' : 'max_tokens'
}

function chatMembers(request: OpenAiRequest, asked: { reasoning: bigint }): Record<string, Place> {
  const { draft, fields } = request
  return {
    messages: messagesPlace(draft, fields),
    tools: toolsPlace(draft),
    functions: toolsPlace(draft),
    tool_choice: NOT_PROMPT,
    function_call: NOT_PROMPT,
    response_format: responseFormatPlace(draft),
    prediction: {
      ...wholePrompt(draft),
      // OpenAI refuses a bound beside it (its guide to predicted outputs).
      enter: kind => {
        if (kind === 'object') draft.takesBound = false
      },
    },
    // OpenRouter: models to fall back to.
    models: {
      measure: null,
      enter: kind => {
        if (kind !== 'array' && kind !== 'null') fields.refuse('The field "models" must be a list.')
      },
      items: fields.word('models', model => draft.addModel(model)),
    },
    plugins: serverToolPlace(draft, 'plugins'),
    web_search_options: serverToolPlace(draft, 'web_search'),
    // xAI: live search, and answers that are fetched later.
    search_parameters: searchPlace(request),
    deferred: fields.flag('deferred', later => (draft.background = later)),
    max_tokens: boundPlace(request, 'max_tokens'),
    max_completion_tokens: boundPlace(request, 'max_completion_tokens'),
    n: fields.count('n', n => (draft.choices = n)),
    reasoning: reasoningPlace(request, budget => (asked.reasoning = budget)),
  }
}

/** A field that bounds the output of one choice, and can be set by an amendment. */
export function boundPlace({ draft, fields, offsets }: OpenAiRequest, name: string): Place {
  return fields.count(
    name,
    (bound, span) => {
      draft.bound(bound)
      offsets.bound(name, span, false)
    },
    span => offsets.bound(name, span, true),
  )
}

/** OpenRouter's `reasoning.max_tokens`: inside the bound where one is declared, and bounding nothing by itself. Where it is larger, it counts. */
function reasoningPlace({ fields }: OpenAiRequest, found: (budget: bigint) => void): Place {
  return { measure: null, members: members({ max_tokens: fields.count('reasoning.max_tokens', found) }) }
}

/** xAI's `search_parameters`: the provider searches unless the mode is `off`. */
function searchPlace({ draft }: OpenAiRequest): Place {
  let off = false
  return {
    measure: null,
    leave: () => {
      if (!off) draft.addServerTool('web_search')
    },
    members: members({ mode: { scalar: ({ text }) => (off = text === 'off') } }),
  }
}
