// Anthropic messages, as the real endpoint writes them: named events, a ping, cumulative usage, spaces before the last brace.
import { type Answer, type EventStream, letters, type Shape, word, words } from './shape.ts'

export const MESSAGES: Shape = { json, stream, error, headers: { 'anthropic-organization-id': '00000000-0000-0000-0000-000000000000' } }

const stopReason = (answer: Answer): string => (answer.cut ? 'max_tokens' : 'end_turn')

function json(answer: Answer): string {
  const usage = usageOf(answer, answer.outputTokens)
  return JSON.stringify({
    model: answer.model,
    id: `msg_${answer.id}`,
    type: 'message',
    role: 'assistant',
    content: answer.outputTokens === 0 ? [] : [{ type: 'text', text: words(answer.outputTokens) }],
    stop_reason: stopReason(answer),
    stop_sequence: null,
    ...(usage === null ? {} : { usage }),
  })
}

function stream(answer: Answer): EventStream {
  const first = usageOf(answer, Math.min(1, answer.outputTokens))
  const message = {
    id: `msg_${answer.id}`,
    type: 'message',
    role: 'assistant',
    model: answer.model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    ...(first === null ? {} : { usage: first }),
  }
  const usage =
    answer.usage === 'missing'
      ? ''
      : `,"usage":{"input_tokens":${answer.inputTokens},"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":${answer.outputTokens}${
          answer.usage === 'contradictory' ? `,"output_tokens_details":{"thinking_tokens":${answer.outputTokens * 10}}` : ''
        }}`
  return {
    before:
      event('message_start', `"message":${JSON.stringify(message)}`, 8) +
      event('content_block_start', '"index":0,"content_block":{"type":"text","text":""}', 11) +
      'event: ping\ndata: {"type": "ping"}\n\n',
    token: index => event('content_block_delta', `"index":0,"delta":{"type":"text_delta","text":"${word(index)}"}`, (index * 7) % 16),
    after:
      event('content_block_stop', '"index":0', 8) +
      event('message_delta', `"delta":{"stop_reason":"${stopReason(answer)}","stop_sequence":null}${usage}`, 12) +
      event('message_stop', '', 10),
    failure: () => 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
  }
}

const event = (type: string, rest: string, spaces: number): string =>
  `event: ${type}\ndata: {"type":"${type}"${rest === '' ? '' : `,${rest}`}${' '.repeat(spaces)}}\n\n`

/** Contradictory: the parts of the cache write are above its total. */
function usageOf(answer: Answer, outputTokens: number): object | null {
  if (answer.usage === 'missing') return null
  const wrong = answer.usage === 'contradictory' ? answer.inputTokens * 10 : 0
  return {
    input_tokens: answer.inputTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: wrong },
    output_tokens: outputTokens,
    service_tier: 'standard',
  }
}

const ERRORS: Readonly<Record<number, readonly [string, string]>> = {
  400: ['invalid_request_error', 'Invalid request.'],
  401: ['authentication_error', 'invalid x-api-key'],
  404: ['not_found_error', 'model not found'],
  429: ['rate_limit_error', 'This request would exceed the rate limit.'],
  500: ['api_error', 'Internal server error'],
  503: ['overloaded_error', 'Overloaded'],
}

function error(status: number, message: string): string {
  const [type, usual] = ERRORS[status] ?? ['api_error', 'Error']
  return JSON.stringify({ type: 'error', error: { type, message: message || usual }, request_id: `req_${letters(24)}` })
}
