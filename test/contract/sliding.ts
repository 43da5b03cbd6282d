// Sliding windows against the plainest list of charges: what lies in the span always counts, and nothing that is a bucket older than it.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { BudgetKey } from '../../src/core/budget.ts'
import type { Balance, Line, ReservationId, ReserveMove } from '../../src/core/reservation.ts'
import type { Window } from '../../src/core/window.ts'
import { DAY, HOUR, holder, type LedgerUnderTest, line, type MakeLedger, MINUTE, mintId, SECOND, sliding, version } from './moves.ts'

/** A charge as the plain list knows it: when it was admitted, and what it stands for now. */
interface Charge {
  readonly id: ReservationId
  readonly atMs: number
  readonly lines: readonly Line[]
  readonly estimate: bigint
  state: 'open' | 'expired' | 'closed'
  reserved: bigint
  spent: bigint
  suspense: bigint
}
type Figure = 'reserved' | 'spent' | 'suspense'

export type Act =
  /** In thousandths of a bucket or of the span. */
  | { readonly kind: 'wait'; readonly of: 'bucket' | 'span'; readonly thousandths: number }
  /** To about the instant at which the oldest charge that still counts leaves the span. */
  | { readonly kind: 'wait-for-oldest'; readonly besideMs: number }
  | { readonly kind: 'reserve'; readonly amount: bigint; readonly openMs: number }
  /** Reserves what the plain list says is left, give or take. */
  | { readonly kind: 'edge'; readonly beside: bigint; readonly openMs: number }
  | { readonly kind: 'settle'; readonly which: number; readonly percent: bigint; readonly proven: boolean }
  | { readonly kind: 'release'; readonly which: number }
  /** A settlement whose reserve was lost: dated by its id. */
  | { readonly kind: 'unseen'; readonly agoThousandths: number; readonly amount: bigint; readonly proven: boolean }
  | { readonly kind: 'limit'; readonly limit: bigint }
  | { readonly kind: 'sweep' }

const nat = (max: number) => fc.nat({ max })
const amount = fc.oneof({ weight: 4, arbitrary: fc.bigInt(1n, 20n) }, { weight: 1, arbitrary: fc.bigInt(100n, 400n) })
const openMs = fc.constantFrom(SECOND, MINUTE, HOUR)
export const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 16, arbitrary: fc.record({ kind: fc.constant('wait' as const), of: fc.constant('bucket' as const), thousandths: nat(2_500) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), of: fc.constant('span' as const), thousandths: nat(600) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), of: fc.constant('span' as const), thousandths: nat(40_000) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait-for-oldest' as const), besideMs: fc.integer({ min: -1, max: 1 }) }) },
  { weight: 16, arbitrary: fc.record({ kind: fc.constant('reserve' as const), amount, openMs }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('edge' as const), beside: fc.bigInt(-3n, 3n), openMs }) },
  {
    weight: 12,
    arbitrary: fc.record({ kind: fc.constant('settle' as const), which: nat(20), percent: fc.bigInt(0n, 150n), proven: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('release' as const), which: nat(20) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('unseen' as const),
      agoThousandths: nat(1_100),
      amount: fc.bigInt(0n, 200n),
      proven: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('limit' as const), limit: fc.bigInt(300n, 1_500n) }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'sweep' } as const) },
)

/** A charge in every half of a bucket, for two and a half spans. */
export const STEADILY: readonly Act[] = Array.from({ length: 300 }, () => [
  { kind: 'wait', of: 'bucket', thousandths: 500 } as const,
  { kind: 'reserve', amount: 1n, openMs: SECOND } as const,
]).flat()

/** From a second to more than a year: usual ones, those that 60 does not divide, and any. */
export const lengthMs: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(SECOND, MINUTE, HOUR, DAY, 31 * DAY, 400 * DAY, 1_001, 59_999, 90_061, 400 * DAY - 7),
  fc.integer({ min: SECOND, max: MINUTE }),
  fc.integer({ min: SECOND, max: 400 * DAY }),
)

export function slidingContract(make: MakeLedger): void {
  it('counts in a sliding window what a list of charges counts, up to a bucket more', async () => {
    await fc.assert(
      fc.asyncProperty(lengthMs, fc.array(act, { minLength: 30, maxLength: 60, size: 'max' }), (length, acts) =>
        playSliding(make, length, acts),
      ),
      { numRuns: 8 },
    )
  })

  it('tells when a refused call will fit, and not a millisecond sooner it does', async () => {
    const made = await make({ streamMax: 1_000 })
    try {
      const attempt = async (amount: bigint) => {
        const nowMs = await made.nowMs()
        const lines = [line('s', amount, { window: sliding(MINUTE), limit: 100n })]
        const move = {
          id: mintId(nowMs),
          holder: holder(1),
          alternatives: [lines],
          deadlineMs: nowMs + HOUR,
          notAfterMs: nowMs,
          priceBook: '',
        }
        return await made.ledger.reserve(move)
      }
      for (const amount of [10n, 20n, 30n, 40n]) {
        await attempt(amount)
        await made.advance(7_000)
      }
      for (const [amount, needs] of [
        [1n, 0],
        [10n, 0],
        [11n, 1],
        [60n, 2],
        [61n, 3],
        [100n, 3],
      ] as const) {
        const outcome = await attempt(amount)
        const first = (await made.nowMs()) - 28_000
        const at = first + needs * 7_000
        const told = outcome.kind === 'refused' ? outcome.lines[0]?.fitsMs : undefined
        expect(told).toBe((Math.floor(at / SECOND) + 1) * SECOND + MINUTE)
      }
      expect(await attempt(101n)).toMatchObject({ kind: 'refused', lines: [{ fitsMs: null }] })
      const refused = await attempt(60n)
      const fitsMs = refused.kind === 'refused' ? (refused.lines[0]?.fitsMs ?? 0) : 0
      await made.advance(fitsMs - 1 - (await made.nowMs()))
      expect(await attempt(60n)).toMatchObject({ kind: 'refused', lines: [{ fitsMs }] })
      await made.advance(1)
      expect(await attempt(60n)).toMatchObject({ kind: 'reserved' })
    } finally {
      await made.close()
    }
  })
}

export interface Played {
  admitted: number
  refused: number
  late: number
  /** Refusals that said when the call would fit. */
  told: number
}

/** Plays acts on a fresh ledger with one sliding budget, and looks at its balance after each. */
export async function playSliding(make: MakeLedger, length: number, acts: readonly Act[], played?: Played): Promise<void> {
  const made = await make({ streamMax: 1_000 })
  try {
    const play = new Play(made, length, played ?? { admitted: 0, refused: 0, late: 0, told: 0 })
    for (const each of acts) {
      await play.run(each)
      await play.look(each)
    }
  } finally {
    await made.close()
  }
}

class Play {
  readonly #made: LedgerUnderTest
  readonly #length: number
  readonly #bucket: number
  readonly #played: Played
  readonly #of: { readonly key: BudgetKey; readonly window: Window }
  readonly #charges: Charge[] = []
  #limit = 1_000n
  #seq = 0
  #generation = 1

  constructor(made: LedgerUnderTest, length: number, played: Played) {
    this.#made = made
    this.#length = length
    this.#bucket = Math.ceil(length / 60)
    this.#played = played
    this.#of = line('s', 0n, { window: sliding(length) })
  }

  async run(act: Act): Promise<void> {
    const nowMs = await this.#made.nowMs()
    switch (act.kind) {
      case 'wait':
        return this.#made.advance(Math.floor(((act.of === 'bucket' ? this.#bucket : this.#length) * act.thousandths) / 1_000))
      case 'wait-for-oldest': {
        const oldest = this.#charges.find(charge => charge.atMs > nowMs - this.#length && charge.reserved + charge.spent > 0n)
        if (oldest !== undefined) await this.#made.advance(Math.max(0, oldest.atMs + this.#length - nowMs + act.besideMs))
        return
      }
      case 'reserve':
        return this.#reserve(act.amount, act.openMs)
      case 'edge': {
        const left = this.#limit - this.#within(nowMs, 0, 'reserved') - this.#within(nowMs, 0, 'spent') + act.beside
        return left > 0n ? this.#reserve(left, act.openMs) : undefined
      }
      case 'settle':
        return this.#settle(act)
      case 'release':
        return this.#release(act.which)
      case 'unseen':
        return this.#unseen(act)
      case 'limit':
        this.#limit = act.limit
        this.#generation += 1
        return
      case 'sweep':
        return this.#sweep()
    }
  }

  /** The balance as it is read: each figure between that of the span and that of a span longer by a bucket. */
  async look(after: Act): Promise<void> {
    const read = await this.#made.ledger.read([this.#of])
    if (read.kind !== 'read') throw new Error(`a read answered ${read.kind}`)
    const [balance] = read.value
    const nowMs = await this.#made.nowMs()
    for (const figure of ['reserved', 'spent', 'suspense'] as const) {
      const seen = balance?.[figure] ?? 0n
      const told = `${figure} in ${this.#length} ms after ${after.kind}`
      expect(seen, `${told}: what lies in the span counts`).toBeGreaterThanOrEqual(this.#within(nowMs, 0, figure))
      expect(seen, `${told}: what is older by a bucket does not`).toBeLessThanOrEqual(this.#within(nowMs, this.#bucket, figure))
    }
    if (balance != null) expect(balance.available).toBe(balance.limit - balance.spent - balance.reserved)
    await this.#lookAtStream(balance ?? null)
  }

  /** What the newest entry says of the balance is what is read. */
  async #lookAtStream(balance: Balance | null): Promise<void> {
    const read = await this.#made.ledger.entries({ afterSeq: this.#seq, count: 1_000 })
    if (read.kind !== 'read') throw new Error(`entries answered ${read.kind}`)
    this.#seq = read.value.at(-1)?.seq ?? this.#seq
    const last = read.value.findLast(entry => entry.lines.length > 0)
    if (last?.what === 'collected')
      expect([balance, last.lines[0]?.balance]).toMatchObject([null, { reserved: 0n, spent: 0n, suspense: 0n }])
    else if (last !== undefined) expect(last.lines[0]?.balance).toEqual(balance)
  }

  /** The sum of what was admitted in (now - length - more, now]. */
  #within(nowMs: number, more: number, figure: Figure): bigint {
    const fromMs = nowMs - this.#length - more
    return this.#charges.filter(charge => charge.atMs > fromMs && charge.atMs <= nowMs).reduce((sum, charge) => sum + charge[figure], 0n)
  }

  /** By the charges alone: the first end of a bucket's time by which enough of them is gone; null where never. */
  #fitsMs(nowMs: number, amount: bigint): number | null {
    const goneMs = ({ atMs }: Charge): number => (Math.floor(atMs / this.#bucket) + 1) * this.#bucket + this.#length
    const counting = this.#charges.filter(charge => goneMs(charge) > nowMs && charge.reserved + charge.spent > 0n)
    const left = (atMs: number): bigint =>
      counting.filter(charge => goneMs(charge) > atMs).reduce((sum, { reserved, spent }) => sum + reserved + spent, 0n)
    const ends = counting.map(goneMs).toSorted((a, b) => a - b)
    return ends.find(endMs => left(endMs) + amount <= this.#limit) ?? null
  }

  #lines(amount: bigint): readonly Line[] {
    return [{ ...line('s', amount, { window: sliding(this.#length), limit: this.#limit, version: version(this.#generation) }) }]
  }

  async #reserve(amount: bigint, openMs: number): Promise<void> {
    const nowMs = await this.#made.nowMs()
    const lines = this.#lines(amount)
    const id = mintId(nowMs)
    const move: ReserveMove = {
      ...{ id, holder: holder(1), alternatives: [lines], deadlineMs: nowMs + openMs, notAfterMs: nowMs, priceBook: '' },
    }
    const outcome = await this.#made.ledger.reserve(move)
    if (outcome.kind === 'reserved') {
      this.#played.admitted += 1
      this.#charges.push({ id, atMs: nowMs, lines, estimate: amount, state: 'open', reserved: amount, spent: 0n, suspense: 0n })
      const counted = this.#within(nowMs, 0, 'reserved') + this.#within(nowMs, 0, 'spent')
      expect(counted, `never over in the span that ends at ${nowMs}`).toBeLessThanOrEqual(this.#limit)
      return
    }
    this.#played.refused += 1
    expect(outcome.kind).toBe('refused')
    const atMost = this.#within(nowMs, this.#bucket, 'reserved') + this.#within(nowMs, this.#bucket, 'spent')
    expect(atMost + amount, 'refused for what counts in a span longer by a bucket').toBeGreaterThan(this.#limit)
    const [misfit] = outcome.kind === 'refused' ? outcome.lines : []
    expect(misfit?.fitsMs, 'when it will fit').toBe(this.#fitsMs(nowMs, amount))
    if (misfit?.fitsMs != null) this.#played.told += 1
  }

  async #settle({ which, percent, proven }: Extract<Act, { kind: 'settle' }>): Promise<void> {
    const charge = this.#pick(which)
    if (charge === undefined) return
    const actual = (charge.estimate * percent) / 100n
    const isLate = charge.state === 'expired'
    const outcome = await this.#made.ledger.settle({
      ...{ id: charge.id, holder: holder(1), lines: charge.lines, amounts: [actual], proven: proven || isLate, how: 'test' },
    })
    charge.state = 'closed'
    if (isLate) {
      this.#played.late += 1
      expect(['settled-late', 'forgotten']).toContain(outcome.kind)
      if (outcome.kind === 'forgotten') return
    } else expect(outcome.kind).toBe(proven && actual > charge.estimate ? 'settled-over' : 'settled')
    Object.assign(charge, { reserved: 0n, spent: actual, suspense: proven || isLate ? 0n : actual })
  }

  async #release(which: number): Promise<void> {
    const charge = this.#pick(which)
    if (charge === undefined) return
    const was = charge.state
    const outcome = await this.#made.ledger.release({ id: charge.id, holder: holder(1), lines: charge.lines, how: 'test' })
    charge.state = 'closed'
    // One that the ledger forgot leaves a tombstone.
    if (was === 'expired' && outcome.kind === 'tombstoned') return
    expect(outcome.kind).toBe(was === 'open' ? 'released' : 'settled-late')
    Object.assign(charge, { reserved: 0n, spent: 0n, suspense: 0n })
  }

  async #unseen({ agoThousandths, amount, proven }: Extract<Act, { kind: 'unseen' }>): Promise<void> {
    const nowMs = await this.#made.nowMs()
    const atMs = nowMs - Math.min(Math.floor((this.#length * agoThousandths) / 1_000), 23 * HOUR)
    const lines = this.#lines(amount)
    const id = mintId(atMs)
    const outcome = await this.#made.ledger.settle({ id, holder: holder(1), lines, amounts: [amount], proven, how: 'test' })
    expect(outcome.kind).toBe('reasserted')
    const suspense = proven ? 0n : amount
    this.#charges.push({ id, atMs, lines, estimate: amount, state: 'closed', reserved: 0n, spent: amount, suspense })
  }

  async #sweep(): Promise<void> {
    for (let more = true; more; ) {
      const swept = await this.#made.ledger.sweep()
      if (swept.kind !== 'swept') throw new Error(`a sweep answered ${swept.kind}`)
      more = swept.more
    }
    const read = await this.#made.ledger.reservations({ open: true, cursor: '', count: 1_000 })
    if (read.kind !== 'read') throw new Error(`reservations answered ${read.kind}`)
    const open = new Set(read.value.reservations.map(({ id }) => id))
    for (const charge of this.#charges) {
      if (charge.state !== 'open' || open.has(charge.id)) continue
      Object.assign(charge, { state: 'expired', reserved: 0n, spent: charge.estimate, suspense: charge.estimate })
    }
  }

  #pick(which: number): Charge | undefined {
    const left = this.#charges.filter(charge => charge.state !== 'closed')
    return left[left.length === 0 ? 0 : which % left.length]
  }
}
