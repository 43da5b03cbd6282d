// Killed at any instant, inside a step or between two, a ledger in a file has all that it acknowledged, and no step by half.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'
import type { Ledger, LedgerEntry, ReservationRecord } from '../../src/ports.ts'
import { openSqliteLedger } from '../../src/sqlite/ledger.ts'
import { Auditor } from '../contract/auditor.ts'
import { DAY, holder, line, reserveMove, settleMove } from '../contract/moves.ts'

const ROUNDS = 8
const folder = mkdtempSync(join(tmpdir(), 'purser-kill-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const clockAt = (laterMs: number) => ({ wallMs: () => Date.now() + laterMs, monotonicMs: () => performance.now() })

/** Runs a victim on `file` until `isEnough` of what it said, then kills it `afterMs` later; answers all that it said. */
async function killed(file: string, work: readonly string[], isEnough: (said: readonly string[]) => boolean, afterMs: number) {
  const victim = spawn(process.execPath, [fileURLToPath(new URL('./victim.ts', import.meta.url)), file, ...work], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exit = once(victim, 'exit')
  const said: string[] = []
  let isDoomed = false
  for await (const each of createInterface({ input: victim.stdout })) {
    said.push(each)
    if (isDoomed || !isEnough(said)) continue
    isDoomed = true
    setTimeout(() => victim.kill('SIGKILL'), afterMs)
  }
  const [code, signal] = await exit
  expect([code, signal], said.slice(-3).join('\n')).toEqual([null, 'SIGKILL'])
  return said
}

async function all<T>(page: (last: T | undefined) => Promise<readonly T[]>): Promise<T[]> {
  const found: T[] = []
  for (;;) {
    const next = await page(found.at(-1))
    if (next.length === 0) return found
    found.push(...next)
  }
}

async function recordsOf(ledger: Ledger): Promise<ReadonlyMap<string, ReservationRecord>> {
  const records = await all<ReservationRecord>(async last => {
    const read = await ledger.reservations({ open: false, cursor: last?.id ?? '', count: 1_000 })
    return read.kind === 'read' ? read.value.reservations : []
  })
  return new Map(records.map(record => [record.id, record]))
}

const entriesOf = (ledger: Ledger, afterSeq: number): Promise<LedgerEntry[]> =>
  all<LedgerEntry>(async last => {
    const read = await ledger.entries({ afterSeq: last?.seq ?? afterSeq, count: 1_000 })
    return read.kind === 'read' ? read.value : []
  })

/** Whether the file is whole, by SQLite's own word. */
function expectWhole(file: string): void {
  const database = new DatabaseSync(file, { readOnly: true })
  expect(database.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
  database.close()
}

it.each([
  ['a stream that is kept', []],
  // Each round tells fewer entries than that, so the auditor misses none of them.
  ['a stream that is cut at every step', ['1500']],
])(
  'loses nothing that it acknowledged to a kill -9 at any instant, and does nothing by half: %s',
  async (name, bound) => {
    const file = join(folder, `${name.replaceAll(' ', '-')}.db`)
    const auditor = new Auditor()
    const told: string[] = []
    for (let round = 0; round < ROUNDS; round += 1) {
      const enough = 40 + Math.floor(Math.random() * 600)
      told.push(...(await killed(file, ['spend', ...bound], said => said.length > enough, Math.random() * 8)))
      expectWhole(file)
      const ledger = await openSqliteLedger({ file, clock: clockAt(0), lockWaitMs: 5_000 })
      auditor.take(await entriesOf(ledger, auditor.seq))
      const read = await ledger.read(auditor.balances())
      if (read.kind !== 'read') throw new Error(read.kind)
      expect(read.seq).toBe(auditor.seq)
      auditor.hold(read.value, read.storeMs)
      const records = await recordsOf(ledger)
      for (const said of told) {
        const [what, id = ''] = said.split(' ')
        if (what === 'reserved') expect(records.get(id)?.state, said).toMatch(/^(settled-proven|expired)$/)
        if (what === 'settled') expect(records.get(id)?.state, said).toBe('settled-proven')
      }
      const states = [...records.values()].map(record => record.state)
      const [proven, expired] = ['settled-proven', 'expired'].map(state => BigInt(states.filter(each => each === state).length))
      expect(states.filter(state => state !== 'settled-proven' && state !== 'expired')).toEqual([])
      const balance = (await ledger.read([line('a', 0n)])) as {
        readonly value: readonly { readonly spent: bigint; readonly suspense: bigint }[]
      }
      // Of the expired, some were observed beyond what they had reserved.
      const { spent = 0n, suspense = 0n } = balance.value[0] ?? {}
      expect(spent - suspense).toBe((proven ?? 0n) * 2n)
      expect(suspense >= (expired ?? 0n) * 3n && suspense <= (expired ?? 0n) * 4n).toBe(true)
      await ledger.close()
    }
    expect([...auditor.kinds].sort()).toEqual(['expired', 'reserved', 'settled'])
  },
  120_000,
)

it('cuts old entries whole or not at all, whenever it is killed meanwhile', async () => {
  const old = join(folder, 'old.db')
  const lines = [line('a', 1n, { limit: 10n ** 18n })]
  const first = await openSqliteLedger({ file: old, clock: clockAt(0) })
  const spend = async (): Promise<void> => {
    const move = reserveMove(Date.now(), lines)
    await first.reserve(move)
    await first.settle(settleMove(move, lines, [1n]))
  }
  await Promise.all(Array.from({ length: 3_000 }, spend))
  await first.close()

  for (let round = 0; round < ROUNDS; round += 1) {
    const file = join(folder, `old-${round}.db`)
    copyFileSync(old, file)
    await killed(file, ['sweep'], said => said.includes('ready'), Math.random() * 60)
    expectWhole(file)
    const ledger = await openSqliteLedger({ file, clock: clockAt(40 * DAY), lockWaitMs: 5_000 })
    const left = await entriesOf(ledger, 0)
    expect([6_000, 0]).toContain(left.length)
    expect(await ledger.read(lines)).toMatchObject({ seq: 6_000, value: [{ spent: 3_000n, reserved: 0n, suspense: 0n }] })
    await ledger.beat(holder(1))
    await ledger.sweep()
    expect(await entriesOf(ledger, 0)).toEqual([])
    const move = reserveMove(Date.now() + 40 * DAY, lines)
    expect(await ledger.reserve(move)).toMatchObject({ kind: 'reserved' })
    expect((await entriesOf(ledger, 0)).map(entry => entry.seq)).toEqual([6_001])
    await ledger.close()
  }
}, 120_000)

it('keeps the file from a second process until the first is killed, and gives it to the one that waits', async () => {
  const file = join(folder, 'locked.db')
  const first = Promise.withResolvers<void>()
  let isUp = false
  const victim = killed(
    file,
    ['spend'],
    said => {
      if (!isUp && said.length > 10) {
        isUp = true
        first.resolve()
      }
      return isRefused
    },
    0,
  )
  let isRefused = false
  await first.promise
  await expect(openSqliteLedger({ file, clock: clockAt(0), lockWaitMs: 100 })).rejects.toThrow(
    `the ledger ${file} is in use: ${file}.lock was not free within 0.1 s`,
  )
  const waiting = openSqliteLedger({ file, clock: clockAt(0), lockWaitMs: 30_000 })
  isRefused = true
  const acknowledged = (await victim).filter(said => said.startsWith('reserved ')).length
  const ledger = await waiting
  expect((await recordsOf(ledger)).size).toBeGreaterThanOrEqual(acknowledged)
  await ledger.close()
})
