// The list of formats, and which endpoint a request is for: one that is metered, one that is free, or one that is not known.
import { anthropicBatches } from './anthropic-batches.ts'
import { anthropicComplete } from './anthropic-complete.ts'
import { anthropicMessages } from './anthropic-messages.ts'
import { bedrockConverse } from './bedrock-converse.ts'
import { bedrockInvoke } from './bedrock-invoke.ts'
import { cohereChat, cohereGenerate } from './cohere-chat.ts'
import { cohereEmbed } from './cohere-embed.ts'
import { freeEndpoint, unknownEndpoint } from './endpoints.ts'
import type { Dialect, Endpoint, Format, RequestHead } from './format.ts'
import { gemini } from './gemini.ts'
import { geminiEmbeddings } from './gemini-embeddings.ts'
import { ollama } from './ollama.ts'
import { ollamaEmbeddings } from './ollama-embeddings.ts'
import { openAiAudio } from './openai-audio.ts'
import { openAiSpeech } from './openai-audio-speech.ts'
import { openAiChat } from './openai-chat.ts'
import { openAiCompletions } from './openai-completions.ts'
import { openAiEmbeddings } from './openai-embeddings.ts'
import { openAiImages } from './openai-images.ts'
import { openAiResponses } from './openai-responses.ts'
import { rerank } from './rerank.ts'

/** One line a format. The first that knows a path reads it. */
export const FORMATS: readonly Format[] = [
  openAiChat,
  openAiCompletions,
  // Before OpenAI's, which end in the same word.
  ollamaEmbeddings,
  openAiEmbeddings,
  openAiResponses,
  openAiImages,
  openAiAudio,
  openAiSpeech,
  anthropicMessages,
  anthropicComplete,
  anthropicBatches,
  gemini,
  geminiEmbeddings,
  ollama,
  bedrockConverse,
  bedrockInvoke,
  cohereChat,
  cohereGenerate,
  cohereEmbed,
  rerank,
]

/** What `head` is for. Paths with dot segments or backslashes are not known: a server may read them as another path; empty segments count for nothing. */
export function findEndpoint(head: RequestHead): Endpoint {
  if (head.method.toUpperCase() === 'OPTIONS') return { kind: 'free', endpoint: 'options', format: null }
  // Google's servers read a request by that method, whatever it says itself.
  if (!isPlainPath(head.path) || head.header('x-http-method-override') !== null)
    return { kind: 'unknown', endpoint: 'unknown', format: null }
  const { method, query } = head
  const plain: RequestHead = { method, query, path: head.path.replace(/\/{2,}/g, '/'), header: name => head.header(name) }
  for (const format of FORMATS) {
    const endpoint = format.match(plain)
    if (endpoint !== null) return endpoint
  }
  const free = freeEndpoint(plain)
  if (free !== null) return { kind: 'free', endpoint: free, format: null }
  return { kind: 'unknown', endpoint: unknownEndpoint(plain.path), format: null }
}

/** The shape of errors that the caller expects: its format's, else what its path and headers hint at, else OpenAI's. */
export function dialectOf(endpoint: Endpoint, head: RequestHead): Dialect {
  if (endpoint.format !== null) return endpoint.format.dialect
  if (head.header('anthropic-version') !== null) return 'anthropic'
  if (/\/v1(?:alpha|beta)\d*\/(?:models|tunedModels|projects|cachedContents|files)(?:\/|$)/.test(head.path)) return 'gemini'
  return /\/model\/[^/]+\/[a-z-]+$/.test(head.path) ? 'bedrock' : 'openai'
}

const isPlainPath = (path: string): boolean => !/\\|\/(?:\.|%2e){1,2}(?:\/|$)/i.test(path)
