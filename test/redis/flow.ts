// Moves that go on while something happens to the servers, and what must hold of them whatever it was.
import { expect, vi } from 'vitest'
import type { Line, ReserveMove, ReserveOutcome } from '../../src/core/reservation.ts'
import type { Ledger } from '../../src/ports.ts'
import { line, releaseMove, reserveMove, settleMove } from '../contract/moves.ts'

const LANES = 4
const LIMIT = { limit: 1_000_000_000n }
const SOON = { timeout: 30_000, interval: 20 }

interface Reserved {
  readonly move: ReserveMove
  readonly outcome: ReserveOutcome
  readonly startedMs: number
  readonly endedMs: number
}

/** Reserves in several lanes until it is stopped, and settles every other one where asked. Times are of `performance.now()`. */
export class Flow {
  readonly #ledger: Ledger
  readonly #lines: readonly Line[]
  readonly #settles: boolean
  readonly #done: Reserved[] = []
  readonly #settled = new Set<ReserveMove>()
  readonly #lanes: readonly Promise<void>[]
  #stopped = false

  /** Of budgets of its own, by `name`. */
  constructor(ledger: Ledger, name: string, { settles = false }: { readonly settles?: boolean } = {}) {
    this.#ledger = ledger
    this.#settles = settles
    this.#lines = [line(name, 1n, LIMIT), line(`${name}-too`, 3n, LIMIT)]
    this.#lanes = Array.from({ length: LANES }, () => this.#lane())
  }

  /** Resolves at the time when a reserve that began after `sinceMs` was admitted. */
  async admitted(sinceMs: number): Promise<number> {
    return vi.waitFor(() => {
      const first = this.#done.find(({ outcome, startedMs }) => startedMs >= sinceMs && isAdmitted(outcome))
      if (first === undefined) throw new Error(`nothing admitted; the last said ${JSON.stringify(this.#done.at(-1)?.outcome)}`)
      return first.endedMs
    }, SOON)
  }

  /** Of those that began between two times: how many were admitted, and the median of what they took, in ms. */
  between(fromMs: number, toMs: number): { readonly admitted: number; readonly medianMs: number } {
    const began = this.#done.filter(({ startedMs }) => startedMs > fromMs && startedMs < toMs)
    const took = began.map(({ startedMs, endedMs }) => endedMs - startedMs).sort((a, b) => a - b)
    const admitted = began.filter(({ outcome }) => isAdmitted(outcome)).length
    return { admitted, medianMs: took[Math.floor(took.length / 2)] ?? Number.NaN }
  }

  /** Ends it. Every answer was an admission or `unavailable`; answers the longest that one of them took, in ms. */
  async stop(): Promise<number> {
    this.#stopped = true
    await Promise.all(this.#lanes)
    const odd = this.#done.filter(({ outcome }) => !isAdmitted(outcome) && outcome.kind !== 'unavailable')
    expect(odd).toEqual([])
    return Math.max(...this.#done.map(({ startedMs, endedMs }) => endedMs - startedMs))
  }

  /** What was admitted is in the books of `ledger`; and when what is not known has been released, nothing else is. */
  async holdsTrue(ledger: Ledger): Promise<void> {
    const admitted = this.#done.filter(({ outcome }) => isAdmitted(outcome))
    const unknown = this.#done.filter(({ outcome }) => !isAdmitted(outcome))
    for (const { move } of unknown) await this.#released(ledger, move, ['released', 'tombstoned', 'already-released'])
    const spent = BigInt(this.#settled.size)
    const reserved = BigInt(admitted.length) - spent
    const read = await vi.waitFor(async () => {
      const answer = await ledger.read(this.#lines)
      expect(answer.kind).toBe('read')
      return answer
    }, SOON)
    expect(read).toMatchObject({
      value: [
        { reserved, spent, suspense: 0n },
        { reserved: 3n * reserved, spent: 2n * spent, suspense: 0n },
      ],
    })
    for (const { move } of admitted) {
      await this.#released(ledger, move, this.#settled.has(move) ? ['already-settled'] : ['released', 'already-released'])
    }
  }

  /** Again and again until it is answered, as the enforcer does. */
  async #released(ledger: Ledger, move: ReserveMove, kinds: readonly string[]): Promise<void> {
    const kind = await vi.waitFor(async () => {
      const outcome = await ledger.release(releaseMove(move, this.#lines))
      expect(outcome.kind).not.toBe('unavailable')
      return outcome.kind
    }, SOON)
    expect(kinds).toContain(kind)
  }

  /** Of the second budget a unit is left. */
  async #settle(move: ReserveMove): Promise<void> {
    const kind = await vi.waitFor(async () => {
      const outcome = await this.#ledger.settle(settleMove(move, this.#lines, [1n, 2n]))
      expect(outcome.kind).not.toBe('unavailable')
      return outcome.kind
    }, SOON)
    expect(['settled', 'already-settled']).toContain(kind)
    this.#settled.add(move)
  }

  async #lane(): Promise<void> {
    while (!this.#stopped) {
      const move = reserveMove(Date.now(), this.#lines)
      const startedMs = performance.now()
      const outcome = await this.#ledger.reserve(move)
      this.#done.push({ move, outcome, startedMs, endedMs: performance.now() })
      if (this.#settles && isAdmitted(outcome) && this.#done.length % 2 === 0) await this.#settle(move)
      await new Promise(resolve => setTimeout(resolve, 2))
    }
  }
}

/**
 * Between the end of a primary and the name of the next nothing was admitted, and most were refused as fast as the law says. The margins:
 * a signal takes its time to arrive, silence is known after two timeouts, and a ledger may hear the news a little before a test does.
 */
export function isRefused(flow: Flow, goneMs: number, namedMs: number): void {
  expect(flow.between(goneMs + 50, namedMs - 200).admitted).toBe(0)
  expect(flow.between(goneMs + 700, namedMs - 200).medianMs).toBeLessThan(50)
}

/** As the enforcer takes it: a retry after a timeout may find that the first try had come through. */
const isAdmitted = (outcome: ReserveOutcome): boolean => outcome.kind === 'reserved' || (outcome.kind === 'exists' && outcome.open)
