// The programs of Envoy Gateway, by name: found or built by scripts/gateway-tools. One that cannot be had is a failure, never a skipped test.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')
const run = (command: string, ...args: readonly string[]): string =>
  execFileSync(join(ROOT, 'scripts', command), args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim()

export const gatewayTool = (name: 'envoy-gateway' | 'egctl'): string => run('gateway-tools', name)
export const envoyBinary = (): string => run('envoy')
