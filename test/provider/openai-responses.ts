// OpenAI Responses, as the real endpoint writes them: one message item, events numbered from 0.
import { OPENAI_HEADERS, openaiError } from './openai.ts'
import { type Answer, type EventStream, type Shape, word, words } from './shape.ts'

export const RESPONSES: Shape = { json, stream, error: openaiError, headers: OPENAI_HEADERS }

function json(answer: Answer): string {
  return `${JSON.stringify(response(answer, 'done'), null, 2)}\n`
}

function stream(answer: Answer): EventStream {
  const item = `msg_${answer.id}`
  const place = `"content_index":0,"item_id":"${item}"`
  const text = words(answer.outputTokens)
  const started = JSON.stringify(response(answer, 'started'))
  const count = answer.outputTokens
  const part = JSON.stringify({ type: 'output_text', annotations: [], logprobs: [], text })
  const emptyPart = JSON.stringify({ type: 'output_text', annotations: [], logprobs: [], text: '' })
  const opened = JSON.stringify({ id: item, type: 'message', status: 'in_progress', content: [], role: 'assistant' })
  const end = answer.cut ? 'incomplete' : 'completed'
  return {
    before:
      event('response.created', `"response":${started},"sequence_number":0`) +
      event('response.in_progress', `"response":${started},"sequence_number":1`) +
      event('response.output_item.added', `"item":${opened},"output_index":0,"sequence_number":2`) +
      event('response.content_part.added', `${place},"output_index":0,"part":${emptyPart},"sequence_number":3`),
    token: index =>
      event(
        'response.output_text.delta',
        `"content_index":0,"delta":"${word(index)}","item_id":"${item}","logprobs":[],"obfuscation":"${FILLER.slice(0, 16 - word(index).length)}","output_index":0,"sequence_number":${index + 4}`,
      ),
    after:
      event(
        'response.output_text.done',
        `${place},"logprobs":[],"output_index":0,"sequence_number":${count + 4},"text":${JSON.stringify(text)}`,
      ) +
      event('response.content_part.done', `${place},"output_index":0,"part":${part},"sequence_number":${count + 5}`) +
      event('response.output_item.done', `"item":${JSON.stringify(message(answer))},"output_index":0,"sequence_number":${count + 6}`) +
      event(`response.${end}`, `"response":${JSON.stringify(response(answer, 'done'))},"sequence_number":${count + 7}`),
    failure: index =>
      event(
        'error',
        `"code":"server_error","message":"An error occurred while processing your request.","param":null,"sequence_number":${index + 4}`,
      ) + event('response.failed', `"response":${JSON.stringify(response(answer, 'failed'))},"sequence_number":${index + 5}`),
  }
}

const FILLER = 'mIhEWfufybWF5LLF'

const event = (type: string, rest: string): string => `event: ${type}\ndata: {"type":"${type}",${rest}}\n\n`

const message = (answer: Answer): object => ({
  id: `msg_${answer.id}`,
  type: 'message',
  status: answer.cut ? 'incomplete' : 'completed',
  content: [{ type: 'output_text', annotations: [], logprobs: [], text: words(answer.outputTokens) }],
  role: 'assistant',
})

function response(answer: Answer, at: 'started' | 'done' | 'failed'): object {
  const { body } = answer.asked
  const done = at === 'done'
  return {
    id: `resp_${answer.id}`,
    object: 'response',
    created_at: answer.created,
    status: at === 'started' ? 'in_progress' : at === 'failed' ? 'failed' : answer.cut ? 'incomplete' : 'completed',
    background: false,
    completed_at: done ? answer.created : null,
    error: at === 'failed' ? { code: 'server_error', message: 'An error occurred while processing your request.' } : null,
    incomplete_details: done && answer.cut ? { reason: 'max_output_tokens' } : null,
    instructions: body['instructions'] ?? null,
    max_output_tokens: body['max_output_tokens'] ?? null,
    max_tool_calls: null,
    model: answer.model,
    output: done ? [message(answer)] : [],
    parallel_tool_calls: true,
    previous_response_id: body['previous_response_id'] ?? null,
    reasoning: { effort: null, summary: null },
    service_tier: at === 'started' ? 'auto' : 'default',
    store: body['store'] ?? true,
    temperature: body['temperature'] ?? 1,
    text: { format: { type: 'text' }, verbosity: 'medium' },
    tool_choice: 'auto',
    tools: body['tools'] ?? [],
    top_p: body['top_p'] ?? 1,
    truncation: 'disabled',
    usage: done ? usageOf(answer) : null,
    user: null,
    metadata: body['metadata'] ?? {},
  }
}

function usageOf(answer: Answer): object | null {
  if (answer.usage === 'missing') return null
  const factor = answer.usage === 'contradictory' ? 10 : 0
  return {
    input_tokens: answer.inputTokens,
    input_tokens_details: { cached_tokens: answer.inputTokens * factor },
    output_tokens: answer.outputTokens,
    output_tokens_details: { reasoning_tokens: answer.outputTokens * factor },
    total_tokens: answer.inputTokens + answer.outputTokens,
  }
}
