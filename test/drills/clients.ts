// Drills: clients that leave, and the ways of HTTP that clients have.
import { Agent } from 'node:http'
import type { ClientHttp2Stream } from 'node:http2'
import { expect } from 'vitest'
import type { Answer } from '../e2e/call.ts'
import { chatBody } from '../e2e/provider.ts'
import { until } from '../e2e/until.ts'
import { AT_ONCE, type Chapter, type Drill } from './drill.ts'
import { overHttp2 } from './over-http2.ts'
import type { Stage } from './stage.ts'

const whole = { status: 200, end: 'whole', by: 'provider' } as const
const left = (status: number) => ({ status, end: 'left', by: 'client' }) as const

/** Resolves when nothing of this replica is open: it has noticed whoever left. */
const closed = (stage: Stage): Promise<void> =>
  until('what was left to be closed', 20_000, stage.purser.child, async () => (await stage.purser.openReservations()) === 0)

/** A call that its client leaves when `when` resolves. */
async function leave(answer: (abort: AbortSignal) => Promise<Answer>, when: Promise<unknown>): Promise<Answer> {
  const abort = new AbortController()
  const seen = answer(abort.signal)
  await when
  abort.abort()
  return { ...(await seen), end: 'aborted' }
}

const leavers: readonly Drill[] = [
  {
    id: 'leaves-in-body',
    what: 'leaves in the middle of its own body',
    sees: left(0),
    within: null,
    charged: 'nothing',
    run: async stage => {
      const seen = await stage.toPurser(1)
      return await leave(
        signal =>
          stage.ask('leaves-in-body', {
            send: request => {
              signal.addEventListener('abort', () => request.destroy())
              request.write('{"model":"gpt-4o",')
            },
          }),
        seen(),
      )
    },
  },
  {
    id: 'leaves-in-verdict',
    what: 'leaves while the ledger is asked',
    sees: left(0),
    within: null,
    charged: 'nothing',
    note: 'the reservation is released',
    run: async stage => {
      const seen = await stage.toPurser(2)
      stage.redis.freeze()
      const answer = await leave(
        signal =>
          stage.ask('leaves-in-verdict', {
            send: request => {
              signal.addEventListener('abort', () => request.destroy())
              request.end(chatBody(1_000, false))
            },
          }),
        seen(),
      )
      stage.redis.thaw()
      await closed(stage)
      return answer
    },
  },
  {
    id: 'leaves-before-answer',
    what: 'leaves before the first byte of a plain answer',
    sees: left(0),
    within: null,
    charged: 'unproven',
    note: 'providers finish and bill what is not streamed',
    run: async stage =>
      await leave(
        signal =>
          stage.ask('leaves-before-answer', {
            headers: { 'x-fake-delay-ms': '1000' },
            send: request => {
              signal.addEventListener('abort', () => request.destroy())
              request.end(chatBody(1_000, false))
            },
          }),
        stage.atProvider(),
      ),
  },
  {
    id: 'leaves-mid-stream',
    what: 'leaves in the middle of a stream',
    sees: left(200),
    within: null,
    charged: 'unproven',
    note: 'what was delivered, with a margin, where the provider stops when its client leaves',
    run: async stage => await stage.stream('leaves-mid-stream', 10, { abortWhen: body => body.length > 3_000 }).answer,
  },
]

const ways: readonly Drill[] = [
  {
    id: 'http1',
    what: 'HTTP/1.1',
    sees: whole,
    within: null,
    charged: 'exact',
    run: async stage => await stage.ask('http1'),
  },
  {
    id: 'http2',
    what: 'HTTP/2, a stream',
    sees: whole,
    within: null,
    charged: 'exact',
    run: async stage => await overHttp2(stage, 'http2', stream => stream.end(chatBody(1_000, true))),
  },
  {
    id: 'request-trailers',
    what: 'HTTP/2, trailers after the body',
    sees: whole,
    within: null,
    charged: 'exact',
    run: async stage => {
      const send = (stream: ClientHttp2Stream): void => {
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-checksum': 'abc' }))
        stream.end(chatBody(1_000, false))
      }
      return await overHttp2(stage, 'request-trailers', send, true)
    },
  },
  {
    id: 'trailers-only',
    what: 'HTTP/2, trailers and no body at all',
    sees: { status: 403, end: 'whole', by: 'Envoy' },
    within: AT_ONCE,
    charged: 'nothing',
    note: 'Envoy does not ask about such a request; the last door refuses it',
    run: async stage => {
      const send = (stream: ClientHttp2Stream): void => {
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-checksum': 'abc' }))
        stream.end()
      }
      return await overHttp2(stage, 'trailers-only', send, true)
    },
  },
  {
    id: 'expect-continue',
    what: '`Expect: 100-continue`',
    sees: whole,
    within: null,
    charged: 'exact',
    note: 'Envoy says 100 by itself',
    run: async stage =>
      await stage.ask('expect-continue', {
        headers: { expect: '100-continue', 'content-length': String(Buffer.byteLength(chatBody(1_000, false))) },
        send: request => {
          request.flushHeaders()
          request.on('continue', () => request.end(chatBody(1_000, false)))
        },
      }),
  },
  {
    id: 'head-models',
    what: 'HEAD on a free endpoint (which this provider does not have)',
    sees: { status: 404, end: 'whole', by: 'provider' },
    within: null,
    charged: 'nothing',
    run: async stage => await stage.ask('head-models', { method: 'HEAD', path: '/v1/models', send: request => request.end() }),
  },
  {
    id: 'head-unknown',
    what: 'HEAD on an endpoint that is not known',
    sees: { status: 403, end: 'whole', by: 'Purser: unknown-endpoint' },
    within: AT_ONCE,
    charged: 'nothing',
    run: async stage => await stage.ask('head-unknown', { method: 'HEAD', path: '/v1/unheard-of', send: request => request.end() }),
  },
  {
    id: 'websocket',
    what: 'an upgrade to WebSocket',
    sees: { status: 403, end: 'whole', by: 'Purser: upgrade' },
    within: AT_ONCE,
    charged: 'nothing',
    note: 'passes unmetered under `onUnknownEndpoint: Allow`',
    run: async stage =>
      await stage.ask('websocket', {
        method: 'GET',
        path: '/v1/realtime?model=gpt-4o',
        headers: {
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-key': Buffer.alloc(16).toString('base64'),
          'sec-websocket-version': '13',
        },
        send: request => request.end(),
      }),
  },
  {
    id: 'pipelined',
    what: 'two calls on one HTTP/1.1 connection, one after the other',
    sees: whole,
    within: null,
    charged: 'exact',
    run: async stage => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      const answers = await Promise.all([stage.ask('pipelined', { agent }), stage.ask('pipelined', { agent, stream: true })])
      agent.destroy()
      expect(answers.map(({ status, end }) => [status, end])).toEqual([
        [200, 'whole'],
        [200, 'whole'],
      ])
      return answers[1]
    },
  },
]

export const LEAVERS: Chapter = { title: 'The client', drills: leavers }
export const WAYS: Chapter = { title: 'Ways of HTTP', drills: ways }
