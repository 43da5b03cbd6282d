// The embedded ledgers as the suites make them: fresh, on a clock that stands still.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openMemoryLedger } from '../../src/memory/ledger.ts'
import { openSqliteLedger } from '../../src/sqlite/ledger.ts'
import { type TestClock, testClock } from './clock.ts'
import type { MakeLedger } from './moves.ts'

export const makeMemory: MakeLedger = async ({ streamMax }) => {
  const clock = testClock()
  const ledger = openMemoryLedger({ clock, streamMax })
  return { ledger, ...turned(clock), close: () => ledger.close() }
}

/** In memory where the system has such a folder: these suites ask what is answered, others what is durable. */
const FOLDER = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** Each ledger in a folder of its own, gone when it is closed. */
export const makeSqlite: MakeLedger = async ({ streamMax }) => {
  const clock = testClock()
  const folder = mkdtempSync(join(FOLDER, 'purser-sqlite-'))
  const ledger = await openSqliteLedger({ file: join(folder, 'ledger.db'), clock, streamMax })
  const close = async (): Promise<void> => {
    await ledger.close()
    rmSync(folder, { recursive: true, force: true })
  }
  return { ledger, ...turned(clock), close }
}

/** Store and callers have one clock. */
const turned = ({ advance, turn, wallMs }: TestClock) => ({ advance, turnStore: turn, turnCallers: turn, nowMs: wallMs })
