// Replicas that keep to the law, at random: every kind of move on budgets of every window, with money charged alike. For proofs of ledgers.
import { type BudgetKey, budgetKey, type Unit } from '../../src/core/budget.ts'
import type { Line, ReservationId } from '../../src/core/reservation.ts'
import type { Window } from '../../src/core/window.ts'
import type { Ledger } from '../../src/ports.ts'
import { HOUR, holder, hourOf, IN_FLIGHT, type LedgerUnderTest, LIFETIME, MINUTE, SECOND, sliding, version } from './moves.ts'

/** A number in [0, below), the same sequence for the same seed (mulberry32). */
export function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0
  return below => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

interface Budget {
  readonly name: string
  readonly unit: Unit
  readonly window: (nowMs: number) => Window
  readonly limit: bigint
}

const always = (window: Window) => () => window
const BUDGETS: readonly Budget[] = [
  { name: 'organisation', unit: 'USD', window: always(LIFETIME), limit: 100_000n },
  { name: 'hourly', unit: 'USD', window: hourOf, limit: 5_000n },
  { name: 'team', unit: 'USD', window: always(sliding(10 * MINUTE)), limit: 3_000n },
  { name: 'minute', unit: 'Tokens', window: always(sliding(MINUTE)), limit: 2_000n },
  { name: 'second', unit: 'Requests', window: always(sliding(SECOND)), limit: 3n },
  { name: 'calls', unit: 'Requests', window: hourOf, limit: 500n },
  { name: 'flight', unit: 'Requests', window: always(IN_FLIGHT), limit: 9n },
]

interface Known {
  readonly id: ReservationId
  readonly lines: readonly Line[]
  readonly by: number
}

/** One play: `turn` makes one random move, or lets time pass. */
export class Honest {
  readonly #ledger: Ledger
  readonly #nowMs: () => Promise<number>
  readonly #pass: (ms: number) => Promise<void>
  readonly #random: (below: number) => number
  readonly #known: Known[] = []
  readonly #limits = new Map<string, { limit: bigint; generation: number }>()
  /** How often each outcome came. */
  readonly seen: Map<string, number> = new Map()
  #minted = 0
  readonly #seed: number

  /** `pass`: lets time go by; where the clock is real it may do nothing. */
  constructor(ledger: Ledger, nowMs: () => number | Promise<number>, pass: (ms: number) => void | Promise<void>, seed: number) {
    this.#ledger = ledger
    this.#nowMs = async () => nowMs()
    this.#pass = async ms => pass(ms)
    this.#seed = seed
    this.#random = seeded(seed)
  }

  static on(made: LedgerUnderTest, seed: number): Honest {
    return new Honest(made.ledger, made.nowMs, made.advance, seed)
  }

  async turns(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn += 1) await this.turn()
  }

  async turn(): Promise<void> {
    const dice = this.#random(100)
    if (dice < 34) return this.#reserve()
    if (dice < 60) return this.#settle()
    if (dice < 65) return this.#release()
    if (dice < 68) return this.#unseen()
    if (dice < 72) return this.#adjust()
    if (dice < 75) return this.#observe()
    if (dice < 79) return this.#changeLimit()
    if (dice < 86) return this.sweep()
    return this.#wait()
  }

  async sweep(): Promise<void> {
    for (;;) {
      const swept = await this.#ledger.sweep()
      this.#note('sweep', swept)
      if (swept.kind !== 'swept') return
      if (swept.expired > 0) this.#note('sweep', { kind: 'expired' })
      if (swept.collected > 0) this.#note('sweep', { kind: 'collected' })
      if (!swept.more) return
    }
  }

  async #reserve(): Promise<void> {
    const lines = await this.#lines()
    const nowMs = await this.#nowMs()
    const [id, by] = [this.#mint(nowMs), this.#random(3)]
    const cheaper = lines.map(line => ({ ...line, amount: line.amount / 2n, floor: line.floor / 2n }))
    const alternatives = this.#random(3) === 0 ? [lines, cheaper] : [lines]
    const deadlineMs = nowMs + [2 * SECOND, MINUTE, 20 * MINUTE, 5 * HOUR][this.#random(4)]!
    const outcome = await this.#ledger.reserve({
      id,
      holder: holder(by),
      alternatives,
      deadlineMs,
      notAfterMs: nowMs + MINUTE,
      priceBook: 'b',
    })
    this.#note('reserve', outcome)
    if (outcome.kind === 'reserved') this.#known.push({ id, by, lines: alternatives[outcome.alternative]! })
  }

  async #settle(): Promise<void> {
    const known = this.#pick()
    if (known === null) return
    const { id, lines, by } = known
    const how = this.#random(10)
    const outcome = await this.#ledger.settle({
      id,
      holder: holder(by),
      lines,
      amounts: this.#amounts(lines),
      proven: how < 6,
      how: 'test',
    })
    this.#note('settle', outcome)
  }

  async #release(): Promise<void> {
    const fresh = this.#random(3) === 0
    const lines = await this.#lines()
    const known = fresh ? { id: this.#mint(await this.#nowMs()), by: 1, lines } : this.#pick()
    if (known === null) return
    if (fresh) this.#known.push(known)
    this.#note('release', await this.#ledger.release({ id: known.id, holder: holder(known.by), lines: known.lines, how: 'test' }))
  }

  /** A charge whose reserve was lost, or that was admitted while the store was away. */
  async #unseen(): Promise<void> {
    const lines = await this.#lines()
    const id = this.#mint((await this.#nowMs()) - this.#random(3) * 20 * SECOND)
    const amounts = this.#amounts(lines)
    const arrears = this.#random(2) === 0
    const move = { id, holder: holder(1), lines, amounts, proven: this.#random(2) === 0, how: 'test', arrears }
    this.#note('settle', await this.#ledger.settle(move))
    this.#known.push({ id, lines, by: 1 })
  }

  async #adjust(): Promise<void> {
    const known = this.#pick()
    if (known === null) return
    const adjustId = this.#hex(0xad)
    const actual = BigInt(this.#random(400))
    this.#note('adjust', await this.#ledger.adjust({ adjustId, id: known.id, actual, reason: 'the invoice says so' }))
  }

  async #observe(): Promise<void> {
    const known = this.#pick()
    if (known === null) return
    const progress = [{ id: known.id, amounts: known.lines.map(line => line.amount / 2n + BigInt(this.#random(90))) }]
    this.#note('observe', await this.#ledger.observe({ holder: holder(known.by), progress }))
  }

  async #changeLimit(): Promise<void> {
    const { name, limit } = BUDGETS[this.#random(BUDGETS.length)]!
    const before = this.#limits.get(name) ?? { limit, generation: 1 }
    const next = this.#random(3) === 0 ? limit / 3n : limit
    this.#limits.set(name, { limit: next, generation: before.generation + 1 })
  }

  async #wait(): Promise<void> {
    const long = this.#random(12)
    const ms = long === 0 ? 3 * HOUR : long < 3 ? 17 * MINUTE : long < 6 ? 30 * SECOND : this.#random(4 * SECOND)
    await this.#pass(ms)
    this.#note('beat', await this.#ledger.beat(holder(this.#random(3))))
  }

  async #lines(): Promise<Line[]> {
    const nowMs = await this.#nowMs()
    const cost = BigInt(this.#random(8) === 0 ? 0 : 20 + this.#random(300))
    const chosen = BUDGETS.filter(() => this.#random(2) === 0)
    return (chosen.length === 0 ? BUDGETS.slice(0, 1) : chosen).map(({ name, unit, window: at, limit }) => {
      const window = at(nowMs)
      const now = this.#limits.get(name) ?? { limit, generation: 1 }
      const amount = unit === 'Requests' ? 1n : unit === 'Tokens' ? cost * 2n : cost
      const floor = this.#random(2) === 0 ? amount : amount / 3n
      return {
        key: keyOf(name, unit, window),
        unit,
        window,
        amount,
        limit: now.limit,
        version: version(now.generation),
        hard: this.#random(9) > 0,
        floor,
      }
    })
  }

  /** What a call did cost: all of its money is one number. */
  #amounts(lines: readonly Line[]): bigint[] {
    const money = lines.find(line => line.unit === 'USD')?.amount ?? 0n
    const share = BigInt(this.#random(6))
    return lines.map(line => (line.unit === 'USD' ? (money * share) / 4n : line.unit === 'Requests' ? 1n : (line.amount * share) / 4n))
  }

  /** One of the last reservations, mostly one of the very last. */
  #pick(): Known | null {
    const back = this.#random(this.#random(3) === 0 ? 60 : 6)
    return this.#known[this.#known.length - 1 - back] ?? null
  }

  #mint(atMs: number): ReservationId {
    return `${atMs.toString(16).padStart(12, '0')}${this.#hex(0).slice(12)}` as ReservationId
  }

  #hex(kind: number): string {
    this.#minted += 1
    return `${kind.toString(16).padStart(12, '0')}${this.#seed.toString(16).padStart(10, '0')}${this.#minted.toString(16).padStart(10, '0')}`
  }

  #note(move: string, { kind }: { readonly kind: string }): void {
    this.seen.set(`${move}: ${kind}`, (this.seen.get(`${move}: ${kind}`) ?? 0) + 1)
  }
}

function keyOf(limit: string, unit: Unit, window: Window): BudgetKey {
  const spec = window.kind === 'calendar' ? ({ kind: 'calendar', period: 'Hour', timeZone: 'UTC', anchorDay: 1 } as const) : window
  return budgetKey({ scope: 'BudgetPolicy', namespace: 'default', policy: 'teams', limit, unit, window: spec, partition: ['research'] })
}
