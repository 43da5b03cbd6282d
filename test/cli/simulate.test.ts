// The command as a whole: real recordings in, one JSON line each out, the numbers that the provider reported, however the answer is fed.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { simulate } from '../../src/cli/simulate.ts'
import type { Simulated } from '../../src/cli/simulated.ts'
import { openPolicyFolder } from '../../src/files/policy-folder.ts'
import { openMemoryLedger } from '../../src/memory/ledger.ts'
import { createPriceSource } from '../../src/prices/source.ts'
import { systemRandom } from '../../src/system.ts'

const RECORDINGS = join(import.meta.dirname, '../../../shared/recordings/exchanges.jsonl')
const ROOMY = `
apiVersion: purser.dev/v1alpha1
kind: BudgetPolicy
metadata: {name: roomy}
spec:
  limits: [{name: money, unit: USD, amount: "1000000", window: {lifetime: {}}}]
  reservation: {onUnknownModel: DearestOfProvider, onServerTools: Reserve}
`
const TIGHT = ROOMY.replace('"1000000"', '"0.0001"')
const folder = mkdtempSync(join(tmpdir(), 'purser-simulate-'))
const written = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

beforeAll(() => {
  expect(existsSync(RECORDINGS), `the recorded exchanges are missing: they belong at ${RECORDINGS}`).toBe(true)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function run(args: readonly string[]): Promise<{ code: number; lines: Simulated[]; err: string }> {
  const [out, err] = [new PassThrough(), new PassThrough()]
  const text = { out: '', err: '' }
  out.on('data', chunk => {
    text.out += chunk
  })
  err.on('data', chunk => {
    text.err += chunk
  })
  const sources: { close(): Promise<void> }[] = []
  const code = await simulate(args, {
    openPolicies: async path => {
      const source = await openPolicyFolder({ folder: path, trustedHeaders: [] })
      sources.push(source)
      return source
    },
    openPrices: policies => createPriceSource(() => policies.current().priceLists),
    openLedger: clock => openMemoryLedger({ clock }),
    random: systemRandom,
    out,
    err,
  })
  for (const source of sources) await source.close()
  const lines = text.out.split('\n').filter(line => line !== '')
  return { code, lines: lines.map(line => JSON.parse(line) as Simulated), err: text.err }
}

function policies(yaml: string): string {
  const path = mkdtempSync(join(folder, 'policies-'))
  writeFileSync(join(path, 'policies.yaml'), yaml)
  return path
}

describe('recorded exchanges, simulated', () => {
  type Report = Readonly<Record<string, number | null>>
  interface Row {
    readonly id: string
    readonly api: string
    readonly provider: string
    readonly recordedUsage: Report | readonly { readonly usage: Report }[] | null
  }
  const rows = (): Row[] =>
    readFileSync(RECORDINGS, 'utf8')
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as Row)

  /** Total input and output as the report itself says them, by the inclusion rules of its API. */
  function reported({ api, recordedUsage }: Row): [number, number] | null {
    if (recordedUsage === null) return null
    // Of a stream with several reports, each overrides the fields that it has.
    const usage: Report = Array.isArray(recordedUsage) ? Object.assign({}, ...recordedUsage.map(({ usage: part }) => part)) : recordedUsage
    const n = (name: string): number => usage[name] ?? 0
    if (api === 'messages') return [n('input_tokens') + n('cache_creation_input_tokens') + n('cache_read_input_tokens'), n('output_tokens')]
    if (api === 'responses') return [n('input_tokens'), n('output_tokens')]
    const prompt = usage['prompt_tokens'] ?? n('total_tokens')
    return [prompt, Math.max(n('completion_tokens'), n('total_tokens') - prompt)]
  }

  it.each([[[]], [['--chunk', '1']], [['--chunk', '7']], [['--chunk', '1000']]])(
    'give what the provider reported: %j',
    async flags => {
      const { code, lines } = await run(['--policies', policies(ROOMY), '--exchanges', RECORDINGS, ...flags])
      expect(code).toBe(0)
      const byId = new Map(lines.map(line => [line.id, line]))
      let compared = 0
      for (const row of rows()) {
        const line = byId.get(row.id)
        expect(line, row.id).toBeDefined()
        const expected = reported(row)
        if (!['chat', 'completions', 'embeddings', 'responses', 'messages'].includes(row.api)) continue
        if (expected === null || ['voyage', 'cohere'].includes(row.provider)) continue
        expect([row.id, line?.usage.kind, line?.usage.inputTokens, line?.usage.outputTokens]).toEqual([row.id, 'exact', ...expected])
        compared++
      }
      expect(compared).toBeGreaterThan(300)
    },
    60_000,
  )

  it('cut short are charged for what came, never more than was reserved', async () => {
    const { lines } = await run(['--policies', policies(ROOMY), '--exchanges', RECORDINGS, '--cut', '700'])
    for (const { id, outcome, usage, estimate, chargedUsd } of lines) {
      if (outcome !== 'admitted' || usage.kind === 'exact') continue
      expect(Number(chargedUsd), id).toBeLessThanOrEqual(Number(estimate.costUsd))
    }
  }, 60_000)
})

describe('the command', () => {
  const exchange = (changes: object = {}): string =>
    JSON.stringify({
      id: 'one',
      time: '2026-11-24T12:00:00Z',
      request: {
        path: '/v1/chat/completions',
        host: 'api.openai.com',
        body: '{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}],"max_tokens":10}',
      },
      response: {
        status: 200,
        headers: { 'content-type': 'application/json' },
        body: '{"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}',
      },
      ...changes,
    })

  it('prints the documented shape', async () => {
    const { code, lines } = await run(['--policies', policies(ROOMY), '--exchanges', written('one.jsonl', `${exchange()}\n\n`)])
    expect(code).toBe(0)
    expect(lines).toEqual([
      {
        id: 'one',
        format: 'openai-chat',
        model: 'gpt-4o',
        outcome: 'admitted',
        reason: null,
        estimate: { inputTokens: expect.any(Number), outputTokens: 10, costUsd: expect.stringMatching(/^0\.\d+$/) },
        usage: {
          kind: 'exact',
          model: 'gpt-4o',
          inputTokens: 8,
          cachedInputTokens: 0,
          cacheWriteTokens: 0,
          outputTokens: 2,
          costUsd: '0.00004',
        },
        chargedUsd: '0.00004',
      },
    ])
  })

  it('meters what it refuses, and charges nothing for it', async () => {
    const { lines } = await run(['--policies', policies(TIGHT), '--exchanges', written('two.jsonl', exchange())])
    expect(lines[0]).toMatchObject({ outcome: 'refused', reason: 'never-fits', chargedUsd: '0', usage: { kind: 'exact', outputTokens: 2 } })
  })

  it('compares with a second set', async () => {
    const args = ['--policies', policies(ROOMY), '--against', policies(TIGHT), '--exchanges', written('three.jsonl', exchange())]
    expect((await run(args)).lines[0]).toMatchObject({
      outcome: 'admitted',
      against: { outcome: 'refused', reason: 'never-fits', chargedUsd: '0' },
    })
  })

  it('sums up who would newly be refused, and what would not have been spent', async () => {
    const asked = (subject: object) => JSON.stringify({ ...JSON.parse(exchange()), subject })
    const lines = [
      asked({ user: 'ada' }),
      asked({ user: 'ada' }),
      asked({ team: 'sun', user: 'bob' }),
      exchange(),
      asked({ key: 'psk_secret' }),
    ]
    const file = written('who.jsonl', lines.join('\n'))
    const { err } = await run(['--policies', policies(ROOMY), '--against', policies(TIGHT), '--exchanges', file])
    expect(err.split('\n').slice(1)).toEqual([
      'against: 5 calls newly refused, 0 no longer, $0.0002 not spent',
      '  user=ada: 2 newly refused (never-fits 2), $0.00008 not spent',
      '  team=sun user=bob: 1 newly refused (never-fits 1), $0.00004 not spent',
      '  nobody named: 1 newly refused (never-fits 1), $0.00004 not spent',
      '  a key without a name: 1 newly refused (never-fits 1), $0.00004 not spent',
      '',
    ])
    const back = await run(['--policies', policies(TIGHT), '--against', policies(ROOMY), '--exchanges', file])
    expect(back.err).toContain('against: 0 calls newly refused, 5 no longer, $0.0002 spent more')
  })

  it('says which lines are no exchanges, goes on, and fails', async () => {
    const odd = ['not json', '[]', '{"id":1}', '{"id":"a","request":{"path":"/"},"response":{}}', exchange()]
    const { code, lines, err } = await run(['--policies', policies(ROOMY), '--exchanges', written('four.jsonl', odd.join('\n'))])
    expect([code, lines.length]).toEqual([1, 1])
    expect(err).toMatch(/four\.jsonl:1: not an exchange: it is not JSON/)
    expect(err).toMatch(/four\.jsonl:4: not an exchange: response has no status/)
  })

  it.each([[['--chunk', '0']], [['--cut', '-1']], [['--chunk', 'x']], [[]]])('refuses %j', async flags => {
    const file = flags.length === 0 ? [] : ['--exchanges', written('five.jsonl', exchange())]
    await expect(run(['--policies', policies(ROOMY), ...file, ...flags])).rejects.toThrow(/--(chunk|cut|exchanges)/)
  })
})
