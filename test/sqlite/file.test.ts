// What only a ledger in a file can do: be opened again, be locked, fill up, be damaged or another's, grow old.
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, expect, it } from 'vitest'
import type { ReserveMove } from '../../src/core/reservation.ts'
import { openSqliteLedger } from '../../src/sqlite/ledger.ts'
import { testClock } from '../contract/clock.ts'
import {
  DAY,
  holder,
  IN_FLIGHT,
  line,
  MINUTE,
  mintId,
  observeMove,
  releaseMove,
  reserveMove,
  SECOND,
  settleMove,
  sliding,
} from '../contract/moves.ts'

const folder = mkdtempSync(join(tmpdir(), 'purser-sqlite-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let files = 0
const newFile = (): string => {
  files += 1
  return join(folder, `${files}.db`)
}

it('expires at once what an earlier run left open, and takes its proof late', async () => {
  const file = newFile()
  const clock = testClock()
  const lines = [line('a', 100n), line('f', 1n, { window: IN_FLIGHT }), line('s', 5n, { window: sliding(MINUTE) })]
  const first = await openSqliteLedger({ file, clock })
  const moves = Array.from({ length: 3 }, () => reserveMove(clock.wallMs(), lines))
  for (const move of moves) expect(await first.reserve(move)).toMatchObject({ kind: 'reserved' })
  const [seen] = moves
  if (seen === undefined) throw new Error('three were reserved')
  expect(await first.observe(observeMove(seen.holder, [seen, [150n, 1n, 4n]]))).toMatchObject({ observed: 1 })
  await first.close()
  clock.advance(SECOND)

  const second = await openSqliteLedger({ file, clock })
  expect(await second.reservations({ open: true, cursor: '', count: 10 })).toMatchObject({ value: { reservations: [] } })
  expect(await second.read(lines)).toMatchObject({
    value: [
      { reserved: 0n, spent: 350n, suspense: 350n },
      { reserved: 0n, spent: 0n },
      { reserved: 0n, spent: 15n, suspense: 15n },
    ],
  })
  const entries = await second.entries({ afterSeq: 3, count: 10 })
  expect(entries.kind === 'read' && entries.value.map(({ what, how, seq }) => [what, how, seq])).toEqual([
    ['expired', 'restart', 4],
    ['expired', 'restart', 5],
    ['expired', 'restart', 6],
  ])
  const [move] = moves
  if (move === undefined) throw new Error('three were reserved')
  expect(await second.settle(settleMove(move, lines, [10n, 0n, 1n]))).toMatchObject({ kind: 'settled-late' })
  await second.close()
})

it('keeps its mark over a restart: store time never runs backwards', async () => {
  const file = newFile()
  const clock = testClock()
  const first = await openSqliteLedger({ file, clock })
  await first.reserve(reserveMove(clock.wallMs(), [line('a', 1n)]))
  await first.close()
  clock.advance(-2 * MINUTE)
  const second = await openSqliteLedger({ file, clock })
  expect(await second.reserve(reserveMove(clock.wallMs(), [line('a', 1n)]))).toMatchObject({ kind: 'clock-skew' })
  expect(await second.read([line('a', 0n)])).toMatchObject({ value: [{ spent: 1n, suspense: 1n }] })
  await second.close()
})

it('lets one process have the file: the next waits, then fails naming it, or gets it when it is free', async () => {
  const file = newFile()
  const clock = testClock()
  const first = await openSqliteLedger({ file, clock })
  await expect(openSqliteLedger({ file, clock, lockWaitMs: 100 })).rejects.toThrow(`${file}.lock was not free within 0.1 s`)
  const second = openSqliteLedger({ file, clock, lockWaitMs: 20_000 })
  await first.close()
  const ledger = await second
  expect(await ledger.beat(holder(1))).toMatchObject({ kind: 'beating' })
  await ledger.close()
})

it('admits nothing on a full disk, answers unavailable, and has what it acknowledged', async () => {
  const file = newFile()
  const clock = testClock()
  const ledger = await openSqliteLedger({ file, clock, pagesMax: 60 })
  const of = line('a', 1n, { limit: 10n ** 18n })
  let admitted = 0n
  let last: Awaited<ReturnType<typeof ledger.reserve>> = { kind: 'unavailable', why: 'never asked' }
  for (let round = 0; round < 10_000; round += 1) {
    last = await ledger.reserve(reserveMove(clock.wallMs(), [of]))
    if (last.kind !== 'reserved') break
    admitted += 1n
  }
  expect(admitted).toBeGreaterThan(100n)
  expect(last).toEqual({ kind: 'unavailable', why: expect.stringMatching(/full/) })
  const batch = await Promise.all(Array.from({ length: 20 }, () => ledger.reserve(reserveMove(clock.wallMs(), [of]))))
  expect(new Set(batch.map(outcome => outcome.kind))).toEqual(new Set(['unavailable']))
  expect(await ledger.read([of])).toMatchObject({ kind: 'read', value: [{ reserved: admitted }] })
  await ledger.close()

  const roomy = await openSqliteLedger({ file, clock })
  expect(await roomy.read([of])).toMatchObject({ value: [{ reserved: 0n, spent: admitted, suspense: admitted }] })
  expect(await roomy.reserve(reserveMove(clock.wallMs(), [of]))).toMatchObject({ kind: 'reserved' })
  await roomy.close()
})

it('does on a full disk what it acknowledges, and nothing else', async () => {
  const file = newFile()
  const clock = testClock()
  const ledger = await openSqliteLedger({ file, clock, pagesMax: 60 })
  const lines = [line('m', 5n, { unit: 'USD', limit: 10n ** 18n, floor: 0n })]
  const open: ReserveMove[] = []
  for (;;) {
    const move = reserveMove(clock.wallMs(), lines)
    if ((await ledger.reserve(move)).kind !== 'reserved') break
    open.push(move)
  }
  const settled = new Set<string>()
  for (const move of open) {
    const outcome = await ledger.settle(settleMove(move, lines, [2n]))
    if (outcome.kind === 'settled') settled.add(move.id)
    else expect(outcome).toMatchObject({ kind: 'unavailable', why: expect.stringMatching(/full/) })
  }
  expect(settled.size).toBeLessThan(open.length)
  const left = open.filter(move => !settled.has(move.id))
  const [released, other] = [left[0], left[1]]
  if (released === undefined || other === undefined) throw new Error('the disk was full')
  const kinds = [
    (await ledger.release(releaseMove(released, lines))).kind,
    (await ledger.settle({ ...settleMove({ id: mintId(clock.wallMs()), holder: holder(2) }, lines, [1_000n]), arrears: true })).kind,
    (await ledger.sweep()).kind,
  ]
  expect(new Set(kinds)).toEqual(new Set(['unavailable', 'swept']))
  await ledger.close()

  // Nobody can open it while the disk is full: what is open could not be expired.
  await expect(openSqliteLedger({ file, clock, pagesMax: 60 })).rejects.toThrow(
    `the ledger ${file} cannot be written: database or disk is full`,
  )
  const roomy = await openSqliteLedger({ file, clock })
  expect(await roomy.read(lines)).toMatchObject({ value: [{ reserved: 0n, spent: 2n * BigInt(settled.size), suspense: 0n }] })
  await roomy.close()
})

it('takes no file for its own that is not, whatever its schema says, and leaves it as it was', async () => {
  const clock = testClock()
  const own = newFile()
  await (await openSqliteLedger({ file: own, clock })).close()
  const foreign: [string, string][] = [
    [newFile(), 'CREATE TABLE notes (text TEXT)'],
    [newFile(), 'CREATE TABLE notes (text TEXT); PRAGMA user_version = 1'],
    [newFile(), 'PRAGMA user_version = 1'],
    [newFile(), 'PRAGMA user_version = -1'],
    [newFile(), 'ALTER TABLE meta ADD COLUMN more INTEGER'],
    [newFile(), 'DROP INDEX records_outlived'],
    [newFile(), 'ALTER TABLE records RENAME COLUMN response TO answer'],
  ]
  for (const [file, change] of foreign) {
    if (/ALTER|DROP/.test(change)) copyFileSync(own, file)
    const database = new DatabaseSync(file)
    database.exec(change)
    database.close()
    const before = readFileSync(file)
    await expect(openSqliteLedger({ file, clock }), change).rejects.toThrow(
      `the ledger ${file} cannot be opened: its tables are not those of a ledger of this Purser`,
    )
    expect(readFileSync(file).equals(before), change).toBe(true)
  }
  const ledger = await openSqliteLedger({ file: own, clock })
  expect(await ledger.beat(holder(1))).toMatchObject({ kind: 'beating' })
  await ledger.close()
})

it('refuses a damaged file, a newer schema, and a folder that is not there, each by name', async () => {
  const clock = testClock()
  const damaged = newFile()
  writeFileSync(damaged, 'not a database at all, but long enough to be looked at as one'.repeat(100))
  await expect(openSqliteLedger({ file: damaged, clock })).rejects.toThrow(`the ledger ${damaged} cannot be opened: file is not a database`)
  const newer = newFile()
  const database = new DatabaseSync(newer)
  database.exec('PRAGMA user_version = 99')
  database.close()
  await expect(openSqliteLedger({ file: newer, clock })).rejects.toThrow('written by a newer Purser (schema 99')
  const nowhere = join(folder, 'no', 'such', 'folder.db')
  await expect(openSqliteLedger({ file: nowhere, clock })).rejects.toThrow(`the ledger ${nowhere} cannot be locked`)
  // A failed opening lets go of the lock.
  await expect(openSqliteLedger({ file: newer, clock, lockWaitMs: 50 })).rejects.toThrow('schema 99')
})

it('keeps a programmer error to the move that made it', async () => {
  const clock = testClock()
  const ledger = await openSqliteLedger({ file: newFile(), clock })
  const good = reserveMove(clock.wallMs(), [line('a', 1n)])
  const bad = { ...releaseMove(good, []), id: 'no id' as typeof good.id }
  const [before, threw, after] = await Promise.allSettled([ledger.reserve(good), ledger.release(bad), ledger.reserve(good)])
  expect(before).toMatchObject({ value: { kind: 'reserved' } })
  expect(threw).toMatchObject({ status: 'rejected', reason: { message: expect.stringContaining('32 hex digits') } })
  expect(after).toMatchObject({ value: { kind: 'exists', open: true } })
  await ledger.close()
})

it('finishes what it was asked before it closes, and is unavailable afterwards', async () => {
  const clock = testClock()
  const file = newFile()
  const ledger = await openSqliteLedger({ file, clock })
  const asked = Array.from({ length: 700 }, () => ledger.reserve(reserveMove(clock.wallMs(), [line('a', 1n)])))
  await Promise.all([ledger.close(), ledger.close()])
  expect((await Promise.all(asked)).filter(outcome => outcome.kind === 'reserved')).toHaveLength(700)
  expect(await ledger.reserve(reserveMove(clock.wallMs(), [line('a', 1n)]))).toEqual({ kind: 'unavailable', why: 'the ledger is closed' })
  await ledger.close()
})

it('packs reservations of the usual four lines, so that none takes a page of its own', async () => {
  const file = newFile()
  const clock = testClock()
  const ledger = await openSqliteLedger({ file, clock, streamMax: 1 })
  const lines = ['organisation', 'team', 'key', 'user'].map(name => line(name, 1n, { limit: 10n ** 15n, unit: 'USD' }))
  await Promise.all(Array.from({ length: 1_000 }, () => ledger.reserve(reserveMove(clock.wallMs(), lines))))
  await ledger.close()
  expect(statSync(file).size / 1_000).toBeLessThan(2_048)
})

it('keeps its stream for 35 days', async () => {
  const clock = testClock()
  const ledger = await openSqliteLedger({ file: newFile(), clock })
  const seqs = async (): Promise<number[]> => {
    const read = await ledger.entries({ afterSeq: 0, count: 1_000 })
    return read.kind === 'read' ? read.value.map(entry => entry.seq) : []
  }
  const spend = async (): Promise<void> => {
    const move = reserveMove(clock.wallMs(), [line('a', 1n)])
    await ledger.reserve(move)
    await ledger.settle(settleMove(move, [line('a', 1n)], [1n]))
  }
  for (let round = 0; round < 3; round += 1) await spend()
  clock.advance(20 * DAY)
  await spend()
  clock.advance(14 * DAY)
  await ledger.sweep()
  expect(await seqs()).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  clock.advance(2 * DAY)
  await ledger.sweep()
  expect(await seqs()).toEqual([7, 8])
  expect(await ledger.read([line('a', 0n)])).toMatchObject({ value: [{ spent: 4n }] })
  await ledger.close()
})

it('keeps what its exporter has not read for 35 days more, then cuts it and counts it', async () => {
  const clock = testClock()
  const ledger = await openSqliteLedger({ file: newFile(), clock })
  for (let round = 0; round < 4; round += 1) await ledger.reserve(reserveMove(clock.wallMs(), [line('a', 1n)]))
  await ledger.acknowledge(2)
  const firstSeq = async (): Promise<number | undefined> => {
    const read = await ledger.entries({ afterSeq: 0, count: 1 })
    return read.kind === 'read' ? read.value[0]?.seq : undefined
  }
  for (const [days, first, unexported] of [
    [34, 1, 0],
    [2, 3, 0],
    [33, 3, 0],
    [2, 5, 2],
  ] as const) {
    clock.advance(days * DAY)
    // The first sweep cuts, the second sees what is left.
    await ledger.sweep()
    expect(await ledger.sweep()).toMatchObject({ kind: 'swept', unexported })
    expect(await firstSeq(), `after ${days} more days`).toBe(first)
  }
  await ledger.close()
})
