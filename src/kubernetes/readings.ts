// What the ledger says of every limit in force, read every few seconds, of partitioned ones less often. Reads only; while the ledger does
// not answer, what was read last stays.
import { type BudgetKey, parseBudgetKey } from '../core/budget.ts'
import { type LimitReading, partitionedReadingOf, readingOf, sameReading } from '../core/limit-reading.ts'
import type { DeclaredLimit } from '../core/policy.ts'
import { windowAt } from '../core/window.ts'
import { LEDGER_AWAY_MS, PARTITIONS_EVERY_MS } from '../limits.ts'
import type { Clock, LedgerReader, ReadOutcome } from '../ports.ts'

const AT_ONCE = 500
const PAGE = 1_000

export interface ReadingsOptions {
  readonly ledger: LedgerReader
  readonly clock: Clock
  declared(): readonly DeclaredLimit[]
}

export class Readings {
  readonly #options: ReadingsOptions
  readonly #readings = new Map<BudgetKey, LimitReading>()
  /** Monotonic, by limit: when its partitions were read. */
  readonly #partitionsMs = new Map<BudgetKey, number>()
  #answeredMs: number
  /** Why the ledger did not answer the last time; null where it did. */
  why: string | null = null

  constructor(options: ReadingsOptions) {
    this.#options = options
    this.#answeredMs = options.clock.monotonicMs()
  }

  /** Null where it was not read yet. */
  of(key: BudgetKey): LimitReading | null {
    return this.#readings.get(key) ?? null
  }

  /** The ledger has not answered for so long that it is more than a pause. */
  get isAway(): boolean {
    return this.why !== null && this.#options.clock.monotonicMs() - this.#answeredMs >= LEDGER_AWAY_MS
  }

  /** Reads what is declared now; answers the limits of which something else is known than before. */
  async refresh(): Promise<readonly BudgetKey[]> {
    const { clock, declared } = this.#options
    const all = declared()
    this.#forget(new Set(all.map(({ key }) => key)))
    const whole = all.filter(({ limit }) => limit.partitionBy.length === 0)
    const changed: BudgetKey[] = []
    for (let at = 0; at === 0 || at < whole.length; at += AT_ONCE) changed.push(...(await this.#readWhole(whole.slice(at, at + AT_ONCE))))
    for (const limit of all.filter(one => one.limit.partitionBy.length > 0)) {
      const lastMs = this.#partitionsMs.get(limit.key) ?? Number.NEGATIVE_INFINITY
      const isKnown = this.of(limit.key)?.amount === limit.limit.amount
      if (isKnown && clock.monotonicMs() - lastMs < PARTITIONS_EVERY_MS) continue
      changed.push(...(await this.#readPartitions(limit)))
    }
    return changed
  }

  async #readWhole(limits: readonly DeclaredLimit[]): Promise<readonly BudgetKey[]> {
    const { ledger, clock } = this.#options
    const lines = limits.map(({ key, limit }) => ({ key, window: windowAt(limit.window, clock.wallMs()) }))
    const balances = this.#heard(await ledger.read(lines))
    if (balances === null) return []
    return limits.flatMap(({ key, limit }, index) => {
      const window = lines[index]?.window
      return window === undefined ? [] : this.#keep(key, readingOf(limit, window, balances[index] ?? null))
    })
  }

  async #readPartitions({ key, limit }: DeclaredLimit): Promise<readonly BudgetKey[]> {
    const { ledger, clock } = this.#options
    const found: Parameters<typeof partitionedReadingOf>[2][number][] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: Awaited<ReturnType<LedgerReader['list']>> = await ledger.list({ prefix: `${key}|`, cursor, count: PAGE })
      const value = this.#heard(page)
      if (value === null) return []
      for (const { key: one, balance } of value.budgets) {
        const partition = parseBudgetKey(one)?.partition
        if (partition !== undefined && balance.spent + balance.reserved > 0n) found.push({ partition, balance })
      }
      cursor = value.next
    }
    this.#partitionsMs.set(key, clock.monotonicMs())
    return this.#keep(key, partitionedReadingOf(limit, windowAt(limit.window, clock.wallMs()), found))
  }

  #heard<T>(outcome: ReadOutcome<T>): T | null {
    if (outcome.kind !== 'read') {
      this.why = outcome.kind === 'clock-skew' ? 'the clocks of the ledger and of this machine are apart' : outcome.why
      return null
    }
    this.#answeredMs = this.#options.clock.monotonicMs()
    this.why = null
    return outcome.value
  }

  #keep(key: BudgetKey, reading: LimitReading): readonly BudgetKey[] {
    const before = this.#readings.get(key)
    this.#readings.set(key, reading)
    return before !== undefined && sameReading(before, reading) ? [] : [key]
  }

  #forget(kept: ReadonlySet<BudgetKey>): void {
    for (const key of this.#readings.keys()) {
      if (kept.has(key)) continue
      this.#readings.delete(key)
      this.#partitionsMs.delete(key)
    }
  }
}
