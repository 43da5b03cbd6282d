// One short story of a ledger in which every kind of entry occurs, and a reader of it whose pages a test may forge.
import { type BudgetKey, budgetKey, type Unit } from '../../src/core/budget.ts'
import type { Line, ReserveMove } from '../../src/core/reservation.ts'
import type { Window } from '../../src/core/window.ts'
import type { EntryLine, LedgerEntry, LedgerReader } from '../../src/ports.ts'
import { HOUR, hourOf, IN_FLIGHT, LIFETIME, MINUTE, mintId, releaseMove, SECOND, settleMove, sliding, version } from './moves.ts'
import type { Scene } from './scene.ts'

type Budget = Pick<Line, 'key' | 'unit' | 'window'>

export function budget(name: string, unit: Unit, window: Window): Budget {
  const spec = window.kind === 'calendar' ? ({ kind: 'calendar', period: 'Hour', timeZone: 'UTC', anchorDay: 1 } as const) : window
  const key: BudgetKey = budgetKey({
    scope: 'BudgetPolicy',
    namespace: 'default',
    policy: 'teams',
    limit: name,
    unit,
    window: spec,
    partition: [],
  })
  return { key, unit, window }
}

export const ORGANISATION: Budget = budget('organisation', 'USD', LIFETIME)
export const MINUTELY: Budget = budget('minute', 'Tokens', sliding(MINUTE))
const FLIGHT = budget('flight', 'Requests', IN_FLIGHT)

/** Lines of every window, with so much money and twice as many tokens. */
function linesAt(nowMs: number, money: bigint, limit = 1_000n, generation = 1): Line[] {
  const of = (budget: Budget, amount: bigint): Line => ({
    ...budget,
    amount,
    limit,
    version: version(generation),
    hard: true,
    floor: amount,
  })
  return [of(ORGANISATION, money), of(budget('hourly', 'USD', hourOf(nowMs)), money), of(MINUTELY, 2n * money), of(FLIGHT, 1n)]
}

/** Plays the story. Two reservations are open when it ends. */
export async function playStory({ ledger, admit, attempt, now, pass, sweepAll }: Scene): Promise<void> {
  const lines = (money: bigint, limit?: bigint, generation?: number) => now().then(ms => linesAt(ms, money, limit, generation))
  const reserve = async (money: bigint, changes?: Partial<ReserveMove>) => {
    const all = await lines(money)
    return { move: await admit(all, changes), lines: all }
  }
  const [plain, over, back, lost, cut] = [
    await reserve(50n),
    await reserve(40n),
    await reserve(30n),
    await reserve(20n),
    await reserve(60n),
  ]
  await ledger.settle(settleMove(plain.move, plain.lines, [45n, 45n, 90n, 1n]))
  await ledger.settle(settleMove(over.move, over.lines, [70n, 70n, 140n, 1n]))
  await ledger.release(releaseMove(back.move, back.lines))
  const due = await reserve(10n, { deadlineMs: (await now()) + 2 * SECOND })
  await pass(6 * SECOND)
  await sweepAll()
  await ledger.settle(settleMove(due.move, due.lines, [12n, 12n, 24n, 1n]))
  await ledger.settle(settleMove(cut.move, cut.lines, [60n, 60n, 120n, 1n], false))
  await ledger.settle(settleMove(cut.move, cut.lines, [65n, 65n, 120n, 1n], false))
  await ledger.adjust({ adjustId: 'ad'.padStart(32, '0'), id: cut.move.id, actual: 61n, reason: 'the invoice' })
  const gone = await lines(5n)
  await ledger.settle({ ...settleMove({ id: mintId(await now()), holder: lost.move.holder }, gone, [5n, 5n, 10n, 1n]) })
  await ledger.settle({ ...settleMove({ id: mintId(await now()), holder: lost.move.holder }, gone, [7n, 7n, 14n, 1n]), arrears: true })
  await ledger.release(releaseMove({ id: mintId(await now()), holder: lost.move.holder }, gone))
  await attempt(await lines(5_000n, 900n, 2))
  await ledger.settle(settleMove(lost.move, lost.lines, [20n, 20n, 40n, 1n], false))
  await pass(90 * SECOND)
  await sweepAll()
  await pass(3 * HOUR)
  await sweepAll()
  await reserve(25n)
  await pass(20 * SECOND)
  await reserve(35n)
}

/** What a reader answers, to be forged: the entries, and each page as it comes. */
export interface Forgery {
  readonly entries?: (entries: LedgerEntry[]) => LedgerEntry[]
  readonly list?: (page: Awaited<ReturnType<LedgerReader['list']>>) => Awaited<ReturnType<LedgerReader['list']>>
  readonly read?: (page: Awaited<ReturnType<LedgerReader['read']>>) => Awaited<ReturnType<LedgerReader['read']>>
  readonly reservations?: (page: Awaited<ReturnType<LedgerReader['reservations']>>) => Awaited<ReturnType<LedgerReader['reservations']>>
}

/** A reader of a ledger that stands still, with what was forged in it. */
export function forged(
  ledger: LedgerReader,
  entries: readonly LedgerEntry[],
  { entries: forge, list, read, reservations }: Forgery,
): LedgerReader {
  const stream = forge === undefined ? entries : forge(structuredClone(entries) as LedgerEntry[])
  const seq = stream.at(-1)?.seq ?? 0
  return {
    ...ledger,
    entries: async ({ afterSeq, count }) => {
      const page = await ledger.entries({ afterSeq: 0, count: 1 })
      if (page.kind !== 'read') return page
      const value = stream.filter(entry => entry.seq > afterSeq).slice(0, count)
      return { ...page, value, seq }
    },
    list: async query => at(seq, (list ?? same)(await ledger.list(query))),
    reservations: async query => at(seq, (reservations ?? same)(await ledger.reservations(query))),
    read: async lines => at(seq, (read ?? same)(await ledger.read(lines))),
  }
}

const same = <T>(page: T): T => page
const at = <T extends { readonly kind: string }>(seq: number, page: T): T => (page.kind === 'read' ? { ...page, seq } : page)

/** The same entries with numbers without gaps. */
export const renumbered = (entries: readonly LedgerEntry[]): LedgerEntry[] => entries.map((entry, index) => ({ ...entry, seq: index + 1 }))

/** An entry's line with other figures of its balance, `available` along with them. */
export function rebalanced(line: EntryLine, changes: Partial<EntryLine['balance']>): EntryLine {
  const balance = { ...line.balance, ...changes }
  return { ...line, balance: { ...balance, available: balance.limit - balance.spent - balance.reserved } }
}
