// Wires `purser key`: chance, the check of objects, stdin and the file that a key is written to.
import { closeSync, openSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { key } from '../cli/key.ts'
import { NoKey } from '../cli/key-fault.ts'
import { sha256 } from '../enforcer/identify.ts'
import { checkObject } from '../objects/check-object.ts'
import { pathText } from '../objects/finding.ts'
import { systemClock, systemRandom } from '../system.ts'

export function runKey(args: readonly string[]): Promise<number> {
  return key(args, {
    nowMs: systemClock.wallMs,
    randomHex: systemRandom.hex,
    sha256,
    check: value => {
      const checked = checkObject(value, { trustedHeaders: null, defaultNamespace: 'default' })
      return checked.kind === 'accepted' ? [] : checked.findings.map(({ path, text: why }) => `${pathText(path)}: ${why}`)
    },
    readKey: () => (process.stdin.isTTY ? askUnseen() : text(process.stdin)),
    writeKeyFile,
    out: words => process.stdout.write(words),
    err: words => process.stderr.write(words),
  })
}

async function askUnseen(): Promise<string> {
  process.stderr.write('key (not shown): ')
  const unseen = new Writable({ write: (_, __, done) => done() })
  const lines = createInterface({ input: process.stdin, output: unseen, terminal: true })
  const answer = await lines.question('')
  lines.close()
  process.stderr.write('\n')
  return answer
}

function writeKeyFile(path: string, words: string): void {
  let file: number
  try {
    file = openSync(path, 'wx', 0o600)
  } catch (fault) {
    const code = (fault as NodeJS.ErrnoException).code
    throw new NoKey(`--key-file ${path}: ${code === 'EEXIST' ? 'is there already, and is not written over' : `cannot be written: ${code}`}`)
  }
  writeSync(file, words)
  closeSync(file)
}
