// Flags and environment become one frozen Config. The only reader of process.env; every flag has a PURSER_ twin, and flags win.
import { parseArgs } from 'node:util'
import { address, ConfigError, headerNames, logLevel, namespaceName, oneOf, pattern, socket, whole } from './config/values.ts'
import { LEDGER_STREAM_TOP } from './limits.ts'

/** Where a ledger is, and how to reach it. */
export interface LedgerPlace {
  readonly ledger: string
  readonly ledgerName: string
  readonly ledgerTlsCa: string | null
  readonly ledgerTlsCert: string | null
  readonly ledgerTlsKey: string | null
}

export interface Config extends LedgerPlace {
  readonly policies: string
  readonly ledgerStreamMax: number
  readonly ledgerGuarded: number
  readonly grpcListen: string
  readonly httpListen: string
  readonly defaultNamespace: string
  readonly requireKey: boolean
  readonly unbudgeted: 'allow' | 'deny'
  readonly trustedHeaders: readonly string[]
  readonly trustXfcc: boolean
  readonly jwtPayloadKey: string | null
  readonly httpTokenFile: string | null
  readonly drainSeconds: number
  readonly logLevel: string
  readonly grpcTlsCert: string | null
  readonly grpcTlsKey: string | null
  readonly grpcTlsClientCa: string | null
}

export interface Flag {
  readonly type: 'string' | 'boolean'
  readonly value: string
  readonly help: string
}

/** Every flag of `serve`: its default (empty for none) and one line of help. */
export const FLAGS: Readonly<Record<string, Flag>> = {
  policies: { type: 'string', value: './policies', help: 'folder of policy objects (YAML), or kubernetes' },
  ledger: {
    type: 'string',
    value: 'sqlite:./purser.db',
    help: 'sqlite:FILE, memory:, redis://HOST, redis+sentinel://HOST,HOST/PRIMARY, redis+cluster://HOST,HOST; rediss for TLS',
  },
  'ledger-password': {
    type: 'string',
    value: '',
    help: 'password of Redis, as it is, for an address without one; best given by its variable',
  },
  'ledger-name': { type: 'string', value: 'default', help: 'name of this installation inside a shared Redis' },
  'ledger-stream-max': { type: 'string', value: '200000', help: 'entries kept in the ledger stream of Redis; SQLite keeps 35 days' },
  'ledger-guarded': { type: 'string', value: '0', help: 'replicas of Redis that must have a reservation before a call leaves' },
  'ledger-tls-ca': { type: 'string', value: '', help: "PEM file: the CA of Redis's certificate; without it, those that Node trusts" },
  'ledger-tls-cert': { type: 'string', value: '', help: 'PEM file: certificate to show to Redis' },
  'ledger-tls-key': { type: 'string', value: '', help: 'PEM file: its key' },
  'grpc-listen': { type: 'string', value: '127.0.0.1:9002', help: 'HOST:PORT that Envoy calls, or unix:/PATH' },
  'http-listen': { type: 'string', value: '127.0.0.1:9003', help: 'HOST:PORT of health, metrics and /v1' },
  'default-namespace': { type: 'string', value: 'default', help: 'namespace of calls whose route names none' },
  'require-key': { type: 'boolean', value: '', help: 'refuse calls whose credential no AccessKey holds' },
  unbudgeted: { type: 'string', value: 'allow', help: 'allow or deny calls that no policy can bind' },
  'trusted-headers': { type: 'string', value: '', help: 'request headers that policies may use, comma-separated' },
  'trust-xfcc': { type: 'boolean', value: '', help: 'take the SPIFFE id from x-forwarded-client-cert' },
  'jwt-payload-key': { type: 'string', value: '', help: 'which verified payload holds the claims, where there are several' },
  'http-token-file': { type: 'string', value: '', help: 'file with the bearer token for /v1 beyond loopback' },
  'drain-seconds': { type: 'string', value: '50', help: 'how long open streams are metered on after SIGTERM' },
  'log-level': { type: 'string', value: 'info', help: 'trace, debug, info, warn, error or fatal' },
  'grpc-tls-cert': { type: 'string', value: '', help: 'PEM file: certificate of the gRPC server' },
  'grpc-tls-key': { type: 'string', value: '', help: 'PEM file: its key' },
  'grpc-tls-client-ca': { type: 'string', value: '', help: 'PEM file: the CA that client certificates must be signed by' },
}

/** Of `serve`, those that say where the ledger is: the commands beside it have the same. */
export const LEDGER_FLAGS: Readonly<Record<string, Flag>> = Object.fromEntries(
  Object.entries(FLAGS).filter(([name]) => /^ledger(-password|-name|-tls-.*)?$/.test(name)),
)

/** What a command beside `serve` was asked. */
export interface LedgerCommand {
  readonly place: LedgerPlace
  /** A flag of the command's own, or its default; empty for none. */
  readonly flag: (name: string) => string
  readonly positionals: readonly string[]
}

/** Reads the flags of a command that works on a ledger beside `serve`: those of the ledger, and its own. Throws {@link ConfigError}. */
export function parseLedgerCommand(
  command: string,
  own: Readonly<Record<string, Flag>>,
  args: readonly string[],
  env: Environment,
): LedgerCommand {
  const { text, positionals } = readFlags(args, env, { ...LEDGER_FLAGS, ...own }, command)
  const place = ledgerPlace(text)
  if (place.ledger === 'memory:') throw new ConfigError('--ledger memory: is inside the serve that has it; allowed here: SQLite and Redis')
  return { place, flag: text, positionals }
}

/** Flags as lines of a help text. */
export const flagLines = (flags: Readonly<Record<string, Flag>>): string =>
  Object.entries(flags)
    .map(([name, { type, value, help }]) => {
      const flag = `--${name}${type === 'string' ? ' VALUE' : ''}`
      return `  ${flag.padEnd(30)} ${help}${value === '' ? '' : ` (default ${value})`}\n`
    })
    .join('')

/** Reads `args` over `env` over the defaults. Throws {@link ConfigError} naming the flag. */
export function parseConfig(args: readonly string[], env: Environment): Config {
  const { text, positionals } = readFlags(args, env, FLAGS, 'serve')
  if (positionals.length > 0) throw new ConfigError(`'${positionals[0]}' is not a flag; see 'purser serve --help'`)
  const on = (name: string): boolean => oneOf(name, text(name) || 'false', ['true', 'false']) === 'true'
  const optional = (name: string): string | null => text(name) || null
  const config: Config = {
    policies: text('policies'),
    ...ledgerPlace(text),
    ledgerStreamMax: whole('ledger-stream-max', text('ledger-stream-max'), 100, LEDGER_STREAM_TOP),
    ledgerGuarded: whole('ledger-guarded', text('ledger-guarded'), 0, 10),
    grpcListen: socket('grpc-listen', text('grpc-listen')) ?? address('grpc-listen', text('grpc-listen')),
    httpListen: address('http-listen', text('http-listen')),
    defaultNamespace: namespaceName('default-namespace', text('default-namespace')),
    requireKey: on('require-key'),
    unbudgeted: oneOf('unbudgeted', text('unbudgeted'), ['allow', 'deny']) as 'allow' | 'deny',
    trustedHeaders: headerNames(text('trusted-headers')),
    trustXfcc: on('trust-xfcc'),
    jwtPayloadKey: optional('jwt-payload-key'),
    httpTokenFile: optional('http-token-file'),
    drainSeconds: whole('drain-seconds', text('drain-seconds'), 0, 3_600),
    logLevel: logLevel(text('log-level')),
    grpcTlsCert: optional('grpc-tls-cert'),
    grpcTlsKey: optional('grpc-tls-key'),
    grpcTlsClientCa: optional('grpc-tls-client-ca'),
  }
  if ((config.grpcTlsCert === null) !== (config.grpcTlsKey === null)) {
    throw new ConfigError('--grpc-tls-cert and --grpc-tls-key go together')
  }
  if (config.ledgerGuarded > 0 && !config.ledger.startsWith('redis'))
    throw new ConfigError('--ledger-guarded: only for a --ledger in Redis')
  return Object.freeze(config)
}

/** The process's environment, for main alone. */
// biome-ignore lint/style/noProcessEnv: this file is its one reader
export const processEnv: Environment = process.env

export type Environment = Readonly<Record<string, string | undefined>>

/** Splits `HOST:PORT`, with brackets around an IPv6 host; the text was checked by {@link parseConfig}. */
export function splitAddress(text: string): { readonly host: string; readonly port: number } {
  const at = text.lastIndexOf(':')
  return { host: text.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(text.slice(at + 1)) }
}

function readFlags(
  args: readonly string[],
  env: Environment,
  flags: Readonly<Record<string, Flag>>,
  command: string,
): { readonly text: (name: string) => string; readonly positionals: readonly string[] } {
  const options = Object.fromEntries(Object.entries(flags).map(([name, flag]) => [name, { type: flag.type }]))
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, strict: true, allowPositionals: true })
    const text = (name: string): string =>
      String(values[name] ?? env[`PURSER_${name.toUpperCase().replaceAll('-', '_')}`] ?? flags[name]?.value ?? '')
    return { text, positionals }
  } catch (error) {
    throw new ConfigError(`${error instanceof Error ? error.message.split('. ')[0] : error}; see 'purser ${command} --help'`)
  }
}

/** The text is not repeated: it may hold a password. */
function ledgerAddress(text: string): string {
  if (/^sqlite:.+/.test(text) || text === 'memory:' || /^rediss?(\+sentinel|\+cluster)?:\/\/.+/.test(text)) return text
  const allowed =
    'sqlite:FILE, memory:, redis://HOST:PORT, redis+sentinel://HOST,HOST/PRIMARY or redis+cluster://HOST,HOST, and rediss for TLS'
  throw new ConfigError(`--ledger: what is given is not a ledger; allowed: ${allowed}`)
}

/** A secret is kept as it is, an address holds it percent-encoded: whoever has both need not know how to make one of them. */
function withPassword(ledger: string, password: string): string {
  if (password === '') return ledger
  const [, scheme, login = '', rest] = /^(rediss?(?:\+[a-z]+)?:\/\/)(?:([^:@/]*)@)?([^@]*)$/.exec(ledger) ?? []
  if (scheme === undefined || rest === undefined) {
    throw new ConfigError('--ledger-password: only for a --ledger in Redis whose address has no password')
  }
  return `${scheme}${login}:${encodeURIComponent(password)}@${rest}`
}

function ledgerPlace(text: (name: string) => string): LedgerPlace {
  const optional = (name: string): string | null => text(name) || null
  const place = {
    ledger: withPassword(ledgerAddress(text('ledger')), text('ledger-password')),
    ledgerName: pattern('ledger-name', text('ledger-name'), /^[A-Za-z0-9._-]{1,64}$/, '1 to 64 letters, digits, dots, dashes'),
    ledgerTlsCa: optional('ledger-tls-ca'),
    ledgerTlsCert: optional('ledger-tls-cert'),
    ledgerTlsKey: optional('ledger-tls-key'),
  }
  const { ledger, ledgerTlsCa, ledgerTlsCert, ledgerTlsKey } = place
  if ((ledgerTlsCert === null) !== (ledgerTlsKey === null)) throw new ConfigError('--ledger-tls-cert and --ledger-tls-key go together')
  // A flag that would do nothing is a mistake: somebody counts on it.
  if ((ledgerTlsCa ?? ledgerTlsCert) !== null && !ledger.startsWith('rediss')) {
    throw new ConfigError('--ledger-tls-…: only for a --ledger over TLS, which begins with rediss')
  }
  return place
}
