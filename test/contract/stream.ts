// The contract of what can be seen: pages of balances and reservations, the stream of entries, and that races leave no trace in them.
import { expect, it } from 'vitest'
import { windowText } from '../../src/core/window.ts'
import { Auditor } from './auditor.ts'
import {
  adjustMove,
  HOUR,
  hourOf,
  IN_FLIGHT,
  key,
  LIFETIME,
  line,
  type MakeLedger,
  mintId,
  observeMove,
  releaseMove,
  reserveMove,
  SECOND,
  settleMove,
  sliding,
  version,
} from './moves.ts'
import { scene } from './scene.ts'

const tally = (outcomes: readonly { readonly kind: string }[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const { kind } of outcomes) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}

export function streamContract(make: MakeLedger): void {
  it('lists current balances by key, in pages, under a prefix', () =>
    scene(make, async ({ ledger, admit, advance, now }) => {
      const past = hourOf(await now())
      await admit([line('past', 1n, { window: past })])
      await advance(HOUR)
      const names = ['a', 'b', 'c', 'd', 'e']
      await admit(names.map(name => line(name, 1n)))
      await admit([
        line('h', 2n, { window: hourOf(await now()) }),
        line('s', 3n, { window: sliding(HOUR) }),
        line('f', 4n, { window: IN_FLIGHT }),
      ])
      const seen: string[] = []
      let cursor = ''
      for (let pages = 0; pages < 10; pages += 1) {
        const read = await ledger.list({ prefix: '', cursor, count: 3 })
        if (read.kind !== 'read') throw new Error(read.kind)
        seen.push(...read.value.budgets.map(budget => budget.key))
        if (read.value.next === null) break
        expect(read.value.budgets).toHaveLength(3)
        cursor = read.value.next
      }
      const windows = [hourOf(await now()), sliding(HOUR), IN_FLIGHT]
      const expected = [...names.map(name => key(name)), ...['h', 's', 'f'].map((name, index) => key(name, windows[index]))]
      expect(seen).toEqual(expected.sort())
      const one = await ledger.list({ prefix: key('c'), cursor: '', count: 10 })
      expect(one).toMatchObject({
        kind: 'read',
        value: { budgets: [{ key: key('c'), window: LIFETIME, balance: { reserved: 1n } }], next: null },
      })
    }))

  it('reads what slid out as gone, without writing', () =>
    scene(make, async ({ admit, pass, ledger, entries }) => {
      const window = sliding(10 * SECOND)
      await admit([line('s', 9n, { window })])
      await pass(12 * SECOND)
      expect(await ledger.list({ prefix: '', cursor: '', count: 10 })).toMatchObject({
        value: { budgets: [{ balance: { reserved: 0n, available: 1_000n } }] },
      })
      expect(await entries()).toHaveLength(1)
    }))

  it('pages reservations, and tells each with its lines', () =>
    scene(make, async ({ ledger, admit, reservations }) => {
      const lines = [line('a', 3n, { version: version(4, 9) }), line('s', 1n, { window: sliding(HOUR), hard: false })]
      const moves = []
      for (let index = 0; index < 7; index += 1) moves.push(await admit(lines))
      const [first] = moves
      if (first === undefined) throw new Error('seven were reserved')
      await ledger.settle(settleMove(first, lines, [1n, 1n]))
      const page = await ledger.reservations({ open: true, cursor: '', count: 4 })
      expect(page).toMatchObject({ kind: 'read', value: { reservations: { length: 4 }, next: expect.any(String) } })
      const open = await reservations(true)
      expect(new Set(open.map(record => record.id))).toEqual(new Set(moves.slice(1).map(move => move.id)))
      expect(open[0]).toEqual({ id: open[0]?.id, holder: first.holder, state: 'open', deadlineMs: expect.any(Number), lines })
      expect(await reservations(false)).toHaveLength(7)
    }))

  it('tells every mutation once, in order, with the balance after it', () =>
    scene(make, async ({ ledger, admit, pass, now, sweepAll, entries, attempt }) => {
      const lines = [line('a', 100n), line('f', 1n, { window: IN_FLIGHT, limit: 5n })]
      const one = await admit(lines)
      const two = await admit(lines)
      const three = await admit(lines, { deadlineMs: (await now()) + SECOND })
      await attempt([line('a', 5_000n)])
      await ledger.reserve(one)
      await ledger.settle(settleMove(one, lines, [120n, 1n]))
      await ledger.settle(settleMove(one, lines, [120n, 1n]))
      await ledger.release(releaseMove(two, lines))
      await pass(3 * SECOND)
      await sweepAll()
      await ledger.settle(settleMove(three, lines, [150n, 1n], false))
      await ledger.settle(settleMove(three, lines, [90n, 1n]))
      const lost = { id: mintId(await now()), holder: one.holder }
      await ledger.settle(settleMove(lost, [line('a', 1n)], [1n]))
      const buried = { id: mintId(await now()), holder: one.holder }
      await ledger.release(releaseMove(buried, lines))
      const told = (await entries()).filter(entry => entry.what !== 'collected')
      expect(told.map(({ what, id }) => [what, id])).toEqual([
        ['reserved', one.id],
        ['reserved', two.id],
        ['reserved', three.id],
        ['settled-over', one.id],
        ['released', two.id],
        ['expired', three.id],
        ['raised', three.id],
        ['settled-late', three.id],
        ['reasserted', lost.id],
        ['tombstoned', buried.id],
      ])
      const a = told.map(entry => entry.lines.find(each => each.key === key('a')))
      expect(a.map(each => each?.amount)).toEqual([100n, 100n, 100n, 120n, 100n, 100n, 150n, 90n, 1n, undefined])
      expect(a.map(each => each?.balance.available)).toEqual([900n, 800n, 700n, 680n, 780n, 780n, 730n, 790n, 789n, undefined])
      expect(a.at(-2)?.balance).toEqual({ limit: 1_000n, available: 789n, reserved: 0n, spent: 211n, suspense: 0n, overrun: 20n })
      for (const entry of told) for (const each of entry.lines) expect(windowText(each.window)).toBeTypeOf('string')
    }))

  it('numbers entries without gaps, and pages them', () =>
    scene(make, async ({ ledger, admit, entries }) => {
      for (let index = 0; index < 30; index += 1) await admit([line('a', 1n)])
      expect((await entries()).map(entry => entry.seq)).toEqual(Array.from({ length: 30 }, (_, index) => index + 1))
      const page = await ledger.entries({ afterSeq: 10, count: 5 })
      expect(page.kind === 'read' && page.value.map(entry => entry.seq)).toEqual([11, 12, 13, 14, 15])
      expect(await ledger.entries({ afterSeq: 30, count: 5 })).toMatchObject({ kind: 'read', value: [] })
    }))

  it('trims the stream to the newest entries, and still numbers them without gaps', () =>
    scene(
      make,
      async ({ admit, entries, ledger, sweepAll, balance }) => {
        for (let round = 0; round < 20; round += 1) {
          const lines = [line('a', 1n)]
          const moves = await Promise.all(Array.from({ length: 20 }, () => admit(lines)))
          await Promise.all(moves.map(move => ledger.settle(settleMove(move, lines, [1n]))))
        }
        await sweepAll()
        const seqs = (await entries()).map(entry => entry.seq)
        expect(seqs.at(-1)).toBe(800)
        expect(seqs.length).toBeGreaterThanOrEqual(100)
        expect(seqs.length).toBeLessThanOrEqual(300)
        expect(seqs).toEqual(seqs.map((_, index) => (seqs[0] ?? 0) + index))
        expect(await balance(line('a', 0n))).toMatchObject({ spent: 400n, reserved: 0n })
      },
      100,
    ))

  it('admits exactly what fits of a hundred at once', () =>
    scene(make, async ({ attempt, balance, entries }) => {
      const outcomes = await Promise.all(Array.from({ length: 100 }, () => attempt([line('a', 30n), line('b', 1n)])))
      expect(tally(outcomes)).toEqual({ reserved: 33, refused: 67 })
      expect(await balance(line('a', 0n))).toMatchObject({ reserved: 990n, available: 10n })
      expect(await balance(line('b', 0n))).toMatchObject({ reserved: 33n })
      const told = await entries()
      expect(told).toHaveLength(33)
      expect(told.every(entry => entry.lines.every(each => each.balance.available >= 0n))).toBe(true)
    }))

  it('fills crossing budgets without ever passing one of them', () =>
    scene(make, async ({ attempt, balance }) => {
      const pairs = Array.from({ length: 120 }, (_, index) => [line(`x${index % 3}`, 40n), line(`x${(index + 1) % 3}`, 40n)])
      const outcomes = await Promise.all(pairs.map(lines => attempt(lines)))
      const reserved = await Promise.all(['x0', 'x1', 'x2'].map(async name => (await balance(line(name, 0n)))?.reserved ?? 0n))
      const admitted = tally(outcomes)['reserved'] ?? 0
      expect(reserved.reduce((sum, each) => sum + each, 0n)).toBe(BigInt(admitted) * 80n)
      for (const each of reserved) expect(each).toBeLessThanOrEqual(1_000n)
      expect(reserved.filter(each => each > 960n)).not.toHaveLength(0)
    }))

  it('reserves one id once, however often it comes at the same time', () =>
    scene(make, async ({ ledger, balance, now }) => {
      const move = reserveMove(await now(), [line('a', 10n)])
      expect(tally(await Promise.all(Array.from({ length: 20 }, () => ledger.reserve(move))))).toEqual({ reserved: 1, exists: 19 })
      expect(await balance(line('a', 0n))).toMatchObject({ reserved: 10n })
    }))

  it('closes one id once, whoever comes first', () =>
    scene(make, async ({ ledger, admit, balance, entries }) => {
      const lines = [line('a', 10n)]
      const settled = await admit(lines)
      const same = await Promise.all(Array.from({ length: 20 }, () => ledger.settle(settleMove(settled, lines, [8n]))))
      expect(tally(same)).toEqual({ settled: 1, 'already-settled': 19 })
      const contested = await admit(lines)
      const both = await Promise.all([
        ...Array.from({ length: 10 }, () => ledger.settle(settleMove(contested, lines, [5n]))),
        ...Array.from({ length: 10 }, () => ledger.release(releaseMove(contested, lines))),
      ])
      const counts = tally(both)
      expect((counts['settled'] ?? 0) + (counts['settled-late'] ?? 0)).toBe(1)
      expect(await balance(line('a', 0n))).toMatchObject({ reserved: 0n, spent: 13n, suspense: 0n })
      expect((await entries()).filter(entry => entry.id === settled.id)).toHaveLength(2)
    }))

  it('keeps every balance equal to its entries through a storm', () =>
    scene(make, async ({ ledger, now, entries, balance }) => {
      const names = ['p', 'q', 'r']
      await Promise.all(
        Array.from({ length: 150 }, async (_, index) => {
          const lines = names.slice(0, 1 + (index % 3)).map(name => line(name, BigInt(1 + (index % 40))))
          const move = reserveMove(await now(), lines)
          const outcome = await ledger.reserve(move)
          if (outcome.kind !== 'reserved') return
          if (index % 5 === 0) await ledger.release(releaseMove(move, lines))
          else if (index % 7 !== 0)
            await ledger.settle(
              settleMove(
                move,
                lines,
                lines.map(each => each.amount / 2n),
                index % 2 === 0,
              ),
            )
        }),
      )
      const auditor = new Auditor()
      auditor.take(await entries())
      expect(auditor.balances()).toHaveLength(names.length)
      auditor.hold(await Promise.all(auditor.balances().map(each => balance(each))), await now())
    }))

  it('is unavailable once it is closed, in everything', () =>
    scene(make, async ({ ledger, admit, now }) => {
      const lines = [line('m', 10n, { unit: 'USD' })]
      const move = await admit(lines)
      await ledger.close()
      const page = { cursor: '', count: 10 }
      for (const outcome of [
        await ledger.reserve(reserveMove(await now(), lines)),
        await ledger.settle(settleMove(move, lines, [1n])),
        await ledger.release(releaseMove(move, lines)),
        await ledger.beat(move.holder),
        await ledger.observe(observeMove(move.holder, [move, [1n]])),
        await ledger.adjust(adjustMove(move, 1n)),
        await ledger.sweep(),
        await ledger.acknowledge(0),
        await ledger.read(lines),
        await ledger.list({ prefix: '', ...page }),
        await ledger.reservations({ open: true, ...page }),
        await ledger.entries({ afterSeq: 0, count: 10 }),
        await ledger.findByResponse('e'.repeat(64)),
        await ledger.find(mintId(0)),
      ])
        expect(outcome).toEqual({ kind: 'unavailable', why: expect.any(String) })
    }))
}
