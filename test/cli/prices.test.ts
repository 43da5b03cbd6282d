// `prices` as it is used: the page of a name, its JSON, the lists without one, and what is said of a name without a price.
import { describe, expect, it } from 'vitest'
import { prices } from '../../src/cli/prices.ts'
import type { PriceList } from '../../src/core/policy.ts'
import { type Rates, TOKEN_KINDS } from '../../src/core/price.ts'
import { buildPriceBook } from '../../src/prices/book.ts'

const NOW = Date.parse('2026-10-01T12:00:00Z')

const rates = (some: Partial<Record<keyof Rates, bigint>>): PriceList['models'][number]['rates'] =>
  Object.fromEntries(TOKEN_KINDS.map(kind => [kind, some[kind] ?? null])) as PriceList['models'][number]['rates']
const OURS: PriceList = {
  name: 'contract',
  priority: 0,
  aliases: [{ name: 'prod-deployment', provider: 'azure', model: 'gpt-4o' }],
  models: [
    {
      names: ['gpt-4*', 'house-13b'],
      provider: 'openai',
      effectiveFromMs: Date.parse('2026-09-01T00:00:00Z'),
      rates: rates({ input: 2_000_001n, output: 8_000_000n }),
      tiers: [{ aboveInputTokens: 1_000n, rates: rates({ input: 4_000_000n }) }],
      maxOutputTokens: 999n,
      contextWindow: null,
    },
  ],
}

async function run(args: readonly string[], lists: readonly PriceList[] = []) {
  let [out, err] = ['', '']
  const folders: (string | null)[] = []
  const openBook = async (folder: string | null) => {
    folders.push(folder)
    return buildPriceBook(folder === null ? [] : lists)
  }
  const code = await prices(args, { openBook, nowMs: () => NOW, out: text => (out += text), err: text => (err += text) })
  return { code, out, err, folders }
}

describe('a name with a price', () => {
  it('shows what matched and why, the rates of every tier, calls, the largest output and the context window', async () => {
    const { code, out, err } = await run(['claude-sonnet-4-5'])
    expect([code, err]).toEqual([0, ''])
    expect(out).toContain('claude-sonnet-4-5: at anthropic, whose name it is')
    expect(out).toContain('bundled list: claude-sonnet-4-5 of anthropic, because claude-sonnet-4-5 meets "starts_with claude-sonnet-4-5"')
    expect(out).toMatch(/^ {2}default {2,}3 {2,}0\.3 {2,}3\.75 {2,}6 {2,}15$/m)
    expect(out).toMatch(/^ {2}batch, over 200000 tokens of input {2,}3 {2,}0\.3 {2,}3\.75 {2,}6 {2,}11\.25$/m)
    expect(out).toContain('audio in, image in, video in: as input')
    expect(out).toMatch(/^ {2}in a region of choice {2,}3\.3 {2,}0\.33 {2,}4\.125 {2,}6\.6 {2,}16\.5$/m)
    expect(out).toContain('web_search: 0.01')
    expect(out).toContain('maximum output: 64000 tokens\ncontext window: 200000 tokens')
    expect(out).toMatch(/book [0-9a-f]{12}, prices of 2026-10-01\n$/)
  })

  it('shows a charge for each request', async () => {
    expect((await run(['sonar', '--provider', 'perplexity'])).out).toContain('each request: 0.012\n')
  })

  it('finds a name as clients of other providers spell it', async () => {
    const { out } = await run(['us.anthropic.claude-sonnet-4-5-20250929-v1:0', '--provider', 'bedrock'])
    expect(out).toContain('bundled list: regional.anthropic.claude-sonnet-4-5-20250929-v1:0 of aws')
  })

  it('names the ModelPriceList whose entry stands over the bundled one', async () => {
    const { out, folders } = await run(['gpt-4o', '--policies', './p'], [OURS])
    expect(folders).toEqual(['./p'])
    expect(out).toMatch(
      /bundled list: gpt-4o of openai.*\n.*ModelPriceList contract: the entry gpt-4\* of openai, for gpt-4o, since 2026-09-01/,
    )
    expect(out).toContain('2.000001')
    expect(out).toContain('maximum output: 999 tokens')
  })

  it('names the alias that leads to another model', async () => {
    const { out } = await run(['prod-deployment', '--policies', './p'], [OURS])
    expect(out).toContain('ModelPriceList contract: the alias prod-deployment stands for gpt-4o at azure\n')
    expect(out).toContain('bundled list: gpt-4o of azure, under openai')
  })

  it('is the same as JSON, with money as decimal strings', async () => {
    const { code, out } = await run(['gpt-4o', '--json', '--policies', './p'], [OURS])
    const shown = JSON.parse(out)
    expect(code).toBe(0)
    expect(shown).toMatchObject({ model: 'gpt-4o', provider: 'openai', price: { maxOutputTokens: 999, contextWindow: 128_000 } })
    expect(shown.matched).toEqual([
      expect.objectContaining({ kind: 'bundled', entry: 'gpt-4o', since: null }),
      { kind: 'list', provider: 'openai', list: 'contract', entry: 'gpt-4*', spelling: 'gpt-4o', since: '2026-09-01' },
    ])
    expect(shown.price.serviceTiers.default[0]).toMatchObject({ aboveInputTokens: 0, perMillionTokens: { input: '2.000001', output: '8' } })
    expect(shown.price.serviceTiers.default[1]).toMatchObject({ aboveInputTokens: 1_000, perMillionTokens: { input: '4', output: '8' } })
    expect(shown.book).toMatch(/^[0-9a-f]{64}$/)
  })

  it('takes the dearest seller where no provider is known', async () => {
    const { out } = await run(['gpt-oss-120b'])
    expect(out).toContain('no provider is known, so each kind of token costs as at the dearest that sells it')
    expect(out.match(/bundled list: /g)?.length).toBeGreaterThan(1)
  })
})

describe('a name without a price', () => {
  it('ends with 1 and says what the policy would do', async () => {
    const { code, out, err } = await run(['no-such-model', '--provider', 'openai'])
    expect([code, out]).toEqual([1, ''])
    expect(err).toContain('The price book has no price for "no-such-model" at openai.')
    expect(err).toContain('Deny (the default) refuses calls to it with the reason no-price.')
    expect(err).toContain('DearestOfProvider would reserve for them at the dearest of openai')
    expect((await run(['x', '--provider', 'nobody'])).err).toContain('DearestOfProvider would refuse them too')
  })

  it('is JSON on request', async () => {
    const { code, out } = await run(['no-such-model', '--json'])
    expect(code).toBe(1)
    expect(JSON.parse(out)).toMatchObject({
      price: null,
      matched: [],
      onUnknownModel: { Deny: null, DearestOfProvider: { entry: '(dearest)' } },
    })
  })

  it.each(['x'.repeat(100_000), '\u0000', '💥', '..', 'gpt-4o\n', '__proto__'])('holds whatever the name is (%#)', async name => {
    const { code } = await run([name])
    expect([0, 1]).toContain(code)
  })
})

describe('without a name', () => {
  it('lists providers and how many models each sells', async () => {
    const { code, out } = await run([])
    expect(code).toBe(0)
    expect(out).toMatch(/^anthropic +\d+$/m)
    expect(out).toMatch(/\d+ providers, \d{4,} priced models/)
    expect(JSON.parse((await run(['--json'])).out)).toContainEqual({ provider: 'openai', models: expect.any(Number) })
  })

  it('lists the models of one provider, those of a list among them', async () => {
    const { out } = await run(['--provider', 'openai', '--policies', './p'], [OURS])
    expect(out).toMatch(/^gpt-4o +2\.000001 +8$/m)
    expect(JSON.parse((await run(['--provider', 'cohere', '--json'])).out)).toContainEqual({
      model: 'command',
      input: '1',
      output: '2',
      request: '0',
    })
    const { code, err } = await run(['--provider', 'nobody'])
    expect([code, err]).toEqual([1, expect.stringContaining('no provider "nobody"')])
  })
})

it.each([[['a', 'b']], [['--nope']], [['']], [['--provider', '']], [['--provider']]])(
  'refuses %j with a sentence and its help',
  async args => {
    const { code, out, err, folders } = await run(args)
    expect([code, out, folders]).toEqual([2, '', []])
    expect(err).toMatch(/^prices: .+\n\npurser prices \[MODEL\]/)
  },
)
