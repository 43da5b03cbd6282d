// The contract of the stream's reader: what an entry says of a move, and how long entries wait for the one who exports them.
import { expect, it } from 'vitest'
import { Auditor } from './auditor.ts'
import {
  adjustMove,
  HOUR,
  holder,
  hourOf,
  IN_FLIGHT,
  line,
  type MakeLedger,
  mintId,
  releaseMove,
  SECOND,
  settleMove,
  sliding,
  version,
} from './moves.ts'
import { type Scene, scene } from './scene.ts'

const BOUND = 300
/** Redis cuts in strides of whole nodes: so much may stay longer than the bound says. */
const STRIDE = 200

export function exportingContract(make: MakeLedger): void {
  it('says in each entry what moved: who reads the stream alone knows every balance', () =>
    scene(make, async at => {
      const lines = [
        line('m', 100n, { unit: 'USD' }),
        line('h', 10n, { window: hourOf(await at.now()), hard: false }),
        line('f', 1n, { window: IN_FLIGHT, limit: 50n }),
        line('s', 20n, { window: sliding(HOUR) }),
      ]
      await everyKind(at, lines)
      const told = await at.entries()
      const kinds = ['reserved', 'settled', 'settled-over', 'settled-late', 'raised', 'reasserted', 'released', 'tombstoned', 'expired']
      expect([...new Set(told.map(entry => entry.what))].sort()).toEqual([...kinds, 'adjusted', 'arrears', 'collected', 'presented'].sort())
      const auditor = new Auditor()
      auditor.take(told)
      auditor.hold(await Promise.all(auditor.balances().map(each => at.balance(each))), await at.now())
      const admitted = new Map<string, number>()
      for (const entry of told) {
        if (entry.what === 'reserved') admitted.set(entry.id, entry.storeMs)
        if (admitted.has(entry.id)) expect(entry.admittedMs).toBe(admitted.get(entry.id))
        if (entry.what !== 'collected') for (const each of entry.lines) expect(each.hard).toBe(lines.find(of => of.key === each.key)?.hard)
      }
    }))

  it('dates a charge that came without its reserve by its id', () =>
    scene(make, async at => {
      const lost = { id: mintId((await at.now()) - HOUR), holder: holder(2) }
      await at.ledger.settle(settleMove(lost, [line('a', 1n)], [1n]))
      expect((await at.entries())[0]).toMatchObject({ what: 'reasserted', admittedMs: Number.parseInt(lost.id.slice(0, 12), 16) })
    }))

  it('reads with the number of the last entry', () =>
    scene(make, async ({ ledger, admit }) => {
      for (let seq = 1; seq <= 3; seq += 1) {
        await admit([line('a', 1n)])
        for (const read of [
          await ledger.read([line('a', 0n)]),
          await ledger.list({ prefix: '', cursor: '', count: 10 }),
          await ledger.reservations({ open: true, cursor: '', count: 10 }),
          await ledger.entries({ afterSeq: 0, count: 1 }),
          await ledger.findByResponse('e'.repeat(64)),
          await ledger.find(mintId(0)),
        ])
          expect(read).toMatchObject({ kind: 'read', seq, storeMs: expect.any(Number) })
      }
    }))

  it('keeps what the exporter has not read beyond the bound, up to twice as much, then counts what it cut', () =>
    scene(
      make,
      async at => {
        expect(await at.ledger.acknowledge(0)).toEqual({ kind: 'acknowledged', seq: 0, storeMs: expect.any(Number) })
        await write(at, 580)
        expect(await kept(at)).toEqual(numbers(1, 580))
        expect(await unexported(at)).toBe(0)
        await write(at, 720)
        const seqs = await kept(at)
        expect(seqs).toEqual(numbers(seqs[0] ?? 0, 1_300))
        expect(seqs.length).toBeGreaterThanOrEqual(2 * BOUND)
        expect(seqs.length).toBeLessThanOrEqual(2 * BOUND + STRIDE)
        // What it still can read is not lost: the count is of what was cut before it was read, and of nothing else.
        expect(await unexported(at)).toBe((seqs[0] ?? 0) - 1)
        expect(await at.ledger.acknowledge(1_300)).toMatchObject({ kind: 'acknowledged', seq: 1_300 })
        for (const behind of [0, 1_299]) expect(await at.ledger.acknowledge(behind)).toMatchObject({ seq: 1_300 })
        expect(await at.ledger.acknowledge(5_000)).toMatchObject({ seq: 1_300 })
        expect(await unexported(at)).toBe(0)
        await write(at, 350)
        expect(await kept(at)).toEqual(expect.arrayContaining(numbers(1_301, 1_650)))
        expect(await unexported(at)).toBe(0)
      },
      BOUND,
    ))

  it('cuts at the bound what the exporter has read, and never forgets how far that was', () =>
    scene(
      make,
      async at => {
        await at.ledger.acknowledge(0)
        await write(at, 800)
        await at.ledger.acknowledge(800)
        await write(at, 100)
        expect((await kept(at)).length).toBeLessThanOrEqual(BOUND + STRIDE)
        // Neither a word of the future nor an older one is believed.
        await at.ledger.acknowledge(1_000_000)
        await at.ledger.acknowledge(1)
        expect(await unexported(at)).toBe(0)
        await write(at, 700)
        const seqs = await kept(at)
        expect(seqs).toEqual(numbers(seqs[0] ?? 0, 1_600))
        expect(seqs[0]).toBeLessThanOrEqual(1_001)
        expect(await unexported(at)).toBe((seqs[0] ?? 0) - 1 - 900)
      },
      BOUND,
    ))

  it('brings back nothing that was cut before an exporter came', () =>
    scene(
      make,
      async at => {
        await write(at, 700)
        const seqs = await kept(at)
        expect(seqs.length).toBeLessThanOrEqual(BOUND + STRIDE)
        expect(await unexported(at)).toBe(0)
        await at.ledger.acknowledge(0)
        expect(await kept(at)).toEqual(seqs)
        expect(await unexported(at)).toBe((seqs[0] ?? 0) - 1)
        await write(at, 2)
        expect(await kept(at)).toEqual(numbers(seqs[0] ?? 0, 702))
      },
      BOUND,
    ))
}

const kept = async ({ entries }: Scene): Promise<number[]> => (await entries()).map(entry => entry.seq)

const numbers = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, index) => first + index)

/** Writes so many entries, a pair a reservation. */
async function write({ ledger, admit }: Scene, entries: number): Promise<void> {
  const lines = [line('a', 1n, { limit: 1_000_000n })]
  const moves = await Promise.all(Array.from({ length: entries / 2 }, () => admit(lines)))
  await Promise.all(moves.map(move => ledger.settle(settleMove(move, lines, [1n]))))
}

async function unexported({ ledger }: Scene): Promise<number> {
  const swept = await ledger.sweep()
  return swept.kind === 'swept' ? swept.unexported : -1
}

/** Plays moves until every kind of entry is in the stream. */
async function everyKind({ ledger, admit, attempt, pass, now, sweepAll }: Scene, lines: readonly ReturnType<typeof line>[]): Promise<void> {
  const all = (percent: bigint) => lines.map(each => (each.amount * percent) / 100n)
  const short = { deadlineMs: (await now()) + 10 * SECOND }
  const [settled, over, released, expired] = [await admit(lines), await admit(lines), await admit(lines), await admit(lines, short)]
  await ledger.settle(settleMove(settled, lines, all(80n)))
  await ledger.settle(settleMove(over, lines, all(150n)))
  await ledger.release(releaseMove(released, lines))
  const unproven = await admit(lines)
  await ledger.settle(settleMove(unproven, lines, all(30n), false))
  await ledger.settle(settleMove(unproven, lines, all(60n), false))
  await ledger.settle(settleMove(unproven, lines, all(50n)))
  await ledger.settle(settleMove({ id: mintId(await now()), holder: holder(1) }, lines, all(10n)))
  await ledger.settle({ ...settleMove({ id: mintId(await now()), holder: holder(1) }, lines, all(10n), false), arrears: true })
  await ledger.release(releaseMove({ id: mintId(await now()), holder: holder(1) }, lines))
  await attempt(lines.map(each => ({ ...each, limit: 1n, version: version(2) })))
  await pass(12 * SECOND)
  await sweepAll()
  await ledger.adjust(adjustMove(expired, 40n))
}
