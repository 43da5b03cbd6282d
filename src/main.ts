// The composition root: the only file that names every adapter. Reads the command, opens what it needs, and passes the wiring on.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { check } from './cli/check.ts'
import { demo } from './cli/demo.ts'
import { ledger } from './cli/ledger.ts'
import type { LedgerTools } from './cli/ledger-tools.ts'
import { PRICES_HELP, prices } from './cli/prices.ts'
import { type Policies, serve, type Wiring } from './cli/serve.ts'
import { SIMULATE_HELP, simulate } from './cli/simulate.ts'
import { VERIFY_HELP, verify } from './cli/verify.ts'
import { type Config, ConfigError, FLAGS, flagLines, type LedgerPlace, parseConfig, processEnv, splitAddress } from './config.ts'
import type { PriceCatalogue } from './core/price-catalogue.ts'
import { openDoor } from './envoy/server.ts'
import { loadObjects } from './files/load.ts'
import { type FolderPolicySource, openPolicyFolder } from './files/policy-folder.ts'
import { startHttpServer } from './http/server.ts'
import { LEDGER_STREAM_TOP } from './limits.ts'
import { openMemoryLedger } from './memory/ledger.ts'
import type { Clock, Ledger, PolicySource, PriceSource, Telemetry } from './ports.ts'
import { buildPriceBook } from './prices/book.ts'
import { createPriceSource } from './prices/source.ts'
import { systemClock, systemRandom, systemTimer } from './system.ts'
import { registerBudgetGauges } from './telemetry/budget-gauges.ts'
import { createLog, sumRefusals } from './telemetry/logs.ts'
import { createMetrics } from './telemetry/metrics.ts'
import { createTelemetry } from './telemetry/telemetry.ts'
import { createTokenCounter } from './tokens/counter.ts'

const HELP = `purser: an LLM budget service for Envoy

  purser serve [flags]        serve Envoy (see purser serve --help)
  purser check PATH…          check policy objects; exit 1 where one is wrong
  purser simulate [flags]     run recorded exchanges against policies (see purser simulate --help)
  purser verify [flags]       prove a ledger by its own entries (see purser verify --help)
  purser ledger export        the ledger's entries as events (see purser ledger export --help)
  purser ledger adjust ID     charge a reservation what it did cost (see purser ledger adjust --help)
  purser prices [MODEL]       the price that would be used, and why (see purser prices --help)
  purser demo [--once]        the whole of it on this machine: Envoy, a fake provider, example policies
`

const CHECK_HELP = `purser check [--trusted-headers NAMES] [--default-namespace NAME] PATH…

Checks policy objects in files and folders. Each problem is one line: file:line: object: field: what is wrong, what is allowed.
Exit code 0 where all are valid, 1 where one is not, 2 without a path.
`

const clock = systemClock

async function main([command, ...args]: readonly string[]): Promise<number> {
  assertNode()
  const help = args.includes('--help') || args.includes('-h')
  switch (command) {
    case 'serve':
      return help ? print(serveHelp()) : runServe(args)
    case 'check':
      return help ? print(CHECK_HELP) : runCheck(args)
    case 'simulate':
      return help
        ? print(SIMULATE_HELP)
        : simulate(args, {
            openPolicies: folder => openPolicies(folder, []),
            openPrices,
            openLedger: memory,
            tokens: createTokenCounter(),
            random: systemRandom,
            out: process.stdout,
            err: process.stderr,
          })
    case 'verify':
      return help ? print(VERIFY_HELP) : verify(args, ledgerTools())
    case 'ledger':
      return ledger(args, ledgerTools())
    case 'prices':
      return help
        ? print(PRICES_HELP)
        : prices(args, { openBook, nowMs: clock.wallMs, out: print, err: text => process.stderr.write(text) })
    case 'demo':
      return demo(args)
    case undefined:
    case 'help':
    case '--help':
    case '-h':
      return print(HELP)
    default:
      process.stderr.write(`purser: there is no command '${command}'\n\n${HELP}`)
      return 2
  }
}

/** What objects may use depends on the flags that `serve` is started with; where a flag is absent, what hangs on it is a warning. */
function runCheck(args: readonly string[]): Promise<number> {
  const options = { 'trusted-headers': { type: 'string' }, 'default-namespace': { type: 'string' } } as const
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
  const flags = Object.entries(values).map(([name, value]) => `--${name}=${value}`)
  const { trustedHeaders, defaultNamespace } = parseConfig(flags, {})
  const trusted = values['trusted-headers'] === undefined ? null : trustedHeaders
  const load = (paths: readonly string[]) => loadObjects(paths, { trustedHeaders: trusted, defaultNamespace, nowMs: clock.wallMs() })
  const output = { out: (line: string) => process.stdout.write(`${line}\n`), err: (line: string) => process.stderr.write(`${line}\n`) }
  return check(positionals, { load }, output)
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}

function assertNode(): void {
  if (Number(process.versions.node.split('.')[0]) < 24) {
    throw new ConfigError(`purser needs Node 24 or newer, this is ${process.version}: run 'make setup', then bin/purser`)
  }
}

const serveHelp = (): string =>
  `purser serve [flags]\n\nEvery flag has a twin in the environment: --grpc-listen is PURSER_GRPC_LISTEN.\n\n${flagLines(FLAGS)}`

async function runServe(args: readonly string[]): Promise<number> {
  const config = parseConfig(args, processEnv)
  const log = createLog(config.logLevel)
  const metrics = createMetrics()
  const refusals = sumRefusals(log)
  const telemetry = createTelemetry(metrics, log, refusals)
  const wiring: Wiring = {
    clock,
    timer: systemTimer,
    random: systemRandom,
    telemetry,
    say: (message, fields) => log.info(fields, message),
    openLedger: () => openLedger(config, { streamMax: config.ledgerStreamMax, guarded: config.ledgerGuarded, telemetry }),
    openPolicies: openServedPolicies,
    openPrices,
    tokens: createTokenCounter(),
    openDoor: (_, factory) => openDoor(factory, { listen: config.grpcListen, tls: tlsOf(config), clock, log: doorLog(log) }),
    openHttp: (_, parts) => {
      registerBudgetGauges(metrics.registry, parts.ledger, parts.policies, parts.nowMs)
      const { host, port } = splitAddress(config.httpListen)
      const page = async () => ({ contentType: metrics.registry.contentType, body: await metrics.registry.metrics() })
      return startHttpServer({ ...parts, metrics: page, token: tokenOf(config) }, host, port)
    },
  }
  const stop = Promise.race(['SIGTERM', 'SIGINT'].map(signal => once(process, signal).then(() => signal)))
  const code = await serve(config, wiring, stop)
  refusals.stop()
  return code
}

interface LedgerUse {
  readonly streamMax: number
  readonly lockWaitMs?: number
  readonly guarded?: number
  readonly telemetry?: Telemetry
}

async function openLedger(place: LedgerPlace, { lockWaitMs = 30_000, ...use }: LedgerUse): Promise<Ledger> {
  const { ledger, ledgerName: name, ledgerTlsCa: ca, ledgerTlsCert: cert, ledgerTlsKey: key } = place
  if (ledger === 'memory:') return openMemoryLedger({ clock, streamMax: use.streamMax })
  if (ledger.startsWith('sqlite:')) {
    const { openSqliteLedger } = await import('./sqlite/ledger.ts')
    return openSqliteLedger({ file: sqliteFile(place), clock, lockWaitMs })
  }
  const { openRedisLedger } = await import('./redis/ledger.ts')
  return openRedisLedger({ url: ledger, name, clock, tls: { ca, cert, key }, timer: systemTimer, ...use })
}

async function openServedPolicies({ policies, trustedHeaders, defaultNamespace }: Config): Promise<Policies> {
  if (policies === 'kubernetes') {
    const { watchCluster } = await import('./kubernetes/policies.ts')
    const source = watchCluster({ clock, random: systemRandom, trustedHeaders })
    return { policies: source, synced: source.synced, sawBudget: key => source.partitions.seen(key) }
  }
  const source = await openPolicies(policies, trustedHeaders, defaultNamespace)
  return { policies: source, synced: Promise.resolve(), sawBudget: key => source.partitions.seen(key) }
}

function ledgerTools(): LedgerTools {
  const controller = new AbortController()
  // A second Ctrl-C ends the process as ever.
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => controller.abort())
  return {
    env: processEnv,
    openReader: async place => {
      if (!place.ledger.startsWith('sqlite:')) return openLedger(place, BESIDE)
      const { openSqliteReader } = await import('./sqlite/reader.ts')
      return openSqliteReader({ file: sqliteFile(place), clock })
    },
    openLedger: place => openLedger(place, BESIDE),
    signal: controller.signal,
    write: text => new Promise((done, failed) => process.stdout.write(text, fault => (fault == null ? done() : failed(fault)))),
    err: process.stderr,
  }
}

/** Commands beside `serve` never cut its stream, and do not wait long for a file that it has. */
const BESIDE = { streamMax: LEDGER_STREAM_TOP, lockWaitMs: 2_000 }

const sqliteFile = ({ ledger }: LedgerPlace): string => resolve(ledger.slice('sqlite:'.length))

const memory = (simulated: Clock): Ledger => openMemoryLedger({ clock: simulated })

const openPolicies = (folder: string, trustedHeaders: readonly string[], defaultNamespace = 'default'): Promise<FolderPolicySource> =>
  openPolicyFolder({ folder: resolve(folder), trustedHeaders, defaultNamespace })

const openPrices = (policies: PolicySource): PriceSource => createPriceSource(() => policies.current().priceLists)

/** The bundled book, or that book under the price lists of a folder of policies. */
async function openBook(folder: string | null): Promise<PriceCatalogue> {
  if (folder === null) return buildPriceBook([])
  const policies = await openPolicies(folder, [])
  const { priceLists } = policies.current()
  await policies.close()
  return buildPriceBook(priceLists)
}

const tlsOf = ({ grpcTlsCert: cert, grpcTlsKey: key, grpcTlsClientCa: clientCa }: Config) =>
  cert === null || key === null ? null : { cert, key, clientCa }

const doorLog = (log: ReturnType<typeof createLog>) => ({
  warn: (message: string) => log.warn(message),
  error: (message: string, fault: unknown) =>
    log.error({ fault: fault instanceof Error ? (fault.stack ?? fault.message) : String(fault) }, message),
})

function tokenOf({ httpTokenFile }: Config): string | null {
  if (httpTokenFile === null) return null
  const token = readFileSync(httpTokenFile, 'utf8').trim()
  if (token.length < 16) throw new ConfigError(`--http-token-file ${httpTokenFile}: allowed: a token of 16 characters or more`)
  return token
}

// Whoever read our words may stop reading, as head does: that ends neither a command nor the service.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (fault) {
  process.stderr.write(`purser: ${fault instanceof Error ? fault.message : fault}\n`)
  if (!(fault instanceof ConfigError) && fault instanceof Error && process.argv.includes('--log-level=debug'))
    process.stderr.write(`${fault.stack}\n`)
  process.exitCode = 1
}
// A pipe holds 64 KiB: what is beyond is still ours until somebody reads it.
await Promise.all([process.stdout, process.stderr].map(stream => new Promise(written => stream.write('', written))))
process.exit()
