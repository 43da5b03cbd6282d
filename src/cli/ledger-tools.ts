// What the commands that work on a ledger beside `serve` get from main: ways to open it, to say something, and to be stopped.
import type { Environment, LedgerPlace } from '../config.ts'
import type { Ledger, LedgerReader } from '../ports.ts'

export interface LedgerTools {
  readonly env: Environment
  openReader(place: LedgerPlace): Promise<LedgerReader>
  /** To write to it. A file is had by one process at a time. */
  openLedger(place: LedgerPlace): Promise<Ledger>
  /** Aborted when the user wants no more of it. */
  readonly signal: AbortSignal
  /** To stdout: resolves when the operating system has it, rejects where nobody reads any more. */
  write(text: string): Promise<void>
  readonly err: { write(text: string): unknown; readonly isTTY?: boolean }
}

/** Whether a ledger is a file, which one process at a time writes. */
export const isFile = ({ ledger }: LedgerPlace): boolean => ledger.startsWith('sqlite:')
