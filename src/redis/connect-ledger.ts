// Puts the connection of a ledger together: address, TLS files, inspection, the watch on its memory. It knows no move.
import type { Clock, Telemetry, Timer } from '../ports.ts'
import { parseRedisUrl } from './address.ts'
import type { OpenClient } from './client.ts'
import { checkTlsFiles, type TlsFiles } from './client-options.ts'
import { Connection } from './connection.ts'
import { type FenceParts, fence } from './fence.ts'
import { inspection } from './inspection.ts'
import { watchMemory } from './memory-watch.ts'

interface ConnectOptions {
  readonly url: string
  readonly tls?: TlsFiles
  readonly clock: Clock
  readonly timer: Timer
  readonly openClient: OpenClient
  readonly telemetry?: Pick<Telemetry, 'fault' | 'ledgerMemory'>
}

const NO_FILES: TlsFiles = { ca: null, cert: null, key: null }

/**
 * Connects to the server that the address leads to, and brings the scripts to it. `meta` is the key of the ledger's meta hash.
 * @throws Error with a sentence for the operator when it cannot be reached or must not be used; it never holds a password.
 */
export async function connectLedger(
  { url, tls = NO_FILES, clock, timer, openClient, telemetry }: ConnectOptions,
  meta: string,
  parts: Pick<FenceParts, 'scripts' | 'holdings' | 'over'>,
): Promise<Connection> {
  const address = parseRedisUrl(url)
  if (address.tls) checkTlsFiles(tls)
  const passFence = fence({ ...parts, timer, telemetry: telemetry ?? { fault: () => {} } })
  const connection = await Connection.open({ address, tls, clock, timer, openClient }, inspection(address, meta, passFence))
  if (telemetry !== undefined) watchMemory(connection, timer, telemetry)
  return connection
}
