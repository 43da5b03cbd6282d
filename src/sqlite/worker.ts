// The ledger's own thread: the one writer of the file. All moves that wait share one durable step; answers leave after it took effect.
import type { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { assert, assertNever } from '../core/assert.ts'
import { ledgerOver, type ModelLedger } from '../core/ledger.ts'
import { type MoveTime, storeTime } from '../core/step.ts'
import { expireAll } from '../core/sweep.ts'
import { LEDGER_RULES } from '../limits.ts'
import type { Answer, Request, Said, Start, Told } from './messages.ts'
import { isStorageFault, openTables, takeLock } from './schema.ts'
import { createSqliteShelf, type SqliteShelf } from './shelf.ts'

const port = parentPort
assert(port !== null, 'the ledger runs in a thread of its own')
const say = (said: Said): void => port.postMessage(said)

interface Opened {
  readonly lock: DatabaseSync
  readonly database: DatabaseSync
  readonly shelf: SqliteShelf
  readonly ledger: ModelLedger
}

try {
  const opened = open(workerData as Start)
  port.on('message', (told: Told) => {
    if (told.kind === 'close') {
      close(opened)
      say({ kind: 'closed' })
      port.close()
    } else {
      say({ kind: 'answers', answers: answerAll(opened, told.requests) })
    }
  })
  say({ kind: 'ready' })
} catch (cause) {
  say({ kind: 'failed', why: cause instanceof Error ? cause.message : String(cause) })
}

/** Opens the file, and expires what an earlier run left open: nobody is left to settle it. */
function open({ file, wallMs, streamMax, lockWaitMs, pagesMax }: Start): Opened {
  const lock = takeLock(file, lockWaitMs)
  const database = openTables(file, pagesMax)
  const shelf = createSqliteShelf(database, streamMax)
  try {
    durably({ database, shelf }, () => expireAll(shelf, LEDGER_RULES, storeTime(shelf, wallMs), 'restart'))
  } catch (cause) {
    throw new Error(`the ledger ${file} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
  return { lock, database, shelf, ledger: ledgerOver(shelf, LEDGER_RULES) }
}

function close({ lock, database }: Opened): void {
  database.close()
  lock.close()
}

/** One step for all; if one of them breaks the ledger's own beliefs, each gets a step of its own, so that none is lost by another. */
function answerAll(opened: Opened, requests: readonly (readonly [Request, MoveTime])[]): Answer[] {
  try {
    return durably(opened, () => requests.map(([request, time]) => ({ kind: 'outcome', outcome: answer(opened, request, time) })))
  } catch (cause) {
    if (isStorageFault(cause)) {
      const outcome = { kind: 'unavailable', why: cause.message }
      return requests.map(() => ({ kind: 'outcome', outcome }))
    }
    if (requests.length > 1) return requests.flatMap(request => answerAll(opened, [request]))
    return [{ kind: 'threw', why: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) }]
  }
}

/** Runs `work` and makes what it wrote durable, or undoes all of it and throws. */
function durably<T>({ database, shelf }: Pick<Opened, 'database' | 'shelf'>, work: () => T): T {
  try {
    database.exec('BEGIN IMMEDIATE')
    const result = work()
    shelf.flush()
    database.exec('COMMIT')
    shelf.shrink()
    return result
  } catch (cause) {
    shelf.forget()
    // A full disk may have undone the step already.
    if (database.isTransaction) database.exec('ROLLBACK')
    throw cause
  }
}

function answer({ ledger, shelf }: Opened, request: Request, time: MoveTime): unknown {
  switch (request.kind) {
    case 'reserve':
      return ledger.reserve(request.move, time)
    case 'settle':
      return ledger.settle(request.move, time)
    case 'release':
      return ledger.release(request.move, time)
    case 'beat':
      return ledger.beat(request.holder, time)
    case 'observe':
      return ledger.observe(request.move, time)
    case 'adjust':
      return ledger.adjust(request.move, time)
    case 'sweep': {
      const outcome = ledger.sweep(time)
      if (outcome.kind === 'swept') shelf.trim()
      return outcome
    }
    case 'read':
      return ledger.read(request.lines, time.storeClockMs)
    case 'list':
      return ledger.list(request.query, time.storeClockMs)
    case 'reservations':
      return ledger.reservations(request.query, time.storeClockMs)
    case 'entries':
      return ledger.entries(request.query, time.storeClockMs)
    case 'find':
      return ledger.find(request.id, time.storeClockMs)
    case 'find-by-response':
      return ledger.findByResponse(request.response, time.storeClockMs)
    case 'acknowledge':
      return ledger.acknowledge(request.seq, time)
    default:
      return assertNever(request)
  }
}
