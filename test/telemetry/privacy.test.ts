// Prompts stay private: what a client sends, prompts, answers, keys, header values, names of our choice, reaches no log, metric or store.
import { describe, expect, it } from 'vitest'
import type { Lifecycle } from '../../src/enforcer/lifecycle.ts'
import { createLog, sumRefusals } from '../../src/telemetry/logs.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { createTelemetry } from '../../src/telemetry/telemetry.ts'
import { request, response } from '../enforcer/requests.ts'
import { openWorld, type World } from '../enforcer/world.ts'

const POLICY = `
apiVersion: purser.dev/v1alpha1
kind: BudgetPolicy
metadata: {name: team}
spec:
  limits:
  - {name: money, unit: USD, amount: "1.00", window: {calendar: Day, timeZone: UTC}, partitionBy: [{accessKey: {}}]}
  reservation: {defaultMaxOutputTokens: 1000}
`
const KEY = 'sk-SECRETKEY-0123456789'
const OWN_KEY = 'psk_SECRETOWNKEY0123456789012345678901234567890'
const SECRETS = ['SECRETKEY', 'SECRETOWNKEY', 'SECRETPROMPT', 'SECRETANSWER', 'SECRETHEADER', 'SECRETMODEL', 'SECRETPATH', 'SECRETQUERY']
const headers = { authorization: `Bearer ${KEY}`, 'x-custom': 'SECRETHEADER', 'user-agent': 'SECRETHEADER' }
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
const asked = (changes: object = {}): Buffer =>
  json({ model: 'gpt-4o', messages: [{ role: 'user', content: 'SECRETPROMPT' }], max_tokens: 100, user: 'SECRETPROMPT', ...changes })
const answered = json({
  model: 'gpt-4o',
  choices: [{ message: { content: 'SECRETANSWER' } }],
  usage: { prompt_tokens: 5, completion_tokens: 5, total_tokens: 10 },
})

/** Everything that leaves the process beside the answer itself. */
async function outlets(world: World): Promise<{ all(): Promise<string>; logged(): string }> {
  let log = ''
  const write = (line: string): void => {
    log += line
  }
  const logger = createLog('trace', { write })
  const metrics = createMetrics()
  const sums = sumRefusals(logger)
  const real = createTelemetry(metrics, logger, sums, null)
  for (const name of Object.keys(real) as (keyof typeof real)[]) world.telemetry[name].mockImplementation(real[name] as never)
  return {
    logged: () => log,
    all: async () => {
      await world.settled()
      sums.stop()
      const entries = await world.ledger.entries({ afterSeq: 0, count: 1_000 })
      const records = await world.ledger.reservations({ open: false, cursor: '', count: 1_000 })
      const stored = JSON.stringify([entries, records], (_, value) => (typeof value === 'bigint' ? value.toString() : value))
      return log + (await metrics.registry.metrics()) + stored
    },
  }
}

async function send(world: World, body: Buffer, path = '/v1/chat/completions', more: object = {}): Promise<Lifecycle> {
  const exchange = world.open()
  const head = exchange.requestHeaders(request({ path, headers: { ...headers, ...more } }))
  if (head.kind === 'read-body') await exchange.requestBody(body)
  exchange.verdictWritten()
  return exchange
}

describe('what leaves the process', () => {
  it('holds nothing that a client or a provider sent', async () => {
    const world = await openWorld(POLICY)
    const out = await outlets(world)
    const whole = await send(world, asked())
    whole.responseHeaders(response())
    whole.responseBody(answered, true)
    const cut = await send(world, asked({ stream: true }))
    cut.responseHeaders(response({ headers: { 'content-type': 'text/event-stream' } }))
    cut.responseBody(Buffer.from(`data: ${json({ model: 'SECRETMODEL', choices: [{ delta: { content: 'SECRETANSWER' } }] })}\n\n`), false)
    cut.closed(false)
    const other = await send(world, asked())
    other.responseHeaders(response())
    other.responseBody(Buffer.from(answered.toString().replace('"gpt-4o"', '"SECRETMODEL"')), true)
    await send(world, asked({ model: 'SECRETMODEL' }))
    await send(world, Buffer.from('{"model": "SECRETMODEL", "messages": SECRETPROMPT'))
    await send(world, asked(), '/v1/SECRETPATH?a=SECRETQUERY')
    await send(world, asked(), '/v1/chat/completions', { 'x-api-key': OWN_KEY })
    const text = await out.all()
    expect(text).toContain('purser_decisions_total{decision="admitted",reason="fits"} 3')
    expect(text).toMatch(/purser_decisions_total\{decision="refused",reason="no-price"\} 1/)
    for (const secret of SECRETS) expect(text.includes(secret), secret).toBe(false)
  })

  it('sums refusals up, and writes no line for one', async () => {
    const world = await openWorld(POLICY)
    const out = await outlets(world)
    for (let i = 0; i < 50; i++) await send(world, asked({ max_tokens: 1_000_000_000 }))
    const lines = (await out.all()).split('\n').filter(line => line.includes('"msg":"refusals"'))
    expect(lines.map(line => JSON.parse(line).refused)).toEqual([{ 'never-fits': 50 }])
    expect(
      out
        .logged()
        .split('\n')
        .filter(line => line.includes('"level":"info"')),
    ).toHaveLength(1)
  })
})
