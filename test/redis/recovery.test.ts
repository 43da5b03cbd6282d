// A server that lost writes: holders tell it again what they hold before anybody reserves on it, and what nobody accounts for is said.
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Balance, Line } from '../../src/core/reservation.ts'
import type { Ledger } from '../../src/ports.ts'
import { openRedisLedger } from '../../src/redis/ledger.ts'
import { systemClock, systemTimer } from '../../src/system.ts'
import { LIFETIME, line, reserveMove, settleMove } from '../contract/moves.ts'
import { Relay } from './relay.ts'
import { RedisServer } from './server.ts'

const ARGS = ['--appendonly', 'yes', '--appendfsync', 'always', '--repl-diskless-sync-delay', '0']
const BACK = { timeout: 5_000, interval: 20 }
const LINES: readonly Line[] = [line('a', 10n, { limit: 400n }), line('b', 10n, { limit: 100_000n, unit: 'Requests', window: LIFETIME })]

/** A replica of Purser, as far as the ledger knows it. */
interface Member {
  readonly ledger: Ledger
  readonly holder: ReturnType<typeof mintHolderOf>
  readonly faults: Record<string, unknown>[]
}
const mintHolderOf = (n: number) => `${n}`.padStart(32, '0') as Parameters<Ledger['beat']>[0]

let first: RedisServer
let second: RedisServer
let relay: Relay
let members: Member[]

beforeEach(async () => {
  first = await RedisServer.start(ARGS)
  second = await RedisServer.start(ARGS)
  await command(second, 'REPLICAOF', '127.0.0.1', `${first.port}`)
  await vi.waitFor(async () => expect(await command(second, 'INFO', 'replication')).toContain('master_link_status:up'), BACK)
  relay = await Relay.start(first.port)
  members = []
})
afterEach(async () => {
  for (const { ledger } of members) await ledger.close()
  await relay.stop()
  await first.stop()
  await second.stop()
})

async function command(server: RedisServer, name: string, ...args: string[]): Promise<string> {
  const redis = new Redis({ port: server.port, host: '127.0.0.1', protocol: 2 })
  try {
    return String(await redis.call(name, ...args))
  } finally {
    redis.disconnect()
  }
}

async function join(way: Relay = relay): Promise<Member> {
  const faults: Record<string, unknown>[] = []
  const telemetry = { fault: (what: string, fields: object) => void faults.push({ what, ...fields }), ledgerMemory: () => {} }
  const ledger = await openRedisLedger({
    url: way.url,
    name: 'moving',
    clock: systemClock,
    timer: systemTimer,
    streamMax: 1_000,
    telemetry,
  })
  const member = { ledger, holder: mintHolderOf(members.length + 1), faults }
  members.push(member)
  await ledger.beat(member.holder)
  return member
}

const reserveAs = ({ ledger, holder }: Member) => ledger.reserve({ ...reserveMove(Date.now(), LINES), holder })

async function admit(member: Member): Promise<Parameters<Ledger['settle']>[0]['id']> {
  const move = { ...reserveMove(Date.now(), LINES), holder: member.holder }
  expect((await member.ledger.reserve(move)).kind).toBe('reserved')
  return move.id
}

async function balances(ledger: Ledger): Promise<readonly (Balance | null)[]> {
  const read = await ledger.read(LINES)
  if (read.kind !== 'read') throw new Error(`the ledger is ${read.kind}`)
  return read.value
}

/** The second server is as far as the first, then hears no more of it, and later everybody is led to it. */
async function cut(): Promise<void> {
  await command(first, 'WAIT', '1', '1000')
  await vi.waitFor(async () => {
    const offset = async (server: RedisServer, field: string) =>
      new RegExp(`${field}:(\\d+)`).exec(await command(server, 'INFO', 'replication'))?.[1]
    expect(await offset(second, 'slave_repl_offset')).toBe(await offset(first, 'master_repl_offset'))
  }, BACK)
  await command(second, 'REPLICAOF', 'NO', 'ONE')
}

const promote = (): void => relay.point(second.port)
const isBack = (member: Member) => vi.waitFor(async () => expect((await reserveAs(member)).kind).toMatch(/reserved|refused/), BACK)
const recoveries = ({ faults }: Member) => faults.filter(({ what }) => what === 'the ledger was recovered')
const epoch = (server: RedisServer) => command(server, 'HGET', '{purser:moving}:meta', 'epoch')

describe('a promoted server', () => {
  it('that lost 31 acknowledged reserves is told them before it admits anything', async () => {
    const member = await join()
    for (let i = 0; i < 4; i++) await admit(member)
    await cut()
    for (let i = 0; i < 31; i++) await admit(member)
    promote()
    // 35 of 40 are reserved: five more fit, whoever comes first.
    const other = join()
    const late = await other
    const outcomes: string[] = []
    for (let i = 0; i < 8; i++) {
      await vi.waitFor(async () => {
        const { kind } = await reserveAs(i % 2 === 0 ? late : member)
        expect(kind).toMatch(/reserved|refused/)
        outcomes.push(kind)
      }, BACK)
    }
    expect(outcomes.filter(kind => kind === 'reserved')).toHaveLength(5)
    expect(await balances(late.ledger)).toMatchObject([{ reserved: 400n, available: 0n }, { reserved: 400n }])
    const told = [...recoveries(member), ...recoveries(late)]
    expect(told.length).toBeGreaterThan(0)
    expect(Math.max(...told.map(({ entriesLost }) => Number(entriesLost)))).toBe(31)
  })

  it('charges what was settled and lost, once, and gives back what was released', async () => {
    const member = await join()
    const kept = await admit(member)
    await cut()
    const ids = [await admit(member), await admit(member), await admit(member)] as const
    await member.ledger.settle({ ...settleMove({ id: ids[0], holder: member.holder }, LINES, [7n, 1n]) })
    await member.ledger.settle({ ...settleMove({ id: kept, holder: member.holder }, LINES, [3n, 1n]) })
    await member.ledger.release({ id: ids[1], holder: member.holder, lines: LINES, how: 'gone' })
    promote()
    await vi.waitFor(
      async () =>
        expect(await balances(member.ledger)).toMatchObject([
          { spent: 10n, reserved: 10n },
          { spent: 2n, reserved: 10n },
        ]),
      BACK,
    )
    await member.ledger.settle({ ...settleMove({ id: ids[2], holder: member.holder }, LINES, [10n, 1n]) })
    expect(await balances(member.ledger)).toMatchObject([
      { spent: 20n, reserved: 0n },
      { spent: 3n, reserved: 0n },
    ])
  })

  it('says what nobody accounts for where a holder died with its writes', async () => {
    const [member, dead] = [await join(), await join()]
    await cut()
    for (let i = 0; i < 3; i++) await admit(dead)
    await admit(member)
    await dead.ledger.close()
    promote()
    await isBack(member)
    expect(recoveries(member)).toMatchObject([
      { entriesLost: 4, toldAgain: 1, silentHolders: 1, largestUnaccounted: '30', budget: expect.stringContaining('default/p/') },
    ])
  })

  it('is told by one who was away during the recovery, when it is back', async () => {
    const [member, away] = [await join(), await join()]
    await cut()
    await admit(away)
    await admit(member)
    promote()
    await isBack(member)
    await vi.waitFor(async () => {
      await away.ledger.beat(away.holder)
      expect((await balances(member.ledger))[0]?.reserved).toBe(30n)
    }, BACK)
  })

  it('has its losses said by who comes after the recovery, for who was there may have died before saying them', async () => {
    const otherWay = await Relay.start(first.port)
    try {
      const [member, late] = [await join(), await join(otherWay)]
      await cut()
      await admit(late)
      await late.ledger.beat(late.holder)
      const gone = await join(otherWay)
      await admit(gone)
      await gone.ledger.close()
      promote()
      await isBack(member)
      expect(recoveries(late)).toEqual([])
      otherWay.point(second.port)
      await vi.waitFor(async () => {
        await late.ledger.beat(late.holder)
        expect(recoveries(late)).toMatchObject([{ entriesLost: expect.any(Number), toldAgain: 1, silentHolders: 1 }])
      }, BACK)
      expect(recoveries(late)[0]?.['entriesLost']).toBeGreaterThan(0)
    } finally {
      await otherWay.stop()
    }
  })
})

describe('while a recovery is on', () => {
  it('nothing is reserved, also by who had passed the fence before it began', async () => {
    const [member, dead] = [await join(), await join()]
    await dead.ledger.close()
    const runId = /run_id:(\w+)/.exec(await command(first, 'INFO', 'server'))?.[1] ?? ''
    const meta = '{purser:moving}:meta'
    const was = await epoch(first)
    const seq = await command(first, 'HGET', meta, 'seq')
    const began = {
      epoch: `${Date.now()}-${runId}`,
      was,
      began: seq,
      mode: 'recovering',
      until: `${Date.now() + 1_200}`,
      living: '0',
      server: runId,
    }
    await command(first, 'HSET', meta, ...Object.entries(began).flat())
    expect((await reserveAs(member)).kind).toBe('unavailable')
    expect(await command(first, 'HGET', meta, 'mode')).toBe('recovering')
    await isBack(member)
    expect(await command(first, 'HEXISTS', meta, 'mode')).toBe('0')
  })
})

describe('no recovery begins', () => {
  it('where one script differs, as in a rolling upgrade', async () => {
    const member = await join()
    await admit(member)
    const before = await epoch(first)
    const redis = new Redis({ port: first.port, host: '127.0.0.1', protocol: 2 })
    await redis.call('SCRIPT', 'LOAD', '#!lua\n-- another version\nreturn 1')
    redis.disconnect()
    relay.point(first.port)
    await isBack(member)
    await join()
    expect(await epoch(first)).toBe(before)
    expect(members.flatMap(recoveries)).toEqual([])
  })
})

describe('scripts that are gone', () => {
  it('begin a recovery in which nothing is lost', async () => {
    const [member, other] = [await join(), await join()]
    const id = await admit(member)
    await admit(other)
    const before = await epoch(first)
    await command(first, 'SCRIPT', 'FLUSH')
    await Promise.all([isBack(member), isBack(other)])
    expect(await epoch(first)).not.toBe(before)
    expect((await member.ledger.settle({ ...settleMove({ id, holder: member.holder }, LINES, [7n, 1n]) })).kind).toBe('settled')
    expect(members.flatMap(recoveries)).toEqual([])
  })

  it('of a server that was emptied begin one that brings back what is held', async () => {
    const member = await join()
    for (let i = 0; i < 5; i++) await admit(member)
    await command(first, 'FLUSHALL')
    await command(first, 'SCRIPT', 'FLUSH')
    await isBack(member)
    const [a] = await balances(member.ledger)
    expect(a?.reserved).toBe(60n)
  })
})
