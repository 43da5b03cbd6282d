// A request up to its plan: who asks and what binds them (from the head), what is asked and what it would need (from the body).
// Moves no balance, so that it serves live exchanges and simulations alike.
import type { Policy, SubjectBinding } from '../core/policy.ts'
import type { Subject } from '../core/subject.ts'
import { type Verdict, verdict } from '../core/verdict.ts'
import { repeatRules } from '../core/waste.ts'
import type { Dialect } from '../wire/format.ts'
import { dialectOf, findEndpoint } from '../wire/formats.ts'
import { type Amended, amendBody, mayAmend, powersOf } from './amend.ts'
import { auditedPlan } from './audit.ts'
import type { Enforcer } from './enforcer.ts'
import type { HeaderChange, RequestInfo } from './exchange.ts'
import { fingerprintOf } from './fingerprint.ts'
import { type Identified, identify } from './identify.ts'
import { bindCall } from './plan.ts'
import { placed, providerFor } from './provider.ts'
import { readBody } from './read.ts'
import { type MeteredRequest, requestHead, type WatchedRequest } from './request.ts'
import { forged, misrouted } from './steer.ts'
import { countTokens } from './tokens.ts'
import { type Passage, type Powers, type Ways, waysOf } from './ways.ts'

export type HeadConsidered = { readonly dialect: Dialect } & (
  | { readonly kind: 'metered'; readonly request: MeteredRequest; readonly change: HeaderChange }
  | { readonly kind: 'watched'; readonly request: WatchedRequest; readonly change: HeaderChange }
  | { readonly kind: 'pass'; readonly why: string; readonly change: HeaderChange; readonly audited: Verdict | null }
  | { readonly kind: 'refused'; readonly verdict: Verdict }
)

export type BodyConsidered =
  /** `amend`: what the body is to say for one of them. `audited`: what the call would have been refused for by policies that only audit. */
  | (Extract<Ways, { kind: 'ways' }> & { amend(passage: Passage): Amended; readonly audited: Verdict | null })
  | { readonly kind: 'pass'; readonly why: string; readonly audited: Verdict | null }
  | { readonly kind: 'refused'; readonly verdict: Verdict }

type Rules = Pick<Enforcer, 'policies' | 'clock' | 'identity' | 'unbudgeted'>
type BodyRules = Pick<Enforcer, 'prices' | 'time' | 'tokens' | 'headroom' | 'repeats'>

/** Identity, then endpoint, then what binds; nothing here waits for anything. `as`: a subject that is known already. */
export function considerHead(request: RequestInfo, rules: Rules, as: Subject | null = null): HeadConsidered {
  const head = requestHead(request)
  const endpoint = findEndpoint(head)
  const dialect = dialectOf(endpoint, head)
  const set = rules.policies.current()
  const identified: Identified =
    as === null
      ? identify(request, set, rules.identity, rules.clock.wallMs())
      : { kind: 'subject', subject: as, strip: [], provider: request.purser.provider }
  if (identified.kind === 'refused') return { ...identified, dialect }
  const info: RequestInfo = { ...request, purser: { ...request.purser, provider: identified.provider } }
  const misled = misrouted(info, set.steers())
  if (misled !== null) return { kind: 'refused', dialect, verdict: misled }
  const change: HeaderChange = { set: [], remove: [...identified.strip, ...forged(info)] }
  const bound = set.bindSubject(identified.subject)
  const upgrade = info.method === 'CONNECT' || info.headers.get('upgrade') !== null
  const why = bound.policies.length === 0 ? 'unbudgeted' : upgrade ? 'upgrade' : endpoint.kind === 'unknown' ? 'unknown-endpoint' : null
  if (why === 'unbudgeted' && rules.unbudgeted === 'deny') {
    return { kind: 'refused', dialect, verdict: verdict(why, 'No budget covers this call, and calls without one are refused here.') }
  }
  const forbidden = why === 'unbudgeted' || endpoint.kind === 'metered' ? null : forbiddenHead(bound, endpoint.endpoint, why !== null)
  if (forbidden !== null) return { kind: 'refused', dialect, verdict: forbidden }
  if (why !== null && why !== 'unbudgeted') {
    const what = why === 'upgrade' ? 'A connection upgrade' : 'This endpoint'
    const refusal = verdict(why, `${what} is not one whose cost can be bounded, so it is refused here.`)
    if (bound.rules.onUnknownEndpoint === 'Deny') return { kind: 'refused', dialect, verdict: refusal }
    const audited = bound.asEnforced?.().rules.onUnknownEndpoint === 'Deny' ? refusal : null
    return { kind: 'pass', dialect, why, change, audited }
  }
  if (why !== null) return { kind: 'pass', dialect, why, change, audited: null }
  // Usage must be readable, and bytes be countable, as they pass.
  const asked: HeaderChange = { set: [['accept-encoding', 'identity']], remove: change.remove }
  if (endpoint.kind === 'free' && endpoint.format !== null && info.endOfStream) {
    const request: WatchedRequest = { info, head, format: endpoint.format, endpoint: endpoint.endpoint }
    return { kind: 'watched', dialect, request, change: asked }
  }
  if (endpoint.kind !== 'metered') return { kind: 'pass', dialect, why: 'free', change, audited: null }
  return { kind: 'metered', dialect, request: { info, head, subject: identified.subject, bound, set, endpoint }, change: asked }
}

/** What no call is read from is permitted by its endpoint alone; `isBlind`: a model or a provider may be in it that nobody has seen. */
function forbiddenHead(bound: SubjectBinding, endpoint: string, isBlind: boolean): Verdict | null {
  if (endpoint === 'options') return null
  const policy = bound.forbidsEndpoint(endpoint)
  if (policy !== null) return verdict('endpoint-forbidden', `The endpoint "${endpoint}" is not permitted here.`, policy)
  if (!isBlind || bound.restricting === null || bound.rules.onUnknownEndpoint === 'Deny') return null
  return verdict(
    'endpoint-forbidden',
    'Only some models or providers are permitted here, and this endpoint does not show which it is.',
    bound.restricting,
  )
}

export async function considerBody(request: MeteredRequest, body: Uint8Array, rules: BodyRules): Promise<BodyConsidered> {
  const { info, head, bound, endpoint } = request
  const no = (refusal: Verdict): BodyConsidered =>
    auditsOnly(bound.policies) ? { kind: 'pass', why: refusal.reason, audited: refusal } : { kind: 'refused', verdict: refusal }
  if (info.bodyIsPart === true) return no(verdict('too-large', 'The body did not come to be judged as a whole: it may be too large.'))
  const read = await readBody(endpoint.format.openReader(head, endpoint.endpoint), body, info.headers.get('content-encoding'))
  if (read.kind === 'too-large') return no(verdict('too-large', read.why))
  if (read.kind === 'unreadable') {
    const refusal = verdict('unreadable', read.why)
    const audited = bound.asEnforced?.().rules.onUnreadable === 'Deny' ? refusal : null
    return bound.rules.onUnreadable === 'Allow' && bound.restricting === null ? { kind: 'pass', why: 'unreadable', audited } : no(refusal)
  }
  const book = rules.prices.current()
  const call = placed(read.call, info)
  const provider = providerFor(request, call, book)
  const isFixed = info.bodyIsFixed === true
  const powersAt = (where: string | null): Powers => (isFixed ? POWERLESS : powersOf(read, where, mayAmend(request, where)))
  const counted = await countTokens(rules.tokens, bound, read.plain)
  const { headroom, time } = rules
  const input = { call, provider, bound, book, nowMs: time.now(), counted, ...powersAt(provider) }
  const found = waysOf({ ...input, headroom, powersAt, maySteer: !isFixed })
  if (found.kind === 'refused') return no(found.verdict)
  const mayRepeat = repeatRules(bound.policies).length > 0
  const repeating = mayRepeat ? repeatRules(bindCall(input).policies) : []
  const repeated = repeating.length === 0 ? null : rules.repeats.came(await fingerprintOf(request, call, read.plain), repeating)
  if (repeated !== null && repeated.refusal !== null) return { kind: 'refused', verdict: repeated.refusal }
  const audited = auditedPlan(input) ?? repeated?.audited ?? null
  if (found.kind === 'unmetered') return { kind: 'pass', why: 'unmetered', audited }
  return { ...found, amend: passage => amendBody(body, read, passage, request), audited }
}

/** Of a request whose door changes no body, and cannot have its route chosen anew. */
const POWERLESS: Powers = { mayInject: false, takesBound: () => false, as: () => null }

/** Where every policy that binds only audits, no call is refused: it passes, counted with what it would have been refused for. */
export const auditsOnly = (policies: readonly Policy[]): boolean => policies.every(policy => policy.audit)
