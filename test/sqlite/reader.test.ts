// What only a reader beside the serving process can get wrong: to wait for it, to hold it up, to write, to read what is half done.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, expect, it } from 'vitest'
import { openSqliteLedger } from '../../src/sqlite/ledger.ts'
import { openSqliteReader } from '../../src/sqlite/reader.ts'
import { systemClock } from '../../src/system.ts'
import { told, verify } from '../cli/proving.ts'
import { testClock } from '../contract/clock.ts'
import { Honest } from '../contract/honest.ts'
import { line, reserveMove } from '../contract/moves.ts'

const SEED = Math.floor(Math.random() * 2 ** 31)
const folder = mkdtempSync(join(tmpdir(), 'purser-reader-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('answers what the ledger itself answers, while that goes on, and sees each change', async () => {
  const [file, clock] = [join(folder, 'same.db'), testClock()]
  const ledger = await openSqliteLedger({ file, clock })
  const reader = openSqliteReader({ file, clock })
  const play = new Honest(ledger, clock.wallMs, clock.advance, SEED)
  for (let round = 0; round < 10; round += 1) {
    await play.turns(30)
    const query = { cursor: '', count: 1_000 }
    const asked = await ledger.list({ prefix: '', ...query })
    expect(await reader.list({ prefix: '', ...query }), `seed ${SEED}`).toEqual(asked)
    expect(await reader.reservations({ open: false, ...query })).toEqual(await ledger.reservations({ open: false, ...query }))
    expect(await reader.entries({ afterSeq: 7, count: 90 })).toEqual(await ledger.entries({ afterSeq: 7, count: 90 }))
    const budgets = asked.kind === 'read' ? asked.value.budgets : []
    expect(await reader.read(budgets)).toEqual(await ledger.read(budgets))
  }
  await reader.close()
  await ledger.close()
})

it('proves a ledger while it is written to', async () => {
  const file = join(folder, 'live.db')
  const ledger = await openSqliteLedger({ file, clock: systemClock })
  const reader = openSqliteReader({ file, clock: systemClock })
  let writing = true
  const plays = [0, 1, 2, 3].map(each => new Honest(ledger, systemClock.wallMs, () => {}, SEED + each))
  const writers = plays.map(async play => {
    while (writing) await play.turn()
  })
  try {
    const [seqs, deadline] = [new Set<number>(), performance.now() + 60_000]
    while (seqs.size < 5 && performance.now() < deadline) {
      const verified = await verify(reader)
      expect(verified.kind === 'different' ? verified.difference.words : verified.kind, `seed ${SEED}`).toBe('proven')
      if (verified.kind === 'proven') seqs.add(verified.proof.lastSeq)
    }
    expect(seqs.size, 'the ledger moved between the proofs').toBe(5)
  } finally {
    writing = false
    await Promise.all(writers)
  }
  expect(await told(reader)).toBe('proven')
  await reader.close()
  await ledger.close()
}, 90_000)

it('needs no process beside it, and takes no lock', async () => {
  const [file, clock] = [join(folder, 'alone.db'), testClock()]
  const first = await openSqliteLedger({ file, clock })
  await first.reserve(reserveMove(clock.wallMs(), [line('a', 1n)]))
  await first.close()
  const reader = openSqliteReader({ file, clock })
  expect(await reader.reservations({ open: true, cursor: '', count: 10 })).toMatchObject({ value: { reservations: [{ state: 'open' }] } })
  const second = await openSqliteLedger({ file, clock, lockWaitMs: 1_000 })
  expect(await reader.reservations({ open: true, cursor: '', count: 10 })).toMatchObject({ value: { reservations: [] } })
  await second.close()
  await reader.close()
})

it('names a file that it cannot read, and makes none', () => {
  const clock = testClock()
  const absent = join(folder, 'absent.db')
  expect(() => openSqliteReader({ file: absent, clock })).toThrow(`the ledger ${absent} cannot be read: unable to open database file`)
  expect(existsSync(absent)).toBe(false)
  const other = join(folder, 'other.db')
  writeFileSync(other, 'not a database at all, but long enough to be looked at as one'.repeat(100))
  expect(() => openSqliteReader({ file: other, clock })).toThrow(`the ledger ${other} cannot be read: file is not a database`)
  const empty = join(folder, 'empty.db')
  writeFileSync(empty, '')
  expect(() => openSqliteReader({ file: empty, clock })).toThrow(`the ledger ${empty} cannot be read: there is no ledger in it`)
  const database = new DatabaseSync(empty)
  database.exec('CREATE TABLE t (a)')
  expect(() => openSqliteReader({ file: empty, clock })).toThrow('its tables are not those of a ledger')
  database.exec('PRAGMA user_version = 99')
  database.close()
  expect(() => openSqliteReader({ file: empty, clock })).toThrow('written by a newer Purser (schema 99')
})
