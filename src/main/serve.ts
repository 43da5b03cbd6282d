// Wires `purser serve`: which adapters stand behind its ports.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type Policies, serve, type Wiring } from '../cli/serve.ts'
import { ConfigError } from '../config/values.ts'
import { type Config, FLAGS, flagLines, parseConfig, processEnv, splitAddress } from '../config.ts'
import { openDoor } from '../envoy/server.ts'
import { startHttpServer } from '../http/server.ts'
import { systemClock as clock, systemRandom, systemTimer } from '../system.ts'
import { registerBudgetGauges } from '../telemetry/budget-gauges.ts'
import { createLog, sumRefusals } from '../telemetry/logs.ts'
import { createMetrics } from '../telemetry/metrics.ts'
import { createTelemetry } from '../telemetry/telemetry.ts'
import { createTokenCounter } from '../tokens/counter.ts'
import { openLedger, openPolicies, openPrices } from './open.ts'

export const serveHelp = (): string =>
  `purser serve [flags]\n\nEvery flag has a twin in the environment: --grpc-listen is PURSER_GRPC_LISTEN.\n\n${flagLines(FLAGS)}`

export async function runServe(args: readonly string[]): Promise<number> {
  const config = parseConfig(args, processEnv)
  const log = createLog(config.logLevel)
  const metrics = createMetrics()
  const refusals = sumRefusals(log)
  const telemetry = createTelemetry(metrics, log, refusals)
  let openExchanges = (): number => 0
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
    openDoor: async (_, factory) => {
      const door = await openDoor(factory, { listen: config.grpcListen, tls: tlsOf(config), clock, log: doorLog(log) })
      openExchanges = () => door.open
      return door
    },
    openHttp: (_, parts) => {
      registerBudgetGauges(metrics.registry, parts.ledger, parts.policies, parts.nowMs)
      const { host, port } = splitAddress(config.httpListen)
      const page = async () => {
        metrics.openExchanges.set(openExchanges())
        return { contentType: metrics.registry.contentType, body: await metrics.registry.metrics() }
      }
      return startHttpServer({ ...parts, metrics: page, token: tokenOf(config) }, host, port)
    },
  }
  const stop = Promise.race(['SIGTERM', 'SIGINT'].map(signal => once(process, signal).then(() => signal)))
  const code = await serve(config, wiring, stop)
  refusals.stop()
  return code
}

async function openServedPolicies({ policies, trustedHeaders, defaultNamespace }: Config): Promise<Policies> {
  if (policies === 'kubernetes') {
    const { watchCluster } = await import('../kubernetes/policies.ts')
    const source = watchCluster({ clock, random: systemRandom, trustedHeaders })
    return { policies: source, synced: source.synced, sawBudget: key => source.partitions.seen(key) }
  }
  const source = await openPolicies(policies, trustedHeaders, defaultNamespace)
  return { policies: source, synced: Promise.resolve(), sawBudget: key => source.partitions.seen(key) }
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
