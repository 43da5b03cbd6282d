// The Redis ledger passes the contract of every store, on real servers: Redis, Valkey, and Redis over TLS as a user with the documented rights.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readScripts } from '../../src/redis/scripts.ts'
import { ledgerContract } from '../contract/ledger.ts'
import { DAY, line, reserveMove } from '../contract/moves.ts'
import { playSliding, STEADILY } from '../contract/sliding.ts'
import { certificateFiles } from '../envoy/certificate.ts'
import { asUser, documentedCommands, documentedUser, makeUser } from './documented-user.ts'
import { makeRedis } from './make-redis.ts'
import { RedisServer } from './server.ts'

describe('Redis', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await RedisServer.start()
  })
  afterAll(async () => server?.stop())
  ledgerContract('Redis', options => makeRedis(server)(options))

  it('keeps the fields of 61 buckets at most where charges come all the time', async () => {
    await playSliding(makeRedis(server), DAY, STEADILY)
    const keys = (await server.command('KEYS', `*:b:* ~${DAY}`)) as string[]
    const sizes = await Promise.all(keys.map(async key => Number(await server.command('HLEN', key))))
    const [figures, aBucket] = [10, 3]
    expect(Math.max(...sizes)).toBeLessThanOrEqual(figures + 61 * aBucket)
    expect(Math.max(...sizes)).toBeGreaterThan(61)
  })
})

describe('Valkey', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await RedisServer.start([], { program: 'valkey-server' })
  })
  afterAll(async () => server?.stop())
  ledgerContract('Valkey', options => makeRedis(server)(options))
})

describe('Redis over TLS, as the documented user', () => {
  const { cert, key, remove } = certificateFiles({ loopback: true })
  const tls = { ca: cert, cert, key }
  const words = documentedUser('ledger', 'fresh-*')
  let server: RedisServer
  const there = () => ({ url: asUser(server.url), tls })
  beforeAll(async () => {
    server = await RedisServer.start([], { tls })
    await makeUser(server, words)
    await server.command('ACL', 'SETUSER', 'default', '-@all', '+acl', '+info', '+config')
  })
  afterAll(async () => {
    await server?.stop()
    remove()
  })

  ledgerContract('Redis over TLS, as the documented user', options => makeRedis(there())(options))

  it('which may do all that scripts do, and nothing that neither they nor the contract have a use for', async () => {
    const documented = documentedCommands(words)
    const inScripts = Object.values(readScripts()).flatMap(({ text }) =>
      [...text.matchAll(/call\('([A-Z]+)'/g)].map(([, name]) => `${name}`.toLowerCase()),
    )
    expect(inScripts.filter(command => !documented.includes(command))).toEqual([])
    const ran = [...String(await server.command('INFO', 'commandstats')).matchAll(/^cmdstat_([^:]+):/gm)].map(([, name]) => name)
    expect(documented.filter(command => ![...inScripts, ...ran].includes(command))).toEqual([])
  })

  it('and may touch no key of another installation', async () => {
    const { ledger, close } = await makeRedis(there())({ streamMax: 100 })
    await makeUser(server, ['purser', 'resetkeys', '~{purser:another}*'])
    expect(await ledger.reserve(reserveMove(Date.now(), [line('a', 1n)]))).toMatchObject({
      kind: 'unavailable',
      why: expect.stringContaining('NOPERM'),
    })
    await close()
  })
})
