import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConfigError } from '../src/config/values.ts'
import { FLAGS, parseConfig, splitAddress } from '../src/config.ts'
import { parseRedisUrl } from '../src/redis/address.ts'

describe('the configuration', () => {
  it('has the documented defaults', () => {
    expect(parseConfig([], {})).toMatchObject({
      policies: './policies',
      ledger: 'sqlite:./purser.db',
      grpcListen: '127.0.0.1:9002',
      httpListen: '127.0.0.1:9003',
      drainSeconds: 50,
      unbudgeted: 'allow',
      requireKey: false,
      trustedHeaders: [],
    })
  })

  it('takes flags over the environment over defaults', () => {
    const env = { PURSER_LEDGER_NAME: 'blue', PURSER_DRAIN_SECONDS: '7', PURSER_REQUIRE_KEY: 'true' }
    expect(parseConfig(['--ledger-name', 'green'], env)).toMatchObject({ ledgerName: 'green', drainSeconds: 7, requireKey: true })
  })

  it.each([
    [['--ledger', 'postgres://x'], /sqlite:FILE/],
    [['--drain-seconds', '-1'], /drain-seconds/],
    [['--drain-seconds', '1e3'], /whole number/],
    [['--grpc-listen', 'localhost'], /HOST:PORT/],
    [['--grpc-listen', '127.0.0.1:70000'], /HOST:PORT/],
    [['--grpc-listen', 'unix:purser.sock'], /absolute path/],
    [['--grpc-listen', 'unix:/run/'], /absolute path/],
    [['--grpc-listen', `unix:/${'x'.repeat(107)}`], /107 bytes/],
    [['--http-listen', 'unix:/run/purser.sock'], /HOST:PORT/],
    [['--unbudgeted', 'maybe'], /allow, deny/],
    [['--log-level', 'loud'], /trace, debug/],
    [['--nonsense'], /nonsense/],
    [['--trusted-headers', 'x-team,bad header'], /header names/],
    [['--ledger-name', 'a{b}'], /ledger-name/],
    [['--grpc-tls-cert', 'c.pem'], /go together/],
    [['--ledger', 'rediss://x', '--ledger-tls-key', 'k.pem'], /--ledger-tls-cert and --ledger-tls-key go together/],
    [['--ledger', 'redis://x', '--ledger-tls-ca', 'ca.pem'], /begins with rediss/],
    [['--ledger', 'redis+cluster://x', '--ledger-tls-cert', 'c.pem', '--ledger-tls-key', 'k.pem'], /begins with rediss/],
    [['--ledger-guarded', '1'], /only for a --ledger in Redis/],
    [['--ledger', 'redis://x', '--ledger-guarded', '11'], /ledger-guarded/],
  ])('refuses %j in a sentence', (args, message) => {
    expect(() => parseConfig(args, {})).toThrow(ConfigError)
    expect(() => parseConfig(args, {})).toThrow(message)
  })

  it.each(['redis://a:1', 'rediss://a', 'redis+sentinel://a,b/p', 'rediss+sentinel://a/p', 'redis+cluster://a,b', 'rediss+cluster://a'])(
    'takes the ledger %s',
    ledger => {
      const tls = ledger.startsWith('rediss') ? ['--ledger-tls-ca', 'ca.pem'] : []
      const config = parseConfig(['--ledger', ledger, '--ledger-guarded', '2', ...tls], {})
      expect(config).toMatchObject({ ledger, ledgerGuarded: 2, ledgerTlsCa: tls[1] ?? null, ledgerTlsCert: null })
    },
  )

  it('repeats no address of a ledger: it may hold a password', () => {
    for (const ledger of ['postgres://user:s3cret@host', 'redis+sentinal://user:s3cret@host/p', 's3cret'])
      expect(() => parseConfig([], { PURSER_LEDGER: ledger })).toThrow(
        expect.not.objectContaining({ message: expect.stringContaining('s3cret') }),
      )
  })

  it.each(['redis://$a:1/2', 'rediss://$a', 'redis+sentinel://$a,b/p', 'redis+cluster://$a,b:1'])('puts any password into %s', form => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), fc.constantFrom('', 'user@', 'a%40b@'), (password, login) => {
        const env = { PURSER_LEDGER: form.replace('$', () => login), PURSER_LEDGER_PASSWORD: password }
        const username = login === '' ? null : decodeURIComponent(login.slice(0, -1))
        const without = parseRedisUrl(env.PURSER_LEDGER)
        expect(parseRedisUrl(parseConfig([], env).ledger)).toEqual({
          ...without,
          ...{ username, password },
          ...(without.kind === 'sentinel' ? { sentinelUsername: username, sentinelPassword: password } : {}),
        })
      }),
    )
  })

  it.each(['sqlite:x.db', 'memory:', 'redis://user:s3cret@a', 'redis://:s3cret@a'])('puts no password into %s', ledger => {
    expect(() => parseConfig(['--ledger', ledger, '--ledger-password', 'other'], {})).toThrow(
      '--ledger-password: only for a --ledger in Redis whose address has no password',
    )
  })

  it('takes a Unix socket for Envoy', () => {
    expect(parseConfig(['--grpc-listen', 'unix:/run/purser/purser.sock'], {}).grpcListen).toBe('unix:/run/purser/purser.sock')
  })

  it('reads a list of headers', () => {
    expect(parseConfig(['--trusted-headers', 'X-Team, x-user'], {}).trustedHeaders).toEqual(['x-team', 'x-user'])
  })

  it('trusts no header that holds a secret, for partitions are kept in the ledger', () => {
    expect(() => parseConfig(['--trusted-headers', 'x-team,Authorization'], {})).toThrow('--trusted-headers authorization: holds a secret')
  })

  it('splits addresses', () => {
    expect(splitAddress('[::1]:80')).toEqual({ host: '::1', port: 80 })
    expect(splitAddress('0.0.0.0:9002')).toEqual({ host: '0.0.0.0', port: 9002 })
  })

  it('has help for every flag', () => {
    for (const { help } of Object.values(FLAGS)) expect(help).not.toBe('')
  })
})
