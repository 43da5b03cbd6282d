// The tools of a command beside `serve`, over a ledger that the test has: what was said is kept, nothing is closed.
import type { LedgerTools } from '../../src/cli/ledger-tools.ts'
import type { Ledger, LedgerReader } from '../../src/ports.ts'

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

interface Tools extends Partial<Pick<LedgerTools, 'env' | 'signal'>> {
  readonly reader?: LedgerReader
  readonly isTTY?: boolean
  /** Before the text counts as written. */
  readonly write?: (text: string) => Promise<void>
}

/** Runs a command on a ledger. */
export async function runOn(
  ledger: Ledger,
  command: (args: readonly string[], tools: LedgerTools) => Promise<number>,
  args: readonly string[],
  { env = {}, signal = new AbortController().signal, reader = ledger, isTTY = false, write }: Tools = {},
): Promise<Ran> {
  const said = { out: '', err: '' }
  const code = await command(args, {
    env,
    signal,
    openReader: async () => ({ ...reader, close: async () => {} }),
    openLedger: async () => ({ ...ledger, ...reader, close: async () => {} }),
    write: async text => {
      await write?.(text)
      said.out += text
    },
    err: {
      write: text => {
        said.err += text
      },
      isTTY,
    },
  })
  return { code, ...said }
}
