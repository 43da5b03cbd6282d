// `purser doctor`: is Envoy set up so that every call is judged, metered and left whole? Reads a configuration and changes nothing.
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { parse } from 'yaml'
import { ConfigError } from '../config/values.ts'
import { examine } from '../doctor/doctor.ts'
import { CONFIG_BYTES_MAX, CONFIG_WAIT_MS } from '../limits.ts'

export const DOCTOR_HELP = `purser doctor FILE
purser doctor --admin URL

Reads how Envoy is set up and says what is wrong with it, why that matters, and the fix. Exit code 1 where something is wrong: money, calls
or answers would be lost. What is marked note works, and could be better.

  FILE          a bootstrap, a saved /config_dump, or the output of egctl x translate; YAML or JSON
  --admin URL   the admin address of a running Envoy, for instance http://127.0.0.1:9901; asked for /config_dump
`

/** Answers the exit code. */
export async function doctor(args: readonly string[], print: (text: string) => number): Promise<number> {
  const { values, positionals } = read(args)
  const [file, ...more] = positionals
  if (more.length > 0 || (file === undefined) === (values.admin === undefined))
    throw new ConfigError("purser doctor takes one FILE, or --admin URL; see 'purser doctor --help'")
  const from = file ?? values.admin ?? ''
  const text = file === undefined ? await dumpOf(from) : await readFile(file, 'utf8').catch(fault => unreadable(from, fault))
  const examination = examine(parsed(text, from))
  if (examination === null)
    throw new ConfigError(`${from}: allowed: a bootstrap (static_resources), the answer of /config_dump, or what egctl x translate writes`)
  print(examination.text)
  return examination.sound ? 0 : 1
}

function read(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: { admin: { type: 'string' } }, strict: true, allowPositionals: true })
  } catch (fault) {
    throw new ConfigError(`${fault instanceof Error ? fault.message.split('. ')[0] : fault}; see 'purser doctor --help'`)
  }
}

async function dumpOf(admin: string): Promise<string> {
  if (!/^https?:\/\//.test(admin)) throw new ConfigError(`--admin ${admin}: allowed: a URL, for instance http://127.0.0.1:9901`)
  try {
    const answer = await fetch(new URL('/config_dump', admin), { signal: AbortSignal.timeout(CONFIG_WAIT_MS) })
    if (!answer.ok) throw new Error(`it answered ${answer.status}`)
    return await answer.text()
  } catch (fault) {
    return unreadable(`${admin}/config_dump`, fault)
  }
}

function parsed(text: string, from: string): unknown {
  if (text.length > CONFIG_BYTES_MAX) throw new ConfigError(`${from} is larger than ${CONFIG_BYTES_MAX / 1_048_576} MiB`)
  try {
    return text.trimStart().startsWith('{') ? JSON.parse(text) : parse(text, { maxAliasCount: -1 })
  } catch (fault) {
    return unreadable(from, fault)
  }
}

function unreadable(from: string, fault: unknown): never {
  const why = fault instanceof Error ? (fault.cause instanceof Error ? fault.cause.message : fault.message) : String(fault)
  throw new ConfigError(`cannot read ${from}: ${why.split('\n')[0]}`)
}
