// The port in front of the tokenizer's thread: bounded in what it takes and how long it waits. Whatever it cannot count in time is null.
import { Worker } from 'node:worker_threads'
import type { TokenCount } from '../core/token-bound.ts'
import { TOKENIZER_BODY_BYTES_MAX, TOKENIZER_MS_MAX, TOKENIZER_QUEUE_MAX } from '../limits.ts'
import type { TokenCounter } from '../ports.ts'
import type { Asked, Said } from './messages.ts'

/** The part of a worker that is used here: tests stand in for it. */
export interface CounterThread {
  postMessage(asked: Asked, transfer: readonly ArrayBuffer[]): void
  on(event: 'message', listener: (said: Said) => void): unknown
  on(event: 'error' | 'exit', listener: () => void): unknown
  unref(): void
  terminate(): Promise<unknown>
}

/** A thread that died is not started again sooner than this. */
const RESTART_MS = 5_000

interface Waiting {
  readonly timer: NodeJS.Timeout
  resolve(count: TokenCount | null): void
}

/**
 * A counter whose thread is started by the first body. Null while the thread loads, for bodies over TOKENIZER_BODY_BYTES_MAX, where
 * TOKENIZER_QUEUE_MAX wait or the thread is behind, after TOKENIZER_MS_MAX, and where the thread failed.
 */
export function createTokenCounter(start: () => CounterThread = startThread): TokenCounter {
  const waiting = new Map<number, Waiting>()
  /** Sent and not answered, and since when: the thread goes on with what nobody waits for any more. */
  const sent = new Map<number, number>()
  let thread: CounterThread | null = null
  let ready = Promise.withResolvers<boolean>()
  let isReady = false
  let restMs = Number.NEGATIVE_INFINITY
  let next = 0

  const answer = (id: number, count: TokenCount | null): void => {
    const one = waiting.get(id)
    waiting.delete(id)
    clearTimeout(one?.timer)
    one?.resolve(count)
  }
  const stop = (untilMs: number): void => {
    thread = null
    restMs = untilMs
    isReady = false
    ready.resolve(false)
    ready = Promise.withResolvers()
    sent.clear()
    for (const id of [...waiting.keys()]) answer(id, null)
  }
  const hear = (from: CounterThread, said: Said): void => {
    if (thread !== from) return
    if (said.kind === 'ready') {
      isReady = true
      ready.resolve(true)
      // From here on what waits keeps the process alive by its own timer.
      from.unref()
    } else {
      sent.delete(said.id)
      answer(said.id, said.count)
    }
  }
  const open = (): CounterThread | null => {
    if (thread !== null || performance.now() < restMs) return thread
    const started = start()
    started.on('message', said => hear(started, said))
    for (const event of ['error', 'exit'] as const) started.on(event, () => thread === started && stop(performance.now() + RESTART_MS))
    thread = started
    return started
  }
  const isBehind = (nowMs: number): boolean => {
    const [oldest = nowMs] = sent.values()
    return sent.size >= TOKENIZER_QUEUE_MAX || nowMs - oldest > TOKENIZER_MS_MAX
  }

  return {
    start: () => (open() === null ? Promise.resolve(false) : ready.promise),
    count: body => {
      const to = open()
      const nowMs = performance.now()
      if (to === null || !isReady || body.length > TOKENIZER_BODY_BYTES_MAX || isBehind(nowMs)) return Promise.resolve(null)
      const id = next++
      const { promise, resolve } = Promise.withResolvers<TokenCount | null>()
      waiting.set(id, { timer: setTimeout(answer, TOKENIZER_MS_MAX, id, null), resolve })
      sent.set(id, nowMs)
      // A copy of its own: what a message carries is the whole buffer that a view looks into.
      const copy = new Uint8Array(body)
      to.postMessage({ id, body: copy }, [copy.buffer])
      return promise
    },
    close: async () => {
      const open = thread
      stop(Number.POSITIVE_INFINITY)
      await open?.terminate()
    },
  }
}

const startThread = (): CounterThread => new Worker(new URL('./worker.ts', import.meta.url))
