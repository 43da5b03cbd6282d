// Adds up the reports of the test runner in a folder and prints `N passed, N failed`; fails if a test failed, or if none ran.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface Report {
  readonly testResults: readonly {
    readonly status: string
    readonly assertionResults: readonly { readonly status: string }[]
  }[]
}

const folder = process.argv[2]
if (folder === undefined) throw new Error('usage: test-total.ts FOLDER')

let passed = 0
let failed = 0
for (const name of reportsIn(folder)) {
  const report = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Report
  for (const file of report.testResults) {
    const failures = file.assertionResults.filter(result => result.status === 'failed').length
    passed += file.assertionResults.filter(result => result.status === 'passed').length
    // A file that could not even be loaded has no tests, and is one failure.
    failed += failures === 0 && file.status === 'failed' ? 1 : failures
  }
}
process.stdout.write(`${passed} passed, ${failed} failed\n`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0

function reportsIn(path: string): string[] {
  try {
    return readdirSync(path).filter(name => name.endsWith('.json'))
  } catch {
    return []
  }
}
