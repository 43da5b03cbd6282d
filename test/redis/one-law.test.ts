// One law on all three stores: the model is the judge, and neither SQLite nor a real Redis can be told from it.
import { afterAll, beforeAll, it } from 'vitest'
import { makeSqlite } from '../contract/makers.ts'
import { makeModel } from '../contract/model.ts'
import { oneLaw } from '../contract/one-law.ts'
import { makeRedis } from './make-redis.ts'
import { RedisServer } from './server.ts'

let server: RedisServer
beforeAll(async () => {
  server = await RedisServer.start()
})
afterAll(async () => server.stop())

it('the model, SQLite and Redis answer every command list alike, entry by entry', async () => {
  const reached = ['settle: settled', 'adjust: adjusted', 'observe: observed']
  await oneLaw({ model: makeModel, sqlite: makeSqlite, redis: makeRedis(server) }, { runs: 20, commands: 60, reached })
})

it('the model and Redis alike on many more, re-assertion among them', async () => {
  const reached = [
    ...['settled-over', 'settled-late', 'raised'].map(kind => `settle: ${kind}`),
    ...['reasserted', 'arrears', 'already-settled'].map(kind => `unseen: ${kind}`),
    ...['adjusted', 'already-adjusted', 'still-open', 'not-in-suspense', 'no-money', 'forgotten'].map(kind => `adjust: ${kind}`),
    ...['reasserted', 'exists', 'forgotten'].map(kind => `reassert: ${kind}`),
    ...['again: exists', 'observe: observed', 'find: found', 'acknowledge: acknowledged', 'entry: presented'],
  ]
  await oneLaw({ model: makeModel, redis: makeRedis(server) }, { runs: 120, commands: 80, reached })
})
