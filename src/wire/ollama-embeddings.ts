// Ollama's embeddings, of its newer endpoint (which reports tokens) and its older one (which does not): input only, nothing is generated.
import { CallDraft } from './call-draft.ts'
import type { CallReader, Format, ReadResult } from './format.ts'
import { openBodyReader } from './json-body.ts'
import { members, type Place } from './json-place.ts'
import { openOllamaMeter } from './ollama-meter.ts'
import { matchSuffix } from './openai-path.ts'
import { NOT_PROMPT, wholePrompt } from './openai-prompt.ts'
import { textsPlace } from './openai-texts.ts'
import { RequestFields } from './request-fields.ts'

export const ollamaEmbeddings: Format = {
  name: 'ollama-embeddings',
  dialect: 'openai',
  match: head => matchSuffix(ollamaEmbeddings, head, 'api/embed') ?? matchSuffix(ollamaEmbeddings, head, 'api/embeddings'),
  openReader: (_head, endpoint) => openEmbeddingsReader(endpoint),
  openMeter: openOllamaMeter,
}

const NOT_READ = ['keep_alive', 'options', 'truncate', 'dimensions', 'encoding_format']

function openEmbeddingsReader(endpoint: string): CallReader {
  const draft = new CallDraft()
  const fields = new RequestFields()
  const root: Place = {
    members: members({
      ...Object.fromEntries(NOT_READ.map(name => [name, NOT_PROMPT])),
      model: fields.word('model', model => draft.askModel(model)),
      prompt: textsPlace(draft, fields, 'prompt'),
      input: textsPlace(draft, fields, 'input'),
    }),
    others: wholePrompt(draft),
  }
  const complete = (): ReadResult => {
    if (draft.models.length === 0) fields.refuse('The field "model" is missing.')
    return { kind: 'call', call: draft.call('ollama-embeddings', endpoint, false), amend: () => [] }
  }
  return openBodyReader({ draft, fields, root, complete })
}
