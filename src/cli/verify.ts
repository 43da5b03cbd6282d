// `verify`: proves a ledger by its own entries, while it is in use or not, and names the first thing that is not so. Writes nothing.

import { ConfigError } from '../config/values.ts'
import { flagLines, LEDGER_FLAGS, parseLedgerCommand } from '../config.ts'
import type { Proof } from '../core/verify.ts'
import type { LedgerReader } from '../ports.ts'
import type { LedgerTools } from './ledger-tools.ts'
import { type Verification, verifyLedger } from './verification.ts'

export const VERIFY_HELP: string = `purser verify [--ledger ADDRESS] [--ledger-name NAME]

Reads every entry of a ledger's stream and proves that each follows the law and the one before it, that balances and open
reservations are what the entries say, and that no reserve ever went beyond a hard limit. The ledger may be in use meanwhile.

${flagLines(LEDGER_FLAGS)}
Each flag has a twin in the environment: --ledger is PURSER_LEDGER.

Exit code 0 where all is proven, 1 where something is not as it should be (the first such thing is named), 2 where the ledger cannot
be read or a flag is wrong, 130 after Ctrl-C.
`

/** Answers the exit code. */
export async function verify(args: readonly string[], { env, openReader, signal, write, err }: LedgerTools): Promise<number> {
  let ledger: LedgerReader
  try {
    const { place, positionals } = parseLedgerCommand('verify', {}, args, env)
    if (positionals.length > 0) throw new ConfigError(`'${positionals[0]}' is not a flag; see 'purser verify --help'`)
    ledger = await openReader(place)
  } catch (fault) {
    err.write(`purser: ${fault instanceof Error ? fault.message : fault}\n`)
    return 2
  }
  const isLive = err.isTTY === true
  const progress = (seq: number, ofSeq: number): void => {
    if (isLive) err.write(`\r${seq} of ${ofSeq} entries`)
  }
  try {
    const verification = await verifyLedger(ledger, { signal, progress }).catch(unreadable)
    if (isLive) err.write('\r\u001b[K')
    const { code, out, said } = report(verification)
    if (said !== '') err.write(`${said}\n`)
    if (out !== '') await write(`${out}\n`).catch(() => {}) // the exit code says it too
    return code
  } finally {
    await ledger.close()
  }
}

/** What is stored cannot even be read as entries or balances. */
const unreadable = (fault: unknown): Verification => ({ kind: 'unreadable', why: `${fault instanceof Error ? fault.message : fault}` })

function report(verification: Verification): { readonly code: number; readonly out: string; readonly said: string } {
  switch (verification.kind) {
    case 'proven':
      return { code: 0, out: provenText(verification.proof), said: '' }
    case 'different':
      return { code: 1, out: `The ledger is not what it should be. First difference: ${verification.difference.words}`, said: '' }
    case 'unreadable':
      return { code: 2, out: '', said: `purser: nothing is proven: ${verification.why}` }
    case 'stopped':
      return { code: 130, out: '', said: 'stopped before the end: nothing is proven' }
  }
}

function provenText({ firstSeq, lastSeq, isCut, seen, held }: Proof): string {
  if (firstSeq === null) return 'Proven: the ledger has no entries, and shows nothing.'
  const before = isCut ? `Entries before ${firstSeq} are not in the stream any more: what was there then is taken as it was found.\n` : ''
  const range = seen.entries === 0 ? 'no entries' : `${seen.entries} entries, ${firstSeq} to ${lastSeq}`
  return `${before}Proven: ${range}; ${seen.reservations} reservations, ${held.open().size} of them open; ${seen.balances} balances.`
}
