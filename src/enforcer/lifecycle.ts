// One exchange as a state machine: waiting -> reserved | left -> answering -> left. With `answering.ts` the only place with branches about
// order; it closes its reservation exactly once, however the exchange ends, or hands it over once.
import { assert } from '../core/assert.ts'
import type { Verdict } from '../core/verdict.ts'
import type { Dialect } from '../wire/format.ts'
import type { Amended } from './amend.ts'
import { Answering } from './answering.ts'
import { auditedShortfall } from './audit.ts'
import { chargeEarlierAttempts, closeReservation, type Held, releaseReservation, watchProgress } from './close.ts'
import { auditsOnly, type BodyConsidered, considerBody, considerHead } from './consider.ts'
import { openCallMeter } from './cut.ts'
import type { Enforcer } from './enforcer.ts'
import {
  type BodyAnswer,
  type Exchange,
  type HeadAnswer,
  NO_CHANGE,
  PASS,
  type Refusal,
  type RequestInfo,
  type ResponseAnswer,
  type ResponseInfo,
} from './exchange.ts'
import { handoverText } from './handover.ts'
import { openWatchedMeter } from './meter.ts'
import type { Plan } from './plan.ts'
import { prove } from './prove.ts'
import { refusalOf } from './refuse.ts'
import type { MeteredRequest, WatchedRequest } from './request.ts'
import type { State } from './state.ts'
import { steered } from './steer.ts'
import { take } from './take.ts'
import { tellPassage, tellReserved } from './tell.ts'
import { marked } from './warn.ts'
import type { Passage } from './ways.ts'

export class Lifecycle implements Exchange {
  readonly #enforcer: Enforcer
  #state: State = { kind: 'waiting', request: null }
  #dialect: Dialect = 'openai'
  #startMs: number
  #gone = false
  readonly #queued = { leave: (): void => {} }
  /** What the client is told with its answer, whatever that is. */
  #told = NO_CHANGE

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
        return PASS
      case 'ways':
        return this.#reserve(considered, state.request, body.length)
    }
  }

  async #reserve(considered: Extract<BodyConsidered, { kind: 'ways' }>, request: MeteredRequest, bytes: number): Promise<BodyAnswer> {
    const { amend, audited } = considered
    const settlesItself = request.info.answersElsewhere !== true
    const taken = await take(this.#enforcer, considered, {
      subject: request.subject,
      bytes,
      startMs: this.#startMs,
      queued: this.#queued,
      handsOver: !settlesItself,
    })
    if (taken === null) return { kind: 'gone' }
    if (taken.kind === 'refused') return this.#notReserved(taken.plan, taken.verdict)
    if (taken.kind === 'free') return this.#pass(taken.passage, amend)
    const { held, way, balances } = taken
    if (this.#gone) {
      this.#release(held, 'gone')
      return { kind: 'gone' }
    }
    // Before anything else that may fail: what is reserved is held by somebody.
    this.#state = { kind: 'reserved', held, answering: null }
    const amended = amend(way)
    const told = tellReserved(way, held.reservation.lines, balances, this.#enforcer.time.now())
    this.#told = marked(this.#enforcer, way.plan, held.reservation.lines, balances, told)
    const retriesUnsent = request.info.purser.retriesUnsent === true
    const read = { plan: way.plan, format: request.endpoint.format, hideUsage: amended.hideUsage }
    const asked = { openMeter: (info: ResponseInfo) => openCallMeter(read, info), retriesUnsent }
    this.#state = { kind: 'reserved', held, answering: settlesItself ? new Answering(this.#holds(held), asked) : null }
    this.#decided('admitted', held.allowed === null ? 'fits' : 'ledger-away')
    this.#audited(audited ?? auditedShortfall(way.plan, held.reservation, balances, this.#enforcer.time.now()))
    const { id } = held.reservation
    const handover = handoverText({ id, settlesItself, retriesUnsent }, way.plan, this.#enforcer.holder)
    return { kind: 'admit', body: amended.body, change: steered(way), metadata: { id, handover } }
  }

  /** In a way that no limit binds. */
  #pass(passage: Passage, amend: (passage: Passage) => Amended): BodyAnswer {
    if (this.#gone) return { kind: 'gone' }
    const { body } = amend(passage)
    this.#leave('unmetered', 'unmetered')
    this.#told = tellPassage(passage)
    this.#state = { kind: 'telling' }
    return { kind: 'pass', body, change: steered(passage), tell: true }
  }

  #notReserved(plan: Plan, verdict: Verdict): BodyAnswer {
    if (this.#gone) return { kind: 'gone' }
    if (!auditsOnly(plan.binding.policies)) return { kind: 'refuse', refusal: this.#refuse(verdict) }
    this.#leave('unmetered', verdict.reason)
    this.#audited(verdict)
    return PASS
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
    const answer: ResponseAnswer = state.kind === 'answering' ? state.answering.responseHeaders(info) : { kind: 'done', change: NO_CHANGE }
    return { ...answer, change: this.#told }
  }

  #watchAnswer(request: WatchedRequest, info: ResponseInfo): ResponseAnswer {
    const meter = openWatchedMeter(request, info)
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
    this.#queued.leave()
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
