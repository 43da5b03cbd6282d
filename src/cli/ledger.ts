// `ledger export|adjust`: which of the two is asked for. Does neither by itself.
import { ConfigError } from '../config/values.ts'
import { ADJUST_HELP, adjustLedger } from './ledger-adjust.ts'
import { EXPORT_HELP, exportLedger } from './ledger-export.ts'
import type { LedgerTools } from './ledger-tools.ts'

const LEDGER_HELP = `purser ledger COMMAND

  purser ledger export [flags]        the stream's entries as CloudEvents, one a line (see purser ledger export --help)
  purser ledger adjust ID [flags]     charge a reservation what it did cost (see purser ledger adjust --help)
`

/** Answers the exit code. */
export async function ledger([command, ...args]: readonly string[], tools: LedgerTools): Promise<number> {
  const help = args.includes('--help') || args.includes('-h')
  try {
    if (command === 'export' && !help) return await exportLedger(args, tools)
    if (command === 'adjust' && !help) return await adjustLedger(args, tools)
  } catch (fault) {
    if (!(fault instanceof ConfigError)) throw fault
    tools.err.write(`purser: ${fault.message}\n`)
    return 2
  }
  const text = command === 'export' ? EXPORT_HELP : command === 'adjust' ? ADJUST_HELP : LEDGER_HELP
  if (text !== LEDGER_HELP || command === 'help' || command === '--help' || command === '-h') {
    await tools.write(text)
    return 0
  }
  tools.err.write(
    `purser: ${command === undefined ? 'ledger needs a command' : `there is no command 'ledger ${command}'`}\n\n${LEDGER_HELP}`,
  )
  return 2
}
