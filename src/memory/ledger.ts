// The ledger in this process's memory: the model behind the port, on one clock. Nothing outlives the process.
import { createModelLedger } from '../core/ledger.ts'
import { oneClock } from '../core/one-clock.ts'
import type { MoveTime } from '../core/step.ts'
import { LEDGER_RULES } from '../limits.ts'
import type { Clock, Ledger } from '../ports.ts'

/** `streamMax`: how many entries the stream keeps, 200,000 unless told. */
export function openMemoryLedger({ clock, streamMax = 200_000 }: { readonly clock: Clock; readonly streamMax?: number }): Ledger {
  const model = createModelLedger(LEDGER_RULES, streamMax)
  const timeOf = oneClock(LEDGER_RULES)
  let closed = false
  const ask = async <T>(answer: (time: MoveTime) => T): Promise<T | typeof CLOSED> =>
    closed ? CLOSED : answer(timeOf(clock.wallMs(), clock.monotonicMs()))
  return {
    reserve: move => ask(at => model.reserve(move, at)),
    settle: move => ask(at => model.settle(move, at)),
    release: move => ask(at => model.release(move, at)),
    beat: holder => ask(at => model.beat(holder, at)),
    observe: move => ask(at => model.observe(move, at)),
    adjust: move => ask(at => model.adjust(move, at)),
    sweep: () => ask(at => model.sweep(at)),
    read: lines => ask(at => model.read(lines, at.storeClockMs)),
    list: query => ask(at => model.list(query, at.storeClockMs)),
    reservations: query => ask(at => model.reservations(query, at.storeClockMs)),
    entries: query => ask(at => model.entries(query, at.storeClockMs)),
    find: id => ask(at => model.find(id, at.storeClockMs)),
    findByResponse: response => ask(at => model.findByResponse(response, at.storeClockMs)),
    acknowledge: seq => ask(at => model.acknowledge(seq, at)),
    close: async () => {
      closed = true
    },
  }
}

const CLOSED = { kind: 'unavailable', why: 'the ledger is closed' } as const
