// Addresses: what is written is what is read, whatever a password holds; and no error ever repeats one.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { describeAddress, nodeText, parseRedisUrl } from '../../src/redis/address.ts'

const host = fc.oneof(fc.constantFrom('localhost', 'redis.default.svc.cluster.local', '127.0.0.1', '::1', 'fd00::a:1'), fc.domain())
const node = fc.record({ host, port: fc.integer({ min: 1, max: 65_535 }) })
const nodes = fc.array(node, { minLength: 1, maxLength: 5 })
const word = fc.option(fc.string({ unit: 'grapheme', minLength: 1 }), { nil: null })
const login = fc.record({ username: word, password: word })
const db = fc.integer({ min: 0, max: 9_999 })
const tls = fc.boolean()

const encoded = (text: string | null): string => (text === null ? '' : encodeURIComponent(text))
const written = (user: { username: string | null; password: string | null }): string =>
  user.username === null && user.password === null ? '' : `${encoded(user.username)}:${encoded(user.password)}@`
const scheme = (secure: boolean, form = ''): string => `redis${secure ? 's' : ''}${form}://`

describe('an address', () => {
  it('of one server is read as it was written', () => {
    fc.assert(
      fc.property(node, login, db, tls, (server, user, number, secure) => {
        const url = `${scheme(secure)}${written(user)}${nodeText(server)}/${number}`
        expect(parseRedisUrl(url)).toEqual({ kind: 'single', node: server, ...user, db: number, tls: secure })
      }),
    )
  })

  it('of Sentinels is read as it was written, with a user of theirs or the same one', () => {
    fc.assert(
      fc.property(nodes, login, fc.option(login, { nil: null }), db, tls, (sentinels, user, theirs, number, secure) => {
        const query = theirs === null ? '' : `?sentinelUser=${encoded(theirs.username)}&sentinelPassword=${encoded(theirs.password)}`
        const url = `${scheme(secure, '+sentinel')}${written(user)}${sentinels.map(nodeText).join(',')}/my-primary/${number}${query}`
        const { username, password } = theirs ?? user
        const login = { sentinelUsername: username, sentinelPassword: password }
        expect(parseRedisUrl(url)).toEqual({
          kind: 'sentinel',
          sentinels,
          primary: 'my-primary',
          db: number,
          ...user,
          ...login,
          tls: secure,
        })
      }),
    )
  })

  it('of a Cluster is read as it was written', () => {
    fc.assert(
      fc.property(nodes, login, tls, (seeds, user, secure) => {
        const url = `${scheme(secure, '+cluster')}${written(user)}${seeds.map(nodeText).join(',')}`
        expect(parseRedisUrl(url)).toEqual({ kind: 'cluster', seeds, ...user, tls: secure })
      }),
    )
  })

  it('has the usual ports and database 0 where it names none', () => {
    expect(parseRedisUrl('redis://a')).toMatchObject({ node: { host: 'a', port: 6379 }, db: 0, username: null, password: null })
    expect(parseRedisUrl('redis+sentinel://a,[::1]:7/p')).toMatchObject({ sentinels: [{ port: 26379 }, { host: '::1', port: 7 }], db: 0 })
    expect(parseRedisUrl('redis+cluster://a,b/')).toMatchObject({ seeds: [{ port: 6379 }, { port: 6379 }] })
  })

  it('is told to people without its user and password', () => {
    fc.assert(
      fc.property(fc.constantFrom('', '+sentinel', '+cluster'), login, (form, user) => {
        const url = `${scheme(false, form)}${written(user)}host${form === '+sentinel' ? '/name' : ''}`
        expect(describeAddress(parseRedisUrl(url))).toBe(describeAddress(parseRedisUrl(url.replace(written(user), ''))))
      }),
    )
  })
})

describe('an address that cannot be used', () => {
  it.each([
    ['', 'begins with none of'],
    ['http://127.0.0.1', 'begins with none of'],
    ['redis+ring://127.0.0.1', 'begins with none of'],
    ['redis://', 'names no host'],
    ['redis+cluster:///', 'names no host'],
    ['redis://a,b', 'names several hosts'],
    ['redis://127.0.0.1/zero', 'number of a database'],
    ['redis://127.0.0.1:0', 'a port that is none'],
    ['redis://127.0.0.1:65536', 'a port that is none'],
    ['redis://127.0.0.1?x=1', 'not known'],
    ['redis://127.0.0.1#x', 'not known'],
    ['redis://user:half/a/password@127.0.0.1', 'percent-encoded'],
    ['redis://%zz:x@127.0.0.1', 'percent-encoded'],
    ['redis+sentinel://127.0.0.1', 'which primary'],
    ['redis+sentinel://127.0.0.1/a/0/b', 'which primary'],
    ['redis+sentinel://127.0.0.1/a/b', 'number of a database'],
    ['redis+sentinel://127.0.0.1/a?password=x', 'not known'],
    ['redis+cluster://127.0.0.1/1', 'one database'],
  ])('%j is refused in a sentence', (url, why) => {
    expect(() => parseRedisUrl(url)).toThrow(why)
  })

  it('is never repeated', () => {
    const secret = 'c0rrect-horse'
    const around = fc.string({
      unit: fc.constantFrom('redis', 's', '+sentinel', '+cluster', ':', '/', '@', ',', '?', '#', '%', '[', ']', 'a', '1', '='),
    })
    fc.assert(
      fc.property(around, around, (before, after) => {
        try {
          parseRedisUrl(`${before}${secret}${after}`)
        } catch (error) {
          expect(String(error)).not.toContain(secret)
        }
      }),
      { numRuns: 1_000 },
    )
  })
})
