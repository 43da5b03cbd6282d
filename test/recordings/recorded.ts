// The recorded exchanges as tests use them: read in place, planned as a simulation plans them, under one roomy policy. Never copies them.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseRecorded, type Recorded } from '../../src/cli/recorded.ts'
import type { Unit } from '../../src/core/budget.ts'
import type { Call } from '../../src/core/call.ts'
import type { PriceBook } from '../../src/core/price.ts'
import type { Ending } from '../../src/enforcer/charge.ts'
import { isIdentity } from '../../src/enforcer/decode.ts'
import type { HeaderList, ResponseInfo } from '../../src/enforcer/exchange.ts'
import { type AnswerMeter, openAnswerMeter } from '../../src/enforcer/meter.ts'
import { type Plan, planCall } from '../../src/enforcer/plan.ts'
import { providerFor } from '../../src/enforcer/provider.ts'
import { buildPriceBook } from '../../src/prices/book.ts'
import { unreadCall } from '../../src/wire/call-draft.ts'
import type { Format, RequestHead } from '../../src/wire/format.ts'
import { findEndpoint } from '../../src/wire/formats.ts'
import { limit, policy, reservation, setOf, subject } from '../core/policy-objects.ts'

const FILE = join(import.meta.dirname, '../../../shared/recordings/exchanges.jsonl')
export const NOW: number = Date.parse('2026-10-01T12:00:00Z')

export interface Exchange extends Recorded {
  readonly api: string
  readonly provider: string
  readonly streaming: boolean
  readonly elidedChars: number
  /** What its recorders say of it. */
  readonly notes: readonly string[]
}

/** Throws a sentence where the recordings are absent: without them nothing is proved. */
export function readExchanges(): Exchange[] {
  if (!existsSync(FILE)) throw new Error(`the recorded exchanges are missing: they belong at ${FILE}`)
  const lines = readFileSync(FILE, 'utf8').split('\n')
  return lines.filter(line => line !== '').map(parseExchange)
}

function parseExchange(line: string): Exchange {
  const recorded = parseRecorded(line)
  if (typeof recorded === 'string') throw new Error(`a recorded exchange cannot be read: ${recorded}`)
  const { api, provider, streaming, elidedChars, notes } = JSON.parse(line) as Omit<Exchange, keyof Recorded>
  return { ...recorded, api, provider, streaming, elidedChars, notes }
}

export type PlannedRequest = Pick<Recorded, 'request'>

export function headOf({ request }: PlannedRequest): RequestHead {
  const [path = '', ...query] = request.path.split('?')
  return { method: request.method, path, query: query.join('?'), header: name => request.headers.get(name) }
}

/** An exchange of an API that is read: what was asked (`lost` where the recorder lost the request's body, or it needs none), and who answers. */
export interface Asked {
  readonly format: Format
  readonly endpoint: string
  readonly call: Call
  readonly lost: boolean
}

export function askedOf(exchange: PlannedRequest & Pick<Exchange, 'id' | 'streaming'>): Asked | null {
  const head = headOf(exchange)
  const found = findEndpoint(head)
  if (found.kind === 'unknown' || found.format === null) return null
  const { format, endpoint } = found
  const lost = { format, endpoint, call: unreadCall(format.name, endpoint, exchange.streaming), lost: true }
  if (found.kind === 'free' || exchange.request.body.length === 0) return lost
  if (!isIdentity(exchange.request.headers.get('content-encoding'))) throw new Error(`${exchange.id}: its request is compressed`)
  const reader = format.openReader(head, endpoint)
  reader.push(exchange.request.body)
  const read = reader.end()
  if (read.kind === 'unreadable') throw new Error(`${exchange.id}: ${read.why}`)
  return { format, endpoint, call: read.call, lost: false }
}

const UNITS: readonly Unit[] = ['USD', 'Tokens', 'Requests']
const SET = setOf({
  policies: [
    policy({
      limits: UNITS.map(unit => limit({ name: unit.toLowerCase(), unit, amount: 10n ** 18n, window: { kind: 'lifetime' } })),
      reservation: reservation({ onUnknownModel: 'DearestOfProvider', onServerTools: 'Reserve' }),
    }),
  ],
})

/** The plan of a call under a limit of each unit; the reason where it is refused. */
export function planOf(exchange: PlannedRequest, call: Call, book: PriceBook = BOOK): Plan | string {
  const { request } = exchange
  const info = {
    headers: request.headers,
    method: request.method,
    path: request.path,
    authority: request.host,
    endOfStream: false,
    routeName: null,
    virtualHost: null,
    sourceAddress: null,
    peerUriSan: null,
    jwtMetadata: null,
    purser: { namespace: null, provider: null, gateway: null },
  }
  const provider = providerFor({ info, head: headOf(exchange) }, call, book)
  const planned = planCall({ call, provider, bound: SET.bindSubject(subject({})), book, mayInject: provider !== null, nowMs: NOW })
  if (planned.kind === 'plan') return planned.plan
  return planned.kind === 'refused' ? `${planned.verdict.reason}: ${planned.verdict.message}` : planned.kind
}

export const BOOK: PriceBook = buildPriceBook([])

/** A meter of the recorded answer, whose body is as `encoding` says (null: as it is). */
export function meterOf({ response }: Exchange, { format, call }: Asked, encoding: string | null = null): AnswerMeter {
  const { status } = response
  const headers: HeaderList = {
    get: name => (name === 'content-encoding' ? encoding : response.headers.get(name)),
    getAll: name => response.headers.getAll(name),
    entries: () => response.headers.entries(),
  }
  const info: ResponseInfo = { status, headers, endOfStream: false, codeDetails: null, flags: null, attempts: null }
  const meter = openAnswerMeter(format, call, info, false)
  if (meter === null) throw new Error(`no meter for the content-encoding ${encoding}`)
  return meter
}

export function finished(meter: AnswerMeter, whole: boolean): Promise<Ending> {
  const { promise, resolve } = Promise.withResolvers<Ending>()
  meter.finish(whole, resolve)
  return promise
}

/** For a failing property: which seed it was, and how to run it again. */
export function seedOf(name: string): number {
  const given = process.env[name]
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given)
  if (!Number.isSafeInteger(seed)) throw new Error(`${name} is not a whole number: ${given}`)
  console.log(`seed ${seed} (again with ${name}=${seed})`)
  return seed
}
