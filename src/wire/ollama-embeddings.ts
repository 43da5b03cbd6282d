// Ollama's embeddings, of its newer endpoint (which reports tokens) and its older one (which does not): input only, nothing is generated.
import { CallDraft } from './call-draft.ts'
import type { CallReader, Format, ReadResult } from './format.ts'
import { JsonScanner } from './json.ts'
import { members } from './json-place.ts'
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
  const scanner = new JsonScanner({
    enter: kind => {
      if (kind !== 'object') fields.refuse('The body must be a JSON object.')
    },
    members: members({
      ...Object.fromEntries(NOT_READ.map(name => [name, NOT_PROMPT])),
      model: fields.word('model', model => draft.models.unshift(model)),
      prompt: textsPlace(draft, fields, 'prompt'),
      input: textsPlace(draft, fields, 'input'),
    }),
    others: wholePrompt(draft),
  })
  return { push: piece => scanner.push(piece), end: () => result(endpoint, draft, fields, scanner) }
}

function result(endpoint: string, draft: CallDraft, fields: RequestFields, scanner: JsonScanner): ReadResult {
  const end = scanner.end()
  if (end.kind === 'broken') return { kind: 'unreadable', why: `The body is not JSON that can be read: ${end.why} (byte ${end.at}).` }
  if (draft.models.length === 0) fields.refuse('The field "model" is missing.')
  if (draft.overflow !== null) fields.refuse(`The body has ${draft.overflow}.`)
  if (fields.problem !== null) return { kind: 'unreadable', why: fields.problem }
  return { kind: 'call', call: draft.call('ollama-embeddings', endpoint, false), amend: () => [] }
}
