// Drills: Purser is killed at each phase of an exchange, or stands still in it.
import { AT_ONCE, type Bound, type Chapter, type Drill } from './drill.ts'
import type { Stage } from './stage.ts'

const unavailable = { status: 503, end: 'whole', by: 'Envoy' } as const
const cut = { status: 200, end: 'cut', by: 'provider' } as const
const timedOut = { status: 504, end: 'whole', by: 'Envoy' } as const

const MESSAGE_TIMEOUT: Bound = { ms: 2_000, by: '`message_timeout`' }
const KEEPALIVE: Bound = { ms: 12_000, by: '`connection_keepalive`' }

/** Sends the headers and half a body; the rest comes when `then` has resolved. */
const halfABody = (stage: Stage, drill: string, then: Promise<unknown>) =>
  stage.ask(drill, {
    send: request => {
      request.write('{"model":"gpt-4o","max_tokens":1000,')
      void then.then(() => request.end('"messages":[{"role":"user","content":"hello"}]}'))
    },
  })

const killed: readonly Drill[] = [
  {
    id: 'killed-before-headers',
    what: 'before it has answered the headers',
    sees: unavailable,
    within: AT_ONCE,
    charged: 'nothing',
    run: async stage => {
      const seen = await stage.toPurser(1)
      stage.freeze()
      const answer = stage.ask('killed-before-headers')
      await seen()
      await stage.kill()
      return await answer
    },
  },
  {
    id: 'killed-before-body',
    what: 'between the headers and the body',
    sees: unavailable,
    within: AT_ONCE,
    charged: 'nothing',
    run: async stage => {
      const seen = await stage.toPurser(1)
      const dead = Promise.withResolvers<void>()
      const answer = halfABody(stage, 'killed-before-body', dead.promise)
      await seen()
      await stage.kill()
      dead.resolve()
      return await answer
    },
  },
  {
    id: 'killed-in-verdict',
    what: 'while the ledger is asked, and the reservation is lost on the way',
    sees: unavailable,
    within: AT_ONCE,
    charged: 'nothing',
    run: async stage => {
      const seen = await stage.toPurser(2)
      stage.relay.hold()
      const answer = stage.ask('killed-in-verdict')
      await seen()
      await stage.kill()
      return await answer
    },
  },
  {
    id: 'killed-before-answer',
    what: 'after the verdict, before the answer',
    sees: unavailable,
    within: AT_ONCE,
    charged: 'unproven',
    note: 'the provider works on, and bills',
    run: async stage => {
      const answer = stage.ask('killed-before-answer', { headers: { 'x-fake-delay-ms': '1500' } })
      await stage.atProvider()
      await stage.kill()
      return await answer
    },
  },
  {
    id: 'killed-mid-stream',
    what: 'in the middle of a stream',
    sees: cut,
    within: AT_ONCE,
    charged: 'unproven',
    run: async stage => {
      const { answer, begun } = stage.stream('killed-mid-stream', 10)
      await begun
      await stage.kill()
      return await answer
    },
  },
  {
    id: 'killed-before-settlement',
    what: 'at the end of the answer, before its settlement was written',
    sees: { status: 200, end: 'whole', by: 'provider' },
    within: null,
    charged: 'unproven',
    run: async stage => {
      const { answer, begun } = stage.stream('killed-before-settlement', 2)
      await begun
      stage.relay.hold()
      stage.relay.load()
      const whole = await answer
      await stage.kill()
      stage.relay.loaded()
      return whole
    },
  },
]

const stopped: readonly Drill[] = [
  {
    id: 'silent-at-headers',
    what: 'before it has answered the headers',
    sees: timedOut,
    within: MESSAGE_TIMEOUT,
    charged: 'nothing',
    run: async stage => {
      stage.freeze()
      return await stage.ask('silent-at-headers')
    },
  },
  {
    id: 'silent-before-answer',
    what: 'after the verdict, before the answer',
    sees: timedOut,
    within: MESSAGE_TIMEOUT,
    charged: 'unproven',
    run: async stage => {
      const answer = stage.ask('silent-before-answer', { headers: { 'x-fake-delay-ms': '500' } })
      await stage.atProvider()
      stage.freeze()
      return await answer
    },
  },
  {
    id: 'silent-mid-stream',
    what: 'in the middle of a stream',
    sees: cut,
    within: KEEPALIVE,
    charged: 'unproven',
    note: '`message_timeout` runs from the last piece of the answer: 2 s where the provider has paused',
    run: async stage => {
      const { answer, begun } = stage.stream('silent-mid-stream', 60)
      await begun
      stage.freeze()
      return await answer
    },
  },
  {
    id: 'pauses-mid-stream',
    what: 'in the middle of a stream, for less than `message_timeout`',
    sees: { status: 200, end: 'whole', by: 'provider' },
    within: null,
    charged: 'exact',
    run: async stage => {
      const { answer, begun } = stage.stream('pauses-mid-stream', 2)
      await begun
      stage.freeze()
      await new Promise(resolve => setTimeout(resolve, 300))
      process.kill(stage.purser.child.pid, 'SIGCONT')
      return await answer
    },
  },
]

export const PURSER_DIES: Chapter = { title: 'Purser is killed (`kill -9`, out of memory, a lost node)', drills: killed }
export const PURSER_SILENT: Chapter = { title: 'Purser stands still (a frozen process, a stalled machine)', drills: stopped }
