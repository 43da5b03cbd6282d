// Refusals in each dialect: the shape that its client libraries parse, for every status that a verdict can have.
import { describe, expect, it } from 'vitest'
import type { Verdict } from '../../src/core/verdict.ts'
import { errorBody } from '../../src/wire/error.ts'
import type { Dialect } from '../../src/wire/format.ts'

const verdict = (status: number): Verdict => ({
  reason: 'exhausted',
  status,
  message: 'The budget "team" is used up: it resets at midnight.\n"quoted" é',
  retryAfter: null,
  dontRetry: true,
  budget: null,
})
const bodyOf = (dialect: Dialect, status: number): unknown => {
  const { contentType, body } = errorBody(dialect, verdict(status))
  expect(contentType).toBe('application/json')
  return JSON.parse(body)
}
const { message } = verdict(402)

describe('errorBody', () => {
  it('speaks as OpenAI does', () =>
    expect(bodyOf('openai', 402)).toEqual({ error: { message, type: 'insufficient_quota', param: null, code: 'exhausted' } }))

  it('speaks as Anthropic does', () =>
    expect(bodyOf('anthropic', 429)).toEqual({ type: 'error', error: { type: 'rate_limit_error', message } }))

  it('speaks as Gemini does', () =>
    expect(bodyOf('gemini', 403)).toEqual({
      error: {
        code: 403,
        message,
        status: 'PERMISSION_DENIED',
        details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'exhausted', domain: 'purser.dev' }],
      },
    }))

  it('speaks as Bedrock does', () => expect(bodyOf('bedrock', 429)).toEqual({ __type: 'ThrottlingException', message }))

  it.each([400, 401, 402, 403, 413, 429, 500, 503])('has a type for %i in every dialect', status => {
    for (const dialect of ['openai', 'anthropic', 'gemini', 'bedrock'] as const) {
      expect(JSON.stringify(bodyOf(dialect, status))).toMatch(/[a-z_]{6,}|[A-Z_]{6,}/)
    }
  })
})
