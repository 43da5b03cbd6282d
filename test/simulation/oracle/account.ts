// One budget in one window as the oracle counts it: from what reservations stand for, in arithmetic of its own.
import type { LimitVersion } from '../../../src/core/budget.ts'
import type { Line } from '../../../src/core/reservation.ts'
import type { Window } from '../../../src/core/window.ts'

/** What a line stands for: `suspense` is inside `spent`. */
export interface Share {
  readonly reserved: bigint
  readonly spent: bigint
  readonly suspense: bigint
}

export const NOTHING: Share = { reserved: 0n, spent: 0n, suspense: 0n }

interface Limit {
  readonly version: LimitVersion
  amount: bigint
  /** When it was last presented, store time. */
  seenMs: number
}

export class Account {
  readonly name: string
  readonly window: Window
  /** Charges by the bucket that they count in; other windows have one bucket. */
  readonly #buckets = new Map<number, Share>()
  readonly #limits: Limit[] = []
  /** As the last entry told them. */
  limit = 0n
  available = 0n
  overrun = 0n
  /** The most that ever was its limit. */
  limitMax = 0n
  /** What came in by one of the named exceptions. */
  excused = 0n

  constructor(name: string, window: Window) {
    this.name = name
    this.window = window
  }

  /** Adds to what was admitted at `admittedMs`; what slid out of the window by `nowMs` is not counted. */
  add(change: Share, admittedMs: number, nowMs: number): void {
    this.#drop(nowMs)
    const bucket = this.#bucket(admittedMs)
    if (bucket < this.#first(nowMs)) return
    const before = this.#buckets.get(bucket) ?? NOTHING
    this.#buckets.set(bucket, sum(before, change))
  }

  at(nowMs: number): Share {
    let total = NOTHING
    const first = this.#first(nowMs)
    for (const [bucket, share] of this.#buckets) if (bucket >= first) total = sum(total, share)
    return total
  }

  /** A line was presented to it. */
  presented(line: Pick<Line, 'version' | 'limit'>, nowMs: number): void {
    const known = this.#limits.find(({ version }) => compare(version, line.version) === 0)
    if (known === undefined) this.#limits.push({ version: line.version, amount: line.limit, seenMs: nowMs })
    else {
      if (line.limit < known.amount) known.amount = line.limit
      known.seenMs = nowMs
    }
  }

  /**
   * Why `limit` cannot be what holds at `nowMs`, null where it can. The newest version that was presented holds; an older one only when no
   * newer came for a minute, of which a refusal may have kept up to ten seconds to itself; of one version in two amounts the lower one.
   */
  disbelieve(limit: bigint, nowMs: number): string | null {
    const sorted = [...this.#limits].sort((a, b) => compare(b.version, a.version))
    for (const candidate of sorted) {
      if (candidate.amount === limit) return null
      if (nowMs - candidate.seenMs < 49_000) return `${candidate.amount} was presented ${nowMs - candidate.seenMs} ms ago, not ${limit}`
    }
    return sorted.length === 0 || sorted.some(({ amount }) => amount === limit) ? null : `nobody presented ${limit}`
  }

  #drop(nowMs: number): void {
    const first = this.#first(nowMs)
    for (const bucket of this.#buckets.keys()) if (bucket < first) this.#buckets.delete(bucket)
  }

  #bucket(atMs: number): number {
    return this.window.kind === 'sliding' ? Math.floor(atMs / Math.ceil(this.window.lengthMs / 60)) : 0
  }

  #first(nowMs: number): number {
    return this.window.kind === 'sliding' ? this.#bucket(nowMs - this.window.lengthMs) : 0
  }
}

export const sum = (a: Share, b: Share): Share => ({
  reserved: a.reserved + b.reserved,
  spent: a.spent + b.spent,
  suspense: a.suspense + b.suspense,
})

export const less = (a: Share, b: Share): Share => ({
  reserved: a.reserved - b.reserved,
  spent: a.spent - b.spent,
  suspense: a.suspense - b.suspense,
})

const compare = (a: LimitVersion, b: LimitVersion): number =>
  a.createdMs - b.createdMs || a.generation - b.generation || a.grantMs - b.grantMs
