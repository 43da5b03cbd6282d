// Anthropic Messages, as Anthropic, Vertex and compatible servers speak them. Assembles the reader and the meter; holds only what the path tells.
import { openAnthropicMeter } from './anthropic-meter.ts'
import { openAnthropicReader, type PathTold } from './anthropic-request.ts'
import type { Format, RequestHead } from './format.ts'
import { googleMethod } from './google-path.ts'
import { matchSuffix } from './openai-path.ts'

const NAME = 'anthropic-messages'
const ENDPOINT = 'messages'

export const anthropicMessages: Format = {
  name: NAME,
  dialect: 'anthropic',
  match: head => {
    // With its version: threads of OpenAI's assistants end in `/messages` too.
    const found = matchSuffix(anthropicMessages, head, 'v1/messages')
    return found !== null || vertexCall(head) !== null ? { kind: 'metered', format: anthropicMessages, endpoint: ENDPOINT } : null
  },
  openReader: (head, endpoint) => openAnthropicReader(NAME, endpoint, vertexCall(head)),
  openMeter: openAnthropicMeter,
}

/** On Vertex, the path names the model and asks for a stream; null for any other path, that which only counts tokens among them. */
function vertexCall(head: RequestHead): PathTold | null {
  const method = googleMethod(head)
  if (method === null || method.publisher !== 'anthropic' || method.model === 'count-tokens') return null
  const streaming = method.verb === 'streamRawPredict'
  // Vertex's one location that is none.
  const regional = method.location !== 'global'
  return streaming || method.verb === 'rawPredict' ? { model: method.model, streaming, regional } : null
}
