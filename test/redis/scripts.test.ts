// The arithmetic of the scripts, in a real Redis: exact on the whole range of 64-bit integers; and where that range ends, nothing moves.
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Line } from '../../src/core/reservation.ts'
import { MOVES, readScripts, sharedText } from '../../src/redis/scripts.ts'
import { HOUR, line, MINUTE, reserveMove, SECOND, settleMove } from '../contract/moves.ts'
import { makeRedis } from './make-redis.ts'
import { RedisServer } from './server.ts'

let server: RedisServer
let redis: Redis
beforeAll(async () => {
  server = await RedisServer.start()
  redis = new Redis({ host: '127.0.0.1', port: server.port, protocol: 2 })
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

/** Runs `body` after what all moves share. */
const lua = (body: string, args: readonly string[]): Promise<unknown> =>
  redis.eval(`${sharedText()}\n${body}`, 9, ...Array.from({ length: 9 }, (_, index) => `{t}:${index}meta`), ...args)

const TOP = 2n ** 62n
const EDGES = [0n, 1n, 10n ** 9n - 1n, 10n ** 9n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 10n ** 18n, TOP].flatMap(edge => [edge, -edge])
const whole = fc.oneof(fc.constantFrom(...EDGES), fc.bigInt(-TOP, TOP), fc.bigInt(-2_000_000_000n, 2_000_000_000n))
const amount = fc.oneof(fc.constantFrom(0n, 1n, 2n ** 53n - 1n), fc.bigInt(0n, 2n ** 53n - 1n), fc.bigInt(0n, 1_000n))

it('adds and subtracts decimal strings exactly', async () => {
  await fc.assert(
    fc.asyncProperty(whole, whole, async (a, b) => {
      const answers = await lua('return { sum(ARGV[1], 1, ARGV[2], 1), sum(ARGV[1], -1, ARGV[2], 1) }', [`${a}`, `${b}`])
      expect(answers).toEqual([`${a + b}`, `${b - a}`])
    }),
    { numRuns: 500 },
  )
})

it('compares and subtracts amounts exactly, and never finds room that is not there', async () => {
  await fc.assert(
    fc.asyncProperty(whole, amount, amount, async (left, a, b) => {
      const body = "return { minus(ARGV[2], ARGV[3]), isLess(ARGV[2], ARGV[3]) and '1' or '0', atLeast(ARGV[1], ARGV[2]) and '1' or '0' }"
      const expected = [`${a - b}`, a < b ? '1' : '0', left >= a ? '1' : '0']
      expect(await lua(body, [`${left}`, `${a}`, `${b}`])).toEqual(expected)
    }),
    { numRuns: 500 },
  )
})

it('orders versions as whole tuples', async () => {
  const part = fc.oneof(fc.nat({ max: 2 }), fc.constantFrom(9, 10, 1_767_225_600_000))
  const version = fc.tuple(part, part, part)
  await fc.assert(
    fc.asyncProperty(version, version, async (a, b) => {
      const first = a.map((value, index) => value - (b[index] ?? 0)).find(difference => difference !== 0) ?? 0
      const answer = await lua('return int(compareVersions(ARGV[1], ARGV[2]))', [a.join(' '), b.join(' ')])
      expect(Math.sign(Number(answer))).toBe(Math.sign(first))
    }),
    { numRuns: 200 },
  )
})

it('moves nothing where a balance would leave the range of 64-bit integers', async () => {
  const { ledger, nowMs, close } = await makeRedis(server)({ streamMax: 100 })
  const soft = line('a', 2n ** 53n - 1n, { hard: false })
  const now = await nowMs()
  const outcomes = await Promise.all(Array.from({ length: 1_000 }, () => ledger.reserve(reserveMove(now, [soft]))))
  const kinds = outcomes.map(({ kind }) => kind)
  const admitted = kinds.indexOf('out-of-bounds')
  expect(admitted).toBeGreaterThan(800)
  expect(kinds.slice(admitted).every(kind => kind === 'out-of-bounds')).toBe(true)
  const balance = { reserved: BigInt(admitted) * soft.amount, spent: 0n, available: 1_000n - BigInt(admitted) * soft.amount }
  expect(await ledger.read([soft])).toMatchObject({ value: [balance] })
  const unseen = settleMove(reserveMove(now, [soft]), [soft], [soft.amount])
  expect(await ledger.settle(unseen)).toMatchObject({ kind: 'out-of-bounds' })
  expect(await ledger.read([soft])).toMatchObject({ value: [balance] })
  await close()
})

it('ends a reservation all the same where what was observed would leave that range: charged what it reserved', async () => {
  const { ledger, advance, nowMs, close } = await makeRedis(server)({ streamMax: 100 })
  const [soft, none] = [2n ** 53n - 1n, 0n].map(amount => line('a', amount, { hard: false, unit: 'USD' })) as [Line, Line]
  const now = await nowMs()
  const last = reserveMove(now, [none], { deadlineMs: now + MINUTE })
  expect(await ledger.reserve(last)).toMatchObject({ kind: 'reserved' })
  const outcomes = await Promise.all(
    Array.from({ length: 1_000 }, () => ledger.reserve(reserveMove(now, [soft], { deadlineMs: now + HOUR }))),
  )
  const reserved = BigInt(outcomes.filter(({ kind }) => kind === 'reserved').length) * soft.amount
  expect(await ledger.observe({ holder: last.holder, progress: [{ id: last.id, amounts: [soft.amount] }] })).toMatchObject({ observed: 1 })
  await advance(MINUTE + SECOND)
  await ledger.beat(last.holder)
  expect(await ledger.sweep()).toMatchObject({ kind: 'swept', expired: 1 })
  expect(await ledger.read([soft])).toMatchObject({ value: [{ reserved, spent: 0n, suspense: 0n, available: 1_000n - reserved }] })
  const adjust = { adjustId: 'a'.repeat(32), id: last.id, reason: 'a bill', actual: soft.amount }
  expect(await ledger.adjust(adjust)).toMatchObject({ kind: 'out-of-bounds' })
  await close()
})

it('gives every move its flags: at the end of memory everything goes on but reserving', () => {
  const flags = Object.entries(readScripts()).map(([move, { text }]) => [move, text.slice(0, text.indexOf('\n'))])
  const goesOn = MOVES.filter(move => move !== 'reserve' && move !== 'read').map(move => [move, '#!lua flags=allow-oom'])
  expect(Object.fromEntries(flags)).toEqual({ reserve: '#!lua', read: '#!lua flags=no-writes', ...Object.fromEntries(goesOn) })
})
