// The webhook: signed so that a standard receiver can verify it, tried again until it is taken, and never holding anything up.
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished } from 'vitest'
import { LimitGrants } from '../../src/core/grants.ts'
import type { BudgetWarning } from '../../src/core/warning.ts'
import { WEBHOOK_RETRIES_MS } from '../../src/limits.ts'
import { createLog } from '../../src/telemetry/logs.ts'
import { createWebhook, signed } from '../../src/telemetry/webhook.ts'
import { limit } from '../core/policy-objects.ts'

const SECRET = Buffer.alloc(32, 7)
const NOW = Date.UTC(2026, 10, 24, 12)
const USD = 1_000_000_000n

const warning: BudgetWarning = {
  id: '0123456789abcdef0123456789abcdef',
  bound: {
    key: 'BudgetPolicy|search|team|month|USD|calendar:Month:UTC:1|ada' as BudgetWarning['bound']['key'],
    policy: { scope: 'BudgetPolicy', namespace: 'search', name: 'team' },
    limit: limit({ amount: 500n * USD }),
    partition: ['ada'],
    version: { createdMs: 0, generation: 0, grantMs: 0 },
    share: null,
    granted: { grants: new LimitGrants(), from: null },
    hard: true,
    response: { statusCode: null, message: null, exposeAmounts: false, exposeBalance: false },
    window: () => ({ kind: 'lifetime' }),
  },
  window: { kind: 'calendar', startMs: Date.UTC(2026, 10, 1), endMs: Date.UTC(2026, 11, 1) },
  percent: 80,
  balance: { limit: 500n * USD, available: 98n * USD, spent: 400n * USD, reserved: 2n * USD, suspense: 0n, overrun: 0n },
}

interface Got {
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A receiver that answers with these statuses, one after the other, and timers that the test runs. */
async function receiver(statuses: readonly number[]) {
  const got: Got[] = []
  const server = createServer(async (request, response) => {
    got.push({ headers: request.headers, body: await text(request) })
    response.writeHead(statuses[got.length - 1] ?? 200, { location: '/elsewhere' })
    response.end('thanks')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const waits: number[] = []
  const lines: string[] = []
  const log = createLog(
    'info',
    new Writable({
      write: (chunk, _, done) => {
        lines.push(String(chunk))
        done()
      },
    }),
  )
  const timer = {
    after: (ms: number, run: () => void) => {
      waits.push(ms)
      setImmediate(run)
      return () => {}
    },
  }
  const clock = { wallMs: () => NOW, monotonicMs: () => NOW }
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
  return { got, waits, lines, server, send: createWebhook({ url, secret: SECRET, ledger: 'default', clock, timer, log }) }
}

async function until(what: () => boolean): Promise<void> {
  for (let tries = 0; !what(); tries += 1) {
    if (tries > 500) throw new Error('it never came')
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

describe('the webhook', () => {
  it('sends a CloudEvent whose signature covers its id, its time and its body', async () => {
    const { got, send } = await receiver([200])
    send(warning)
    await until(() => got.length === 1)
    const { headers, body } = got[0]!
    expect(JSON.parse(body)).toEqual({
      specversion: '1.0',
      id: warning.id,
      source: '/purser/ledgers/default',
      type: 'dev.purser.budget.warning',
      subject: warning.bound.key,
      time: '2026-11-24T12:00:00.000Z',
      datacontenttype: 'application/json',
      data: {
        budget: {
          key: warning.bound.key,
          scope: 'BudgetPolicy',
          namespace: 'search',
          policy: 'team',
          limit: 'month',
          unit: 'USD',
          partition: ['ada'],
        },
        window: { kind: 'calendar', start: '2026-11-01T00:00:00.000Z', end: '2026-12-01T00:00:00.000Z' },
        percent: 80,
        amount: '500',
        spent: '400',
        reserved: '2',
        available: '98',
      },
    })
    expect(headers['content-type']).toBe('application/cloudevents+json; charset=utf-8')
    expect(headers['webhook-timestamp']).toBe(String(NOW / 1_000))
    const expected = createHmac('sha256', SECRET)
      .update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`)
      .digest('base64')
    expect(headers['webhook-signature']).toBe(`v1,${expected}`)
  })

  it('signs as the example of the specification does', () => {
    // https://github.com/standard-webhooks/standard-webhooks: the test vector of its libraries.
    const secret = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64')
    const headers = signed(secret, 'msg_p5jXN8AQM9LWM0D4loKWxJek', '{"test": 2432232314}', 1_614_265_330)
    expect(headers['webhook-signature']).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
  })

  it('tries again, signed anew, until it is taken, and follows no redirect', async () => {
    const { got, waits, lines, send } = await receiver([500, 302, 429, 204])
    send(warning)
    await until(() => got.length === 4)
    expect(waits).toEqual(WEBHOOK_RETRIES_MS.slice(0, 3))
    expect(new Set(got.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
    await new Promise(resolve => setTimeout(resolve, 50))
    expect([got.length, lines]).toEqual([4, []])
  })

  it('gives up after the last try, and says so once', async () => {
    const { got, lines, send } = await receiver(Array(20).fill(503))
    send(warning)
    await until(() => lines.length > 0)
    expect(got).toHaveLength(WEBHOOK_RETRIES_MS.length + 1)
    expect(JSON.parse(lines.join(''))).toMatchObject({ tries: WEBHOOK_RETRIES_MS.length + 1, answer: '503', id: warning.id })
    expect(lines.join('')).not.toContain('ada')
  })

  it('bears a receiver that is not there', async () => {
    const { server, lines, send } = await receiver([])
    await new Promise(resolve => server.close(resolve))
    send(warning)
    await until(() => lines.length > 0)
    expect(lines.join('')).toContain('was not taken')
  })
})
