// What model names tell: hidden reasoning, searches, agents, the older default bound.
import { describe, expect, it } from 'vitest'
import { isServerAgent, searchesByItself, stopsAtSixteen } from '../../src/wire/model-traits.ts'
import { hidesReasoning } from '../../src/wire/reasoning.ts'

describe('hidesReasoning', () => {
  it.each([
    'o1',
    'o3-mini-2025-01-31',
    'openai/o4-mini',
    'gpt-5',
    'gpt-5-nano-2025-08-07',
    'gpt-5.6',
    'gpt-12-pro',
    'OpenAI/GPT-5',
    'codex-mini-latest',
    'gemini-2.5-flash',
    'google/gemini-3-pro',
    'models/gemini-2.5-pro',
    'x-ai/grok-4-0709',
    'x-ai/grok-4:online',
    'ft:o4-mini-2025-04-16:org::id',
    'openai.gpt-5',
  ])('%s does', model => expect(hidesReasoning(model)).toBe(true))
  it.each([
    'gpt-4o',
    'gpt-4.1',
    'gpt-35-turbo',
    'gpt-5-chat-latest',
    'gpt-oss-120b',
    'openai.gpt-oss-120b-1:0',
    'gemini-2.0-flash',
    'deepseek-reasoner',
    'llama-3.3-70b',
    'grok-3',
    'grok-4-fast-non-reasoning',
    'omni-moderation',
    'o',
    '',
  ])('%s does not', model => expect(hidesReasoning(model)).toBe(false))
})

it('searching, agents, sixteen tokens', () => {
  expect(
    ['gpt-4o-search-preview-2025-03-11', 'gpt-5-search-api', 'openai/gpt-4o:online', 'gpt-4o', 'research-preview'].map(searchesByItself),
  ).toEqual([true, true, true, false, false])
  const agents = ['groq/compound', 'compound-beta-mini', 'compound', 'perplexity/sonar-deep-research', 'grok-4.20-multi-agent']
  expect(agents.every(isServerAgent)).toBe(true)
  expect(['compounded', 'sonar-pro', 'grok-4', 'o3-deep-research'].some(isServerAgent)).toBe(false)
  expect(['davinci-002', 'gpt-3.5-turbo-instruct-0914', 'meta-llama/Llama-3', 'gpt-4'].map(stopsAtSixteen)).toEqual([
    true,
    true,
    false,
    false,
  ])
})
