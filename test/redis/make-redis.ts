// The Redis ledger as the suites of every store make it: a fresh one on a shared server, on a clock that stands still.
import { openRedisLedger } from '../../src/redis/ledger.ts'
import { testClock } from '../contract/clock.ts'
import type { MakeLedger } from '../contract/moves.ts'
import type { RedisServer } from './server.ts'

let made = 0

export function makeRedis(server: RedisServer): MakeLedger {
  return async ({ streamMax }) => {
    const clock = testClock()
    made += 1
    const ledger = await openRedisLedger({ url: server.url, name: `fresh-${made}`, clock, streamMax, storeClockMs: clock.wallMs })
    return { ledger, advance: clock.advance, nowMs: clock.wallMs, close: () => ledger.close() }
  }
}
