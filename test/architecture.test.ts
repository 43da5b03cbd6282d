// The import law of src/README.md as a table, held by reading every import of every source file.
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { describe, expect, it } from 'vitest'

const SRC = join(import.meta.dirname, '../src')
const ADAPTER = ['ports', 'core', 'limits']

/** Room -> the rooms that it may import besides itself. A room is a folder or a file of src/. */
const LAW: Readonly<Record<string, readonly string[]>> = {
  core: [],
  limits: ['core'],
  wire: ['core', 'limits'],
  ports: ['core'],
  enforcer: ['wire', 'ports', 'core', 'limits'],
  envoy: ['enforcer', ...ADAPTER],
  redis: ADAPTER,
  sqlite: ADAPTER,
  memory: ADAPTER,
  objects: ['core', 'limits'],
  files: ['objects', ...ADAPTER],
  kubernetes: ['objects', ...ADAPTER],
  prices: ADAPTER,
  tokens: ADAPTER,
  telemetry: ADAPTER,
  http: ADAPTER,
  system: ['ports'],
  config: ['limits'],
  doctor: ['core', 'limits'],
  cli: ['enforcer', 'wire', 'doctor', 'config', ...ADAPTER],
}
/** The only file that may import every room. */
const COMPOSITION_ROOT = 'main'
const PACKAGES_OF_CORE = ['temporal-polyfill']

const files = globSync('**/*.ts', { cwd: SRC }).sort()
const room = (file: string): string => (file.split('/')[0] ?? '').replace(/\.ts$/, '')
const code = (file: string): string => readFileSync(join(SRC, file), 'utf8')
const imports = (text: string): string[] =>
  [...text.matchAll(/(?:^import\b[^'"]*|^export\b[^'"]*\bfrom\s*|\bimport\s*\(\s*)['"]([^'"]+)['"]/gm)].map(match => match[1] ?? '')

describe('the import law', () => {
  it('finds the house', () => {
    expect(files.length).toBeGreaterThan(15)
    expect(new Set(files.map(room))).toContain('core')
  })

  it.each(files)('%s', file => {
    const from = room(file)
    if (from === COMPOSITION_ROOT) return
    const allowed = LAW[from]
    expect(allowed, `the room ${from} is not in the law`).toBeDefined()
    for (const specifier of imports(code(file))) {
      if (specifier.startsWith('.')) {
        const to = room(relative(SRC, normalize(join(SRC, dirname(file), specifier))))
        expect([from, ...(allowed ?? [])], `${file} imports ${specifier}`).toContain(to)
        expect(specifier, 'imports name their file').toMatch(/\.ts$/)
      } else if (from === 'core' || from === 'wire') {
        expect(from === 'core' ? PACKAGES_OF_CORE : [], `${file} imports the package ${specifier}`).toContain(specifier)
      }
    }
  })

  it.each(files.filter(file => ['core', 'wire'].includes(room(file))))('%s is synchronous', file => {
    const bare = code(file).replace(/\/\*[\s\S]*?\*\/|\/\/.*$|'[^']*'|`[^`]*`/gm, '')
    expect(bare).not.toMatch(/\b(async|await|Promise)\b/)
  })

  it('has no barrel, and no file named for a kind', () => {
    const kinds = /(^|\/)(index|types|utils?|helpers?|common|misc|interfaces)(\.ts$|\/)/
    expect(files.filter(file => kinds.test(file))).toEqual([])
  })
})
