// What a real Redis is asked beyond one script, and what is left in it: pages of many balances, and keys that must go with their records.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { DAY, holder, line, MINUTE, mintId, reserveMove, settleMove } from '../contract/moves.ts'
import { makeRedis } from './make-redis.ts'
import { RedisServer } from './server.ts'

let server: RedisServer
beforeAll(async () => {
  server = await RedisServer.start()
})
afterAll(async () => server.stop())

it('lists more balances than one step may read, in pages that are of one step each', async () => {
  const { ledger, nowMs, close } = await makeRedis(server)({ streamMax: 10_000 })
  const now = await nowMs()
  const names = Array.from({ length: 1_234 }, (_, index) => `b${`${index}`.padStart(5, '0')}`)
  for (let at = 0; at < names.length; at += 60) {
    const lines = names.slice(at, at + 60).map(name => line(name, 1n))
    expect(await ledger.reserve(reserveMove(now, lines))).toMatchObject({ kind: 'reserved' })
  }
  const listed: string[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page = await ledger.list({ prefix: 'B', cursor, count: 1_000 })
    if (page.kind !== 'read') throw new Error(`a list answered ${page.kind}`)
    expect(page.seq).toBe(21)
    expect(page.value.budgets.length).toBeLessThanOrEqual(512)
    listed.push(...page.value.budgets.map(({ key }) => key))
    cursor = page.value.next
  }
  expect(listed).toEqual(names.map(name => line(name, 1n).key).sort())
  const read = await ledger.read(names.map(name => line(name, 1n)))
  expect(read.kind === 'read' && read.value.every(balance => balance?.reserved === 1n)).toBe(true)
  await close()
})

it('forgets a response with its record, and not the one that has it by then', async () => {
  const { ledger, advance, nowMs, close } = await makeRedis(server)({ streamMax: 10_000 })
  const left = async (): Promise<unknown> => server.command('KEYS', '*:x:*')
  const [one, two] = ['1'.repeat(64), '2'.repeat(64)]
  const lines = [line('a', 1n)]
  const settle = async (proven: boolean, response: string): Promise<string> => {
    const id = mintId(await nowMs())
    await ledger.settle({ ...settleMove({ id, holder: holder(1) }, lines, [1n], proven), response })
    return id
  }
  await settle(true, one)
  await settle(true, two)
  const later = await settle(false, two)
  expect(await left()).toHaveLength(2)
  await advance(20 * MINUTE)
  await ledger.sweep()
  expect(await left()).toHaveLength(1)
  expect(await ledger.findByResponse(one)).toMatchObject({ value: null })
  expect(await ledger.findByResponse(two)).toMatchObject({ value: { id: later, lines } })
  await advance(DAY)
  await ledger.sweep()
  expect(await left()).toEqual([])
  await close()
})
