// Endpoints that are not metered: those that cost nothing, and the names of those that are known and not read yet.
import type { RequestHead } from './format.ts'

/** Reading what exists costs nothing. Only GET and HEAD. */
const FREE_TO_READ: readonly (readonly [RegExp, string])[] = [
  [/\/(?:models|engines|tunedModels)(?:\/(?!.*%3[aA])[^:]+)?$/, 'models'],
  [/\/api\/(?:tags|ps|version)$/, 'models'],
  [/\/deployments(?:\/[^/]+)?$/, 'models'],
  [/\/files(?:\/[^/]+(?:\/content)?)?$/, 'files'],
  [/\/(?:responses|chat\/completions)\/[^/]+(?:\/(?:input_items|messages))?$/, 'retrieve'],
  [/\/chat\/completions$/, 'retrieve'],
  [/\/batches(?:\/[^/]+(?:\/results)?)?$/, 'retrieve'],
]

/** Free whatever the method: counting, OpenAI's moderations, and what Ollama tells of a model. */
const FREE: readonly (readonly [RegExp, string])[] = [
  [/\/messages\/count_tokens$/, 'count_tokens'],
  [/\/responses\/input_tokens$/, 'count_tokens'],
  [/\/model\/(?:arn:[^/]+\/)?[^/]+\/count-tokens$/, 'count_tokens'],
  [/(?::|%3[aA])countTokens$/, 'count_tokens'],
  [/\/publishers\/anthropic\/models\/count-tokens(?::|%3[aA])rawPredict$/, 'count_tokens'],
  [/\/api\/show$/, 'models'],
  [/\/moderations$/, 'moderations'],
  // Cohere's, and vLLM's.
  [/\/(?:de)?tokenize$/, 'count_tokens'],
]

/** Ending what was asked for, and deleting what was answered. */
const FREE_TO_END: readonly (readonly [string, RegExp, string])[] = [
  ['POST', /\/(?:responses|batches)\/[^/]+\/cancel$/, 'cancel'],
  ['DELETE', /\/responses\/[^/]+$/, 'delete'],
]

/** Known ends of paths, for requests to them that no format reads (another method, say); permissions and metrics call them so. */
const KNOWN: readonly string[] = [
  'images/generations',
  'images/edits',
  'images/variations',
  'audio/speech',
  'audio/transcriptions',
  'audio/translations',
  'responses/compact',
  'messages/batches',
  'batches',
  'files',
  'uploads',
  'realtime',
  'rerank',
  'embed',
  'generateContent',
  'streamGenerateContent',
  'embedContent',
  'batchEmbedContents',
  'predict',
  'rawPredict',
  'streamRawPredict',
  'converse',
  'converse-stream',
  'invoke',
  'invoke-with-response-stream',
  'complete',
]

/** The name of a free endpoint, null for any other. */
export function freeEndpoint({ method, path }: RequestHead): string | null {
  const verb = method.toUpperCase()
  const tables = verb === 'GET' || verb === 'HEAD' ? [FREE, FREE_TO_READ] : [FREE]
  const bare = path.replace(/\/$/, '')
  for (const [pattern, name] of tables.flat()) if (pattern.test(bare)) return name
  return FREE_TO_END.find(([method, pattern]) => method === verb && pattern.test(bare))?.[2] ?? null
}

/** The name of an endpoint that is not read: one of a closed list, so that a metric may carry it. */
export function unknownEndpoint(path: string): string {
  const bare = path.replace(/\/$/, '')
  return KNOWN.find(name => bare.endsWith(`/${name}`) || bare.endsWith(`:${name}`)) ?? 'unknown'
}
