// The door under any order of messages, any answers, any delay of the verdict and any end: one reply a message, one close, nothing after it.
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type BodyAnswer, PASS } from '../../src/enforcer/exchange.ts'
import type { ProcessingRequest } from '../../src/envoy/protos.ts'
import { answer, body, type Envoy, House, head, NO_CHANGE, piece, REFUSAL, type Script, type Stream, turns } from './peer.ts'

let house: House
let envoy: Envoy

beforeAll(async () => {
  house = await House.open()
  envoy = house.connect()
})

afterAll(() => {
  envoy.close()
  house.door.stop()
})

const KINDS = ['requestHeaders', 'requestBody', 'requestTrailers', 'responseHeaders', 'responseBody', 'responseTrailers'] as const
type Kind = (typeof KINDS)[number]

const message = (kind: Kind, end: boolean): ProcessingRequest => {
  switch (kind) {
    case 'requestHeaders':
      return head(undefined, {}, end)
    case 'requestBody':
      return body('b', end)
    case 'responseHeaders':
      return answer('200', {}, end)
    case 'responseBody':
      return piece('p', end)
    default:
      return { [kind]: {} }
  }
}

const usual: Kind[] = ['requestHeaders', 'requestBody', 'responseHeaders', 'responseBody', 'responseBody', 'responseTrailers']
const anyMessages = fc.array(fc.record({ kind: fc.constantFrom(...KINDS), end: fc.boolean() }), { minLength: 1, maxLength: 8 })
// What Envoy sends, with one message dropped, doubled or moved: the neighbourhood of the right order.
const nearMessages = fc
  .record({ from: fc.nat(5), to: fc.nat(5), drop: fc.boolean(), ends: fc.array(fc.boolean(), { minLength: 7, maxLength: 7 }) })
  .map(({ from, to, drop, ends }) => {
    const kinds = [...usual]
    const [taken] = kinds.splice(from, drop ? 1 : 0)
    kinds.splice(to, 0, taken ?? usual[from] ?? 'responseBody')
    return kinds.map((kind, i) => ({ kind, end: ends[i] === true && kind !== 'requestHeaders' }))
  })

const script = fc
  .record({
    head: fc.constantFrom('read-body', 'read-body', 'read-body', 'pass', 'refuse'),
    body: fc.constantFrom('admit', 'admit', 'admit', 'amend', 'pass', 'refuse', 'throw'),
    delay: fc.nat(4),
    response: fc.constantFrom('meter', 'meter', 'done'),
    hide: fc.boolean(),
  })
  .map(
    ({ head: first, body: verdict, delay, response, hide }): Script => ({
      head:
        first === 'refuse' ? { kind: 'refuse', refusal: REFUSAL } : { kind: first === 'pass' ? 'pass' : 'read-body', change: NO_CHANGE },
      body: async bytes => {
        await turns(delay)
        if (verdict === 'throw') throw new Error('a fault that was scripted')
        if (verdict === 'refuse') return { kind: 'refuse', refusal: REFUSAL }
        if (verdict === 'pass') return PASS
        const replaced = verdict === 'amend' && bytes.length > 0 ? Buffer.from('other') : null
        return { kind: 'admit', body: replaced, change: NO_CHANGE, metadata: {} } satisfies BodyAnswer
      },
      response: { kind: response === 'done' ? 'done' : 'meter', change: NO_CHANGE },
      piece: () => (hide ? new Uint8Array(0) : null),
    }),
  )

/** What holds for every stream once it is over. */
async function check(stream: Stream, sent: readonly Kind[]): Promise<void> {
  await stream.ended
  const said = stream.replies.map(reply => reply.response)
  expect(said.length).toBeLessThanOrEqual(sent.length)
  const answered = said.map((kind, i) => (kind === 'immediateResponse' && i === said.length - 1 ? sent[i] : kind))
  expect(answered).toEqual(sent.slice(0, said.length))
  for (const exchange of house.exchanges) await exchange.seen('closed')
  expect(house.exchanges.length).toBeLessThanOrEqual(1)
  for (const exchange of house.exchanges) {
    expect(exchange.offences).toEqual([])
    expect(exchange.calls.filter(call => call === 'closed')).toHaveLength(1)
    const written = exchange.calls.indexOf('verdictWritten')
    if (written !== -1) expect(exchange.calls[written - 1]).toMatch(/^requestBody/)
  }
}

it('replies once to each message until it ends, one by one', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(anyMessages, nearMessages), script, async (messages, play) => {
      house.script = play
      house.exchanges.length = 0
      const stream = envoy.open()
      let over = false
      for (const { kind, end } of messages) {
        if (!over) over = (await stream.ask(message(kind, end))) === null
      }
      stream.halfClose()
      await check(
        stream,
        messages.map(({ kind }) => kind),
      )
    }),
    { numRuns: 300 },
  )
})

it('replies once to each message until it ends, all sent at once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(anyMessages, nearMessages), script, async (messages, play) => {
      house.script = play
      house.exchanges.length = 0
      const stream = envoy.open()
      for (const { kind, end } of messages) stream.send(message(kind, end))
      await stream.until(messages.length)
      stream.halfClose()
      await check(
        stream,
        messages.map(({ kind }) => kind),
      )
    }),
    { numRuns: 300 },
  )
})

it('closes once wherever the client leaves, by cancelling or by its half', async () => {
  const leaving = fc.record({ after: fc.integer({ min: 1, max: 8 }), wait: fc.nat(5), how: fc.constantFrom('cancel', 'halfClose') })
  await fc.assert(
    fc.asyncProperty(nearMessages, script, leaving, async (messages, play, { after, wait, how }) => {
      house.script = play
      house.exchanges.length = 0
      const stream = envoy.open()
      // The stream stands before it is left: a client of this library that cancels earlier does not tell the server.
      const [first, ...rest] = messages.slice(0, after)
      await stream.ask(message(first?.kind ?? 'requestHeaders', first?.end ?? false))
      for (const { kind, end } of rest) stream.send(message(kind, end))
      await turns(wait)
      if (how === 'cancel') stream.cancel()
      else stream.halfClose()
      // What was sent before a cancel may never arrive, so nothing is said of replies; one round trip later the door knows.
      await stream.ended
      await envoy.open().ask(answer('401'))
      for (const exchange of house.exchanges) {
        await exchange.seen('closed')
        expect(exchange.offences).toEqual([])
        expect(exchange.calls.filter(call => call === 'closed')).toHaveLength(1)
      }
    }),
    { numRuns: 300 },
  )
  while (house.door.open > 0) await turns(1)
})
