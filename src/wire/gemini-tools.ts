// The tools of a Gemini request: declared functions are prompt, tools that Google runs by itself are named. Keeps no content.
import type { CallDraft } from './call-draft.ts'
import { eitherSpelling } from './gemini-spelling.ts'
import type { Place } from './json-place.ts'
import { serverToolPlace, wholePrompt } from './openai-prompt.ts'

/** Run by Google: they search, fetch, execute or look up, and bill what they read as input. */
const RUN_BY_GOOGLE = [
  'googleSearch',
  'googleSearchRetrieval',
  'enterpriseWebSearch',
  'googleMaps',
  'urlContext',
  'fileSearch',
  'codeExecution',
  'retrieval',
  'mcpServers',
]

/** The place of `tools`: a list, or one tool alone. */
export function geminiToolsPlace(draft: CallDraft): Place {
  const tool: Place = {
    ...wholePrompt(draft),
    members: eitherSpelling({
      functionDeclarations: { ...wholePrompt(draft), leave: ({ count }) => (draft.tools ||= count > 0) },
      // The client runs it; its functions are declared by a hidden prompt.
      computerUse: {
        ...wholePrompt(draft),
        enter: kind => {
          draft.tools ||= kind === 'object'
        },
      },
      ...Object.fromEntries(RUN_BY_GOOGLE.map(name => [name, serverToolPlace(draft, name)])),
    }),
    others: serverToolPlace(draft, 'a tool that is not known'),
  }
  return { ...tool, items: tool }
}
