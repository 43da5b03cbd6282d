// The model server under the law that the real one is under: driven by the adapter, it cannot be told from the oracle. What the simulation
// finds with it is then true of Redis as well.
import { it } from 'vitest'
import type { OpenClient } from '../../../src/redis/client.ts'
import { openRedisLedger } from '../../../src/redis/ledger.ts'
import { systemTimer } from '../../../src/system.ts'
import { testClock } from '../../contract/clock.ts'
import { type MakeStore, makeModel } from '../../contract/model.ts'
import { oneLaw } from '../../contract/one-law.ts'
import { Machine } from '../machine.ts'
import { Server } from './server.ts'

/** A client that is always connected, and answered at once. */
const at =
  (server: Server): OpenClient =>
  () => {
    const heard = new Map<string, (error: Error) => void>()
    return {
      status: 'ready',
      on: (event, listener) => heard.set(event, listener as () => void),
      connect: async () => heard.get('ready')?.(new Error('ready')),
      disconnect: () => {},
      send: async (name, args) => {
        const answer = server.execute({ name, args })
        if ('error' in answer) throw new Error(answer.error)
        return answer.value
      },
    }
  }

const makeSimulated: MakeStore = async ({ streamMax }) => {
  const [clock, storeClock] = [testClock(), testClock()]
  const machine = new Machine(storeClock.wallMs())
  const server = new Server(machine, 'redis', streamMax)
  const ledger = await openRedisLedger({
    ...{ url: 'redis://simulated', name: 'simulated', clock, timer: systemTimer, streamMax, storeClockMs: storeClock.wallMs },
    openClient: at(server),
  })
  const advance = (ms: number): void => {
    clock.advance(ms)
    storeClock.advance(ms)
  }
  const [turnStore, turnCallers] = [storeClock.turn, clock.turn]
  return { ledger, reassert: ledger.reassert, advance, turnStore, turnCallers, nowMs: storeClock.wallMs, close: () => ledger.close() }
}

it('answers every list of commands as the oracle does, entry by entry', { timeout: 120_000 }, async () => {
  const reached = [
    ...['settled-over', 'settled-late', 'raised'].map(kind => `settle: ${kind}`),
    ...['reasserted', 'arrears', 'already-settled'].map(kind => `unseen: ${kind}`),
    ...['reasserted', 'exists', 'forgotten'].map(kind => `reassert: ${kind}`),
    ...['adjust: adjusted', 'again: exists', 'observe: observed', 'find: found', 'acknowledge: acknowledged', 'entry: presented'],
  ]
  await oneLaw({ model: makeModel, simulated: makeSimulated }, { runs: 150, commands: 80, reached })
})
