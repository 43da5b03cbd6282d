// The oracle itself as the suites make it: the one ledger in memory that also knows what recovery asks of a store.
import { createModelLedger, type ModelLedger } from '../../src/core/ledger.ts'
import type { ReassertMove, ReassertOutcome } from '../../src/core/reservation.ts'
import type { MoveTime } from '../../src/core/step.ts'
import { LEDGER_RULES } from '../../src/limits.ts'
import { testClock } from './clock.ts'
import type { LedgerUnderTest } from './moves.ts'

/** A ledger that may be asked to open again what a store has lost; others leave that out. */
export interface Store extends LedgerUnderTest {
  readonly reassert?: (moves: readonly ReassertMove[]) => Promise<readonly ReassertOutcome[]>
}

export type MakeStore = (options: { readonly streamMax: number }) => Promise<Store>

export const makeModel: MakeStore = async ({ streamMax }) => modelOver(createModelLedger(LEDGER_RULES, streamMax))

/** A model ledger, on a clock of the store and one of its callers. */
export function modelOver(model: ModelLedger): Store {
  const [clock, storeClock] = [testClock(), testClock()]
  const time = (): MoveTime => ({ storeClockMs: storeClock.wallMs(), callerWallMs: clock.wallMs() })
  return {
    ledger: {
      reserve: async move => model.reserve(move, time()),
      settle: async move => model.settle(move, time()),
      release: async move => model.release(move, time()),
      beat: async holder => model.beat(holder, time()),
      observe: async move => model.observe(move, time()),
      adjust: async move => model.adjust(move, time()),
      sweep: async () => model.sweep(time()),
      read: async lines => model.read(lines, storeClock.wallMs()),
      list: async query => model.list(query, storeClock.wallMs()),
      reservations: async query => model.reservations(query, storeClock.wallMs()),
      entries: async query => model.entries(query, storeClock.wallMs()),
      find: async id => model.find(id, storeClock.wallMs()),
      findByResponse: async response => model.findByResponse(response, storeClock.wallMs()),
      acknowledge: async seq => model.acknowledge(seq, time()),
      close: async () => {},
    },
    reassert: async moves => moves.map(move => model.reassert(move, time())),
    advance: ms => {
      clock.advance(ms)
      storeClock.advance(ms)
    },
    turnStore: storeClock.turn,
    turnCallers: clock.turn,
    nowMs: storeClock.wallMs,
    close: async () => {},
  }
}
