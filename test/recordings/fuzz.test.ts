// Damaged requests and answers of every format: no exception, no number that is negative or none, nothing that grows beyond its input.
import { describe, expect, it } from 'vitest'
import { type Amounts, amountOf, estimateCall } from '../../src/core/estimate.ts'
import { mergeRules } from '../../src/core/rules.ts'
import { chargeOf } from '../../src/enforcer/charge.ts'
import type { Plan } from '../../src/enforcer/plan.ts'
import { AMOUNT_MAX } from '../../src/limits.ts'
import type { Format, ReadResult, RequestHead } from '../../src/wire/format.ts'
import { FORMATS, findEndpoint } from '../../src/wire/formats.ts'
import { bytesOf, type Fixture, fixturesOf, mulberry } from '../wire/fixture.ts'
import { mutate, mutateFrames, mutateText, type Random } from './mutate.ts'
import { type Asked, askedOf, headOf, NOW, type PlannedRequest, planOf, readExchanges, seedOf } from './recorded.ts'

/** Of all formats together. A longer search takes another number of them. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 100_000)
const SEED = seedOf('FUZZ_SEED')
/** A longer body takes the time of many and meets the same code. */
const BODY_BYTES_MAX = 24_000

interface Answer {
  readonly id: string
  readonly asked: Asked
  readonly plan: Plan | string
  readonly status: number
  readonly header: (name: string) => string | null
  readonly body: Buffer
}
interface Asking {
  readonly id: string
  readonly planned: PlannedRequest
  readonly body: Buffer
}

/** Damaged bodies that were read all the same, to a call or to a usage. */
const reached = { calls: 0, reports: 0 }
const { askings, answers } = corpus()
const bodies = [...askings, ...answers].map(({ body }) => body)

describe.each(FORMATS.map(format => [format.name, format] as const))('damaged bodies of %s', (name, format) => {
  it('are read without an exception or a number that is none', () => {
    const requests = askings.filter(({ planned }) => formatOf(headOf(planned)) === format)
    const replies = answers.filter(({ asked }) => asked.format === format)
    expect([requests.length > 0, replies.length > 0]).toEqual([true, true])
    const faults: string[] = []
    reached.calls = 0
    reached.reports = 0
    for (let run = 0; run < RUNS / FORMATS.length; run++) {
      const random = mulberry(SEED ^ Math.imul(run + 1, 0x9e3779b1) ^ name.length)
      const one = run % 2 === 0 ? requests : replies
      const entry = one[Math.floor(random() * one.length)]
      if (entry === undefined) continue
      try {
        if ('planned' in entry) tryRequest(entry, random)
        else tryAnswer(entry, random)
      } catch (error) {
        faults.push(`run ${run} of ${entry.id}: ${error instanceof Error ? error.stack?.split('\n').slice(0, 7).join('\n') : error}`)
        if (faults.length >= 3) break
      }
    }
    expect(faults.join('\n'), `FUZZ_SEED=${SEED}`).toBe('')
    // Where hardly a body was still one of its format, nothing behind the parser was tried.
    console.log(`${name}: ${reached.calls} calls and ${reached.reports} reports of ${RUNS / FORMATS.length} bodies`)
    expect(reached.calls).toBeGreaterThan(RUNS / FORMATS.length / 100)
    if (replies.some(reports)) expect(reached.reports).toBeGreaterThan(RUNS / FORMATS.length / 50)
  }, 600_000)
})

function tryRequest({ planned, body }: Asking, random: Random): void {
  const damaged = random() < 0.02 ? Buffer.alloc(0) : mutate(body, anyBody(random), random)
  const request = random() < 0.1 ? withPath(planned, mutateText(planned.request.path, random)) : planned
  const head = headOf(request)
  const endpoint = findEndpoint(head)
  if (endpoint.kind !== 'metered') return
  const reader = endpoint.format.openReader(head, endpoint.endpoint)
  for (const piece of pieces(damaged, random)) reader.push(piece)
  const read = reader.end()
  if (read.kind === 'unreadable') {
    check(read.why.length > 0 && read.why.length < 500, `a sentence of ${read.why.length} characters`)
    return
  }
  const { call } = read
  reached.calls++
  checkNumbers(call, 'call', damaged.length + head.path.length)
  check(call.models.length > 0 && call.choices >= 1n, 'a call without a model or a choice')
  checkAmendments(read, damaged)
  const plan = planOf(request, call)
  if (typeof plan !== 'string') checkAmounts({ ...plan.estimate, requests: 1n }, 'estimate')
  const strict = { ...mergeRules([]), inputEstimate: 'Strict', defaultMaxOutputTokens: 100n } as const
  checkNumbers(estimateCall({ call, prices: [], provider: null, rules: strict, mayInject: true }), 'estimate', 0)
}

function checkAmendments(read: Extract<ReadResult, { kind: 'call' }>, body: Buffer): void {
  let at = 0
  for (const splice of read.amend({ outputBound: 77n, includeUsage: true, provider: 'openai' })) {
    check(splice.at >= at && splice.remove >= 0 && splice.at + splice.remove <= body.length, `a splice at ${splice.at}`)
    at = splice.at + splice.remove
  }
}

function tryAnswer({ asked, plan, status, header, body }: Answer, random: Random): void {
  const frames = /eventstream/.test(header('content-type') ?? '')
  const damaged = frames ? mutateFrames(body, anyBody(random), random) : mutate(body, anyBody(random), random)
  const hostile = random() < 0.1
  const open = (name: string): string | null => (hostile && header(name) !== null ? mutateText(header(name) ?? '', random) : header(name))
  const hide = random() < 0.3
  const meter = asked.format.openMeter(asked.call, { status, header: open }, hide)
  const out: Uint8Array[] = []
  const checkReading = (): void => {
    const reading = meter.reading()
    checkNumbers(reading, 'reading', damaged.length)
    if (typeof plan !== 'string') checkAmounts(chargeOf(plan, { kind: 'answered', reading }, NOW), 'charge')
  }
  for (const piece of pieces(damaged, random)) {
    out.push(meter.push(piece) ?? piece)
    if (random() < 0.3) checkReading()
  }
  checkReading()
  const rest = meter.end()
  if (rest !== null) out.push(rest)
  checkReading()
  const reading = meter.reading()
  if (reading.kind !== 'absent' && reading.usage !== null) reached.reports++
  const given = Buffer.concat(out)
  if (!hide) check(given.equals(damaged), `the client got ${given.length} other bytes of ${damaged.length}`)
  else check(given.length <= damaged.length, `the client got ${given.length} bytes of ${damaged.length}`)
}

/** Whether the answer as it came tells a usage: some formats have none. */
function reports({ asked, status, header, body }: Answer): boolean {
  const meter = asked.format.openMeter(asked.call, { status, header }, false)
  meter.push(body)
  meter.end()
  const reading = meter.reading()
  return reading.kind !== 'absent' && reading.usage !== null
}

const anyBody = (random: Random): Buffer => bodies[Math.floor(random() * bodies.length)] ?? Buffer.alloc(0)

/** Whole, or in up to four pieces. */
function pieces(body: Buffer, random: Random): Buffer[] {
  const ends = Array.from({ length: Math.floor(random() * 4) }, () => Math.floor(random() * (body.length + 1))).sort((a, b) => a - b)
  return [...ends, body.length].map((end, index) => body.subarray(index === 0 ? 0 : ends[index - 1], end))
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}

/** Every number at any depth; every text and list, which cannot be longer than what was read. */
function checkNumbers(value: unknown, name: string, bytes: number): void {
  if (typeof value === 'number') check(Number.isFinite(value) && value >= 0, `${name} is ${value}`)
  else if (typeof value === 'bigint') check(value >= 0n, `${name} is ${value}`)
  else if (typeof value === 'string') check(value.length <= bytes + 200, `${name} has ${value.length} characters`)
  else if (value instanceof Map) for (const [key, one] of value) checkNumbers(one, `${name}.${String(key).slice(0, 50)}`, bytes)
  else if (typeof value === 'object' && value !== null)
    for (const [key, one] of Object.entries(value)) checkNumbers(one, `${name}.${key}`, bytes)
}

function checkAmounts(amounts: Amounts, name: string): void {
  checkNumbers(amounts, name, 0)
  for (const unit of ['USD', 'Tokens', 'InputTokens', 'OutputTokens', 'Requests'] as const) {
    if (unit === 'USD' && amounts.cost === null) continue
    check(amountOf(unit, amounts) <= AMOUNT_MAX, `${name} is ${amountOf(unit, amounts)} ${unit}, more than can be counted`)
  }
}

function formatOf(head: RequestHead): Format | null {
  const endpoint = findEndpoint(head)
  return endpoint.kind === 'metered' ? endpoint.format : null
}

const withPath = (planned: PlannedRequest, path: string): PlannedRequest => ({ request: { ...planned.request, path } })

/** Of the recordings and of the formats' own fixtures, those that are read. */
function corpus(): { askings: Asking[]; answers: Answer[] } {
  const found: { askings: Asking[]; answers: Answer[] } = { askings: [], answers: [] }
  for (const exchange of readExchanges()) {
    const { id, request, response } = exchange
    const asked = askedOf(exchange)
    if (asked === null) continue
    const plan = asked.lost ? 'lost' : planOf(exchange, asked.call)
    const { status, headers, body } = response
    if (!asked.lost && request.body.length <= BODY_BYTES_MAX) found.askings.push({ id, planned: exchange, body: request.body })
    if (body.length <= BODY_BYTES_MAX) found.answers.push({ id, asked, plan, status, header: name => headers.get(name), body })
  }
  for (const { name } of FORMATS) for (const [file, fixture] of fixturesOf(name)) addFixture(`${name}/${file}`, fixture, found)
  return found
}

function addFixture(id: string, fixture: Fixture, found: { askings: Asking[]; answers: Answer[] }): void {
  const { request, response } = fixture
  const body = Buffer.from(bytesOf(request.body))
  const get = (name: string): string | null => request.headers?.[name] ?? null
  const headers = { get, getAll: () => [], entries: () => [] }
  const planned = { request: { method: request.method ?? 'POST', host: '', path: request.path, headers, body } }
  found.askings.push({ id, planned, body })
  if (response === undefined) return
  const asked = askedOf({ ...planned, id, streaming: true })
  if (asked === null) throw new Error(`${id} is of no format`)
  const { status = 200 } = response
  const answer = Buffer.from(bytesOf(response.body))
  found.answers.push({ id, asked, plan: planOf(planned, asked.call), status, header: name => response.headers[name] ?? null, body: answer })
}
