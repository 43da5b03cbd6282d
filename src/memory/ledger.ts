// The ledger in this process's memory: the model behind the port, on one clock. Nothing outlives the process.
import { createModelLedger } from '../core/ledger.ts'
import type { MoveTime } from '../core/step.ts'
import { LEDGER_RULES } from '../limits.ts'
import type { Clock, Ledger } from '../ports.ts'

/** `streamMax`: how many entries the stream keeps, 200,000 unless told. */
export function openMemoryLedger({ clock, streamMax = 200_000 }: { readonly clock: Clock; readonly streamMax?: number }): Ledger {
  const model = createModelLedger(LEDGER_RULES, streamMax)
  // Store and caller share the clock, so only a clock that fell behind the mark can be refused.
  const time = (): MoveTime => {
    const wallMs = Math.floor(clock.wallMs())
    return { storeClockMs: wallMs, callerWallMs: wallMs }
  }
  return {
    reserve: async move => model.reserve(move, time()),
    settle: async move => model.settle(move, time()),
    release: async move => model.release(move, time()),
    beat: async holder => model.beat(holder, time()),
    sweep: async () => model.sweep(time()),
    read: async lines => model.read(lines, time().storeClockMs),
    list: async query => model.list(query, time().storeClockMs),
    reservations: async query => model.reservations(query, time().storeClockMs),
    entries: async query => model.entries(query, time().storeClockMs),
    close: async () => {},
  }
}
