// Tools of Bedrock requests, as Converse, Nova, Anthropic and the OpenAI-shaped families declare them: schemas are prompt, provider-run tools are named.
import { cachePoint } from './bedrock-blocks.ts'
import type { CallDraft } from './call-draft.ts'
import { members, type Place } from './json-place.ts'
import { cacheMarker, wholePrompt } from './openai-prompt.ts'

/** Tools that the client runs, and whose schema Anthropic provides. All others run at the provider, but for the client's own. */
const PROVIDED = /^(?:bash|text_editor|computer|memory)(?:_\d{8})?$/

/** The list of tools. */
export function toolListPlace(draft: CallDraft): Place {
  return {
    ...wholePrompt(draft),
    leave: ({ count }) => (draft.tools ||= count > 0),
    items: {
      members: members({
        type: {
          scalar: ({ kind, text }) => {
            if (kind !== 'string' || text === 'custom' || text === 'function') return
            if (PROVIDED.test(text)) draft.addProvidedTool()
            else draft.addServerTool(text.slice(0, 64))
          },
        },
        systemTool: {
          members: members({
            name: {
              scalar: ({ kind, text }) => {
                if (kind === 'string') draft.addServerTool(text.slice(0, 64))
              },
            },
          }),
        },
        cache_control: cacheMarker(draft),
        cachePoint: cachePoint(draft),
      }),
    },
  }
}

/** `toolConfig` of Converse and Nova. */
export const toolConfigPlace = (draft: CallDraft): Place => ({
  ...wholePrompt(draft),
  members: members({ tools: toolListPlace(draft) }),
})

/** A schema of the answer, which brings a hidden prompt as a tool does. */
export const schemaPlace = (draft: CallDraft): Place => ({
  ...wholePrompt(draft),
  enter: kind => {
    if (kind === 'object') draft.tools = true
  },
})
