// A shelf on SQLite: reads through a cache, writes what a batch changed in one go. It opens no transaction and decides nothing.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { atTime, type StoredBalance } from '../core/balance.ts'
import type { ReservationId } from '../core/reservation.ts'
import { type Entry, entriesKept, FIRST_META, type Meta, type Shelf, type StoredRecord } from '../core/shelf.ts'
import { balanceOf, balanceValues, entryOf, entryValues, int, type Row, recordOf, recordValues, text } from './rows.ts'
import { createTable } from './table.ts'

export interface SqliteShelf extends Shelf {
  /** Writes all that changed since the last flush, inside the caller's step. */
  flush(): void
  /** Forgets all that is cached, flushed or not: after a rollback the file alone is right. */
  forget(): void
  /** Keeps the cache within its bound; right after a flush that took effect. */
  shrink(): void
  /** Deletes entries that are older than the stream is kept, a bounded number. */
  trim(): void
}

const CACHED_MAX = 20_000
const ENTRIES_KEPT_MS = 35 * 86_400_000
const TRIMMED_AT_ONCE = 20_000

/** `streamMax`: how many entries are kept beside the 35 days; null: all of them. */
export function createSqliteShelf(database: DatabaseSync, streamMax: number | null): SqliteShelf {
  const sql = prepare(database)
  const { balances, records, responses, beats } = cachedTables(sql)
  const tables = [balances, records, responses, beats]
  let meta: Meta | null = null
  let metaChanged = false
  let appended: Entry[] = []

  const flush = (): void => {
    for (const table of tables) table.flush()
    for (const entry of appended) sql.append.run(...entryValues(entry))
    if (appended.length > 0 && streamMax !== null) sql.trimTo.run((meta ?? FIRST_META).seq - entriesKept(meta ?? FIRST_META, streamMax))
    appended = []
    if (metaChanged && meta !== null) sql.putMeta.run(meta.markMs, meta.resumedMs, meta.seq, meta.contested, meta.exportedSeq)
    metaChanged = false
  }
  const found = <T>(statement: StatementSync, ...values: (string | number)[]): T[] => {
    flush()
    return statement.all(...values) as T[]
  }
  return {
    flush,
    forget: () => {
      for (const table of tables) table.forget()
      meta = null
      metaChanged = false
      appended = []
    },
    shrink: () => {
      for (const table of tables) table.shrink(CACHED_MAX)
    },
    trim: () => {
      flush()
      trimByAge(sql, meta ?? FIRST_META)
    },
    meta: () => {
      meta ??= mapped(sql.meta.get(), metaOf) ?? FIRST_META
      return meta
    },
    putMeta: next => {
      meta = next
      metaChanged = true
    },
    balance: balances.get,
    putBalance: balances.put,
    dropBalance: balances.drop,
    record: records.get,
    putRecord: record => {
      const isFound = records.get(record.id)?.response === record.response
      if (record.response !== '' && !isFound) responses.put(record.response, record.id)
      records.put(record.id, record)
    },
    dropRecord: id => {
      const response = records.get(id)?.response ?? ''
      if (response !== '' && responses.get(response) === id) responses.drop(response)
      records.drop(id)
    },
    recordByResponse: response => {
      const id = responses.get(response)
      return id === null ? null : records.get(id)
    },
    putBeat: beats.put,
    dropHolders: beatBeforeMs => {
      for (const row of found<Row>(sql.idleHolders, beatBeforeMs)) beats.drop(text(row, 'holder'))
    },
    append: entry => void appended.push(entry),
    overdue: (deadlineBeforeMs, beatBeforeMs, count) =>
      found<Row>(sql.overdue, finite(deadlineBeforeMs), finite(beatBeforeMs), count).map(recordOf),
    collectable: (nowMs, count) => found<Row>(sql.collectable, nowMs, count).map(row => text(row, 'id')),
    outlived: (nowMs, count) => found<Row>(sql.outlived, nowMs, count).map(row => text(row, 'id') as ReservationId),
    balances: (prefix, after, count, nowMs) =>
      found<Row>(sql.balances, after, prefix, `${prefix}\u{10ffff}`, nowMs, nowMs, count).map(row => atTime(balanceOf(row), nowMs)),
    records: (open, after, count) => found<Row>(open ? sql.openRecords : sql.records, after, count).map(recordOf),
    entries: (afterSeq, count) => found<Row>(sql.entries, afterSeq, count).map(entryOf),
  }
}

function cachedTables(sql: Statements) {
  const balances = createTable<StoredBalance>({
    read: id => mapped(sql.balance.get(id), balanceOf),
    write: (id, balance) => void sql.putBalance.run(...balanceValues(id, balance)),
    drop: id => void sql.dropBalance.run(id),
  })
  const records = createTable<StoredRecord>({
    read: id => mapped(sql.record.get(id), recordOf),
    write: (_, record) => void sql.putRecord.run(...recordValues(record)),
    drop: id => void sql.dropRecord.run(id),
  })
  const responses = createTable<string>({
    read: response => mapped(sql.response.get(response), row => text(row, 'id')),
    write: (response, id) => void sql.putResponse.run(response, id),
    drop: response => void sql.dropResponse.run(response),
  })
  const beats = createTable<number>({
    read: id => mapped(sql.beat.get(id), row => int(row, 'beat_ms')),
    write: (holder, storeMs) => void sql.putBeat.run(holder, storeMs),
    drop: holder => void sql.dropBeat.run(holder),
  })
  return { balances, records, responses, beats }
}

const metaOf = (row: Row): Meta => ({
  markMs: int(row, 'mark_ms'),
  resumedMs: int(row, 'resumed_ms'),
  seq: int(row, 'seq'),
  contested: int(row, 'contested'),
  exportedSeq: row['exported_seq'] === null ? null : int(row, 'exported_seq'),
})

const mapped = <T>(row: Record<string, unknown> | undefined, of: (row: Row) => T): T | null => (row === undefined ? null : of(row as Row))

/** Infinities as numbers that SQLite compares as integers. */
const finite = (ms: number): number => Math.min(Math.max(ms, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER)

/** Deletes entries of 35 days ago, twice that where the exporter has not read them, in strides from the oldest: numbers go with time. */
function trimByAge(sql: Statements, { markMs, exportedSeq }: Meta): void {
  const isOld = (row: Row): boolean => {
    const ageMs = markMs - int(row, 'store_ms')
    const isRead = exportedSeq === null || int(row, 'seq') <= exportedSeq
    return ageMs > (isRead ? ENTRIES_KEPT_MS : 2 * ENTRIES_KEPT_MS)
  }
  for (let trimmed = 0; trimmed < TRIMMED_AT_ONCE; trimmed += 1_000) {
    const oldest = sql.oldest.all() as Row[]
    const last = oldest.filter(isOld).at(-1)
    if (last === undefined) return
    sql.trimTo.run(int(last, 'seq'))
    if (last !== oldest.at(-1)) return
  }
}

type Statements = ReturnType<typeof prepare>

function prepare(database: DatabaseSync): Record<StatementName, StatementSync> {
  const prepared = Object.entries(SQL).map(([name, source]) => [name, database.prepare(source)])
  return Object.fromEntries(prepared) as Record<StatementName, StatementSync>
}

type StatementName = keyof typeof SQL
// Closed records outnumber open ones by far: what looks for open ones must never walk them all.
const SQL = {
  meta: 'SELECT * FROM meta',
  putMeta: 'INSERT OR REPLACE INTO meta VALUES (1, ?, ?, ?, ?, ?)',
  balance: 'SELECT * FROM balances WHERE id = ?',
  putBalance: 'INSERT OR REPLACE INTO balances VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  dropBalance: 'DELETE FROM balances WHERE id = ?',
  record: 'SELECT * FROM records WHERE id = ?',
  putRecord: 'INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  dropRecord: 'DELETE FROM records WHERE id = ?',
  response: 'SELECT id FROM responses WHERE response = ?',
  putResponse: 'INSERT OR REPLACE INTO responses VALUES (?, ?)',
  dropResponse: 'DELETE FROM responses WHERE response = ?',
  beat: 'SELECT beat_ms FROM holders WHERE holder = ?',
  putBeat: 'INSERT OR REPLACE INTO holders VALUES (?, ?)',
  dropBeat: 'DELETE FROM holders WHERE holder = ?',
  idleHolders: `SELECT holder FROM holders WHERE beat_ms < ?
    AND holder NOT IN (SELECT holder FROM records INDEXED BY records_open WHERE state = 'open')`,
  append: 'INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)',
  trimTo: 'DELETE FROM entries WHERE seq <= ?',
  oldest: 'SELECT seq, store_ms FROM entries ORDER BY seq LIMIT 1000',
  overdue: `SELECT * FROM records INDEXED BY records_open WHERE state = 'open' AND (deadline_ms < ?
    OR holder IN (SELECT h.holder FROM holders h WHERE h.beat_ms < ?)) ORDER BY id LIMIT ?`,
  collectable: 'SELECT id FROM balances INDEXED BY balances_collectable WHERE collectable_ms <= ? ORDER BY id LIMIT ?',
  outlived: 'SELECT id FROM records WHERE outlived_ms < ? ORDER BY outlived_ms LIMIT ?',
  balances: `SELECT * FROM balances WHERE id > ? AND id >= ? AND id < ?
    AND (window_kind <> 'calendar' OR (window_a <= ? AND ? < window_b)) ORDER BY id LIMIT ?`,
  openRecords: "SELECT * FROM records INDEXED BY records_open WHERE state = 'open' AND id > ? ORDER BY id LIMIT ?",
  records: 'SELECT * FROM records WHERE id > ? ORDER BY id LIMIT ?',
  entries: 'SELECT * FROM entries WHERE seq > ? ORDER BY seq LIMIT ?',
} as const
