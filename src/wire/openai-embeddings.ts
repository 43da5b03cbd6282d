// OpenAI embeddings, as OpenAI, Azure and compatible servers speak them: input only, nothing is generated.
import type { Format } from './format.ts'
import { openOpenAiMeter } from './openai-meter.ts'
import { azureDeployment, matchSuffix } from './openai-path.ts'
import { openOpenAiReader } from './openai-reader.ts'
import { textsPlace } from './openai-texts.ts'

const ENDPOINT = 'embeddings'

export const openAiEmbeddings: Format = {
  name: 'openai-embeddings',
  dialect: 'openai',
  match: head => matchSuffix(openAiEmbeddings, head, ENDPOINT),
  openReader: (head, endpoint) =>
    openOpenAiReader({
      format: 'openai-embeddings',
      endpoint,
      generates: false,
      pathModel: azureDeployment(head.path),
      members: ({ draft, fields }) => ({ input: textsPlace(draft, fields, 'input') }),
      boundField: () => 'max_tokens',
    }),
  openMeter: (call, response) => openOpenAiMeter(call, response, false),
}
