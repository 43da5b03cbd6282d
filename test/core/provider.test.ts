// What is known of providers by host and path, and the safe answer for those that are not known.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { billsOnAfterAbort, bodyMayBeAmended, providerAtHuggingFace, providerOfHost, providerOfPath } from '../../src/core/provider.ts'

describe('providers', () => {
  it.each([
    ['api.openai.com', 'openai'],
    ['EU.api.openai.com:443', 'openai'],
    ['my-resource.openai.azure.com', 'azure'],
    ['api.anthropic.com.', 'anthropic'],
    ['bedrock-runtime.us-east-1.amazonaws.com', 'aws'],
    ['bedrock-mantle.us-east-1.api.aws', 'aws'],
    ['us-central1-aiplatform.googleapis.com', 'google'],
    ['openrouter.ai', 'openrouter'],
    ['api.groq.com', 'groq'],
    ['api.mistral.ai', 'mistral'],
    ['api.deepseek.com', 'deepseek'],
    ['api.x.ai', 'x-ai'],
    ['api.together.xyz', 'together'],
    ['api.cerebras.ai', 'cerebras'],
    ['gateway.example.com', null],
    ['api.openai.com.evil.example', null],
    ['notapi.openai.com', null],
    ['', null],
  ])('the host %s is of %s', (host, provider) => expect(providerOfHost(host)).toBe(provider))

  it.each([
    ['/openai/deployments/my-gpt/chat/completions', 'azure'],
    ['/model/us.anthropic.claude-v2%3A1/converse-stream', 'aws'],
    ['/v1beta/models/gemini-3.8-flash:streamGenerateContent', 'google'],
    ['/v1/projects/p/locations/l/publishers/anthropic/models/claude-opus-5-5:rawPredict', 'google'],
    ['/v1/messages', 'anthropic'],
    ['/v1/chat/completions', null],
    ['/v1/threads/t/messages', null],
  ])('the path %s is of %s', (path, provider) => expect(providerOfPath(path)).toBe(provider))

  it.each([
    ['router.huggingface.co', '/nebius/v1/chat/completions', 'Qwen/Qwen3-32B', 'huggingface_nebius'],
    ['Router.HuggingFace.co:443', '/v1/chat/completions', 'Qwen/Qwen3-32B:groq', 'huggingface_groq'],
    ['router.huggingface.co', '/v1/chat/completions', 'Qwen/Qwen3-32B:fastest', null],
    ['router.huggingface.co', '/v1/chat/completions', 'Qwen/Qwen3-32B', null],
    ['router.huggingface.co', '/nobody/v1/chat/completions', 'x:nobody', null],
    ['api.example.com', '/nebius/v1/chat/completions', 'x:groq', null],
  ])('at %s%s, %s is answered by %s', (host, path, model, provider) => {
    expect(providerAtHuggingFace(host, path, model)).toBe(provider)
  })

  it('takes an unknown provider to bill on, and leaves its bodies alone', () => {
    expect([null, 'nobody', 'groq', 'google', 'aws'].map(billsOnAfterAbort)).toEqual([true, true, true, true, true])
    expect(['openai', 'azure', 'anthropic', 'x-ai', 'deepseek'].map(billsOnAfterAbort)).toEqual([false, false, false, false, false])
    expect([null, 'aws', 'openai', 'vllm'].map(bodyMayBeAmended)).toEqual([false, false, true, true])
  })

  it('answers for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), text => {
        providerOfHost(text)
        providerOfPath(text)
      }),
    )
  })
})
