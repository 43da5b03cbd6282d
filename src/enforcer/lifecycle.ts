// One exchange as a state machine: waiting -> reserved | left -> metering -> left. The only place with branches about order; it closes
// its reservation exactly once, however the exchange ends.
import { assert } from '../core/assert.ts'
import type { Verdict } from '../core/verdict.ts'
import type { Dialect, Format } from '../wire/format.ts'
import { admit, type Reservation } from './admit.ts'
import { amountsFor, type Charge, chargeOf, type Ending } from './charge.ts'
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
import { type AnswerMeter, openAnswerMeter } from './meter.ts'
import type { Plan } from './plan.ts'
import { refusalOf } from './refuse.ts'
import { type MeteredRequest, neverSent } from './request.ts'

interface Held {
  readonly reservation: Reservation
  readonly plan: Plan
}

type State =
  | { readonly kind: 'waiting'; readonly request: MeteredRequest | null }
  | ({ readonly kind: 'reserved'; readonly format: Format; readonly hideUsage: boolean; readonly written: boolean } & Held)
  | ({ readonly kind: 'metering'; readonly meter: AnswerMeter } & Held)
  /** Nothing is open any more: refused, passed, or closed. */
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
    this.#leave('unmetered', considered.why)
    return { kind: 'pass', change: considered.change }
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
        return { kind: 'pass' }
      case 'plan':
        return this.#reserve(considered, state.request.endpoint.format)
    }
  }

  async #reserve({ plan, amended }: Extract<BodyConsidered, { kind: 'plan' }>, format: Format): Promise<BodyAnswer> {
    const { ledger, time, holder, settler, telemetry } = this.#enforcer
    const admission = await admit(ledger, time, holder, plan)
    if (admission.kind === 'unknown') {
      telemetry.ledgerError(admission.fault)
      settler.release({ ...admission.reservation, holder, how: 'unknown' })
    }
    if (admission.kind !== 'reserved') return this.#notReserved(plan, admission.verdict)
    const { reservation } = admission
    if (this.#gone) {
      this.#release(reservation, 'gone')
      return { kind: 'gone' }
    }
    this.#state = { kind: 'reserved', reservation, plan, format, hideUsage: amended.hideUsage, written: false }
    this.#decided('admitted', 'fits')
    return { kind: 'admit', body: amended.body, change: NO_CHANGE, metadata: { id: reservation.id } }
  }

  #notReserved(plan: Plan, verdict: Verdict): BodyAnswer {
    if (this.#gone) return { kind: 'gone' }
    if (!auditsOnly(plan.binding.policies)) return { kind: 'refuse', refusal: this.#refuse(verdict) }
    this.#leave('unmetered', verdict.reason)
    return { kind: 'pass' }
  }

  verdictWritten(): void {
    if (this.#state.kind === 'reserved') this.#state = { ...this.#state, written: true }
  }

  responseHeaders(info: ResponseInfo): ResponseAnswer {
    const state = this.#state
    if (state.kind !== 'reserved') return { kind: 'done', change: NO_CHANGE }
    const ending = endingAtHead(info)
    if (ending === 'never-sent') this.#release(state.reservation, ending)
    else if (ending !== null) this.#close(state, ending)
    else {
      const meter = openAnswerMeter(state.format, state.plan.call, info, state.hideUsage)
      if (meter === null) this.#close(state, { kind: 'unread' })
      else {
        this.#state = { kind: 'metering', reservation: state.reservation, plan: state.plan, meter }
        if (!info.endOfStream) return { kind: 'meter', change: NO_CHANGE }
        this.#finish(true)
      }
    }
    return { kind: 'done', change: NO_CHANGE }
  }

  responseBody(piece: Uint8Array, endOfStream: boolean): Uint8Array | null {
    if (this.#state.kind !== 'metering') return null
    const instead = this.#state.meter.push(piece, endOfStream)
    if (endOfStream) this.#finish(true)
    return instead
  }

  responseTrailers(): void {
    if (this.#state.kind === 'metering') this.#finish(true)
  }

  closed(unread: boolean): void {
    this.#gone = true
    const state = this.#state
    if (state.kind === 'metering') this.#finish(false, unread)
    // Before the verdict was written nothing has left; after it, the provider may have been asked.
    else if (state.kind === 'reserved' && state.written) this.#close(state, { kind: 'lost' })
    else if (state.kind === 'reserved') this.#release(state.reservation, 'gone')
  }

  drain(): 'end' | 'keep' {
    const state = this.#state
    if (state.kind === 'waiting' && state.request !== null) return 'keep'
    // The answer goes on without us, and so does its bill: only the whole estimate is sure to cover it.
    if (state.kind === 'metering') this.#close(state, { kind: 'lost' })
    else this.closed(false)
    return 'end'
  }

  /**
   * `whole`: the answer ended by itself; `unread`: more may have come than was read. Settles when all that was handed over is read,
   * which for a compressed answer is a moment later.
   */
  #finish(whole: boolean, unread = false): void {
    const state = this.#state
    assert(state.kind === 'metering', 'only a metered answer is finished')
    this.#state = { kind: 'left' }
    state.meter.finish(whole, ending => this.#close(state, unread && !isExact(ending) ? { kind: 'lost' } : ending))
  }

  #close({ plan, reservation }: Held, ending: Ending): void {
    this.#state = { kind: 'left' }
    const { settler, holder, time, telemetry } = this.#enforcer
    const charge = chargeOf(plan, ending, time.now())
    const amounts = amountsFor(reservation.lines, charge)
    settler.settle({ ...reservation, holder, amounts, proven: charge.proven, how: charge.how })
    telemetry.closed(charge.how)
    this.#count(plan, charge, ending)
  }

  #release(reservation: Reservation, how: string): void {
    this.#state = { kind: 'left' }
    this.#enforcer.settler.release({ ...reservation, holder: this.#enforcer.holder, how })
    this.#enforcer.telemetry.closed('released')
  }

  #count(plan: Plan, charge: Charge, ending: Ending): void {
    const { telemetry } = this.#enforcer
    const model = plan.prices[0]?.model ?? 'unknown'
    telemetry.tokensUsed('input', model, charge.inputTokens)
    telemetry.tokensUsed('output', model, charge.outputTokens)
    if (ending.kind !== 'answered' || ending.reading.kind !== 'exact') return
    if (ending.reading.usage.contradictions.length > 0) telemetry.contradicted(plan.call.format)
    const { estimate } = plan
    const over = charge.inputTokens > estimate.inputTokens || charge.outputTokens > estimate.outputTokens
    if (over || (charge.cost ?? 0n) > (estimate.cost ?? charge.cost ?? 0n)) telemetry.estimateViolated(model)
  }

  #refuse(verdict: Verdict): Refusal {
    this.#leave('refused', verdict.reason)
    return refusalOf(verdict, this.#dialect)
  }

  #leave(decision: 'refused' | 'unmetered', reason: string): void {
    this.#state = { kind: 'left' }
    this.#decided(decision, reason)
  }

  #decided(decision: 'admitted' | 'refused' | 'unmetered', reason: string): void {
    const { telemetry, clock } = this.#enforcer
    telemetry.decided(decision, reason, (clock.monotonicMs() - this.#startMs) / 1_000)
    telemetry.trace(decision, { reason })
  }
}

const isExact = (ending: Ending): boolean => ending.kind === 'answered' && ending.reading.kind === 'exact'

/** How an exchange ends at the head of its response; null where its body is to be read. */
function endingAtHead(info: ResponseInfo): Ending | 'never-sent' | null {
  if (neverSent(info)) return 'never-sent'
  // The proxy answered by itself after it may have asked the provider (a reset, a timeout).
  if (info.codeDetails !== null && info.codeDetails !== 'via_upstream') return { kind: 'lost' }
  return info.status >= 200 && info.status <= 299 ? null : { kind: 'error' }
}
