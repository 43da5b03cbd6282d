// OpenAI completions (the older text endpoint), as OpenAI, Azure and compatible servers speak them.
import type { Format } from './format.ts'
import type { Place } from './json-place.ts'
import { isPlainModel, stopsAtSixteen } from './model-traits.ts'
import { boundPlace } from './openai-chat.ts'
import { openOpenAiMeter } from './openai-meter.ts'
import { azureDeployment, matchSuffix } from './openai-path.ts'
import { type OpenAiRequest, openOpenAiReader } from './openai-reader.ts'
import { textsPlace } from './openai-texts.ts'

const ENDPOINT = 'completions'

export const openAiCompletions: Format = {
  name: 'openai-completions',
  dialect: 'openai',
  match: head => matchSuffix(openAiCompletions, head, ENDPOINT, 'chat/completions'),
  openReader: (head, endpoint) => {
    const asked = { n: 1n, bestOf: 1n }
    return openOpenAiReader({
      format: 'openai-completions',
      endpoint,
      generates: true,
      pathModel: azureDeployment(head.path),
      members: request => completionMembers(request, asked),
      complete: ({ draft }) => {
        const each = asked.n > asked.bestOf ? asked.n : asked.bestOf
        draft.choices = (each > 0n ? each : 1n) * BigInt(Math.max(draft.items, 1))
        if (draft.models.every(stopsAtSixteen)) draft.outputDefault = 16n
      },
      mayAsk: isPlainModel,
      boundField: () => 'max_tokens',
    })
  },
  openMeter: openOpenAiMeter,
}

function completionMembers(request: OpenAiRequest, asked: { n: bigint; bestOf: bigint }): Record<string, Place> {
  const { draft, fields } = request
  return {
    prompt: textsPlace(draft, fields, 'prompt'),
    max_tokens: boundPlace(request, 'max_tokens'),
    max_completion_tokens: boundPlace(request, 'max_completion_tokens'),
    n: fields.count('n', n => (asked.n = n)),
    best_of: fields.count('best_of', bestOf => (asked.bestOf = bestOf)),
  }
}
