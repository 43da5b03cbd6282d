// The Redis ledger as the suites of every store make it: a fresh one on a shared server, on a clock that stands still.
import { openRedisLedger, type RedisLedgerOptions } from '../../src/redis/ledger.ts'
import { systemTimer } from '../../src/system.ts'
import { testClock } from '../contract/clock.ts'
import type { MakeStore } from '../contract/model.ts'

let made = 0

/** `server` is whatever has a `url` by then: a suite is put together before its server runs. */
export function makeRedis(server: Pick<RedisLedgerOptions, 'url' | 'tls' | 'guarded'>): MakeStore {
  return async ({ streamMax }) => {
    const [clock, storeClock] = [testClock(), testClock()]
    made += 1
    const { url, tls, guarded } = server
    const ledger = await openRedisLedger({
      ...{ url, name: `fresh-${made}`, clock, timer: systemTimer, streamMax, storeClockMs: storeClock.wallMs },
      ...(tls === undefined ? {} : { tls }),
      ...(guarded === undefined ? {} : { guarded }),
    })
    const advance = (ms: number): void => {
      clock.advance(ms)
      storeClock.advance(ms)
    }
    const [turnStore, turnCallers] = [storeClock.turn, clock.turn]
    return { ledger, reassert: ledger.reassert, advance, turnStore, turnCallers, nowMs: storeClock.wallMs, close: () => ledger.close() }
  }
}
