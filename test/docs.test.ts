// What the documentation promises and can be held to it: every refusal is listed with its status, every flag that is named exists, no link is dead.
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CONTROL_FLAGS } from '../src/cli/control-config.ts'
import { FLAGS } from '../src/config.ts'
import { REASONS, type ShortfallReason, verdict } from '../src/core/verdict.ts'

const ROOT = join(import.meta.dirname, '..')
const PAGES = [...globSync('*.md', { cwd: ROOT }), ...globSync('docs/*.md', { cwd: ROOT })]
const read = (page: string): string => readFileSync(join(ROOT, page), 'utf8')

const SHORTFALLS: Readonly<Record<ShortfallReason, number>> = {
  'in-flight': 429,
  'window-ending': 429,
  rate: 429,
  concurrency: 429,
  exhausted: 402,
  'never-fits': 403,
  'retry-storm': 429,
}
/** Of the other commands, and of other people's programs. */
const OTHER_FLAGS = [
  'since',
  'follow',
  'actual',
  'reason',
  'once',
  'help',
  'exchanges',
  'against',
  'chunk',
  'cut',
  'omit',
  'provider',
  'json',
  'config',
  'config-path',
  'write',
  'server-side',
  'from-literal',
  'from',
  'to',
  'admin',
  // Of Docker, Helm and kubectl.
  'build-arg',
  'namespace',
  'create-namespace',
  'set',
  'reset-then-reuse-values',
  'clusterrole',
  'group',
  'force-conflicts',
]
const isShortfall = (reason: string): reason is ShortfallReason => reason in SHORTFALLS

describe('docs/refusals.md', () => {
  const rows = read('docs/refusals.md')
    .split('\n')
    .flatMap(line => {
      const [, status = '', reasons = ''] = line.split('|')
      return /^ \d{3} $/.test(status) ? [...reasons.matchAll(/`([a-z-]+)`/g)].map(([, reason]) => [reason, Number(status)] as const) : []
    })

  it('lists every reason once, with its status', () => {
    const real = REASONS.map(reason => [reason, isShortfall(reason) ? SHORTFALLS[reason] : verdict(reason, '').status] as const)
    expect(rows.toSorted()).toEqual(real.toSorted())
  })
})

describe.each(PAGES)('%s', page => {
  it('has no dead links', () => {
    const links = [...read(page).matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, link]) => link ?? '')
    expect(links.filter(link => !existsSync(join(ROOT, dirname(page), link)))).toEqual([])
  })

  it('names only flags that exist', () => {
    const named = [...read(page).matchAll(/(?<=[\s`(])--([a-z][a-z-]+)/g)].map(([, flag]) => flag ?? '')
    expect(named.filter(flag => !(flag in FLAGS) && !(flag in CONTROL_FLAGS) && !OTHER_FLAGS.includes(flag))).toEqual([])
  })
})
