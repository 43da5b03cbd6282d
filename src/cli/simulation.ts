// One policy set and one ledger in memory, and recorded exchanges run against them in their order and at their time.
import type { Call } from '../core/call.ts'
import type { Estimate } from '../core/estimate.ts'
import { formatUsd } from '../core/money.ts'
import type { SubjectBinding } from '../core/policy.ts'
import { mergeRules } from '../core/rules.ts'
import type { Subject } from '../core/subject.ts'
import type { Reason } from '../core/verdict.ts'
import { admit } from '../enforcer/admit.ts'
import { powersOf, type ReadCall } from '../enforcer/amend.ts'
import { amountsFor, chargeOf, type Ending } from '../enforcer/charge.ts'
import { considerHead, type HeadConsidered } from '../enforcer/consider.ts'
import type { RequestInfo } from '../enforcer/exchange.ts'
import { createHeadroom } from '../enforcer/headroom.ts'
import { sha256 } from '../enforcer/identify.ts'
import { openAnswerMeter } from '../enforcer/meter.ts'
import { placed, providerFor } from '../enforcer/provider.ts'
import { readBody } from '../enforcer/read.ts'
import { requestHead } from '../enforcer/request.ts'
import { createStoreTime, mintHolder, reservationIds } from '../enforcer/store-time.ts'
import { countTokens } from '../enforcer/tokens.ts'
import { type Powers, waysOf } from '../enforcer/ways.ts'
import type { Clock, Ledger, PolicySource, PriceSource, Random, TokenCounter } from '../ports.ts'
import { unreadCall } from '../wire/call-draft.ts'
import type { Format } from '../wire/format.ts'
import { findEndpoint } from '../wire/formats.ts'
import type { Recorded } from './recorded.ts'
import { type Asked, blank, estimateAlone, estimateJson, type Simulated, usageJson } from './simulated.ts'

interface Feed {
  readonly chunk: number | null
  readonly cut: number | null
}

const IDENTITY = { defaultNamespace: 'default', requireKey: false, trustedHeaders: [], trustXfcc: false, jwtPayloadKey: null }

export interface Simulation {
  run(recorded: Recorded, feed: Feed): Promise<Simulated>
}

export function createSimulation(
  policies: PolicySource,
  prices: PriceSource,
  openLedger: (clock: Clock) => Ledger,
  random: Random,
  tokens?: TokenCounter,
): Simulation {
  let nowMs = Date.now()
  const clock: Clock = { wallMs: () => nowMs, monotonicMs: () => nowMs }
  const ledger = openLedger(clock)
  const time = createStoreTime(clock)
  const holder = mintHolder(random)
  const mintId = reservationIds(random)
  const headroom = createHeadroom()
  const rules = { policies, prices, clock, time, identity: IDENTITY, unbudgeted: 'allow' } as const

  const run = async (recorded: Recorded, feed: Feed): Promise<Simulated> => {
    // Time only moves on: a store's clock never runs backwards, whatever the order of the recordings.
    nowMs = Math.max(nowMs, recorded.timeMs ?? nowMs)
    await ledger.beat(holder)
    const info = requestInfo(recorded)
    const subject = subjectOf(recorded, policies)
    const considered = considerHead(info, rules, subject)
    const head = requestHead(info)
    const endpoint = findEndpoint(head)
    const early = considered.kind === 'metered' ? null : earlyDecision(considered)
    if (endpoint.kind === 'unknown') return { ...blank(recorded.id), ...early }
    const { format } = endpoint
    if (format === null) return { ...blank(recorded.id), ...early }
    if (endpoint.kind === 'free') {
      // It costs nothing, and its answer still tells of tokens: of a call that was paid for before.
      return { ...blank(recorded.id), ...early, format: format.name, usage: await usageOfUnread(recorded, feed, format, endpoint.endpoint) }
    }
    const reader = format.openReader(head, endpoint.endpoint)
    const read = await readBody(reader, recorded.request.body, info.headers.get('content-encoding'))
    if (read.kind !== 'call') {
      const usage = await usageOfUnread(recorded, feed, format, endpoint.endpoint)
      return { ...blank(recorded.id), format: format.name, usage, ...(early ?? { outcome: 'refused', reason: read.kind }) }
    }
    const call = placed(read.call, info)
    const book = prices.current()
    const provider = providerFor({ info, head }, call, book)
    const ending = await meterRecorded(recorded, feed, call, format)
    const bound = considered.kind === 'metered' ? considered.request.bound : null
    const counted = bound === null ? null : await countTokens(tokens, bound, read.plain)
    const asked = { call, provider, book, nowMs, counted }
    const decided = bound === null ? { estimate: null, chargedUsd: '0', ...early } : await decide(asked, bound, read, ending)
    return {
      ...blank(recorded.id),
      format: format.name,
      model: call.models[0] ?? null,
      ...decided,
      estimate: estimateJson(decided.estimate ?? estimateAlone(asked, bound?.rules ?? mergeRules([]))),
      usage: usageJson(ending, asked),
    }
  }

  const usageOfUnread = async (recorded: Recorded, feed: Feed, format: Format, endpoint: string): Promise<Simulated['usage']> => {
    const streaming = /event-stream/.test(recorded.response.headers.get('content-type') ?? '')
    const call = unreadCall(format.name, endpoint, streaming)
    return usageJson(await meterRecorded(recorded, feed, call, format), { call, provider: null, book: prices.current(), nowMs })
  }

  const decide = async (asked: Asked, bound: SubjectBinding, read: ReadCall, ending: Ending) => {
    const powersAt = (provider: string | null): Powers => powersOf(read, provider, provider !== null)
    const found = waysOf({ ...asked, bound, headroom, powersAt, maySteer: true, ...powersAt(asked.provider) })
    const unmetered = { outcome: 'unmetered', reason: 'unmetered', estimate: null, chargedUsd: '0' } as const
    const refused = (reason: Reason, estimate: Estimate | null) => ({ outcome: 'refused', reason, estimate, chargedUsd: '0' }) as const
    if (found.kind === 'refused') return refused(found.verdict.reason, null)
    const [first] = found.kind === 'unmetered' ? [] : found.ways
    if (found.kind === 'unmetered' || first === undefined) return unmetered
    const plans = found.ways.map(way => way.plan)
    const admission = await admit({ ledger, time, holder, mintId, random, headroom }, plans)
    if (admission.kind === 'refused' && found.free !== null) return unmetered
    if (admission.kind !== 'reserved') return refused(admission.verdict.reason, first.plan.estimate)
    const plan = plans[admission.taken] ?? first.plan
    const { reservation } = admission
    const charge = chargeOf(plan, ending, nowMs)
    const amounts = amountsFor(reservation.lines, charge)
    await ledger.settle({ ...reservation, holder, amounts, proven: charge.proven, how: charge.how })
    return { outcome: 'admitted', reason: null, estimate: plan.estimate, chargedUsd: formatUsd(charge.cost ?? 0n) } as const
  }
  return { run }
}

function earlyDecision(considered: Exclude<HeadConsidered, { kind: 'metered' }>): Pick<Simulated, 'outcome' | 'reason'> {
  if (considered.kind === 'refused') return { outcome: 'refused', reason: considered.verdict.reason }
  return { outcome: 'unmetered', reason: considered.kind === 'watched' ? 'free' : considered.why }
}

/** Feeds the recorded answer, whatever the verdict was. */
async function meterRecorded({ response }: Recorded, feed: Feed, call: Call, format: Format): Promise<Ending> {
  if (response.status < 200 || response.status > 299) return { kind: 'error' }
  const info = { status: response.status, headers: response.headers, endOfStream: false, codeDetails: null, flags: null, attempts: null }
  const meter = openAnswerMeter(format, call, info, false)
  if (meter === null) return { kind: 'unread' }
  const { body } = response
  const end = Math.min(body.length, feed.cut ?? body.length)
  const step = feed.chunk ?? Math.max(1, end)
  for (let at = 0; at < end; at += step) meter.push(body.subarray(at, Math.min(end, at + step)), false)
  const { promise, resolve } = Promise.withResolvers<Ending>()
  meter.finish(end === body.length, resolve)
  return promise
}

function requestInfo({ request }: Recorded): RequestInfo {
  return {
    headers: request.headers,
    method: request.method,
    path: request.path,
    authority: request.host,
    endOfStream: request.body.length === 0,
    routeName: null,
    virtualHost: null,
    sourceAddress: null,
    peerUriSan: null,
    jwtMetadata: null,
    purser: { namespace: null, provider: null, gateway: null },
  }
}

/** Null where the exchange names no subject: then it is found as it is for live calls. */
function subjectOf({ subject }: Recorded, policies: PolicySource): Subject | null {
  if (subject === null) return null
  const key = subject.key === null ? null : policies.current().keyByHash(sha256(subject.key))
  return {
    route: { namespace: IDENTITY.defaultNamespace, name: '', rule: null },
    gateways: [],
    accessKey: key,
    credential: subject.key === null ? null : sha256(subject.key),
    attributes: new Map([...(key?.attributes ?? []), ...subject.attributes]),
    claims: new Map(),
    serviceAccount: null,
    headers: new Map(),
  }
}
