// Grants: what a limit amounts to at an instant, and that replicas which hear of grants at different times agree in one ledger.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Grant, GrantBook, grantedTo, grantFault, limitAt } from '../../src/core/grants.ts'
import { createModelLedger, type ModelLedger } from '../../src/core/ledger.ts'
import { PolicyIndex } from '../../src/core/policy-index.ts'
import type { ReserveMove } from '../../src/core/reservation.ts'
import { LEDGER_RULES } from '../../src/limits.ts'
import { call, limit, options, policy, subject } from './policy-objects.ts'

const USD = 1_000_000_000n
const T0 = Date.UTC(2026, 10, 1)
const LIFETIME = limit({ name: 'all', amount: 10n * USD, window: { kind: 'lifetime' } })
const TEAM = policy({ limits: [LIFETIME], version: { createdMs: T0 - 50_000, generation: 2, grantMs: 0 } })

const grant = (over: Partial<Grant> = {}): Grant => ({
  namespace: 'default',
  name: 'g',
  policy: { scope: 'BudgetPolicy', namespace: 'default', name: 'team' },
  limit: 'all',
  partition: null,
  billionths: 5n * USD,
  createdMs: T0 - 10_000,
  startsMs: T0 + 10_000,
  expiresMs: T0 + 20_000,
  ...over,
})

const at = (book: GrantBook, nowMs: number, partition: readonly string[] = [], one = TEAM) => {
  const [first = LIFETIME] = one.limits
  return limitAt({ limit: first, version: one.version, granted: grantedTo(one, first, book) }, partition, nowMs)
}

describe('a limit with grants', () => {
  it('is itself without any, under the version of its policy', () => {
    expect(at(new GrantBook(), T0)).toEqual({ amount: 10n * USD, version: TEAM.version })
  })

  it('changes at the very instants at which one begins and ends', () => {
    const book = new GrantBook()
    book.put(grant(), T0)
    expect([T0, T0 + 9_999, T0 + 10_000, T0 + 19_999, T0 + 20_000].map(ms => at(book, ms).amount / USD)).toEqual([10n, 10n, 15n, 15n, 10n])
  })

  it('adds what several give, to the partition that each is for, up to what a ledger can count', () => {
    const book = new GrantBook()
    const one = policy({ ...TEAM, limits: [{ ...LIFETIME, partitionBy: [{ kind: 'attribute', name: 'user' }] }] })
    const now = { startsMs: 0 }
    book.put(grant({ ...now, name: 'all', billionths: USD }), T0)
    book.put(grant({ ...now, name: 'ada', partition: ['ada'], billionths: 2n * USD }), T0)
    book.put(grant({ ...now, name: 'bob', partition: ['bob'], billionths: 4n * USD }), T0)
    expect([['ada'], ['bob'], ['eve'], []].map(partition => at(book, T0, partition, one).amount / USD)).toEqual([13n, 15n, 11n, 11n])
    book.put(grant({ ...now, name: 'huge', billionths: 10n ** 18n }), T0)
    expect(at(book, T0, ['ada'], one).amount).toBe(10n ** 18n)
  })

  it('of a cluster takes grants only from the namespaces that it names', () => {
    const org = policy({ scope: 'ClusterBudgetPolicy', name: 'org', limits: [LIFETIME], grantNamespaces: ['finance'] })
    const book = new GrantBook()
    const ref = { scope: 'ClusterBudgetPolicy', namespace: '', name: 'org' } as const
    const [sly, fair] = ['team', 'finance'].map(namespace => grant({ namespace, policy: ref, startsMs: 0 }))
    book.put(sly!, T0)
    expect([at(book, T0, [], org).amount, grantFault(sly!, org)]).toEqual([
      10n * USD,
      expect.stringContaining('takes no grants from the namespace team'),
    ])
    book.put(fair!, T0)
    expect([at(book, T0, [], org).amount, grantFault(fair!, org)]).toEqual([15n * USD, null])
  })

  it('has a newer version whenever its amount changes, whatever is put, changed and taken away, and when', () => {
    const spans = fc.record({
      from: fc.integer({ min: -5, max: 30 }),
      for: fc.integer({ min: 1, max: 20 }),
      billionths: fc.bigInt({ min: 1n, max: 9n }),
    })
    const steps = fc.array(fc.record({ name: fc.constantFrom('a', 'b', 'c'), put: fc.boolean(), after: fc.nat({ max: 5 }), span: spans }), {
      maxLength: 20,
    })
    fc.assert(
      fc.property(steps, all => {
        const book = new GrantBook()
        let now = T0
        let before = at(book, now)
        const look = (): void => {
          const after = at(book, now)
          const order = after.version.grantMs - before.version.grantMs
          expect(order).toBeGreaterThanOrEqual(0)
          if (after.amount !== before.amount) expect(order).toBeGreaterThan(0)
          before = after
        }
        for (const { name, put, after, span } of all) {
          for (let ms = 0; ms < after; ms += 1) {
            now += 1
            look()
          }
          // As API servers tell it: in whole seconds, here in tens of ms.
          const createdMs = Math.floor(now / 10) * 10
          if (put)
            book.put(
              grant({ name, createdMs, startsMs: now + span.from, expiresMs: now + span.from + span.for, billionths: span.billionths }),
              now,
            )
          else book.remove({ namespace: 'default', name }, now)
          look()
        }
      }),
    )
  })

  it('has the same version on all replicas that know the same grants, in whatever order they came', () => {
    const grants = ['a', 'b', 'c'].map((name, index) => grant({ name, createdMs: T0 + 1_000 * Math.floor(index / 2), startsMs: 0 }))
    const versions = [grants, grants.toReversed()].map(all => {
      const book = new GrantBook()
      for (const one of all) book.put(one, T0)
      return at(book, T0 + 5_000)
    })
    expect(versions[0]).toEqual(versions[1])
  })
})

describe('a grant that increases nothing', () => {
  it.each([
    ['for a policy that is not there', grant(), null, 'there is no BudgetPolicy default/team'],
    ['for a limit that is not there', grant({ limit: 'day' }), TEAM, 'has no limit day'],
    ['of half a token', grant({ billionths: 500_000_000n }), policy({ limits: [{ ...LIFETIME, unit: 'Tokens' }] }), 'counted whole'],
    [
      'for a partition of a limit that has none',
      grant({ partition: ['ada'] }),
      TEAM,
      '0 selectors in partitionBy, and the partition 1 values',
    ],
  ] as const)('%s says so', (_, one, named, why) => {
    expect(grantFault(one, named)).toContain(why)
  })
  it('is none where it counts', () => {
    expect(grantFault(grant(), TEAM)).toBeNull()
  })
})

describe('two replicas and one ledger', () => {
  /** A replica that hears of a grant `lagMs` late; it presents the limit as it knows it. */
  class Replica {
    readonly #book = new GrantBook()
    readonly #index = new PolicyIndex({ ...options(), grants: this.#book })
    readonly #lagMs: number
    readonly #ledger: ModelLedger
    #made = 0
    /** Of any grant, ever. */
    hasHeard = false
    readonly #digit: string

    constructor(ledger: ModelLedger, lagMs: number, digit: string) {
      this.#ledger = ledger
      this.#lagMs = lagMs
      this.#digit = digit
      this.#index.put(TEAM)
    }

    /** Charges `amount` at `nowMs`; `known`: the grant as the world has it, null before it is made and after it is deleted. */
    charge(amount: bigint, nowMs: number, known: (ms: number) => Grant | null): ReturnType<ModelLedger['reserve']>['kind'] {
      const heard = known(nowMs - this.#lagMs)
      this.hasHeard ||= heard !== null
      this.#book.replace(heard === null ? [] : [heard], nowMs)
      const [bound] = this.#index.bindSubject(subject()).bind(call).limits
      if (bound === undefined) throw new Error('the limit binds')
      const { amount: most, version } = limitAt(bound, bound.partition, nowMs)
      const id = (nowMs.toString(16).padStart(12, '0') + this.#digit + (++this.#made).toString(16).padStart(19, '0')) as ReserveMove['id']
      const holder = this.#digit.repeat(32) as ReserveMove['holder']
      const line = {
        key: bound.key,
        unit: 'USD',
        window: bound.window(nowMs),
        amount,
        limit: most,
        version,
        hard: true,
        floor: amount,
      } as const
      const time = { storeClockMs: nowMs, callerWallMs: nowMs }
      const outcome = this.#ledger.reserve(
        { id, holder, alternatives: [[line]], deadlineMs: nowMs + 60_000, notAfterMs: nowMs + 5_000, priceBook: '' },
        time,
      )
      if (outcome.kind === 'reserved')
        this.#ledger.settle({ id, holder, lines: [line], amounts: [amount], proven: true, how: 'whole' }, time)
      return outcome.kind
    }
  }

  const balanceOf = (ledger: ModelLedger, nowMs: number) => {
    const { value } = ledger.list({ prefix: '', cursor: '', count: 10 }, nowMs)
    return value.budgets[0]?.balance
  }

  it('five seconds apart have the right limit at every instant after both heard of it, and keep what was spent', () => {
    const ledger = createModelLedger(LEDGER_RULES, 1_000)
    const [first, second] = [new Replica(ledger, 0, 'a'), new Replica(ledger, 5_000, 'b')]
    const made = grant({ createdMs: T0 + 1_000, startsMs: T0 + 10_000, expiresMs: T0 + 30_000 })
    const known = (ms: number): Grant | null => (ms >= T0 + 1_000 && ms < T0 + 50_000 ? made : null)
    let spent = 0n
    for (let now = T0; now < T0 + 60_000; now += 500) {
      // Both ask at every half second, the one that heard late last.
      for (const one of [first, second]) {
        const cost = now % 4_000 === 0 ? USD : 1n
        if (one.charge(cost, now, known) === 'reserved') spent += cost
        const due = now >= made.startsMs && now < made.expiresMs ? 15n : 10n
        expect([now - T0, balanceOf(ledger, now)?.limit]).toEqual([now - T0, due * USD])
        expect(balanceOf(ledger, now)?.spent).toBe(spent)
      }
    }
    // More than the limit without the grant was spent while it counted, and nothing of that is forgotten.
    expect(spent).toBeGreaterThan(10n * USD)
    expect(balanceOf(ledger, T0 + 60_000)?.available).toBeLessThan(0n)
  })

  it('with any lags, clocks up to a second apart and grants made, begun, ended and deleted at any time, never admit over what is granted', () => {
    const setting = fc.record({
      lags: fc.tuple(fc.nat({ max: 8 }), fc.nat({ max: 8 })),
      made: fc.nat({ max: 20 }),
      starts: fc.nat({ max: 30 }),
      lasts: fc.integer({ min: 1, max: 30 }),
      deleted: fc.nat({ max: 60 }),
      asks: fc.array(fc.record({ who: fc.nat({ max: 1 }), cost: fc.bigInt({ min: 1n, max: 4n }) }), { minLength: 60, maxLength: 60 }),
    })
    fc.assert(
      fc.property(setting, ({ lags, made, starts, lasts, deleted, asks }) => {
        const ledger = createModelLedger(LEDGER_RULES, 1_000)
        const replicas = lags.map((lag, index) => new Replica(ledger, lag * 1_000, index === 0 ? 'a' : 'b'))
        const startsMs = T0 + starts * 1_000
        const one = grant({ createdMs: T0 + made * 1_000, startsMs, expiresMs: startsMs + lasts * 1_000 })
        const known = (ms: number): Grant | null => (ms >= one.createdMs && ms < T0 + deleted * 1_000 ? one : null)
        for (const [second, { who, cost }] of asks.entries()) {
          const now = T0 + second * 1_000
          const outcome = replicas[who]?.charge(cost * USD, now, known)
          const balance = balanceOf(ledger, now)
          if (outcome !== 'reserved') continue
          // Who has not heard of the grant brings an older version than who has, so that only those who have are sure to end it in time.
          const hasHeard = replicas[who]?.hasHeard === true
          const most = now >= one.startsMs && (now < one.expiresMs || !hasHeard) ? 15n : 10n
          expect(balance?.spent ?? 0n).toBeLessThanOrEqual(most * USD)
        }
      }),
    )
  })
})
