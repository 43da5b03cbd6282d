// A verdict's body in the caller's dialect, so that its client library raises its own kind of error. Says nothing that the verdict does not.
import { assertNever } from '../core/assert.ts'
import type { Verdict } from '../core/verdict.ts'
import type { Dialect, ErrorBody, Format } from './format.ts'

/** Shapes: the error pages of the OpenAI, Anthropic, Gemini (google.rpc.Status) and Bedrock (AWS REST JSON) references. */
export function errorBody(dialect: Dialect, verdict: Verdict): ErrorBody {
  return { contentType: 'application/json', body: JSON.stringify(shape(dialect, verdict)) }
}

/**
 * The same as an event of a stream that has begun. Sources: the streaming pages of the Anthropic and OpenAI Responses references, which name
 * their error events; clients of the others look for `error` in the data of any event.
 */
export function errorEvent({ name, dialect }: Pick<Format, 'name' | 'dialect'>, verdict: Verdict): string {
  const { message, reason } = verdict
  if (name === 'openai-responses') {
    return `event: error\ndata: ${JSON.stringify({ type: 'error', code: reason, message, param: null, sequence_number: 0 })}\n\n`
  }
  return `${dialect === 'anthropic' ? 'event: error\n' : ''}data: ${errorBody(dialect, verdict).body}\n\n`
}

function shape(dialect: Dialect, { status, message, reason }: Verdict): unknown {
  switch (dialect) {
    case 'openai':
      return { error: { message, type: OPENAI.get(status) ?? 'server_error', param: null, code: reason } }
    case 'anthropic':
      return { type: 'error', error: { type: ANTHROPIC.get(status) ?? 'api_error', message } }
    case 'gemini':
      return { error: { code: status, message, status: GEMINI.get(status) ?? 'UNAVAILABLE', details: [errorInfo(reason)] } }
    case 'bedrock':
      return { __type: BEDROCK.get(status) ?? 'ServiceUnavailableException', message }
    default:
      return assertNever(dialect)
  }
}

const errorInfo = (reason: string): unknown => ({ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason, domain: 'purser.dev' })

const OPENAI: ReadonlyMap<number, string> = new Map([
  [400, 'invalid_request_error'],
  [401, 'authentication_error'],
  [402, 'insufficient_quota'],
  [403, 'permission_error'],
  [413, 'invalid_request_error'],
  [429, 'rate_limit_error'],
])
const ANTHROPIC: ReadonlyMap<number, string> = new Map([
  [400, 'invalid_request_error'],
  [401, 'authentication_error'],
  [402, 'billing_error'],
  [403, 'permission_error'],
  [413, 'request_too_large'],
  [429, 'rate_limit_error'],
  [503, 'overloaded_error'],
])
const GEMINI: ReadonlyMap<number, string> = new Map([
  [400, 'INVALID_ARGUMENT'],
  [401, 'UNAUTHENTICATED'],
  [402, 'RESOURCE_EXHAUSTED'],
  [403, 'PERMISSION_DENIED'],
  [413, 'INVALID_ARGUMENT'],
  [429, 'RESOURCE_EXHAUSTED'],
  [500, 'INTERNAL'],
])
const BEDROCK: ReadonlyMap<number, string> = new Map([
  [400, 'ValidationException'],
  [401, 'AccessDeniedException'],
  [402, 'ServiceQuotaExceededException'],
  [403, 'AccessDeniedException'],
  [413, 'ValidationException'],
  [429, 'ThrottlingException'],
  [500, 'InternalServerException'],
])
