// The ledger's file read beside the process that serves from it: one short read-only step a question, no lock taken, nothing written.
import type { DatabaseSync } from 'node:sqlite'
import { ledgerOver, type Read } from '../core/ledger.ts'
import { LEDGER_RULES } from '../limits.ts'
import type { Clock, LedgerReader, ReadOutcome } from '../ports.ts'
import { isStorageFault, openForReading } from './schema.ts'
import { createSqliteShelf } from './shelf.ts'

/** Opens the ledger in `file`, which must be there. Throws with a sentence that names the file where it cannot be read. */
export function openSqliteReader({ file, clock }: { readonly file: string; readonly clock: Clock }): LedgerReader {
  const database = openForReading(file)
  const shelf = createSqliteShelf(database, null)
  const ledger = ledgerOver(shelf, LEDGER_RULES)
  const ask = async <T>(question: (storeClockMs: number) => Read<T>): Promise<ReadOutcome<T>> => {
    try {
      return inOneStep(database, () => question(Math.floor(clock.wallMs())))
    } catch (cause) {
      if (isStorageFault(cause)) return { kind: 'unavailable', why: `the ledger ${file} cannot be read: ${cause.message}` }
      throw cause
    } finally {
      // The file moves on: what was read is not true for longer than a step.
      shelf.forget()
    }
  }
  return {
    read: lines => ask(nowMs => ledger.read(lines, nowMs)),
    list: query => ask(nowMs => ledger.list(query, nowMs)),
    reservations: query => ask(nowMs => ledger.reservations(query, nowMs)),
    entries: query => ask(nowMs => ledger.entries(query, nowMs)),
    close: async () => database.close(),
  }
}

function inOneStep<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN')
  try {
    return work()
  } finally {
    database.exec('COMMIT')
  }
}
