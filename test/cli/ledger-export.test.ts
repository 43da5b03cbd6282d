// Exports: events as CloudEvents readers expect them, what is acknowledged and when, gaps, readers that go away.
import { expect, it } from 'vitest'
import { ledger as ledgerCommand } from '../../src/cli/ledger.ts'
import type { Ledger, LedgerReader } from '../../src/ports.ts'
import { makeMemory } from '../contract/makers.ts'
import { line, reserveMove } from '../contract/moves.ts'
import { type Scene, scene } from '../contract/scene.ts'
import { playStory } from '../contract/story.ts'
import { runOn } from './tools.ts'

interface Exported {
  readonly code: number
  readonly lines: readonly string[]
  readonly err: string
}

interface Options {
  readonly write?: (text: string) => Promise<void>
  readonly signal?: AbortSignal
  readonly isFile?: boolean
  readonly reader?: LedgerReader
}

async function run(ledger: Ledger, args: readonly string[], { isFile, ...options }: Options = {}): Promise<Exported> {
  const env = { PURSER_LEDGER_NAME: 'spring', PURSER_LEDGER: isFile === true ? 'sqlite:x' : 'redis://x' }
  const { code, out, err } = await runOn(ledger, ledgerCommand, ['export', ...args], { env, ...options })
  return { code, lines: out.split('\n').slice(0, -1), err }
}

const exported = async (ledger: Ledger): Promise<number> => {
  const asked = await ledger.acknowledge(0)
  if (asked.kind !== 'acknowledged') throw new Error(asked.kind)
  return asked.seq
}
const seqs = ({ lines }: Exported): number[] => lines.map(each => JSON.parse(each).data.seq)
const numbers = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index)
const write = async ({ ledger, now }: Scene, count: number): Promise<void> => {
  for (let each = 0; each < count; each += 1) await ledger.reserve(reserveMove(await now(), [line('a', 1n, { limit: 1_000_000n })]))
}

it('writes each entry as one CloudEvent in JSON, with budgets, amounts and times in words', () =>
  scene(makeMemory, async at => {
    await playStory(at)
    const all = await at.entries()
    const ran = await run(at.ledger, [])
    expect(ran.code).toBe(0)
    expect(seqs(ran)).toEqual(numbers(1, all.length))
    const events = ran.lines.map(each => JSON.parse(each))
    for (const [index, event] of events.entries()) {
      const { seq, what, id } = all[index]!
      const about = id === '' ? {} : { subject: id }
      expect(event).toMatchObject({
        specversion: '1.0',
        id: `spring/${seq}`,
        source: '/purser/ledgers/spring',
        type: `dev.purser.ledger.${what}`,
        ...about,
      })
      expect(event.time).toMatch(/^2026-05-14T\d\d:\d\d:\d\d\.\d{3}Z$/)
      // Attributes of CloudEvents are lower-case letters and digits alone.
      for (const name of Object.keys(event)) expect(name).toMatch(/^[a-z0-9]{1,20}$/)
    }
    const over = events.find(each => each.type === 'dev.purser.ledger.settled-over')
    expect(over.data).toMatchObject({ reservation: over.subject, admitted: '2026-05-14T10:15:00.500Z', how: 'test', adjustment: null })
    expect(over.data.lines[0]).toEqual({
      budget: {
        key: 'BudgetPolicy|default|teams|organisation|USD|lifetime',
        scope: 'BudgetPolicy',
        namespace: 'default',
        policy: 'teams',
        limit: 'organisation',
        unit: 'USD',
        window: 'lifetime',
        partition: [],
      },
      window: { kind: 'lifetime' },
      amount: '0.00000007',
      hard: true,
      moved: { reserved: '-0.00000004', spent: '0.00000007', suspense: '0', overrun: '0.00000003' },
      balance: {
        limit: '0.000001',
        available: '0.000000775',
        reserved: '0.00000011',
        spent: '0.000000115',
        suspense: '0',
        overrun: '0.00000003',
      },
    })
    expect(over.data.lines.map((each: { window: object }) => each.window)).toEqual([
      { kind: 'lifetime' },
      { kind: 'calendar', start: '2026-05-14T10:00:00.000Z', end: '2026-05-14T11:00:00.000Z' },
      { kind: 'sliding', seconds: 60 },
      { kind: 'inFlight' },
    ])
    const adjusted = events.find(each => each.type === 'dev.purser.ledger.adjusted')
    expect(adjusted.data).toMatchObject({ how: null, adjustment: { id: 'ad'.padStart(32, '0'), reason: 'the invoice' } })
    expect(await exported(at.ledger)).toBe(all.length)
  }))

it('goes on from what is acknowledged, or from where it is told', () =>
  scene(
    makeMemory,
    async at => {
      await write(at, 1_100)
      expect(seqs(await run(at.ledger, []))).toEqual(numbers(1, 1_100))
      expect(seqs(await run(at.ledger, []))).toEqual([])
      await write(at, 3)
      expect(seqs(await run(at.ledger, ['--since=acknowledged']))).toEqual([1_101, 1_102, 1_103])
      expect(seqs(await run(at.ledger, ['--since', '1100']))).toEqual([1_101, 1_102, 1_103])
      expect(seqs(await run(at.ledger, ['--since', 'start']))).toEqual(numbers(1, 1_103))
      expect(await exported(at.ledger)).toBe(1_103)
      expect(await run(at.ledger, ['--since', '2000'])).toMatchObject({
        code: 2,
        err: 'purser: --since 2000: the last entry of this ledger is 1103\n',
      })
      expect(await run(at.ledger, ['--since', 'monday'])).toMatchObject({
        code: 2,
        err: 'purser: --since monday: allowed: a number, start or acknowledged\n',
      })
    },
    100_000,
  ))

it('acknowledges nothing that was not written, and says how far it came', () =>
  scene(
    makeMemory,
    async at => {
      await write(at, 1_200)
      let writes = 0
      const closing = async (): Promise<void> => {
        writes += 1
        if (writes === 2) throw Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })
        expect(await exported(at.ledger)).toBe(0)
      }
      const ran = await run(at.ledger, [], { write: closing })
      expect(ran).toMatchObject({ code: 1, err: 'the output was closed (EPIPE): everything up to entry 500 was written\n' })
      expect(await exported(at.ledger)).toBe(500)
      expect(seqs(await run(at.ledger, []))).toEqual(numbers(501, 1_200))
    },
    100_000,
  ))

it('says what was cut before it was exported, and exits 3', () =>
  scene(
    makeMemory,
    async at => {
      await write(at, 150)
      const ran = await run(at.ledger, [])
      expect(seqs(ran)).toEqual(numbers(51, 150))
      expect(ran).toMatchObject({
        code: 3,
        err: expect.stringContaining('entries 1 to 50 are missing: they were cut from the stream before they were exported\n'),
      })
      expect((await run(at.ledger, ['--since', 'start'])).code).toBe(0)
      expect((await run(at.ledger, ['--since', '20'])).code).toBe(3)
      expect((await run(at.ledger, [])).code).toBe(0)
    },
    100,
  ))

it('only reads a file, and says so', () =>
  scene(makeMemory, async at => {
    await write(at, 10)
    const ran = await run(at.ledger, [], { isFile: true })
    expect(ran).toMatchObject({
      code: 0,
      err: '10 entries exported, the last is 10; SQLite is only read, nothing is acknowledged: go on with --since 10\n',
    })
    expect(await exported(at.ledger)).toBe(0)
    expect(seqs(await run(at.ledger, ['--since', '8'], { isFile: true }))).toEqual([9, 10])
    expect((await run(at.ledger, ['--since', 'acknowledged'], { isFile: true })).code).toBe(2)
  }))

it('follows until it is stopped, through an outage that it names once', () =>
  scene(makeMemory, async at => {
    const controller = new AbortController()
    let failures = 0
    let seen = 0
    const reader: LedgerReader = {
      ...at.ledger,
      entries: async query => {
        if (query.afterSeq === 4 && failures < 2) {
          failures += 1
          return { kind: 'unavailable', why: 'Redis at 127.0.0.1:1 is away' }
        }
        return at.ledger.entries(query)
      },
    }
    await write(at, 4)
    const done = run(at.ledger, ['--follow'], {
      reader,
      signal: controller.signal,
      write: async text => {
        seen += text.trim().split('\n').length
        if (seen === 4) await write(at, 2)
        if (seen === 6) controller.abort()
      },
    })
    const ran = await done
    expect(seqs(ran)).toEqual([1, 2, 3, 4, 5, 6])
    expect(ran).toMatchObject({
      code: 0,
      err: 'Redis at 127.0.0.1:1 is away; trying again\n6 entries exported, the last is 6; acknowledged up to entry 6\n',
    })
    expect(failures).toBe(2)
  }))

it('ends with the fault of a ledger that does not answer', () =>
  scene(makeMemory, async at => {
    await write(at, 4)
    const away = async () => ({ kind: 'unavailable', why: 'Redis is away' }) as const
    expect(await run({ ...at.ledger, acknowledge: away }, [])).toMatchObject({
      code: 1,
      lines: [],
      err: expect.stringContaining('purser: Redis is away\n'),
    })
    expect(await run(at.ledger, [], { reader: { ...at.ledger, entries: away } })).toMatchObject({ code: 1, lines: [] })
  }))
