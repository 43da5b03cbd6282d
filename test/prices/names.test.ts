// Names of models as clients write them: what they resolve to, and that a stranger's name never becomes a cheap price.
import { type Provider, waitForUpdate } from '@pydantic/genai-prices'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildPriceBook } from '../../src/prices/book.ts'

const book = buildPriceBook([])
const NOW = Date.parse('2026-10-01T12:00:00Z')
const matched = (provider: string | null, model: string) => {
  const price = book.find(provider, model, NOW)
  return price === null ? null : `${price.provider}: ${price.model}`
}

describe('find with a provider', () => {
  it.each([
    ['openai', 'gpt-4o', 'openai: gpt-4o'],
    ['OpenAI', ' GPT-4o ', 'openai: gpt-4o'],
    ['openai', 'openai/gpt-4o', 'openai: gpt-4o'],
    ['openai', 'gpt-5-20250807', 'openai: gpt-5'],
    ['openai', 'ft:gpt-4o-2024-08-06:acme:name:id', 'openai: ft:gpt-4o'],
    ['azure', 'gpt-4.1-mini-2025-04-14', 'azure: gpt-4.1-mini'],
    ['anthropic', 'claude-3-5-sonnet-latest', 'anthropic: claude-3-5-sonnet'],
    ['google', 'models/gemini-1.5-pro-002', 'google: gemini-1.5-pro'],
    ['vertex', 'publishers/anthropic/models/claude-3-5-sonnet-v2@20241022', 'google: claude-3-5-sonnet'],
    ['bedrock', 'us.anthropic.claude-sonnet-4-5-20250929-v1:0', 'aws: regional.anthropic.claude-sonnet-4-5-20250929-v1:0'],
    ['bedrock', 'global.anthropic.claude-sonnet-4-5-20250929-v1:0', 'aws: global.anthropic.claude-sonnet-4-5-20250929-v1:0'],
    [
      'bedrock',
      'arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0',
      'aws: regional.anthropic.claude-sonnet-4-20250514-v1:0',
    ],
    ['aws', 'amazon.nova-lite-v1:0:24k', 'aws: amazon.nova-lite-v1:0'],
    ['aws-bedrock-mantle', 'openai.gpt-5.6-luna', 'aws: regional.openai.gpt-5.6-luna'],
    ['openrouter', 'openai/gpt-4o:nitro', 'openrouter: openai/gpt-4o'],
    ['huggingface_groq', 'openai/gpt-oss-120b:groq', 'huggingface_groq: openai/gpt-oss-120b'],
    ['huggingface_nebius', 'Qwen/Qwen2.5-VL-72B-Instruct', 'huggingface_nebius: Qwen/Qwen2.5-VL-72B-Instruct'],
    ['fireworks', 'accounts/fireworks/models/gpt-oss-120b', 'fireworks: gpt-oss-120b'],
  ])('%s %s', (provider, model, entry) => {
    expect(matched(provider, model)).toBe(entry)
  })

  it.each([
    'gpt-4o-secret-expensive',
    'gpt-4o-mini-realtime-secret',
    'gpt-5-nano-but-dear',
    'gpt-4.5-preview-x',
    'my-gpt-4o',
    'gpt-4o evil',
    'evil/gpt-4o',
    'gpt-99',
    'computer-use-opus',
    'gpt-3.5-turbo-instruct-9',
    'o4-mini-secret',
    '',
    ' ',
    '/',
    '*',
    'gpt-4o\n',
    'gpt-4o\u0000',
    '__proto__',
    'constructor',
    '😀'.repeat(10),
  ])('no price for %j', model => {
    if (model.trim() !== model && model.trim() === 'gpt-4o') return expect(matched('openai', model)).toBe('openai: gpt-4o')
    for (const provider of ['openai', 'azure', null]) expect(matched(provider, model), String(provider)).toBeNull()
    return undefined
  })

  it.each([
    ['anthropic', 'claude-sonnet-5-5'],
    ['anthropic', 'claude-opus-4-1-mega'],
    ['anthropic', 'claude-haiku-4-5-turbo-20260101'],
    ['google', 'gemini-3.6-flash-ultra'],
    ['google', 'gemini-2.5-pro-tts-ultra'],
    ['deepseek', 'deepseek-chat-max'],
    ['bedrock', 'evil.claude-3-haiku-20240307-v1:0'],
    ['nobody', 'gpt-4o'],
    ['', 'gpt-4o'],
  ])('no price for %s %s', (provider, model) => {
    expect(matched(provider, model)).toBeNull()
  })

  it('never lets words put behind or before a listed name keep its price', async () => {
    const names = ((await waitForUpdate()) as Provider[]).flatMap(({ id, models }) => models.map(model => ({ id, model: model.id })))
    const listed = new Set(names.map(({ id, model }) => `${id} ${model.toLowerCase()}`))
    const word = fc.stringMatching(/^[a-z]{3,12}$/).filter(text => !/latest|preview|exp|experimental|beta|stable|default|maas/.test(text))
    fc.assert(
      fc.property(fc.constantFrom(...names), word, fc.constantFrom('-', '.', '_', ''), ({ id, model }, extra, separator) => {
        for (const name of [`${model}${separator}${extra}zq`, `zq${extra}${separator}${model}`]) {
          if (listed.has(`${id} ${name.toLowerCase()}`) || model.toLowerCase().includes('ft:') || model.includes('ft-')) continue
          const price = book.find(id, name, NOW)
          expect(price?.model ?? null, `${id} ${name}`).toBeNull()
        }
      }),
      { numRuns: 3_000 },
    )
  })

  // A pattern that backtracks on one of these would run into the test's time limit, by orders of magnitude.
  it('ends for hostile names, and refuses long ones', () => {
    for (const piece of ['-2025', '20250514', '-00', 'a', '/openai', ':free', '(a+)+', '-08-06', 'us.', '\u{10ffff}']) {
      for (const head of ['gemini-3-pro-preview', 'claude-opus-4-5', 'x']) book.find(null, (head + piece.repeat(256)).slice(0, 256), NOW)
    }
    expect(book.find('openai', `gpt-4o${'-2024'.repeat(60)}`, NOW)).toBeNull()
    expect(book.find('openai', ' '.repeat(10_000_000), NOW)).toBeNull()
    expect(book.providerOf('x'.repeat(10_000_000))).toBeNull()
  })

  it('survives any text', () => {
    fc.assert(
      fc.property(fc.option(fc.string({ unit: 'binary' })), fc.string({ unit: 'binary', maxLength: 300 }), (provider, model) => {
        book.find(provider, model, NOW)
        book.providerOf(model)
      }),
    )
  })

  it('remembers no more names than its bound', () => {
    for (let i = 0; i < 10_000; i++) book.find('openai', `flood-${i}`, NOW)
    expect(matched('openai', 'gpt-4o')).toBe('openai: gpt-4o')
  })
})

describe('find without a provider', () => {
  it('is at least the price of every provider that sells the name', async () => {
    for (const name of ['gpt-4o', 'llama-3.3-70b', 'deepseek-r1', 'openai/gpt-oss-120b', 'claude-sonnet-4-5', 'kimi-k2.5']) {
      const bound = book.find(null, name, NOW)!.serviceTiers.get('default')![0]!.rates
      for (const { id } of (await waitForUpdate()) as Provider[]) {
        const rates = book.find(id, name, NOW)?.serviceTiers.get('default')?.[0]?.rates
        if (rates === undefined) continue
        for (const kind of ['input', 'output', 'cacheRead', 'cacheWrite1h'] as const)
          expect(bound[kind], `${name} ${id}`).toBeGreaterThanOrEqual(rates[kind])
      }
    }
  })

  it('gives nothing away that only one provider gives away', () => {
    expect(book.find('openrouter', 'deepseek/deepseek-r1:free', NOW)!.serviceTiers.get('default')![0]!.rates.output).toBe(0n)
    expect(book.find(null, 'deepseek/deepseek-r1:free', NOW)!.serviceTiers.get('default')![0]!.rates.output).toBeGreaterThan(0n)
    expect(book.find('openai', 'gpt-4o:free', NOW)!.serviceTiers.get('default')![0]!.rates.output).toBe(10_000_000n)
  })

  it('has no price where the list names a model without one', () => {
    expect(book.find('github-copilot', 'gpt-4o', NOW)).toBeNull()
    expect(book.find('cerebras', 'qwen-3-coder-480b', NOW)).toBeNull()
    expect(book.find('mistral', 'mistral-ocr-2503', NOW)).toBeNull()
  })
})

describe('providerOf', () => {
  it.each([
    ['gpt-4o', 'openai'],
    ['GPT-4o', 'openai'],
    ['o3-mini', 'openai'],
    ['text-embedding-3-small', 'openai'],
    ['gpt-99-not-yet-listed', 'openai'],
    ['claude-sonnet-4-5-20250929', 'anthropic'],
    ['claude-99', 'anthropic'],
    ['models/gemini-2.5-pro', 'google'],
    ['mistral-large-latest', 'mistral'],
    ['grok-4', 'x-ai'],
    ['deepseek-chat', 'deepseek'],
    ['voyage-3.5', 'voyageai'],
    ['command-r', 'cohere'],
    ['openai/gpt-4o', null],
    ['us.anthropic.claude-sonnet-4-5-20250929-v1:0', null],
    ['gpt-oss-120b', null],
    ['glm-4.6', null],
    ['llama-3.3-70b', null],
    ['deepseek-r1-distill-llama-70b', null],
    ['nobody-knows', null],
    ['', null],
  ])('%s is of %s', (model, provider) => {
    expect(book.providerOf(model)).toBe(provider)
  })
})
