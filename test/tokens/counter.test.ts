// The counter in front of its thread: what it gives up on, and that it always answers. Most with a thread that is played.
import { afterEach, describe, expect, it, vi } from 'vitest'
import { NO_TEXT } from '../../src/core/call.ts'
import { TOKENIZER_BODY_BYTES_MAX, TOKENIZER_MS_MAX, TOKENIZER_QUEUE_MAX } from '../../src/limits.ts'
import { type CounterThread, createTokenCounter } from '../../src/tokens/counter.ts'
import type { Asked, Said } from '../../src/tokens/messages.ts'

const BODY = new TextEncoder().encode('{"a":"hello"}')

class PlayedThread implements CounterThread {
  readonly asked: Asked[] = []
  ended = false
  readonly #listeners = new Map<string, ((said: Said) => void)[]>()

  postMessage(asked: Asked): void {
    this.asked.push(asked)
  }
  on(event: string, listener: (said: Said) => void): void {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener])
  }
  emit(event: string, said: Said = { kind: 'ready' }): void {
    for (const listener of this.#listeners.get(event) ?? []) listener(said)
  }
  counted(at: number, tokens: number): void {
    this.emit('message', { kind: 'counted', id: this.asked[at]!.id, count: { tokens, payloads: 0, rest: NO_TEXT } })
  }
  unref(): void {}
  async terminate(): Promise<void> {
    this.ended = true
  }
}

function played() {
  const threads: PlayedThread[] = []
  const counter = createTokenCounter(() => {
    const thread = new PlayedThread()
    threads.push(thread)
    return thread
  })
  return { counter, threads }
}

describe('with a played thread', () => {
  afterEach(() => vi.useRealTimers())

  it('starts it with the first body, and answers null until it is ready', async () => {
    const { counter, threads } = played()
    expect(threads).toHaveLength(0)
    expect(await counter.count(BODY)).toBeNull()
    expect(threads).toHaveLength(1)
    threads[0]!.emit('message')
    const counting = counter.count(BODY)
    threads[0]!.counted(0, 4)
    expect(await counting).toMatchObject({ tokens: 4 })
  })

  it('sends a copy, so that the body stays what it was', async () => {
    const { counter, threads } = played()
    void counter.start()
    threads[0]!.emit('message')
    const part = new Uint8Array(1_000).subarray(10, 20)
    void counter.count(part)
    expect(threads[0]!.asked[0]!.body.buffer.byteLength).toBe(10)
    expect(part.length).toBe(10)
  })

  it('waits no longer than its bound, and takes nothing more while the thread is behind', async () => {
    vi.useFakeTimers()
    const { counter, threads } = played()
    void counter.start()
    threads[0]!.emit('message')
    const slow = counter.count(BODY)
    await vi.advanceTimersByTimeAsync(TOKENIZER_MS_MAX + 1)
    expect(await slow).toBeNull()
    expect(await counter.count(BODY)).toBeNull()
    expect(threads[0]!.asked).toHaveLength(1)
    threads[0]!.counted(0, 9)
    const next = counter.count(BODY)
    threads[0]!.counted(1, 7)
    expect(await next).toMatchObject({ tokens: 7 })
  })

  it('takes only so many at once, and none that is too long', async () => {
    const { counter, threads } = played()
    void counter.start()
    threads[0]!.emit('message')
    const many = Array.from({ length: TOKENIZER_QUEUE_MAX }, () => counter.count(BODY))
    expect(await counter.count(BODY)).toBeNull()
    for (let at = 0; at < TOKENIZER_QUEUE_MAX; at++) threads[0]!.counted(at, at)
    expect((await Promise.all(many)).map(count => count?.tokens)).toEqual(many.map((_, at) => at))
    expect(await counter.count(new Uint8Array(TOKENIZER_BODY_BYTES_MAX + 1))).toBeNull()
  })

  it('answers null where the thread dies, and starts another one only later', async () => {
    vi.useFakeTimers()
    const { counter, threads } = played()
    const started = counter.start()
    threads[0]!.emit('message')
    expect(await started).toBe(true)
    const counting = counter.count(BODY)
    threads[0]!.emit('error')
    threads[0]!.emit('exit')
    expect(await counting).toBeNull()
    expect(await counter.start()).toBe(false)
    expect(await counter.count(BODY)).toBeNull()
    expect(threads).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(5_000)
    void counter.start()
    expect(threads).toHaveLength(2)
    // What the dead one still had to say is not taken for the new one's word.
    threads[0]!.emit('message')
    expect(await counter.count(BODY)).toBeNull()
  })

  it('ends the thread when it is closed, and answers all the same', async () => {
    const { counter, threads } = played()
    const started = counter.start()
    threads[0]!.emit('message')
    await started
    const counting = counter.count(BODY)
    await counter.close()
    expect(await counting).toBeNull()
    expect(threads[0]!.ended).toBe(true)
    expect(await counter.count(BODY)).toBeNull()
    expect(threads).toHaveLength(1)
  })
})

it('counts in a thread of its own', async () => {
  const counter = createTokenCounter()
  try {
    expect(await counter.start()).toBe(true)
    expect(await counter.count(new TextEncoder().encode('hello world'))).toEqual({ tokens: 2, payloads: 0, rest: NO_TEXT })
  } finally {
    await counter.close()
  }
})
