// TLS to a real Redis: the CA, our certificate, and the server's name are all looked at, and what is wrong is said without a password.
import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Ledger } from '../../src/ports.ts'
import { parseRedisUrl } from '../../src/redis/address.ts'
import { clientOptions, type TlsFiles } from '../../src/redis/client-options.ts'
import { ClusterNodes } from '../../src/redis/cluster-nodes.ts'
import { openRedisLedger } from '../../src/redis/ledger.ts'
import { systemClock, systemTimer } from '../../src/system.ts'
import { line, reserveMove } from '../contract/moves.ts'
import { certificateFiles } from '../envoy/certificate.ts'
import { RedisServer } from './server.ts'

const system = { clock: systemClock, timer: systemTimer }
const server = certificateFiles()
const stranger = certificateFiles()
const FILES: TlsFiles = { ca: server.cert, cert: server.cert, key: server.key }

let redis: RedisServer
beforeAll(async () => {
  redis = await RedisServer.start([], { tls: { ca: server.cert, cert: server.cert, key: server.key } })
})
afterAll(async () => {
  await redis?.stop()
  server.remove()
  stranger.remove()
})

/** By a host that the certificate names, or one that it does not. */
const open = (tls: TlsFiles, host = 'localhost'): Promise<Ledger> =>
  openRedisLedger({ url: `rediss://someone:s3cret@${host}:${redis.port}`, name: 'tls', ...system, streamMax: 100, tls })

it('admits over TLS with a certificate of its own', async () => {
  await redis.command('ACL', 'SETUSER', 'someone', 'on', '>s3cret', '~*', '+@all')
  const ledger = await open(FILES)
  expect((await ledger.reserve(reserveMove(Date.now(), [line('a', 1n)]))).kind).toBe('reserved')
  await ledger.close()
})

it.each<[string, TlsFiles, string, RegExp]>([
  ['a host that the certificate does not name', FILES, '127.0.0.1', /does not match certificate's altnames/],
  ['a CA that did not sign it', { ...FILES, ca: stranger.cert }, 'localhost', /self-signed certificate|unable to verify/],
  ['no CA of its own', { ...FILES, ca: null }, 'localhost', /self-signed certificate|unable to verify/],
  [
    'a file that is not there',
    { ...FILES, ca: '/nowhere/ca.pem' },
    'localhost',
    /cannot read the TLS CA of the ledger, \/nowhere\/ca\.pem/,
  ],
  ['a key of another certificate', { ...FILES, key: stranger.key }, 'localhost', /TLS files .* cannot be used/],
])('refuses %s', async (_, files, host, why) => {
  const opening = open(files, host)
  await expect(opening).rejects.toThrow(why)
  await expect(opening).rejects.not.toThrow('s3cret')
})

it('speaks to no server without TLS', async () => {
  const plain = await RedisServer.start()
  const url = `rediss://localhost:${plain.port}`
  await expect(openRedisLedger({ url, name: 'tls', ...system, streamMax: 100, tls: FILES })).rejects.toThrow(/cannot be used/)
  await plain.stop()
})

it('reads the files again for every connection', () => {
  const files = certificateFiles()
  const { tls } = clientOptions(parseRedisUrl('rediss://localhost'), { ca: files.cert, cert: null, key: null }, new ClusterNodes([]))
  const ca = () => String(Object.assign({}, tls).ca)
  const before = ca()
  writeFileSync(files.cert, 'another')
  expect([before.startsWith('-----BEGIN'), ca()]).toEqual([true, 'another'])
  files.remove()
})
