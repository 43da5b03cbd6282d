// Drills: Redis gone or silent at each phase of an exchange. The policy of the drills is `onLedgerUnavailable: Deny`, the default.
import { AT_ONCE, type Chapter, type Drill } from './drill.ts'

const refused = { status: 503, end: 'whole', by: 'Purser: ledger-unavailable' } as const
const whole = { status: 200, end: 'whole', by: 'provider' } as const

const drills: readonly Drill[] = [
  {
    id: 'redis-gone',
    what: 'Redis is gone when a call comes',
    sees: refused,
    within: AT_ONCE,
    charged: 'nothing',
    run: async stage => {
      await stage.redis.kill()
      return await stage.ask('redis-gone')
    },
  },
  {
    id: 'redis-silent',
    what: 'Redis is silent when a call comes',
    sees: refused,
    within: { ms: 600, by: 'the time that Purser waits for the ledger' },
    charged: 'nothing',
    run: async stage => {
      stage.redis.freeze()
      return await stage.ask('redis-silent')
    },
  },
  {
    id: 'redis-answer-lost',
    what: 'Redis has written the reservation, and its answer is lost',
    sees: refused,
    within: { ms: 600, by: 'the time that Purser waits for the ledger' },
    charged: 'nothing',
    note: 'released when Redis is heard again',
    run: async stage => {
      stage.redis.freeze()
      const seen = await stage.ask('redis-answer-lost')
      // What was sent lies in the server's buffer, and is done when it wakes.
      stage.redis.thaw()
      return seen
    },
  },
  {
    id: 'redis-gone-before-answer',
    what: 'Redis is gone after the verdict, before the answer, and comes back',
    sees: whole,
    within: null,
    charged: 'exact',
    run: async stage => {
      const answer = stage.ask('redis-gone-before-answer', { headers: { 'x-fake-delay-ms': '500' } })
      await stage.atProvider()
      await stage.redis.kill()
      const seen = await answer
      await stage.redis.up()
      return seen
    },
  },
  {
    id: 'redis-gone-mid-stream',
    what: 'Redis is gone in the middle of a stream, and comes back',
    sees: whole,
    within: null,
    charged: 'exact',
    run: async stage => {
      const { answer, begun } = stage.stream('redis-gone-mid-stream', 2)
      await begun
      await stage.redis.kill()
      const seen = await answer
      await stage.redis.up()
      return seen
    },
  },
  {
    id: 'redis-silent-at-end',
    what: 'Redis is silent when the answer ends, and wakes',
    sees: whole,
    within: null,
    charged: 'exact',
    run: async stage => {
      const { answer, begun } = stage.stream('redis-silent-at-end', 2)
      await begun
      stage.redis.freeze()
      const seen = await answer
      stage.redis.thaw()
      return seen
    },
  },
]

export const LEDGER_AWAY: Chapter = { title: 'The ledger is away (`onLedgerUnavailable: Deny`)', drills }
