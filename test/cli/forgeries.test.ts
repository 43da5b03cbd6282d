// Every way that came to mind to make a ledger say what is not so: each is found, and named by its entry and its budget.
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { counts } from '../../src/core/verify-balance.ts'
import type { EntryLine, LedgerEntry, LedgerReader } from '../../src/ports.ts'
import { makeMemory } from '../contract/makers.ts'
import { HOUR, hourOf, line, mintId, SECOND, settleMove, sliding } from '../contract/moves.ts'
import { scene } from '../contract/scene.ts'
import { budget, type Forgery, forged, MINUTELY, ORGANISATION, playStory, rebalanced, renumbered } from '../contract/story.ts'
import { cutAfter, told } from './proving.ts'

let ledger: LedgerReader
let entries: readonly LedgerEntry[]
let playing: Promise<void>
const over = Promise.withResolvers<void>()
beforeAll(async () => {
  const { promise: told, resolve: tell } = Promise.withResolvers<void>()
  playing = scene(makeMemory, async made => {
    await playStory(made)
    entries = await made.entries()
    ledger = made.ledger
    tell()
    await over.promise
  })
  await Promise.race([told, playing])
})
afterAll(async () => {
  over.resolve()
  await playing
})

const say = (forgery: Forgery): Promise<string> => told(forged(ledger, entries, forgery))
/** Forges the first entry of a kind (or the last one), and leaves the others. */
const first = (what: string, forge: (entry: LedgerEntry) => LedgerEntry): Forgery => ({
  entries: all => {
    const at = all.findIndex(entry => entry.what === what)
    return at < 0 ? [] : all.with(at, forge(all[at]!))
  },
})
const onLine = (entry: LedgerEntry, key: string, forge: (line: EntryLine) => EntryLine): LedgerEntry => ({
  ...entry,
  lines: entry.lines.map(line => (line.key === key ? forge(line) : line)),
})
const found = (all: readonly LedgerEntry[], what: string): LedgerEntry => {
  const entry = all.find(each => each.what === what)
  if (entry === undefined) throw new Error(`no entry is ${what}`)
  return entry
}
/** Adds an entry at the end that moves the organisation's budget alone, with a balance that follows from the last one. */
const appended = (all: LedgerEntry[], like: LedgerEntry, change: Partial<EntryLine['moved']>, amount: bigint): LedgerEntry[] => {
  const last = all.findLast(entry => entry.lines.some(line => line.key === ORGANISATION.key))!
  const line = last.lines.find(each => each.key === ORGANISATION.key)!
  const moved = { reserved: 0n, spent: 0n, suspense: 0n, overrun: 0n, ...change }
  const { reserved, spent, suspense, overrun } = line.balance
  const after = rebalanced(line, {
    reserved: reserved + moved.reserved,
    spent: spent + moved.spent,
    suspense: suspense + moved.suspense,
    overrun: overrun + moved.overrun,
  })
  return [...all, { ...like, seq: all.length + 1, storeMs: all.at(-1)!.storeMs, lines: [{ ...after, amount, moved }] }]
}

describe('forgeries', () => {
  it('the story is proven as it is, and has every kind of entry', async () => {
    expect(await say({})).toBe('proven')
    const kinds = ['reserved', 'settled', 'settled-over', 'settled-late', 'raised', 'reasserted', 'released', 'tombstoned', 'expired']
    expect(new Set(entries.map(entry => entry.what))).toEqual(new Set([...kinds, 'collected', 'adjusted', 'arrears', 'presented']))
  })

  const table: readonly (readonly [string, Forgery, RegExp])[] = [
    ['an entry is gone', { entries: all => all.toSpliced(4, 1) }, /^entry 6 .*the entry after 4 should be 5, is 6/],
    [
      'the first entries are gone, the numbers closed up',
      { entries: all => renumbered(all.slice(1)) },
      /^entry 1 .*limit organisation: reserved should be 0.00000004 USD, is 0.00000009 USD/,
    ],
    [
      'a settlement is gone, the numbers closed up',
      { entries: all => renumbered(all.filter(each => each !== found(all, 'settled'))) },
      /should be .*, is /,
    ],
    ['the last entry is gone', { entries: all => all.slice(0, -1) }, /open, and no entry tells of it|should be .* is/],
    [
      'two entries are swapped',
      { entries: all => renumbered([...all.slice(0, 2), all[3]!, all[2]!, ...all.slice(4)]) },
      /should be .*, is /,
    ],
    [
      'a kind that nobody knows',
      first('settled', entry => ({ ...entry, what: 'gifted' })),
      /entry \d+ \(gifted of \w+\): this version does not know/,
    ],
    [
      'time runs backwards',
      first('settled', entry => ({ ...entry, storeMs: entry.storeMs - 1, admittedMs: entry.admittedMs - 1 })),
      /store time should not be before/,
    ],
    [
      'a charge is dated anew',
      first('settled-late', entry => ({ ...entry, admittedMs: entry.admittedMs + 1 })),
      /it is dated 2026-.*:00.501Z, and was admitted at 2026-.*:00.5Z$/,
    ],
    [
      'available is off by one',
      first('settled', entry =>
        onLine(entry, ORGANISATION.key, line => ({ ...line, balance: { ...line.balance, available: line.balance.available + 1n } })),
      ),
      /limit organisation: available should be limit - spent - reserved, .* USD, is .* USD/,
    ],
    [
      'spent is off by one',
      first('settled', entry => onLine(entry, ORGANISATION.key, line => rebalanced(line, { spent: line.balance.spent + 1n }))),
      /^entry \d+ \(settled of \w{32}\): BudgetPolicy default\/teams, limit organisation: spent should be 0\.000000045 USD, is 0\.000000046 USD$/,
    ],
    [
      'suspense is beyond spent',
      first('expired', entry => onLine(entry, ORGANISATION.key, line => rebalanced(line, { suspense: line.balance.spent + 1n }))),
      /suspense should be within spent/,
    ],
    [
      'a reserve leaves less than nothing',
      first('reserved', entry => onLine(entry, ORGANISATION.key, line => rebalanced(line, { limit: line.amount - 1n }))),
      /limit organisation: a reserve should leave at least 0 available, leaves -0.000000001 USD/,
    ],
    [
      'a settlement lowers a limit',
      first('settled', entry => onLine(entry, ORGANISATION.key, line => rebalanced(line, { limit: 999n }))),
      /the limit should be 0.000001 USD, is 0.000000999 USD/,
    ],
    ['a presented limit is missing', { entries: all => renumbered(all.filter(each => each.what !== 'presented')) }, /the limit should be/],
    [
      'a presentation moves something',
      first('presented', entry =>
        onLine(entry, ORGANISATION.key, line => ({
          ...rebalanced(line, { spent: 0n, suspense: 0n }),
          moved: { ...line.moved, spent: -line.balance.spent },
        })),
      ),
      /a limit is presented to a balance that is there, and moves nothing else/,
    ],
    [
      'a reservation is settled twice',
      { entries: all => appended(all, found(all, 'settled'), { spent: 45n }, 45n) },
      /the reservation is .*|no earlier entry tells/,
    ],
    [
      'a proven charge is corrected again',
      { entries: all => renumbered(all.flatMap(each => (each.what === 'settled-late' ? [each, each] : [each]))) },
      /the reservation is settled-proven since entry \d+ \(settled-late\), so it cannot be settled-late/,
    ],
    [
      'a charge is raised twice',
      { entries: all => renumbered(all.flatMap(each => (each.what === 'raised' ? [each, each] : [each]))) },
      /moves by|it was raised before/,
    ],
    [
      'an adjustment is made twice',
      { entries: all => renumbered(all.flatMap(each => (each.what === 'adjusted' ? [each, each] : [each]))) },
      /should move by|the same adjustment/,
    ],
    [
      'a reservation is reserved twice',
      { entries: all => renumbered(all.flatMap(each => (each.seq === 1 ? [each, each] : [each]))) },
      /so it cannot be reserved/,
    ],
    [
      'a settlement of what was never reserved',
      {
        entries: all =>
          appended(
            all,
            { ...found(all, 'settled'), id: mintId(all.at(-1)!.storeMs), admittedMs: all.at(-1)!.storeMs },
            { spent: 45n },
            45n,
          ),
      },
      /no earlier entry tells of this reservation, so it cannot be settled/,
    ],
    [
      'an overrun that is not counted',
      first('settled-over', entry =>
        onLine(entry, ORGANISATION.key, line => ({ ...rebalanced(line, { overrun: 0n }), moved: { ...line.moved, overrun: 0n } })),
      ),
      /overrun should move by 0.00000003 USD, moves by 0 USD/,
    ],
    [
      'an overrun that is called settled',
      first('settled-over', entry => ({ ...entry, what: 'settled' })),
      /so the entry should be settled-over/,
    ],
    [
      'a settlement that is called over',
      first('settled', entry => ({ ...entry, what: 'settled-over' })),
      /no line is charged more than it reserved/,
    ],
    [
      'an expiry that is not in suspense',
      first('expired', entry =>
        onLine(entry, ORGANISATION.key, line => ({
          ...rebalanced(line, { suspense: line.balance.suspense - line.amount }),
          moved: { ...line.moved, suspense: 0n },
        })),
      ),
      /suspense should move by .* USD, moves by 0 USD/,
    ],
    [
      'a release of more than was reserved',
      first('released', entry =>
        onLine(entry, ORGANISATION.key, line => ({
          ...rebalanced(line, { reserved: line.balance.reserved - 1n }),
          amount: line.amount + 1n,
          moved: { ...line.moved, reserved: -line.amount - 1n },
        })),
      ),
      /reserved should move by/,
    ],
    [
      'money that is not charged alike',
      first('settled', entry =>
        onLine(entry, ORGANISATION.key, line => ({
          ...rebalanced(line, { spent: line.balance.spent - 1n }),
          amount: line.amount - 1n,
          moved: { ...line.moved, spent: line.moved.spent - 1n },
        })),
      ),
      /all its budgets of money should be charged alike, but it charges 0.000000044 USD on .*organisation, and 0.000000045 USD on/,
    ],
    [
      'a charge in flight',
      first('settled', entry => ({
        ...entry,
        lines: entry.lines.map(line =>
          line.window.kind !== 'inFlight'
            ? line
            : { ...rebalanced(line, { spent: 1n, overrun: 1n }), amount: 1n, moved: { ...line.moved, spent: 1n, overrun: 1n } },
        ),
      })),
      /in flight: a charge should be 0, is 1 Requests/,
    ],
    [
      'a line is left out',
      first('settled', entry => ({ ...entry, lines: entry.lines.slice(1) })),
      /limit organisation: it should tell of this balance, and leaves it out/,
    ],
    [
      'a line comes twice',
      first('settled', entry => ({ ...entry, lines: [...entry.lines, entry.lines[0]!] })),
      /it tells of one balance twice/,
    ],
    [
      'a line that it did not reserve',
      first('settled', entry => onLine(entry, ORGANISATION.key, line => ({ ...line, ...budget('other', 'USD', { kind: 'lifetime' }) }))),
      /which is none of its lines/,
    ],
    [
      'a reserve in a window that is over',
      first('reserved', entry => ({
        ...entry,
        lines: entry.lines.map(line =>
          line.window.kind !== 'calendar' ? line : { ...line, window: { ...line.window, endMs: line.window.startMs + 1 } },
        ),
      })),
      /it was reserved outside of that window/,
    ],
    [
      'something slid out too early',
      {
        entries: all =>
          all.map(entry => (entry.seq !== 6 ? entry : onLine(entry, MINUTELY.key, line => rebalanced(line, { spent: 0n, reserved: 0n })))),
      },
      /limit minute in the last 60 s: reserved should be .* Tokens, is 0 Tokens/,
    ],
    [
      'something should have slid out',
      {
        entries: all =>
          all.map(entry => (entry !== all.at(-2) ? entry : onLine(entry, MINUTELY.key, line => rebalanced(line, { spent: 5n })))),
      },
      /limit minute in the last 60 s: spent should be 0 Tokens, is 5 Tokens/,
    ],
    [
      'a balance is collected too early',
      { entries: all => appended(all, { ...found(all, 'collected') }, {}, 0n) },
      /it is collected, and counts for ever|is collected with/,
    ],
    [
      'other figures are collected',
      first('collected', entry => ({ ...entry, lines: entry.lines.map(line => rebalanced(line, { overrun: line.balance.overrun + 1n })) })),
      /overrun should be/,
    ],
    [
      'a balance does not begin with nothing',
      {
        entries: all =>
          all.map(entry =>
            entry !== all.at(-2)
              ? entry
              : { ...entry, lines: entry.lines.map(line => (line.window.kind === 'calendar' ? rebalanced(line, { spent: 3n }) : line)) },
          ),
      },
      /spent should be 0 USD, is 0.000000003 USD/,
    ],
    [
      'a tombstone is reserved after all',
      {
        entries: all =>
          renumbered(
            all.flatMap(each =>
              each.what === 'tombstoned' ? [each, { ...all[0]!, id: each.id, storeMs: each.storeMs, admittedMs: each.storeMs }] : [each],
            ),
          ),
      },
      /the reservation is tombstone since entry \d+ \(tombstoned\), so it cannot be reserved/,
    ],
    [
      'the store shows a balance that is off by one',
      { list: page => forgeList(page, balance => ({ ...balance, spent: balance.spent + 1n, available: balance.available - 1n })) },
      /as the store shows it: spent should be .* USD, is .* USD/,
    ],
    [
      'the store shows a limit that nobody presented',
      { list: page => forgeList(page, balance => ({ ...balance, limit: balance.limit + 1n, available: balance.available + 1n })) },
      /as the store shows it: the limit should be/,
    ],
    [
      'the store shows a balance that no entry tells of',
      {
        list: page =>
          page.kind !== 'read'
            ? page
            : {
                ...page,
                value: {
                  ...page.value,
                  budgets: page.value.budgets.map(each => ({ ...each, ...budget('secret', 'USD', { kind: 'lifetime' }) })),
                },
              },
      },
      /limit secret, as the store shows it: no entry tells of this balance/,
    ],
    [
      'the store forgot an open reservation',
      {
        reservations: page =>
          page.kind !== 'read' ? page : { ...page, value: { ...page.value, reservations: page.value.reservations.slice(1) } },
      },
      /it should be open since entry \d+ \(reserved\), and the store does not show it/,
    ],
    [
      'the store shows open what was settled',
      {
        reservations: page =>
          page.kind !== 'read'
            ? page
            : { ...page, value: { ...page.value, reservations: page.value.reservations.map(each => ({ ...each, id: mintId(0) })) } },
      },
      /the store shows it open, and no entry tells of it/,
    ],
    [
      'an open reservation holds something else',
      {
        reservations: page =>
          page.kind !== 'read'
            ? page
            : {
                ...page,
                value: {
                  ...page.value,
                  reservations: page.value.reservations.map(each => ({
                    ...each,
                    lines: each.lines.map(line => ({ ...line, amount: line.amount + 1n })),
                  })),
                },
              },
      },
      /it should hold .* USD, holds .* USD/,
    ],
    [
      'an open reservation is long past its deadline',
      {
        reservations: page =>
          page.kind !== 'read'
            ? page
            : { ...page, value: { ...page.value, reservations: page.value.reservations.map(each => ({ ...each, deadlineMs: 1_000 })) } },
        entries: all => aliveFor(all, 400),
      },
      /it is open, and its deadline was 1970-01-01T00:00:01Z/,
    ],
    [
      'an open reservation may stay too long',
      {
        reservations: page =>
          page.kind !== 'read'
            ? page
            : {
                ...page,
                value: {
                  ...page.value,
                  reservations: page.value.reservations.map(each => ({ ...each, deadlineMs: each.deadlineMs + 3_600_000 })),
                },
              },
      },
      /is more than an hour after it was opened/,
    ],
  ]

  it.each(table)('%s', async (_, forgery, words) => {
    expect(await say(forgery)).toMatch(words)
  })

  /** Entries up to the first of a kind, and one more of it that moves the organisation's budget so. */
  const repeated = (what: string, change: Partial<EntryLine['moved']>, by: bigint, how = ''): Forgery => ({
    entries: all => {
      const entry = found(all, what)
      const amount = entry.lines.find(line => line.key === ORGANISATION.key)!.amount
      return appended(all.slice(0, entry.seq), how === '' ? entry : { ...entry, how }, change, amount + by)
    },
  })
  it.each<readonly [string, Forgery, RegExp]>([
    [
      'a charge is raised a second time',
      repeated('raised', { spent: 1n, suspense: 1n }, 1n),
      /it was raised before, and that happens once/,
    ],
    ['an adjustment is repeated and moves nothing', repeated('adjusted', {}, 0n), /the same adjustment was made before/],
    [
      'an adjustment gives back what was proven',
      repeated('adjusted', { spent: -1n, overrun: -1n }, -1n, `${'b'.repeat(32)} less`),
      /should not give back what was proven, 0.000000061 USD/,
    ],
    [
      'a correction of nothing',
      {
        entries: all => {
          const entry = found(all, 'released')
          const still = entry.lines.map(each => ({ ...each, amount: 0n, moved: { reserved: 0n, spent: 0n, suspense: 0n, overrun: 0n } }))
          return [...all.slice(0, entry.seq), { ...entry, what: 'settled-late', seq: entry.seq + 1, lines: still }]
        },
      },
      /it was given back, and is charged nothing: that is no correction/,
    ],
  ])('%s', async (_, forgery, words) => {
    expect(await say(forgery)).toMatch(words)
  })

  /** The same, of a stream that begins later. */
  const sayCut = (after: number, forgery: Forgery): Promise<string> => told(cutAfter(forged(ledger, entries, forgery), after))
  const lastButOne = (forge: (line: EntryLine) => EntryLine): Forgery => ({
    entries: all => all.map(entry => (entry === all.at(-2) ? { ...entry, lines: entry.lines.map(forge) } : entry)),
  })
  const everywhere = (forge: (balance: Shown) => Shown): Forgery => ({
    entries: all => all.map(entry => onLine(entry, ORGANISATION.key, line => ({ ...line, balance: forge(line.balance) }))),
    list: page => forgeList(page, forge),
  })
  it.each<readonly [string, Forgery, RegExp]>([
    [
      'a window is not empty though what was before has slid out',
      lastButOne(line => (line.key === MINUTELY.key ? rebalanced(line, { spent: 5n }) : line)),
      /limit minute in the last 60 s: spent should be 0 Tokens, is 5 Tokens/,
    ],
    [
      'what was collected begins with something',
      lastButOne(line => (line.window.kind === 'inFlight' ? rebalanced(line, { reserved: 2n }) : line)),
      /in flight: reserved should be 1 Requests, is 2 Requests/,
    ],
    [
      'a window that is new begins with something',
      lastButOne(line => (line.window.kind === 'calendar' ? rebalanced(line, { spent: 3n }) : line)),
      /spent should be 0 USD, is 0.000000003 USD/,
    ],
    [
      'more is reserved than its reservations hold',
      everywhere(balance => ({ ...balance, reserved: balance.reserved + 5n, available: balance.available - 5n })),
      /limit organisation: reserved should be what its open reservations hold, 0.00000006 USD, is 0.000000065 USD/,
    ],
  ])('of a stream that was cut: %s', async (_, forgery, words) => {
    expect(await sayCut(9, {})).toBe('proven')
    expect(await sayCut(9, forgery)).toMatch(words)
  })

  it('a balance that the store neither lists nor has', async () => {
    const without: Forgery['list'] = page =>
      page.kind !== 'read'
        ? page
        : { ...page, value: { ...page.value, budgets: page.value.budgets.filter(each => each.key !== ORGANISATION.key) } }
    expect(await say({ list: without })).toBe('proven')
    const none: Forgery['read'] = page => (page.kind !== 'read' ? page : { ...page, value: page.value.map(() => null) })
    expect(await say({ list: without, read: none })).toMatch(
      /limit organisation, as the store shows it: it should be there since entry \d+, and is not$/,
    )
  })

  it('of a stream that was cut: what was there before slides out too', () =>
    scene(makeMemory, async at => {
      const lines = [line('s', 5n, { window: sliding(10 * SECOND) })]
      for (const wait of [SECOND, 4 * SECOND, 8 * SECOND, 0]) {
        await at.admit(lines)
        await at.advance(wait)
      }
      const written = await at.entries()
      const with5More = (seq: number): LedgerReader => {
        const more = written.map(entry =>
          entry.seq < seq ? entry : onLine(entry, lines[0]!.key, each => rebalanced(each, { reserved: each.balance.reserved + 5n })),
        )
        return cutAfter(forged(at.ledger, more, {}), 1)
      }
      expect(await told(cutAfter(at.ledger, 1))).toBe('proven')
      // What was there before may be left after 4 seconds, and is gone after 12.
      expect(await told(with5More(3))).toMatch(/^entry 3 .*reserved should be 5 Tokens to 15 Tokens, is 20 Tokens$/)
      expect(await told(with5More(4))).toMatch(/^entry 4 .*reserved should be 10 Tokens, is 15 Tokens$/)
    }))

  it('a window that is collected before it is over, or with something reserved', () =>
    scene(makeMemory, async at => {
      const window = hourOf(await at.now())
      const lines = [line('h', 5n, { window })]
      const first = await at.admit(lines)
      await at.ledger.settle(settleMove(first, lines, [4n]))
      await at.admit(lines)
      const written = await at.entries()
      const collecting = (from: LedgerEntry, afterMs: number): Promise<string> => {
        const last = { ...from.lines[0]!, amount: 0n, moved: { reserved: 0n, spent: 0n, suspense: 0n, overrun: 0n } }
        const atMs = from.storeMs + afterMs
        const collected = { ...from, seq: from.seq + 1, what: 'collected', id: '', storeMs: atMs, admittedMs: atMs, lines: [last] }
        return told(forged(at.ledger, [...written.slice(0, from.seq), collected], {}))
      }
      expect(await collecting(written[1]!, SECOND)).toMatch(/it is collected before its window is over for good/)
      expect(await collecting(written[2]!, 4 * HOUR)).toMatch(/it is collected with 5 Tokens reserved/)
    }))

  it('any figure of any line that is off by one', async () => {
    const lines = entries.flatMap(entry => entry.lines.map((line, index) => ({ entry, line, index })))
    const figures = ['reserved', 'spent', 'suspense', 'overrun'] as const
    const places = [
      ...figures.map(name => ['moved', name]),
      ...[...figures, 'limit', 'available'].map(name => ['balance', name]),
      ['amount'],
    ]
    const place = fc.record({ at: fc.constantFrom(...lines), where: fc.constantFrom(...places), by: fc.constantFrom(1n, -1n) })
    await fc.assert(
      fc.asyncProperty(place, async ({ at, where, by }) => {
        // What had slid out when it was charged moved nothing: no figure tells of its amount.
        fc.pre(where[0] !== 'amount' || counts(at.line.window, at.entry.admittedMs, at.entry.storeMs))
        const forge = (line: EntryLine): EntryLine => {
          const wrong = structuredClone(line) as unknown as Record<string, Record<string, bigint>>
          if (where[1] === undefined) return { ...line, amount: line.amount + by }
          wrong[where[0]!]![where[1]]! += by
          return wrong as unknown as EntryLine
        }
        const said = await say({
          entries: all =>
            all.map(entry =>
              entry.seq === at.entry.seq ? { ...entry, lines: entry.lines.with(at.index, forge(entry.lines[at.index]!)) } : entry,
            ),
        })
        expect(said).toMatch(new RegExp(`^entry ${at.entry.seq} `))
      }),
      { numRuns: 1_500 },
    )
  })
})

type List = Awaited<ReturnType<LedgerReader['list']>>
type Shown = Extract<List, { kind: 'read' }>['value']['budgets'][number]['balance']
const forgeList = (page: List, forge: (balance: Shown) => Shown): List =>
  page.kind !== 'read'
    ? page
    : {
        ...page,
        value: {
          ...page.value,
          budgets: page.value.budgets.map(each => (each.key === ORGANISATION.key ? { ...each, balance: forge(each.balance) } : each)),
        },
      }

/** Signs of life for so many seconds: tombstones, which move nothing. */
function aliveFor(all: readonly LedgerEntry[], seconds: number): LedgerEntry[] {
  const { storeMs, seq } = all.at(-1)!
  return [
    ...all,
    ...Array.from({ length: seconds / 10 }, (_, index) => {
      const atMs = storeMs + (index + 1) * 10 * SECOND
      return { ...found(all, 'tombstoned'), id: mintId(atMs), seq: seq + index + 1, storeMs: atMs, admittedMs: atMs, lines: [] }
    }),
  ]
}
