// Wires `purser check`: the objects of files, under the flags that `serve` is started with.
import { parseArgs } from 'node:util'
import { check } from '../cli/check.ts'
import { parseConfig } from '../config.ts'
import { loadObjects } from '../files/load.ts'
import { systemClock } from '../system.ts'

/** What objects may use depends on the flags that `serve` is started with; where a flag is absent, what hangs on it is a warning. */
export function runCheck(args: readonly string[]): Promise<number> {
  const options = { 'trusted-headers': { type: 'string' }, 'default-namespace': { type: 'string' } } as const
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
  const flags = Object.entries(values).map(([name, value]) => `--${name}=${value}`)
  const { trustedHeaders, defaultNamespace } = parseConfig(flags, {})
  const trusted = values['trusted-headers'] === undefined ? null : trustedHeaders
  const load = (paths: readonly string[]) => loadObjects(paths, { trustedHeaders: trusted, defaultNamespace, nowMs: systemClock.wallMs() })
  const output = { out: (line: string) => process.stdout.write(`${line}\n`), err: (line: string) => process.stderr.write(`${line}\n`) }
  return check(positionals, { load }, output)
}
