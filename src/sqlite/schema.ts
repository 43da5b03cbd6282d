// Opens the ledger's file: the lock that one process holds for its life, the settings of durability, the tables. Reads no ledger state.
import { DatabaseSync } from 'node:sqlite'

const SCHEMA_VERSION = 1

// Records keep their rowids: without them, rows as long as these would take a page each.
const TABLES = `
CREATE TABLE meta (
  one INTEGER PRIMARY KEY CHECK (one = 1), mark_ms INTEGER NOT NULL, resumed_ms INTEGER NOT NULL,
  seq INTEGER NOT NULL, contested INTEGER NOT NULL, exported_seq INTEGER
) STRICT;
CREATE TABLE balances (
  id TEXT PRIMARY KEY, key TEXT NOT NULL, window_kind TEXT NOT NULL, window_a INTEGER, window_b INTEGER,
  limit_amount INTEGER NOT NULL, version TEXT NOT NULL, presented_ms INTEGER NOT NULL,
  reserved INTEGER NOT NULL, spent INTEGER NOT NULL, suspense INTEGER NOT NULL, overrun INTEGER NOT NULL,
  buckets TEXT NOT NULL, collectable_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX balances_collectable ON balances (collectable_ms) WHERE collectable_ms IS NOT NULL;
CREATE TABLE records (
  id TEXT PRIMARY KEY, holder TEXT NOT NULL, state TEXT NOT NULL, admitted_ms INTEGER NOT NULL, deadline_ms INTEGER NOT NULL,
  alternative INTEGER NOT NULL, lines TEXT NOT NULL, charged TEXT NOT NULL, raised INTEGER NOT NULL, price_book TEXT NOT NULL,
  adjust_id TEXT NOT NULL, response TEXT NOT NULL, arrears INTEGER NOT NULL, closed_ms INTEGER, outlived_ms INTEGER
) STRICT;
CREATE INDEX records_open ON records (id, holder, deadline_ms) WHERE state = 'open';
CREATE INDEX records_outlived ON records (outlived_ms) WHERE outlived_ms IS NOT NULL;
CREATE TABLE responses (response TEXT PRIMARY KEY, id TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE holders (holder TEXT PRIMARY KEY, beat_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE entries (
  seq INTEGER PRIMARY KEY, store_ms INTEGER NOT NULL, what TEXT NOT NULL, id TEXT NOT NULL, how TEXT NOT NULL,
  admitted_ms INTEGER NOT NULL, lines TEXT NOT NULL
) STRICT;
`

/**
 * Takes `FILE.lock` for as long as the returned database is open; the operating system frees it however the process dies. Waits up to
 * `waitMs`, then throws naming the file.
 */
export function takeLock(file: string, waitMs: number): DatabaseSync {
  let lock: DatabaseSync | null = null
  try {
    lock = new DatabaseSync(`${file}.lock`, { timeout: waitMs })
    lock.exec('BEGIN EXCLUSIVE')
    return lock
  } catch (cause) {
    lock?.close()
    const why = isBusy(cause) ? `is in use: ${file}.lock was not free within ${waitMs / 1_000} s` : `cannot be locked: ${messageOf(cause)}`
    throw new Error(`the ledger ${file} ${why}`, { cause })
  }
}

/**
 * Opens or creates the ledger's tables. `pagesMax` bounds the file (4 KiB pages), as a full disk would. Throws on a newer schema, and on
 * a file that is not a ledger, which stays as it is.
 */
export function openTables(file: string, pagesMax: number | null): DatabaseSync {
  let database: DatabaseSync | null = null
  try {
    database = new DatabaseSync(file, { timeout: 5_000, readBigInts: true })
    checkLayout(database)
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -65536')
    if (pagesMax !== null) database.exec(`PRAGMA max_page_count = ${Math.floor(pagesMax)}`)
    if (schemaOf(database) === 0) database.exec(`BEGIN IMMEDIATE; ${TABLES} PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`)
    return database
  } catch (cause) {
    database?.close()
    throw new Error(`the ledger ${file} cannot be opened: ${messageOf(cause)}`, { cause })
  }
}

/** The number alone proves nothing: other programs count their schemas too, so the tables must be ours to the letter. */
function checkLayout(database: DatabaseSync): void {
  const schema = schemaOf(database)
  if (schema > SCHEMA_VERSION) throw new Error(`it was written by a newer Purser (schema ${schema}, this one knows ${SCHEMA_VERSION})`)
  const ours = new DatabaseSync(':memory:')
  try {
    if (schema !== 0) ours.exec(TABLES)
    if (layoutOf(database) !== layoutOf(ours)) throw new Error('its tables are not those of a ledger of this Purser')
  } finally {
    ours.close()
  }
}

/** Opens a ledger that is there, for reading alone. Throws with a sentence that names it where it cannot be read. */
export function openForReading(file: string): DatabaseSync {
  let database: DatabaseSync | null = null
  try {
    database = new DatabaseSync(file, { readOnly: true, timeout: 5_000, readBigInts: true })
    checkLayout(database)
    if (schemaOf(database) === 0) throw new Error('there is no ledger in it')
    return database
  } catch (cause) {
    database?.close()
    throw new Error(`the ledger ${file} cannot be read: ${messageOf(cause)}`, { cause })
  }
}

const schemaOf = (database: DatabaseSync): number => Number(database.prepare('PRAGMA user_version').get()?.['user_version'])

/** The tables and indexes of a file, by the words that made them. */
const layoutOf = (database: DatabaseSync): string =>
  JSON.stringify(database.prepare('SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name').all())

const SQLITE_BUSY = 5
/** ERROR, CONSTRAINT, MISMATCH, MISUSE, RANGE: what the file was told was wrong, not the file. */
const OUR_FAULTS = [1, 19, 20, 21, 25]

const primaryCode = (cause: unknown): number | null =>
  cause instanceof Error && 'errcode' in cause && typeof cause.errcode === 'number' ? cause.errcode & 0xff : null

const isBusy = (cause: unknown): boolean => primaryCode(cause) === SQLITE_BUSY

/** Whether an error is the store's: a full disk, an I/O error, a damaged file; and not a bug in what it was told. */
export function isStorageFault(cause: unknown): cause is Error {
  const code = primaryCode(cause)
  return code !== null && !OUR_FAULTS.includes(code)
}

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
