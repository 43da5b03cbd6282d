// What OpenAI's endpoints share: headers, errors, the usage of chat and completions, the padding of stream events.
import type { Answer } from './shape.ts'

export const OPENAI_HEADERS: Readonly<Record<string, string>> = { 'openai-version': '2020-10-01' }

const ERRORS: Readonly<Record<number, readonly [string, string | null, string]>> = {
  400: ['invalid_request_error', null, 'Invalid request.'],
  401: ['invalid_request_error', 'invalid_api_key', 'Incorrect API key provided.'],
  404: ['invalid_request_error', 'model_not_found', 'The model does not exist or you do not have access to it.'],
  429: ['requests', 'rate_limit_exceeded', 'Rate limit reached for requests.'],
  500: ['server_error', null, 'The server had an error while processing your request. Sorry about that!'],
  503: ['server_error', null, 'The engine is currently overloaded, please try again later.'],
}

/** An error as the endpoints answer it; an empty message stands for the usual one of its status. */
export function openaiError(status: number, message: string): string {
  const [type, code, usual] = ERRORS[status] ?? ['server_error', null, 'Error.']
  return `${JSON.stringify({ error: { message: message || usual, type, param: null, code } }, null, 2)}\n`
}

/** The usage of a chat completion. Contradictory: parts above their totals. */
export function usageOf(answer: Answer): object | null {
  if (answer.usage === 'missing') return null
  const factor = answer.usage === 'contradictory' ? 10 : 0
  return {
    prompt_tokens: answer.inputTokens,
    completion_tokens: answer.outputTokens,
    total_tokens: answer.inputTokens + answer.outputTokens,
    prompt_tokens_details: { cached_tokens: answer.inputTokens * factor, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: answer.outputTokens * factor,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  }
}

/** The shorter usage of completions and embeddings. Contradictory: a total below its parts. */
export function plainUsageOf(answer: Answer, withOutput: boolean): object | null {
  if (answer.usage === 'missing') return null
  const total = answer.inputTokens + answer.outputTokens
  return {
    prompt_tokens: answer.inputTokens,
    ...(withOutput ? { completion_tokens: answer.outputTokens } : {}),
    total_tokens: answer.usage === 'contradictory' ? Math.floor(total / 2) : total,
  }
}

/** Filler that hides the length of a token: longer for shorter tokens. */
export const padding = (filler: string, shown: number): string => filler.slice(0, 1 + ((27 - shown) % 11))
