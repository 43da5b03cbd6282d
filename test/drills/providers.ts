// Drills: providers that fail, and odd ways in which they answer.
import { expect } from 'vitest'
import { AT_ONCE, type Bound, type Chapter, type Drill, type Sees } from './drill.ts'
import type { Ask } from './stage.ts'
import { CODERS, type Odd } from './upstream.ts'

const whole = { status: 200, end: 'whole', by: 'provider' } as const
const cut = { status: 200, end: 'cut', by: 'provider' } as const

const ROUTE_TIMEOUT: Bound = { ms: 1_000, by: "the route's timeout" }

type Story = Pick<Drill, 'id' | 'what' | 'charged'> & { readonly sees?: Sees; readonly within?: Bound; readonly note?: string }

/** A drill of one call, made with these settings. */
const asked = ({ sees = whole, within, ...story }: Story, ask: Ask): Drill => ({
  ...story,
  sees,
  within: within ?? null,
  run: async stage => await stage.ask(story.id, ask),
})
const fault = (name: string): Readonly<Record<string, string>> => ({ 'x-fake-error': name })
const odd = (manner: Odd): Readonly<Record<string, string>> => ({ 'x-route': 'odd', 'x-odd': manner })

const failing: readonly Drill[] = [
  asked(
    {
      id: 'connect-refused',
      what: 'refuses the connection',
      sees: { status: 503, end: 'whole', by: 'Envoy' },
      within: AT_ONCE,
      charged: 'nothing',
      note: 'the shipped routes say that they try again only what was not sent (`x-purser-retries: unsent`); without that, the input for each attempt before the last',
    },
    { headers: { 'x-route': 'nobody' } },
  ),
  asked(
    { id: 'says-500', what: 'answers 500', sees: { status: 500, end: 'whole', by: 'provider' }, charged: 'nothing' },
    { headers: fault('500') },
  ),
  asked(
    { id: 'says-429', what: 'answers 429', sees: { status: 429, end: 'whole', by: 'provider' }, charged: 'nothing' },
    { headers: fault('429') },
  ),
  asked(
    {
      id: 'resets-at-once',
      what: 'resets the connection before its answer',
      sees: { status: 503, end: 'whole', by: 'Envoy' },
      within: AT_ONCE,
      charged: 'unproven',
    },
    { headers: fault('reset') },
  ),
  asked(
    { id: 'resets-mid-stream', what: 'resets in the middle of a stream', sees: cut, within: AT_ONCE, charged: 'unproven' },
    { stream: true, headers: { ...fault('reset-mid-stream'), 'x-fake-chunk-delay-ms': '10' } },
  ),
  asked(
    { id: 'resets-mid-json', what: 'resets in the middle of a plain answer', sees: cut, within: AT_ONCE, charged: 'unproven' },
    { headers: odd('half') },
  ),
  asked({ id: 'ends-early', what: 'ends a stream without its usage', charged: 'unproven' }, { stream: true, headers: fault('truncated') }),
  asked({ id: 'no-usage', what: 'reports no usage', charged: 'unproven' }, { headers: fault('no-usage') }),
  asked(
    { id: 'error-in-stream', what: 'reports an error in the middle of a stream', charged: 'unproven' },
    { stream: true, headers: fault('error-in-stream') },
  ),
  asked(
    {
      id: 'timeout',
      what: "is slower than the route's timeout (1 s here; none in the shipped routes)",
      sees: { status: 504, end: 'whole', by: 'Envoy' },
      within: ROUTE_TIMEOUT,
      charged: 'unproven',
    },
    { headers: { 'x-route': 'timeout', 'x-fake-delay-ms': '2500' } },
  ),
  {
    id: 'timeout-mid-stream',
    what: 'streams for longer than that',
    sees: cut,
    within: ROUTE_TIMEOUT,
    charged: 'unproven',
    run: async stage => await stage.stream('timeout-mid-stream', 10, { headers: { 'x-route': 'timeout' } }).answer,
  },
  {
    ...asked(
      {
        id: 'retried',
        what: 'fails once, and the route tries again (the shipped routes would not)',
        charged: 'more',
        note: 'the first attempt may have been billed: one input estimate',
      },
      {},
    ),
    run: async stage => {
      const seen = await stage.ask('retried', { headers: { 'x-route': 'retries', 'x-odd': 'flaky' } })
      expect(stage.upstream.callsOf(stage.tagOf('retried'))).toBe(2)
      return seen
    },
  },
]

const MB = 1_048_576
const prompt = (bytes: number): string =>
  `{"model":"gpt-4o","max_tokens":50,"messages":[{"role":"user","content":"${'The ships came in before noon. '.repeat(bytes / 31)}"}]}`
const big = (bytes: number): Ask => ({ body: prompt(bytes) })

const bodies: readonly Drill[] = [
  asked({ id: 'body-20mb', what: 'a request of 20 MB', charged: 'exact' }, big(20 * MB)),
  asked(
    {
      id: 'body-40mb',
      what: 'a request of 40 MB',
      sees: { status: 413, end: 'whole', by: 'Envoy' },
      within: AT_ONCE,
      charged: 'nothing',
      note: 'above `request_body_buffer_limit`',
    },
    { ...big(40 * MB), headers: { connection: 'close' } },
  ),
  {
    id: 'body-slow',
    what: 'a request that comes slowly, longer than `message_timeout`',
    sees: whole,
    within: null,
    charged: 'exact',
    run: async stage => {
      const body = prompt(3_000)
      return await stage.ask('body-slow', {
        send: request => {
          let at = 0
          const timer = setInterval(() => {
            request.write(body.slice(at, at + 150))
            at += 150
            if (at < body.length) return
            clearInterval(timer)
            request.end()
          }, 125)
        },
      })
    },
  },
  asked({ id: 'body-chunked', what: 'a chunked request', charged: 'exact' }, { send: request => writeInPieces(request) }),
  ...Object.entries(CODERS).map(([coding, code]) =>
    asked(
      { id: `body-${coding}`, what: `a request in ${coding}`, charged: 'exact' },
      { body: code(prompt(300)), headers: { ...odd('plain'), 'content-encoding': coding } },
    ),
  ),
  asked(
    { id: 'answers-early', what: 'answered before its body (4 MB) has ended', charged: 'exact' },
    { ...big(4 * MB), headers: odd('early') },
  ),
  asked(
    {
      id: 'refused-early',
      what: 'refused by the provider (413) before its body (4 MB) has ended',
      sees: { status: 413, end: 'whole', by: 'provider' },
      charged: 'nothing',
    },
    { ...big(4 * MB), headers: odd('early-refusal') },
  ),
  asked(
    {
      id: 'hung-up-early',
      what: 'cut off by the provider before its body (4 MB) has ended',
      sees: { status: 503, end: 'whole', by: 'Envoy' },
      within: AT_ONCE,
      charged: 'unproven',
    },
    { ...big(4 * MB), headers: odd('early-hang-up') },
  ),
  asked({ id: 'early-hints', what: 'answered with 103 before 200', charged: 'exact' }, { headers: odd('hints') }),
  asked({ id: 'json-trailers', what: 'a plain answer with trailers', charged: 'exact' }, { headers: odd('json-trailers') }),
  asked({ id: 'stream-trailers', what: 'a stream with trailers', charged: 'exact' }, { stream: true, headers: odd('stream-trailers') }),
  ...(['gzip', 'br', 'zstd', 'deflate'] as const).flatMap(coding => [
    asked({ id: coding, what: `a plain answer in ${coding}`, charged: 'exact' }, { headers: odd(coding) }),
    asked({ id: `${coding}-stream`, what: `a stream in ${coding}`, charged: 'exact' }, { stream: true, headers: odd(`${coding}-stream`) }),
  ]),
]

function writeInPieces(request: Parameters<NonNullable<Ask['send']>>[0]): void {
  const body = prompt(3_000)
  for (let at = 0; at < body.length; at += 101) request.write(body.slice(at, at + 101))
  request.end()
}

export const PROVIDER_FAILS: Chapter = { title: 'The provider', drills: failing }
export const BODIES: Chapter = { title: 'Bodies', drills: bodies }
