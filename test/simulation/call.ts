// One call: a client, the gateway that carries it, the provider that answers and bills it. It talks to the exchange of a replica as the
// door would, and remembers how it ended, so that the ledger's last word on it can be judged.
import type { BodyAnswer, Exchange, RequestInfo } from '../../src/enforcer/exchange.ts'
import { ENVOY_MESSAGE_TIMEOUT_MS } from '../../src/limits.ts'
import { request, response } from '../enforcer/requests.ts'
import type { Machine } from './machine.ts'
import { type Bill, billOf, deltaEvent, finishEvents, jsonAnswer, PRICES, words } from './provider.ts'
import type { Replica } from './replica.ts'

/** What becomes of a call at the provider, if nothing else ends it before. */
export type Fate = 'whole' | 'no-usage' | 'error' | 'never-sent' | 'reset' | 'cut' | 'unreadable' | 'overrun'

export interface CallPlan {
  readonly fate: Fate
  readonly team: string | null
  readonly provider: string
  readonly streams: boolean
  readonly asksUsage: boolean
  readonly contentWords: number
  /** Null: the body declares no bound. */
  readonly maxTokens: number | null
  readonly inputTokens: number
  /** Of the bound, how much is generated. */
  readonly outputShare: number
  readonly thinkMs: number
  readonly pieceMs: number
  readonly pieceTokens: number
  /** When the client gives up, ms after it asked; null: never. */
  readonly leavesAfterMs: number | null
  /** It leaves just before the verdict is written. */
  readonly leavesAtVerdict: boolean
}

/**
 * What the ledger must say in the end. `nothing`: no charge. `exact`: the bill. `requests`: one request and no money.
 * `enough`: at least the bill.
 */
export type Expectation = 'nothing' | 'exact' | 'requests' | 'enough'

export interface Surroundings {
  readonly machine: Machine
  pick(): Replica | null
}

const NO_BILL: Bill = { inputTokens: 0n, outputTokens: 0n, cost: 0n }
/** One way between gateway, provider and replica, ms. */
const HOP_MS = 1
/** Envoy's response flag for a failed connection to the upstream. */
const UF = 32

export class Call {
  readonly plan: CallPlan
  readonly number: number
  /** Of its reservation; null where it got none. */
  id: string | null = null
  replica: Replica | null = null
  bill: Bill = NO_BILL
  expects: Expectation = 'nothing'
  /** Why the verdict was what it was; null while there is none. */
  verdict: string | null = null
  askedMs = 0
  verdictMs = 0
  isOver = false
  readonly #around: Surroundings
  #exchange: Exchange | null = null
  #outputTokens = 0
  #generated = 0
  /** The replica has nothing to do with it any more. */
  #isLeft = false
  #callOffs: (() => void)[] = []

  constructor(plan: CallPlan, number: number, around: Surroundings) {
    this.plan = plan
    this.number = number
    this.#around = around
  }

  begin(): void {
    const { machine } = this.#around
    this.askedMs = machine.nowMs
    const replica = this.#around.pick()
    if (replica === null) {
      this.#refused('no replica')
      return
    }
    this.replica = replica
    replica.calls.add(this)
    this.#after(HOP_MS, () => replica.process.run(() => this.#ask(replica)))
    this.#after(ENVOY_MESSAGE_TIMEOUT_MS, () => this.#verdictIsLate(replica))
    if (this.plan.leavesAfterMs !== null) this.#after(this.plan.leavesAfterMs, () => this.#end('the client left'))
  }

  /** The replica is gone: the gateway fails what it has not answered, and cuts what it was passing on. */
  replicaDied(): void {
    this.#isLeft = true
    this.#end('the replica died')
  }

  /** The replica's drain time is over: where it can leave without harm, the gateway and the provider go on without it. */
  drain(): void {
    const isHarmless = this.#exchange?.drain() === 'end' && this.verdict !== null
    if (isHarmless) this.#leave()
    else this.#end('the replica goes away')
  }

  get name(): string {
    return `call ${this.number} (${this.plan.fate}${this.plan.streams ? ', streamed' : ''})`
  }

  #ask(replica: Replica) {
    if (this.isOver) return
    if (!replica.exchanges.admitting()) return this.#refused('overload')
    const exchange = replica.exchanges.open()
    this.#exchange = exchange
    const head = exchange.requestHeaders(this.#head())
    if (head.kind === 'refuse') return this.#refused(head.refusal.reason)
    if (head.kind !== 'read-body') return this.#around.machine.fail(`${this.name} passed at its head: ${head.kind}`)
    const body = Buffer.from(JSON.stringify(this.#body()))
    exchange.requestBody(body).then(
      answer => replica.process.isAlive && this.#answered(answer, body),
      fault => this.#around.machine.fail(`${this.name} failed: ${fault instanceof Error ? fault.stack : String(fault)}`),
    )
  }

  #head(): RequestInfo {
    const { team, provider } = this.plan
    return request({
      headers: team === null ? {} : { 'x-team': team },
      purser: { namespace: null, provider, gateway: null },
    })
  }

  #body(): object {
    const { contentWords, maxTokens, streams, asksUsage } = this.plan
    return {
      model: 'gpt-sim',
      messages: [{ role: 'user', content: words(contentWords) }],
      ...(maxTokens === null ? {} : { max_tokens: maxTokens }),
      ...(streams ? { stream: true } : {}),
      ...(streams && asksUsage ? { stream_options: { include_usage: true } } : {}),
    }
  }

  #answered(answer: BodyAnswer, body: Uint8Array) {
    if (this.isOver || answer.kind === 'gone') return
    switch (answer.kind) {
      case 'refuse':
        return this.#refused(answer.refusal.reason)
      case 'pass':
        this.#decided('passed')
        return this.#done()
      case 'admit': {
        this.id = String(answer.metadata['id'])
        if (this.plan.leavesAtVerdict) return this.#end('the client left at the verdict')
        this.#decided('admitted')
        this.#exchange?.verdictWritten()
        this.expects = 'enough'
        const forwarded = answer.body ?? body
        this.#after(HOP_MS, () => this.#forward(forwarded))
      }
    }
  }

  /** The gateway has the verdict, and sends the body on. */
  #forward(body: Uint8Array) {
    const { fate, thinkMs, inputTokens } = this.plan
    if (fate === 'never-sent') {
      const isUnconnected = this.number % 2 === 0
      const info = { status: 503, attempts: isUnconnected ? 1 : 0, flags: isUnconnected ? UF : 0, codeDetails: 'upstream_reset' }
      return this.#finally(exchange => {
        this.expects = 'nothing'
        exchange.responseHeaders(response({ ...info, endOfStream: true }))
      })
    }
    const asked = JSON.parse(Buffer.from(body).toString()) as {
      max_tokens?: number
      max_completion_tokens?: number
      stream_options?: { include_usage?: boolean }
    }
    const bound = asked.max_tokens ?? asked.max_completion_tokens ?? 1_000
    this.#outputTokens = Math.floor(bound * this.plan.outputShare)
    if (fate === 'overrun') this.#outputTokens = bound + 1 + Math.floor(bound * this.plan.outputShare)
    if (fate === 'error') return void this.#after(thinkMs, () => this.#answerError())
    this.bill = billOf(this.plan.provider, inputTokens, 0)
    const withUsage =
      fate !== 'no-usage' && (!this.plan.streams || this.plan.provider === 'groq' || asked.stream_options?.include_usage === true)
    if (fate === 'reset') return void this.#after(thinkMs, () => this.#reset())
    this.#around.machine.after(thinkMs, () => (this.plan.streams ? this.#stream(withUsage) : this.#answerJson(withUsage)))
  }

  #answerError(): void {
    this.#finally(exchange => {
      this.expects = 'requests'
      exchange.responseHeaders(response({ status: this.number % 2 === 0 ? 429 : 500 }))
    })
  }

  /** The provider has generated all of it, and the gateway gave up just before the answer came. */
  #reset(): void {
    this.#billAll()
    this.#finally(exchange => void exchange.responseHeaders(response({ status: 504, codeDetails: 'response_timeout' })))
  }

  #answerJson(withUsage: boolean): void {
    this.#billAll() // whoever still listens
    const body = Buffer.from(jsonAnswer(this.bill, withUsage))
    if (!this.#answerHead({})) return
    const half = this.plan.fate === 'cut' ? body.subarray(0, body.length / 2) : body
    this.#around.machine.after(HOP_MS, () => {
      if (this.isOver) return
      if (this.plan.fate === 'cut') {
        this.#hand(exchange => exchange.responseBody(half, false))
        return this.#end('the provider broke off')
      }
      this.#last(half, withUsage)
    })
  }

  #stream(withUsage: boolean) {
    const { fate, pieceMs, pieceTokens } = this.plan
    if (!this.#answerHead({ 'content-type': 'text/event-stream' })) return this.#providerStops()
    const cutAt = fate === 'cut' ? Math.floor(this.#outputTokens / 2) : this.#outputTokens
    const next = () => {
      if (this.isOver) return this.#providerStops()
      const count = Math.min(pieceTokens, cutAt - this.#generated)
      if (count > 0) {
        const piece = Buffer.from(deltaEvent(count, this.#generated))
        this.#generated += count
        this.#hand(exchange => exchange.responseBody(piece, false))
        this.#around.machine.after(pieceMs, next)
      } else if (fate === 'cut') {
        this.#providerStops()
        this.#end('the provider broke off')
      } else {
        this.#billAll()
        this.#last(Buffer.from(finishEvents(this.bill, withUsage)), withUsage)
      }
    }
    this.#around.machine.after(pieceMs, next)
  }

  /** False where nobody listens any more. */
  #answerHead(headers: Readonly<Record<string, string>>): boolean {
    if (this.isOver) return false
    const encoded: Record<string, string> = this.plan.fate === 'unreadable' ? { 'content-encoding': 'x-own' } : {}
    this.#hand(exchange => {
      const answer = exchange.responseHeaders(response({ headers: { ...headers, ...encoded } }))
      if (answer.kind === 'done') this.#leave()
    })
    return true
  }

  #last(piece: Uint8Array, withUsage: boolean): void {
    this.#finally(exchange => {
      exchange.responseBody(piece, true)
      if (withUsage) this.expects = 'exact'
    })
  }

  /** The last that the replica is given; the call ends with it. */
  #finally(give: (exchange: Exchange) => void): void {
    const end = (): void => this.#done()
    this.#hand(exchange => {
      give(exchange)
      end()
    }, end)
  }

  /** The provider sees that nobody reads any more. */
  #providerStops(): void {
    const goesOn = PRICES[this.plan.provider]?.billsOn === true || !this.plan.streams
    if (goesOn && this.plan.fate !== 'cut') this.#billAll()
    else this.bill = billOf(this.plan.provider, this.plan.inputTokens, this.#generated)
  }

  #billAll(): void {
    this.bill = billOf(this.plan.provider, this.plan.inputTokens, this.#outputTokens)
  }

  /**
   * Gives the replica something to read, or goes on without it where it left. The gateway waits for it as long as for any message.
   */
  #hand(give: (exchange: Exchange) => void, without: () => void = () => {}) {
    const { replica } = this
    const exchange = this.#exchange
    if (this.isOver || replica === null || exchange === null) return
    if (this.#isLeft) return without()
    let isRead = false
    replica.process.run(() => {
      isRead = true
      if (this.isOver) return
      if (this.#isLeft) without()
      else give(exchange)
    })
    if (!isRead) this.#after(ENVOY_MESSAGE_TIMEOUT_MS, () => isRead || this.#isLeft || this.#end('the replica does not answer'))
  }

  #verdictIsLate(replica: Replica): void {
    if (this.verdict !== null) return
    if (!replica.process.wasLate) this.#around.machine.fail(`${this.name} got no verdict in time`)
    this.#end('no verdict in time')
  }

  #refused(reason: string): void {
    this.#decided(reason)
    this.#done()
  }

  #decided(verdict: string): void {
    this.verdict = verdict
    this.verdictMs = this.#around.machine.nowMs
    this.#around.machine.note(`${this.name} of ${this.replica?.name ?? 'nobody'}: ${verdict} ${this.id?.slice(-6) ?? ''}`)
  }

  /** It ended as it should. */
  #done(): void {
    this.isOver = true
    for (const callOff of this.#callOffs) callOff()
    this.#callOffs = []
    this.#leave()
  }

  /** It ended otherwise. */
  #end(why: string): void {
    if (this.isOver) return
    this.#around.machine.note(`${this.name}: ${why}`)
    this.#done()
  }

  /** The stream between the gateway and the replica is closed. */
  #leave(): void {
    const { replica } = this
    if (replica === null) return
    replica.calls.delete(this)
    if (this.#isLeft) return
    this.#isLeft = true
    const exchange = this.#exchange
    replica.process.run(() => exchange?.closed(replica.process.wasLate))
  }

  #after(ms: number, run: () => void): void {
    this.#callOffs.push(this.#around.machine.after(ms, run))
  }
}
