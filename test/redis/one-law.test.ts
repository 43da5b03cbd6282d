// One law on all three stores: the memory ledger is the model, and neither SQLite nor a real Redis can be told from it.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makeMemory, makeSqlite } from '../contract/makers.ts'
import { oneLaw } from '../contract/one-law.ts'
import { makeRedis } from './make-redis.ts'
import { RedisServer } from './server.ts'

let server: RedisServer
beforeAll(async () => {
  server = await RedisServer.start()
})
afterAll(async () => server.stop())

it('memory, SQLite and Redis answer every command list alike, entry by entry', async () => {
  const seen = await oneLaw({ memory: makeMemory, sqlite: makeSqlite, redis: makeRedis(server) }, { runs: 25, commands: 60, entries: true })
  expect(seen.get('settle: settled') ?? 0).toBeGreaterThan(0)
})

it('memory and Redis alike on many more', async () => {
  const seen = await oneLaw({ memory: makeMemory, redis: makeRedis(server) }, { runs: 100, commands: 80, entries: true })
  for (const outcome of ['settle: settled-over', 'settle: settled-late', 'settle: raised', 'unseen: reasserted', 'again: exists'])
    expect(seen.get(outcome) ?? 0, outcome).toBeGreaterThan(0)
})
