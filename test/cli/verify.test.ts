// The command as a user meets it: its last line, its exit codes, Ctrl-C, and a stream that is cut under it.
import { expect, it } from 'vitest'
import { verify } from '../../src/cli/verify.ts'
import type { ReserveMove } from '../../src/core/reservation.ts'
import type { Ledger, LedgerReader } from '../../src/ports.ts'
import { makeMemory } from '../contract/makers.ts'
import { line, reserveMove, settleMove } from '../contract/moves.ts'
import { scene } from '../contract/scene.ts'
import { cutAfter } from './proving.ts'
import { type Ran, runOn } from './tools.ts'

const run = (reader: LedgerReader, options: { args?: string[]; signal?: AbortSignal; isTTY?: boolean } = {}): Promise<Ran> =>
  runOn(NO_LEDGER, verify, options.args ?? [], { ...options, reader })
/** To prove a ledger nobody opens it for more than reading. */
const NO_LEDGER = {} as Ledger

const withEntries = (count: number, play: (ledger: Ledger) => Promise<void>): Promise<void> =>
  scene(makeMemory, async ({ ledger, now }) => {
    const lines = [line('a', 2n, { limit: 1_000_000n })]
    for (let each = 0; each < count / 2; each += 1) {
      const move = reserveMove(await now(), lines)
      await ledger.reserve(move)
      if (each < count / 2 - 1) await ledger.settle(settleMove(move, lines, [1n]))
    }
    await play(ledger)
  })

it('says what it proved, and from where', () =>
  withEntries(2_000, async ledger => {
    expect(await run(ledger)).toEqual({
      code: 0,
      out: 'Proven: 1999 entries, 1 to 1999; 1000 reservations, 1 of them open; 1 balances.\n',
      err: '',
    })
    expect((await run(cutAfter(ledger, 1_200))).out).toBe(
      'Entries before 1201 are not in the stream any more: what was there then is taken as it was found.\nProven: 799 entries, 1201 to 1999; 400 reservations, 1 of them open; 1 balances.\n',
    )
    expect((await run(cutAfter(ledger, 1_999))).out).toMatch(/Proven: no entries; 1 reservations, 1 of them open; 0 balances.\n$/)
  }))

it('proves an empty ledger', () =>
  withEntries(0, async ledger => {
    expect(await run(ledger)).toEqual({ code: 0, out: 'Proven: the ledger has no entries, and shows nothing.\n', err: '' })
  }))

it('names the first difference, and exits 1', () =>
  withEntries(10, async ledger => {
    const entries: LedgerReader['entries'] = async query => {
      const page = await ledger.entries(query)
      if (page.kind !== 'read') return page
      return { ...page, value: page.value.map(entry => (entry.seq === 4 ? { ...entry, what: 'released' } : entry)) }
    }
    expect(await run({ ...ledger, entries })).toMatchObject({
      code: 1,
      out: expect.stringMatching(
        /^The ledger is not what it should be. First difference: entry 4 \(released of \w{32}\): BudgetPolicy default\/p, limit a: spent should move by 0 Tokens, moves by 1 Tokens\n$/,
      ),
    })
  }))

it('says nothing of a ledger that it cannot read, and exits 2', () =>
  withEntries(10, async ledger => {
    const list: LedgerReader['list'] = async () => ({ kind: 'unavailable', why: 'Redis hangs' })
    expect(await run({ ...ledger, list })).toEqual({ code: 2, out: '', err: 'purser: nothing is proven: Redis hangs\n' })
    const entries: LedgerReader['entries'] = () => Promise.reject(new Error('Unexpected end of JSON input'))
    expect(await run({ ...ledger, entries })).toEqual({
      code: 2,
      out: '',
      err: 'purser: nothing is proven: Unexpected end of JSON input\n',
    })
    expect((await run(ledger, { args: ['--ledger', 'memory:'] })).code).toBe(2)
    expect((await run(ledger, { args: ['--deep'] })).err).toBe("purser: Unknown option '--deep'; see 'purser verify --help'\n")
    expect((await run(ledger, { args: ['now'] })).err).toBe("purser: 'now' is not a flag; see 'purser verify --help'\n")
  }))

it('shows how far it is on a terminal, and stops between two pages', () =>
  withEntries(4_000, async ledger => {
    expect((await run(ledger, { isTTY: true })).err).toBe(
      `${[1000, 2000, 3000, 3999].map(seq => `\r${seq} of 3999 entries`).join('')}\r\u001b[K`,
    )
    const controller = new AbortController()
    const entries: LedgerReader['entries'] = query => {
      if (query.afterSeq >= 2_000) controller.abort()
      return ledger.entries(query)
    }
    const stopped = await run({ ...ledger, entries }, { signal: controller.signal })
    expect(stopped).toEqual({ code: 130, out: '', err: 'stopped before the end: nothing is proven\n' })
  }))

it('begins anew where entries were cut before they were read, and gives up where that goes on', () =>
  withEntries(4_000, async ledger => {
    let reads = 0
    const cutting = (times: number): LedgerReader => ({
      ...ledger,
      entries: query => {
        const cut =
          query.afterSeq > 0 || query.count === 1
            ? Math.min(times, Math.ceil(++reads / 2)) * 1_200
            : reads > 0
              ? Math.min(times, Math.ceil(reads / 2)) * 1_200
              : 0
        return ledger.entries({ ...query, afterSeq: Math.max(cut, query.afterSeq) })
      },
    })
    expect((await run(cutting(1))).out).toMatch(/^Entries before 1201 .*\nProven: 2799 entries, 1201 to 3999;/)
    reads = 0
    expect(await run(cutting(100))).toMatchObject({
      code: 2,
      err: expect.stringContaining('cut from the stream faster than they can be read'),
    })
  }))

it('finds entries that are missing in the middle or at the end, which no cut explains', () =>
  withEntries(4_000, async ledger => {
    const without = (from: number, to: number): LedgerReader => ({
      ...ledger,
      entries: async query => {
        const page = await ledger.entries({ ...query, count: 1_000 })
        return page.kind !== 'read'
          ? page
          : { ...page, value: page.value.filter(entry => entry.seq < from || entry.seq > to).slice(0, query.count) }
      },
    })
    expect((await run(without(1_001, 1_005))).out).toContain('after entry 1000: the next should be entry 1001, is 1006')
    expect((await run(without(3_001, 3_999))).out).toContain(
      'after entry 3000: the next should be entry 3001, and the stream ends, while the ledger is at 3999',
    )
  }))

it('takes each page for what it was when it was read, however far the ledger is by then', () =>
  withEntries(10, async ledger => {
    const lines = [line('a', 2n, { limit: 1_000_000n })]
    const reserve = async (): Promise<ReserveMove> => {
      const read = await ledger.read([])
      const move = reserveMove(read.kind === 'read' ? read.storeMs : 0, lines)
      await ledger.reserve(move)
      return move
    }
    const open: ReserveMove[] = [await reserve()]
    const moveOn = async (): Promise<void> => {
      const closing = open.pop()
      if (closing !== undefined) await ledger.settle(settleMove(closing, lines, [1n]))
      open.push(await reserve())
    }
    const moving: LedgerReader = {
      ...ledger,
      // A page of reservations may be older than the number that comes with it.
      reservations: async query => {
        const page = await ledger.reservations(query)
        await moveOn()
        const later = await ledger.reservations(query)
        return page.kind === 'read' && later.kind === 'read' ? { ...page, seq: later.seq } : page
      },
      list: async query => {
        await moveOn()
        const page = await ledger.list(query)
        await moveOn()
        return page
      },
    }
    for (let round = 0; round < 3; round += 1) expect(await run(moving)).toMatchObject({ code: 0 })
  }))
