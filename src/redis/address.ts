// The address of a ledger in Redis: one server, the primary that Sentinels name, or a Cluster. It connects to nothing and repeats no password.

export interface RedisNode {
  readonly host: string
  readonly port: number
}

interface Access {
  readonly username: string | null
  readonly password: string | null
  readonly tls: boolean
}

export type RedisAddress =
  | (Access & { readonly kind: 'single'; readonly node: RedisNode; readonly db: number })
  | (Access & {
      readonly kind: 'sentinel'
      readonly sentinels: readonly RedisNode[]
      /** What the Sentinels call the primary. */
      readonly primary: string
      readonly db: number
      readonly sentinelUsername: string | null
      readonly sentinelPassword: string | null
    })
  | (Access & { readonly kind: 'cluster'; readonly seeds: readonly RedisNode[] })

const REDIS_PORT = 6_379
const SENTINEL_PORT = 26_379
const FORMS = {
  single: 'redis://[user:password@]host[:port][/db]',
  sentinel: 'redis+sentinel://[user:password@]host[:port],…/PRIMARY[/db][?sentinelUser=…&sentinelPassword=…]',
  cluster: 'redis+cluster://[user:password@]host[:port],…',
} as const

/**
 * Reads the address of one server, of Sentinels or of a Cluster; with `rediss` for `redis`, over TLS. User, password and the
 * values after `?` are percent-encoded. Sentinels are asked with the same user and password unless the address gives theirs.
 * @throws Error that says what is wrong; the text is not repeated, it may hold a password.
 */
export function parseRedisUrl(text: string): RedisAddress {
  const scheme = /^([a-z+]*):\/\//.exec(text)?.[1]
  const [, secure, form] = /^redis(s?)(?:\+(sentinel|cluster))?$/.exec(scheme ?? '') ?? []
  if (secure === undefined) {
    throw new Error(`the address of Redis begins with none of redis:, redis+sentinel: and redis+cluster:; it is written ${FORMS.single}`)
  }
  const kind = form === 'sentinel' || form === 'cluster' ? form : 'single'
  const [, authority = '', path = '', query = '', rest = ''] = /^[^:]*:\/\/([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$/.exec(text) ?? []
  const wrong: Wrong = what => new Error(`the address of Redis ${what}; it is written ${FORMS[kind]}`)
  if (rest !== '' || (query !== '' && kind !== 'sentinel')) throw wrong('has parts that are not known (? or #)')

  const at = authority.lastIndexOf('@')
  const nodes = parseNodes(authority.slice(at + 1), kind === 'sentinel' ? SENTINEL_PORT : REDIS_PORT, wrong)
  const access = { ...parseLogin(authority.slice(0, Math.max(at, 0)), wrong), tls: secure === 's' }
  if (kind === 'single') {
    const [node, ...others] = nodes
    if (node === undefined) throw wrong('names no host')
    if (others.length > 0)
      throw new Error(`the address of Redis names several hosts; those are written ${FORMS.sentinel}, or ${FORMS.cluster}`)
    return { kind, node, ...access, db: parseDb(path.slice(1), wrong) }
  }
  if (kind === 'cluster') {
    if (path !== '' && path !== '/') throw wrong('has a path, and a Cluster has one database')
    return { kind, seeds: nodes, ...access }
  }
  const [primary = '', db = ''] = path.slice(1).split('/', 2)
  if (!/^[A-Za-z0-9._-]+$/.test(primary) || path.split('/').length > 3) throw wrong('does not say which primary the Sentinels name')
  return { kind, sentinels: nodes, primary, db: parseDb(db, wrong), ...access, ...parseSentinelLogin(query.slice(1), access, wrong) }
}

/** What the address leads to, for people: hosts and names, no user and no password. */
export function describeAddress(address: RedisAddress): string {
  if (address.kind === 'single') return `Redis at ${nodeText(address.node)}`
  if (address.kind === 'cluster') return `the Redis Cluster at ${address.seeds.map(nodeText).join(', ')}`
  return `the Redis primary ${address.primary} of the Sentinels at ${address.sentinels.map(nodeText).join(', ')}`
}

export const nodeText = ({ host, port }: RedisNode): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)

type Wrong = (what: string) => Error

function parseNodes(text: string, port: number, wrong: Wrong): RedisNode[] {
  if (text === '') throw wrong('names no host')
  return text.split(',').map(node => {
    const [, six, four, own] = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(node) ?? []
    const host = six ?? four
    if (host === undefined) throw wrong('has a host that cannot be read (what is special in a user or password is percent-encoded)')
    const number = own === undefined ? port : Number(own)
    if (number < 1 || number > 65_535) throw wrong('has a port that is none')
    return { host, port: number }
  })
}

function parseLogin(text: string, wrong: Wrong): { username: string | null; password: string | null } {
  const colon = text.indexOf(':')
  return {
    username: decoded(colon < 0 ? text : text.slice(0, colon), wrong),
    password: decoded(colon < 0 ? '' : text.slice(colon + 1), wrong),
  }
}

/** Theirs where it is given, also where it is given as empty; else that of Redis. */
function parseSentinelLogin(
  query: string,
  access: Access,
  wrong: Wrong,
): { sentinelUsername: string | null; sentinelPassword: string | null } {
  const given = new Map<string, string | null>()
  for (const part of query === '' ? [] : query.split('&')) {
    const [name = '', value = ''] = part.split('=', 2)
    if (name !== 'sentinelUser' && name !== 'sentinelPassword') throw wrong('has parts that are not known (after ?)')
    given.set(name, decoded(value, wrong))
  }
  if (given.size === 0) return { sentinelUsername: access.username, sentinelPassword: access.password }
  return { sentinelUsername: given.get('sentinelUser') ?? null, sentinelPassword: given.get('sentinelPassword') ?? null }
}

function parseDb(text: string, wrong: Wrong): number {
  if (!/^\d{0,4}$/.test(text)) throw wrong('has a path that is not the number of a database')
  return Number(text)
}

function decoded(part: string, wrong: Wrong): string | null {
  try {
    return part === '' ? null : decodeURIComponent(part)
  } catch {
    throw wrong('has a user or password that is not percent-encoded')
  }
}
