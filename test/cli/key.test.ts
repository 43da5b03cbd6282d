// `key new|hash` as they are used: what is printed, what is written, and that no key comes by way of the arguments or out by an error.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { sha256 } from '../../src/enforcer/identify.ts'
import { loadObjects } from '../../src/files/load.ts'
import { folderWith } from '../files/folder.ts'

const PURSER = join(import.meta.dirname, '../../bin/purser')
const folder = mkdtempSync(join(tmpdir(), 'purser-key-'))
afterAll(() => rmSync(folder, { recursive: true }))

function purser(args: readonly string[], input = ''): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(PURSER, args, { input, encoding: 'utf8' })
  return { code: status, out: stdout, err: stderr }
}

const checked = async (yaml: string) =>
  await loadObjects([folderWith({ 'key.yaml': yaml })], { trustedHeaders: [], defaultNamespace: 'default', nowMs: Date.now() })

describe('key new', () => {
  it('prints a key of 256 random bits once, and an object that holds its hash and not the key', async () => {
    const made = [purser(['key', 'new', 'a']), purser(['key', 'new', 'a'])]
    const keys = made.map(({ code, out, err }) => {
      const [key = '', object = ''] = out.split('\n---\n')
      expect([code, err]).toEqual([0, ''])
      expect(key).toMatch(/^psk_[A-Za-z0-9_-]{43}$/)
      expect(object).not.toContain(key.slice(4))
      expect(parse(object)).toEqual({
        apiVersion: 'purser.dev/v1alpha1',
        kind: 'AccessKey',
        metadata: { name: 'a' },
        spec: { keyHashes: [sha256(key)] },
      })
      return key
    })
    expect(new Set(keys).size).toBe(2)
  })

  it('makes an experiment: a sum for its whole life, and an end', async () => {
    const { code, out } = purser(['key', 'new', '--experiment', 'tuning', '--budget', '20', '--for', '7d'])
    const object = out.split('\n---\n')[1] ?? ''
    expect(code).toBe(0)
    expect(parse(object)).toMatchObject({
      metadata: { name: 'tuning' },
      spec: {
        experiment: true,
        expiresAt: expect.any(String),
        limits: [{ name: 'budget', unit: 'USD', amount: '20', window: { lifetime: {} } }],
      },
    })
    expect((await checked(object)).problems).toEqual([])
  })

  it('writes the key to a file that its owner alone can read, and never over another', async () => {
    const file = join(folder, 'indexer.key')
    const flags = ['--namespace', 'search', '--label', 'team=search', '--label', 'env=ci', '--user', 'indexer', '--team', 'search']
    const more = [
      '--attribute',
      'cost-center=4711',
      '--models',
      'gpt-4o-mini, text-*',
      '--providers',
      'openai',
      '--endpoints',
      'embeddings',
    ]
    const limits = [
      '--limit',
      'day=20/Day',
      '--limit',
      'rate=200000Tokens/1m',
      '--limit',
      'open=5Requests/inFlight',
      '--limit',
      'all=0.5/lifetime',
    ]
    const args = ['key', 'new', 'indexer', ...flags, ...more, ...limits, '--max-per-request', '0.50', '--for', '7d', '--key-file', file]
    const before = Math.floor(Date.now() / 1_000) * 1_000
    const { code, out, err } = purser(args)
    expect([code, err]).toEqual([0, ''])
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const key = readFileSync(file, 'utf8').trim()
    expect(out).not.toContain(key)
    const { metadata, spec } = parse(out) as { metadata: unknown; spec: Record<string, unknown> & { expiresAt: string } }
    expect(metadata).toEqual({ name: 'indexer', namespace: 'search', labels: { team: 'search', env: 'ci' } })
    const week = Date.parse(spec.expiresAt) - before
    expect(week >= 7 * 86_400_000 && week < 7 * 86_400_000 + 60_000).toBe(true)
    expect({ ...spec, expiresAt: '' }).toEqual({
      keyHashes: [sha256(key)],
      subject: { user: 'indexer', team: 'search', attributes: { 'cost-center': '4711' } },
      expiresAt: '',
      permissions: { models: { allow: ['gpt-4o-mini', 'text-*'] }, providers: { allow: ['openai'] }, endpoints: { allow: ['embeddings'] } },
      reservation: { maxPerRequest: '0.50' },
      limits: [
        { name: 'day', unit: 'USD', amount: '20', window: { calendar: 'Day' } },
        { name: 'rate', unit: 'Tokens', amount: '200000', window: { sliding: '1m' } },
        { name: 'open', unit: 'Requests', amount: '5', window: { inFlight: {} } },
        { name: 'all', unit: 'USD', amount: '0.5', window: { lifetime: {} } },
      ],
    })
    expect((await checked(out)).problems).toEqual([])
    const again = purser(args)
    expect([again.code, again.out]).toEqual([2, ''])
    expect(again.err).toContain('is there already')
    expect(readFileSync(file, 'utf8').trim()).toBe(key)
  })

  it.each([
    [[], 'one name is needed'],
    [['a', 'b'], 'one name is needed'],
    [['Not_A_Name'], 'metadata.name'],
    [['a', '--limit', 'day'], 'allowed: NAME=AMOUNT[UNIT]/WINDOW'],
    [['a', '--limit', 'day=20/Fortnight'], 'spec.limits[0].window.calendar: "Fortnight"'],
    [['a', '--limit', 'day=0.5Requests/Day'], 'counted whole'],
    [['a', '--label', 'team'], 'allowed: NAME=VALUE'],
    [['a', '--for', '7w'], 'allowed: a number of days'],
    [['a', '--for', '7d', '--expires', '2027-01-01T00:00:00Z'], 'give one of them'],
    [['a', '--expires', 'tomorrow'], 'spec.expiresAt'],
    [['a', '--nope'], '--nope'],
    [['a', '--budget', '20'], 'go together'],
    [['--experiment', 'a', '--for', '7d'], 'go together'],
    [['--experiment', 'a', '--budget', '20'], 'spec.experiment: an experiment needs expiresAt'],
  ])('%j is told what is wrong, and gets no key', (args, why) => {
    const file = join(folder, 'none.key')
    const { code, out, err } = purser(['key', 'new', ...args, '--key-file', file])
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain(why)
    expect(() => statSync(file)).toThrow('ENOENT')
  })
})

describe('key hash', () => {
  it('hashes what stdin has, with or without its line end', () => {
    for (const text of ['psk_abc', 'psk_abc\n', 'psk_abc\r\n']) expect(purser(['key', 'hash'], text).out).toBe(`${sha256('psk_abc')}\n`)
  })

  it.each(['', '\n', 'two words', 'two\nlines\n'])('has no hash for %j', text => {
    expect(purser(['key', 'hash'], text)).toEqual({ code: 2, out: '', err: expect.stringContaining('stdin has no key') })
  })

  it('takes no key from the command line, and does not repeat it', () => {
    const { code, out, err } = purser(['key', 'hash', 'psk_secret'])
    expect([code, out]).toEqual([2, ''])
    expect(err).not.toContain('secret')
  })

  it.each([['--help'], ['new', '--help'], ['hash', '--help']])('%s %s explains itself', (...args) => {
    expect(purser(['key', ...args])).toMatchObject({ code: 0, err: '', out: expect.stringMatching(/^purser key /) })
  })
})

describe('a key in a folder of policies', () => {
  it('is refused without being shown', async () => {
    const { out } = purser(['key', 'new', 'a'])
    const [key = ''] = out.split('\n')
    expect(parseAllDocuments(out)).toHaveLength(2)
    const whole = await checked(out)
    const named = await checked(
      `apiVersion: purser.dev/v1alpha1\nkind: ${key}\nmetadata: {name: a, labels: {x: ${key}}}\nspec: {a: ${key}}\n`,
    )
    const field = await checked(`apiVersion: purser.dev/v1alpha1\nkind: AccessKey\nmetadata: {name: ${key}}\nspec: {${key}: 1}\n`)
    for (const { problems } of [whole, named, field]) {
      expect(problems).not.toEqual([])
      expect(problems.join('\n')).not.toContain(key.slice(4))
    }
  })
})
