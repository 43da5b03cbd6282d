// What stands behind the replicas of a run: a store and the ways to it, as far as the rest of the simulation knows it.
import type { Ledger, Telemetry } from '../../src/ports.ts'
import type { Link } from './link.ts'
import type { Book } from './oracle/book.ts'
import type { Process } from './process.ts'
import type { StoreTrouble } from './trouble.ts'

export interface Backend {
  /** The ledger as a process reaches it. Rejects where the process would give up its start. */
  openLedger(process: Process, link: Link, slot: number, telemetry: Telemetry): Promise<Ledger>
  /** The oracle's book of what counts in the end. */
  readonly book: Book
  /** Of every book that was kept, how often each kind of outcome was seen. */
  seen(): ReadonlyMap<string, number>
  /** How long store time stands still, because its clock ran ahead before. */
  readonly frozenMs: number
  /** Begins a trouble; `over` takes what ends it. */
  begin(trouble: StoreTrouble, over: (end: () => void) => void): void
  /** What was said of recoveries. */
  readonly reports: readonly Readonly<Record<string, unknown>>[]
  /** Reservations that a server did not take over from the one before it, and whether it knew then that their holder lived. */
  readonly lost: ReadonlyMap<string, boolean>
  /** How often a server took the place of another. */
  readonly takeovers: number
  /** Whether it lost writes that somebody had been told of. */
  readonly hasLost: boolean
}
