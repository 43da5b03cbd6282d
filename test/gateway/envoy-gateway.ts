// A real Envoy Gateway without a cluster, which reads objects from a folder and runs the real Envoy. Its ports are fixed, so there is one at a
// time, in a network of its own.
import { execFileSync } from 'node:child_process'
import { copyFileSync, globSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { type Child, startChild } from '../e2e/child.ts'
import { until } from '../e2e/until.ts'
import { type GatewayObject, gatewayClass } from './objects.ts'
import { envoyBinary, gatewayTool } from './tools.ts'

const ENVOY = '1.40.0'
/** Of the Gateway in deploy/envoy-gateway/gateway.yaml. */
export const GATEWAY_PORT = 8080

export interface EnvoyGateway {
  readonly child: Child
  /** Replaces all objects; they are in force when Envoy's configuration shows it, which `until` of the caller finds out. */
  apply(objects: readonly GatewayObject[]): void
  admin(path: string): Promise<string>
  stop(): Promise<void>
}

/** Resolves when Envoy is live. */
export async function startEnvoyGateway(objects: readonly GatewayObject[]): Promise<EnvoyGateway> {
  if (
    Object.values(networkInterfaces())
      .flat()
      .some(address => address?.internal === false)
  )
    throw new Error("these tests need a network of their own: 'make test-gateway', or scripts/own-network before the command")
  const home = mkdtempSync(join(tmpdir(), 'purser-gateway-'))
  const at = (...parts: readonly string[]): string => join(home, ...parts)
  for (const folder of ['objects', 'config', 'state', 'run', `data/envoy-versions/${ENVOY}/bin`]) mkdirSync(at(folder), { recursive: true })
  copyFileSync(envoyBinary(), at('data/envoy-versions', ENVOY, 'bin/envoy'))
  writeFileSync(at('eg.yaml'), stringify(settings(at)))
  const program = gatewayTool('envoy-gateway')
  execFileSync(program, ['certgen', '--local', '--config-home', at('config')], { stdio: 'pipe' })

  const apply = (list: readonly GatewayObject[]): void => {
    const text = [...hostInfrastructure(), ...list].map(object => stringify(object)).join('---\n')
    // Moved into place: half a file would be taken for objects that were deleted.
    writeFileSync(at('objects.new'), text)
    renameSync(at('objects.new'), at('objects', 'all.yaml'))
  }
  apply(objects)
  const child = startChild('envoy-gateway', program, ['server', '--config-path', at('eg.yaml')], { HOME: home })
  const admin = async (path: string): Promise<string> => {
    const [newest] = globSync(at('run/**/admin-address.txt')).toSorted((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)
    if (newest === undefined) throw new Error('Envoy has not said where its admin page is')
    return await (await fetch(`http://${readFileSync(newest, 'utf8').trim()}${path}`)).text()
  }
  const stop = async (): Promise<void> => {
    await child.end('SIGTERM', 15_000)
    rmSync(home, { recursive: true, force: true })
  }
  try {
    await until('Envoy to be live', 60_000, child, async () => (await admin('/ready')).startsWith('LIVE'))
    return { child, apply, admin, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

const settings = (at: (...parts: readonly string[]) => string): object => ({
  apiVersion: 'gateway.envoyproxy.io/v1alpha1',
  kind: 'EnvoyGateway',
  gateway: { controllerName: 'gateway.envoyproxy.io/gatewayclass-controller' },
  provider: {
    type: 'Custom',
    custom: {
      resource: { type: 'File', file: { paths: [at('objects')] } },
      infrastructure: {
        type: 'Host',
        host: { configHome: at('config'), dataHome: at('data'), stateHome: at('state'), runtimeDir: at('run') },
      },
    },
  },
  logging: { level: { default: 'info' } },
  extensionApis: { enableBackend: true, enableEnvoyPatchPolicy: true },
  telemetry: { metrics: { prometheus: { disable: true } } },
})

const hostInfrastructure = (): GatewayObject[] => [
  gatewayClass({ group: 'gateway.envoyproxy.io', kind: 'EnvoyProxy', name: 'host', namespace: 'llm' }),
  {
    apiVersion: 'gateway.envoyproxy.io/v1alpha1',
    kind: 'EnvoyProxy',
    metadata: { name: 'host', namespace: 'llm' },
    spec: { provider: { type: 'Host', host: { envoyVersion: ENVOY } } },
  },
]
