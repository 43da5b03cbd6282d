// The calls of the soak: a steady mix at an open-loop rate, bursts of it, a hail of abandoned calls, and a crowd of slow streams.
import { type ClientHttp2Session, connect } from 'node:http2'
import { setTimeout as after } from 'node:timers/promises'
import { type Answer, call, manyConnections } from '../../test/e2e/call.ts'
import { KEY } from '../../test/e2e/policies.ts'
import { CHAT_PATH, chatBody } from '../../test/e2e/provider.ts'

/** Kinds of calls are budgets of their own: those of `exact` must end at the bill to the last nano-USD, without suspense. */
export type Kind = 'exact' | 'left' | 'failed' | 'refused' | 'hail'

const headersOf = (kind: Kind): Record<string, string> => ({
  'content-type': 'application/json',
  authorization: `Bearer ${KEY}`,
  'x-kind': kind,
  'x-fake-tag': kind,
})

interface Sort {
  readonly kind: Kind
  readonly share: number
  readonly stream: boolean
  readonly headers?: Readonly<Record<string, string>>
  readonly leaves?: boolean
}

const pace = (tokens: number, ms: number): Record<string, string> => ({
  'x-fake-tokens': String(tokens),
  'x-fake-chunk-delay-ms': String(ms),
})
const SORTS: readonly Sort[] = [
  { kind: 'exact', share: 40, stream: false },
  { kind: 'exact', share: 25, stream: true, headers: pace(60, 20) },
  { kind: 'exact', share: 5, stream: true, headers: { ...pace(60, 5), 'x-fake-gzip': '1' } },
  { kind: 'exact', share: 5, stream: false, headers: { 'x-fake-delay-ms': '1500' } },
  { kind: 'left', share: 5, stream: true, headers: pace(300, 10), leaves: true },
  { kind: 'failed', share: 4, stream: false, headers: { 'x-fake-error': '500' } },
  { kind: 'failed', share: 3, stream: false, headers: { 'x-fake-error': 'reset' } },
  { kind: 'failed', share: 3, stream: true, headers: { 'x-fake-error': 'reset-mid-stream', ...pace(60, 5) } },
  { kind: 'refused', share: 10, stream: false },
]

export class Load {
  readonly #port: number
  readonly #agent = manyConnections()
  readonly #under = new Set<Promise<unknown>>()
  readonly counts: Map<string, number> = new Map()
  /** Calls of `exact` that neither had their answer whole nor were refused by Purser: each may be charged without proof. */
  harmed = 0
  stopping = false
  #made = 0

  constructor(port: number) {
    this.#port = port
  }

  get made(): number {
    return this.#made
  }

  get underWay(): number {
    return this.#under.size
  }

  /** `perSecond` calls, each when its time has come whatever became of the others, until `until` says so. */
  async steady(perSecond: number, until: () => boolean): Promise<Answer[]> {
    const answers: Answer[] = []
    const started = performance.now()
    for (let sent = 0; !until() && !this.stopping; sent++) {
      const due = started + (sent * 1_000) / perSecond
      if (due > performance.now()) await after(due - performance.now())
      this.#begin(this.#mixed(this.#made).then(answer => void answers.push(answer)))
    }
    return answers
  }

  /** `perSecond` calls that are left as soon as they are sent, for so long. */
  async hail(perSecond: number, seconds: number): Promise<void> {
    const started = performance.now()
    let session: ClientHttp2Session | null = null
    for (let sent = 0; sent < perSecond * seconds && !this.stopping; sent++) {
      const due = started + (sent * 1_000) / perSecond
      if (due > performance.now()) await after(due - performance.now())
      // Envoy closes a connection after 250 calls that were left so early.
      if (sent % 200 === 0) {
        session?.close()
        session = connect(`http://127.0.0.1:${this.#port}`)
        session.on('error', () => {})
      }
      const stream = session?.request({ ':method': 'POST', ':path': CHAT_PATH, ...headersOf('hail') })
      stream?.on('error', () => {}).end(chatBody(100, false))
      setTimeout(() => stream?.close(8), sent % 20)
      this.#made++
    }
    session?.close()
  }

  /** Opens so many streams that bring a token every few seconds, and others for those that are refused; answers how to end them all. */
  async crowd(count: number, perSecond: number): Promise<() => void> {
    const sessions: ClientHttp2Session[] = []
    let [session, refused]: [ClientHttp2Session | null, number] = [null, 0]
    for (let opened = 0; opened - refused < count && !this.stopping; opened++) {
      if (session === null || opened % 100 === 0) {
        session = connect(`http://127.0.0.1:${this.#port}`)
        session.on('error', () => {})
        sessions.push(session)
      }
      const stream = session.request({ ':method': 'POST', ':path': CHAT_PATH, ...headersOf('left'), ...pace(1_000, 5_000) })
      stream.on('response', head => {
        if (head[':status'] !== 200) refused += 1
      })
      stream.on('error', () => {}).resume()
      stream.end(chatBody(1_000, true))
      this.#made++
      // Not faster than one machine can take up: this is about how many are open, not about how they came.
      if (opened % 10 === 9) await after(10_000 / perSecond)
      if (opened - refused === count - 1) await after(3_000)
    }
    return () => {
      for (const each of sessions) each.destroy()
    }
  }

  async ended(): Promise<void> {
    await Promise.all(this.#under)
    this.#agent.destroy()
  }

  #begin(running: Promise<unknown>): void {
    this.#under.add(running)
    void running.then(() => this.#under.delete(running))
  }

  async #mixed(index: number): Promise<Answer> {
    this.#made++
    const sort = sortAt((index * 37) % 100)
    const answer = await call({
      port: this.#port,
      agent: this.#agent,
      path: CHAT_PATH,
      headers: { ...headersOf(sort.kind), ...sort.headers },
      body: chatBody(1_000, sort.stream),
      ...(sort.leaves === true ? { abortWhen: (soFar: string) => soFar.length > 10_000 } : {}),
    })
    const word = `${answer.status} ${answer.headers['x-purser-reason'] ?? answer.end}`
    this.counts.set(word, (this.counts.get(word) ?? 0) + 1)
    const isWhole = answer.status === 200 && answer.end === 'whole'
    if (sort.kind === 'exact' && !isWhole && answer.headers['x-purser-reason'] === undefined) this.harmed++
    return answer
  }
}

/** The sort of a call, by a number below 100. */
function sortAt(place: number): Sort {
  let below = 0
  for (const sort of SORTS) {
    below += sort.share
    if (place < below) return sort
  }
  throw new Error('the shares of all sorts are 100')
}
