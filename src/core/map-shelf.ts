// A shelf of maps: the whole state of a ledger in memory. Finds by looking at everything, which is right for a model and small ledgers.
import { atTime, collectableFromMs, type StoredBalance } from './balance.ts'
import { retentionMs } from './closing.ts'
import type { LedgerRules } from './ledger-rules.ts'
import type { Holder, ReservationId } from './reservation.ts'
import { type Entry, entriesKept, FIRST_META, type Meta, type Shelf, type StoredRecord } from './shelf.ts'

/** `streamMax`: how many entries are kept, the newest. */
export function createMapShelf(rules: LedgerRules, streamMax: number): Shelf {
  let meta: Meta = FIRST_META
  const balances = new Map<string, StoredBalance>()
  const records = new Map<ReservationId, StoredRecord>()
  const open = new Map<ReservationId, StoredRecord>()
  /** Closed records by how long they are kept, each in the order of their closing: the oldest are found without a search. */
  const closed = new Map<number, Map<ReservationId, number>>()
  const beats = new Map<Holder, number>()
  const byResponse = new Map<string, ReservationId>()
  const stream = createStream(streamMax)
  return {
    meta: () => meta,
    putMeta: next => {
      meta = next
    },
    balance: id => balances.get(id) ?? null,
    putBalance: (id, balance) => void balances.set(id, balance),
    dropBalance: id => void balances.delete(id),
    record: id => records.get(id) ?? null,
    putRecord: record => {
      const isFound = records.get(record.id)?.response === record.response
      if (record.response !== '' && !isFound) byResponse.set(record.response, record.id)
      records.set(record.id, record)
      open.delete(record.id)
      for (const kept of closed.values()) kept.delete(record.id)
      const keptMs = retentionMs(record, rules)
      if (keptMs === null || record.closedMs === null) open.set(record.id, record)
      else closed.set(keptMs, (closed.get(keptMs) ?? new Map()).set(record.id, record.closedMs + keptMs))
    },
    dropRecord: id => {
      const response = records.get(id)?.response ?? ''
      if (byResponse.get(response) === id) byResponse.delete(response)
      records.delete(id)
      for (const kept of closed.values()) kept.delete(id)
    },
    recordByResponse: response => {
      const id = byResponse.get(response)
      return (id === undefined ? null : records.get(id)) ?? null
    },
    putBeat: (holder, storeMs) => void beats.set(holder, storeMs),
    dropHolders: beatBeforeMs => {
      const holding = new Set([...open.values()].map(record => record.holder))
      for (const [holder, beatMs] of beats) if (beatMs < beatBeforeMs && !holding.has(holder)) beats.delete(holder)
    },
    append: entry => stream.append(entry, meta),
    overdue: (deadlineBeforeMs, beatBeforeMs, count) =>
      sorted(open)
        .filter(record => record.deadlineMs < deadlineBeforeMs || (beats.get(record.holder) ?? 0) < beatBeforeMs)
        .slice(0, count),
    collectable: (nowMs, count) =>
      [...balances]
        .filter(([, balance]) => {
          const fromMs = collectableFromMs(balance, rules)
          return fromMs !== null && fromMs <= nowMs
        })
        .map(([id]) => id)
        .sort()
        .slice(0, count),
    outlived: (nowMs, count) => [...closed.values()].flatMap(kept => firstBefore(kept, nowMs, count)).slice(0, count),
    balances: (prefix, after, count, nowMs) =>
      [...balances]
        .filter(([id, { window }]) => id.startsWith(prefix) && id > after && (window.kind !== 'calendar' || holds(window, nowMs)))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .slice(0, count)
        .map(([, balance]) => atTime(balance, nowMs)),
    records: (openOnly, after, count) =>
      sorted(openOnly ? open : records)
        .filter(record => record.id > after)
        .slice(0, count),
    entries: stream.entries,
  }
}

function createStream(bound: number): { append(entry: Entry, meta: Meta): void; entries: Shelf['entries'] } {
  let stream: Entry[] = []
  let firstSeq = 1
  return {
    append: (entry, meta) => {
      stream.push(entry)
      // What was cut stays cut, whatever an exporter says later.
      firstSeq = Math.max(firstSeq, entry.seq + 1 - entriesKept(meta, bound))
      // Moved in long strides: each entry once at most.
      if (stream.length > 2 * (entry.seq + 1 - firstSeq)) stream = stream.filter(({ seq }) => seq >= firstSeq)
    },
    entries: (afterSeq, count) => {
      const from = Math.max(firstSeq, afterSeq + 1) - (stream[0]?.seq ?? 1)
      return stream.slice(from, from + count)
    },
  }
}

const holds = (window: { readonly startMs: number; readonly endMs: number }, nowMs: number): boolean =>
  window.startMs <= nowMs && nowMs < window.endMs

const sorted = (records: ReadonlyMap<ReservationId, StoredRecord>): StoredRecord[] =>
  [...records.values()].sort((a, b) => (a.id < b.id ? -1 : 1))

/** The first ids of a map in ascending order of its times that are before `nowMs`. */
function firstBefore(times: ReadonlyMap<ReservationId, number>, nowMs: number, count: number): ReservationId[] {
  const found: ReservationId[] = []
  for (const [id, ms] of times) {
    if (ms >= nowMs || found.length >= count) break
    found.push(id)
  }
  return found
}
