// One exchange as a state machine: waiting -> reserved | left -> answering -> left. With `answering.ts` the only place with branches about
// order; it closes its reservation exactly once, however the exchange ends, or hands it over once.
import { assert } from '../core/assert.ts'
import type { Verdict } from '../core/verdict.ts'
import { unreadCall } from '../wire/call-draft.ts'
import type { Dialect } from '../wire/format.ts'
import { type Admission, admit } from './admit.ts'
import type { Allowed } from './allowance.ts'
import { Answering, endingAtHead } from './answering.ts'
import { auditedShortfall } from './audit.ts'
import { chargeEarlierAttempts, closeReservation, type Held, releaseReservation, watchProgress } from './close.ts'
import { auditsOnly, type BodyConsidered, considerBody, considerHead } from './consider.ts'
import type { Enforcer } from './enforcer.ts'
import {
  type BodyAnswer,
  type Exchange,
  type HeadAnswer,
  NO_CHANGE,
  type Refusal,
  type RequestInfo,
  type ResponseAnswer,
  type ResponseInfo,
} from './exchange.ts'
import { handoverText } from './handover.ts'
import { type AnswerMeter, openAnswerMeter } from './meter.ts'
import type { Plan } from './plan.ts'
import { prove } from './prove.ts'
import { refusalOf } from './refuse.ts'
import type { MeteredRequest, WatchedRequest } from './request.ts'

type State =
  | { readonly kind: 'waiting'; readonly request: MeteredRequest | null }
  /** Reserved, and the verdict is not written yet. */
  | { readonly kind: 'reserved'; readonly held: Held; readonly answering: Answering | null }
  | { readonly kind: 'answering'; readonly answering: Answering }
  /** Nothing is open: an answer is fetched again, and may prove what it did cost. */
  | { readonly kind: 'watching'; readonly request: WatchedRequest }
  | { readonly kind: 'proving'; readonly request: WatchedRequest; readonly meter: AnswerMeter }
  /** Nothing is open here any more: refused, passed, closed, or handed over. */
  | { readonly kind: 'left' }

export class Lifecycle implements Exchange {
  readonly #enforcer: Enforcer
  #state: State = { kind: 'waiting', request: null }
  #dialect: Dialect = 'openai'
  #startMs: number
  #gone = false

  constructor(enforcer: Enforcer) {
    this.#enforcer = enforcer
    this.#startMs = enforcer.clock.monotonicMs()
  }

  requestHeaders(info: RequestInfo): HeadAnswer {
    const considered = considerHead(info, this.#enforcer)
    this.#dialect = considered.dialect
    if (considered.kind === 'refused') return { kind: 'refuse', refusal: this.#refuse(considered.verdict) }
    if (considered.kind === 'metered') {
      this.#state = { kind: 'waiting', request: considered.request }
      return { kind: 'read-body', change: considered.change }
    }
    this.#leave('unmetered', considered.kind === 'watched' ? 'free' : considered.why)
    if (considered.kind === 'pass') {
      this.#audited(considered.audited)
      return { kind: 'pass', change: considered.change }
    }
    this.#state = { kind: 'watching', request: considered.request }
    return { kind: 'watch', change: considered.change }
  }

  async requestBody(body: Uint8Array): Promise<BodyAnswer> {
    const state = this.#state
    assert(state.kind === 'waiting' && state.request !== null, 'a body follows headers that asked for it')
    this.#startMs = this.#enforcer.clock.monotonicMs()
    const considered = await considerBody(state.request, body, this.#enforcer)
    if (this.#gone) return { kind: 'gone' }
    switch (considered.kind) {
      case 'refused':
        return { kind: 'refuse', refusal: this.#refuse(considered.verdict) }
      case 'pass':
        this.#leave('unmetered', considered.why)
        this.#audited(considered.audited)
        return { kind: 'pass' }
      case 'plan':
        return this.#reserve(considered, state.request)
    }
  }

  async #reserve(
    { plan, amended, audited }: Extract<BodyConsidered, { kind: 'plan' }>,
    { info, endpoint }: MeteredRequest,
  ): Promise<BodyAnswer> {
    const settlesItself = info.answersElsewhere !== true
    const admission = await admit(this.#enforcer, plan, !settlesItself)
    if (admission.kind === 'refused') return this.#notReserved(plan, admission.verdict)
    const { reservation } = admission
    const allowed = admission.kind === 'unknown' ? this.#allow(plan, admission) : null
    const held: Held = { reservation, plan, allowed }
    if (admission.kind === 'unknown' && allowed === null) {
      this.#release(held, 'unknown')
      return this.#notReserved(plan, admission.verdict)
    }
    if (this.#gone) {
      this.#release(held, 'gone')
      return { kind: 'gone' }
    }
    const retriesUnsent = info.purser.retriesUnsent === true
    const asked = { answer: { format: endpoint.format, call: plan.call }, hideUsage: amended.hideUsage, retriesUnsent }
    this.#state = { kind: 'reserved', held, answering: settlesItself ? new Answering(this.#holds(held), asked) : null }
    this.#decided('admitted', allowed === null ? 'fits' : 'ledger-away')
    const balances = admission.kind === 'reserved' ? admission.balances : []
    this.#audited(audited ?? auditedShortfall(plan, reservation, balances, this.#enforcer.time.now()))
    const { id } = reservation
    const handover = handoverText({ id, settlesItself, retriesUnsent }, plan, this.#enforcer.holder)
    return { kind: 'admit', body: amended.body, change: NO_CHANGE, metadata: { id, handover } }
  }

  /** The ledger is away: where every policy that binds allows it, the call may go on what this process may admit by itself. */
  #allow({ binding }: Plan, { reservation, fault }: Extract<Admission, { kind: 'unknown' }>): Allowed | null {
    this.#enforcer.telemetry.ledgerError(fault)
    const isAway = fault === 'unavailable' || fault === 'clock-skew'
    if (!isAway || binding.rules.onLedgerUnavailable === 'Deny') return null
    return this.#enforcer.allowance.take(binding.limits, reservation.lines)
  }

  #notReserved(plan: Plan, verdict: Verdict): BodyAnswer {
    if (this.#gone) return { kind: 'gone' }
    if (!auditsOnly(plan.binding.policies)) return { kind: 'refuse', refusal: this.#refuse(verdict) }
    this.#leave('unmetered', verdict.reason)
    this.#audited(verdict)
    return { kind: 'pass' }
  }

  verdictWritten(): void {
    const state = this.#state
    if (state.kind !== 'reserved') return
    this.#state = state.answering === null ? { kind: 'left' } : { kind: 'answering', answering: state.answering }
    // Only this process knows what it admitted by itself: it is charged now, and corrected by whoever sees the answer.
    if (state.answering === null && state.held.allowed !== null) closeReservation(this.#enforcer, state.held, { kind: 'lost' })
  }

  responseHeaders(info: ResponseInfo): ResponseAnswer {
    const state = this.#state
    if (state.kind === 'watching') return this.#watchAnswer(state.request, info)
    return state.kind === 'answering' ? state.answering.responseHeaders(info) : { kind: 'done', change: NO_CHANGE }
  }

  #watchAnswer(request: WatchedRequest, info: ResponseInfo): ResponseAnswer {
    const streaming = /event-stream/.test(info.headers.get('content-type') ?? '')
    const call = unreadCall(request.format.name, request.endpoint, streaming)
    const meter = endingAtHead(info) === null && !info.endOfStream ? openAnswerMeter(request.format, call, info, false) : null
    this.#state = meter === null ? { kind: 'left' } : { kind: 'proving', request, meter }
    return { kind: meter === null ? 'done' : 'meter', change: NO_CHANGE }
  }

  responseBody(piece: Uint8Array, endOfStream: boolean): Uint8Array | null {
    const state = this.#state
    if (state.kind === 'answering') return state.answering.responseBody(piece, endOfStream)
    if (state.kind !== 'proving') return null
    state.meter.push(piece, endOfStream)
    if (endOfStream) this.#prove(state)
    return null
  }

  responseTrailers(): void {
    if (this.#state.kind === 'answering') this.#state.answering.responseTrailers()
    else if (this.#state.kind === 'proving') this.#prove(this.#state)
  }

  closed(unread: boolean): void {
    this.#gone = true
    const state = this.#state
    if (state.kind === 'answering') state.answering.closed(unread)
    // Before the verdict was written nothing has left.
    else if (state.kind === 'reserved') this.#release(state.held, 'gone')
  }

  drain(): 'end' | 'keep' {
    const state = this.#state
    if (state.kind === 'waiting' && state.request !== null) return 'keep'
    if (state.kind === 'answering') return state.answering.drain()
    this.closed(false)
    return 'end'
  }

  /** An answer that is cut proves nothing, unless its report came before. */
  #prove({ request, meter }: Extract<State, { kind: 'proving' }>): void {
    this.#state = { kind: 'left' }
    meter.finish(true, ending => {
      if (ending.kind === 'answered') void prove(request, ending.reading, this.#enforcer)
    })
  }

  #holds(held: Held): ConstructorParameters<typeof Answering>[0] {
    return {
      close: ending => closeReservation(this.#enforcer, held, ending),
      release: how => releaseReservation(this.#enforcer, held, how),
      retried: (attempts, requests) => chargeEarlierAttempts(this.#enforcer, held, attempts, requests),
      metering: meter => watchProgress(this.#enforcer, held, meter),
    }
  }

  #release(held: Held, how: string): void {
    this.#state = { kind: 'left' }
    releaseReservation(this.#enforcer, held, how)
  }

  #refuse(verdict: Verdict): Refusal {
    this.#leave('refused', verdict.reason)
    return refusalOf(verdict, this.#dialect)
  }

  #leave(decision: 'refused' | 'unmetered', reason: string): void {
    this.#state = { kind: 'left' }
    this.#decided(decision, reason)
  }

  #audited(verdict: Verdict | null): void {
    if (verdict !== null) this.#enforcer.telemetry.audited(verdict.reason, verdict.budget?.policy ?? null)
  }

  #decided(decision: 'admitted' | 'refused' | 'unmetered', reason: string): void {
    const { telemetry, clock } = this.#enforcer
    telemetry.decided(decision, reason, (clock.monotonicMs() - this.#startMs) / 1_000)
    telemetry.trace(decision, { reason })
  }
}
