// Plants every mutant in a copy of the sources and runs its suites: prints who was killed, and fails where one lives.
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { MUTANTS, type Mutant } from './mutants.ts'

const ROOT = join(import.meta.dirname, '../..')
const COPIED = ['src', 'docs', 'test', 'charts', 'protos', 'demo', 'deploy', 'scripts', 'package.json', 'tsconfig.json']
const COPIES = 2

type Fate =
  | { readonly kind: 'killed'; readonly seconds: number; readonly by: string }
  | { readonly kind: 'lives' | 'gone'; readonly why: string }

const [only = ''] = process.argv.slice(2)
const chosen = MUTANTS.filter(({ file, does }) => `${file} ${does}`.includes(only))
const base = mkdtempSync(join(tmpdir(), 'purser-mutants-'))
process.on('exit', () => rmSync(base, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))

symlinkSync(join(ROOT, '../shared'), join(base, 'shared'))
const waiting = chosen.entries()
const lines: string[] = []
let living = 0
await Promise.all(
  Array.from({ length: COPIES }, async (_, index) => {
    const copy = join(base, `copy-${index}`)
    for (const name of COPIED) cpSync(join(ROOT, name), join(copy, name), { recursive: true })
    for (const name of ['vitest.config.ts', 'vitest.e2e.config.ts']) cpSync(join(ROOT, name), join(copy, name))
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
    for (const [number, mutant] of waiting) {
      const fate = await fateOf(mutant, copy)
      if (fate.kind !== 'killed') living += 1
      const told = fate.kind === 'killed' ? `killed in ${fate.seconds} s by '${fate.by}'` : `${fate.kind.toUpperCase()}: ${fate.why}`
      lines[number] = `${mutant.file.padEnd(30)} ${mutant.does.padEnd(58)} ${told}`
      process.stdout.write(`${lines[number]}\n`)
    }
  }),
)
process.stdout.write(`\n${chosen.length - living} of ${chosen.length} mutants killed\n`)
process.exitCode = living === 0 && chosen.length > 0 ? 0 : 1

async function fateOf({ file, from, to, tests }: Mutant, copy: string): Promise<Fate> {
  const path = join(copy, file)
  const text = readFileSync(path, 'utf8')
  const parts = text.split(from)
  if (parts.length !== 2) return { kind: 'gone', why: `what it changes is there ${parts.length - 1} times` }
  writeFileSync(path, parts.join(to))
  try {
    const started = Date.now()
    const { code, by } = await runSuites(tests, copy)
    if (by !== null) return { kind: 'killed', seconds: Math.round((Date.now() - started) / 1_000), by }
    return { kind: 'lives', why: code === 0 ? 'every suite passed' : `no test failed, but the runner ended with ${code}` }
  } finally {
    writeFileSync(path, text)
  }
}

interface Report {
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly message: string
    readonly assertionResults: readonly TestResult[]
  }[]
}
interface TestResult {
  readonly status: string
  readonly fullName: string
}

/** Killed is what makes a test fail: suites that cannot even be loaded kill too, for the mutant broke them. `by`: which was the first. */
async function runSuites(tests: readonly string[], copy: string): Promise<{ code: number | null; by: string | null }> {
  const config = tests.some(path => path.startsWith('test/redis')) ? 'vitest.e2e.config.ts' : 'vitest.config.ts'
  const report = join(copy, 'report.json')
  rmSync(report, { force: true })
  const args = ['run', '--config', config, '--bail=1', '--reporter=json', `--outputFile=${report}`, ...tests]
  const child = spawn(join(ROOT, 'node_modules/.bin/vitest'), args, { cwd: copy, stdio: 'ignore' })
  const code = await new Promise<number | null>(resolve => child.on('close', resolve))
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report
  const test = testResults.flatMap(({ assertionResults }) => assertionResults).find(({ status }) => status === 'failed')
  const suite = testResults.find(({ status }) => status === 'failed')
  const ofSuite = suite === undefined ? null : `${relative(copy, suite.name)}: ${suite.message.split('\n')[0]}`
  return { code, by: test?.fullName ?? ofSuite }
}
