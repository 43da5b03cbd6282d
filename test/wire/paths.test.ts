// Which endpoint a path is: metered, free or not known, whatever stands before it; and whose errors its caller reads.
import { describe, expect, it } from 'vitest'
import type { RequestHead } from '../../src/wire/format.ts'
import { dialectOf, findEndpoint } from '../../src/wire/formats.ts'

const head = (method: string, path: string, headers: Readonly<Record<string, string>> = {}): RequestHead => ({
  method,
  path,
  query: '',
  header: name => headers[name] ?? null,
})
const found = (method: string, path: string): string => {
  const { kind, endpoint } = findEndpoint(head(method, path))
  return `${kind} ${endpoint}`
}

describe('findEndpoint', () => {
  it.each([
    ['POST', '/v1/chat/completions', 'metered chat/completions'],
    ['post', '/chat/completions', 'metered chat/completions'],
    ['POST', '/v1beta/openai/chat/completions', 'metered chat/completions'],
    ['POST', '/api/paas/v4/chat/completions/', 'metered chat/completions'],
    ['POST', '/openai/deployments/my%20gpt/chat/completions', 'metered chat/completions'],
    ['POST', '/v1/completions', 'metered completions'],
    ['POST', '/openai/deployments/d/completions', 'metered completions'],
    ['POST', '/together/v1/embeddings', 'metered embeddings'],
    ['GET', '/v1/chat/completions', 'free retrieve'],
    ['GET', '/v1/chat/completions/chatcmpl-1/messages', 'free retrieve'],
    ['DELETE', '/v1/chat/completions/chatcmpl-1', 'unknown unknown'],
    ['OPTIONS', '/v1/anything', 'free options'],
    ['GET', '/v1/models', 'free models'],
    ['HEAD', '/v1/models/gpt-4o', 'free models'],
    ['GET', '/v1beta/models/gemini-2.5-pro', 'free models'],
    ['POST', '/v1/models', 'unknown unknown'],
    ['GET', '/v1/files/file-1/content', 'free files'],
    ['POST', '/v1/files', 'unknown files'],
    ['GET', '/v1/responses/resp_1', 'free retrieve'],
    ['POST', '/v1/responses/resp_1/cancel', 'free cancel'],
    ['POST', '/v1/messages/batches/b/cancel', 'free cancel'],
    ['POST', '/v1/batches', 'unknown batches'],
    ['DELETE', '/v1/responses/resp_1', 'free delete'],
    ['GET', '/v1/responses/resp_1/input_items', 'free retrieve'],
    ['POST', '/v1/responses/compact', 'metered responses/compact'],
    ['POST', '/v1/responses/input_tokens', 'free count_tokens'],
    ['GET', '/v1/responses/input_tokens', 'free count_tokens'],
    ['GET', '/v1/realtime', 'unknown realtime'],
    ['POST', '/v1/messages/count_tokens', 'free count_tokens'],
    ['POST', '/v1beta/models/gemini-2.5-pro:countTokens', 'free count_tokens'],
    ['POST', '/model/anthropic.claude/count-tokens', 'free count_tokens'],
    ['POST', '/v1/moderations', 'free moderations'],
    ['POST', '/v1/images/generations', 'metered images/generations'],
    ['POST', '/openai/deployments/d/images/edits', 'metered images/edits'],
    ['POST', '/v1/images/variations', 'metered images/variations'],
    ['POST', '/openai/v1/audio/transcriptions', 'metered audio/transcriptions'],
    ['POST', '/v1/audio/translations', 'metered audio/translations'],
    ['POST', '/v1/audio/speech', 'metered audio/speech'],
    ['POST', '/v1/messages/batches', 'metered messages/batches'],
    ['POST', '/v1/complete', 'metered complete'],
    ['GET', '/v1/messages/batches/b/results', 'free retrieve'],
    ['POST', '/v1beta/models/gemini-2.5-pro:generateContent', 'metered generateContent'],
    ['POST', '/v1beta/models/gemini-2.5-pro%3AstreamGenerateContent', 'metered streamGenerateContent'],
    ['POST', '/v1beta1/projects/p/locations/l/publishers/google/models/m:streamGenerateContent', 'metered streamGenerateContent'],
    ['POST', '/v1/projects/p/locations/l/endpoints/123:generateContent', 'metered generateContent'],
    ['POST', '/v1beta/models/gemini-embedding-001:batchEmbedContents', 'metered batchEmbedContents'],
    ['POST', '/v1/projects/p/locations/l/publishers/google/models/text-embedding-005:predict', 'metered predict'],
    ['POST', '/v1/projects/p/locations/l/publishers/google/models/gemini-embedding-001:predict', 'metered predict'],
    ['POST', '/v1/projects/p/locations/l/publishers/google/models/multimodalembedding@001:predict', 'unknown predict'],
    ['POST', '/v1/projects/p/locations/l/publishers/google/models/imagen-4.0-generate-001:predict', 'unknown predict'],
    ['POST', '/v1/projects/p/locations/l/publishers/anthropic/models/claude-opus-4-5@20251101:rawPredict', 'metered messages'],
    ['POST', '/v1/projects/p/locations/l/publishers/anthropic/models/claude-opus-4-5:streamRawPredict', 'metered messages'],
    ['POST', '/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict', 'free count_tokens'],
    ['POST', '/v1/projects/p/locations/l/publishers/mistralai/models/mistral-large:rawPredict', 'unknown rawPredict'],
    ['POST', '/v1beta/models/:generateContent', 'unknown generateContent'],
    ['GET', '/v1beta/models/gemini-2.5-pro%3AgenerateContent', 'unknown unknown'],
    ['POST', '/api/chat', 'metered api/chat'],
    ['POST', '/ollama/api/generate/', 'metered api/generate'],
    ['POST', '/api/embed', 'metered api/embed'],
    ['POST', '/api/embeddings', 'metered api/embeddings'],
    ['GET', '/api/tags', 'free models'],
    ['GET', '/api/ps', 'free models'],
    ['HEAD', '/api/version', 'free models'],
    ['POST', '/api/show', 'free models'],
    ['POST', '/api/pull', 'unknown unknown'],
    ['DELETE', '/api/tags', 'unknown unknown'],
    ['GET', '/api/chat', 'unknown unknown'],
    ['GET', '/v1beta/models/gemini-2.5-pro:streamGenerateContent', 'unknown streamGenerateContent'],
    ['POST', '/', 'unknown unknown'],
    ['POST', '', 'unknown unknown'],
    ['POST', '/v1/chat/completionsx', 'unknown unknown'],
    ['POST', '/v1/xchat/completions', 'metered completions'],
    ['POST', '/V1/CHAT/COMPLETIONS', 'unknown unknown'],
    ['POST', '/v1/chat%2Fcompletions', 'unknown unknown'],
    // A path that a server may resolve to another one is nobody's.
    ['POST', '/v1/chat/completions/../moderations', 'unknown unknown'],
    ['GET', '/v1/x/%2e%2E/models', 'unknown unknown'],
    ['POST', '/v1/chat/x/../completions', 'unknown unknown'],
    ['POST', '//v1//chat//completions', 'metered chat/completions'],
    ['GET', '/v1\\models', 'unknown unknown'],
    ['CONNECT', '/v1/chat/completions', 'unknown unknown'],
  ])('%s %s is %s', (method, path, expected) => expect(found(method, path)).toBe(expected))
})

it('knows no path whose method a header overrides', () => {
  const headers = { 'x-http-method-override': 'POST' }
  const asked = head('GET', '/v1beta/models/gemini-2.5-pro', headers)
  expect(findEndpoint(asked)).toEqual({ kind: 'unknown', endpoint: 'unknown', format: null })
})

describe('dialectOf', () => {
  it.each([
    ['/v1/chat/completions', {}, 'openai'],
    ['/v1/other', {}, 'openai'],
    ['/v1/other', { 'anthropic-version': '2023-06-01' }, 'anthropic'],
    ['/v1beta/models/gemini:generateContent', {}, 'gemini'],
    ['/v1beta1/projects/p/locations/l/publishers/google/models/m:generateContent', {}, 'gemini'],
    ['/model/anthropic.claude/converse', {}, 'bedrock'],
  ])('of %s %o is %s', (path, headers, expected) => {
    const asked = head('POST', path, headers)
    expect(dialectOf(findEndpoint(asked), asked)).toBe(expected)
  })
})
