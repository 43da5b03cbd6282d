// The SQLite shelf: what is written is read back from the file to the last field, and forgotten where it was undone.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { balanceId, type StoredBalance } from '../../src/core/balance.ts'
import type { Balance, Holder, Line, ReservationId, ReservationState } from '../../src/core/reservation.ts'
import type { Entry, StoredRecord } from '../../src/core/shelf.ts'
import { openTables } from '../../src/sqlite/schema.ts'
import { createSqliteShelf, type SqliteShelf } from '../../src/sqlite/shelf.ts'
import { AMOUNT_TOP, hourOf, IN_FLIGHT, key, LIFETIME, LIMIT_TOP, line, sliding } from '../contract/moves.ts'

let folder: string
let shelf: SqliteShelf
let close: () => void
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'purser-shelf-'))
  const database = openTables(join(folder, 'ledger.db'), null)
  shelf = createSqliteShelf(database, null)
  close = () => database.close()
})
afterAll(() => {
  close()
  rmSync(folder, { recursive: true, force: true })
})

const ms = fc.integer({ min: 0, max: 2 ** 48 - 1 })
const amount = fc.oneof(fc.constantFrom(0n, 1n, AMOUNT_TOP), fc.bigInt(0n, AMOUNT_TOP))
const figure = fc.oneof(fc.constantFrom(0n, LIMIT_TOP, 2n ** 62n), fc.bigInt(0n, 2n ** 62n))
const hexId = fc.array(fc.constantFrom(...'0123456789abcdef'), { minLength: 32, maxLength: 32 }).map(digits => digits.join(''))
const window = fc.oneof(
  fc.constant(LIFETIME),
  fc.constant(IN_FLIGHT),
  fc.integer({ min: 1_000, max: 10 ** 8 }).map(sliding),
  ms.map(hourOf),
)
const budget = fc
  .tuple(window, fc.string({ unit: 'grapheme' }))
  .map(([window, partition]) => ({ window, key: key('l', window, [partition]) }))
const limitVersion = fc.record({ createdMs: ms, generation: fc.nat(), grantMs: ms })
const reserved: fc.Arbitrary<Line> = fc
  .tuple(budget, amount, figure, limitVersion, fc.boolean())
  .map(([{ key, window }, amount, limit, version, hard]) => line('l', amount, { key, window, limit, version, hard }))

const storedBalance: fc.Arbitrary<StoredBalance> = fc
  .tuple(budget, limitVersion, fc.array(figure, { minLength: 5, maxLength: 5 }), ms, fc.uniqueArray(fc.nat(), { maxLength: 61 }), amount)
  .map(([{ key, window }, version, [limit, reserved, spent, suspense, overrun], presentedMs, indices, each]) => ({
    key,
    window,
    limit: limit ?? 0n,
    version,
    presentedMs,
    reserved: reserved ?? 0n,
    spent: spent ?? 0n,
    suspense: suspense ?? 0n,
    overrun: overrun ?? 0n,
    buckets:
      window.kind === 'sliding'
        ? indices.sort((a, b) => a - b).map(index => ({ index, reserved: each, spent: each + 1n, suspense: each }))
        : [],
  }))

const states: ReservationState[] = ['open', 'settled-proven', 'settled-unproven', 'expired', 'released', 'tombstone']
const storedRecord: fc.Arbitrary<StoredRecord> = fc.record({
  id: hexId.map(id => id as ReservationId),
  holder: hexId.map(id => id as Holder),
  state: fc.constantFrom(...states),
  admittedMs: ms,
  deadlineMs: ms,
  alternative: fc.nat({ max: 3 }),
  lines: fc.array(reserved, { maxLength: 4 }),
  charged: fc.array(amount, { maxLength: 4 }),
  raised: fc.boolean(),
  priceBook: fc.string({ unit: 'grapheme' }),
  adjustId: fc.constantFrom('', 'f'.repeat(32)),
  response: fc.constantFrom('', 'e'.repeat(64)),
  arrears: fc.boolean(),
  closedMs: fc.option(ms),
})

it('keeps balances to the unit', () => {
  fc.assert(
    fc.property(storedBalance, balance => {
      const id = balanceId(balance.key, balance.window)
      shelf.putBalance(id, balance)
      shelf.flush()
      shelf.forget()
      expect(shelf.balance(id)).toEqual(balance)
      shelf.dropBalance(id)
      shelf.flush()
      shelf.forget()
      expect(shelf.balance(id)).toBeNull()
    }),
  )
})

it('keeps records to the last field', () => {
  fc.assert(
    fc.property(storedRecord, record => {
      shelf.putRecord(record)
      shelf.flush()
      shelf.forget()
      expect(shelf.record(record.id)).toEqual(record)
      expect(shelf.records(record.state === 'open', '', 10)).toEqual([record])
      shelf.dropRecord(record.id)
      shelf.flush()
      shelf.forget()
      expect(shelf.record(record.id)).toBeNull()
    }),
  )
})

it('keeps entries, with balances below 0 and words that look like numbers', () => {
  let seq = 0
  fc.assert(
    fc.property(
      fc.array(reserved, { maxLength: 4 }),
      fc.bigInt(-(2n ** 62n), 2n ** 62n),
      fc.string({ unit: 'grapheme' }),
      (lines, available, how) => {
        seq += 1
        const balance: Balance = { limit: 1n, available, reserved: 0n, spent: 1n - available, suspense: 0n, overrun: 0n }
        const moved = { reserved: -1n, spent: -available, suspense: 0n, overrun: 2n }
        const told = lines.map(({ key, window, amount, hard }) => ({ key, window, amount, hard, moved, balance }))
        const entry: Entry = { seq, storeMs: seq, what: 'settled-over', id: '12n', how, admittedMs: seq - 1, lines: told }
        shelf.append(entry)
        shelf.flush()
        expect(shelf.entries(seq - 1, 1)).toEqual([entry])
      },
    ),
  )
})

it('forgets what was not flushed', () => {
  const balance = fc.sample(storedBalance, 1)[0]
  if (balance === undefined) throw new Error('one was sampled')
  const id = balanceId(balance.key, balance.window)
  const meta = shelf.meta()
  shelf.putBalance(id, balance)
  shelf.putMeta({ ...meta, seq: meta.seq + 100, markMs: 5 })
  shelf.forget()
  expect(shelf.balance(id)).toBeNull()
  expect(shelf.meta()).toEqual(meta)
  for (const exportedSeq of [null, 0, 2 ** 50]) {
    const kept = { markMs: 2 ** 48, resumedMs: 7, seq: 2 ** 50, contested: 3, exportedSeq }
    shelf.putMeta(kept)
    shelf.flush()
    shelf.forget()
    expect(shelf.meta()).toEqual(kept)
  }
})
