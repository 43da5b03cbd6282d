// The Redis ledger passes the contract of every store, on a real server.
import { afterAll, beforeAll } from 'vitest'
import { ledgerContract } from '../contract/ledger.ts'
import { makeRedis } from './make-redis.ts'
import { RedisServer } from './server.ts'

let server: RedisServer
beforeAll(async () => {
  server = await RedisServer.start()
})
afterAll(async () => server.stop())

ledgerContract('Redis', options => makeRedis(server)(options))
