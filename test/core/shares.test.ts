// Fair shares: what the quiet ones leave is divided among the active ones; over the ledger's own rule nobody starves, and never over holds.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BudgetKey } from '../../src/core/budget.ts'
import { boundAt, grantFault } from '../../src/core/grants.ts'
import { createModelLedger } from '../../src/core/ledger.ts'
import { PolicyIndex } from '../../src/core/policy-index.ts'
import type { Balance, ReserveMove } from '../../src/core/reservation.ts'
import { ACTIVE_MS, type SeenPartition, ShareBook } from '../../src/core/shares.ts'
import { windowText } from '../../src/core/window.ts'
import { LEDGER_RULES } from '../../src/limits.ts'
import { call, limit, options, policy, subject } from './policy-objects.ts'

const T0 = Date.UTC(2026, 10, 24, 12)
const LIMIT = 'limit' as BudgetKey
const by = (name: string) => ({ limitKey: LIMIT, key: `limit|${name}` as BudgetKey })
const WHOLE = { amount: 120n, version: { createdMs: 1, generation: 2, grantMs: 3 } }
const balance = (spent: bigint, reserved = 0n, most = 0n): Balance => ({
  limit: most,
  available: most - spent - reserved,
  reserved,
  spent,
  suspense: 0n,
  overrun: 0n,
})
const row = (name: string, spent: bigint, reserved = 0n, most = 0n): SeenPartition => ({
  key: by(name).key,
  window: 'w',
  balance: balance(spent, reserved, most),
})
const share = (book: ShareBook, name: string, nowMs: number): bigint => book.shareAt(by(name), 'w', WHOLE, nowMs).amount

describe('a share', () => {
  it('is all for one alone, and equal for all that are active', () => {
    const book = new ShareBook()
    expect(share(book, 'a', T0)).toBe(120n)
    book.admitted(by('a'), T0)
    expect(share(book, 'b', T0)).toBe(60n)
    book.admitted(by('b'), T0)
    expect([share(book, 'a', T0), share(book, 'b', T0), share(book, 'c', T0)]).toEqual([60n, 60n, 40n])
  })

  it('does not fall because somebody asks and is not admitted', () => {
    const book = new ShareBook()
    book.admitted(by('a'), T0)
    for (const name of ['b', 'c', 'd', 'e']) share(book, name, T0)
    expect(share(book, 'a', T0)).toBe(120n)
  })

  it('grows by what others leave when they have been quiet for five minutes, not by what they used', () => {
    const book = new ShareBook()
    for (const name of ['a', 'b']) {
      share(book, name, T0)
      book.admitted(by(name), T0)
    }
    book.saw(LIMIT, [row('a', 10n), row('b', 30n)], T0)
    book.admitted(by('a'), T0 + ACTIVE_MS - 1)
    expect(share(book, 'a', T0 + ACTIVE_MS - 1)).toBe(60n)
    expect(share(book, 'a', T0 + ACTIVE_MS + 1_000)).toBe(90n)
    // Who comes back shares what is there with who stayed, and what it used counts as its own.
    expect(share(book, 'b', T0 + ACTIVE_MS + 1_000)).toBe(60n)
  })

  it('takes partitions of other replicas for active while they hold or spend', () => {
    const book = new ShareBook()
    share(book, 'a', T0)
    book.admitted(by('a'), T0)
    book.saw(LIMIT, [row('a', 1n), row('holds', 0n, 5n), row('spent', 9n)], T0)
    expect(share(book, 'a', T0)).toBe(40n)
    const later = T0 + ACTIVE_MS + 1
    book.admitted(by('a'), later)
    book.saw(LIMIT, [row('a', 1n), row('holds', 0n, 5n), row('spent', 9n)], later)
    expect(share(book, 'a', later)).toBe((120n - 9n) / 2n)
    book.saw(LIMIT, [row('a', 1n), row('holds', 0n, 5n), row('spent', 10n)], later)
    expect(share(book, 'a', later)).toBe(40n)
  })

  it('has a newer version with each change, and again where the ledger was told another one', () => {
    const book = new ShareBook()
    const version = (nowMs = T0) => book.shareAt(by('a'), 'w', WHOLE, nowMs).version
    const before = version()
    expect(before).toEqual({ createdMs: 1, generation: 2, grantMs: T0 })
    expect(version(T0 + 10)).toEqual(before)
    book.saw(LIMIT, [row('a', 0n, 0n, 120n)], T0 + 20)
    expect(version(T0 + 20)).toEqual(before)
    book.saw(LIMIT, [row('a', 0n, 0n, 7n)], T0 + 30)
    // Who has looked at the ledger knows better than who has not.
    expect(version(T0 + 30).grantMs).toBe((T0 + 30) * 1_000)
    book.admitted(by('b'), T0 + 30)
    expect(version(T0 + 30).grantMs).toBe((T0 + 30) * 1_000 + 1)
  })

  it('remembers no more than who is about', () => {
    const book = new ShareBook()
    for (let index = 0; index < 1_000; index += 1) share(book, `p${index}`, T0)
    book.saw(LIMIT, [], T0 + ACTIVE_MS)
    book.admitted(by('a'), T0 + ACTIVE_MS)
    expect(share(book, 'a', T0 + ACTIVE_MS)).toBe(120n)
    expect(book.asked(T0 + ACTIVE_MS)).toEqual([LIMIT])
    expect(book.asked(T0 + 2 * ACTIVE_MS)).toEqual([])
  })

  it('of the active ones is, all together, what the quiet ones leave', () => {
    const used = fc.array(fc.record({ spent: fc.nat({ max: 40 }), reserved: fc.nat({ max: 3 }), isActive: fc.boolean() }), {
      minLength: 1,
      maxLength: 12,
    })
    fc.assert(
      fc.property(used, all => {
        const book = new ShareBook()
        const rows = all.map(({ spent, reserved, isActive }, index) => row(`p${index}`, BigInt(spent), isActive ? BigInt(reserved) : 0n))
        share(book, 'p0', T0 - 2 * ACTIVE_MS)
        book.saw(
          LIMIT,
          rows.map(one => ({ ...one, balance: balance(one.balance.spent) })),
          T0 - 2 * ACTIVE_MS,
        )
        all.forEach(({ isActive }, index) => {
          if (isActive) book.admitted(by(`p${index}`), T0)
        })
        book.saw(LIMIT, rows, T0)
        const active = all.flatMap(({ isActive }, index) => (isActive ? [share(book, `p${index}`, T0)] : []))
        const idle = all.reduce((sum, { spent, isActive }) => (isActive ? sum : sum + BigInt(spent)), 0n)
        const left = idle > 120n ? 0n : 120n - idle
        const together = active.reduce((sum, one) => sum + one, 0n)
        expect(together <= left && (active.length === 0 || left - together < BigInt(active.length))).toBe(true)
      }),
    )
  })

  it('is told of a grant for one partition that only the whole can grow', () => {
    const shared = policy({ limits: [limit({ fairShare: true, partitionBy: [{ kind: 'attribute', name: 'user' }] })] })
    const grant = {
      namespace: 'default',
      name: 'g',
      policy: { scope: 'BudgetPolicy', namespace: 'default', name: 'team' },
      limit: 'month',
      partition: ['a'],
      billionths: 1n,
      createdMs: 0,
      startsMs: 0,
      expiresMs: T0,
    } as const
    expect(grantFault(grant, shared)).toContain('only the whole of it can be increased')
  })
})

describe('replicas over one ledger', () => {
  /** Clients by name, each calling at its own pace through one of the replicas; the ledger is looked at once a second by each. */
  function run(
    paces: Readonly<Record<string, number>>,
    cost: bigint,
    seconds: number,
    replicas: number,
    startMs: Readonly<Record<string, number>> = {},
  ) {
    const ledger = createModelLedger(LEDGER_RULES, 100_000)
    const shared = policy({
      limits: [
        limit({ amount: 1_000n, window: { kind: 'lifetime' }, fairShare: true, partitionBy: [{ kind: 'attribute', name: 'user' }] }),
      ],
    })
    const all = Array.from({ length: replicas }, () => {
      const index = new PolicyIndex(options())
      index.put(shared)
      return index
    })
    const got = new Map<string, bigint>(Object.keys(paces).map(name => [name, 0n]))
    const [declared] = all[0]!.declared()
    let made = 0
    for (let ms = 0; ms < seconds * 1_000; ms += 10) {
      const now = T0 + ms
      const time = { storeClockMs: now, callerWallMs: now }
      for (const [name, everyMs] of Object.entries(paces)) {
        if (ms < (startMs[name] ?? 0) || ms % everyMs !== 0) continue
        const index = all[made % replicas]!
        const { limits } = index.bindSubject(subject({ attributes: new Map([['user', name]]) })).bind(call)
        const lines = limits.map(bound => {
          const { amount, version } = boundAt(bound, now)
          return {
            key: bound.key,
            unit: 'USD',
            window: bound.window(now),
            amount: cost,
            limit: amount,
            version,
            hard: true,
            floor: cost,
          } as const
        })
        expect(lines).toHaveLength(2)
        const id = (now.toString(16).padStart(12, '0') + (++made).toString(16).padStart(20, '0')) as ReserveMove['id']
        const holder = '0'.repeat(32) as ReserveMove['holder']
        const move = { id, holder, alternatives: [lines], deadlineMs: now + 60_000, notAfterMs: now + 5_000, priceBook: '' }
        if (ledger.reserve(move, time).kind !== 'reserved') continue
        for (const bound of limits) bound.share?.book.admitted(bound.share, now)
        ledger.settle({ id, holder, lines, amounts: lines.map(() => cost), proven: true, how: 'whole' }, time)
        got.set(name, (got.get(name) ?? 0n) + cost)
      }
      all.forEach((index, which) => {
        if ((ms + which * 330) % 1_000 !== 0) return
        for (const key of index.shares.asked(now)) {
          const { value } = ledger.list({ prefix: `${key}|`, cursor: '', count: 1_000 }, now)
          index.shares.saw(
            key,
            value.budgets.map(one => ({ ...one, window: windowText(one.window) })),
            now,
          )
        }
      })
    }
    const { value } = ledger.list({ prefix: declared!.key, cursor: '', count: 1_000 }, T0 + seconds * 1_000)
    const whole = value.budgets.find(one => one.key === declared!.key)!.balance
    expect(whole.available).toBeGreaterThanOrEqual(0n)
    expect([...got.values()].reduce((sum, one) => sum + one, 0n)).toBe(whole.spent)
    return { got, contested: ledger.contested() }
  }

  it.each([1, 3])('%i of them let no noisy client starve those who call now and then', replicas => {
    // 100 calls a second against one every second; the noisy one begins two seconds later.
    const { got, contested } = run({ noisy: 10, slow: 1_000, other: 1_500 }, 5n, 200, replicas, { noisy: 2_000 })
    expect(got.get('slow')).toBeGreaterThanOrEqual(325n)
    expect(got.get('other')).toBeGreaterThanOrEqual(325n)
    expect(got.get('noisy')).toBeLessThanOrEqual(345n)
    expect(contested).toBeLessThanOrEqual(3)
  })

  it('leave one client alone all there is', () => {
    expect(run({ alone: 10 }, 5n, 60, 3).got.get('alone')).toBe(1_000n)
  })
})
