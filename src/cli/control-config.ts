// The flags of `control` to one frozen ControlConfig. Those of `serve` mean the same here.

import { address, ConfigError, headerNames, logLevel, namespaceName } from '../config/values.ts'
import { type Environment, FLAGS, type Flag, LEDGER_FLAGS, type LedgerPlace, parseLedgerCommand } from '../config.ts'

/** Every flag of `control`. Those of `serve` mean the same here, and should be the same. */
export const CONTROL_FLAGS: Readonly<Record<string, Flag>> = {
  ...LEDGER_FLAGS,
  ...Object.fromEntries(Object.entries(FLAGS).filter(([name]) => ['default-namespace', 'trusted-headers', 'log-level'].includes(name))),
  'http-listen': { type: 'string', value: '127.0.0.1:9004', help: 'HOST:PORT of health and metrics' },
  'lease-namespace': {
    type: 'string',
    value: '',
    help: 'namespace of the Lease by which one of several leads; without it the one of the pod, and default outside of a cluster',
  },
}

/** Settings of `control`. */
export interface ControlConfig extends LedgerPlace {
  readonly httpListen: string
  readonly defaultNamespace: string
  readonly trustedHeaders: readonly string[]
  readonly logLevel: string
  /** Null: the namespace of the pod. */
  readonly leaseNamespace: string | null
}

/** Reads the flags of `control`. Throws {@link ConfigError} naming the flag. */
export function parseControlConfig(args: readonly string[], env: Environment): ControlConfig {
  const { place, flag, positionals } = parseLedgerCommand('control', CONTROL_FLAGS, args, env)
  if (positionals.length > 0) throw new ConfigError(`'${positionals[0]}' is not a flag; see 'purser control --help'`)
  const lease = flag('lease-namespace')
  return Object.freeze({
    ...place,
    httpListen: address('http-listen', flag('http-listen')),
    defaultNamespace: namespaceName('default-namespace', flag('default-namespace')),
    trustedHeaders: headerNames(flag('trusted-headers')),
    logLevel: logLevel(flag('log-level')),
    leaseNamespace: lease === '' ? null : namespaceName('lease-namespace', lease),
  })
}
