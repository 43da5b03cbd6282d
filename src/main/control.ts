// Wires `purser control`: which adapters stand behind its ports.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { control } from '../cli/control.ts'
import { CONTROL_FLAGS, parseControlConfig } from '../cli/control-config.ts'
import { flagLines, processEnv, splitAddress } from '../config.ts'
import { startHealthServer } from '../http/server.ts'
import { systemClock as clock, systemRandom as random, systemTimer as timer } from '../system.ts'
import { createControllerMetrics } from '../telemetry/controller-metrics.ts'
import { createLog } from '../telemetry/logs.ts'
import { openPrices, openReader } from './open.ts'

/** Where Kubernetes tells a pod its namespace. */
const POD_NAMESPACE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace'

export const controlHelp = (): string =>
  `purser control [flags]: the controller

Watches Purser's objects in Kubernetes and writes what became of each into its status, with figures of its limits, and Events. It reads
the ledger, and enforces nothing: that is 'purser serve --policies kubernetes'. Of several, one leads and writes; the others wait.
The cluster is the one of KUBECONFIG, of ~/.kube/config, or the one that this runs in.
Every flag has a twin in the environment: --ledger-name is PURSER_LEDGER_NAME.

${flagLines(CONTROL_FLAGS)}`

export async function runControl(args: readonly string[]): Promise<number> {
  const config = parseControlConfig(args, processEnv)
  const log = createLog(config.logLevel)
  const { Controller, LEASE_NAME } = await import('../kubernetes/controller.ts')
  const { registry, telemetry } = createControllerMetrics(log, LEASE_NAME)
  const stop = Promise.race(['SIGTERM', 'SIGINT'].map(signal => once(process, signal).then(() => signal)))
  const wiring = {
    openLedger: () => openReader(config),
    openController: (ledger: Awaited<ReturnType<typeof openReader>>) =>
      new Controller({
        ...{ clock, timer, random, telemetry, ledger, openPrices },
        trustedHeaders: config.trustedHeaders,
        defaultNamespace: config.defaultNamespace,
        leaseNamespace: config.leaseNamespace ?? podNamespace(),
        identity: `${hostname()}_${random.hex(8)}`,
      }),
    openHttp: (notReady: () => string | null) => {
      const { host, port } = splitAddress(config.httpListen)
      const metrics = async () => ({ contentType: registry.contentType, body: await registry.metrics() })
      return startHealthServer({ notReady, metrics }, host, port)
    },
    say: (message: string, fields: object) => log.info(fields, message),
    fault: (message: string, fields: object) => log.warn(fields, message),
  }
  return control(config, wiring, stop)
}

/** Outside of a pod: the namespace that every cluster has. */
function podNamespace(): string {
  try {
    return readFileSync(POD_NAMESPACE, 'utf8').trim()
  } catch {
    return 'default'
  }
}
