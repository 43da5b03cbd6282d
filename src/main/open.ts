// Opens what a command needs: the ledger, the policies and the prices that its flags name. Decides nothing.
import { resolve } from 'node:path'
import type { LedgerTools } from '../cli/ledger-tools.ts'
import { type LedgerPlace, processEnv } from '../config.ts'
import type { PriceCatalogue } from '../core/price-catalogue.ts'
import { type FolderPolicySource, openPolicyFolder } from '../files/policy-folder.ts'
import { LEDGER_STREAM_TOP } from '../limits.ts'
import { openMemoryLedger } from '../memory/ledger.ts'
import type { Clock, Ledger, LedgerReader, PolicySource, PriceSource, Telemetry } from '../ports.ts'
import { buildPriceBook } from '../prices/book.ts'
import { createPriceSource } from '../prices/source.ts'
import { systemClock, systemTimer } from '../system.ts'

const clock = systemClock

interface LedgerUse {
  readonly streamMax: number
  readonly lockWaitMs?: number
  readonly guarded?: number
  readonly telemetry?: Telemetry
}

export async function openLedger(place: LedgerPlace, { lockWaitMs = 30_000, ...use }: LedgerUse): Promise<Ledger> {
  const { ledger, ledgerName: name, ledgerTlsCa: ca, ledgerTlsCert: cert, ledgerTlsKey: key } = place
  if (ledger === 'memory:') return openMemoryLedger({ clock, streamMax: use.streamMax })
  if (ledger.startsWith('sqlite:')) {
    const { openSqliteLedger } = await import('../sqlite/ledger.ts')
    return openSqliteLedger({ file: sqliteFile(place), clock, lockWaitMs })
  }
  const { openRedisLedger } = await import('../redis/ledger.ts')
  return openRedisLedger({ url: ledger, name, clock, tls: { ca, cert, key }, timer: systemTimer, ...use })
}

/** What the commands beside `serve` work with: the ledger of their flags, the output, and Ctrl-C. */
export function ledgerTools(): LedgerTools {
  const controller = new AbortController()
  // A second Ctrl-C ends the process as ever.
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => controller.abort())
  return {
    env: processEnv,
    openReader,
    openLedger: place => openLedger(place, BESIDE),
    signal: controller.signal,
    write: text => new Promise((done, failed) => process.stdout.write(text, fault => (fault == null ? done() : failed(fault)))),
    err: process.stderr,
  }
}

/** A ledger that is only read, beside whoever writes to it. */
export async function openReader(place: LedgerPlace): Promise<LedgerReader> {
  if (!place.ledger.startsWith('sqlite:')) return openLedger(place, BESIDE)
  const { openSqliteReader } = await import('../sqlite/reader.ts')
  return openSqliteReader({ file: sqliteFile(place), clock })
}

/** Commands beside `serve` never cut its stream, and do not wait long for a file that it has. */
const BESIDE = { streamMax: LEDGER_STREAM_TOP, lockWaitMs: 2_000 }

const sqliteFile = ({ ledger }: LedgerPlace): string => resolve(ledger.slice('sqlite:'.length))

/** A ledger for a run on simulated time. */
export const memory = (simulated: Clock): Ledger => openMemoryLedger({ clock: simulated })

export const openPolicies = (
  folder: string,
  trustedHeaders: readonly string[],
  defaultNamespace = 'default',
): Promise<FolderPolicySource> => openPolicyFolder({ folder: resolve(folder), trustedHeaders, defaultNamespace })

export const openPrices = (policies: PolicySource): PriceSource => createPriceSource(() => policies.current().priceLists)

/** The bundled book, or that book under the price lists of a folder of policies. */
export async function openBook(folder: string | null): Promise<PriceCatalogue> {
  if (folder === null) return buildPriceBook([])
  const policies = await openPolicies(folder, [])
  const { priceLists } = policies.current()
  await policies.close()
  return buildPriceBook(priceLists)
}
